"""What training leaves behind: a row for each update, exceptions that hold these rows, a state to go back to."""

import contextlib
from numbers import Real
from typing import NamedTuple

import numpy as np


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
    """``fit`` was interrupted; the model keeps what it has learnt.

    Attributes:
        history: ``History``, a row for each update made.
    """


class Kept:
    """Copies of theta and of the optimizer's state, to which both are set back when training diverges.

    Args:
        model: the ``Autoencoder``.
        optimizer: one of ``aelib.optimizers``, or an object with ``step``; with ``state`` and ``load_state`` it is set
            back too.
    """

    def __init__(self, model, optimizer):
        self.model, self.optimizer, self.theta, self.update = model, optimizer, model.theta.copy(), None
        self._state = getattr(optimizer, "state", None)
        self._load = getattr(optimizer, "set_back", getattr(optimizer, "load_state", None))
        self.whole = callable(self._state) and callable(self._load)

    def fault(self):
        """Return what is not finite as things stand, or ""."""
        if not np.isfinite(self.model.theta).all():
            return "the parameters are not finite"
        self._now = self._state() if self.whole else None
        arrays = self._now.values() if isinstance(self._now, dict) else ()
        arrays = [a for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        return "" if all(np.isfinite(a).all() for a in arrays) else "the optimizer's state is not finite"

    def keep(self, update):
        """Keep what stands now, after this number of updates, and was found to have no ``fault``."""
        self.theta[...], self.state, self.update = self.model.theta, self._now, update

    def set_back(self, fault, update, epoch, batch):
        """Set both back, and return what went wrong, what to do, and where both are, in sentences."""
        if self.update is None:
            advice = "parameters or images are too large: start from smaller ones"
            if "state" in fault:
                advice = "call its reset() first"
            elif "parameters" in fault:
                advice = "make the model anew, or load one that is whole"
            return f"training cannot start: {fault} before the first update; {advice}. Nothing was changed."
        advice, rate = "take smaller steps", None
        with contextlib.suppress(ValueError):  # of a schedule
            rate = getattr(self.optimizer, "rate", None)
        if not np.isfinite(batch).all():
            advice = "the images were changed meanwhile, and are not finite"
        elif getattr(self.optimizer, "epsilon", None) == 0:
            advice = "its epsilon is 0, and divides 0 by 0 where the gradient is 0: set 1e-8"
        elif isinstance(rate, Real) and rate:
            advice = f"the learning rate {rate:g} is probably too large, try a tenth of it"
        self.model.theta[...] = self.theta
        where = f"The model is back at its parameters after update {self.update}, which were finite; the optimizer "
        if self.whole:
            self._load(self.state)
            where += "is back at its state then."
        else:
            where += "is not, for want of state() and load_state(): make it anew."
        return f"training diverged at update {update} (epoch {epoch:.2f}): {fault}; {advice}. {where}"
