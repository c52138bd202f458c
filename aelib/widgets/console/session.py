"""A training run as an object: it advances update by update, and may be changed while it runs.

``Session`` is ``aelib.train`` with a handle. The console of lab 3 drives one; a script can too:

    session = Session(load_mnist(), Settings(method="SGD", step=0.03))
    while session.advance():
        ...
"""

from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from aelib.common.baselines import half_sse
from aelib.common.settings import LIVE, Settings
from aelib.train import Diverged, History, train

TEST_IMAGES = 1000  # of the test set, evenly spread: on these the loss is measured while training
_SAMPLE = 100  # test images that show whether the output depends on the input
_NORMS_EVERY = 10  # updates between two notes of the gradient's norm, layer by layer


class Measurement(NamedTuple):
    """What the test images show after an update.

    Attributes:
        update: number of updates made.
        test_loss: half-SSE, without weight decay.
        spread: standard deviation over images of the output pixel that varies most; 0: one picture for every input.
        brightest: mean over images of the brightest output pixel; 0: black.
        to_mean: half-SSE between the mean output and the mean training image.
    """

    update: int
    test_loss: float
    spread: float
    brightest: float
    to_mean: float


def change(optimizer, **values):
    """Set attributes of an optimizer between two updates, such as ``learning_rate`` or ``beta1``."""
    for name, value in values.items():
        setattr(optimizer, name, value)


class _Watched:
    """An optimizer that notes, every few updates, the norm of each layer's gradient."""

    def __init__(self, optimizer, model):
        self.optimizer, self.norms = optimizer, {}
        self.blocks = [slice(layer.W_slice.start, layer.b_slice.stop) for layer in model.layers]

    def __getattr__(self, name):
        return getattr(self.optimizer, name)

    def step(self, theta, grad):
        if self.optimizer.updates % _NORMS_EVERY == 0:
            self.norms[self.optimizer.updates + 1] = [float(np.linalg.norm(grad[block])) for block in self.blocks]
        self.optimizer.step(theta, grad)


