"""Sentences that many tests share: form, size and agreement of what an answer returned."""

import numpy as np

from aelib.coursework.exercises import Wrong


def array(value, shape, what):
    """Return value as a float or complex array of this shape, or say what is wrong with it."""
    if value is None:
        raise Wrong(f"{what}: nothing was returned (None)")
    try:
        a = np.asarray(value)
        a = a.astype(np.result_type(a.dtype, np.float64)) if a.dtype != object else a
    except (TypeError, ValueError):
        raise Wrong(f"{what}: an array of numbers was expected, not {type(value).__name__}") from None
    if not np.issubdtype(a.dtype, np.number):
        raise Wrong(f"{what}: an array of numbers was expected, not {type(value).__name__}")
    if a.shape != tuple(shape):
        raise Wrong(f"{what}: shape {tuple(shape)} was expected, not {a.shape}")
    if not np.isfinite(a).all():
        raise Wrong(f"{what}: some entries are not finite")
    return a


def number(value, what):
    """Return value as one real number, or say what is wrong with it."""
    a = array(value, (), what)
    if np.iscomplexobj(a):
        raise Wrong(f"{what}: a real number was expected, not a complex one")
    return float(a)


def close(value, expected, what, tolerance=1e-10):
    """Check that value has the shape of expected and a relative norm error of at most the tolerance."""
    expected = np.asarray(expected)
    a = array(value, expected.shape, what)
    norm, error = float(np.linalg.norm(expected)), float(np.linalg.norm(a - expected))
    if error <= tolerance * norm or (norm == 0 and error <= tolerance):
        return
    if expected.ndim == 0:
        raise Wrong(f"{what}: {a:.6g} where {expected:.6g} was expected")
    ratio = float(np.real(np.vdot(expected, a))) / norm**2 if norm else 0.0
    if norm and np.linalg.norm(a - ratio * expected) <= 1e-6 * norm:
        raise Wrong(f"{what}: {ratio:.4g} of what was expected, everywhere")
    raise Wrong(f"{what}: relative error {error / norm if norm else error:.1e}, at most {tolerance:.0e} was expected")


def unchanged(before, after, what):
    """Check that an argument was left as it was."""
    if not np.array_equal(before, after, equal_nan=True):
        raise Wrong(f"{what} was changed: an argument stays as it is, copy what you change")


def several(value, count, what):
    """Return value as a list of ``count`` parts, or say what is wrong with it."""
    try:
        parts = list(value)
    except TypeError:
        raise Wrong(f"{what}: {count} values were expected, not {type(value).__name__}") from None
    if len(parts) != count:
        raise Wrong(f"{what}: {count} values were expected, not {len(parts)}")
    return parts
