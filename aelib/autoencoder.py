"""The fully connected autoencoder: a vector theta, the layers over it; loss, gradient, curvature products, files."""

import contextlib
import copy
import json
import math
from numbers import Integral, Real

import numpy as np

from aelib import passes
from aelib.activations import ACTIVATIONS, activation
from aelib.arrays import as_array, as_codes, as_images, as_numbers, shown, sum_of_squares
from aelib.files import load_npz, save_npz, short
from aelib.layers import dense_layers, initialiser, n_params
from aelib.linearization import Linearization

_DTYPES = ("float32", "float64", "complex64", "complex128")
_FIXED = ("sizes", "hidden", "code", "output", "output_bias", "init", "seed", "dtype", "layers", "config", "blocks")
_BLOCK = 1000  # images that pass at a time, so that memory does not grow with their number
_PART = 500  # images whose gradient passes at a time in a net of ...
_FEW = 2**17  # ... fewer parameters: its activations stay in cache; in a larger one adding up costs what that saves


class Autoencoder:
    """x -> z^L(x): fully connected layers, trained to return their input.

    The objective is F(theta) = 1/n sum_i 0.5 ||x_i - z^L(x_i)||^2 + 0.5 weight_decay ||theta||^2. Its unit is
    half-SSE: half the squared pixel error of an image, summed over pixels, averaged over images. SSE is 2 F,
    the mean squared error per pixel 2 F / D.

    Args:
        sizes: layer widths from input to output, ``[784, 200, 2, 200, 784]``. Their number is odd, the first
            equals the last; the middle one is the code.
        hidden: activation of the hidden layers other than the code, a name in ``aelib.activations.ACTIVATIONS``, such
            as ``"relu"`` or ``"tanh"``; or a list, one name for each of these layers.
        code: activation of the code layer.
        output: activation of the output layer.
        output_bias: whether the output layer has a bias. The report's networks have none.
        init: ``"glorot"``, ``"he"`` or ``"report"`` (see ``aelib.layers``). Biases start at 0.
        weight_decay: coefficient of 0.5 ||theta||^2, over all parameters, biases included.
        seed: seed of the initial weights; the same seed gives the same weights.
        dtype: ``"float64"`` for checks, ``"float32"`` for speed; ``"complex128"`` serves the complex step.

    Attributes:
        layers: tuple of ``aelib.layers.Dense``; ``layers[l].W`` and ``.b`` are views into ``theta``.

    A copy (``copy.copy``, ``copy.deepcopy``, pickle) is a whole model with its own theta.

    Raises:
        ValueError: an argument is not as described.

    >>> model = Autoencoder([4, 1, 4], seed=0)
    >>> model.theta[:] = 0                      # then every output is sigmoid(0) = 1/2
    >>> model.loss(np.zeros((3, 4)))            # 0.5 * 4 * (1/2)^2
    0.5
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
                f"sizes is {shown(sizes)}: expected an odd number of positive widths, at least three, the first equal "
                "to the last, such as [784, 200, 2, 200, 784]"
            )
        with contextlib.suppress(TypeError):  # which leaves what is no dtype as it is
            dtype = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        if not isinstance(dtype, str):
            raise ValueError(f"dtype is {shown(dtype)}: expected one of {', '.join(_DTYPES)}")
        if dtype not in _DTYPES:
            raise ValueError(f"dtype is {dtype}: expected one of {', '.join(_DTYPES)}")
        if not isinstance(output_bias, bool | np.bool_):
            raise ValueError(f"output_bias is {shown(output_bias)}: expected True or False")
        if not isinstance(seed, Integral) or seed < 0:
            raise ValueError(f"seed is {shown(seed)}: expected a whole number >= 0")
        sizes = [int(size) for size in sizes]
        draw = initialiser(init)
        activations = _activations(hidden, len(sizes) - 3, code, output)
        biases = _biases(sizes, bool(output_bias))
        self.weight_decay = weight_decay
        self._made = dict(hidden=str(hidden) if isinstance(hidden, str) else None, init=str(init), seed=int(seed))
        self._theta = np.zeros(n_params(sizes, biases), dtype)
        self._layers = dense_layers(sizes, activations, biases, self._theta)
        rng = np.random.default_rng(int(seed))
        for layer in self.layers:
            layer.W = draw(rng, layer.n_out, layer.n_in)

    @property
    def config(self):
        """The arguments of a model like this one, by name, as it stands now: a dict that the model does not hold."""
        names = [layer.activation.name for layer in self.layers]
        k = len(names) // 2 - 1
        hidden = names[:k] + names[k + 1 : -1]
        given = self._made["hidden"]
        return dict(
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
            raise ValueError(f"weight_decay is {shown(value)}: expected a finite number >= 0")
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
        values = as_array("theta", values)
        grows = np.iscomplexobj(values) and not np.iscomplexobj(self.theta)
        values = as_numbers("theta", values, self.theta.astype(np.complex128) if grows else self.theta)
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

    def start_output_bias(self, X):
        """Set the output bias so that, at zero output weights, the output is the mean image.

        With a sigmoid output b_L = logit(mean pixel), the mean clipped to [1e-3, 1 - 1e-3]; with an identity
        output b_L = mean pixel. Call it before training, on the training images. Returns the model.

        Raises:
            ValueError: the network has no output bias, or its output is neither sigmoid nor identity.
        """
        layer = self.layers[-1]
        name = layer.activation.name
        if layer.b is None or name not in ("sigmoid", "identity"):
            raise ValueError(
                f"output is {name!r} with output_bias={layer.bias}: expected a sigmoid or identity output with a bias"
            )
        mean = self.check_images(X).mean(axis=0, dtype=np.float64)
        if name == "sigmoid":
            mean = np.clip(mean, 1e-3, 1 - 1e-3)
            mean = np.log(mean / (1 - mean))
        layer.b = mean
        return self

    # -- values ------------------------------------------------------------------------------------------------

    def check_images(self, X, look=True, name="X"):
        """Return X as an array if it can be images of this model, (n, D), or raise ValueError.

        They are floating point, finite and, with a sigmoid output, in [0, 1]; the first image that is not is named.
        ``look=False`` is for images looked at before; ``name`` is what a sentence calls them.
        """
        bounded = self.layers[-1].activation.name == "sigmoid"
        return as_images(X, self.layers[0].n_in, self.dtype, bounded, look, name)

    def _blocks_of(self, X, size=_BLOCK):
        """Yield X in blocks of rows, (size, D) or fewer, in the model's dtype."""
        return (X[i : i + size].astype(self.dtype, copy=False) for i in range(0, len(X), size))

    def _propagate(self, layers, X):
        return np.concatenate([passes.forward(layers, block).z[-1] for block in self._blocks_of(X)])

    def encode(self, X):
        """Return the codes z^{L/2} of images X (n, D): (n, d)."""
        return self._propagate(self.layers[: len(self.layers) // 2], self.check_images(X))

    def decode(self, Z):
        """Return the images that the decoder makes of codes Z (n, d): (n, D)."""
        decoder = self.layers[len(self.layers) // 2 :]
        return self._propagate(decoder, as_codes(Z, decoder[0].n_in, self.dtype))

    def reconstruct(self, X):
        """Return z^L(X) of images X (n, D): (n, D)."""
        return self._propagate(self.layers, self.check_images(X))

    def _penalty(self):
        return 0.5 * self.weight_decay * sum_of_squares(self.theta) if self.weight_decay else 0.0

    def objective(self, residual):
        """Return F for these residuals z^L - x, (n, D): half-SSE per image plus the weight decay."""
        return 0.5 * sum_of_squares(residual) / len(residual) + self._penalty()

    def reconstruction_error(self, X):
        """Return 1/n sum_i 0.5 ||x_i - z^L(x_i)||^2, half-SSE per image, without weight decay."""
        X = self.check_images(X)
        errors = (sum_of_squares(passes.forward(self.layers, x).z[-1] - x) for x in self._blocks_of(X))
        return 0.5 * sum(errors) / len(X)

    def loss(self, X):
        """Return F(theta) on images X (n, D): half-SSE per image plus 0.5 weight_decay ||theta||^2."""
        return self.reconstruction_error(X) + self._penalty()

    # -- derivatives -------------------------------------------------------------------------------------------

    def buffers(self, n):
        """Return the memory that ``loss_and_grad`` needs for n images, to be passed to it as ``out``."""
        n = min(n, self._part)
        primal = passes.forward(self.layers, np.zeros((n, self.layers[0].n_in), self.dtype))
        return primal, passes.backward(self.layers, primal, np.zeros_like(primal.z[-1]))

    @property
    def _part(self):
        """Images whose gradient passes at a time."""
        return _PART if self.theta.size < _FEW else _BLOCK

    def loss_and_grad(self, X, out=None):
        """Return F and its gradient on images X (n, D): (float, (n_params,)).

        Many images are taken in parts: F is the mean of its parts' means, and so is the gradient. The passes of one
        part take memory, whatever n is: 500 images of 784-200-2-200-784 in float32 15 MB, 1,000 of
        784-1000-500-250-2 and back 34 MB.

        Args:
            X: images in rows, floating point.
            out: ``buffers(n)``; the gradient may be a view of them, good until their next use. They are for loops
                whose images ``check_images`` has seen: the values of X are not looked at again.
        """
        X = self.check_images(X, look=out is None)
        part = self._part
        if len(X) <= part:
            return self._loss_and_grad(X.astype(self.dtype, copy=False), out)
        loss = 0.0
        grad = np.zeros_like(self.theta)
        for block in self._blocks_of(X, part):
            share = len(block) / len(X)
            part_loss, part_grad = self._loss_and_grad(block, out if len(block) == part else None)
            part_grad *= share
            grad += part_grad
            loss += share * part_loss
        return loss, grad

    def _loss_and_grad(self, X, out):
        primal, adjoint = out or (None, None)
        primal = passes.forward(self.layers, X, out=primal)
        residual = np.subtract(primal.z[-1], X, out=adjoint and adjoint.grad_z[-1])
        loss = self.objective(residual)
        residual *= 1 / len(X)
        grad = passes.backward(self.layers, primal, residual, out=adjoint).grad
        if self.weight_decay:
            grad += self.weight_decay * self.theta
        return loss, grad

    def linearize(self, X):
        """Return the ``Linearization`` at this theta and X: loss, grad, hvp, gnvp, jvp, vjp for many directions.

        It keeps the passes of all images: eight numbers for each unit of each image, beside a copy of the images.
        1,000 images of 784-1000-500-250-2 and back in float32 take 140 MB. For one direction and many images,
        ``hvp`` and ``gnvp`` take less.
        """
        return Linearization(copy.copy(self), np.array(self.check_images(X), self.dtype))

    def hvp(self, X, p):
        """Return H p on images X, (n_params,). For several directions, ``linearize`` once instead.

        Many images are taken in parts of 1,000, whose passes take memory, whatever n is: H p of 784-1000-500-250-2
        and back in float32 on 60,000 images takes 138 MB beside the images (8.0 GB at once, as ``linearize`` would).
        """
        return self._product(X, lambda at: at.hvp(p))

    def gnvp(self, X, p):
        """Return G p on images X, (n_params,), in parts as ``hvp`` takes them."""
        return self._product(X, lambda at: at.gnvp(p))

    def _product(self, X, product):
        """Return the mean over X of a product at the linearisation: each block counts by its share of the images."""
        X = self.check_images(X)
        if len(X) <= _BLOCK:
            return product(Linearization(self, X.astype(self.dtype, copy=False)))
        total = np.zeros_like(self.theta)
        for block in self._blocks_of(X):
            part = product(Linearization(self, block))
            part *= len(block) / len(X)
            total += part
        return total

    # -- files -------------------------------------------------------------------------------------------------

    def save(self, path):
        """Write the model to ``path`` (.npz): its ``config``, and theta. The file is whole or not there.

        Raises:
            ValueError: theta is not finite, or an activation is one of the caller's: a file that would not be loaded.
            OSError: ``path`` cannot be written, as in ``aelib.files.save``.
        """
        for layer in self.layers:
            if type(layer.activation) is not type(ACTIVATIONS.get(layer.activation.name)):
                own = type(layer.activation).__name__
                raise ValueError(f"{layer} has the activation {own}: a file can name those of aelib.activations only")
        _check_stored(self.config, self.theta)
        save_npz(path, theta=self.theta, config=np.array(json.dumps(self.config)))

    @classmethod
    def load(cls, path):
        """Return the model that ``save`` wrote to ``path``.

        Raises:
            FileNotFoundError: there is no such file.
            PermissionError: the file may not be read.
            ValueError: the file is damaged, or no aelib model, or theta is not finite.
        """
        arrays = load_npz(path, ["theta", "config"])
        try:
            config = json.loads(arrays["config"].item())
            _check_stored(config, arrays["theta"])
            model = cls(**config)
            model.theta = arrays["theta"]
        except Exception as error:  # of all kinds, for the arguments may be anything
            raise ValueError(f"{path} does not describe an aelib model ({short(error)})") from error
        return model

    def __repr__(self):
        sizes = "-".join(map(str, self.config["sizes"]))
        return f"Autoencoder({sizes}, {self.theta.size} parameters, {self.dtype.name})"


def _check_stored(config, theta):
    """Raise ValueError if theta is not what the arguments say, before a model of their size is made."""
    sizes = config["sizes"]
    bias = config.get("output_bias", True)
    dtype = config.get("dtype", "float64")
    if not (isinstance(sizes, list) and all(type(size) is int and size > 0 for size in sizes)):
        raise ValueError(f"sizes is {shown(sizes)}: expected a list of whole numbers")
    if type(bias) is not bool:
        raise ValueError(f"output_bias is {shown(bias)}: expected true or false")
    n = n_params(sizes, _biases(sizes, bias))
    if theta.shape != (n,) or theta.dtype.name != dtype:
        raise ValueError(f"theta is {theta.dtype.name}{theta.shape}: expected {dtype}({n},) for sizes {sizes}")
    if not np.isfinite(theta).all():
        raise ValueError("theta holds nan or inf, as after a training that diverged")


def _biases(sizes, output_bias):
    """Return which layers have a bias: all but perhaps the last."""
    return [True] * (len(sizes) - 2) + [output_bias]


def _activations(hidden, others, code, output):
    """Return the activations of the layers by name, in order; ``others`` layers are hidden ones but not the code."""
    if isinstance(hidden, str):
        hidden = [activation(hidden).name] * others  # raises where there is none of this name, even if no layer has it
    if not isinstance(hidden, (list, tuple)) or len(hidden) != others:
        given = len(hidden) if isinstance(hidden, (list, tuple)) else shown(hidden)
        raise ValueError(f"hidden names {given} activations: expected one name, or {others}, one a layer")
    return [activation(name) for name in [*hidden[: others // 2], code, *hidden[others // 2 :], output]]
