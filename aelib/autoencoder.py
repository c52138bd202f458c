"""The fully connected autoencoder: outputs, loss, gradient, curvature products, files."""

import copy
import math

import numpy as np

from aelib import passes
from aelib.activations import ACTIVATIONS
from aelib.arrays import codes, images, sum_of_squares
from aelib.files.models import read_model, write_model
from aelib.linearization import Linearization
from aelib.network import Network

_BLOCK = 1000  # images evaluated at a time, so that activations stay in cache and memory stays small
_PART = 500  # images whose passes run at a time in a net of ...
_FEW = 2**17  # ... fewer parameters; in a larger one, adding up the parts' gradients costs what the cache saves


class Autoencoder(Network):
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
        layers: tuple of ``aelib.layers.Dense``; ``layers[l].W`` and ``.b`` are views into ``theta``.

    A copy (``copy.copy``, ``copy.deepcopy``, pickle) is a whole model with its own theta.

    Raises:
        ValueError: an argument is not as described.

    >>> model = Autoencoder([4, 1, 4], seed=0)
    >>> model.theta[:] = 0                      # then every output is sigmoid(0) = 1/2
    >>> model.loss(np.zeros((3, 4)))            # 0.5 * 4 * (1/2)^2
    0.5
    """

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

    def check_images(self, X, convert=False, look=True, name="X"):
        """Return X as an array if it can be images of this model, (n, D), or raise ValueError.

        They are floating point, finite and, with a sigmoid output, in [0, 1]; the first image that is not is named.
        ``convert`` casts X to the model's dtype too; ``look=False`` is for images looked at before;
        ``name`` is what a sentence calls them.
        """
        bounded = self.layers[-1].activation.name == "sigmoid"
        X = images(X, self.layers[0].n_in, self.dtype, bounded, look, name)
        return X.astype(self.dtype, copy=False) if convert else X

    def _blocks_of(self, X):
        return (X[i : i + _BLOCK].astype(self.dtype, copy=False) for i in range(0, len(X), _BLOCK))

    def _propagate(self, layers, X):
        return np.concatenate([passes.forward(layers, block).z[-1] for block in self._blocks_of(X)])

    def encode(self, X):
        """Return the codes z^{L/2} of images X (n, D): (n, d)."""
        return self._propagate(self.layers[: len(self.layers) // 2], self.check_images(X))

    def decode(self, Z):
        """Return the images that the decoder makes of codes Z (n, d): (n, D)."""
        decoder = self.layers[len(self.layers) // 2 :]
        return self._propagate(decoder, codes(Z, decoder[0].n_in, self.dtype))

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
        """Images that pass at a time: a net of few weights spends its time on activations, which are kept in cache."""
        return _PART if self.theta.size < _FEW else math.inf

    def loss_and_grad(self, X, out=None):
        """Return F and its gradient on images X (n, D): (float, (n_params,)).

        A net of few weights takes many images in parts: F is the mean of its parts' means, and so is the gradient.

        Args:
            X: images in rows, floating point.
            out: ``buffers(n)``; the gradient may be a view of them, good until their next use. They are for loops
                whose images ``check_images`` has seen: the values of X are not looked at again.
        """
        X = self.check_images(X, convert=True, look=out is None)
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
        return Linearization(copy.copy(self), np.array(self.check_images(X), self.dtype))

    def hvp(self, X, p):
        """Return H p on images X, (n_params,). For several directions, ``linearize`` once instead."""
        return Linearization(self, self.check_images(X, convert=True)).hvp(p)

    def gnvp(self, X, p):
        """Return G p on images X, (n_params,). For several directions, ``linearize`` once instead."""
        return Linearization(self, self.check_images(X, convert=True)).gnvp(p)

    # -- files -------------------------------------------------------------------------------------------------

    def save(self, path):
        """Write the model to ``path`` (.npz), atomically: its ``config``, and theta.

        Raises:
            ValueError: theta is not finite, or an activation is one of the caller's: a file that would not be loaded.
        """
        for layer in self.layers:
            if type(layer.activation) is not type(ACTIVATIONS.get(layer.activation.name)):
                own = type(layer.activation).__name__
                raise ValueError(f"{layer} has the activation {own}: a file can name those of aelib.activations only")
        write_model(path, self.config, self.theta)

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
