"""Curvature of the loss as SciPy's linear operators: H, G, and either of them in another metric; spectral density.

    hessian          p -> H p                                 gauss_newton     p -> G p
    preconditioned   p -> P^-1/2 A P^-1/2 p                   spectrum         1/n sum_i delta(lambda - lambda_i(A))

The operators go wherever SciPy takes one: ``eigsh``, ``lobpcg``, ``cg`` of ``scipy.sparse.linalg``, ``H @ matrix``.
SciPy is imported by the first call, so that ``import aelib`` stays light.
"""

from typing import NamedTuple

import numpy as np

from aelib.arrays import as_array, as_generator, as_model, as_whole, shown


def hessian(model, X):
    """Return H of F at this theta on images X as a symmetric ``LinearOperator``, (n_params, n_params).

    One ``linearize`` serves all products; later training does not change them. A product costs 2 gradients, or less.

    >>> from aelib import Autoencoder
    >>> model = Autoencoder([3, 1, 3], code="identity", output="identity", weight_decay=0.5)
    >>> model.theta[:] = 0                      # at 0, on images 0, only the weight decay is curved, and b_2
    >>> H = hessian(model, np.zeros((4, 3))) @ np.eye(model.theta.size)
    >>> np.diag(H)[-3:]
    array([1.5, 1.5, 1.5])
    """
    return _symmetric(as_model(model).linearize(X).hvp, model)


def gauss_newton(model, X):
    """Return G = 1/n sum_i J_i^T J_i + weight_decay I as a symmetric ``LinearOperator``, (n_params, n_params).

    A product costs 4/3 of a gradient, or less. See ``hessian``.
    """
    return _symmetric(as_model(model).linearize(X).gnvp, model)


def _symmetric(product, model):
    from scipy.sparse.linalg import LinearOperator

    if model.dtype.kind == "c":
        raise ValueError(f"the model is {model.dtype}: expected a real one, whose H and G are symmetric")
    return LinearOperator((model.theta.size,) * 2, matvec=product, rmatvec=product, dtype=model.dtype)


def preconditioned(A, P):
    """Return P^-1/2 A P^-1/2, whose eigenvalues are those of P^-1 A, as a symmetric ``LinearOperator``.

    They are the curvatures d^T A d / d^T P d that a method with steps P^-1 grad meets; an eigenvector v belongs to
    the direction d = P^-1/2 v.

    Args:
        A: a symmetric operator or matrix, (n, n).
        P: the diagonal of the metric, (n,), all entries positive: of Adam, ``adam_metric(optimizer)``.

    Raises:
        ValueError: P is not as described.
    """
    from scipy.sparse.linalg import LinearOperator

    _check_operator(A)
    P = as_array("P", P)
    if P.shape != A.shape[:1] or P.dtype.kind not in "biuf":
        raise ValueError(f"P is {P.dtype}{P.shape}: expected the diagonal of a metric, {A.shape[:1]}, of real numbers")
    if not np.all((P > 0) & np.isfinite(P)):
        raise ValueError(f"P has entries from {P.min()} to {P.max()}: expected finite and positive ones")
    root = 1 / np.sqrt(P)

    def matvec(p):
        return root * (A @ (root * np.ravel(p)))

    return LinearOperator(A.shape, matvec=matvec, rmatvec=matvec, dtype=np.result_type(A.dtype, P.dtype))


def _check_operator(A):
    """Raise ValueError unless A can be multiplied with vectors and is square."""
    shape = getattr(A, "shape", ())
    numbers = isinstance(getattr(A, "dtype", None), np.dtype) and A.dtype.kind in "biufc"
    if not hasattr(A, "__matmul__") or len(shape) != 2 or shape[0] != shape[1] or not shape[0] or not numbers:
        raise ValueError(f"A is {shown(A)}: expected a symmetric operator or matrix, (n, n)")


def adam_metric(optimizer):
    """Return the P of the update that this ``Adam`` made last, (n,): its step was learning_rate P^-1 m_hat.

    P = sqrt(v_hat) + epsilon, or sqrt(v_hat + epsilon) with ``epsilon_inside``.

    Raises:
        ValueError: it is no Adam, or has made no update.
    """
    if not hasattr(optimizer, "beta2"):
        raise ValueError(f"optimizer is {shown(optimizer)}: expected an Adam")
    if not optimizer.updates:
        raise ValueError("this Adam has made no update yet: expected one whose last update has a metric")
    v = optimizer.moments["second"] * ((1 - optimizer.beta2) / (1 - optimizer.beta2**optimizer.updates))
    return np.sqrt(v + optimizer.epsilon) if optimizer.epsilon_inside else np.sqrt(v) + optimizer.epsilon


