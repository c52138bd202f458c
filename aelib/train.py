"""Mini-batch training: a generator that yields after every update, and ``fit``, which drains it."""

import contextlib
import math
import signal
import threading
import time
from typing import NamedTuple

import numpy as np

_KEEP_EVERY = 100  # updates between two copies of the parameters, kept in case training diverges


class Progress(NamedTuple):
    """Where training stands after an update.

    Attributes:
        epoch: passes over the data so far, a float: images / n. A whole number at the end of each epoch.
        update: number of updates made.
        images: number of images used, with repetition.
        seconds: time spent on updates; test losses and the caller's own time are not counted.
        train_loss: F on the batch of this update, before the update (weight decay included).
        test_loss: half-SSE on ``X_test`` at the end of the last whole epoch, without weight decay; nan before
            the first, or without ``X_test``.
        grad_norm: norm of the gradient of this update.
    """

    epoch: float
    update: int
    images: int
    seconds: float
    train_loss: float
    test_loss: float
    grad_norm: float


class History:
    """A list of ``Progress``, whose columns are arrays: ``history.train_loss``, ``history.update``, ...

    Attributes:
        rows: list of ``Progress``, one for each update.
    """

    def __init__(self, rows=()):
        self.rows = list(rows)

    def __len__(self):
        return len(self.rows)

    def __getattr__(self, name):
        if name not in Progress._fields:
            raise AttributeError(f"History has no {name!r}: its columns are {', '.join(Progress._fields)}")
        return np.array([getattr(row, name) for row in self.rows])

    def per_epoch(self):
        """Return a History with one row for each whole epoch, its train_loss averaged over the epoch's updates."""
        rows, losses = [], []
        for row in self.rows:
            losses.append(row.train_loss)
            if row.epoch == int(row.epoch):
                rows.append(row._replace(train_loss=float(np.mean(losses))))
                losses = []
        return History(rows)

    def __repr__(self):
        if not self.rows:
            return "History(no updates)"
        last = self.rows[-1]
        return f"History({last.update} updates, {last.epoch:.2f} epochs, test_loss {last.test_loss:.2f})"


class Diverged(FloatingPointError):
    """Training met a loss or gradient that is not finite; the model holds the last parameters kept finite."""


