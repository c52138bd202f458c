"""The reference ladder: what a model must beat, computed from the data; in half-SSE per image."""

import numpy as np


def half_sse(X, Z):
    """Return 1/n sum_i 0.5 ||x_i - z_i||^2 for two arrays of images in rows, (n, D).

    >>> half_sse(np.zeros((3, 4)), np.full((3, 4), 0.5))
    0.5
    """
    r = np.ravel(X - Z)
    return float(0.5 * (r @ r) / len(X))


def pca(X_train, X_test, components=2):
    """Return scikit-learn's PCA, fitted on X_train (n, D), and its half-SSE on X_test (m, D).

    The best any linear autoencoder of this code size can do on X_train (Baldi and Hornik, 1989).
    """
    from sklearn.decomposition import PCA

    fitted = PCA(components, svd_solver="covariance_eigh").fit(X_train)
    return fitted, half_sse(X_test, fitted.inverse_transform(fitted.transform(X_test)))


def ladder(X_train, X_test, components=(1, 2, 3)):
    """Return the half-SSE on X_test of standard answers fitted on X_train, as a dict by name, worst first.

    Grey (every pixel 0.5), black, the mean training image, and PCA with each number of components.
    """
    levels = {
        "grey": half_sse(X_test, np.float32(0.5)),
        "black": half_sse(X_test, np.float32(0)),
        "mean image": half_sse(X_test, X_train.mean(axis=0)),
    }
    fitted, _ = pca(X_train, X_test, max(components))
    codes = fitted.transform(X_test)
    for k in components:
        restored = codes[:, :k] @ fitted.components_[:k] + fitted.mean_
        levels[f"PCA-{k}"] = half_sse(X_test, restored)
    return levels
