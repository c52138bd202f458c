"""Geometry of the code plane: the decoder's Jacobian and the metric it pulls back.

The decoder maps a code z, (d,), to an image, (D,). A small step dz changes the image by J dz, whose squared length is
dz^T (J^T J) dz: J^T J is the metric that the distances between images give to the plane of codes. Nazari, Damrich and
Hamprecht, 2023, draw it the same way.
"""

import math
from numbers import Real

import numpy as np

from aelib import arrays, passes
from aelib.layers import Dense

_BLOCK = 500  # codes at a time, so that activations stay in cache


def decoder_jacobian(model, Z):
    """Return the images decoded at codes and the decoder's Jacobian there, by R_p forward passes, one a direction.

    A layer u = z + b in front of the decoder, with b = 0, makes a step of the code a step of a bias: the direction p
    that is 1 at b_k and 0 elsewhere has R_p{z^L} = J e_k.

    Args:
        model: an ``Autoencoder``.
        Z: codes in rows, (n, d).

    Returns:
        The images (n, D), and J (n, D, d). Cost: 1 + 2 d products of the decoder.

    >>> from aelib import Autoencoder
    >>> model = Autoencoder([3, 2, 3], output="identity", seed=0)  # then the decoder is z W^T + b
    >>> J = decoder_jacobian(model, np.zeros((1, 2)))[1]
    >>> bool((J[0] == model.layers[-1].W).all())
    True
    """
    arrays.as_model(model)
    decoder = model.layers[len(model.layers) // 2 :]
    d = decoder[0].n_in
    D = decoder[-1].n_out
    size = model.theta.size
    Z = arrays.as_codes(Z, d, model.dtype)
    theta = np.concatenate([model.theta, np.eye(d, dtype=model.dtype).ravel(), np.zeros(d, model.dtype)])
    layers = [Dense(d, d, "identity", theta, size), *(layer.over(theta) for layer in decoder)]
    images = np.empty((len(Z), D), model.dtype)
    J = np.empty((len(Z), D, d), model.dtype)
    for first in range(0, len(Z), _BLOCK):
        block = slice(first, first + _BLOCK)
        primal = passes.forward(layers, Z[block])
        tangent = None
        images[block] = primal.z[-1]
        for k in range(d):
            p = np.zeros_like(theta)
            p[size + d * d + k] = 1
            tangent = passes.rp_forward(layers, p, primal, out=tangent)
            J[block, :, k] = tangent.R_z[-1]
    return images, J


def metric(J):
    """Return the metric J^T J, (n, d, d), of real and finite Jacobians (n, D, d)."""
    J = arrays.as_array("J", J)
    if J.ndim != 3 or J.dtype.kind not in "iuf" or not np.isfinite(J).all():
        raise ValueError(f"J is {J.dtype}{J.shape}: expected real and finite Jacobians, (n, D, d)")
    return np.swapaxes(J, 1, 2) @ J


def distortion(J):
    """Return sqrt(det J^T J), (n,): how much area in image space the decoder makes of a unit of area in the plane."""
    return np.sqrt(np.maximum(np.linalg.det(metric(J)), 0))


def ellipses(J, radius, longest=np.inf):
    """Return the half-axes of the ellipses of steps dz that change the image by ``radius``: ||J dz|| = radius.

    Args:
        J: Jacobians, (n, D, d).
        radius: distance between images, in pixel units: the square root of SSE.
        longest: half-axes are cut off there; where the image does not change at all they would be infinite.

    Returns:
        Half-axes (n, d, d), the longest first: row k of an item is a vector in the plane. The short axis is the
        direction in which the image changes fastest.

    Raises:
        ValueError: J is no array of Jacobians, or a length is not positive; or a half-axis is infinite.
    """
    if not (isinstance(radius, Real) and isinstance(longest, Real) and 0 < radius < math.inf and longest > 0):
        raise ValueError(
            f"radius is {arrays.shown(radius)}, longest {arrays.shown(longest)}: expected positive numbers"
        )
    values, vectors = np.linalg.eigh(metric(J).astype(np.float64))  # ascending
    speed = np.sqrt(np.maximum(values, 0))
    with np.errstate(divide="ignore"):
        lengths = np.minimum(radius / speed, longest)
    if not np.isfinite(lengths).all():
        raise ValueError("there are steps that do not change the image: cut their half-axes off by longest")
    return lengths[:, :, None] * np.swapaxes(vectors, 1, 2)
