"""One run of the study: ``execute(setting)`` trains, or maps, and returns its ``Result``.

Besides the logged columns a training run may keep, by ``Setting.keep``:

- "weights": ``theta`` and ``config``, the trained model;
- "pictures": ``pictures``, (10, 784) uint8, 255 times its reconstructions of ``ten_digits``;
- "cosines": at updates 0, 1, 2, 5, 10, 20, 50, ... and the last, listed in ``at``, the signed cosine of H p and G p for
  p the gradient (``cosine_gradient``, (k,)) and five random directions (``cosine_random``, (k, 5));
- "sharpness": after every update, ``batch_loss``, and on 1,000 training images the curvature d.Hd / d.Pd in Adam's
  metric P = diag(sqrt(v_hat) + epsilon) of the update that they would make next, for d its step (``along_step``) and
  d = P^-1 grad (``along_gradient``);

and ``codes`` with ``Setting.codes``: (70000, 2) float16, training images first.
"""

import functools
import json
import math
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
from aelib.train import Diverged, train

_PROBED = 1000  # images on which cosines and curvature are measured


@functools.cache
def _mnist():
    return load_mnist()


def logged(update, updates_per_epoch):
    """Return whether this update is logged: 1, 2, 5 times a power of 10, or the last of an epoch."""
    return update % updates_per_epoch == 0 or str(update).rstrip("0") in ("1", "2", "5")


def ten_digits(mnist):
    """Return the first test image of each digit, 0 to 9, (10, 784)."""
    return mnist.test_images[[int(np.argmax(mnist.test_labels == digit)) for digit in range(10)]]


def execute(setting):
    """Make one run and return its ``Result``."""
    wall, cpu = time.perf_counter(), time.process_time()
    versions = {name: version(name) for name in ("numpy", "aelib")}
    if isinstance(setting, Map):
        arrays, status = _map(setting), "done"
        versions |= {name: version(name) for name in ("scikit-learn", *(["umap-learn"] * (setting.method == "UMAP")))}
    else:
        arrays, status = _train(setting)
    info = dict(
        wall_seconds=round(time.perf_counter() - wall, 2),
        cpu_seconds=round(time.process_time() - cpu, 2),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **versions},
    )
    return Result(setting, status, info, arrays)


# -- training ----------------------------------------------------------------------------------------------------------


def _train(setting):
    """Return (arrays, status) of a training run."""
    mnist = _mnist()
    X = mnist.train_images[: setting.images]
    X_test = mnist.train_images[-10_000:] if setting.held_out else mnist.test_images
    model, per_epoch = setting.model(X), math.ceil(setting.images / setting.batch_size)
    optimizer, probe = setting.optimizer(), PROBES.get(setting.keep, Probe)()
    rows, losses, status = [], [], "done"
    probe.start(model, X)
    try:
        for p in train(model, X, optimizer, setting.epochs, setting.batch_size, setting.seed):
            losses.append(p.train_loss)
            probe.after(p, optimizer, p.update == setting.updates)
            if logged(p.update, per_epoch):
                with np.errstate(over="ignore", invalid="ignore"):
                    test_loss = model.reconstruction_error(X_test)
                rows.append((p.update, p.images, p.seconds, np.mean(losses), test_loss, p.grad_norm))
                losses = []
    except Diverged as diagnosis:
        status = str(diagnosis)
    arrays = dict(zip(COLUMNS, np.array(rows, np.float64).reshape(-1, len(COLUMNS)).T, strict=True))
    arrays |= {name: np.array(values) for name, values in probe.arrays.items()}
    if setting.codes:
        codes = [model.encode(images) for images in (mnist.train_images, mnist.test_images)]
        arrays["codes"] = np.concatenate(codes).astype(np.float16)
    if setting.keep == "weights":
        arrays |= dict(theta=model.theta, config=np.array(json.dumps(model.config)))
    if setting.keep == "pictures":
        arrays["pictures"] = np.round(255 * model.reconstruct(ten_digits(mnist))).astype(np.uint8)
    return arrays, status


class Probe:
    """Measures nothing; the form of the others: ``arrays`` of lists that grow while training goes on."""

    def __init__(self):
        self.arrays = {}

    def start(self, model, X):
        """Take the model and its training images, before the first update."""

    def after(self, progress, optimizer, last):
        """Measure after an update."""


