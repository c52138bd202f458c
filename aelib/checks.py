"""Checks of derivatives: finite differences, the complex step, symmetry; for any functions, or a whole model.

Every check returns an ``Outcome``, a table that prints, and raises ``CheckFailed`` with the same table when an error
exceeds the tolerance. The error is the relative norm error ||a - b|| / ||b||. Next to it stand the cosine, with its
sign, which is blind to scale, and the ratio of norms, which is blind to direction. Where b is so small that round-off
alone may exceed the tolerance (next to a minimum, in a saturated network), the error is measured against that
round-off, and the table says so. Functions are called in double precision whatever the dtype of theta, if they allow
it; where numbers come in single precision all the same, the default tolerances are wider.

No single check finds every bug. Symmetry misses a dropped g'' and a forgotten 1/n; no check sees g'' on piecewise
linear networks; Gp against J^T (J p) misses the terms of the Hessian. ``check_model`` makes them all.
"""

import numpy as np

from aelib import passes
from aelib.activations import Activation
from aelib.comparison import SINGLE, TOLERANCE, CheckFailed, Comparison, Outcome, compare, covering, outcome  # noqa: F401
from aelib.differences import Function, directional_derivative, is_single  # noqa: F401 - for those who check
from aelib.layers import Dense

_ROUND_OFF = 10 * float(np.finfo(np.float64).eps)  # of what adds up to a number, as a share of it
_NOT_ANALYTIC = (
    "the complex step and central differences of the function disagree: it is not analytic (|x|, a norm, a comparison "
    "or a real part in it), or has a kink here; use method='central'"
)


def _against(function, title, computed, along, tolerance, blocks, noise, single, p):
    """Return the verified outcome of comparing what was computed with ``along(method)``, a derivative and its noise.

    Where the complex step is no reference, as central differences along p or of all show, the outcome says so.
    """

    def found_by(method, tolerance=None):
        reference, of_f = along(method)
        if tolerance is None:
            tolerance = (SINGLE if is_single(function.value) else TOLERANCE)[method]
            tolerance = max(tolerance, SINGLE["complex"] if single else 0.0)
        return outcome(title, computed, reference, tolerance, blocks, noise + of_f, function.sign_changes)

    found = found_by(function.method, tolerance)
    if not np.isfinite(function.value).all():
        found.flaw = "the function is not finite at theta"
    elif function.method == "complex" and "all" not in found.lost:
        if not function.seems_analytic(p) or (not found.passed and found_by("central").passed):
            found.flaw = _NOT_ANALYTIC
    return found.verify()


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
    terms=None,
):
    """Check a gradient by directional derivatives, block by block.

    In each block of theta it draws random directions p that are 0 elsewhere and compares the numbers grad . p with
    the derivatives of the loss. A direction has a part in every entry of the block, so none is left out.

    Args:
        loss: function of a flat vector, returning a number.
        grad: function of a flat vector, returning the gradient like it.
        theta: where, (n_params,).
        blocks: dict of slices by name, which cover theta; the whole vector by default.
        method: ``"complex"``, ``"central"`` or ``"forward"``.
        tolerance: largest relative error; by default 1e-12, 1e-6, 1e-5 by method (single precision: 1e-4, 2e-2, 0.1).
        directions: number of directions a block.
        seed: seed of the directions.
        preactivations: function of theta, returning the arrays u whose sign changes are to be counted.
        terms: like theta: the size of what was added up for each entry of the gradient, by default the entry itself.

    Returns:
        Outcome.

    Raises:
        CheckFailed: an error exceeds the tolerance, the gradient has another shape or is not finite, or the loss is
            not analytic along the complex step.
        ValueError: an argument is not as described.
    """
    _at_least_1("directions", directions)
    function = Function(loss, theta, method, preactivations)
    if function.value.size != 1:
        raise ValueError(f"the loss has shape {function.value.shape}: expected a number")
    blocks, rng = covering(blocks or {"theta": slice(None)}, function.theta.size), np.random.default_rng(seed)
    g, P = np.asarray(grad(function.theta)), []
    title = f"gradient . p against the {method} {_noun(method)} of the loss, {directions} directions a block"
    if g.shape != function.theta.shape:
        return outcome(title, g, function.theta, 0.0).verify()  # fails, for its shape
    for where in blocks.values():
        for _ in range(directions):
            P.append(np.zeros(function.theta.size))
            P[-1][where] = rng.standard_normal(P[-1][where].size)

    def along(method):
        pairs = [function.along(p, method) for p in P]
        return [np.array([float(np.squeeze(pair[k])) for pair in pairs]) for k in range(2)]

    rows = {name: slice(i * directions, (i + 1) * directions) for i, name in enumerate(blocks)}
    sizes = np.abs(g if terms is None else terms)
    noise = _ROUND_OFF * np.array([np.linalg.norm(sizes * p) for p in P])
    p = rng.standard_normal(function.theta.size)
    return _against(function, title, np.array([g @ p for p in P]), along, tolerance, rows, noise, is_single(g), p)


