"""What an autoencoder is made of: one vector theta, the layers over it, and the arguments that say its form."""

import contextlib
import math
from numbers import Integral, Real
from types import MappingProxyType

import numpy as np

from aelib.activations import activation
from aelib.arrays import array, numbers
from aelib.layers import dense_layers, initialiser, n_params

_DTYPES = ("float32", "float64", "complex64", "complex128")
_FIXED = ("sizes", "hidden", "code", "output", "output_bias", "init", "seed", "dtype", "layers", "config", "blocks")


class Network:
    """Fully connected layers over one vector, without images or a loss: see ``aelib.Autoencoder`` for the arguments.

    A copy (``copy.copy``, ``copy.deepcopy``, pickle) is a whole network with its own theta.
    """

    def __init__(
        self,
        sizes,
        hidden="relu",
        code="identity",
        output="sigmoid",
        output_bias=True,
        init="glorot",
        weight_decay=0.0,
        seed=0,
        dtype="float64",
    ):
        sizes = list(sizes) if np.iterable(sizes) else [sizes]
        whole = all(isinstance(size, Integral) and size > 0 for size in sizes)
        if not whole or len(sizes) < 3 or len(sizes) % 2 == 0 or sizes[0] != sizes[-1]:
            raise ValueError(
                f"sizes is {sizes}: expected an odd number of positive widths, at least three, the first equal "
                "to the last, such as [784, 200, 2, 200, 784]"
            )
        with contextlib.suppress(TypeError):  # which leaves what is no dtype as it is
            dtype = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise ValueError(f"dtype is {dtype}: expected one of {', '.join(_DTYPES)}")
        if output_bias not in (True, False):
            raise ValueError(f"output_bias is {output_bias!r}: expected True or False")
        if not isinstance(seed, Integral) or seed < 0:
            raise ValueError(f"seed is {seed!r}: expected a whole number >= 0")
        draw, sizes = initialiser(init), [int(size) for size in sizes]
        activations = _activations(hidden, len(sizes) - 3, code, output)
        biases = [True] * (len(sizes) - 2) + [bool(output_bias)]
        self.weight_decay = weight_decay
        self._made = dict(hidden=hidden if isinstance(hidden, str) else None, init=init, seed=int(seed))
        self._theta = np.zeros(n_params(sizes, biases), dtype)
        self._layers = dense_layers(sizes, activations, biases, self._theta)
        rng = np.random.default_rng(seed)
        for layer in self.layers:
            layer.W = draw(rng, layer.n_out, layer.n_in)

    @property
    def config(self):
        """The arguments of a model like this one, by name, as it stands now: a view that cannot be written to."""
        names = [layer.activation.name for layer in self.layers]
        k = len(names) // 2 - 1
        hidden, given = names[:k] + names[k + 1 : -1], self._made["hidden"]
        own = dict(
            sizes=[self.layers[0].n_in, *(layer.n_out for layer in self.layers)],
            hidden=given if given and hidden == [given] * len(hidden) else hidden,
            code=names[k],
            output=names[-1],
            output_bias=self.layers[-1].bias,
            init=self._made["init"],
            weight_decay=self.weight_decay,
            seed=self._made["seed"],
            dtype=self.dtype.name,
        )
        return MappingProxyType(own)

    @property
    def layers(self):
        """The layers, in order, a tuple of ``Dense``."""
        return self._layers

    @property
    def weight_decay(self):
        """The coefficient of 0.5 ||theta||^2 in the objective; may be set."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, value):
        if not isinstance(value, Real) or not 0 <= value < math.inf:
            raise ValueError(f"weight_decay is {value!r}: expected a finite number >= 0")
        self._weight_decay = float(value)

    def _bind(self, theta):
        """Make theta this model's vector, and that of its layers."""
        self._theta = theta
        for layer in self.layers:
            layer.__dict__["theta"] = theta

    @property
    def theta(self):
        """All parameters, (n_params,): per layer W in C order, then b if any. Writable in place.

        Assigning copies finite values in; a complex vector makes the model complex.
        """
        return self._theta

    @theta.setter
    def theta(self, values):
        values = array("theta", values)
        grows = np.iscomplexobj(values) and not np.iscomplexobj(self.theta)
        values = numbers("theta", values, self.theta.astype(np.complex128) if grows else self.theta)
        if grows:
            self._bind(values.copy())
        else:
            self.theta[...] = values

    @property
    def dtype(self):
        """The dtype of theta and of every result."""
        return self.theta.dtype

    @property
    def blocks(self):
        """The blocks of theta as a dict of slices, in order: ``{"W1": ..., "b1": ..., "W2": ...}``."""
        named = {}
        for l, layer in enumerate(self.layers, start=1):
            named[f"W{l}"] = layer.W_slice
            if layer.b is not None:
                named[f"b{l}"] = layer.b_slice
        return named

    def with_theta(self, theta):
        """Return a model of the same form over this very vector, (n_params,), of any accepted dtype; no copy.

        The checks use it to evaluate the model at theta + e p, or at a complex theta, without touching this one.
        Layers over a ``Dual`` or ``Node`` of ``aelib.autodiff`` run in code that allocates its results.
        """
        shape = getattr(theta, "shape", None)
        if shape != self.theta.shape or theta.dtype not in _DTYPES:
            what = f"a {type(theta).__name__}" if shape is None else f"{theta.dtype}{shape}"
            raise ValueError(f"theta is {what}: expected an array {self.dtype.name}{self.theta.shape}")
        twin = object.__new__(type(self))
        layers = tuple(layer.over(theta) for layer in self.layers)
        twin.__dict__.update(self.__dict__, _theta=theta, _layers=layers)
        return twin

    def __copy__(self):
        return self.with_theta(self.theta.copy())

    def __setattr__(self, name, value):
        if name in _FIXED:
            raise AttributeError(f"{name} of a model cannot be set: make another one with the {name} wanted")
        super().__setattr__(name, value)

    def __setstate__(self, state):
        self.__dict__.update(state)
        if not self.theta.flags.writeable:  # joblib hands large arrays over as read-only memory maps
            self._bind(self.theta.copy())


def _activations(hidden, others, code, output):
    """Return the activations of the layers by name, in order; ``others`` layers are hidden ones but not the code."""
    if isinstance(hidden, str):
        hidden = [activation(hidden).name] * others  # raises where there is none of this name, even if no layer has it
    if not isinstance(hidden, (list, tuple)) or len(hidden) != others:
        given = len(hidden) if isinstance(hidden, (list, tuple)) else repr(hidden)
        raise ValueError(f"hidden names {given} activations: expected one name, or {others}, one a layer")
    return [activation(name) for name in [*hidden[: others // 2], code, *hidden[others // 2 :], output]]
