"""Dense layers as views into one flat parameter vector, and their initialisers."""

import math

import numpy as np

from aelib.activations import activation
from aelib.arrays import as_numbers, shown


class Dense:
    """A fully connected layer u = z W^T + b, z' = g(u), whose W and b are views into theta, made when asked for.

    Assigning to W or b copies the values into theta; the activation may be replaced. Nothing else can be set.

    Args:
        n_in: number of inputs p.
        n_out: number of units q.
        activation: an ``aelib.activations.Activation``, or the name of one.
        theta: the flat vector of all parameters, (n_params,).
        offset: where this layer's W begins in theta; b, if any, follows W.
        bias: whether the layer has a bias.

    Attributes:
        W: (q, p), C order, a view into theta.
        b: (q,), a view into theta, or None where there is no bias.
    """

    def __init__(self, n_in, n_out, activation, theta, offset, bias=True):
        middle = offset + n_out * n_in
        own = self.__dict__  # not by assignment, which __setattr__ refuses
        own["n_in"] = n_in
        own["n_out"] = n_out
        own["bias"] = bool(bias)
        own["theta"] = theta
        own["W_slice"] = slice(offset, middle)
        own["b_slice"] = slice(middle, middle + n_out * bias)
        self.activation = activation

    @property
    def W(self):
        """Weights, (q, p)."""
        return self.theta[self.W_slice].reshape(self.n_out, self.n_in)

    @property
    def b(self):
        """Biases, (q,), or None."""
        return self.theta[self.b_slice] if self.bias else None

    def __setattr__(self, name, value):
        if name == "W" or (name == "b" and self.bias):
            block = getattr(self, name)
            block[...] = as_numbers(name, value, block)
        elif name == "activation":
            self.__dict__[name] = activation(value)
        else:
            what = "there is no bias" if name == "b" else "only W, b and activation can"
            raise AttributeError(f"{name} of {self} cannot be set: {what}; make another Autoencoder")

    def over(self, theta):
        """Return a layer like this one over another vector, (n_params,) or longer."""
        return Dense(self.n_in, self.n_out, self.activation, theta, self.W_slice.start, self.bias)

    def split(self, vector):
        """Return this layer's blocks of a flat vector as views: ((q, p), (q,) or None).

        The blocks of theta are (W, b), of a direction p they are (P, q), of a gradient (grad_W, grad_b).

        Raises:
            ValueError: the vector has not the shape of theta.
        """
        if vector.shape != self.theta.shape:
            raise ValueError(f"the vector has shape {vector.shape}: expected a flat one like theta, {self.theta.shape}")
        W = vector[self.W_slice].reshape(self.n_out, self.n_in)
        return W, vector[self.b_slice] if self.bias else None

    def __repr__(self):
        return f"Dense({self.n_in} -> {self.n_out}, {self.activation}, bias={self.bias})"


def n_params(sizes, biases):
    """Return the length of theta: the sum over layers of n_out n_in + (n_out if there is a bias).

    >>> n_params([3, 2, 3], [True, False])
    14
    """
    return sum(q * p + q * b for p, q, b in zip(sizes, sizes[1:], biases, strict=False))


def dense_layers(sizes, activations, biases, theta):
    """Return the ``Dense`` layers over theta, in order, as a tuple; each begins where the last one ends."""
    layers, offset = [], 0
    for p, q, g, bias in zip(sizes, sizes[1:], activations, biases, strict=False):
        layers.append(Dense(p, q, g, theta, offset, bias))
        offset = layers[-1].b_slice.stop
    return tuple(layers)


def glorot(rng, q, p):
    """Uniform on +-sqrt(6 / (p + q)), standard deviation sqrt(2 / (p + q)). Glorot and Bengio, 2010, eq. 16."""
    bound = math.sqrt(6 / (p + q))
    return rng.uniform(-bound, bound, (q, p))


def he(rng, q, p):
    """Normal with standard deviation sqrt(2 / p). He et al., 2015, eq. 10."""
    return rng.normal(0.0, math.sqrt(2 / p), (q, p))


def report(rng, q, p):
    """The report's initialiser, with its slip kept: weights 9 to 21 times too small on its networks.

    Meant was a normal with s = sqrt(2 / (p + q)), cut off at two standard deviations. The truncated normal
    takes its bounds in standard deviations, but was given +-2 s, a length in data units. So w = s t, with t
    standard normal cut off at +-2 s: nearly uniform, with standard deviation about 2 s^2 / sqrt(3) instead of s.
    """
    s = math.sqrt(2 / (p + q))
    t = rng.uniform(-2 * s, 2 * s, q * p)
    todo = np.flatnonzero(rng.random(t.size) > np.exp(-0.5 * t * t))  # rejection: keep t with density e^(-t^2/2)
    while todo.size:
        t[todo] = rng.uniform(-2 * s, 2 * s, todo.size)
        todo = todo[rng.random(todo.size) > np.exp(-0.5 * t[todo] ** 2)]
    return s * t.reshape(q, p)


INITIALISERS = {"glorot": glorot, "he": he, "report": report}


def initialiser(name):
    """Return the initialiser of this name: a function (rng, q, p) -> W, (q, p). Biases start at 0.

    Raises:
        ValueError: the name is none of ``glorot, he, report``.
    """
    if not isinstance(name, str) or name not in INITIALISERS:
        raise ValueError(f"unknown init {shown(name)}: expected one of {', '.join(INITIALISERS)}")
    return INITIALISERS[name]