def check_product(
    product, f, theta, blocks=None, method="complex", tolerance=None, seed=0, preactivations=None, name="Hp", terms=0.0
):
    """Check a product A p, where A is the Jacobian of f: Hp with f the gradient, Jp with f the output.

    Args:
        product: function of a direction p (n_params,), returning A p like ``f(theta)``.
        f: function of a flat vector, returning an array.
        theta: where, (n_params,).
        blocks: dict of slices of ``A p``, flattened, by name, which cover it; the whole by default.
        method: ``"complex"``, ``"central"`` or ``"forward"``.
        tolerance: largest relative error, as in ``check_gradient``.
        seed: seed of the direction.
        preactivations: as in ``check_gradient``.
        name: what the table calls the product.
        terms: like ``A p``: the size of what was added up for each entry, as in ``check_gradient``.

    Returns:
        Outcome.

    Raises:
        CheckFailed, ValueError: as in ``check_gradient``.
    """
    function = Function(f, theta, method, preactivations)
    p = np.random.default_rng(seed).standard_normal(function.theta.size)
    title = f"{name} against the {method} {_noun(method)} along p"
    computed = np.array(product(p.astype(function.theta.dtype)))
    along, noise = lambda method: function.along(p, method), _ROUND_OFF * np.abs(terms)
    return _against(function, title, computed, along, tolerance, blocks, noise, is_single(computed), p)


def check_equal(computed, reference, title, blocks=None, tolerance=None, terms=0.0):
    """Check that two arrays are equal up to a relative norm error, for example Gp and J^T (J p) / n.

    Args:
        computed: the array under test.
        reference: what it should be.
        title: what is compared with what.
        blocks: dict of slices of the arrays, flattened, by name, which cover them.
        tolerance: largest relative error, by default 1e-12, or 1e-4 where one of them is in single precision.
        terms: like them: the size of what was added up for each entry, as in ``check_gradient``.

    Returns:
        Outcome.

    Raises:
        CheckFailed: the error exceeds the tolerance, the shapes differ, or a number is not finite.
    """
    if tolerance is None:
        tolerance = (SINGLE if is_single(computed, reference) else TOLERANCE)["complex"]
    return outcome(title, computed, reference, tolerance, blocks, _ROUND_OFF * np.abs(terms)).verify()


def check_symmetry(product, size, name="H", positive=False, tolerance=None, seed=0, may_vanish=False):
    """Check that q . (A p) = p . (A q) to within the tolerance times |q| . |A p|, for one random pair.

    The scale |q| . |A p| is the sum of the absolute values of the terms, by which a sum's round-off is measured. That
    A (p + q) = A p + A q is checked too: what is not linear is no matrix.

    Args:
        product: function of a direction (size,), returning A p like it.
        size: length of a direction.
        name: what the table calls A.
        positive: whether p . (A p) >= 0 is checked too.
        tolerance: largest error, by default 1e-12, or 1e-4 where the product is in single precision.
        seed: seed of p and q.
        may_vanish: whether A = 0 passes; by default it fails, for nothing was compared.

    Returns:
        Outcome.

    Raises:
        CheckFailed: A is not symmetric, not linear, not positive where it should be, of another shape, or all zero.
    """
    _at_least_1("size", size)
    p, q = np.random.default_rng(seed).standard_normal((2, size))
    Ap, Aq, both = (np.array(product(v)) for v in (p, q, p + q))
    title = f"q . {name}p against p . {name}q, error relative to |q| . |{name}p|"
    if tolerance is None:
        tolerance = (SINGLE if is_single(Ap, Aq) else TOLERANCE)["complex"]
    for v in (Ap, Aq, both):
        if v.shape != p.shape or not np.isfinite(v).all():
            return outcome(title, v, p, tolerance).verify()  # fails, for its shape or numbers
    scale = float(np.abs(q) @ np.abs(Ap))
    found = outcome(title, q @ Ap, p @ Aq, tolerance)
    found.rows["all"] = compare(q @ Ap, p @ Aq, scale)
    found.rows["linear"] = compare(both, Ap + Aq, np.linalg.norm(np.abs(Ap) + np.abs(Aq)))
    if positive:
        least = min(float(p @ Ap), float(q @ Aq))
        found.rows["p.Ap>=0"] = Comparison(0.0 if least >= -tolerance * scale else np.inf, np.nan, np.nan)
    if not may_vanish and not (Ap.any() or Aq.any()):
        found.flaw = f"{name}p and {name}q are all zero: that shows nothing"
    return found.verify()


