"""Methods that use exact curvature products: generators of (theta, loss) after every update.

    damped_gauss_newton    (G + lambda I) d = -grad F by conjugate gradients        Martens, 2010
    kfac                   G by blocks A_l (x) S_l, rescaled by exact products      Martens and Grosse, 2015

An ``Objective`` gives them, and ``scipy.optimize.minimize``, the loss as a function of theta, and counts its cost.
"""

import copy
import itertools
from collections import deque

import numpy as np

from aelib import passes


class Objective:
    """F on fixed images as a function of theta: ``minimize(F.loss, theta, jac=F.grad, hessp=F.gnvp, method=...)``.

    The last two theta keep their ``linearize``, so that nothing is computed twice. Model and images are copied.

    Attributes:
        images: all of them, (n, D).
        X: those of which F is: all, or, once ``batch`` is set, those that ``draw`` took.
        batch: None, or the number of images of a batch.
        cost: matrix products made so far, in gradients of all images.
    """

    def __init__(self, model, X):
        self.model, self.images = copy.copy(model), np.array(model.check_images(X))
        self.X, self.batch, self._rng, self._left = self.images, None, np.random.default_rng(0), []
        self.cost, self._kept = 0.0, deque(maxlen=2)
        sizes = [layer.W.size for layer in model.layers]
        self.W, self.W1 = sum(sizes), sizes[0]  # a forward pass is a product with all W

    def draw(self):
        """Take the next batch; every image comes once before one comes again."""
        if self.batch:
            if len(self._left) < self.batch:
                self._left = self._rng.permutation(len(self.images))
            taken, self._left = np.split(self._left, [self.batch])
            self.X = self.images[taken]
            self._kept.clear()

    def count(self, entries, images=None):
        """Add the cost of products of X, or of so many images, with matrices of so many entries in all."""
        share = (images or len(self.X)) / len(self.images)
        self.cost += share * entries / (3 * self.W - self.W1)

    def at(self, theta, adjoint=False):
        """Return the ``Linearization`` at theta; ``adjoint``: its adjoint will be used."""
        found = [at for kept, at in self._kept if np.array_equal(kept, theta)]
        if not found:
            found = [self.model.with_theta(theta.copy()).linearize(self.X)]
            self._kept.append((theta.copy(), found[0]))
            self.count(self.W)
        if adjoint and "adjoint" not in vars(found[0]):
            self.count(self.W - self.W1)
        return found[0]

    def loss(self, theta):
        """Return F(theta)."""
        return self.at(theta).loss

    def grad(self, theta):
        """Return the gradient, (n_params,)."""
        at = self.at(theta, adjoint=True)
        self.count(0 if "grad" in vars(at) else self.W)
        return at.grad

    def jvp(self, theta, p):
        """Return J p, (n, D)."""
        self.count(2 * self.W - self.W1)
        return self.at(theta).jvp(p)

    def hvp(self, theta, p):
        """Return H p, (n_params,)."""
        self.count(6 * self.W - 4 * self.W1)
        return self.at(theta, adjoint=True).hvp(p)

    def gnvp(self, theta, p):
        """Return G p, (n_params,)."""
        self.count(4 * self.W - 2 * self.W1)
        return self.at(theta).gnvp(p)


