"""The fully connected autoencoder: parameters, loss, gradient, curvature products, files."""

import math

import numpy as np

from aelib import passes
from aelib.activations import activation
from aelib.layers import dense_layers, initialiser, n_params
from aelib.linearization import Linearization
from aelib.modelfile import read_model, write_model

_DTYPES = ("float32", "float64", "complex64", "complex128")
_BLOCK = 1000  # images evaluated at a time, so that activations stay in cache and memory stays small
_PART = 500  # images whose passes run at a time in a net of ...
_FEW = 2**17  # ... fewer parameters; in a larger one, adding up the parts' gradients costs what the cache saves


class Autoencoder:
    """x -> z^L(x): fully connected layers, trained to return their input.

    The objective is F(theta) = 1/n sum_i 0.5 ||x_i - z^L(x_i)||^2 + 0.5 weight_decay ||theta||^2. Its unit is
    half-SSE: half the squared pixel error of an image, summed over pixels, averaged over images. SSE is 2 F,
    the mean squared error per pixel 2 F / D.

    Args:
        sizes: layer widths from input to output, ``[784, 200, 2, 200, 784]``. Their number is odd, the first
            equals the last; the middle one is the code.
        hidden: activation of the hidden layers other than the code: ``"relu"``, ``"leaky_relu"``, ``"tanh"``,
            ``"sigmoid"``, ``"softplus"`` or ``"identity"``; or a list, one name for each of these layers.
        code: activation of the code layer.
        output: activation of the output layer.
        output_bias: whether the output layer has a bias. The report's networks have none.
        init: ``"glorot"``, ``"he"`` or ``"report"`` (see ``aelib.layers``). Biases start at 0.
        weight_decay: coefficient of 0.5 ||theta||^2, over all parameters, biases included.
        seed: seed of the initial weights; the same seed gives the same weights.
        dtype: ``"float64"`` for checks, ``"float32"`` for speed; complex types serve the complex step.

    Attributes:
        layers: list of ``aelib.layers.Dense``; ``layers[l].W`` and ``.b`` are views into ``theta``.

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
        sizes = [int(size) for size in sizes]
        if len(sizes) < 3 or len(sizes) % 2 == 0 or sizes[0] != sizes[-1] or min(sizes) < 1:
            raise ValueError(
                f"sizes is {sizes}: expected an odd number of positive widths, at least three, the first equal "
                "to the last, such as [784, 200, 2, 200, 784]"
            )
        dtype = np.dtype(dtype)
        if dtype.name not in _DTYPES:
            raise ValueError(f"dtype is {dtype.name}: expected one of {', '.join(_DTYPES)}")
        if not (weight_decay >= 0 and math.isfinite(weight_decay)):
            raise ValueError(f"weight_decay is {weight_decay}: expected a finite number >= 0")
        self.config = dict(
            sizes=sizes,
            hidden=hidden if isinstance(hidden, str) else list(hidden),
            code=code,
            output=output,
            output_bias=bool(output_bias),
            init=init,
            weight_decay=float(weight_decay),
            seed=int(seed),
            dtype=dtype.name,
        )
        self.weight_decay = float(weight_decay)
        self._bind(np.zeros(n_params(sizes, self._biases), dtype))
        rng = np.random.default_rng(seed)
        draw = initialiser(init)
        for layer in self.layers:
            layer.W[...] = draw(rng, layer.n_out, layer.n_in)

    @property
    def _activations(self):
        """The names of the layers' activations, in order."""
        hidden, others = self.config["hidden"], len(self.config["sizes"]) - 3
        if isinstance(hidden, str):
            activation(hidden)  # raises where there is none of this name, even if no layer has it
            hidden = [hidden] * others
        if len(hidden) != others:
            raise ValueError(f"hidden names {len(hidden)} activations: expected one name, or {others}, one a layer")
        return [*hidden[: others // 2], self.config["code"], *hidden[others // 2 :], self.config["output"]]

    @property
    def _biases(self):
        return [True] * (len(self.config["sizes"]) - 2) + [self.config["output_bias"]]

    def _bind(self, theta):
        """Make theta this model's vector and the layers views into it."""
        self._theta = theta
        activations = [activation(name) for name in self._activations]
        self.layers = dense_layers(self.config["sizes"], activations, self._biases, theta)

    @property
    def theta(self):
        """All parameters, (n_params,): per layer W in C order, then b if any. Writable in place.

        Assigning copies the values in; a complex vector makes the model complex.
        """
        return self._theta

    @theta.setter
    def theta(self, values):
        values = np.asarray(values)
        if values.shape != self.theta.shape:
            raise ValueError(f"theta has shape {values.shape}: expected {self.theta.shape} for this network")
        if np.iscomplexobj(values) and not np.iscomplexobj(self.theta):
            self._bind(values.astype(np.complex128))
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
        """
        twin = object.__new__(type(self))
        twin.config = dict(self.config, dtype=theta.dtype.name)
        twin.weight_decay = self.weight_decay
        if theta.shape != self.theta.shape or theta.dtype.name not in _DTYPES:
            raise ValueError(f"theta is {theta.dtype.name}{theta.shape}: expected {self.dtype.name}{self.theta.shape}")
        twin._bind(theta)
        return twin

    def start_output_bias(self, X):
        """Set the output bias so that, at zero output weights, the output is the mean image.

        With a sigmoid output b_L = logit(mean pixel), the mean clipped to [1e-3, 1 - 1e-3]; with an identity
        output b_L = mean pixel. Call it before training, on the training images. Returns the model.

        Raises:
            ValueError: the network has no output bias, or its output is neither sigmoid nor identity.
        """
        layer, name = self.layers[-1], self.config["output"]
        if layer.b is None or name not in ("sigmoid", "identity"):
            raise ValueError(
                f"output is {name!r} with output_bias={layer.bias}: expected a sigmoid or identity output with a bias"
            )
        mean = self.check_images(X).mean(axis=0, dtype=np.float64)
        if name == "sigmoid":
            mean = np.clip(mean, 1e-3, 1 - 1e-3)
            mean = np.log(mean / (1 - mean))
        layer.b[...] = mean
        return self

    # -- values ------------------------------------------------------------------------------------------------

    def check_images(self, X, width=None, convert=False):
        """Return X as an array if it holds floating-point rows of the right width (by default D), or raise ValueError.

        ``convert`` casts it to the model's dtype too.
        """
        X = np.asarray(X)
        width = width or self.layers[0].n_in
        if X.ndim != 2 or X.shape[1] != width or not len(X):
            raise ValueError(f"X has shape {X.shape}: expected one image per row, (n, {width}) with n >= 1")
        if X.dtype.kind not in "fc":
            raise ValueError(f"X has dtype {X.dtype}: expected floating point in [0, 1] (divide grey levels by 255)")
        return X.astype(self.dtype, copy=False) if convert else X

    def _propagate(self, layers, X):
        X = self.check_images(X, layers[0].n_in)
        out = np.empty((len(X), layers[-1].n_out), self.dtype)
        for i in range(0, len(X), _BLOCK):
            block = X[i : i + _BLOCK].astype(self.dtype, copy=False)
            out[i : i + _BLOCK] = passes.forward(layers, block).z[-1]
        return out

    def encode(self, X):
        """Return the codes z^{L/2} of images X (n, D): (n, d)."""
        return self._propagate(self.layers[: len(self.layers) // 2], X)

    def decode(self, Z):
        """Return the images that the decoder makes of codes Z (n, d): (n, D)."""
        return self._propagate(self.layers[len(self.layers) // 2 :], Z)

    def reconstruct(self, X):
        """Return z^L(X) of images X (n, D): (n, D)."""
        return self._propagate(self.layers, X)

    def _penalty(self):
        if not self.weight_decay:
            return 0.0
        return 0.5 * self.weight_decay * (self.theta @ self.theta).item()

    def objective(self, residual):
        """Return F for these residuals z^L - x, (n, D): half-SSE per image plus the weight decay."""
        r = residual.ravel()
        return 0.5 * (r @ r).item() / len(residual) + self._penalty()

    def reconstruction_error(self, X):
        """Return 1/n sum_i 0.5 ||x_i - z^L(x_i)||^2, half-SSE per image, without weight decay."""
        X, total = self.check_images(X), 0.0
        for i in range(0, len(X), _BLOCK):
            block = X[i : i + _BLOCK].astype(self.dtype, copy=False)
            r = (passes.forward(self.layers, block).z[-1] - block).ravel()
            total += (r @ r).item()
        return 0.5 * total / len(X)

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
        """Images that pass at a time: a net of few weights spends its time on activations, which are kept in cache."""
        return _PART if self.theta.size < _FEW else math.inf

    def loss_and_grad(self, X, out=None):
        """Return F and its gradient on images X (n, D): (float, (n_params,)).

        A net of few weights takes many images in parts: F is the mean of its parts' means, and so is the gradient.

        Args:
            X: images in rows, floating point.
            out: ``buffers(n)``; the gradient may be a view of them, good until their next use.
        """
        X = self.check_images(X, convert=True)
        n, part = len(X), self._part
        if n <= part:
            return self._loss_and_grad(X, out)
        loss, grad = 0.0, np.zeros_like(self.theta)
        for i in range(0, n, part):
            images = X[i : i + part]
            part_loss, part_grad = self._loss_and_grad(images, out if len(images) == part else None)
            part_grad *= len(images) / n
            loss += part_loss * (len(images) / n)
            grad += part_grad
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
        """Return the ``Linearization`` at this theta and X: loss, grad, hvp, gnvp, jvp, vjp for many directions."""
        return Linearization(self.with_theta(self.theta.copy()), self.check_images(X, convert=True))

    def hvp(self, X, p):
        """Return H p on images X, (n_params,). For several directions, ``linearize`` once instead."""
        return self.linearize(X).hvp(p)

    def gnvp(self, X, p):
        """Return G p on images X, (n_params,). For several directions, ``linearize`` once instead."""
        return self.linearize(X).gnvp(p)

    # -- files -------------------------------------------------------------------------------------------------

    def save(self, path):
        """Write the model to ``path`` (.npz), atomically: the arguments it was made with, and theta.

        Raises:
            ValueError: theta is not finite; such a file would not be loaded.
        """
        write_model(path, dict(self.config, dtype=self.dtype.name), self.theta)

    @classmethod
    def load(cls, path):
        """Return the model that ``save`` wrote to ``path``.

        Raises:
            FileNotFoundError: there is no such file.
            PermissionError: the file may not be read.
            ValueError: the file is damaged, or no aelib model, or theta is not finite.
        """
        return read_model(path, cls)

    def __repr__(self):
        sizes = "-".join(map(str, self.config["sizes"]))
        return f"Autoencoder({sizes}, {self.theta.size} parameters, {self.dtype.name})"
