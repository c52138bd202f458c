"""The doctor for plain functions and for models: a finding from numbers, or from the outcomes of ``aelib.checks``."""

from unittest import mock

import numpy as np

from aelib import checks
from aelib.coursework.doctor.diagnosis import Diagnosis
from aelib.coursework.doctor.tracing import Failed, call, close

ENTRIES = 200  # of theta that are looked at; of a longer one, that many at random
FACTORS = {
    -1.0: "wrong sign",
    0.0: "nothing is computed there",
    2.0: "a factor 2 too many, or a 1/2 missing",
    0.5: "a factor 2 missing, or a 1/2 too many",
    -2.0: "wrong sign, and a factor 2",
    -0.5: "wrong sign, and a factor 1/2",
}


def examine_gradient(f, grad, theta):
    """Return the ``Diagnosis`` of a gradient, entry by entry, against the complex step of f, or a central difference.

    Args:
        f: function of an array like theta, returning a number.
        grad: function of the same, returning the gradient, of the shape of theta.
        theta: where; a second point is drawn near it.

    >>> examine_gradient(lambda t: np.sum(t**2), lambda t: t, np.array([1.0, 2.0]))
    wrong: all 2 entries, 0.5 of the right value
    likely cause: a factor 2 missing, or a 1/2 too many
    """
    theta = np.array(theta, dtype=np.float64)
    rng = np.random.default_rng(0)
    entries = np.arange(theta.size)
    if theta.size > ENTRIES:
        entries = np.sort(rng.choice(theta.size, ENTRIES, replace=False))
    try:
        for point in (theta, theta + 1e-2 * rng.standard_normal(theta.shape)):
            given = point.copy()
            a = _array(call(grad, [given]), theta.shape)
            if not np.array_equal(given, point):
                return _wrong("grad changes its argument", "an argument is changed in place")
            reference, tolerance = _reference(f, point, entries)
            found = _compare(a.ravel()[entries], reference, tolerance, point.ravel()[entries], theta.size)
            if found:
                return found
            if a.dtype == np.float32:
                return _wrong("grad returns float32, theta is float64", "float32")
            if not close(_array(call(grad, [point.copy()]), theta.shape), a, 1e-14):
                what = "a second call with the same argument gives another gradient"
                return _wrong(what, "stale cache: something is kept from one call to the next")
    except Failed as failure:
        return Diagnosis(False, failure.status, finding=str(failure), hints=[str(failure)], quantity="gradient")
    return Diagnosis(True, "right", f"gradient: right in {len(entries)} of {theta.size} entries")


def _array(value, shape):
    if value is None:
        raise Failed("wrong", "grad returns None", "gradient")
    a = np.asarray(value)
    if a.shape != shape or a.dtype.kind not in "fiuc":
        raise Failed("wrong", f"grad returns {a.dtype}{a.shape}: expected numbers in the shape of theta, {shape}")
    return a


def _reference(f, theta, entries):
    """Return the derivatives of f by these entries of theta, and the tolerance: the complex step where f allows it."""
    unit = np.zeros(theta.size)

    def quotients(method):
        result = []
        for i in entries:
            unit[:] = 0
            unit[i] = 1
            result.append(
                checks.directional_derivative(lambda t: call(f, [t]), theta, unit.reshape(theta.shape), method)
            )
        return np.array(result, dtype=np.float64)

    central = quotients("central")
    if central.ndim != 1:
        raise Failed("wrong", f"f returns an array of shape {central.shape[1:]}: expected one number")
    try:
        complex_step = quotients("complex")
    except (Failed, TypeError, ValueError):
        return central, 1e-6
    return (complex_step, 1e-10) if close(complex_step, central, 1e-5) else (central, 1e-6)


def _compare(a, b, tolerance, theta, size):
    scale = np.linalg.norm(b) / np.sqrt(b.size) or 1.0
    wrong = np.flatnonzero(~(np.abs(a - b) <= tolerance * np.maximum(np.abs(b), scale)))
    if not wrong.size:
        return None
    every = wrong.size == b.size
    where = f"all {size} entries" if every else f"{wrong.size} of {b.size} entries, the first is {wrong[0]}"
    seen, right = a[wrong], b[wrong]
    if not np.isfinite(seen).all():
        return _wrong(f"wrong: {where}, nan or infinite", "")
    if close(a, b, 1e-5):
        return _wrong(
            f"wrong: {where}, right to a few digits only", "float32, a finite difference, or a small number added"
        )
    ratio = float(np.vdot(right, seen).real / (np.vdot(right, right).real or 1))
    if close(seen, ratio * right, 1e-6):
        whole, inverse = round(ratio), round(1 / ratio) if ratio else 0
        cause = next((text for value, text in FACTORS.items() if abs(ratio - value) < 1e-6), "")
        if not cause and whole > 2 and abs(ratio - whole) < 1e-6:
            cause = f"a mean is meant: 1/n is missing, if n = {whole}"
        if not cause and inverse > 2 and abs(1 / ratio - inverse) < 1e-6:
            cause = f"a mean where the sum is meant, or 1/n twice, if n = {inverse}"
        return _wrong(f"wrong: {where}, {ratio:.4g} of the right value", cause)
    decay = float(np.vdot(theta, a - b).real / (np.vdot(theta, theta).real or 1))
    if close(a - b, decay * theta, 1e-5):
        return _wrong(f"wrong: {where}, by {decay:.4g} theta", "the weight decay: its term is missing, or not in f")
    if sorted(np.round(a / scale, 6)) == sorted(np.round(b / scale, 6)):
        return _wrong(f"wrong: {where}, the right numbers in another order", "product transposed, or axes mixed up")
    error = np.linalg.norm(seen - right) / (np.linalg.norm(right) or 1)
    return _wrong(f"wrong: {where}, relative error {error:.2g}", "")


