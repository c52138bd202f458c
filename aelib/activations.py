"""Activations: g, g' and g'' as functions of the pre-activation u.

Every function takes an array ``u`` of any shape and returns an array of the same shape and dtype, written
into ``out`` where one is given. ``dg`` and ``d2g`` accept ``z = g(u)``, the stored activation, because
several derivatives are cheaper from z than from u: sigmoid' = z (1 - z).

Complex ``u`` is differentiated through (for the complex step): at kinks and bounds only its real part is
compared, and nothing is conjugated.
"""

import numpy as np

from aelib.arrays import shown


class Activation:
    """A scalar function applied entry by entry, with its first two derivatives.

    Attributes:
        name: the string that ``Autoencoder`` accepts.
        curved: False where g'' is 0 everywhere it exists, so that passes may skip its term.
        kinked: True where g' jumps at u = 0, so that finite differences fail there.
    """

    __slots__ = ()  # nothing can be set on the one instance that all models share
    name = "activation"
    curved = True
    kinked = False

    def g(self, u, out=None):
        """Return the value of g at u."""
        raise NotImplementedError

    def dg(self, u, z=None, out=None):
        """Return the slope g'(u); ``z = g(u)`` may be passed where it is at hand."""
        raise NotImplementedError

    def d2g(self, u, z=None, out=None):
        """Return the curvature g''(u); ``z = g(u)`` may be passed where it is at hand."""
        return _fill(out, u, 0)

    def __repr__(self):
        return self.name


def _empty(like):
    """Return an array of the shape of ``like`` and its dtype, a floating-point one for whole numbers."""
    like = like if hasattr(like, "dtype") else np.asarray(like)
    return np.empty(np.shape(like), np.result_type(like.dtype, np.float16))


def _fill(out, like, value):
    out = _empty(like) if out is None else out
    out[...] = value
    return out


class Identity(Activation):
    """g(u) = u."""

    __slots__ = ()
    name = "identity"
    curved = False

    def g(self, u, out=None):
        """Return u."""
        return np.positive(u, out=out)

    def dg(self, u, z=None, out=None):
        """Return 1."""
        return _fill(out, u, 1)


class Sigmoid(Activation):
    """g(u) = 1 / (1 + e^-u), computed as (1 + tanh(u / 2)) / 2.

    In this form nothing overflows, and z is 0, 1, or at least half the unit round-off away from them. So the slopes
    z (1 - z) of saturated units are exactly 0, never subnormal: subnormal adjoints would slow the matrix products of
    the backward pass several times. The error of z and of its derivatives is absolute, about the unit round-off.

    >>> float(Sigmoid().dg(np.array(0.0)))
    0.25
    """

    __slots__ = ()
    name = "sigmoid"

    def g(self, u, out=None):
        """Return (1 + tanh(u / 2)) / 2."""
        z = np.tanh(np.multiply(u, 0.5, out=out), out=out)
        return np.multiply(np.add(z, 1, out=out), 0.5, out=out)

    def dg(self, u, z=None, out=None):
        """Return z (1 - z)."""
        z = self.g(u) if z is None else z
        return np.multiply(np.subtract(1, z, out=out), z, out=out)

    def d2g(self, u, z=None, out=None):
        """Return z (1 - z) (1 - 2 z) = ((2 z - 3) z + 1) z."""
        z = self.g(u) if z is None else z
        out = np.multiply(z, 2, out=out)
        out -= 3
        out *= z
        out += 1
        out *= z
        return out


class Tanh(Activation):
    """g(u) = tanh u."""

    __slots__ = ()
    name = "tanh"

    def g(self, u, out=None):
        """Return tanh u."""
        return np.tanh(u, out=out)

    def dg(self, u, z=None, out=None):
        """Return 1 - z^2."""
        z = self.g(u) if z is None else z
        return np.subtract(1, np.multiply(z, z, out=out), out=out)

    def d2g(self, u, z=None, out=None):
        """Return -2 z (1 - z^2) = 2 (z^2 - 1) z."""
        z = self.g(u) if z is None else z
        out = np.multiply(z, z, out=out)
        out -= 1
        out *= z
        out *= 2
        return out


class LeakyReLU(Activation):
    """g(u) = u where u > 0, ``slope`` u elsewhere; g'(0) = ``slope`` (the left derivative, by convention).

    Source: A. Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """

    __slots__ = ()
    name = "leaky_relu"
    slope = 0.01
    curved = False
    kinked = True

    def g(self, u, out=None):
        """Return u where u > 0, ``slope`` u elsewhere."""
        if np.iscomplexobj(u):
            return np.multiply(u, self.dg(u), out=out)
        return np.maximum(u, np.multiply(u, self.slope, out=out), out=out)

    def dg(self, u, z=None, out=None):
        """Return 1 where u > 0, ``slope`` elsewhere."""
        out = _fill(out, u, self.slope)
        np.copyto(out, 1, where=u.real > 0)
        return out


class ReLU(LeakyReLU):
    """g(u) = max(u, 0); g'(0) = 0 by convention."""

    __slots__ = ()
    name = "relu"
    slope = 0.0

    def g(self, u, out=None):
        """Return max(u, 0)."""
        if np.iscomplexobj(u):
            return super().g(u, out)
        return np.maximum(u, 0, out=out)

    def dg(self, u, z=None, out=None):
        """Return 1 where u > 0, 0 elsewhere."""
        return np.greater(u.real, 0, out=_empty(u) if out is None else out)


class Softplus(Activation):
    """g(u) = log(1 + e^u), a smooth ReLU; g' is the sigmoid.

    Below u = -30 (float32) or -280 (float64) it keeps the value it has there, less than 1e-13 or 1e-121: its tail is
    cut off before it becomes subnormal.

    Source: C. Dugas et al., "Incorporating second-order functional knowledge", 2001.
    """

    __slots__ = ()
    name = "softplus"
    _sigmoid = Sigmoid()

    def g(self, u, out=None):
        """Return log(1 + e^u), computed as max(u, 0) + log(1 + e^-|u|)."""
        positive = u.real > 0
        tail = np.where(positive, -u, u)
        least = -30 if u.real.dtype == np.float32 else -280
        tail = np.where(tail.real < least, least, tail)
        return np.add(np.log1p(np.exp(tail)), np.where(positive, u, 0), out=out)

    def dg(self, u, z=None, out=None):
        """Return sigmoid(u)."""
        return self._sigmoid.g(u, out)

    def d2g(self, u, z=None, out=None):
        """Return sigmoid'(u)."""
        return self._sigmoid.dg(u, out=out)


ACTIVATIONS = {a.name: a for a in (Identity(), Sigmoid(), Tanh(), ReLU(), LeakyReLU(), Softplus())}


def activation(name):
    """Return the activation of this name; an ``Activation`` itself is returned as it is.

    Raises:
        ValueError: the name is none in ``ACTIVATIONS``.
    """
    if isinstance(name, Activation):
        return name
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {shown(name)}: expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
