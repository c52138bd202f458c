"""Lab 5, embeddings."""

from itertools import pairwise

import numpy as np


def along(path, jacobian, at=lambda a, b: (a + b) / 2, norm=lambda x: np.sqrt(np.sum(x**2)), of=sum):
    """Return the length with J taken at at(a, b), the length of a change by norm, summed by of."""
    steps = [(b - a, jacobian(at(a, b)[None])[0]) for a, b in pairwise(path)]
    return of([norm(J @ dz) for dz, J in steps])


def both_ends(path, jacobian):
    return (along(path, jacobian, lambda a, b: a) + along(path, jacobian, lambda a, b: b)) / 2


def trusted(X, Z, k, itself=False, swap=False, rank_from=1, factor=2, over=None, most=None):
    """Return the trustworthiness, with the slips that the arguments name."""
    X, Z = (Z, X) if swap else (X, Z)
    n = len(X)
    distance = [np.linalg.norm(a[:, None] - a, axis=2) for a in (X, Z)]
    if not itself:
        for d in distance:
            np.fill_diagonal(d, np.inf)
    order_x, order_z = (d.argsort(axis=1) for d in distance)
    rank = np.empty((n, n))
    np.put_along_axis(rank, order_x, np.broadcast_to(np.arange(n) + rank_from, (n, n)), axis=1)
    excess = np.take_along_axis(rank, order_z[:, :k], axis=1) - k
    excess = np.maximum(excess, 0) if most is None else most(excess)
    return 1 - factor * excess.sum() / (n * k * (2 * n - 3 * k - 1) if over is None else over(n, k))


def new_weights(W, b, W_next, A, bias=True, inverse=np.linalg.inv, right=True):
    back = inverse(A)
    return A @ W, A @ b if bias else b.copy(), W_next @ back if right else (back @ W_next.T).T


def in_place(W, b, W_next, A):
    W[...], b[...], W_next[...] = A @ W, A @ b, W_next @ np.linalg.inv(A)
    return W, b, W_next


def solved(W, b, W_next, A):
    return np.einsum("ij,jk->ik", A, W), A.dot(b), np.linalg.solve(A.T, W_next.T).T


RIGHT = {
    "metric": {"einsum": lambda J: np.einsum("nij,nik->njk", J, J)},
    "length": {"a loop": along},
    "trust": {"ranks in a matrix": trusted},
    "redrawn": {"solve": solved},
}
WRONG = {
    "metric": {
        "J J^T": lambda J: J @ np.swapaxes(J, 1, 2),
        "of the first code": lambda J: np.repeat((J[0].T @ J[0])[None], len(J), axis=0),
        "summed over codes": lambda J: np.einsum("nij,nik->jk", J, J),
        "mean over pixels": lambda J: np.einsum("nij,nik->njk", J, J) / J.shape[1],
        "diagonal": lambda J: np.einsum("nij,nij,jk->njk", J, J, np.eye(J.shape[2])),
        "inverse": lambda J: np.linalg.inv(np.einsum("nij,nik->njk", J, J)),
        "half": lambda J: np.einsum("nij,nik->njk", J, J) / 2,
    },
    "length": {
        "on the map": lambda path, jacobian: np.linalg.norm(np.diff(path, axis=0), axis=1).sum(),
        "J at the start of a step": lambda path, jacobian: along(path, jacobian, lambda a, b: a),
        "J at its end": lambda path, jacobian: along(path, jacobian, lambda a, b: b),
        "mean of both ends": both_ends,
        "squared": lambda path, jacobian: along(path, jacobian, norm=lambda x: np.sum(x**2)),
        "sum of absolute values": lambda path, jacobian: along(path, jacobian, norm=lambda x: np.abs(x).sum()),
        "mean of the steps": lambda path, jacobian: along(path, jacobian, of=np.mean),
        "from start to end": lambda path, jacobian: along(path[[0, -1]], jacobian),
        "one J for all": lambda path, jacobian: along(path, lambda Z: jacobian(path.mean(axis=0)[None])),
        "last step missing": lambda path, jacobian: along(path[:-1], jacobian),
    },
    "trust": {
        "itself a neighbour": lambda X, Z, k: trusted(X, Z, k, itself=True, rank_from=0),
        "the map and the images exchanged (continuity)": lambda X, Z, k: trusted(X, Z, k, swap=True),
        "ranks from 0": lambda X, Z, k: trusted(X, Z, k, rank_from=0),
        "factor 1": lambda X, Z, k: trusted(X, Z, k, factor=1),
        "all neighbours count": lambda X, Z, k: trusted(X, Z, k, most=lambda excess: excess),
        "intruders counted, not their ranks": lambda X, Z, k: trusted(X, Z, k, most=lambda excess: excess > 0),
        "mean over neighbours": lambda X, Z, k: trusted(X, Z, k, factor=1, over=lambda n, k: n * k),
        "n - 3k": lambda X, Z, k: trusted(X, Z, k, over=lambda n, k: n * k * (2 * n - 3 * k)),
        "what is lacking": lambda X, Z, k: 1 - trusted(X, Z, k),
        "one": lambda X, Z, k: 1.0,
    },
    "redrawn": {
        "bias forgotten": lambda W, b, W_next, A: new_weights(W, b, W_next, A, bias=False),
        "transposed for inverse": lambda W, b, W_next, A: new_weights(W, b, W_next, A, inverse=np.transpose),
        "inverse on the wrong side": lambda W, b, W_next, A: new_weights(W, b, W_next, A, right=False),
        "A on both sides": lambda W, b, W_next, A: new_weights(W, b, W_next, A, inverse=lambda A: A),
        "the encoder alone": lambda W, b, W_next, A: (A @ W, A @ b, W_next),
        "nothing": lambda W, b, W_next, A: (W, b, W_next),
        "inverse first": lambda W, b, W_next, A: new_weights(W, b, W_next, np.linalg.inv(A)),
        "A transposed": lambda W, b, W_next, A: new_weights(W, b, W_next, A.T),
        "in place": in_place,
    },
}
