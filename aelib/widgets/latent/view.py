"""What the latent explorer says of a point: nine tiles, their captions and the marks on the plane."""

import numpy as np
from matplotlib import colormaps

from aelib.common.baselines import half_sse
from aelib.common.geometry import decoder_jacobian, ellipses

_LONG = 0.12  # long half-axis of the ellipse at the point, of the plane's width: its form counts, not its size


def view(plane, limits, point, near, path, drawing):
    """Compute what is shown.

    Args:
        plane: a ``CodePlane``.
        limits: (x0, x1, y0, y1).
        point: a code, two numbers.
        near: number of an image, as of ``CodePlane.image``.
        path: two such numbers.
        drawing: an image drawn, (784,), or None.

    Returns:
        Nine RGBA images of 28 x 28 pixels as bytes, nine captions, and a dict of marks: ``near``, ``drawn``, ``path``
        (two places), ``axes`` (the ellipse's half-axes at the point, the long one first).
    """
    model = plane.model
    (decoded,), J = decoder_jacobian(model, np.array([point], model.dtype))
    slow, fast = ellipses(J, 1.0, longest=1e9)[0]
    slow, fast = np.array([slow, fast]) * (_LONG * (limits[1] - limits[0]) / np.linalg.norm(slow))
    slow, fast = np.array([slow, fast]) * _room(limits, point, slow, fast)
    changes = [J[0] @ (axis / np.linalg.norm(axis)) for axis in (fast, slow)]
    sizes = [f"{np.linalg.norm(change):.2g} per unit" for change in changes]
    image, label, name = plane.image(near)
    start, start_label, _ = plane.image(path[0])
    tiles, captions = [_grey(decoded), *map(_signed, changes), _grey(image)], ["decoded here"]
    captions += [f"fastest change\n{sizes[0]}", f"slowest change\n{sizes[1]}", f"{name}\na {label}"]
    restored = model.reconstruct(image[None])[0]
    tiles += [_grey(restored), _grey(start)]
    captions += [
        f"reconstructed\nhalf-SSE {half_sse(image[None], restored[None]):.1f}",
        f"path starts\na {start_label}",
    ]
    marks = dict(axes=[slow, fast], near=plane.code(near), path=[plane.code(k) for k in path])
    captions += ["draw here", "in MNIST's form", "reconstructed"]
    if drawing is None:
        tiles += [_grey(np.zeros(784))] * 3
    else:
        code, restored = model.encode(drawing[None])[0], model.reconstruct(drawing[None])[0]
        digit, votes = plane.vote(code)
        marks["drawn"] = np.clip(code, limits[::2], limits[1::2])
        tiles += [_grey(drawing)] * 2 + [_grey(restored)]
        captions[-2:] = [
            f"{votes} of {min(15, len(plane.codes))} near codes\na {digit}",
            f"reconstructed\nhalf-SSE {half_sse(drawing[None], restored[None]):.1f}",
        ]
    return np.stack(tiles).tobytes(), captions, {key: np.asarray(value, float).tolist() for key, value in marks.items()}


def _room(limits, point, slow, fast):
    """Return the factor, at most 1, by which an ellipse and its arrows, both as long, stay inside the frame."""
    arrow = fast * (np.linalg.norm(slow) / np.linalg.norm(fast)) if fast.any() else fast
    reach = np.maximum(np.hypot(slow, fast), np.abs(arrow))  # of the ellipse, and of the shorter half-axis' arrow
    low, high = np.reshape(limits, (2, 2)).T
    return min(1.0, *(np.minimum(point - low, high - point) / np.maximum(reach, 1e-12)))


def _grey(image):
    """Return an image (784,) in [0, 1] as RGBA, (28, 28, 4) bytes."""
    grey = np.uint8(np.rint(255 * np.clip(np.reshape(image, (28, 28, 1)), 0, 1)))
    return np.concatenate([grey, grey, grey, np.full_like(grey, 255)], axis=2)


def _signed(change):
    """Return a change (784,) as RGBA: blue where it darkens, red where it lightens, each to its own scale."""
    most = np.abs(change).max() or 1
    return colormaps["RdBu_r"](np.reshape(0.5 + 0.5 * change / most, (28, 28)), bytes=True)
