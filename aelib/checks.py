"""Checks of derivatives: finite differences, the complex step, symmetry; for any functions, or a whole model.

Every check returns a ``Report``, a table that prints, and raises ``CheckFailed`` with the same table when an error
exceeds the tolerance. The error is the relative norm error ||a - b|| / ||b||. Next to it stand the cosine, with its
sign, which is blind to scale, and the ratio of norms, which is blind to direction.

No single check finds every bug. Symmetry misses a dropped g'' and a forgotten 1/n; no check sees g'' on piecewise
linear networks; Gp against J^T (J p) misses the terms of the Hessian. ``check_model`` makes them all.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

TOLERANCE = {"complex": 1e-12, "central": 1e-6, "forward": 1e-5}
_FLOOR = 1e-3  # a block's error is measured on no smaller a scale than this share of the whole vector's norm


class CheckFailed(AssertionError):
    """A derivative differs from its reference by more than the tolerance; the message is the report's table."""


class Comparison(NamedTuple):
    """A vector a against its reference b: ||a - b|| / ||b||, a.b / (||a|| ||b||), ||a|| / ||b||."""

    relative_error: float
    cosine: float
    norm_ratio: float


def compare(computed, reference, scale=0.0):
    """Compare two arrays of one shape as vectors.

    Args:
        computed: the vector a under test.
        reference: the vector b.
        scale: a lower bound on the norm by which the error is divided.

    Returns:
        Comparison. Against a zero reference the error of a zero vector is 0, of any other inf.

    >>> compare(np.array([-2.0, 0.0]), np.array([1.0, 0.0]))
    Comparison(relative_error=3.0, cosine=-1.0, norm_ratio=2.0)
    """
    a, b = np.ravel(computed), np.ravel(reference)
    if a.shape != b.shape:
        raise ValueError(f"cannot compare vectors of shapes {np.shape(computed)} and {np.shape(reference)}")
    norm_a, norm_b, distance = (float(np.linalg.norm(v)) for v in (a, b, a - b))
    error = _ratio(distance, max(norm_b, scale))
    cosine = float(a @ b) / (norm_a * norm_b) if norm_a * norm_b else math.nan
    return Comparison(error, cosine, _ratio(norm_a, norm_b))


def _ratio(a, b):
    if b:
        return a / b
    return math.inf if a else 0.0


@dataclass
class Report:
    """What a check found.

    Attributes:
        title: what was compared with what.
        rows: dict of ``Comparison`` by block name; ``"all"`` is the whole vector.
        tolerance: the largest relative error that passes.
        sign_changes: number of pre-activations at kinks that changed sign between the evaluations of a
            difference quotient, summed over images and directions, or None where it was not counted.
    """

    title: str
    rows: dict
    tolerance: float
    sign_changes: int | None = None

    @property
    def relative_error(self):
        """The relative norm error of the whole vector."""
        return self.rows["all"].relative_error

    @property
    def passed(self):
        """Whether every row's relative error is within the tolerance."""
        return all(row.relative_error <= self.tolerance for row in self.rows.values())

    def __str__(self):
        lines = [self.title, f"{'block':<8}{'relative error':>15}{'cosine':>12}{'norm ratio':>13}"]
        for name, row in self.rows.items():
            mark = "" if row.relative_error <= self.tolerance else "  <-- fails"
            lines.append(f"{name:<8}{row.relative_error:>15.1e}{row.cosine:>+12.6f}{row.norm_ratio:>13.6f}{mark}")
        lines.append(f"tolerance {self.tolerance:.0e}: {'passed' if self.passed else 'FAILED'}")
        if self.sign_changes is not None:
            lines.append(f"pre-activations at kinks that changed sign: {self.sign_changes}")
        return "\n".join(lines)

    __repr__ = __str__

    def verify(self):
        """Return this report, or raise ``CheckFailed`` with its table."""
        if not self.passed:
            raise CheckFailed("\n" + str(self))
        return self


def directional_derivative(f, theta, p, method="complex", eps=None):
    """Return an estimate of d/de f(theta + e p) at e = 0.

    ``"forward"``: (f(theta + eps p) - f(theta)) / eps, error O(eps) + O(round-off / eps).
    ``"central"``: (f(theta + eps p) - f(theta - eps p)) / (2 eps), error O(eps^2) + O(round-off / eps).
    ``"complex"``: Im f(theta + i eps p) / eps, error O(eps^2), no cancellation: eps = 1e-200 is exact to round-off.

    Args:
        f: function of a flat vector, returning a number or an array; analytic for the complex step.
        theta: (n_params,).
        p: direction, (n_params,).
        method: one of the three.
        eps: the step; by default 1e-200 (complex; 1e-30 in single precision), or u^(1/3) (central) or u^(1/2)
            (forward) times (1 + ||theta||) / ||p||, with u the unit round-off.

    Source: W. Squire and G. Trapp, 1998 (complex step).
    """
    if method not in TOLERANCE:
        raise ValueError(f"unknown method {method!r}: expected one of {', '.join(TOLERANCE)}")
    eps = default_eps(theta, p, method) if eps is None else eps
    if method == "complex":
        return np.imag(f(theta + (1j * eps) * p)) / eps
    if method == "central":
        return (f(theta + eps * p) - f(theta - eps * p)) / (2 * eps)
    return (f(theta + eps * p) - f(theta)) / eps


