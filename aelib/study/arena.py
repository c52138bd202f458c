"""The arena: methods that minimise F on the same digits from the same start, compared by updates, gradients and time.

``race`` runs one, on one thread: in float64, or, where it is judged on other images, in theirs. Seconds are CPU time
without the logging.
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

    def __init__(self, F, theta, budget, X_test):
        self.F, self.budget, self.updates, self.rows, self.X_test = F, budget, 0, [], X_test
        self._start = time.process_time()
        self.note(0, theta=theta)
        F.cost = 0.0

    def note(self, update, theta, loss=None):
        """Note the loss at theta after this update, if it is not given; raises _Over where the budget is used up."""
        self.updates, over = update, self.F.cost > self.budget
        if over or not self.rows or self.F.cost >= self.rows[-1][1] + 2:
            now = time.process_time()
            if loss is None or self.X_test is not None:
                loss = self.F.model.with_theta(theta).loss(self.F.images if self.X_test is None else self.X_test)
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
        log.note(progress.update, model.theta)


def scipy_method(F, theta, log, method, product=None, **options):
    """``scipy.optimize.minimize`` until it ends of itself or the budget does; ``product``: "hvp" or "gnvp"."""
    from scipy.optimize import minimize

    def hessp(theta, p):
        if F.cost > log.budget:
            raise _Over
        return getattr(F, product)(theta, p)

    def callback(intermediate_result):
        log.note(log.updates + 1, intermediate_result.x, intermediate_result.fun)

    products = dict(hessp=hessp) if product else {}
    options = dict(maxiter=10**6, **options)
    minimize(F.loss, theta, jac=F.grad, method=method, callback=callback, options=options, **products)


def generated(F, theta, log, method, batch=None, **options):
    """A method of ``aelib.study.second_order``."""
    F.batch = batch
    for update, (there, loss) in enumerate(method(F, theta, **options), start=1):
        log.note(update, there, loss)


def _trust(product):
    return lambda F, theta, log, radius: scipy_method(
        F, theta, log, "trust-ncg", product, initial_trust_radius=radius, max_trust_radius=1e3, gtol=0
    )


def _newton(product):
    return lambda F, theta, log, c2: scipy_method(F, theta, log, "Newton-CG", product, c2=c2, xtol=0)


METHODS = {  # name -> function (F, theta, log, *options); the names of the options are those of its arguments
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
    "K-FAC, batches": lambda F, theta, log, damping, refresh, batch: generated(
        F, theta, log, kfac, batch, damping=damping, refresh=refresh
    ),
}


def race(X, method, options, seed=0, budget=100, sizes=(784, 50, 2, 50, 784), hidden="tanh", X_test=None):
    """Run one method on images X and return its rows (update, gradients, seconds, loss) as columns, (4, k).

    Args:
        X: images, (n, D), all of them used.
        method: a key of ``METHODS``.
        options: the arguments that ``METHODS`` names for it, in order.
        seed: of the initial weights: Glorot's, output bias at the mean image.
        budget: in gradients of all of X, a whole number.
        sizes: of the net.
        hidden: its activation.
        X_test: images whose loss is noted instead of that of X; the numbers are then of their dtype.

    Raises:
        ValueError: there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}: expected one of {', '.join(METHODS)}")
    X = X.astype(np.float64 if X_test is None else X_test.dtype)
    model = Autoencoder(list(sizes), hidden=hidden, seed=seed, dtype=X.dtype).start_output_bias(X)
    F, theta = Objective(model, X), model.theta.copy()
    log = _Log(F, theta, budget, X_test)
    try:
        METHODS[method](F, theta, log, *options)
    except _Over:
        pass
    return np.array(log.rows).T
