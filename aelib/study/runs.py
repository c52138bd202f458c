"""One run of the study: ``execute(run)`` trains, or maps, and returns its ``Result``.

Besides the logged columns a training run may keep, by ``Run.keep``:

- "codes": ``codes``, (70000, 2) float16, training images first;
- "weights": ``theta`` and ``config``, the trained model;
- "pictures": ``pictures``, (10, 784) uint8, 255 times its reconstructions of ``ten_digits``;
- "cosines": ``cosines``, (moments, 6), the signed cosine of H p and G p for p the gradient, then for five random
  directions; the moments begin at 0, before the first update;
- "sharpness": after every update, ``sharpness``, (moments, 2): on 1,000 training images the curvature d.Hd / d.Pd in
  Adam's metric P = diag(sqrt(v_hat) + epsilon) of the update that they would make next, for d its step and for
  d = P^-1 grad.
"""

import functools
import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from aelib.baselines import pca
from aelib.checks import compare
from aelib.datasets import load_mnist
from aelib.study.experiments import Map
from aelib.study.results import COLUMNS, Result, load
from aelib.train import Diverged, trace

_PROBED = 1000  # images on which cosines and curvature are measured


@functools.cache
def _mnist():
    return load_mnist()


def logged(update, updates_per_epoch):
    """Return whether this update is logged: 1, 2, 5 times a power of 10, or the last of an epoch."""
    return update > 0 and (update % updates_per_epoch == 0 or str(update).rstrip("0") in ("1", "2", "5"))


def ten_digits(mnist):
    """Return the first test image of each digit, 0 to 9, (10, 784)."""
    return mnist.test_images[[int(np.argmax(mnist.test_labels == digit)) for digit in range(10)]]


def execute(run):
    """Make one run and return its ``Result``."""
    wall, cpu = time.perf_counter(), time.process_time()
    versions = {name: version(name) for name in ("numpy", "aelib")}
    if isinstance(run, Map):
        arrays, status = _map(run), "done"
        versions |= {name: version(name) for name in ("scikit-learn", *(["umap-learn"] * (run.method == "UMAP")))}
    else:
        arrays, status = _train(run)
    info = dict(
        wall_seconds=round(time.perf_counter() - wall, 2),
        cpu_seconds=round(time.process_time() - cpu, 2),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **versions},
    )
    return Result(run, status, info, arrays)


# -- training ----------------------------------------------------------------------------------------------------------