class Cosines(Probe):
    """The signed cosine of H p and G p in float64, without weight decay, which would be a part of both."""

    def __init__(self):
        self.arrays = dict(at=[], cosine_gradient=[], cosine_random=[])

    def start(self, model, X):
        """Measure before the first update."""
        self.model, self.X = model, X[:_PROBED].astype(np.float64)
        self.directions = np.random.default_rng(0).standard_normal((5, model.theta.size))
        self._measure(0)

    def after(self, progress, optimizer, last):
        """Measure at updates 1, 2, 5, 10, ... and the last."""
        if last or logged(progress.update, math.inf):
            self._measure(progress.update)

    def _measure(self, update):
        model = self.model.with_theta(self.model.theta.astype(np.float64))
        model.weight_decay = 0.0
        at = model.linearize(self.X)
        cosines = [compare(at.hvp(p), at.gnvp(p)).cosine for p in (at.grad, *self.directions)]
        for name, value in zip(self.arrays, (update, cosines[0], cosines[1:]), strict=True):
            self.arrays[name].append(value)


class Sharpness(Probe):
    """Curvature in the metric of Adam's next update, along that step and along the preconditioned gradient."""

    def __init__(self):
        self.arrays = dict(batch_loss=[], along_step=[], along_gradient=[])

    def start(self, model, X):
        """Take the images."""
        self.model, self.X = model, X[:_PROBED]

    def after(self, progress, optimizer, last):
        """Measure after this update, as if the next batch were these images."""
        at, beta1, beta2 = self.model.linearize(self.X), optimizer.beta1, optimizer.beta2
        first, second = optimizer.moments["first"], optimizer.moments["second"]  # both without the factors 1 - beta
        scale = (1 - beta2) / (1 - beta2 ** (optimizer.updates + 1))
        P = np.sqrt(scale * (beta2 * second + at.grad**2)) + optimizer.epsilon
        quotients = [d @ at.hvp(d) / (d @ (P * d)) for d in ((beta1 * first + at.grad) / P, at.grad / P)]
        for name, value in zip(self.arrays, (progress.train_loss, *quotients), strict=True):
            self.arrays[name].append(float(value))


PROBES = {"cosines": Cosines, "sharpness": Sharpness}


# -- maps --------------------------------------------------------------------------------------------------------------


def _map(setting):
    """Return the arrays of a map: ``codes`` (train + test, 2) float16, ``accuracy``, ``trustworthiness``.

    PCA and the autoencoders also have ``accuracy_all``: kNN on all 60,000 training codes, scored on all test codes.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import KNeighborsClassifier

    mnist = _mnist()
    parts = [(mnist.train_images, mnist.train_labels), (mnist.test_images, mnist.test_labels)]
    (X, labels), (X_test, test_labels) = (
        (images[:n], digits[:n]) for (images, digits), n in zip(parts, (setting.train, setting.test), strict=True)
    )

    def accuracy(Z, labels, Z_test, test_labels):
        return KNeighborsClassifier(setting.neighbours).fit(Z, labels).score(Z_test, test_labels)

    arrays = {}
    if setting.method in ("PCA", "autoencoder"):
        all_codes = _parametric(setting, mnist)
        (Z_all, digits), (Z_all_test, test_digits) = ((z, d) for z, (_, d) in zip(all_codes, parts, strict=True))
        arrays["accuracy_all"] = accuracy(Z_all, digits, Z_all_test, test_digits)
        Z, Z_test = Z_all[: setting.train], Z_all_test[: setting.test]
    else:
        Z, Z_test = np.split(_embed(setting, np.concatenate([X, X_test])), [setting.train])
    arrays |= dict(
        codes=np.concatenate([Z, Z_test]).astype(np.float16),
        accuracy=accuracy(Z, labels, Z_test, test_labels),
        trustworthiness=trustworthiness(X_test, Z_test, n_neighbors=setting.near),
    )
    return {name: np.array(values) for name, values in arrays.items()}


def _parametric(setting, mnist):
    """Return the codes of all training and all test images."""
    if setting.method == "PCA":
        fitted, _ = pca(mnist.train_images, mnist.test_images, 2)
        return fitted.transform(mnist.train_images), fitted.transform(mnist.test_images)
    own = [r for r in load("embedding") if (r.setting.net, r.setting.seed) == (setting.net, setting.seed)]
    return np.split(own[0].codes.astype(np.float32), [len(mnist.train_images)])


def _embed(setting, X):
    """Return the codes that t-SNE or UMAP gives images X, with the defaults of scikit-learn and umap-learn."""
    if setting.method == "t-SNE":
        from sklearn.manifold import TSNE

        return TSNE(random_state=setting.seed).fit_transform(X)
    try:
        from umap import UMAP
    except ImportError:
        raise ValueError("UMAP needs umap-learn: pip install -e .[reference]") from None
    return UMAP(random_state=setting.seed, n_jobs=1).fit_transform(X)