@contextlib.contextmanager
def _uninterrupted():
    """Hold back Ctrl-C until the block is done, so that theta is never left half updated."""
    if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        yield
        return
    pending = []
    handler = signal.signal(signal.SIGINT, lambda *args: pending.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pending:
            handler(*pending[0])


def train(model, X, optimizer, epochs=1, batch_size=100, seed=0, X_test=None, history=None):
    """Train a model in place, yielding a ``Progress`` after every update.

    Each epoch visits every image once, in an order drawn from ``seed``; a last smaller batch is used too. To stop
    early, stop iterating. An interrupt (Ctrl-C) waits for the update under way: theta is always whole, and
    ``history`` holds every update that theta has seen.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D), floating point in [0, 1].
        optimizer: an object with ``step(theta, grad)``; its state goes on from where it stands.
        epochs: number of passes over X.
        batch_size: images per update, at most n; or a schedule, a function of the number of updates already made.
        seed: seed of the order of images.
        X_test: images, (m, D), on which the reconstruction error is measured after each epoch.
        history: a ``History`` to which every Progress is appended before it is yielded.

    Returns:
        A generator of ``Progress``.

    Raises:
        ValueError: an argument is not as described.
        Diverged: (while iterating) the loss or the gradient is not finite. The model is set back to the last
            parameters kept, at most 100 updates old, whose loss was finite.
    """
    X = model.check_images(X)
    X_test = None if X_test is None else model.check_images(X_test)
    epochs = _whole("epochs", epochs)
    if not callable(batch_size):
        size = _whole("batch_size", batch_size, len(X))
    history = History() if history is None else history
    sizes = batch_size if callable(batch_size) else lambda update: size
    return _updates(model, X, optimizer, epochs, sizes, seed, X_test, history)


def _whole(name, value, most=math.inf, least=1):
    if value != int(value) or not least <= value <= most:
        limit = f"from 1 to {most}, the number of images" if most < math.inf else f"of at least {least}"
        raise ValueError(f"{name} is {value}: expected a whole number {limit}")
    return int(value)


class _Batches(dict):
    """Memory for batches of X, size -> (batch, the model's buffers), made at first use; two sizes are kept."""

    def __init__(self, model, X):
        self.model, self.X = model, X

    def __missing__(self, size):
        if len(self) == 2:
            del self[next(iter(self))]
        self[size] = np.empty((size, self.X.shape[1]), self.X.dtype), self.model.buffers(size)
        return self[size]


def _updates(model, X, optimizer, epochs, sizes, seed, X_test, history):
    rng = np.random.default_rng(seed)
    n, seconds, test_loss, update = len(X), 0.0, math.nan, 0
    batches = _Batches(model, X)
    kept, kept_update = model.theta.copy(), 0
    for epoch in range(epochs):
        order, first = rng.permutation(n), 0
        while first < n:
            with _uninterrupted(), np.errstate(over="ignore", invalid="ignore"):
                start = time.perf_counter()
                index = order[first : first + _whole("batch_size", sizes(update), n)]
                batch, buffers = batches[index.size]
                np.take(X, index, axis=0, out=batch, mode="clip")
                loss, grad = model.loss_and_grad(batch, out=buffers)
                grad_norm = math.sqrt(grad @ grad)
                if not (math.isfinite(loss) and math.isfinite(grad_norm)):
                    model.theta[...] = kept
                    raise Diverged(_diagnosis(update + 1, epoch + first / n, loss, grad_norm, optimizer, kept_update))
                if update % _KEEP_EVERY == 0:
                    kept[...], kept_update = model.theta, update
                optimizer.step(model.theta, grad)
                update += 1
                seconds += time.perf_counter() - start
                first += index.size
                images = epoch * n + first
                if X_test is not None and images % n == 0:
                    test_loss = model.reconstruction_error(X_test)
                progress = Progress(images / n, update, images, seconds, loss, test_loss, grad_norm)
                history.rows.append(progress)
            yield progress


def _diagnosis(update, epoch, loss, grad_norm, optimizer, kept_update):
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the norm of the gradient is {grad_norm}"
    rate = getattr(optimizer, "rate", None)
    advice = f"the learning rate {rate:g} is probably too large, try a tenth of it" if rate else "take smaller steps"
    return (
        f"training diverged at update {update} (epoch {epoch:.2f}): {what}; {advice}. "
        f"The model is back at its parameters after update {kept_update}, which were finite."
    )


def fit(model, X, optimizer, epochs=1, batch_size=100, seed=0, X_test=None, progress=True):
    """Train a model in place with a progress bar and return the ``History``.

    An interrupt (Ctrl-C, or the stop button of Jupyter) ends the training after the update under way and returns the
    history up to there. Arguments and errors are those of ``train``.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D).
        optimizer: an object with ``step(theta, grad)``.
        epochs: number of passes over X.
        batch_size: images per update, or a schedule.
        seed: seed of the order of images.
        X_test: images on which the reconstruction error is measured after each epoch.
        progress: False shows no bar.
    """
    from tqdm.auto import tqdm

    history = History()
    updates = train(model, X, optimizer, epochs, batch_size, seed, X_test, history)
    total = None if callable(batch_size) else int(epochs) * math.ceil(len(X) / batch_size)
    bar = tqdm(total=total, unit="update", leave=False, mininterval=0, disable=not progress)
    with bar, contextlib.suppress(KeyboardInterrupt):
        shown = time.perf_counter()
        for row in updates:
            if time.perf_counter() - shown > 0.1 or row.update == total:
                shown = time.perf_counter()
                losses = dict(train=f"{row.train_loss:.2f}", test=f"{row.test_loss:.2f}")
                bar.set_postfix(epoch=f"{row.epoch:.1f}", **losses, refresh=False)
                bar.update(row.update - bar.n)
    return history


class Trace:
    """What ``trace`` returns: arrays by name, an entry for each moment, also as attributes: ``trace.train_loss``.

    Attributes:
        model: the model, trained.
        arrays: dict of the arrays.
    """

    def __init__(self, model, names):
        self.model, self.arrays = model, {name: [] for name in names}

    def __getattr__(self, name):
        if name == "arrays" or name not in self.arrays:
            raise AttributeError(f"Trace has no {name!r}")
        return self.arrays[name]


def trace(model, X, optimizer, epochs=None, batch_size=100, seed=0, at=None, measure=None):
    """Train a model in place and measure it at chosen moments.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D).
        optimizer: an object with ``step(theta, grad)``.
        epochs: passes over X; by default as many as the last moment needs.
        batch_size: images per update, or a schedule, as in ``train``.
        seed: seed of the order of images.
        at: the moments: numbers of updates, 0 for before the first; training ends with the last. Or a function of that
            number that says whether it is one. By default every update.
        measure: dict, name -> function of the model that returns a number, or an array of one shape.

    Returns:
        ``Trace`` of arrays with one entry for each of the k moments, in order: ``update``, ``epoch``, ``images``,
        ``seconds`` and ``grad_norm`` as in ``Progress``, ``train_loss``, the mean over the updates since the moment
        before (nan at 0, like ``grad_norm``), and each of ``measure``: (k,) or (k, ...).

    Raises:
        ValueError: a moment lies beyond the training, there is none, or an argument is not as ``train`` expects it.
        Diverged: as in ``train``. Its attribute ``trace``, like that of a KeyboardInterrupt, holds what was measured.
    """
    measure, chosen = measure or {}, at if callable(at) else None
    last = math.inf
    if at is None:
        chosen = lambda update: update > 0  # noqa: E731
    elif chosen is None:
        at = {_whole("a moment of at", moment, least=0) for moment in at}
        if not at:
            raise ValueError("at names no moment: expected numbers of updates, such as range(0, 101, 10)")
        chosen, last = at.__contains__, max(at)
    if epochs is None:
        if last == math.inf or callable(batch_size):
            raise ValueError("epochs is None: expected a number, unless at lists moments and batch_size is a number")
        epochs = max(1, math.ceil(last / math.ceil(len(X) / batch_size)))
    updates, losses = train(model, X, optimizer, epochs, batch_size, seed), []
    if last < math.inf and not callable(batch_size) and last > epochs * math.ceil(len(X) / batch_size):
        end = epochs * math.ceil(len(X) / batch_size)
        raise ValueError(f"at goes to {last}: expected moments up to {end}, where training ends")
    found = Trace(model, ["update", "epoch", "images", "seconds", "train_loss", "grad_norm", *measure])

    def note(**values):
        values |= {name: function(model) for name, function in measure.items()}
        for name, value in values.items():
            found.arrays[name].append(value)

    try:
        if chosen(0):
            note(update=0, epoch=0.0, images=0, seconds=0.0, train_loss=math.nan, grad_norm=math.nan)
        for progress in updates if last > 0 else ():
            losses.append(progress.train_loss)
            if chosen(progress.update):
                mean = math.fsum(losses) / len(losses)
                own = {name: getattr(progress, name) for name in Progress._fields if name in found.arrays}
                note(**own | dict(train_loss=mean))
                losses = []
            if progress.update >= last:
                break
    except BaseException as error:
        error.trace = found
        raise
    finally:
        found.arrays = {name: np.array(values) for name, values in found.arrays.items()}
    return found
