"""Sentences that many tests share: form, size and agreement of what an answer returned, and the slips it may show."""

import copy

import numpy as np

from aelib.coursework.findings import Wrong

SINGLE = 1e-5  # relative error that single precision is allowed


def ask(answer, *arguments, **keywords):
    """Return answer(*arguments, **keywords), called with copies: what it does to them changes nothing here."""
    return answer(*copy.deepcopy(arguments), **copy.deepcopy(keywords))


def ask_unchanged(answer, names, *arguments, **keywords):
    """Return the same, where the task says that arguments stay as they are; say which one was changed.

    Args:
        answer: a function.
        names: of the arguments, in a string or a list.
        arguments: arrays, lists of arrays, numbers, functions.
        keywords: more of them.
    """
    names = names.split() if isinstance(names, str) else names
    given = copy.deepcopy(arguments)
    value = answer(*given, **keywords)
    for name, before, after in zip(names, arguments, given, strict=True):
        if not _same(before, after):
            raise Wrong(f"{name} was changed: an argument stays as it is, copy what you change")
    return copy.deepcopy(value)


def unchanged(before, after, what):
    """Check that what was handed out is still what the judge kept of it."""
    if not _same(before, after):
        raise Wrong(f"{what} was changed: an argument stays as it is, copy what you change")


def _same(a, b):
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return True


def array(value, shape, what):
    """Return value as a float or complex array of this shape, or say what is wrong with it."""
    return _array(value, shape, what)[0]


def _array(value, shape, what):
    """Return the same, and whether it came in single precision."""
    if value is None:
        raise Wrong(f"{what}: nothing was returned (None)")
    try:
        a = np.array(value)
        single = a.dtype in (np.float32, np.complex64, np.float16)
        a = a.astype(np.result_type(a.dtype, np.float64)) if a.dtype != object else a
    except (TypeError, ValueError):
        raise Wrong(f"{what}: an array of numbers was expected, not {type(value).__name__}") from None
    if not np.issubdtype(a.dtype, np.number):
        raise Wrong(f"{what}: an array of numbers was expected, not {type(value).__name__}")
    if a.shape != tuple(shape):
        turned = a.ndim > 1 and a.shape[::-1] == tuple(shape)
        more = "; it looks transposed" if turned else ""
        raise Wrong(f"{what}: shape {tuple(shape)} was expected, not {a.shape}{more}")
    if not np.isfinite(a).all():
        raise Wrong(f"{what}: some entries are not finite")
    return a, single


def number(value, what):
    """Return value as one real number, or say what is wrong with it."""
    a = array(value, (), what)
    if np.iscomplexobj(a):
        raise Wrong(f"{what}: a real number was expected, not a complex one")
    return float(a)


def agree(a, expected, tolerance):
    """Return whether two arrays agree: relative norm error, or absolute where 0 is expected."""
    norm, error = float(np.linalg.norm(expected)), float(np.linalg.norm(a - expected))
    return error <= tolerance * norm or (norm == 0 and error <= tolerance)


def close(value, expected, what, tolerance=1e-10, slips=()):
    """Check that value has the shape of expected and a relative norm error of at most the tolerance.

    Numbers in single precision are held to 1e-5.

    Args:
        value: what was returned.
        expected: what it should be.
        what: it is, for the sentence.
        tolerance: of the relative error.
        slips: pairs (cause in words, what a known slip would have given); a cause is named only where the slip gives
            another value than the right one.
    """
    expected = np.asarray(expected)
    a, single = _array(value, expected.shape, what)
    if agree(a, expected, max(tolerance, SINGLE) if single else tolerance):
        return
    for cause, slip in slips:
        slip = np.asarray(slip)
        fits = slip.shape == expected.shape and np.isfinite(slip).all()
        if fits and not agree(slip, expected, 100 * tolerance) and agree(a, slip, 10 * tolerance):
            raise Wrong(f"{what}: {cause}")
    norm, error = float(np.linalg.norm(expected)), float(np.linalg.norm(a - expected))
    if expected.ndim == 0:
        raise Wrong(f"{what}: {_apart(complex(a), complex(expected))}")
    if expected.ndim == 2 and expected.shape[0] == expected.shape[1] and agree(a, expected.T, 1e-9):
        raise Wrong(f"{what}: the transpose of what was expected")
    ratio = float(np.real(np.vdot(expected, a))) / norm**2 if norm else 0.0
    if norm and abs(ratio - 1) > 1e-3 and np.linalg.norm(a - ratio * expected) <= 1e-6 * norm:
        raise Wrong(f"{what}: {ratio:.4g} times what was expected, in every entry")
    raise Wrong(f"{what}: relative error {error / norm if norm else error:.1e}, at most {tolerance:.0e} was expected")


def _apart(a, b):
    """Return two numbers that differ with as many digits as it takes to see it."""
    a, b = (x.real if x.imag == 0 else x for x in (a, b))
    for digits in (6, 9, 12, 17):
        left, right = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if left != right:
            break
    return f"{left} where {right} was expected"


def several(value, count, what):
    """Return value as a list of ``count`` parts, or say what is wrong with it."""
    if value is None:
        raise Wrong(f"{what}: {count} values were expected; nothing was returned (None)")
    try:
        parts = list(value)
    except TypeError:
        raise Wrong(f"{what}: {count} values were expected, not {type(value).__name__}") from None
    if len(parts) != count:
        raise Wrong(f"{what}: {count} values were expected, not {len(parts)}")
    return parts
