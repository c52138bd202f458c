"""Exercises of lab 2, the checks: difference rules, symmetry, kinks, and a gradient to be checked."""

import numpy as np

from aelib.checks import directional_derivative
from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import array, ask_unchanged, close, number
from aelib.coursework.findings import Wrong

LAB = "02_finite_difference_checks"


def rule(answer, rng, degree, error, slips):
    """On sums of k-th powers a rule is exact up to a degree; beyond it the error is known.

    Args:
        answer: function (f, theta, p, eps).
        rng: draws everything.
        degree: the first power on which the rule is not exact.
        error: of that power along p = 1, in units of eps^(degree - 1).
        slips: function of (f, theta, p, eps) that returns pairs of a cause and what a slip would give.
    """
    for rows in (3, None):
        for k in range(1, degree + 1):
            size, eps = int(rng.integers(2, 6)), float(rng.uniform(0.05, 0.2))
            theta, p = rng.uniform(0.5, 1.5, (2, size))
            A = rng.standard_normal(size if rows is None else (rows, size))

            def f(t, A=A, k=k):
                return A @ t**k

            found = ask_unchanged(answer, "f theta p eps", f, theta, p, eps)
            expected = A @ (k * theta ** (k - 1) * p) + (k == degree) * error * eps ** (k - 1) * (A @ p**k)
            what = f"f returns {'a number' if rows is None else f'{rows} numbers'}, sums of powers {k} of theta"
            close(found, expected, f"{what}; eps = {eps:.2f}", 1e-9, slips(f, theta, p, eps))


def _central_slips(f, t, p, e):
    plus, here, minus = f(t + e * p), f(t), f(t - e * p)
    return (
        ("a forward difference, f(theta + eps p) - f(theta) over eps", (plus - here) / e),
        ("twice the derivative: the two points are 2 eps apart", (plus - minus) / e),
        ("brackets are missing: (a - b) / 2 * eps divides by 2 and multiplies by eps", (plus - minus) / 2 * e),
        ("brackets are missing: the difference is divided as a whole", plus - minus / (2 * e)),
        ("the points lie along a vector of ones, not along p", (f(t + e) - f(t - e)) / (2 * e)),
        ("the sign is wrong: f(theta + eps p) stands first", (minus - plus) / (2 * e)),
    )


def _five_slips(f, t, p, e):
    near, far = f(t + e * p) - f(t - e * p), f(t + 2 * e * p) - f(t - 2 * e * p)
    return (
        ("a central difference: two points, not four", near / (2 * e)),
        ("a central difference with 2 eps", far / (4 * e)),
        ("brackets are missing: / 12 * eps divides by 12 and multiplies by eps", (8 * near - far) / 12 * e),
        ("the signs of the near and the far points are exchanged", (far - 8 * near) / (12 * e)),
        ("the weights 8 and 1 stand at the wrong points", (8 * far - near) / (12 * e)),
        ("the far points are added where they are subtracted", (8 * near + far) / (12 * e)),
    )


@exercise(
    "central",
    lab=LAB,
    points=1,
    hints=(
        "f is asked at two points, on both sides of theta, on the line along p. How far apart are they?",
        "the central difference stands above the exercise. theta + eps * p makes a new array; theta += eps * p would "
        "change the argument.",
        "a smaller case: f(t) = t^2, theta = 3, p = 1, eps = 0.1: f(3.1) = 9.61, f(2.9) = 8.41, their difference 1.2 "
        "over 0.2 is 6, the derivative of t^2 at 3.",
    ),
)
def central(answer, rng):
    """Exact up to squares; of cubes the error is eps^2 p^3."""
    rule(answer, rng, 3, 1, _central_slips)


@exercise(
    "five_points",
    lab=LAB,
    points=1,
    hints=(
        "four values of f are needed, at -2, -1, 1 and 2 times eps along p; theta itself is not among them.",
        "the rule stands in the task; 12 eps divides all of it.",
        "a smaller case: f(t) = t^3, theta = 0, p = 1, eps = 1: f(-2) - 8 f(-1) + 8 f(1) - f(2) = -8 + 8 + 8 - 8 = 0, "
        "and 0 is the derivative of t^3 at 0. With f(t) = t: -2 + 8 + 8 - 2 = 12, over 12: 1.",
    ),
)
def five_points(answer, rng):
    """Exact up to fourth powers; of fifth powers the error is -4 eps^4 p^5."""
    rule(answer, rng, 5, -4, _five_slips)