def default_eps(theta, p, method):
    """Return the step that ``directional_derivative`` takes when none is given."""
    unit = float(np.finfo(theta.dtype).eps)
    if method == "complex":
        return 1e-200 if unit < 1e-10 else 1e-30
    scale = (1 + float(np.linalg.norm(theta))) / float(np.linalg.norm(p))
    return scale * unit ** (1 / 3 if method == "central" else 1 / 2)


def _sign_changes(preactivations, theta, p, method):
    """Count the entries of preactivations that differ in sign between the two evaluations of a quotient."""
    if preactivations is None or method == "complex":
        return None
    eps = default_eps(theta, p, method)
    before = preactivations(theta - eps * p if method == "central" else theta)
    after = preactivations(theta + eps * p)
    return sum(int(np.count_nonzero((a > 0) != (b > 0))) for a, b in zip(before, after, strict=True))


def _add(a, b):
    return None if b is None else (a or 0) + b


def check_gradient(
    loss,
    grad,
    theta,
    blocks=None,
    method="complex",
    tolerance=None,
    directions=5,
    seed=0,
    preactivations=None,
):
    """Check a gradient by directional derivatives, block by block.

    In each block of theta it draws random directions p that are 0 elsewhere and compares the numbers grad . p with
    the derivatives of the loss. A direction has a part in every entry of the block, so none is left out.

    Args:
        loss: function of a flat vector, returning a number.
        grad: function of a flat vector, returning the gradient like it.
        theta: where, (n_params,).
        blocks: dict of slices by name; the whole vector by default.
        method: ``"complex"``, ``"central"`` or ``"forward"``.
        tolerance: largest relative error; by default 1e-12, 1e-6, 1e-5 by method.
        directions: number of directions a block.
        seed: seed of the directions.
        preactivations: function of theta, returning the arrays u whose sign changes are to be counted.

    Returns:
        Report.

    Raises:
        CheckFailed: an error exceeds the tolerance.
    """
    blocks = blocks or {"theta": slice(None)}
    rng, g = np.random.default_rng(seed), grad(theta)
    computed, reference, changes = [], [], None
    for where in blocks.values():
        for _ in range(directions):
            p = np.zeros_like(theta)
            p[where] = rng.standard_normal(theta[where].size)
            computed.append(g @ p)
            reference.append(directional_derivative(loss, theta, p, method))
            changes = _add(changes, _sign_changes(preactivations, theta, p, method))
    rows = {name: slice(i * directions, (i + 1) * directions) for i, name in enumerate(blocks)}
    title = f"gradient . p against the {method} {_noun(method)} of the loss, {directions} directions a block"
    return _report(title, np.array(computed), np.array(reference), rows, method, tolerance, changes)


def check_product(
    product, f, theta, blocks=None, method="complex", tolerance=None, seed=0, preactivations=None, name="Hp"
):
    """Check a product A p, where A is the Jacobian of f: Hp with f the gradient, Jp with f the output.

    Args:
        product: function of a direction p (n_params,), returning A p like ``f(theta)``.
        f: function of a flat vector, returning an array.
        theta: where, (n_params,).
        blocks: dict of slices of ``A p``, flattened, by name; the whole by default.
        method: ``"complex"``, ``"central"`` or ``"forward"``.
        tolerance: largest relative error, as in ``check_gradient``.
        seed: seed of the direction.
        preactivations: as in ``check_gradient``.
        name: what the report calls the product.

    Returns:
        Report.

    Raises:
        CheckFailed: an error exceeds the tolerance.
    """
    p = np.random.default_rng(seed).standard_normal(theta.size).astype(theta.dtype)
    reference = directional_derivative(f, theta, p, method)
    changes = _sign_changes(preactivations, theta, p, method)
    title = f"{name} against the {method} {_noun(method)} along p"
    return _report(title, product(p), reference, blocks or {}, method, tolerance, changes)


def check_equal(computed, reference, title, blocks=None, tolerance=1e-12):
    """Check that two arrays are equal up to a relative norm error, for example Gp and J^T (J p) / n.

    Returns:
        Report.

    Raises:
        CheckFailed: the error exceeds the tolerance.
    """
    return _report(title, computed, reference, blocks or {}, "complex", tolerance, None)