def _train(run):
    """Return (arrays, status) of a training run."""
    mnist, own = _mnist(), run.settings
    X, X_test = own.part(mnist.train_images), mnist.train_images[-10_000:] if run.held_out else mnist.test_images
    model, optimizer, per_epoch = own.model(X), own.optimizer(), -(-own.images // own.batch)

    def test_loss(model):
        with np.errstate(over="ignore", invalid="ignore"):
            return model.reconstruction_error(X_test)

    at, measure = lambda update: logged(update, per_epoch), dict(test_loss=test_loss)
    if "cosines" in run.keep:
        at, measure = (
            lambda update: update == 0 or logged(update, per_epoch),
            measure | dict(cosines=_cosines(model, X)),
        )
    if "sharpness" in run.keep:
        measure["sharpness"] = _sharpness(optimizer, X)
        at = None
    try:
        found, status = trace(model, X, optimizer, own.epochs, own.batch, own.seed, at, measure), "done"
    except Diverged as diagnosis:
        found, status = diagnosis.trace, str(diagnosis)
    arrays = {name: found.arrays[name] for name in (*COLUMNS, *(set(measure) - set(COLUMNS)))}
    if "sharpness" in run.keep:
        arrays["batch_loss"], (arrays["along_step"], arrays["along_gradient"]) = found.train_loss, found.sharpness.T
    if "codes" in run.keep:
        codes = [model.encode(images) for images in (mnist.train_images, mnist.test_images)]
        arrays["codes"] = np.concatenate(codes).astype(np.float16)
    if "weights" in run.keep:
        arrays |= dict(theta=model.theta, config=np.array(json.dumps(dict(model.config))))
    if "pictures" in run.keep:
        arrays["pictures"] = np.round(255 * model.reconstruct(ten_digits(mnist))).astype(np.uint8)
    return arrays, status


def _cosines(model, X):
    """Return the measure of the signed cosines of H p and G p, (6,), in float64.

    Without weight decay, which would be a part of both.
    """
    X = X[:_PROBED].astype(np.float64)
    directions = np.random.default_rng(0).standard_normal((5, model.theta.size))

    def cosines(model):
        model = model.with_theta(model.theta.astype(np.float64))
        model.weight_decay = 0.0
        at = model.linearize(X)
        return np.array([compare(at.hvp(p), at.gnvp(p)).cosine for p in (at.grad, *directions)])

    return cosines


def _sharpness(optimizer, X):
    """Return the measure of the curvature in the metric of the update that Adam would make next on these images."""

    def sharpness(model):
        at, beta1, beta2 = model.linearize(X[:_PROBED]), optimizer.beta1, optimizer.beta2
        first, second = optimizer.moments["first"], optimizer.moments["second"]  # both without the factors 1 - beta
        scale = (1 - beta2) / (1 - beta2 ** (optimizer.updates + 1))
        P = np.sqrt(scale * (beta2 * second + at.grad**2)) + optimizer.epsilon
        return np.array([d @ at.hvp(d) / (d @ (P * d)) for d in ((beta1 * first + at.grad) / P, at.grad / P)])

    return sharpness


# -- maps --------------------------------------------------------------------------------------------------------------


def _map(run):
    """Return the arrays of a map: ``codes`` (train + test, 2) float16, ``accuracy``, ``trustworthiness``.

    PCA and the autoencoders also have ``accuracy_all``: kNN on all 60,000 training codes, scored on all test codes.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import KNeighborsClassifier

    mnist = _mnist()
    parts = [(mnist.train_images, mnist.train_labels), (mnist.test_images, mnist.test_labels)]
    (X, labels), (X_test, test_labels) = (
        (images[:n], digits[:n]) for (images, digits), n in zip(parts, (run.train, run.test), strict=True)
    )

    def accuracy(Z, labels, Z_test, test_labels):
        return KNeighborsClassifier(run.neighbours).fit(Z, labels).score(Z_test, test_labels)

    arrays = {}
    if run.method in ("PCA", "autoencoder"):
        all_codes = _parametric(run, mnist)
        (Z_all, digits), (Z_all_test, test_digits) = ((z, d) for z, (_, d) in zip(all_codes, parts, strict=True))
        arrays["accuracy_all"] = accuracy(Z_all, digits, Z_all_test, test_digits)
        Z, Z_test = Z_all[: run.train], Z_all_test[: run.test]
    else:
        Z, Z_test = np.split(_embed(run, np.concatenate([X, X_test])), [run.train])
    arrays |= dict(
        codes=np.concatenate([Z, Z_test]).astype(np.float16),
        accuracy=accuracy(Z, labels, Z_test, test_labels),
        trustworthiness=trustworthiness(X_test, Z_test, n_neighbors=run.near),
    )
    return {name: np.array(values) for name, values in arrays.items()}


def _parametric(run, mnist):
    """Return the codes of all training and all test images."""
    if run.method == "PCA":
        fitted, _ = pca(mnist.train_images, mnist.test_images, 2)
        return fitted.transform(mnist.train_images), fitted.transform(mnist.test_images)
    own = [r for r in load("embedding") if (r.settings.net, r.settings.seed) == (run.net, run.seed)]
    return np.split(own[0].codes.astype(np.float32), [len(mnist.train_images)])


def _embed(run, X):
    """Return the codes that t-SNE or UMAP gives images X, with the defaults of scikit-learn and umap-learn."""
    if run.method == "t-SNE":
        from sklearn.manifold import TSNE

        return TSNE(random_state=run.seed).fit_transform(X)
    try:
        from umap import UMAP
    except ImportError:
        raise ValueError("UMAP needs umap-learn: pip install -e .[reference]") from None
    return UMAP(random_state=run.seed, n_jobs=1).fit_transform(X)
