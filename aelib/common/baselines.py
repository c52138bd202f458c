"""The reference ladder: what a model must beat, computed from the data; in half-SSE per image."""

import weakref
from numbers import Integral

import numpy as np

from aelib import arrays

_BLOCK = 1000  # images at a time, so that their differences stay in cache
_KEPT = {}  # components -> (weak reference to images, their axes)


def half_sse(X, Z):
    """Return 1/n sum_i 0.5 ||x_i - z_i||^2 for two arrays of images in rows, (n, D); nan or inf where they hold some.

    Raises:
        ValueError: they are not two arrays of one shape (n, D) with n >= 1, of real numbers.

    >>> half_sse(np.zeros((3, 4)), np.full((3, 4), 0.5))
    0.5
    """
    X = arrays.as_array("X", X)
    Z = arrays.as_array("Z", Z)
    if X.ndim != 2 or X.shape != Z.shape or not len(X):
        raise ValueError(f"X has shape {X.shape}, Z {Z.shape}: expected images in rows, twice the same (n, D), n >= 1")
    if X.dtype.kind not in "fiu" or Z.dtype.kind not in "fiu":
        raise ValueError(f"X has dtype {X.dtype}, Z {Z.dtype}: expected real numbers")
    dtype = np.result_type(X.dtype, Z.dtype, np.float32)
    parts = (slice(first, first + _BLOCK) for first in range(0, len(X), _BLOCK))
    return 0.5 * sum(arrays.sum_of_squares(np.subtract(X[part], Z[part], dtype=dtype)) for part in parts) / len(X)


def pca(X_train, X_test, components=2):
    """Return scikit-learn's PCA, fitted on X_train (n, D), and its half-SSE on X_test (m, D).

    The best any linear autoencoder of this code size can do on X_train (Baldi and Hornik, 1989).

    Raises:
        ValueError: the images are no finite floating-point rows of one width, or more components than n or D.
    """
    from sklearn.decomposition import PCA

    X_train, X_test = _two_sets(X_train, X_test, components)
    with np.errstate(invalid="ignore"):  # images that are all the same have no variance to share out
        fitted = PCA(components, svd_solver="covariance_eigh").fit(X_train)
    return fitted, half_sse(X_test, fitted.inverse_transform(fitted.transform(X_test)))


def _axes(X, components):
    """Return the mean (D,) and the first principal directions (D, k) of images; scikit-learn takes longer to import."""
    kept, axes = _KEPT.get(components, (lambda: None, None))
    if kept() is not X:
        mean = X.mean(axis=0, dtype=np.float64)
        axes = mean, np.linalg.eigh(X.T @ X / len(X) - np.outer(mean, mean))[1][:, ::-1][:, :components]
        if not X.flags.writeable and X.base is None:  # nobody can change them
            _KEPT[components] = weakref.ref(X), axes
    return axes


def _two_sets(X_train, X_test, *components):
    X_train = arrays.as_array("X_train", X_train)
    D = X_train.shape[-1] if X_train.ndim else 1
    X_train = arrays.as_images(X_train, D, np.dtype(float), bounded=False, name="X_train")
    X_test = arrays.as_images(X_test, D, np.dtype(float), bounded=False, name="X_test")
    most = min(X_train.shape)
    if len(X_train) < 2 or not components or not all(isinstance(k, Integral) and 1 <= k <= most for k in components):
        raise ValueError(
            f"components is {', '.join(map(arrays.shown, components))}, X_train has shape {X_train.shape}: expected "
            f"two images or more, and whole numbers from 1 to {most}: no more components than images or pixels"
        )
    return X_train, X_test


def ladder(X_train, X_test, components=(1, 2, 3)):
    """Return the half-SSE on X_test of standard answers fitted on X_train, as a dict by name, worst first.

    Grey (every pixel 0.5), black, the mean training image, and PCA with each number of components. Errors are those
    of ``pca``.
    """
    components = tuple(components) if np.iterable(components) else (components,)
    X_train, X_test = _two_sets(X_train, X_test, *components)
    mean, V = (part.astype(X_test.dtype) for part in _axes(X_train, max(components)))
    answers = {"grey": X_test.dtype.type(0.5), "black": X_test.dtype.type(0), "mean image": mean}
    codes = X_test - mean
    answers |= {f"PCA-{k}": codes @ V[:, :k] @ V[:, :k].T + mean for k in components}
    return {name: half_sse(X_test, np.broadcast_to(answer, X_test.shape)) for name, answer in answers.items()}
