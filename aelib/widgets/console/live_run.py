"""A training run under way, as an object: it advances update by update, and may be changed while it runs.

``LiveRun`` is ``aelib.train`` with a handle. The console's buttons move one; a script can too:

    run = LiveRun(load_mnist(), Settings(method="SGD", step=0.03))
    while run.advance():
        ...
"""

import time
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from aelib.common.baselines import half_sse
from aelib.common.settings import LIVE, Settings
from aelib.train import Diverged, History, train
from aelib.widgets.console.curve import Curve

TEST_IMAGES = 1000  # of the test set, evenly spread: on these the loss is measured while training
_SAMPLE = 100  # test images that show whether the output depends on the input
_NORMS_EVERY = 10  # updates between two notes of the gradient's norm, layer by layer
_GHOSTS = 3  # earlier runs kept
_BURST = 0.1  # seconds of the pace that may be made up for at once, after training had to wait


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


class Ghost(NamedTuple):
    """An earlier run, kept to be compared with.

    Attributes:
        settings: those of its last update.
        changed: whether there were others before.
        curve: (update, test loss), two arrays.
    """

    settings: Settings
    changed: bool
    curve: tuple


class LiveRun:
    """A run under way: what it is, what it has shown so far, and what the console's buttons do to it.

    Args:
        data: an object like ``Mnist``: train_images (n, D), test_images (m, D), test_labels (m,).
        settings: a ``Settings``.

    Attributes:
        wanted: the settings wished for; may be assigned at any time, from any thread. The next update obeys those
            named in ``LIVE``; the others wait for ``reset``.
        settings: the settings in force.
        stages: dict of the settings by the number of updates after which they came into force.
        state: ``"ready"``, ``"running"``, ``"paused"`` or ``"ended"``.
        model, optimizer: what is trained, and how.
        history: ``History``, a row for each update.
        measurements: list of ``Measurement``, the first before training.
        norms: dict, number of the update -> norm of the gradient of each layer.
        train_curve, norm_curve: ``Curve`` of the train loss, and of the gradient's norms layer by layer.
        ghosts: the last three earlier runs, a list of ``Ghost``.
        speed: updates a second since the last start; 0 before the first.
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
        self.ghosts, self.speed = [], 0.0
        self._begin()

    def _begin(self):
        """Make model, optimizer and an empty history from the settings wanted."""
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
        self.train_curve, self.norm_curve = Curve(), Curve(len(model.layers), most=120)
        self.state = "ready"
        self.measure()

    # -- what the buttons do -------------------------------------------------------------------------------------------

    def start(self):
        """Run, or go on after a pause; after the end, begin anew."""
        if self.state == "ended":
            self.reset()
        if self.state != "running":
            self.state = "running"
            self._started = time.perf_counter(), self.update
            self._allowed, self._last = 0.0, time.perf_counter()

    def pause(self):
        """Hold the run."""
        if self.state == "running":
            self.state = "paused"

    def step(self):
        """Make one update and hold; after the end, begin anew."""
        if self.state == "ended":
            self.reset()
        self.state = "paused"
        self.advance()

    def stop(self):
        """End the run."""
        if self.state in ("running", "paused"):
            self.state = "ended"

    def reset(self):
        """Keep the run as a ghost and begin anew with the settings wanted.

        The same seed gives the same weights and the same order of images.
        """
        if self.update > 1:
            self.measure()
            used = [settings for update, settings in self.stages.items() if update < self.update]
            others = [ghost for ghost in self.ghosts if ghost.settings != used[-1]]
            self.ghosts = [*others, Ghost(used[-1], len(used) > 1, self.test_curve())][-_GHOSTS:]
        self._begin()

    def change(self, settings):
        """Wish for other ``Settings``: at once before the first update, else as ``wanted`` says."""
        self.wanted = settings
        if self.update == 0 and self.needs_reset:
            self.reset()
        if self.state != "ended":
            self.obey()

    # -- training ------------------------------------------------------------------------------------------------------

    def train(self, seconds, pace=None):
        """Make updates for about so long, or to the end of the run.

        Args:
            seconds: how long; what remains of it when the pace allows no update is slept away.
            pace: images a second that may be used at most; None: as many as the machine can.
        """
        end = time.perf_counter() + seconds
        while self.state == "running" and (now := time.perf_counter()) < end:
            wait = 0.0 if pace is None else self._wait(now, pace)
            if wait:
                time.sleep(min(wait, end - now))
            else:
                self.advance()
        then, first = self._started
        self.speed = (self.update - first) / (time.perf_counter() - then)

    def _wait(self, now, pace):
        """Return the seconds until the pace allows the next update; 0: now, and its images are taken off."""
        batch = self.settings.batch
        self._allowed = min(self._allowed + pace * (now - self._last), max(batch, _BURST * pace))
        self._last = now
        if self._allowed < batch:
            return (batch - self._allowed) / pace
        self._allowed -= batch
        return 0.0

    def advance(self):
        """Make one update and return its ``Progress``; None where the run is over."""
        if self.wanted is not self._obeyed:
            self.obey()
        progress = None if self.over else self._next_update()
        if self.over:
            self.state = "ended"
            self.measure()
        return progress

    def _next_update(self):
        try:
            progress = next(self._updates)
        except Diverged as error:
            self.error = error
            return None
        self.train_curve.add(progress.update, progress.train_loss)
        if progress.update in self.norms:
            self.norm_curve.add(progress.update, *self.norms[progress.update])
        if progress.update >= self._due:
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
        self._due = self.update + max(1, min(50_000 // self.settings.batch, 500, self.update))
        return self.measurements[-1]

    # -- where it stands -----------------------------------------------------------------------------------------------

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
    def needs_reset(self):
        """The names of the settings wanted that wait for a reset."""
        names = [field.name for field in fields(Settings) if field.name not in LIVE]
        return [name for name in names if getattr(self.wanted, name) != getattr(self.settings, name)]

    # -- what it has shown so far --------------------------------------------------------------------------------------

    @property
    def end(self):
        """The update at which this run, or the longest ghost, ends."""
        return max([self.update + self.updates_left, *(int(ghost.curve[0][-1]) for ghost in self.ghosts)])

    def test_curve(self):
        """Return the measurements as (update, test loss), about 400 at most."""
        rows = self.measurements
        rows = rows[:: 1 + len(rows) // 400] + rows[-1:]
        return np.array([row.update for row in rows]), np.array([row.test_loss for row in rows])

    def words(self):
        """Return how far the run is, as a list of phrases."""
        words = [f"{self.update} of {self.update + self.updates_left} updates"]
        if self.update:
            last = self.history.rows[-1]
            words += [f"epoch {last.epoch:.1f}", f"train {last.train_loss:.2f}"]
        words += [f"test {self.measurements[-1].test_loss:.2f}", f"step {self.optimizer.rate:.2g}"]
        return words + [f"{self.speed:.0f} updates/s"] * bool(self.speed)