class Session:
    """A run under way.

    Args:
        data: an object like ``Mnist``: train_images (n, D), test_images (m, D), test_labels (m,).
        settings: a ``Settings``.

    Attributes:
        wanted: the settings wished for; may be assigned at any time, from any thread. The next update obeys those
            named in ``LIVE``; the others wait for ``reset``.
        settings: the settings in force.
        stages: dict of the settings by the number of updates after which they came into force.
        model, optimizer: what is trained, and how.
        history: ``History``, a row for each update.
        measurements: list of ``Measurement``, the first before training.
        norms: dict, number of the update -> norm of the gradient of each layer.
        test_images, test_labels: the part of the test set used here, at most 1,000.
        examples: ten of these images or fewer, the first of each label before others.
        error: the ``Diverged`` that ended the run, or None.

    Raises:
        ValueError: the data are not as described, or not what the settings are for.
    """

    def __init__(self, data, settings=None):
        m = len(data.test_images)
        labels = np.shape(data.test_labels)
        if labels != (m,) or not m:
            raise ValueError(f"there are {m} test images, test_labels has shape {labels}: expected one label an image")
        every = max(1, len(data.test_images) // TEST_IMAGES)
        self.data, self.wanted = data, settings or Settings()
        self.test_images = np.ascontiguousarray(data.test_images[::every][:TEST_IMAGES])
        self.test_labels = data.test_labels[::every][:TEST_IMAGES]
        firsts = np.unique(self.test_labels, return_index=True)[1]
        others = np.setdiff1d(np.arange(len(self.test_labels)), firsts)
        self.examples = self.test_images[np.concatenate([firsts, others])[:10]]
        self.reset()

    def reset(self):
        """Begin anew with the settings wanted: the same seed gives the same weights and the same order of images."""
        settings = self._obeyed = self.wanted
        X = settings.part(self.data.train_images)
        if settings.sizes[0] != X.shape[1]:
            raise ValueError(f"sizes is {settings.sizes}: expected {X.shape[1]} at both ends, the pixels of an image")
        model = settings.model(X)
        model.check_images(self.test_images, name="test_images")
        self.settings, self.stages, self.model, self.optimizer = settings, {0: settings}, model, settings.optimizer()
        self.history, self.measurements, self.error = History(), [], None
        self._mean = X.mean(axis=0, dtype=np.float64)
        watched = _Watched(self.optimizer, model)
        self.norms = watched.norms
        self._updates = train(
            model, X, watched, 10**9, lambda update: self.settings.batch, settings.seed, history=self.history
        )
        self.measure()

    @property
    def update(self):
        """The number of updates made."""
        return len(self.history)

    @property
    def images_used(self):
        """The number of images used, with repetition."""
        return self.history.rows[-1].images if self.history.rows else 0

    @property
    def updates_left(self):
        """The number of updates until the run ends, as things stand."""
        return self.settings.updates_left(self.images_used)

    @property
    def over(self):
        """Whether the run has ended: its epochs are done, or it diverged."""
        return self.error is not None or self.images_used >= self.settings.epochs * self.settings.images

    @property
    def label(self):
        """The settings of the last update in a few words, and whether there were others before."""
        used = [settings for update, settings in self.stages.items() if update < max(self.update, 1)]
        return used[-1].label + (", changed on the way" if len(used) > 1 else "")

    @property
    def needs_reset(self):
        """The names of the settings wanted that wait for a reset."""
        names = [field.name for field in fields(Settings) if field.name not in LIVE]
        return [name for name in names if getattr(self.wanted, name) != getattr(self.settings, name)]

    def advance(self):
        """Make one update and return its ``Progress``; None where the run is over."""
        if self.wanted is not self._obeyed:
            self.obey()
        if self.over:
            return None
        try:
            progress = next(self._updates)
        except Diverged as error:
            self.error = error
            self.measure()
            return None
        if progress.update >= self._next or self.over:
            self.measure()
        return progress

    def obey(self):
        """Let those settings wanted that need no reset come into force; ``advance`` does so by itself."""
        self._obeyed = self.wanted
        wanted = replace(self.settings, **{name: getattr(self._obeyed, name) for name in LIVE})
        if wanted != self.settings:
            self.settings = wanted
            self.stages[self.update] = wanted
            change(self.optimizer, **self.optimizer_values(self.update, wanted)[0])

    def optimizer_values(self, update, settings):
        """Return the optimizer's attributes by name for settings that hold from ``update`` on, and their code."""
        images = self.history.rows[update - 1].images if update else 0
        rate, code = settings.learning_rate(update + settings.updates_left(images))
        values = settings.coefficients()
        return values | {"learning_rate": rate}, {k: repr(v) for k, v in values.items()} | {"learning_rate": code}

    def encode(self, X):
        """Return the model's codes of images X, (n, d), without a warning where one overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.model.encode(X)

    def reconstruct(self, X):
        """Return the model's outputs for images X, (n, D), without a warning where one overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.model.reconstruct(X)

    def measure(self):
        """Measure the test images now, unless that was done since the last update; note and return it."""
        if self.measurements and self.measurements[-1].update == self.update:
            return self.measurements[-1]
        outputs = self.reconstruct(self.test_images)
        some = outputs[:_SAMPLE]
        to_mean = some.mean(axis=0) - self._mean
        self.measurements.append(
            Measurement(
                self.update,
                half_sse(self.test_images, outputs),
                float(some.std(axis=0).max()),
                float(some.max(axis=1).mean()),
                0.5 * float(to_mean @ to_mean),
            )
        )
        # the next after about 50,000 images, sooner at first: one or two per cent of the time
        self._next = self.update + max(1, min(50_000 // self.settings.batch, 500, self.update))
        return self.measurements[-1]
