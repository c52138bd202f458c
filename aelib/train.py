"""Mini-batch training: a generator that yields after every update, and ``fit``, which drains it."""

import contextlib
import math
import numbers
import signal
import threading
import time

import numpy as np

from aelib.arrays import sum_of_squares
from aelib.history import Diverged, History, Interrupted, Kept, Progress

_HUGE = 1e15  # a loss of a batch above which that of other images may overflow
_KEEP_EVERY = 100  # updates between two copies of the parameters, kept in case training diverges


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

    Each epoch visits every image once, in an order drawn from ``seed``; a last smaller batch is used too. X is not
    copied: leave it as it is meanwhile. To stop early, stop iterating; the last update is then the only one whose
    result nothing has judged (``model.loss`` would). An interrupt (Ctrl-C) waits for the update under way: theta is
    always whole, and ``history`` holds every update that theta has seen.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D), floating point in [0, 1].
        optimizer: an object with ``step(theta, grad)``; its state goes on from where it stands. One of your own is set
            back after divergence too if it has ``state()``, which returns a copy, and ``load_state(state)``.
        epochs: number of passes over X.
        batch_size: images per update, at most n; or a schedule, a function of the number of updates already made.
        seed: seed of the order of images.
        X_test: images, (m, D), on which the reconstruction error is measured after each epoch.
        history: a ``History`` to which every Progress is appended before it is yielded.

    Returns:
        A generator of ``Progress``.

    Raises:
        ValueError: an argument is not as described.
        Diverged: (while iterating) a loss, the gradient, the parameters or the optimizer's state are not finite. The
            last update is judged too, on its own batch. Model and optimizer are set back to the last state kept, at
            most 100 updates old, whose loss was finite.
    """
    X = model.check_images(X)
    X_test = None if X_test is None else model.check_images(X_test, name="X_test")
    if model.dtype.kind != "f":
        raise ValueError(f"the model is {model.dtype}: expected float32 or float64 for training")
    if isinstance(optimizer, type) or not callable(getattr(optimizer, "step", None)):
        raise ValueError(f"optimizer is {optimizer!r}: expected an object with step(theta, grad), such as Adam(1e-3)")
    if not isinstance(history, History | None):
        raise ValueError(f"history is {history!r}: expected a History, or None")
    epochs = _whole("epochs", epochs)
    if not callable(batch_size):
        size = _whole("batch_size", batch_size, len(X))
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed is {seed!r}: expected a whole number >= 0") from None
    history = History() if history is None else history
    sizes = batch_size if callable(batch_size) else lambda update: size
    return _updates(model, X, optimizer, epochs, sizes, rng, X_test, history)


def _whole(name, value, most=math.inf, least=1):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value != int(value) or not least <= value <= most:
        limit = f"from 1 to {most}, the number of images" if most < math.inf else f"of at least {least}"
        raise ValueError(f"{name} is {value!r}: expected a whole number {limit}")
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


def _updates(model, X, optimizer, epochs, sizes, rng, X_test, history):
    n, seconds, test_loss, update = len(X), 0.0, math.nan, 0
    batches, kept = _Batches(model, X), Kept(model, optimizer)
    for epoch in range(epochs):
        order, first = rng.permutation(n), 0
        while first < n:
            with _uninterrupted(), np.errstate(over="ignore", invalid="ignore"):
                start = time.perf_counter()
                index = order[first : first + _whole("batch_size", sizes(update), n)]
                batch, buffers = batches[index.size]
                np.take(X, index, axis=0, out=batch, mode="clip")
                loss, grad, grad_norm, fault = _gradient(model, batch, buffers)
                due = update % _KEEP_EVERY == 0
                fault = (due and kept.fault()) or fault
                if fault:
                    raise Diverged(kept.set_back(fault, update + 1, epoch + first / n, batch), history)
                if due:
                    kept.keep(update)
                optimizer.step(model.theta, grad)
                update += 1
                seconds += time.perf_counter() - start
                first += index.size
                images = epoch * n + first
                if X_test is not None and images % n == 0:
                    test_loss = model.reconstruction_error(X_test)
                    fault = "" if math.isfinite(test_loss) else f"the test loss is {test_loss}"
                progress = Progress(images / n, update, images, seconds, loss, test_loss, grad_norm)
                history.rows.append(progress)
                if images == epochs * n:  # no later batch will judge this update
                    end, *_, broken = _gradient(model, batch, buffers)
                    fault = fault or kept.fault() or broken
                    if not fault and end > _HUGE and not math.isfinite(model.loss(X)):
                        fault = "the loss of all images is not finite"
                if fault:
                    raise Diverged(kept.set_back(fault, update, images / n, batch), history)
            yield progress


def _gradient(model, batch, buffers):
    """Return the loss, the gradient, its norm, and which of them is not finite, or ""."""
    loss, grad = model.loss_and_grad(batch, out=buffers)
    norm = math.sqrt(sum_of_squares(grad))
    fault = "" if math.isfinite(norm) else f"the norm of the gradient is {norm}"
    return loss, grad, norm, fault if math.isfinite(loss) else f"the loss is {loss}"


def fit(model, X, optimizer, epochs=1, batch_size=100, seed=0, X_test=None, progress=True, history=None):
    """Train a model in place with a progress bar and return the ``History``.

    An interrupt (Ctrl-C, or the stop button of Jupyter) ends the training after the update under way. It is raised, so
    that it ends a loop around this call too; the history is in the exception, and in ``history`` where one was passed.
    Arguments and errors are otherwise those of ``train``.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D).
        optimizer: an object with ``step(theta, grad)``.
        epochs: number of passes over X.
        batch_size: images per update, or a schedule.
        seed: seed of the order of images.
        X_test: images on which the reconstruction error is measured after each epoch.
        progress: False shows no bar.
        history: a ``History`` to which every Progress is appended.

    Raises:
        Interrupted: a KeyboardInterrupt; the model keeps what it has learnt.
    """
    from tqdm.auto import tqdm

    history = History() if history is None else history
    updates, before = train(model, X, optimizer, epochs, batch_size, seed, X_test, history), len(history)
    total = None if callable(batch_size) else int(epochs) * math.ceil(len(X) / batch_size)
    bar = tqdm(total=total, unit="update", leave=False, mininterval=0, disable=not progress)
    try:
        with bar:
            shown = time.perf_counter()
            for row in updates:
                if time.perf_counter() - shown > 0.1 or row.update == total:
                    shown = time.perf_counter()
                    losses = dict(train=f"{row.train_loss:.2f}", test=f"{row.test_loss:.2f}")
                    bar.set_postfix(epoch=f"{row.epoch:.1f}", **losses, refresh=False)
                    bar.update(row.update - bar.n)
    except KeyboardInterrupt:
        of = f" of {total}" if total else ""
        message = f"training stopped after update {len(history) - before}{of}; the model keeps what it has learnt"
        raise Interrupted(message, history) from None
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
            found.arrays[name].append(np.array(value))  # a copy: theta is one and the same array at all moments

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
