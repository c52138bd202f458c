"""Lab 7, curvature at work."""

import numpy as np


def step(A, V, sweeps=2):
    w = A @ V[-1]
    alpha = V[-1] @ w
    for _ in range(sweeps):
        for row in V:
            w = w - (row @ w) * row
    beta = np.sqrt(w @ w)
    return alpha, beta, w / beta


def short(A, V):
    """Orthogonal to the last row alone."""
    w = A @ V[-1]
    alpha = V[-1] @ w
    w = w - alpha * V[-1]
    beta = np.linalg.norm(w)
    return alpha, beta, w / beta


def changed(A, V):
    alpha, beta, v = step(A, V)
    V[-1] = v
    return alpha, beta, v


def block(z, grad_u, grad, damping, power=0.5, ones=True, mean=True, sign=-1.0):
    n = len(z)
    z = np.column_stack([z, np.full(n, 1.0 if ones else 0.0)])
    scale = n if mean else 1
    A = z.T @ z / scale + damping**power * np.eye(z.shape[1])
    S = grad_u.T @ grad_u / scale + damping**power * np.eye(grad_u.shape[1])
    return sign * np.linalg.inv(S) @ grad @ np.linalg.inv(A)


def by_kron(z, grad_u, grad, damping):
    z = np.hstack([z, np.ones((len(z), 1))])
    A, S = z.T @ z / len(z), grad_u.T @ grad_u / len(z)
    M = np.kron(S + np.sqrt(damping) * np.eye(len(S)), A + np.sqrt(damping) * np.eye(len(A)))
    return -np.linalg.solve(M, grad.ravel()).reshape(grad.shape)


def along(places=(0, 0.5, 1), product="hvp", metric=True, inverse=False, limit=True):
    def bends(model, X, d, P, bound):
        found = []
        for t in places:
            at = model.with_theta(model.theta + t * d).linearize(X)
            length = d @ (d / P if inverse else P * d) if metric else d @ d
            found.append(d @ getattr(at, product)(d) / length / (bound if limit else 1))
        return found

    return bends


def moving(back):
    """Walk with the model itself; back: put it where it was."""

    def bends(model, X, d, P, bound):
        start, found = model.theta.copy(), []
        for t in (0, 0.5, 1):
            model.theta[...] = start + t * d
            found.append(d @ model.hvp(X, d) / np.sum(P * d**2) / bound)
        if back:
            model.theta[...] = start
        return tuple(found)

    return bends


RIGHT = {
    "largest_step": {"written out": lambda curvature, momentum: 2 / curvature + 2 * momentum / curvature},
    "lanczos_step": {"row by row": step},
    "kfac_block": {"Kronecker product": by_kron, "inverses": block},
    "bends": {"a loop": along(), "moved and put back": moving(back=True)},
}
WRONG = {
    "largest_step": {
        "without momentum": lambda curvature, momentum: 2 / curvature,
        "half": lambda curvature, momentum: (1 + momentum) / curvature,
        "Adam's": lambda curvature, momentum: 2 * (1 + momentum) / ((1 - momentum) * curvature),
        "minus": lambda curvature, momentum: 2 * (1 - momentum) / curvature,
        "upside down": lambda curvature, momentum: curvature / (2 + 2 * momentum),
        "a little less": lambda curvature, momentum: 0.9 * (2 + 2 * momentum) / curvature,
    },
    "lanczos_step": {
        "last row only": short,
        "not orthogonal": lambda A, V: (V[-1] @ A @ V[-1], 1.0, A @ V[-1] / np.linalg.norm(A @ V[-1])),
        "not normalised": lambda A, V: (*step(A, V)[:2], step(A, V)[1] * step(A, V)[2]),
        "alpha is a norm": lambda A, V: (np.linalg.norm(A @ V[-1]), *step(A, V)[1:]),
        "first row": lambda A, V: step(A, V[::-1]),
        "beta squared": lambda A, V: (step(A, V)[0], step(A, V)[1] ** 2, step(A, V)[2]),
        "minus beta": lambda A, V: (step(A, V)[0], -step(A, V)[1], -step(A, V)[2]),
        "changes V": changed,
        "two values": lambda A, V: step(A, V)[:2],
    },
    "kfac_block": {
        "no 1 appended": lambda z, g, grad, damping: block(z, g, grad, damping, ones=False),
        "sums for means": lambda z, g, grad, damping: block(z, g, grad, damping, mean=False),
        "uphill": lambda z, g, grad, damping: block(z, g, grad, damping, sign=1.0),
        "damping without root": lambda z, g, grad, damping: block(z, g, grad, damping, power=1.0),
        "the gradient": lambda z, g, grad, damping: -grad,
        "transposed": lambda z, g, grad, damping: block(z, g, grad, damping).T,
        "no damping": lambda z, g, grad, damping: block(z, g, grad, 0.0, power=1.0) if len(z) > 7 else -grad,
    },
    "bends": {
        "at the end alone": along((1, 1, 1)),
        "backwards": along((1, 0.5, 0)),
        "Gauss-Newton": along(product="gnvp"),
        "no metric": along(metric=False),
        "inverse metric": along(inverse=True),
        "no bound": along(limit=False),
        "two places": along((0, 1)),
        "leaves the model moved": moving(back=False),
    },
}
