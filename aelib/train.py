"""Mini-batch training: ``train``, a generator that yields after every update; ``fit``, which drains it; ``trace``."""

import contextlib
import copy
import math
import numbers
import signal
import threading
import time
from typing import NamedTuple

import numpy as np

from aelib.arrays import as_generator, as_model, as_whole, shown, sum_of_squares

_KEEP_EVERY = 100  # updates between two copies of the parameters, kept in case training diverges

# -- what training leaves behind: a row for each update, exceptions that hold these rows -------------------------------


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


_START = Progress(0.0, 0, 0, 0.0, math.nan, math.nan, math.nan)  # where training stands before the first update


class History:
    """A list of ``Progress``, whose columns are arrays: ``history.train_loss``, ``history.update``, ...

    Given to ``train`` or ``fit`` again, it goes on: the counts, and the order of images, continue where it ends.

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

    def __copy__(self):
        return History(self.rows)

    def __repr__(self):
        if not self.rows:
            return "History(no updates)"
        last = self.rows[-1]
        return f"History({last.update} updates, {last.epoch:.2f} epochs, test_loss {last.test_loss:.2f})"


class _Ended:
    """An exception with the history up to there, which Jupyter shows as its one sentence, without a traceback."""

    def __init__(self, message, history=None):
        super().__init__(message)
        self.history = History() if history is None else history

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]


class Diverged(_Ended, FloatingPointError):
    """Training met a number that is not finite; the model holds the last parameters kept, which were finite.

    Attributes:
        history: ``History``, a row for each update made, also for those that were undone.
    """


class Interrupted(_Ended, KeyboardInterrupt):
    """``fit`` was interrupted; the model keeps what it has learnt, and ``history`` goes on from there.

    Attributes:
        history: ``History``, a row for each update made.
    """


# -- training ----------------------------------------------------------------------------------------------------------


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

    To go on with a run, call ``train`` again with the same arguments and the ``history`` of the calls before. Counts go
    on, and so does the order of images; an epoch that was left in the middle is finished as the first of ``epochs``.
    Twelve calls of one epoch are one call of twelve, bit for bit. Without ``history`` a call begins with the order of
    the first epoch.

    Args:
        model: an ``Autoencoder``.
        X: training images, (n, D), floating point in [0, 1].
        optimizer: an object with ``step(theta, grad)``; its state goes on from where it stands. One of your own is set
            back after divergence too if it has ``state()``, which returns a copy, and ``set_back(state)``.
        epochs: number of passes over X.
        batch_size: images per update, at most n; or a schedule, a function of the number of updates already made.
        seed: seed of the order of images.
        X_test: images, (m, D), on which the reconstruction error is measured after each epoch.
        history: a ``History`` to which every Progress is appended before it is yielded.

    Returns:
        A generator of ``Progress``.

    Raises:
        ValueError: an argument is not as described; the history is one of another number of images; the optimizer has
            stepped another model, or its schedule has ended with a step of 0.
        Diverged: (while iterating) a loss, the gradient, the parameters or the optimizer's moments are not finite. The
            last update is judged too, on its own batch, and on all images where they might overflow. Model and
            optimizer are set back to the last state kept, at most 100 updates old, whose loss was finite.

    Early stopping, which keeps the best parameters and waits two epochs for better ones:

    >>> from aelib import Adam, Autoencoder
    >>> images = np.random.default_rng(0).random((60, 6))
    >>> model, best, theta, waited = Autoencoder([6, 2, 6]), math.inf, None, 0
    >>> for progress in train(model, images[:40], Adam(0.05), epochs=200, batch_size=10, X_test=images[40:]):
    ...     if progress.images % 40 == 0:  # the end of an epoch
    ...         waited = waited + 1
    ...         if progress.test_loss < best:
    ...             best, theta, waited = progress.test_loss, model.theta.copy(), 0
    ...         if waited == 2:
    ...             break
    >>> model.theta = theta
    >>> progress.epoch < 200 and model.reconstruction_error(images[40:]) == best
    True
    """
    X = as_model(model).check_images(X)
    X_test = None if X_test is None else model.check_images(X_test, name="X_test")
    if model.dtype.kind != "f":
        raise ValueError(f"the model is {model.dtype}: expected float32 or float64 for training")
    _check_optimizer(optimizer, model)
    if not isinstance(history, History | None):
        raise ValueError(f"history is {shown(history)}: expected a History, or None")
    epochs = as_whole("epochs", epochs)
    sizes = batch_size
    if not callable(batch_size):
        size = as_whole("batch_size", batch_size, most=len(X))
        sizes = lambda update: size  # noqa: E731
    rng = as_generator(seed)
    history = History() if history is None else history
    if history.rows and history.rows[-1].epoch != history.rows[-1].images / len(X):
        last = history.rows[-1]
        raise ValueError(
            f"history ends after {last.images} images in {last.epoch:g} epochs, X has {len(X)}: expected the images of "
            "that run, or a new History"
        )
    return _updates(model, X, optimizer, epochs, sizes, rng, X_test, history)


