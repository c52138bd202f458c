"""A drawing in the form in which MNIST's digits were made."""

import math

import numpy as np

from aelib import arrays

SIDE = 28  # of an image of MNIST, in pixels
BOX = 20  # of the box into which a digit fits


def mnist_form(drawing):
    """Return a drawing, (h, w) in [0, 1], ink 1, as MNIST's digits were made: (784,) float32.

    The ink's bounding box is scaled to fit into 20 x 20 pixels, keeping its proportions, each pixel the mean
    of the area under it. Then it is moved by whole pixels until its centre of mass stands at the middle, 13.5, or less
    than a pixel beyond. Of MNIST's 70,000 digits all but 19 come back unchanged.

    Raises:
        ValueError: the drawing is no two-dimensional array of numbers in [0, 1], or has no ink.

    Source: Y. LeCun et al., 1998, "Gradient-based learning applied to document recognition", III.A.
    """
    drawing = arrays.as_array("drawing", drawing)
    if drawing.ndim != 2 or drawing.dtype.kind not in "biuf":
        raise ValueError(f"the drawing has dtype {drawing.dtype} and shape {drawing.shape}: expected (height, width)")
    drawing = drawing.astype(np.float64)
    if drawing.size and not (drawing.min() >= 0 and drawing.max() <= 1):
        ends = f"{drawing.min():g} to {drawing.max():g}"
        raise ValueError(f"the drawing reaches from {ends}: expected [0, 1] (divide grey levels by 255)")
    rows, columns = (np.flatnonzero(drawing.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise ValueError("the drawing is empty: draw a digit first")
    ink = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(n * scale)) for n in ink.shape)
    small = _averages(height, len(ink)) @ ink @ _averages(width, ink.shape[1]).T
    image = np.zeros((3 * SIDE, 3 * SIDE))
    top, left = (SIDE + math.ceil((SIDE - 1) / 2 - mean) for mean in _centre_of_mass(small))
    image[top : top + height, left : left + width] = small
    return image[SIDE : 2 * SIDE, SIDE : 2 * SIDE].ravel().astype(np.float32)


def _centre_of_mass(image):
    return [np.arange(n) @ image.sum(axis=axis) / image.sum() for n, axis in zip(image.shape, (1, 0), strict=True)]


def _averages(n, m):
    """Return the matrix (n, m) that averages m cells over n equal intervals, by the length of their overlaps."""
    edges, cells = np.arange(n + 1) * (m / n), np.arange(m)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.maximum(overlap, 0) * (n / m)