def _wrong(what, cause, quantity="gradient", more=""):
    lines = [what, more, f"likely cause: {cause}" if cause else ""]
    hints = [text for text in (what, more, cause) if text]
    return Diagnosis(False, "wrong", "", "\n".join(filter(None, lines)), hints, quantity, None, cause)


PASS = {  # the check that fails first in the flow of data, and where to look
    "any order": "the cache of a linearisation: a product changes what it keeps",
    "gradient": "backward, or the adjoint of the output that starts it",
    "Jp": "rp_forward",
    "JTv": "backward, for an adjoint that is not the loss's",
    "Hp": "rp_backward",
    "Gp": "how Gp is made of Jp and J^T V",
}


def examine_model(model, X, **arguments):
    """Return the ``Diagnosis`` of all that a model computes, from the outcomes of ``check_model``, none of them raised.

    Args:
        model: an ``Autoencoder``.
        X: images in rows, (n, D).
        arguments: of ``check_model``.
    """
    with mock.patch.object(checks.Outcome, "verify", lambda outcome: outcome):
        outcomes = checks.check_model(model, X, **arguments)
    failing = {name: outcome for name, outcome in outcomes.items() if not outcome.passed}
    if not failing:
        return Diagnosis(True, "right", f"model: all {len(outcomes)} checks pass")
    first = next((name for name in PASS if name in failing), next(iter(failing)))
    others = ", ".join(name for name in failing if name != first)
    found = explain_check(failing[first], len(X), first)
    if first == "Hp" and "H symmetric" not in failing and not found.cause:
        cause = "a symmetric part of H is wrong: the g'' term"
        return _wrong(found.hints[0], cause, first, f"look at {PASS[first]}; fails too: {others or 'nothing else'}")
    more = f"look at {PASS.get(first, 'the product')}; fails too: {others or 'nothing else'}"
    return _wrong(found.hints[0], found.cause, first, more)


def explain_check(outcome, n=None, name=""):
    """Return the ``Diagnosis`` of one outcome of ``aelib.checks``, or of the ``CheckFailed`` that carries it.

    Args:
        outcome: an ``Outcome`` or a ``CheckFailed``.
        n: the number of images, where it is known.
        name: what was checked; by default its title.
    """
    outcome = getattr(outcome, "outcome", outcome)
    if outcome.passed:
        return Diagnosis(True, "right", f"{outcome.title}: passed")
    rows, name = outcome.rows, name or outcome.title
    if outcome.flaw:
        return _wrong(f"{name}: {outcome.flaw}", "", name)
    blocks = [block for block, row in rows.items() if block != "all" and not row.relative_error <= outcome.tolerance]
    if outcome.sign_changes:
        cause = "a kink between the two evaluations: take a smaller step, or the complex step"
        return _wrong(f"{name}: {outcome.sign_changes} pre-activations changed sign", cause, name)
    row = rows[blocks[-1]] if blocks else rows["all"]
    where = "everywhere" if not blocks or len(blocks) == len(rows) - 1 else f"in {', '.join(blocks)} alone"
    ratio = row.norm_ratio * np.sign(row.cosine)
    same = all(abs(rows[b].norm_ratio - row.norm_ratio) <= 1e-6 * row.norm_ratio for b in blocks)
    if not (same and abs(abs(row.cosine) - 1) < 1e-9):
        return _wrong(f"{name}: wrong {where}, relative error {row.relative_error:.2g}", "", name)
    cause = next((text for value, text in FACTORS.items() if abs(ratio - value) < 1e-6), "")
    if n and abs(ratio - n) < 1e-6 * n:
        cause = "1/n is missing"
    elif n and abs(ratio * n - 1) < 1e-6:
        cause = "1/n twice, or a mean over images where the sum is meant"
    return _wrong(f"{name}: wrong {where}, {ratio:.4g} of the right value", cause, name)