def _check_optimizer(optimizer, model):
    """Raise ValueError unless the optimizer can step, and steps this model on."""
    name = type(optimizer).__name__
    if isinstance(optimizer, type) or not callable(getattr(optimizer, "step", None)):
        raise ValueError(
            f"optimizer is {shown(optimizer)}: expected an object with step(theta, grad), such as Adam(1e-3)"
        )
    another = getattr(optimizer, "has_stepped_another", None)
    if another is not None and another(model.theta):
        raise ValueError(
            f"this {name} has made {optimizer.updates} updates of another model: call its reset() first, or give each "
            "model an optimizer of its own (copy.copy(optimizer) goes on with its moments)"
        )
    if getattr(optimizer, "updates", 0) and callable(getattr(optimizer, "learning_rate", None)) and not optimizer.rate:
        raise ValueError(
            f"the schedule of this {name} has ended: after {optimizer.updates} updates its step is 0, which changes "
            "nothing; assign a new learning_rate, or call reset() to begin anew"
        )


class _Batches(dict):
    """Memory for batches of X, size -> (batch, the model's buffers), made at first use; two sizes are kept."""

    def __init__(self, model, X):
        self.model = model
        self.X = X

    def __missing__(self, size):
        if len(self) == 2:
            del self[next(iter(self))]
        self[size] = np.empty((size, self.X.shape[1]), self.X.dtype), self.model.buffers(size)
        return self[size]