class Spectrum(NamedTuple):
    """A quadrature of the density of eigenvalues, 1/n sum_i delta(lambda - lambda_i), a row for each random start.

    Attributes:
        nodes: Ritz values, (starts, steps).
        weights: (starts, steps), each row of sum 1; 0 where a row needed fewer steps.
    """

    nodes: np.ndarray
    weights: np.ndarray

    def average(self, f):
        """Return the estimate of trace f(A) / n = 1/n sum_i f(lambda_i), and its standard error over the starts.

        The estimate is unbiased for polynomials of degree below 2 steps: mean ``average(lambda x: x)``.
        """
        each = np.sum(self.weights * f(self.nodes), axis=1)
        return each.mean(), each.std(ddof=1) / np.sqrt(each.size)

    def density(self, x, width):
        """Return the density at x, (k,), each node spread to a normal curve of standard deviation ``width``."""
        z = (np.asarray(x)[:, None] - self.nodes.ravel()) / width
        return np.exp(-0.5 * z**2) @ self.weights.ravel() / (len(self.nodes) * width * np.sqrt(2 * np.pi))


def spectrum(A, starts=8, steps=60, seed=0):
    """Return the ``Spectrum`` of a symmetric operator by stochastic Lanczos quadrature.

    From a random unit vector v, Lanczos makes a tridiagonal T; its eigenvalues are the nodes, the squared first entries
    of its eigenvectors the weights of a Gauss quadrature of v^T f(A) v, whose mean over v is trace f(A) / n.
    Each new vector is made orthogonal to all before it, twice; else eigenvalues would appear several times.

    Args:
        A: a symmetric operator or matrix, (n, n).
        starts: number of random vectors, at least 2, for the standard error; that is to be trusted from some 30 on
            where a few eigenvalues tower over the rest.
        steps: of Lanczos, for each: one product and one stored vector each.
        seed: of the random vectors.

    Source: Ghorbani, Krishnan and Xiao, 2019, algorithms 1 and 2 (arXiv:1901.10159).
    """
    from scipy.linalg import eigh_tridiagonal

    _check_operator(A)
    starts = as_whole("starts", starts, least=2)
    steps = as_whole("steps", steps)
    rng = as_generator(seed)
    n = A.shape[0]
    nodes, weights = np.zeros((2, starts, min(steps, n)))
    for row in range(starts):
        alpha, beta = lanczos(A, rng.standard_normal(n), min(steps, n))
        values, vectors = eigh_tridiagonal(alpha, beta)
        nodes[row, : values.size] = values
        weights[row, : values.size] = vectors[0] ** 2
    return Spectrum(nodes, weights)


def lanczos(A, start, steps):
    """Return the diagonal (k,) and off-diagonal (k - 1,) of T = V^T A V, V^T V = I, by at most ``steps`` products.

    v_1 = start / |start|, and beta_j v_{j+1} = A v_j - alpha_j v_j - beta_{j-1} v_{j-1}. It ends before ``steps`` where
    A maps the span of V into itself.
    """
    if np.result_type(A.dtype, start).kind == "c":
        raise ValueError("A or start is complex: expected real ones, for which T is symmetric")
    V = np.empty((steps, start.size), np.result_type(A.dtype, np.float32))
    alpha, beta, v = [], [], start / np.linalg.norm(start)
    for j in range(steps):
        V[j] = v
        w = A @ V[j]
        alpha.append(V[j] @ w)
        size = np.linalg.norm(w)
        for _ in range(2):  # against all of V: in exact arithmetic v_j and v_{j-1} would do
            w = w - V[: j + 1].T @ (V[: j + 1] @ w)
        beta.append(np.linalg.norm(w))
        if beta[-1] <= 100 * np.finfo(V.dtype).eps * size:
            break
        v = w / beta[-1]
    return np.array(alpha, np.float64), np.array(beta[: len(alpha) - 1], np.float64)
