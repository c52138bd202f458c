"""What callers give: arrays and models, and what is asked of them; a sum of squares that no kernel rounds away."""

import math
from numbers import Real

import numpy as np

_PIECE = 128  # float32 squares added in single precision, few to a lane; the pieces in double precision
_ROWS = 256  # looked at together, so that they are read from memory once
_OVERSHOOT = 1e-6  # beyond [0, 1]: the round-off of a division of grey levels in single precision


def sum_of_squares(values):
    """Return the sum of the squares of all entries, to about 1e-8 relative in single precision, as a number.

    A sum of float32 squares kept in float32 is off by 1e-3 after fifty million of them, by an amount that depends on
    the BLAS kernel. Complex numbers are squared, not conjugated.

    >>> sum_of_squares(np.full((3, 5), 2.0))
    60.0
    """
    flat = np.ravel(values)
    if flat.dtype != np.float32:
        wide = flat.astype(np.complex128 if flat.dtype.kind == "c" else np.float64, copy=False)
        return (wide @ wide).item()
    pieces = flat[: flat.size // _PIECE * _PIECE].reshape(-1, _PIECE)
    rest = flat[pieces.size :]
    return float(np.vecdot(pieces, pieces).sum(dtype=np.float64) + rest @ rest)


def as_model(value):
    """Return value if it is a model, or raise ValueError: where two arguments are swapped, an array stands there.

    A model is what has ``theta``, ``layers`` and ``linearize``, such as an ``Autoencoder``.
    """
    if isinstance(value, type) or not all(hasattr(value, name) for name in ("theta", "layers", "linearize")):
        raise ValueError(f"model is {shown(value)}: expected an Autoencoder (are two arguments swapped?)")
    return value


def as_function(name, value):
    """Return value if it can be called, or raise ValueError."""
    if not callable(value):
        raise ValueError(f"{name} is {shown(value)}: expected a function")
    return value


def as_whole(name, value, least=1, most=math.inf):
    """Return value as an int if it is a whole number, least <= value <= most; or raise ValueError."""
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value != int(value) or not least <= value <= most:
        limit = f"from {least} to {most}, the number of images" if most < math.inf else f"of at least {least}"
        raise ValueError(f"{name} is {shown(value)}: expected a whole number {limit}")
    return int(value)


def as_generator(seed):
    """Return NumPy's random generator of this seed, a whole number >= 0; or raise ValueError."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed is {shown(seed)}: expected a whole number >= 0") from None


def shown(value):
    """Return a value in a few words on one line, for a sentence: an array by its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


def as_array(name, values):
    """Return values as an array, or raise ValueError where that would need guessing: ragged lists, masked entries."""
    if hasattr(values, "linearize"):
        raise ValueError(f"{name} is a model: expected an array (are two arguments swapped?)")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries: expected an array without, such as {name}.filled(0)")
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} is ragged: expected rows of one length") from None


def as_numbers(name, values, like, expected=""):
    """Return values as an array of the shape and dtype of ``like``; a copy only where the dtype asks for one.

    Raises:
        ValueError: another shape, not numbers, complex where ``like`` is real, or not finite.
    """
    values = as_array(name, values)
    if values.shape != like.shape:
        raise ValueError(f"{name} has shape {values.shape}: expected {expected}{like.shape}")
    _check_kind(name, values.dtype, "biufc", like.dtype)
    with np.errstate(over="ignore"):
        cast = values.astype(like.dtype, copy=False)
    finite = np.isfinite(cast)
    if not finite.all():
        raise ValueError(f"{name} holds {values[~finite][0]}: expected finite numbers in {like.dtype}")
    return cast


def _check_kind(name, dtype, kinds, wanted):
    if dtype.kind not in kinds:
        raise ValueError(f"{name} has dtype {dtype}: expected numbers")
    if dtype.kind == "c" and wanted.kind != "c":
        raise ValueError(f"{name} is complex, the model {wanted}: expected real numbers, or a model with complex theta")


def as_images(X, width, dtype, bounded, look=True, name="X"):
    """Return images in rows, (n, width), as an array, if they are floating point, finite and, ``bounded``, in [0, 1].

    ``look=False`` leaves out what needs a pass over them: finite, and in [0, 1].

    Raises:
        ValueError: they are not, or complex where ``dtype`` is real; the first image at fault is named.
    """
    X = as_array(name, X)
    if X.ndim != 2 or X.shape[1] != width or not len(X):
        raise ValueError(f"{name} has shape {X.shape}: expected one image per row, (n, {width}) with n >= 1")
    if X.dtype.kind not in "fc":
        raise ValueError(f"{name} has dtype {X.dtype}: expected floating point in [0, 1] (divide grey levels by 255)")
    _check_kind(name, X.dtype, "fc", dtype)
    if look:
        most = float(np.finfo(dtype).max)
        _check_range(name, "image", X, *((-_OVERSHOOT, 1 + _OVERSHOOT) if bounded else (-most, most)))
    return X


def as_codes(Z, width, dtype):
    """Return codes in rows, (n, width), as an array of this dtype, if they are finite numbers.

    Raises:
        ValueError: they are not, or complex where ``dtype`` is real.
    """
    Z = as_array("Z", Z)
    if Z.ndim != 2 or Z.shape[1] != width or not len(Z):
        raise ValueError(f"Z has shape {Z.shape}: expected one code per row, (n, {width}) with n >= 1")
    _check_kind("Z", Z.dtype, "iufc", dtype)
    most = float(np.finfo(dtype).max)
    _check_range("Z", "code", Z, -most, most)
    return Z.astype(dtype, copy=False)


def as_labels(labels, n):
    """Return n labels, whole numbers or words, as an array (n,); a column (n, 1) and a list are taken too.

    Raises:
        ValueError: they are not n, one-hot, or neither whole numbers nor words.
    """
    labels = as_array("labels", labels)
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) == n:
        raise ValueError(f"labels has shape {labels.shape}: expected one an image, such as labels.argmax(axis=1)")
    if labels.shape not in ((n,), (n, 1)):
        raise ValueError(f"labels has shape {labels.shape}: expected one label an image, ({n},)")
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        labels = labels.astype(int)
    if labels.dtype.kind not in "iuU":
        raise ValueError(f"labels is {labels.dtype}{labels.shape}: expected whole numbers or words")
    return labels.ravel()


def _check_range(name, row, X, low, high):
    """Raise ValueError unless the rows of X are finite, and their real parts in [low, high]."""
    for first in range(0, len(X), _ROWS):
        part = X[first : first + _ROWS]
        if part.dtype.kind == "c" and not np.isfinite(part.imag).all():
            part = np.where(np.isfinite(part.imag), part.real, np.nan)
        if low <= float(part.real.min()) and float(part.real.max()) <= high:  # false where one is nan
            continue
        part = part.real.astype(np.float64)
        k = first + int((~((part >= low) & (part <= high))).any(axis=1).argmax())
        if not np.isfinite(X[k]).all():
            raise ValueError(f"{row} {k} of {name} holds {X[k][~np.isfinite(X[k])][0]}: expected finite numbers")
        expected = "[0, 1], all that a sigmoid output can make (divide grey levels by 255)"
        raise ValueError(
            f"{row} {k} of {name} reaches from {X[k].real.min():g} to {X[k].real.max():g}: "
            f"expected {expected if high < 2 else 'numbers of single precision'}"
        )
