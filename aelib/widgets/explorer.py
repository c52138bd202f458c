"""Thin ipywidgets shells over pure functions, for the labs. Only the labs import this module.

Behind every widget stand two plain functions: ``compute(**values)``, which returns arrays, and
``draw(figure, result)``, which draws them. ``picture`` shows what they make once; ``Explorer`` calls them again
whenever a control moves. A ``compute`` that takes long is a generator, whose answer grows before one's eyes.
"""

import asyncio
import contextlib
import gc
import inspect
import os
import threading
import time
from collections import deque

import ipywidgets
import threadpoolctl

from aelib.widgets.base import LabWidget, PictureView, red
from aelib.widgets.controls import buttons_for_few
from aelib.widgets.pictures import Picture, fitted
from aelib.widgets.turns import Turns, stop_all

_REST = 0.25  # seconds without a change after which a hurried picture is drawn in full
_SLOW = 0.3  # seconds of an answer from which the old picture is dimmed meanwhile
_NOTHING = "compute yielded nothing: expected at least one result"
_FRAME = 0.1  # seconds from one picture of an answer that grows to the next, on average


def start_lab():
    """Make a kernel ready for widgets: steady beside a browser, and without pauses.

    One BLAS thread, here and in processes started from here. What was imported is set aside from the search for
    garbage, which would otherwise keep a picture waiting for a tenth of a second now and then; once only, or what a
    notebook has made since would never be freed.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)


class Explorer(LabWidget):
    """Controls above a picture: when one changes, ``draw(figure, compute(**values))`` makes the picture anew.

    The first picture is made at once, so that an error in ``compute`` or ``draw`` is the cell's. A later error stands
    in red above the picture, which stays as it was. In Jupyter, a picture made while a control moves is a hurried one,
    a JPEG in the last layout; once the controls rest it is drawn in full, as sharp as the screen, and goes into the
    notebook, so that a saved one shows it without a kernel.

    ``compute`` may be a generator that yields results on the way, the first one soon. When a control moves, the run
    under way is closed and the next begins, in turns from yield to yield between which Jupyter answers; its results are
    shown as they come, ten a second at most, and the last. One run is under way at a time, in all explorers: running
    the cell again, or interrupting the kernel, ends it. In the cell itself and in scripts it runs to its end at once. A
    yield of None only lets Jupyter answer. If the kernel is interrupted while ``compute`` computes, the controls go
    back to the values of the picture that is seen.

    Args:
        compute: function of the controls' values, by name; returns, or yields, anything that ``draw`` takes.
        draw: function (figure, result), or, with ghosts, (figure, result, ghosts).
        size: of the picture, in inches at 100 pixels to the inch; where the page has less room, it is drawn smaller.
        ghosts: so many earlier results, of runs that came to their end, are handed to ``draw`` too: a dict, oldest
            first, by what was different from now, such as "step 0.01, batch 20".
        controls: ipywidgets with a ``value``, by the names of compute's arguments. Sliders answer while dragged;
            give ``continuous_update=False`` where computing takes longer than a blink. A ``Dropdown`` of up to five
            short choices becomes buttons.

    Attributes:
        controls: dict of the controls that are shown.
        values: dict of the controls' values.
        result: what compute returned or yielded last.
        error: the exception of the last change, or None.
    """

    _turns = result = None  # where a wrong call leaves nothing but a widget to close

    def __init__(self, compute, draw, size=(9, 4), ghosts=0, **controls):
        self.compute, self.controls = compute, {name: buttons_for_few(control) for name, control in controls.items()}
        self._lock = threading.Lock()  # changes may come in another thread than the loop's
        self._rest, self._took, self._closed = None, 0.0, False
        self._turns, self._grows, self._due = Turns(), False, 0.0
        self._most, self._ended, self._shown = ghosts, [], None  # ended runs: (words on each control, result)
        self._values, self._going_back = {}, False  # of the picture that is seen
        self._still, self._made_for = (None, 0, ""), None  # the last full picture; its size and density
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter: every picture is drawn in full at once
        self._draw, self._size, self._picture = draw, size, Picture(self._draw_result, size)
        self.image = PictureView()
        for name, control in self.controls.items():
            control.description = control.description or name.replace("_", " ")
            control.style.description_width = "9em"
            buttons = isinstance(control, ipywidgets.ToggleButtons)
            control.layout.width = control.layout.width or ("auto" if buttons else "27em")
        row = ipywidgets.Layout(flex_flow="row wrap", max_width=f"{self._picture.width}px")
        box = ipywidgets.HBox(list(self.controls.values()), layout=row)
        super().__init__([box], [control.menu for control in self.controls.values() if hasattr(control, "menu")])
        self.message.layout.min_height, self.message.layout.margin = "24px", "0 4px"  # so that nothing jumps
        self.children = [box, self.message, self.image, self.front]
        self.add_class("aelib-explorer")
        self._picture.size = fitted(size, self.room)
        try:
            self._show()
        except BaseException:
            self.close()
            raise
        for control in self.controls.values():
            control.observe(self._changed, names="value")

    @property
    def values(self):
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def running(self):
        """Whether an answer is growing."""
        return self._turns.running

    def close(self):
        """End the run under way, close the widget with its controls, and let go of what it showed."""
        if self._turns and not self._closed:
            self._closed = True
            self._turns.stop()
            if self._rest:
                self._rest.cancel()
            for control in self.controls.values():
                with contextlib.suppress(ValueError):  # not observed yet
                    control.unobserve(self._changed, names="value")
                for link in getattr(control, "links", ()):
                    link.unlink()
            self.compute = self._draw = self._picture = self.result = None
            self._ended = []
        super().close()

    def _draw_result(self, figure, result):
        if not self._most:
            return self._draw(figure, result)
        ghosts = {}
        for words, ended in self._ended:
            changed = [f"{name} {word}" for name, word in words.items() if word != self._shown[name]]
            if changed:  # else it is this run
                ghosts[", ".join(changed)] = ended
        return self._draw(figure, result, dict(list(ghosts.items())[-self._most :]))

    def _show(self, live=False):
        """Compute the whole answer and show it."""
        with self._lock:
            before, values = (self._shown, self.result), self.values
            try:
                self._shown, answer = self._words(), self.compute(**values)
                self._grows = inspect.isgenerator(answer)
                if self._grows:
                    stop_all()
                    answer = _last(answer)
                self.result = answer
                self._set("jpeg" if live else "png")
            except BaseException:
                self._shown, self.result = before  # those of the picture that is still seen
                raise
            self._values = values
            self._keep()

    def _words(self):
        """Return the controls' values in words, by their descriptions."""
        words = {}
        for control in self.controls.values():
            value = getattr(control, "label", control.value)
            words[control.description] = f"{value:.3g}" if isinstance(value, float) else str(value)
        return words

    def _keep(self):
        """Keep the run that ended, for a ghost; one more than are drawn, as one of them may be the run shown."""
        others = [(words, result) for words, result in self._ended if words != self._shown]
        self._ended = [*others, (self._shown, self.result)][-self._most - 1 :] if self._most else []

    def _grow(self):
        """Begin a run in turns, on the loop's thread."""
        if self._closed:
            return
        self.tell_nothing()
        try:
            self._shown, self._due = self._words(), 0.0
            self._turns.begin(self.compute(**self.values), self._show_on_the_way, self._end, self.tell)
        except Exception as error:
            self.tell(error)

    def _show_on_the_way(self, result):
        if result is None:
            return
        start, self.result = time.perf_counter(), result
        if start >= self._due:
            self._set("jpeg")
            now = time.perf_counter()
            grid = max(self._due, start - _FRAME) + _FRAME  # a picture that was late does not put off the next
            self._due = max(grid, 2 * now - start)  # half the time for pictures at most

    def _end(self):
        if not self._due:
            raise ValueError(_NOTHING)
        self._set("png")
        self._keep()

    def _set(self, kind):
        """Draw the result and show it: "jpeg" in a hurry, "png" in full; that one goes into the notebook, too."""
        if self._closed:
            return
        picture, full = self._picture, kind == "png"
        data = picture.png(self.result, self.density) if full else picture.jpeg(self.result)
        self.image.show(data, kind, picture.width, picture.alt)
        if full:
            self._made_for = picture.size, self.density
            self._still = data, picture.width, picture.alt
            self.keep_still()

    def still(self):
        """Return the last picture that was drawn in full."""
        return *self._still, "<i>The picture of the last run: run the cell to move it.</i>"

    def at_new_size(self):
        """Draw anew for the screen's density and the width there is."""
        size = fitted(self._size, self.room)
        if self._closed or (size, self.density) == self._made_for:
            return
        self._picture.size = size
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._wait_for_rest)

    def _wait_for_rest(self):
        """Put off the full picture, on the loop, until no control has moved for a while."""
        if self._rest:
            self._rest.cancel()
        self._rest = self._loop.call_later(_REST, self._show_in_full)

    def _show_in_full(self):
        if self.error is None and not self.running:
            try:
                with self._lock:
                    self._set("png")
            except Exception as error:
                self.tell(error)

    def _changed(self, change):
        if self._closed or self._going_back:
            return
        live = self._loop is not None and self._loop.is_running()
        if self._grows and live:
            self._loop.call_soon_threadsafe(self._grow)
            return
        start = time.perf_counter()
        self.tell_nothing()
        self.image.layout.opacity = "0.4" if self._took > _SLOW else "1"
        try:
            self._show(live)
            if live:
                self._loop.call_soon_threadsafe(self._wait_for_rest)
        except KeyboardInterrupt as error:
            self._go_back()
            self.error = error
            self.message.value = red("Interrupted. The controls are back where the picture was made.")
        except Exception as error:
            self.tell(error)
        finally:
            self._took, self.image.layout.opacity = time.perf_counter() - start, "1"

    def _go_back(self):
        """Set the controls to the values of the picture that is seen."""
        self._going_back = True
        try:
            for name, value in self._values.items():
                self.controls[name].value = value
        finally:
            self._going_back = False


def _last(results):
    last = deque((result for result in results if result is not None), maxlen=1)
    if not last:
        raise ValueError(_NOTHING)
    return last[0]