def _updates(model, X, optimizer, epochs, sizes, rng, X_test, history):
    n = len(X)
    last = history.rows[-1] if history.rows else _START
    update = last.update
    images = last.images
    seconds = last.seconds
    test_loss = last.test_loss
    for _ in range(images // n):
        rng.permutation(n)  # the orders of the epochs that are done
    end = images // n * n + epochs * n
    batches = _Batches(model, X)
    kept = Kept(model, optimizer)
    order = None
    while images < end:
        if images % n == 0 or order is None:
            order = rng.permutation(n)
        with _uninterrupted(), np.errstate(over="ignore", invalid="ignore"):
            start = time.perf_counter()
            first = images % n
            index = order[first : first + as_whole("batch_size", sizes(update), most=n)]
            batch, buffers = batches[index.size]
            np.take(X, index, axis=0, out=batch, mode="clip")
            loss, grad, grad_norm, fault = _gradient(model, batch, buffers)
            due = kept.update is None or update % _KEEP_EVERY == 0
            fault = (due and kept.fault()) or fault
            if fault:
                raise Diverged(kept.set_back(fault, update + 1, images / n, batch), history)
            if due:
                kept.keep(update)
            optimizer.step(model.theta, grad)
            update += 1
            images += index.size
            seconds += time.perf_counter() - start
            if X_test is not None and images % n == 0:
                test_loss = model.reconstruction_error(X_test)
                fault = "" if math.isfinite(test_loss) else f"the test loss is {test_loss}"
            progress = Progress(images / n, update, images, seconds, loss, test_loss, grad_norm)
            history.rows.append(progress)
            if images == end:  # no later batch will judge this update
                fault = fault or kept.fault() or _gradient(model, batch, buffers)[3]
                if not fault and _may_overflow(model, X) and not math.isfinite(model.loss(X)):
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


def _may_overflow(model, X):
    """Return whether some image like X might have a loss that is not finite.

    No value of a layer exceeds the largest sum of a row of |W| times the largest value before it, plus |b| and 1: so
    much an activation may add.
    """
    reach = max(1.0, float(X.max()), -float(X.min()))
    for layer in model.layers:
        reach *= float(np.abs(layer.W).sum(axis=1, dtype=np.float64).max())
        reach += 1 if layer.b is None else 1 + float(np.abs(layer.b).max())
    return reach > math.sqrt(float(np.finfo(model.dtype).max) / X.shape[1]) / 10


class Kept:
    """Copies of theta and of the optimizer's state, to which both are set back when training diverges.

    Args:
        model: the ``Autoencoder``.
        optimizer: one of ``aelib.optimizers``, or an object with ``step``; with ``state`` and ``set_back`` it is set
            back too.
    """

    def __init__(self, model, optimizer):
        self.model = model
        self.optimizer = optimizer
        self.theta = model.theta.copy()
        self.update = None
        self.whole = callable(getattr(optimizer, "state", None)) and callable(getattr(optimizer, "set_back", None))

    def fault(self):
        """Return what is not finite as things stand, or ""."""
        if not np.isfinite(self.model.theta).all():
            return "the parameters are not finite"
        moments = getattr(self.optimizer, "moments", {}).values()
        return "" if all(np.isfinite(moment).all() for moment in moments) else "the optimizer's moments are not finite"

    def keep(self, update):
        """Keep what stands now, after this number of updates, and was found to have no ``fault``."""
        self.theta[...] = self.model.theta
        self.state = self.optimizer.state() if self.whole else None
        self.update = update

    def set_back(self, fault, update, epoch, batch):
        """Set both back, and return what went wrong, what to do, and where both are, in sentences."""
        if self.update is None:
            advice = "parameters or images are too large: start from smaller ones"
            if "moments" in fault:
                advice = "call its reset() first"
            elif "parameters" in fault:
                advice = "make the model anew, or load one that is whole"
            return f"training cannot start: {fault} before the first update; {advice}. Nothing was changed."
        advice = "take smaller steps"
        rate = None
        with contextlib.suppress(ValueError):  # of a schedule
            rate = getattr(self.optimizer, "rate", None)
        if not np.isfinite(batch).all():
            advice = "the images were changed meanwhile, and are not finite"
        elif getattr(self.optimizer, "epsilon", None) == 0:
            advice = "its epsilon is 0, and divides 0 by 0 where the gradient is 0: set 1e-8"
        elif isinstance(rate, numbers.Real) and rate:
            advice = f"the learning rate {rate:g} is probably too large, try a tenth of it"
        self.model.theta[...] = self.theta
        where = f"The model is back at its parameters after update {self.update}, which were finite; the optimizer "
        if self.whole:
            self.optimizer.set_back(self.state)
            where += "is back at its state then."
        else:
            where += "is not, for want of state() and set_back(): make it anew."
        return f"training diverged at update {update} (epoch {epoch:.2f}): {fault}; {advice}. {where}"


def fit(model, X, optimizer, epochs=1, batch_size=100, seed=0, X_test=None, progress=True, history=None):
    """Train a model in place with a progress bar and return the ``History``.

    An interrupt (Ctrl-C, or the stop button of Jupyter) ends the training after the update under way. It is raised, so
    that it ends a loop around this call too; the history is in the exception, and in ``history`` where one was passed.
    Called again with that history, ``fit`` goes on as described at ``train``.
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
    updates = train(model, X, optimizer, epochs, batch_size, seed, X_test, history)
    before = history.rows[-1] if history.rows else _START
    total = None
    if not callable(batch_size):  # the rest of the epoch under way, then whole ones
        rest = len(X) - before.images % len(X)
        total = before.update + math.ceil(rest / batch_size) + (int(epochs) - 1) * math.ceil(len(X) / batch_size)
    bar = tqdm(total=total, initial=before.update, unit="update", leave=False, mininterval=0, disable=progress is False)
    try:
        with bar:
            drawn = time.perf_counter()
            for row in updates:
                if time.perf_counter() - drawn > 0.1 or row.update == total:
                    drawn = time.perf_counter()
                    losses = dict(train=f"{row.train_loss:.2f}", test=f"{row.test_loss:.2f}")
                    bar.set_postfix(epoch=f"{row.epoch:.1f}", **losses, refresh=False)
                    bar.update(row.update - bar.n)
    except KeyboardInterrupt:
        last = history.rows[-1].update if history.rows else 0
        of = f" of {total}" if total else ""
        message = f"training stopped after update {last}{of}; the model keeps what it has learnt"
        raise Interrupted(message, history) from None
    return history


class Trace:
    """What ``trace`` returns: arrays by name, an entry for each moment, also as attributes: ``trace.train_loss``.

    Attributes:
        model: the model, trained.
        arrays: dict of the arrays.
    """

    def __init__(self, model, names):
        self.model = model
        self.arrays = {name: [] for name in names}

    def __copy__(self):
        return copy.deepcopy(self)

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
    as_model(model)
    measure = {} if measure is None else measure
    if not isinstance(measure, dict) or not all(map(callable, measure.values())):
        raise ValueError(f"measure is {shown(measure)}: expected a dict, name -> function of the model")
    chosen = at if callable(at) else None
    last = math.inf
    if at is None:
        chosen = lambda update: update > 0  # noqa: E731
    elif chosen is None:
        if not np.iterable(at):
            raise ValueError(
                f"at is {shown(at)}: expected numbers of updates, such as range(0, 101, 10), or a function"
            )
        at = {as_whole("a moment of at", moment, least=0) for moment in at}
        if not at:
            raise ValueError("at names no moment: expected numbers of updates, such as range(0, 101, 10)")
        chosen = at.__contains__
        last = max(at)
    if epochs is None:
        if last == math.inf or callable(batch_size):
            raise ValueError("epochs is None: expected a number, unless at lists moments and batch_size is a number")
        epochs = max(1, math.ceil(last / math.ceil(len(X) / batch_size)))
    updates = train(model, X, optimizer, epochs, batch_size, seed)
    losses = []
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