def damped_gauss_newton(F, theta, damping=1.0, products=30):
    """Yield (theta, loss) of updates d with (G + lambda I) d = -grad, solved by ``products`` steps of SciPy's ``cg``.

    Each solution starts from 0.95 of the one before. lambda follows Levenberg and Marquardt: with rho the decrease over
    that of the quadratic, it falls to 2/3 where rho > 3/4 and grows to 3/2 where rho < 1/4. The step is shortened until
    the loss falls. Source: Martens, 2010, section 4, without its preconditioner.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    loss, d = F.loss(theta), np.zeros_like(theta)
    while True:
        grad, products_at = F.grad(theta), lambda p, at=theta, damping=damping: F.gnvp(at, p) + damping * p
        G = LinearOperator((theta.size,) * 2, matvec=products_at, dtype=theta.dtype)
        d, _ = cg(G, -grad, x0=0.95 * d, maxiter=products, rtol=1e-3)
        change = grad @ d + 0.5 * d @ F.gnvp(theta, d)
        rho = (F.loss(theta + d) - loss) / change if change < 0 else -1.0
        damping *= 2 / 3 if rho > 0.75 else 3 / 2 if rho < 0.25 else 1
        shorter = (a for a in 0.8 ** np.arange(40) if F.loss(theta + a * d) <= loss + 0.01 * a * (grad @ d))
        d = next(shorter, 0.0) * d
        theta, loss = theta + d, F.loss(theta + d)
        yield theta, loss


def kfac(F, theta, damping=0.01, refresh=10, seed=0):
    """Yield (theta, loss) of updates by Kronecker-factored curvature.

    The block of G of layer l is taken for A_l (x) S_l, A_l = E[z z^T] of its inputs (a 1 appended where it has a bias),
    S_l = E[grad_u grad_u^T] for adjoints of the output drawn from N(0, I). The direction D is, layer by layer,

        D_l = -(S_l + gamma / pi_l I)^-1  grad_[W, b]_l  (A_l + gamma pi_l I)^-1,

    gamma^2 = lambda + weight decay, pi_l^2 = mean eigenvalue of A_l over that of S_l. The update is alpha D + mu times
    the last one, alpha and mu the best for the quadratic with the exact G + lambda I. lambda shrinks by 19/20 where
    the loss falls by more than 3/4 of what the quadratic says, and grows where by less than 1/4. Source: Martens and
    Grosse, 2015, block-diagonal; here with factors made anew every ``refresh`` updates instead of averaged. On batches
    all of an update, its quadratic and lambda too, is of one batch; A_1 is of all images.
    """
    rng, last, factors = np.random.default_rng(seed), [], None
    for update in itertools.count():
        F.draw()
        loss, grad = F.loss(theta), F.grad(theta)
        if update % refresh == 0 or update < 3:
            factors = _factors(F, theta, rng, factors)
        lam = damping + F.model.weight_decay
        span = np.array([_direction(F, factors, grad, np.sqrt(lam)), *last])
        J = np.array([F.jvp(theta, p).ravel() for p in span])
        quadratic = J @ J.T / len(F.X) + lam * (span @ span.T)
        last = [np.linalg.lstsq(quadratic, -span @ grad, rcond=None)[0].astype(theta.dtype) @ span]
        rho = (F.loss(theta + last[0]) - loss) / (0.5 * (last[0] @ grad))  # the quadratic's least is half its slope
        damping *= 19 / 20 if rho > 0.75 else 20 / 19 if rho < 0.25 else 1
        theta = theta + last[0]
        yield theta, F.loss(theta)


def _factors(F, theta, rng, old):
    """Return eigenvalues and eigenvectors of each A_l and S_l; A_1 is of the images alone, so it is made once."""
    layers, (u, z) = F.model.with_theta(theta).layers, F.at(theta).primal
    F.count(F.W - F.W1)
    grad_u = passes.backward(layers, F.at(theta).primal, rng.standard_normal(z[-1].shape), parameters=False).grad_u
    A = [] if old is None else [old[0][0]]
    for rows, layer in list(zip([F.images, *z[1:-1]], layers, strict=True))[len(A) :]:
        A.append(_eigh(F, rows if layer.b is None else np.insert(rows, layer.n_in, 1, axis=1)))
    S = [_eigh(F, rows) for rows in grad_u[1:-1]]
    outputs = np.mean(layers[-1].activation.dg(u[-1], z[-1]) ** 2, axis=0)  # drawn independently: S_L is diagonal
    return list(zip(A, [*S, (outputs, None)], strict=True))


def _eigh(F, rows):
    F.count(rows.shape[1] ** 2, len(rows))
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    return np.maximum(values, 0), vectors


def _direction(F, factors, grad, gamma):
    D = np.empty_like(grad)
    for layer, ((a, Q), (s, R)) in zip(F.model.layers, factors, strict=True):
        (V, v), (W, b) = layer.split(grad), layer.split(D)
        M = (V if v is None else np.column_stack([V, v])) @ Q
        pi = np.sqrt(a.mean() / s.mean())
        M = (M if R is None else R.T @ M) / -np.outer(s + gamma / pi, a + gamma * pi)
        M = (M if R is None else R @ M) @ Q.T
        F.count(2 * M.size * (len(a) + (0 if R is None else len(s))) / len(F.X))
        W[...] = M[:, : layer.n_in]
        if b is not None:
            b[...] = M[:, -1]
    return D