def _at_least_1(name, value):
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}: expected a whole number of at least 1")


def _noun(method):
    return "step" if method == "complex" else "difference"


class _Steepest(Activation):
    """Stands in for an activation where sizes of terms are summed: no slope here is larger than 1."""

    def dg(self, u, z=None, out=None):
        out = np.empty_like(u) if out is None else out
        out[...] = 1
        return out

    def d2g(self, u, z=None, out=None):
        return self.dg(u, z, out)


def _terms(model, at, p):
    """Return the root of the sum of squares of what is added up for each entry of the gradient, of Jp and of Hp.

    The same passes over the squares, with all slopes 1, and 1 added to all values: z and g' = z (1 - z) of a saturated
    unit are right to the unit round-off of 1, not of themselves, and so is all that hangs on them.
    """
    squares, P = np.square(model.theta), np.square(p)
    layers = [Dense(w.n_in, w.n_out, _Steepest(), squares, w.W_slice.start, w.b is not None) for w in model.layers]
    n, (u, (X, *z)) = len(at.output), at.primal
    primal = passes.Primal(u, [np.square(X), *(1 + np.square(z) for z in z)])
    adjoint = passes.backward(layers, primal, (primal.z[-1] + primal.z[0]) / n**2)
    tangent = passes.rp_forward(layers, P, primal)
    R_grad = passes.rp_backward(layers, P, primal, adjoint, tangent, tangent.R_z[-1] / n**2).grad
    return [np.sqrt(np.abs(v)) for v in (adjoint.grad, tangent.R_z[-1], R_grad)]  # a pass may have a wrong sign


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
        dict of Outcome by name: gradient, Jp, JTv, Hp, Gp, H symmetric, G symmetric, any order.

    Raises:
        CheckFailed: a check fails.
        ValueError: the model is complex, or X are not its images.
    """
    if model.dtype.kind != "f":
        raise ValueError(f"the model is {model.dtype}: expected float32 or float64")
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
    grad_terms, Jp_terms, Hp_terms = _terms(model.with_theta(theta), at, p)
    found = {}
    found["gradient"] = check_gradient(
        lambda theta: model.with_theta(theta).loss(X), lambda theta: at.grad, theta, blocks, terms=grad_terms, **shared
    )
    found["Jp"] = check_product(
        at.jvp, lambda theta: model.with_theta(theta).reconstruct(X), theta, name="Jp", terms=Jp_terms, **shared
    )
    found["JTv"] = check_equal(
        np.array(at.vjp(V) @ p),
        np.vdot(V, at.jvp(p)),
        "(J^T V) . p against V . (J p)",
        terms=np.linalg.norm(V * Jp_terms),
    )
    found["Hp"] = check_product(
        at.hvp, lambda theta: model.with_theta(theta).loss_and_grad(X)[1], theta, blocks, terms=Hp_terms, **shared
    )
    product = at.vjp(at.jvp(p)) / n + model.weight_decay * p
    found["Gp"] = check_equal(at.gnvp(p), product, "Gp against J^T (J p) / n + weight_decay p", blocks)
    # an H or G that is 0 was compared with its reference above
    found["H symmetric"] = check_symmetry(at.hvp, theta.size, "H", seed=seed, may_vanish=True)
    found["G symmetric"] = check_symmetry(at.gnvp, theta.size, "G", positive=True, seed=seed, may_vanish=True)
    fresh = model.with_theta(theta).linearize(X).hvp(p)
    for product in (at.gnvp, at.jvp, at.hvp):
        product(q)
    title = "Hp of a used linearisation against a fresh one"
    found["any order"] = check_equal(at.hvp(p), fresh, title, tolerance=0.0)
    return found
