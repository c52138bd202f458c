"""Checks of functions of the student's own: a gradient, a product, two equal arrays, symmetry."""

import numpy as np

from aelib.arrays import as_array, as_function, as_generator, as_whole
from aelib.checks.comparison import SINGLE, TOLERANCE, Comparison, compare, covering, outcome
from aelib.checks.differences import Function, is_single

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
    directions = as_whole("directions", directions)
    function = Function(loss, theta, method, preactivations)
    if function.value.size != 1:
        raise ValueError(f"the loss has shape {function.value.shape}: expected a number")
    blocks, rng = (
        covering({"theta": slice(None)} if blocks is None else blocks, function.theta.size),
        as_generator(seed),
    )
    g = as_array("the gradient", as_function("grad", grad)(function.theta))
    P = []
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
    p = as_generator(seed).standard_normal(function.theta.size)
    title = f"{name} against the {method} {_noun(method)} along p"
    computed = as_array(name, as_function("product", product)(p.astype(function.theta.dtype))).copy()
    noise = _ROUND_OFF * np.abs(terms)

    def along(method):
        return function.along(p, method)

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
    size = as_whole("size", size)
    p, q = as_generator(seed).standard_normal((2, size))
    as_function("product", product)
    Ap, Aq, both = (as_array(f"{name}p", product(v)).copy() for v in (p, q, p + q))
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


def _noun(method):
    return "step" if method == "complex" else "difference"
