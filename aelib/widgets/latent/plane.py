"""The plane of codes of one model: what is asked of it is computed when it is first asked for, and kept."""

import copy
import functools
from typing import NamedTuple

import numpy as np

from aelib.arrays import as_labels
from aelib.common.geometry import decoder_jacobian, distortion


class Images(NamedTuple):
    """Images and their labels, one label each.

    Attributes:
        train_images, test_images: (n, 784) and (m, 784).
        train_labels, test_labels: (n,) and (m,).
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @classmethod
    def of(cls, data):
        """Return the images of an object like ``Mnist``, its labels flat.

        Raises:
            ValueError: it has no such images, they are not 28 x 28, or the labels are not one an image.
        """
        missing = [name for name in cls._fields if not hasattr(data, name)]
        if missing:
            raise ValueError(f"mnist is a {type(data).__name__} without {missing[0]}: expected what load_mnist returns")
        width = np.shape(data.test_images)[1]
        if width != 784:
            raise ValueError(f"the images have {width} pixels: expected 28 x 28, as the tiles and the drawing pad have")
        parts = {}
        for part in ("train", "test"):
            X = parts[f"{part}_images"] = getattr(data, f"{part}_images")
            try:
                parts[f"{part}_labels"] = as_labels(getattr(data, f"{part}_labels"), len(X))
            except ValueError as error:
                raise ValueError(f"{part}_{error}") from None
        return cls(**parts)


class CodePlane:
    """The plane of codes of one model: what is asked of it is computed when it is first asked for, and kept.

    It copies the model, so that later training does not change its answers.

    Args:
        model: an ``Autoencoder`` with a code of two numbers.
        mnist: what ``load_mnist`` returns.
        name: of the model, such as "update 100".

    Raises:
        ValueError: the code has not two numbers, or a parameter of the model is not finite.
    """

    def __init__(self, model, mnist, name=""):
        size = model.config["sizes"][len(model.layers) // 2]
        if size != 2:
            raise ValueError(f"the code has {size} numbers: expected two, for a plane")
        if not np.isfinite(model.theta).all():
            raise ValueError("a parameter of the model is not finite: it diverged, train it anew with smaller steps")
        self.model, self.mnist, self.name = copy.copy(model), mnist, name
        self.lattice = functools.lru_cache(maxsize=4)(self._lattice)

    @functools.cached_property
    def codes(self):
        """Codes of the test images, (m, 2)."""
        with np.errstate(over="ignore", invalid="ignore"):
            codes = self.model.encode(self.mnist.test_images)
        if not np.isfinite(codes).all():
            raise ValueError("a code is not finite: the model diverged, train it anew with smaller steps")
        return codes

    @functools.cached_property
    def all_codes(self):
        """Codes of the test images, then of the training images, (m + n, 2)."""
        return np.concatenate([self.codes, self.model.encode(self.mnist.train_images)])

    def first(self, count):
        """Return so many codes, those of the test images first."""
        return (self.codes if count <= len(self.codes) else self.all_codes)[:count]

    def nearest(self, place, count):
        """Return which of the first ``count`` codes is the nearest to a place."""
        return int(np.linalg.norm(self.first(count) - np.array(place), axis=1).argmin())

    def image(self, k):
        """Return image k, test images first, (784,), its label, and its name."""
        mnist, n = self.mnist, len(self.mnist.test_images)
        if k < n:
            return mnist.test_images[k], mnist.test_labels[k].item(), f"test image {k}"
        return mnist.train_images[k - n], mnist.train_labels[k - n].item(), f"training image {k - n}"

    def code(self, k):
        """Return the code of image k, (2,)."""
        return self.model.encode(self.image(k)[0][None])[0]

    @functools.cached_property
    def error(self):
        """Half-SSE on the test images: held-out images only are scored."""
        return self.model.reconstruction_error(self.mnist.test_images)

    @functools.cached_property
    def limits(self):
        """A square (x0, x1, y0, y1) round the middle 96 per cent of the test codes in each direction.

        Raises:
            ValueError: the model has collapsed: these codes are one point.
        """
        low, high = np.quantile(self.codes, [0.02, 0.98], axis=0).astype(float)
        half = 0.53 * (high - low).max()
        if not half > 1e-6 * np.abs(self.codes).max():
            raise ValueError(f"the model gives the images one and the same code, {low}: there is no plane to look at")
        return tuple((np.repeat((low + high) / 2, 2) + half * np.array([-1, 1, -1, 1])).tolist())

    def _lattice(self, limits, cells):
        """Return the centres, (cells^2, 2), of a lattice of squares, code 1 fastest, and the Jacobians there."""
        edges = [np.linspace(low, high, cells + 1) for low, high in np.reshape(limits, (2, 2))]
        x, y = ((edge[:-1] + edge[1:]) / 2 for edge in edges)
        Z = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        return Z, decoder_jacobian(self.model, Z)[1]

    def radius(self, limits, cells):
        """Return the change of image, ||dx|| to one digit, whose ellipses fit into the squares of a lattice."""
        magnification = np.median(np.sqrt(distortion(self.lattice(limits, cells)[1])))
        if not magnification:
            raise ValueError("the decoder makes the same image of most codes: there are no ellipses to draw")
        return float(f"{magnification * (limits[1] - limits[0]) / (5 * cells):.1g}")

    def vote(self, z, neighbours=15):
        """Return the most frequent label among the nearest test codes of z, (2,), and the number of its votes."""
        near = np.linalg.norm(self.codes - z, axis=1).argsort(kind="stable")[:neighbours]
        labels, votes = np.unique(self.mnist.test_labels[near], return_counts=True)
        return labels[votes.argmax()].item(), int(votes.max())
