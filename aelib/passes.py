"""The four passes of the report, each one function over explicit caches.

    forward      u^l = z^{l-1} W_l^T + b_l             z^l = g(u^l)
    backward     grad_u^l = grad_z^l * g'(u^l)         grad_W_l = (grad_u^l)^T z^{l-1}
    rp_forward   the operator R_p{.} applied to every line of forward
    rp_backward  the operator R_p{.} applied to every line of backward

R_p{v}(theta) = d/de v(theta + e p) at e = 0 is the derivative along p (Pearlmutter, 1994). All lists are indexed
by layer as in the text: index 0 is the input, index L the output. Images stand in rows: z[l] is (n, n_l).
Products are counted in matrix products of the size of the forward pass (gradient: 3).

No pass changes an argument other than ``out``, an earlier result of the same pass for the same number of
images, into which it writes instead of allocating.
"""

from typing import NamedTuple

import numpy as np


class Primal(NamedTuple):
    """What ``forward`` computed: lists over l = 0 ... L of (n, n_l); ``u[0]`` is None, ``z[0]`` the images."""

    u: list
    z: list


class Adjoint(NamedTuple):
    """What ``backward`` computed: lists over l of (n, n_l), index 0 None, and the flat gradient (n_params,) or None."""

    grad_u: list
    grad_z: list
    grad: np.ndarray | None


class Tangent(NamedTuple):
    """What ``rp_forward`` computed: lists over l of (n, n_l), index 0 None (R_p of the input is 0)."""

    R_u: list
    R_z: list


def pair(layers, n, dtype):
    """Return memory for two quantities, index 0 None: in each layer the halves of one array (2 n, n_l)."""
    whole = [np.empty((2 * n, layer.n_out), dtype) for layer in layers]
    return [None, *(both[:n] for both in whole)], [None, *(both[n:] for both in whole)]


def _over(upper, lower):
    """Return two quantities of a layer as one array (2 n, n_l): that of their ``pair``, else a copy."""
    whole, (a, b) = upper.base, (half.__array_interface__ for half in (upper, lower))
    if whole is lower.base and upper.shape == lower.shape and np.shape(whole) == (2 * len(upper), *upper.shape[1:]):
        if b["data"][0] - a["data"][0] == upper.nbytes and a["strides"] is b["strides"] is None:
            return whole
    return np.concatenate([upper, lower])


def forward(layers, X, out=None):
    """Propagate images through the layers: u^l = z^{l-1} W_l^T + b_l,  z^l = g(u^l).

    Args:
        layers: list of ``Dense``.
        X: images in rows, (n, n_0), of the dtype of theta.
        out: an earlier ``Primal`` for n images, to be overwritten.

    Returns:
        Primal. Cost: 1 product.
    """
    if out is None:
        out = Primal(*pair(layers, len(X), X.dtype))
    u, z = out
    z[0] = X
    for l, layer in enumerate(layers, start=1):
        np.matmul(z[l - 1], layer.W.T, out=u[l])
        if layer.bias:
            u[l] += layer.b
        layer.activation.g(u[l], out=z[l])
    return out


def backward(layers, primal, grad_zL, out=None, parameters=True):
    """Backpropagate an adjoint of the output to all units and parameters.

    For l = L ... 1:  grad_u^l = grad_z^l * g'(u^l),  grad_z^{l-1} = grad_u^l W_l;  then ``parameter_gradient``.

    Args:
        layers: list of ``Dense``.
        primal: ``forward(layers, X)``.
        grad_zL: adjoint of the output, (n, n_L): (z^L - x) / n gives the gradient of F, any V gives J^T V.
        out: an earlier ``Adjoint`` for n images, to be overwritten.
        parameters: False leaves out the parameters, and with them one product; ``grad`` is then None.

    Returns:
        Adjoint; ``grad``, laid out as theta, is a sum over the n images. Cost: 2 products, less layer 1's second.
    """
    if out is None:
        out = Adjoint(*pair(layers, len(grad_zL), grad_zL.dtype), None)
    u, z = primal
    grad_u, grad_z, grad = out
    grad_z[-1] = grad_zL
    for l, layer in reversed(list(enumerate(layers, start=1))):
        layer.activation.dg(u[l], z[l], out=grad_u[l])
        grad_u[l] *= grad_z[l]
        if l > 1:
            np.matmul(grad_u[l], layer.W, out=grad_z[l - 1])
    return out._replace(grad=parameter_gradient(layers, z, grad_u, out=grad) if parameters else None)


