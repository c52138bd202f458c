"""Exercises of lab 2, the checks: difference rules, symmetry, kinks, and a gradient to be checked."""

import numpy as np

from aelib.checks import directional_derivative
from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close, number, unchanged

LAB = "02_finite_difference_checks"


def rule(answer, rng, degree, error):
    """On sums of k-th powers a rule is exact up to a degree; beyond it the error is known.

    Args:
        answer: function (f, theta, p, eps).
        rng: draws everything.
        degree: the first power on which the rule is not exact.
        error: of that power along p = 1, in units of eps^(degree - 1).
    """
    for rows in (3, None):
        for k in range(1, degree + 1):
            size, eps = int(rng.integers(2, 6)), float(rng.uniform(0.05, 0.2))
            theta, p = rng.uniform(0.5, 1.5, (2, size))
            A = rng.standard_normal(size if rows is None else (rows, size))
            kept = theta.copy(), p.copy()
            found = answer(lambda t, A=A, k=k: A @ t**k, theta, p, eps)
            expected = A @ (k * theta ** (k - 1) * p) + (k == degree) * error * eps ** (k - 1) * (A @ p**k)
            what = "a number" if rows is None else f"{rows} numbers"
            close(found, expected, f"f returns {what}, sums of powers {k} of theta; eps = {eps:.2f}", 1e-9)
            unchanged(kept[0], theta, "theta")
            unchanged(kept[1], p, "p")


@exercise("central", lab=LAB, points=1)
def central(answer, rng):
    """Exact up to squares; of cubes the error is eps^2 p^3."""
    rule(answer, rng, 3, 1)


@exercise("five_points", lab=LAB, points=1)
def five_points(answer, rng):
    """Exact up to fourth powers; of fifth powers the error is -4 eps^4 p^5."""
    rule(answer, rng, 5, -4)


@exercise("asymmetry", lab=LAB, points=2)
def asymmetry(answer, rng):
    """The definition, for the directions drawn; 0 for a symmetric matrix."""
    for size in (2, 5, 30):
        M = rng.standard_normal((size, size))
        for A, symmetric in ((M + M.T, True), (M, False), (1000 * M, False), (M + M.T + 0.01 * M, False)):
            drawn = []

            def draw(drawn=drawn, size=size):
                drawn.append(rng.standard_normal(size))
                return drawn[-1].copy()

            def product(p, A=A, size=size):
                return A @ array(p, (size,), "the direction that product is called with")

            value = number(answer(product, draw), "asymmetry")
            if len(drawn) != 2:
                raise Wrong(f"draw was called {len(drawn)} times: two directions are needed")
            p, q = drawn
            expected = abs(q @ (A @ p) - p @ (A @ q)) / (np.linalg.norm(q) * np.linalg.norm(A @ p))
            if symmetric and not abs(value) <= 1e-12:
                raise Wrong(f"a symmetric matrix of size {size}: {value:.2g} where 0 was expected")
            if not symmetric and not abs(value - expected) <= 1e-9 * expected:
                raise Wrong(f"not symmetric, of size {size}: {value:.4g} where {expected:.4g} was expected")


@exercise("nearest_kink", lab=LAB, points=2)
def nearest_kink(answer, rng):
    """On u + e R_u, for all smaller |e|, no sign changes; just beyond, one does."""
    for shapes in ([(3, 4)], [(1, 5), (2, 3), (4, 1)], [(20, 7), (20, 3)]):
        u, R_u = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
        for R in R_u:
            R[rng.random(R.shape) < 0.2] = 0  # does not move
        u[-1].flat[0], R_u[-1].flat[0] = 0.3, 0.7
        kept = [a.copy() for a in (*u, *R_u)]
        eps = number(answer(u, R_u), "nearest_kink")
        for before, after in zip(kept, (*u, *R_u), strict=True):
            unchanged(before, after, "an array")
        if not eps > 0:
            raise Wrong(f"{eps:.4g} was returned: a step is larger than 0 here")

        def changes(e, u=u, R_u=R_u):
            pairs = [(a, a + side * e * R) for a, R in zip(u, R_u, strict=True) for side in (1, -1)]
            return sum(int(np.sum((before > 0) != (after > 0))) for before, after in pairs)

        if changes(0.9999 * eps):
            raise Wrong(f"{eps:.4g} was returned; {changes(0.9999 * eps)} signs change for a smaller step")
        if not changes(1.0001 * eps):
            raise Wrong(f"{eps:.4g} was returned; no sign changes for a larger step")
    still = [rng.standard_normal((2, 3))], [np.zeros((2, 3))]
    found = answer(*still)
    if found is None or not np.isposinf(found):
        raise Wrong("where nothing moves, no step reaches a kink: infinity was expected")


@exercise("logistic_grad", lab=LAB, points=2)
def logistic_grad(answer, rng):
    """Against the complex step of f as the task gives it."""
    for n, size in ((6, 4), (1, 3), (5, 5), (40, 7)):
        X, w, y = rng.standard_normal((n, size)), rng.standard_normal(size), rng.integers(0, 2, n)
        kept = X.copy(), w.copy(), y.copy()

        def f(w, X=X, y=y):
            return np.mean(np.log1p(np.exp(X @ w)) - y * (X @ w))

        expected = [directional_derivative(f, w, e) for e in np.eye(size)]
        close(answer(w, X, y), expected, f"{n} images, {size} pixels", 1e-12)
        for before, after, name in zip(kept, (X, w, y), "Xwy", strict=True):
            unchanged(before, after, name)
