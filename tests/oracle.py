"""An independent dense account of the same mathematics, for small networks, that shares no code with the passes.

Image by image, with the report's extended matrices [W, b] and vectors [z, 1]; Jacobians by forward-mode matrix
products; the Hessian as the complex step of the gradient J^T r.
"""

import numpy as np

from aelib.activations import ACTIVATIONS


def g(name, u):
    """Activation and derivative from their textbook formulas, for complex u."""
    if name == "identity":
        return u, np.ones_like(u)
    if name == "sigmoid":
        s = 1 / (1 + np.exp(-u))
        return s, np.exp(-u) * s**2
    if name == "tanh":
        return np.tanh(u), 1 / np.cosh(u) ** 2
    if name == "softplus":
        return np.log(1 + np.exp(u)), 1 / (1 + np.exp(-u))
    if name not in ("relu", "leaky_relu"):  # an entry made since: its g' is held to the complex step of its g elsewhere
        return ACTIVATIONS[name].g(u), ACTIVATIONS[name].dg(u)
    slope = {"relu": 0.0, "leaky_relu": 0.01}[name]
    d = np.where(u.real > 0, 1.0, slope)
    return d * u, d + 0 * u


def extended_matrices(model, theta):
    """Return [(extended matrix (q, p + 1), its indices into theta or -1, activation name)] for every layer."""
    result, i = [], 0
    for layer in model.layers:
        q, p = layer.n_out, layer.n_in
        index = np.full((q, p + 1), -1)
        index[:, :p] = np.arange(i, i + q * p).reshape(q, p)
        i += q * p
        if layer.b is not None:
            index[:, p] = np.arange(i, i + q)
            i += q
        result.append((np.where(index >= 0, theta[index], 0), index, layer.activation.name))
    return result


def output_and_jacobian(model, theta, x):
    """Return z^L(x), (D,), and dz^L / dtheta, (D, n_params), for one image."""
    z, dz = x.astype(theta.dtype), np.zeros((x.size, theta.size), theta.dtype)
    for W, index, name in extended_matrices(model, theta):
        extended = np.append(z, 1)
        du = W[:, :-1] @ dz
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                if index[i, j] >= 0:
                    du[i, index[i, j]] += extended[j]
        z, slope = g(name, W @ extended)
        dz = slope[:, None] * du
    return z, dz


def dense(model, X):
    """Return the loss, gradient, Hessian, Gauss-Newton matrix, and the Jacobians (n, D, n_params) as arrays."""
    theta, decay, n = model.theta.copy(), model.weight_decay, len(X)

    def grad(theta):
        total = decay * theta
        for x in X:
            z, J = output_and_jacobian(model, theta, x)
            total = total + J.T @ (z - x) / n
        return total

    pairs = [output_and_jacobian(model, theta, x) for x in X]
    loss = sum(0.5 * np.sum((z - x) ** 2) for (z, _), x in zip(pairs, X, strict=True)) / n
    loss += 0.5 * decay * np.sum(theta**2)
    J = np.array([J for _, J in pairs])
    G = np.einsum("nij,nik->jk", J, J) / n + decay * np.eye(theta.size)
    H = np.array([grad(theta + 1e-200j * e).imag / 1e-200 for e in np.eye(theta.size)])
    return loss, grad(theta), H, G, J
