"""What the console's buttons do to a session: start, pause, step, stop, reset. No widget is known here."""

import time
import weakref

import numpy as np

from aelib.widgets.console.curve import Curve

_GHOSTS = 5
_OPEN = weakref.WeakSet()  # a cell run again leaves its first console without buttons: a new player pauses the others


class Player:
    """A session under way, its state and its curves; after the end, ``start`` and ``step`` begin anew.

    Args:
        session: a ``Session``.

    Attributes:
        state: ``"ready"``, ``"running"``, ``"paused"`` or ``"ended"``.
        ghosts: the last five earlier runs, label -> (update, test loss).
        train_curve, norm_curve: ``Curve`` of the train loss, and of the gradient's norms layer by layer.
        speed: updates a second since the last start; 0 before the first.
    """

    def __init__(self, session):
        self.session, self.state, self.ghosts, self.speed = session, "ready", {}, 0.0
        for other in _OPEN:
            other.pause()
        _OPEN.add(self)
        self._begin()

    def _begin(self):
        self.train_curve, self.norm_curve = Curve(), Curve(len(self.session.model.layers), most=120)

    # -- commands ------------------------------------------------------------------------------------------------------

    def start(self):
        """Run, or go on after a pause."""
        if self.state == "ended":
            self.reset()
        if self.state != "running":
            self.state, self._started = "running", (time.perf_counter(), self.session.update)

    def pause(self):
        """Hold the run."""
        if self.state == "running":
            self.state = "paused"

    def step(self):
        """Make one update and hold."""
        if self.state == "ended":
            self.reset()
        self.state = "paused"
        self.advance()

    def stop(self):
        """End the run."""
        if self.state in ("running", "paused"):
            self.state = "ended"

    def reset(self):
        """Keep the run as a ghost and go back to the initial weights, with the settings wanted."""
        self._keep_ghost()
        self.session.reset()
        self.state = "ready"
        self._begin()

    def change(self, settings):
        """Wish for other ``Settings``: at once before the first update, else as ``Session.wanted`` says."""
        self.session.wanted = settings
        if self.session.update == 0 and self.session.needs_reset:
            self.reset()
        if self.state != "ended":
            self.session.obey()

    # -- training ------------------------------------------------------------------------------------------------------

    def train(self, seconds):
        """Make updates for about so long, or to the end of the run."""
        end = time.perf_counter() + seconds
        while self.state == "running" and time.perf_counter() < end:
            self.advance()
        then, first = self._started
        self.speed = (self.session.update - first) / (time.perf_counter() - then)

    def advance(self):
        """Make one update and note it; the run may end by it."""
        progress = self.session.advance()
        if progress is None or self.session.over:
            self.state = "ended"
        if progress is None:
            return
        self.train_curve.add(progress.update, progress.train_loss)
        norms = self.session.norms.get(progress.update)
        if norms:
            self.norm_curve.add(progress.update, *norms)

    # -- curves --------------------------------------------------------------------------------------------------------

    def test_curve(self):
        """Return the measurements as (update, test loss), about 400 at most."""
        rows = self.session.measurements
        rows = rows[:: 1 + len(rows) // 400] + rows[-1:]
        return np.array([row.update for row in rows]), np.array([row.test_loss for row in rows])

    def words(self):
        """Return how far the run is, as a list of phrases."""
        session = self.session
        words = [f"{session.update} of {session.update + session.updates_left} updates"]
        if session.update:
            last = session.history.rows[-1]
            words += [f"epoch {last.epoch:.1f}", f"train {last.train_loss:.2f}"]
        words += [f"test {session.measurements[-1].test_loss:.2f}", f"step {session.optimizer.rate:.2g}"]
        return words + [f"{self.speed:.0f} updates/s"] * bool(self.speed)

    @property
    def end(self):
        """The update at which this run or the longest ghost ends."""
        end = self.session.update + self.session.updates_left
        return max([end, *(int(x[-1]) for x, _ in self.ghosts.values())])

    def _keep_ghost(self):
        if self.session.update < 2:
            return
        self.session.measure()
        label = self.session.label
        self.ghosts.pop(label, None)
        self.ghosts[label] = self.test_curve()
        while len(self.ghosts) > _GHOSTS:
            del self.ghosts[next(iter(self.ghosts))]