@exercise(
    "asymmetry",
    lab=LAB,
    points=2,
    hints=(
        "draw() gives another direction at each call: call it twice, once for p and once for q, in this order, and "
        "keep both.",
        "the number stands in the task: the norms in its denominator are of q and of A p.",
        "a smaller case: A = [[0, 2], [0, 0]], p = (0, 1), q = (1, 0): A p = (2, 0), A q = (0, 0), q.Ap = 2, p.Aq = "
        "0, and |2 - 0| / (1 * 2) = 1. For A = [[1, 2], [2, 1]] it is 0.",
    ),
)
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
            difference, norms = q @ (A @ p) - p @ (A @ q), np.linalg.norm(q) * np.linalg.norm(A @ p)
            expected = abs(difference) / norms
            if symmetric and not abs(value) <= 1e-12:
                raise Wrong(f"a symmetric matrix of size {size}: {value:.2g} where 0 was expected")
            if symmetric:
                continue
            swapped = abs(difference) / (np.linalg.norm(p) * np.linalg.norm(A @ q))
            slips = (
                ("the absolute value is missing", difference / norms),
                ("not divided by the norms", abs(difference)),
                (
                    "divided by the norms of p and q, not of q and Ap",
                    abs(difference) / np.linalg.norm(p) / np.linalg.norm(q),
                ),
                ("p is the first direction that draw() returns, q the second", swapped),
            )
            close(value, expected, f"not symmetric, of size {size}", 1e-9, slips)


@exercise(
    "nearest_kink",
    lab=LAB,
    points=2,
    hints=(
        "for one entry: u + e R_u is 0 at one e. A step to either side counts, so its sign does not matter; an entry "
        "with R_u = 0 never gets there.",
        "the first-order form u + e R_p{u} stands in the task; over all entries of all arrays the nearest kink is the "
        "one that is reached first.",
        "a smaller case: u = (2, -3, 1), R_u = (1, 6, 0): zeros at e = -2 and e = 0.5, the third entry never. The "
        "answer is 0.5. With R_u = (0, 0, 0) it is infinity.",
    ),
)
def nearest_kink(answer, rng):
    """On u + e R_u, for all smaller |e|, no sign changes; just beyond, one does."""
    for shapes in ([(3, 4)], [(1, 5), (2, 3), (4, 1)], [(20, 7), (20, 3)], [(2, 2), (3, 3)]):
        for side in (1.0, -1.0):
            for place in range(len(shapes)):
                _nearest(answer, rng, shapes, side, place)
    still = [rng.standard_normal((2, 3))], [np.zeros((2, 3))]
    found = answer(*still)
    if found is None or np.ndim(found) or not np.isposinf(found):
        raise Wrong("where nothing moves, no step reaches a kink: infinity was expected")