def check_symmetry(product, size, name="H", positive=False, tolerance=1e-12, seed=0):
    """Check that q . (A p) = p . (A q) to within the tolerance times |q| . |A p|, for one random pair.

    The scale |q| . |A p| is the sum of the absolute values of the terms, by which a sum's round-off is measured.

    Args:
        product: function of a direction (size,), returning A p.
        size: length of a direction.
        name: what the report calls A.
        positive: whether p . (A p) >= 0 is checked too.
        tolerance: largest error.
        seed: seed of p and q.

    Returns:
        Report.

    Raises:
        CheckFailed: A is not symmetric, or not positive where it should be.
    """
    p, q = np.random.default_rng(seed).standard_normal((2, size))
    Ap, Aq = product(p), product(q)
    scale = float(np.abs(q) @ np.abs(Ap))
    rows = {"all": compare(q @ Ap, p @ Aq, scale)}
    if positive:
        least = min(float(p @ Ap), float(q @ Aq))
        rows["p.Ap>=0"] = Comparison(0.0 if least >= 0 else math.inf, math.nan, math.nan)
    return Report(f"q . {name}p against p . {name}q, error relative to |q| . |{name}p|", rows, tolerance).verify()


def _noun(method):
    return "step" if method == "complex" else "difference"


def _report(title, computed, reference, blocks, method, tolerance, sign_changes):
    a, b = np.ravel(computed), np.ravel(reference)
    rows = {"all": compare(a, b)}
    floor = _FLOOR * float(np.linalg.norm(b))
    rows |= {name: compare(a[where], b[where], floor) for name, where in blocks.items()}
    return Report(title, rows, TOLERANCE[method] if tolerance is None else tolerance, sign_changes).verify()


def check_model(model, X, method="complex", tolerance=None, seed=0):
    """Check everything a model computes on images X: gradient, Jp, J^T V, Hp, Gp, symmetry, and independence of order.

    It works in float64 whatever the model's dtype, at the model's theta, which it leaves as it is. Use few images
    (20), a trained model (some steps suffice) and, to see g'', a curved activation.

    Args:
        model: an ``Autoencoder``.
        X: images in rows, (n, D).
        method: ``"complex"``, ``"central"`` or ``"forward"``: the reference for gradient, Jp and Hp.
        tolerance: for these three, as in ``check_gradient``. The others are identities, held to 1e-12.
        seed: seed of all directions.

    Returns:
        dict of Report by name: gradient, Jp, JTv, Hp, Gp, H symmetric, G symmetric, any order.

    Raises:
        CheckFailed: a check fails.
    """
    theta = model.theta.astype(np.float64)
    X = model.check_images(X).astype(np.float64, copy=False)
    at = model.with_theta(theta).linearize(X)
    rng = np.random.default_rng(seed)
    p, q = rng.standard_normal((2, theta.size))
    V = rng.standard_normal(at.output.shape)

    def preactivations(theta):
        u = model.with_theta(theta).linearize(X).primal.u[1:]
        return [a for a, layer in zip(u, model.layers, strict=True) if layer.activation.kinked]

    shared = dict(method=method, tolerance=tolerance, seed=seed, preactivations=preactivations)
    blocks, n = model.blocks, len(X)
    reports = {}
    reports["gradient"] = check_gradient(
        lambda theta: model.with_theta(theta).loss(X), lambda theta: at.grad, theta, blocks, **shared
    )
    reports["Jp"] = check_product(
        at.jvp, lambda theta: model.with_theta(theta).reconstruct(X), theta, name="Jp", **shared
    )
    reports["JTv"] = check_equal(np.array(at.vjp(V) @ p), np.vdot(V, at.jvp(p)), "(J^T V) . p against V . (J p)")
    reports["Hp"] = check_product(
        at.hvp, lambda theta: model.with_theta(theta).loss_and_grad(X)[1], theta, blocks, **shared
    )
    product = at.vjp(at.jvp(p)) / n + model.weight_decay * p
    reports["Gp"] = check_equal(at.gnvp(p), product, "Gp against J^T (J p) / n + weight_decay p", blocks)
    reports["H symmetric"] = check_symmetry(at.hvp, theta.size, "H", seed=seed)
    reports["G symmetric"] = check_symmetry(at.gnvp, theta.size, "G", positive=True, seed=seed)
    fresh = model.with_theta(theta).linearize(X).hvp(p)
    for product in (at.gnvp, at.jvp, at.hvp):
        product(q)
    title = "Hp of a used linearisation against a fresh one"
    reports["any order"] = check_equal(at.hvp(p), fresh, title, tolerance=0.0)
    return reports
