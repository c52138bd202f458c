"""One run of the study: ``execute(run)`` trains, maps, or races, and returns its ``Result``.

Besides the logged columns a training run may keep, by ``Run.keep``:

- "codes": ``codes``, (70000, 2) float16, training images first;
- "weights": ``theta`` and ``config``, the trained model;
- "pictures": ``pictures``, (10, 784) uint8, 255 times its reconstructions of ``ten_digits``;
- "cosines": ``cosines``, (moments, 6), the signed cosine of H p and G p for p the gradient, then for five random
  directions; the moments begin at 0, before the first update;
- "segments": after every update, ``segments``, (moments, 11), as ``aelib.study.probes.segments`` says;
- "sharpness": every 50 updates, from before the first, ``sharpness``, (moments, 3), as ``probes.sharpness`` says;
- "averages": ``averages``, (moments, 3), the test loss at the ``Averaged.means`` of ``aelib.study.averaging``;
- "early": no array, but a row of the logged columns after each of the first ``EARLY`` updates;
- "saddle": at the end, ``ends``, ``layers``, ``ways``, ``walks``, ``escapes``, as ``probes.saddle`` says.

A race keeps ``update, gradients, seconds, loss``, see ``aelib.study.arena``.
"""

import functools
import json
import math
import platform
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from aelib.common.baselines import pca
from aelib.common.settings import NETS
from aelib.datasets import data_folder, load_mnist
from aelib.study import probes
from aelib.study.arena import race
from aelib.study.averaging import Averaged
from aelib.study.experiments import plan
from aelib.study.kinds import EARLY, Map, Race
from aelib.study.results import COLUMNS, MissingResult, Result, results_folder, stored_of
from aelib.train import Diverged, trace

_HELD_OUT = 10_000


def _mnist():
    return _loaded(data_folder())


@functools.lru_cache(maxsize=1)
def _loaded(folder):
    return load_mnist(folder)


def logged(update, updates_per_epoch):
    """Return whether this update is logged: 1, 2, 5 times a power of 10, or the last of an epoch."""
    return update > 0 and (update % updates_per_epoch == 0 or str(update).rstrip("0") in ("1", "2", "5"))


def ten_digits(mnist):
    """Return the first test image of each digit, 0 to 9, (10, 784); of another data set, of its first ten labels."""
    return mnist.test_images[np.unique(mnist.test_labels, return_index=True)[1][:10]]


