"""The arena: methods that minimise F on the same digits from the same start, compared by updates, gradients and time.

``race`` runs one. All work in float64 on one thread; seconds are CPU time without the logging.
"""

import time

import numpy as np

from aelib.autoencoder import Autoencoder
from aelib.optimizers import Adam, cosine
from aelib.study.second_order import Objective, damped_gauss_newton, kfac
from aelib.train import train


class _Over(Exception):
    """The budget is used up."""


class _Log:
    """Rows (update, gradients, seconds, loss); a row at the start, then whenever two more gradients are used up."""

    def __init__(self, F, theta, budget):
        self.F, self.budget, self.updates, self.rows = F, budget, 0, []
        self._start = time.process_time()
        self.note(0, F.model.loss(F.X))
        F.cost = 0.0

    def note(self, update, loss=None, theta=None):
        """Note the loss, or that at theta, after this update; raises _Over where the budget is used up."""
        self.updates, over = update, self.F.cost > self.budget
        if over or not self.rows or self.F.cost >= self.rows[-1][1] + 2:
            now = time.process_time()
            loss = self.F.model.with_theta(theta).loss(self.F.X) if loss is None else loss
            self.rows.append((update, self.F.cost, now - self._start, loss))
            self._start += time.process_time() - now
        if over:
            raise _Over


def adam(F, theta, log, step, batch, schedule):
    """Adam on batches; ``schedule``: "constant", or "cosine" to 0 at the end of the budget."""
    per_epoch = -(-len(F.X) // batch)
    rate = cosine(step, per_epoch * log.budget) if schedule == "cosine" else step
    model = F.model.with_theta(theta)
    for progress in train(model, F.X, Adam(rate), epochs=log.budget + 1, batch_size=batch):
        F.cost = progress.epoch
        log.note(progress.update, theta=model.theta)


def scipy_method(F, theta, log, method, product=None, **options):
    """``scipy.optimize.minimize`` until it ends of itself or the budget does; ``product``: "hvp" or "gnvp"."""
    from scipy.optimize import minimize

    def hessp(theta, p):
        if F.cost > log.budget:
            raise _Over
        return getattr(F, product)(theta, p)

    def callback(intermediate_result):
        log.note(log.updates + 1, intermediate_result.fun)

    products = dict(hessp=hessp) if product else {}
    options = dict(maxiter=10**6, **options)
    minimize(F.loss, theta, jac=F.grad, method=method, callback=callback, options=options, **products)


def generated(F, theta, log, method, **options):
    """A method of ``aelib.study.second_order``."""
    for update, (_, loss) in enumerate(method(F, theta, **options), start=1):
        log.note(update, loss)


def _trust(product):
    return lambda F, theta, log, radius: scipy_method(
        F, theta, log, "trust-ncg", product, initial_trust_radius=radius, max_trust_radius=1e3, gtol=0
    )


def _newton(product):
    return lambda F, theta, log, c2: scipy_method(F, theta, log, "Newton-CG", product, c2=c2, xtol=0)


METHODS = {
    "Adam": lambda F, theta, log, step: adam(F, theta, log, step, len(F.X), "constant"),
    "Adam, batches": lambda F, theta, log, *own: adam(F, theta, log, *own, "constant"),
    "Adam, batches, cosine": lambda F, theta, log, *own: adam(F, theta, log, *own, "cosine"),
    "L-BFGS": lambda F, theta, log, pairs: scipy_method(
        F, theta, log, "L-BFGS-B", maxcor=pairs, maxfun=10**6, ftol=0, gtol=0
    ),
    "nonlinear CG": lambda F, theta, log, c2: scipy_method(F, theta, log, "CG", c2=c2, gtol=0),
    "Newton-CG, H": _newton("hvp"),
    "Newton-CG, G": _newton("gnvp"),
    "trust region, H": _trust("hvp"),
    "trust region, G": _trust("gnvp"),
    "damped Gauss-Newton": lambda F, theta, log, damping, products: generated(
        F, theta, log, damped_gauss_newton, damping=damping, products=products
    ),
    "K-FAC": lambda F, theta, log, damping, refresh: generated(F, theta, log, kfac, damping=damping, refresh=refresh),
}


def race(X, method, options, seed=0, budget=100, sizes=(784, 50, 2, 50, 784), hidden="tanh"):
    """Run one method on images X and return its rows (update, gradients, seconds, loss) as columns, (4, k).

    Args:
        X: images, (n, D), all of them used.
        method: a key of ``METHODS``.
        options: the arguments that ``METHODS`` names for it, in order.
        seed: of the initial weights: Glorot's, output bias at the mean image.
        budget: in gradients of all of X, a whole number.
        sizes: of the net.
        hidden: its activation.

    Raises:
        ValueError: there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}: expected one of {', '.join(METHODS)}")
    X = X.astype(np.float64)
    model = Autoencoder(list(sizes), hidden=hidden, seed=seed).start_output_bias(X)
    F, theta = Objective(model, X), model.theta.copy()
    log = _Log(F, theta, budget)
    try:
        METHODS[method](F, theta, log, *options)
    except _Over:
        pass
    return np.array(log.rows).T