def parameter_gradient(layers, z, grad_u, out=None):
    """Return the flat gradient (n_params,): grad_W_l = (grad_u^l)^T z^{l-1},  grad_b_l = (grad_u^l)^T 1.

    Args:
        layers: list of ``Dense``.
        z: of the ``Primal``.
        grad_u: of the ``Adjoint``.
        out: a flat vector to be overwritten.
    """
    grad = np.zeros(layers[-1].theta.size, z[-1].dtype) if out is None else out
    ones = np.ones(len(z[-1]), z[-1].dtype)
    for l, layer in enumerate(layers, start=1):
        grad_W, grad_b = layer.split(grad)
        np.matmul(grad_u[l].T, z[l - 1], out=grad_W)
        if grad_b is not None:
            np.matmul(ones, grad_u[l], out=grad_b)
    return grad


def rp_forward(layers, p, primal, out=None):
    """Apply R_p to the forward pass.

    R_p{u^l} = z^{l-1} P_l^T + R_p{z^{l-1}} W_l^T + q_l,  R_p{z^l} = g'(u^l) * R_p{u^l},
    starting from R_p{z^0} = 0. The constant 1 that multiplies the bias has R_p{1} = 0 too, so the bias
    contributes q_l alone.

    Args:
        layers: list of ``Dense``.
        p: direction, flat, (n_params,), with layer blocks P_l, q_l laid out as W_l, b_l in theta.
        primal: ``forward(layers, X)``.
        out: an earlier ``Tangent`` for n images, to be overwritten.

    Returns:
        Tangent; ``R_z[-1]`` is J p, (n, n_L). Cost: 2 products, less layer 1's second.
    """
    u, z = primal
    if out is None:
        out = Tangent(*pair(layers, len(z[0]), z[0].dtype))
    R_u, R_z = out
    for l, layer in enumerate(layers, start=1):
        P, q = layer.split(p)
        np.matmul(z[l - 1], P.T, out=R_u[l])
        if l > 1:
            R_u[l] += np.matmul(R_z[l - 1], layer.W.T, out=R_z[l])
        if q is not None:
            R_u[l] += q
        layer.activation.dg(u[l], z[l], out=R_z[l])
        R_z[l] *= R_u[l]
    return out


def rp_backward(layers, p, primal, adjoint, tangent, R_grad_zL, out=None):
    """Apply R_p to the backward pass.

    For l = L ... 1:
    R_p{grad_u^l} = R_p{grad_z^l} * g'(u^l) + grad_z^l * g''(u^l) * R_p{u^l},
    R_p{grad_W_l} = R_p{grad_u^l}^T z^{l-1} + (grad_u^l)^T R_p{z^{l-1}},  R_p{grad_b_l} = R_p{grad_u^l}^T 1,
    R_p{grad_z^{l-1}} = R_p{grad_u^l} W_l + grad_u^l P_l.

    Args:
        layers: list of ``Dense``.
        p: direction, flat, (n_params,).
        primal: ``forward(layers, X)``.
        adjoint: ``backward(layers, primal, grad_zL)``.
        tangent: ``rp_forward(layers, p, primal)``.
        R_grad_zL: R_p of the output adjoint, (n, n_L): R_p{z^L} / n for the Hessian of F.
        out: an earlier ``Adjoint`` for n images, to be overwritten.

    Returns:
        Adjoint of R_p{grad_u}, R_p{grad_z}, R_p{grad}; the last is H p. Cost: 4 products, less layer 1's three.
    """
    (u, z), (grad_u, grad_z, _), (R_u, R_z) = primal, adjoint, tangent
    if out is None:
        out = Adjoint(*pair(layers, len(R_grad_zL), R_grad_zL.dtype), np.zeros(p.size, R_grad_zL.dtype))
    R_grad_u, R_grad_z, R_grad = out
    ones = np.ones(len(R_grad_zL), R_grad_zL.dtype)
    R_grad_z[-1] = R_grad_zL
    for l, layer in reversed(list(enumerate(layers, start=1))):
        layer.activation.dg(u[l], z[l], out=R_grad_u[l])
        R_grad_u[l] *= R_grad_z[l]
        if layer.activation.curved:
            d2g = layer.activation.d2g(u[l], z[l])
            d2g *= grad_z[l]
            d2g *= R_u[l]
            R_grad_u[l] += d2g
        R_grad_W, R_grad_b = layer.split(R_grad)
        if R_grad_b is not None:
            np.matmul(ones, R_grad_u[l], out=R_grad_b)
        if l == 1:
            np.matmul(R_grad_u[l].T, z[l - 1], out=R_grad_W)
        else:  # the two products are one: of R_grad_u over grad_u, and z over R_z
            np.matmul(_over(R_grad_u[l], grad_u[l]).T, _over(z[l - 1], R_z[l - 1]), out=R_grad_W)
            P, _ = layer.split(p)
            np.matmul(R_grad_u[l], layer.W, out=R_grad_z[l - 1])
            R_grad_z[l - 1] += np.matmul(grad_u[l], P, out=R_grad_u[l - 1])
    return out