def _nearest(answer, rng, shapes, side, place):
    """The same, with the nearest kink in one of the arrays and on one side; its |u| is not the smallest."""
    u, R_u = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
    for R in R_u:
        R[rng.random(R.shape) < 0.2] = 0  # does not move
    u[-1].flat[0], R_u[-1].flat[0] = 0.3, 0.7
    e = [np.abs(a) / np.where(R, np.abs(R), np.nan) for a, R in zip(u, R_u, strict=True)]
    least = np.nanmin([np.nanmin(a) if np.isfinite(a).any() else np.inf for a in e])
    k = int(rng.integers(u[place].size))
    start = float(rng.uniform(1.0, 2.0))
    u[place].flat[k], R_u[place].flat[k] = start, -side * start / (least * rng.uniform(0.3, 0.7))
    value = answer([a.copy() for a in u], [a.copy() for a in R_u])
    ask_unchanged(answer, "u R_u", u, R_u)
    flat = np.concatenate([np.ravel(a) for a in u]), np.concatenate([np.ravel(a) for a in R_u])
    moving = flat[1] != 0
    signed = -flat[0][moving] / flat[1][moving]
    eps = value if isinstance(value, float) else number(value, "nearest_kink")
    if not eps > 0:
        raise Wrong(f"{eps:.4g} was returned: a step is larger than 0 here")
    right = np.abs(signed).min()
    if abs(eps - right) <= 1e-9 * right:
        return
    ahead = signed[signed > 0].min(initial=np.inf)
    slips = (
        ("kinks on one side alone are looked at: a step of -e reaches some too", ahead),
        (
            "kinks on one side alone are looked at: a step of +e reaches some too",
            (-signed[signed < 0]).min(initial=np.inf),
        ),
        ("the smallest |u| is not the nearest kink: how fast it moves counts too", np.abs(flat[0]).min()),
        ("R_u over u where u over R_u is meant", np.abs(flat[1] / flat[0]).min()),
    )
    for cause, slip in slips:
        if np.isfinite(slip) and abs(eps - slip) <= 1e-9 * slip:
            raise Wrong(f"{eps:.4g} was returned: {cause}")
    if eps > right:
        raise Wrong(f"{eps:.4g} was returned; signs change for a smaller step")
    raise Wrong(f"{eps:.4g} was returned; no sign changes for a step a little larger")


@exercise(
    "logistic_grad",
    lab=LAB,
    points=2,
    hints=(
        "f depends on w through a = X w alone. Differentiate first by a_i, then use that a_i = x_i . w.",
        "the derivative of log(1 + e^a) is the sigmoid of a; f stands in the task, with its mean over the n images.",
        "a smaller case: one image x = (1, 2), w = (0, 0), y = 1: a = 0, the sigmoid is 1/2, so df/da = 1/2 - 1 = "
        "-1/2 and the gradient is -1/2 * (1, 2) = (-0.5, -1).",
    ),
)
def logistic_grad(answer, rng):
    """Against the complex step of f as the task gives it."""
    for n, size in ((6, 4), (1, 3), (5, 5), (40, 7)):
        X, w, y = rng.standard_normal((n, size)), rng.standard_normal(size), rng.integers(0, 2, n)

        def f(w, X=X, y=y):
            return np.mean(np.log1p(np.exp(X @ w)) - y * (X @ w))

        expected = np.array([directional_derivative(f, w, e) for e in np.eye(size)])
        s = 1 / (1 + np.exp(-X @ w))
        slips = (
            ("the sum over images where their mean is meant", n * expected),
            ("divided by the number of pixels, not of images", expected * n / size),
            ("the sign is wrong: the labels are subtracted", -expected),
            ("1/n stands at the sigmoid alone, not at the labels: brackets", X.T @ (s / n - y)),
            ("the labels are missing", X.T @ s / n),
            ("the sigmoid is missing", X.T @ (X @ w - y) / n),
        )
        close(ask_unchanged(answer, "w X y", w, X, y), expected, f"{n} images, {size} pixels", 1e-12, slips)


question(
    "2.6",
    (
        "two errors add: one grows with eps, one shrinks. Where their sum is least, both are about equally large.",
        "the same reasoning for the forward and the central difference stands in the section on the V curve; put "
        "eps^4 for the truncation error.",
        "a smaller case: eps + mu / eps, the forward difference: least at eps = mu^(1/2), where it is 2 mu^(1/2). With "
        "mu = 1e-16 the step is 1e-8 and the error 2e-8.",
    ),
)
question(
    "2.7",
    (
        "a difference quotient assumes that the function is smooth between its two points. What does a ReLU network "
        "do there?",
        "the section on kinks counts what changes sign; that on the cosine has 1 - cos, about half of the square of a "
        "relative error e at right angles.",
        "a smaller case: a right vector (1, 0) and a wrong one (1, 0.1), an error of 0.1 at right angles: the cosine "
        "is 1 / sqrt(1.01) = 0.99504, so 1 - cos is about 0.005, half of the square of 0.1.",
    ),
)