def execute(run, quick=False, folder=None):
    """Make one run on the data set in force and return its ``Result``.

    Args:
        run: a ``Run``, ``Map`` or ``Race``.
        quick: whether it is one of the quick runs, and a map takes its codes from another.
        folder: where the codes are stored that a map takes.

    Raises:
        ValueError: the data set is too small or of another form, or a package is not installed.
        MissingResult: the codes that a map takes are not stored.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    packages = ["numpy", "aelib"]
    if isinstance(run, Map):
        arrays, status = _map(run, quick, folder), "done"
        packages += ["scikit-learn"] + ["umap-learn"] * (run.method == "UMAP")
    elif isinstance(run, Race):
        rows = _race(run)
        arrays, status = dict(zip(("update", "gradients", "seconds", "loss"), rows, strict=True)), "done"
        packages += ["scipy"]
    else:
        arrays, status = _train(run)
    info = dict(
        data=_mnist().fingerprint,
        wall_seconds=round(time.perf_counter() - wall, 2),
        cpu_seconds=round(time.process_time() - cpu, 2),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version()} | {name: _version(name) for name in packages},
    )
    return Result(run, status, info, arrays)


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:  # used from its folder
        return "not installed"


# -- training ----------------------------------------------------------------------------------------------------------


def _turned(mnist, digit):
    """Return the data set with every image of this digit turned by a quarter, counterclockwise."""
    parts = {}
    for part in ("train", "test"):
        images, labels = getattr(mnist, f"{part}_images").copy(), getattr(mnist, f"{part}_labels")
        own = images[labels == digit]
        side = math.isqrt(own.shape[1])
        images[labels == digit] = np.rot90(own.reshape(-1, side, side), axes=(1, 2)).reshape(own.shape)
        parts |= {f"{part}_images": images}
    return replace(mnist, **parts)


def _judged(run, images, mnist):
    """Return the images on which a run is judged: the test images, or the last of the training images."""
    if not run.held_out:
        return mnist.test_images
    if images + _HELD_OUT > len(mnist.train_images):
        raise ValueError(
            f"{len(mnist.train_images)} training images are too few: expected {images} and {_HELD_OUT} held out"
        )
    return mnist.train_images[-_HELD_OUT:]


def _race(run):
    """Return the rows of a race."""
    full = dict(sizes=NETS[run.net], hidden="relu", X_test=_judged(run, run.images, _mnist())) if run.net else {}
    return race(_mnist().train_images[: run.images], run.method, run.options, run.seed, run.budget, **full)


def _train(run):
    """Return (arrays, status) of a training run."""
    mnist, own = _mnist() if run.turned is None else _turned(_mnist(), run.turned), run.settings
    X, X_test = own.part(mnist.train_images), _judged(run, own.images, mnist)
    model, optimizer, per_epoch = own.model(X), own.optimizer(), -(-own.images // own.batch)

    def test_loss(model):
        with np.errstate(over="ignore", invalid="ignore"):
            return model.reconstruction_error(X_test)

    at, measure = lambda update: logged(update, per_epoch), dict(test_loss=test_loss)
    if "cosines" in run.keep:
        at, measure = (
            lambda update: update == 0 or logged(update, per_epoch),
            measure | dict(cosines=probes.cosines(model, X)),
        )
    if "segments" in run.keep:
        at, measure = None, measure | dict(segments=probes.segments(model, X, optimizer, own))
    if "sharpness" in run.keep:
        at, measure = lambda update: update % 50 == 0, measure | dict(sharpness=probes.sharpness(X))
    if "early" in run.keep:
        at = lambda update: 0 < update <= EARLY or logged(update, per_epoch)  # noqa: E731
    if "averages" in run.keep:
        optimizer = Averaged(optimizer, model.theta, own.updates)
        measure |= dict(averages=lambda model: [test_loss(model.with_theta(mean)) for mean in optimizer.means])
    try:
        found, status = trace(model, X, optimizer, own.epochs, own.batch, own.seed, at, measure), "done"
    except Diverged as diagnosis:
        found, status = diagnosis.trace, str(diagnosis)
    arrays = {name: found.arrays[name] for name in (*COLUMNS, *(set(measure) - set(COLUMNS)))}
    if "codes" in run.keep:
        codes = [model.encode(images) for images in (mnist.train_images, mnist.test_images)]
        arrays["codes"] = np.concatenate(codes).astype(np.float16)
    if "weights" in run.keep:
        arrays |= dict(theta=model.theta, config=np.array(json.dumps(dict(model.config))))
    if "pictures" in run.keep:
        arrays["pictures"] = np.round(255 * model.reconstruct(ten_digits(mnist))).astype(np.uint8)
    if "saddle" in run.keep:
        arrays |= probes.saddle(model, X, own)
    return arrays, status


# -- maps --------------------------------------------------------------------------------------------------------------


def _map(run, quick, folder):
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
        all_codes = _parametric(run, mnist, quick, folder)
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


def _parametric(run, mnist, quick, folder):
    """Return the codes of all training and all test images."""
    if run.method == "PCA":
        fitted, _ = pca(mnist.train_images, mnist.test_images, 2)
        return fitted.transform(mnist.train_images), fitted.transform(mnist.test_images)
    found = stored_of("embedding", plan("embedding", quick), folder or results_folder(quick))
    codes = [r.codes for r in found.values() if (r.settings.net, r.settings.seed) == (run.net, run.seed)]
    if not codes:
        command = f"python -m aelib.study run{' --quick' * quick} embedding"
        raise MissingResult(f"the map of {run.net}, seed {run.seed}, takes stored codes, which are missing: {command}")
    return np.split(codes[0].astype(np.float32), [len(mnist.train_images)])


def _embed(run, X):
    """Return the codes that t-SNE or UMAP gives images X, with the defaults of their libraries but for its reach."""
    if run.method == "t-SNE":
        from sklearn.manifold import TSNE

        own = {} if run.reach is None else dict(perplexity=run.reach)
        return TSNE(random_state=run.seed, **own).fit_transform(X)
    try:
        from umap import UMAP
    except ImportError:
        raise ValueError("UMAP needs umap-learn: pip install -e .[reference]") from None
    own = {} if run.reach is None else dict(n_neighbors=run.reach)
    return UMAP(random_state=run.seed, n_jobs=1, **own).fit_transform(X)
