"""Thin ipywidgets shells over pure functions, for the labs. Only the labs import this module.

Behind every widget stand two plain functions: ``compute(**values)``, which returns arrays, and
``draw(figure, result)``, which draws them. ``picture`` shows what they make once; ``Explorer`` calls them again
whenever a control moves. A ``compute`` that takes long is a generator, whose answer grows before one's eyes.
"""

import asyncio
import base64
import gc
import html
import inspect
import os
import threading
import time
from collections import deque

import ipywidgets
import threadpoolctl

from aelib.widgets.pictures import DPI, Picture
from aelib.widgets.turns import Turns, stop_all

_REST = 0.25  # seconds without a change after which a hurried picture is drawn in full
_SLOW = 0.3  # seconds of an answer from which the old picture is dimmed meanwhile
_NOTHING = "compute yielded nothing: expected at least one result"
_FRAME = 0.1  # seconds from one picture of an answer that grows to the next, on average


def start_lab():
    """Make a kernel ready for widgets: steady beside a browser, and without pauses.

    One BLAS thread, here and in processes started from here. What was imported is set aside from the search for
    garbage, which would otherwise keep a picture waiting for a tenth of a second now and then.
    """
    gc.collect()
    gc.freeze()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)


class Explorer(ipywidgets.VBox):
    """Controls above a picture: when one changes, ``draw(figure, compute(**values))`` makes the picture anew.

    The first picture is made at once, so that an error in ``compute`` or ``draw`` is the cell's. A later error stands
    in red under the picture, which stays as it was. A stored notebook shows the first picture. In Jupyter, a picture
    made while a control moves is a hurried one, a JPEG in the last layout; once the controls rest it is drawn in full.

    ``compute`` may be a generator that yields results on the way, the first one soon. When a control moves, the run
    under way is closed and the next begins, in turns from yield to yield between which Jupyter answers; its results are
    shown as they come, ten a second at most, and the last. One run is under way at a time, in all explorers: running
    the cell again, or interrupting the kernel, ends it. In the cell itself and in scripts it runs to its end at once. A
    yield of None only lets Jupyter answer.

    Args:
        compute: function of the controls' values, by name; returns, or yields, anything that ``draw`` takes.
        draw: function (figure, result), or, with ghosts, (figure, result, ghosts).
        size: of the picture, in inches at 100 pixels to the inch.
        ghosts: so many earlier results, of runs that came to their end, are handed to ``draw`` too: a dict, oldest
            first, by what was different from now, such as "step 0.01, batch 20".
        controls: ipywidgets with a ``value``, by the names of compute's arguments. Sliders answer while dragged;
            give ``continuous_update=False`` where computing takes longer than a blink.

    Attributes:
        values: dict of the controls' values.
        result: what compute returned or yielded last.
        error: the exception of the last change, or None.
    """

    _turns = None  # where a wrong call leaves nothing but a widget to close

    def __init__(self, compute, draw, size=(9, 4), ghosts=0, **controls):
        self.compute, self.controls, self.error = compute, controls, None
        self._lock = threading.Lock()  # changes may come in another thread than the loop's
        self._rest, self._took = None, 0.0
        self._turns, self._grows, self._due = Turns(), False, 0.0
        self._most, self._ended, self._shown = ghosts, [], None  # ended runs: (words on each control, result)
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter: every picture is drawn in full at once
        self._draw, self._picture = draw, Picture(self._draw_result, size)
        width, height = (f"{int(inches * DPI)}px" for inches in size)
        layout = ipywidgets.Layout(width=width, height=height, max_width="100%", object_fit="contain")
        self.image = ipywidgets.Image(layout=layout)
        self.message = ipywidgets.HTML()
        for name, control in controls.items():
            control.description = control.description or name.replace("_", " ")
            control.style.description_width = "9em"
            control.layout.width = control.layout.width or "27em"
        row = ipywidgets.Layout(flex_flow="row wrap", max_width=width)
        super().__init__([ipywidgets.HBox(list(controls.values()), layout=row), self.image, self.message])
        self.add_class("aelib-explorer")
        self._show()
        for control in controls.values():
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
        """End the run under way and close the widget."""
        if self._turns:
            self._turns.stop()
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
            self._shown, answer = self._words(), self.compute(**self.values)
            self._grows = inspect.isgenerator(answer)
            if self._grows:
                stop_all()
                answer = _last(answer)
            self.result = answer
            kind = "jpeg" if live else "png"
            self._set(kind, getattr(self._picture, kind)(self.result))
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
        self.error, self.message.value = None, ""
        try:
            self._shown, self._due = self._words(), 0.0
            self._turns.begin(self.compute(**self.values), self._show_on_the_way, self._end, self._tell)
        except Exception as error:
            self._tell(error)

    def _show_on_the_way(self, result):
        if result is None:
            return
        start, self.result = time.perf_counter(), result
        if start >= self._due:
            self._set("jpeg", self._picture.jpeg(result))
            now = time.perf_counter()
            grid = max(self._due, start - _FRAME) + _FRAME  # a picture that was late does not put off the next
            self._due = max(grid, 2 * now - start)  # half the time for pictures at most

    def _end(self):
        if not self._due:
            raise ValueError(_NOTHING)
        self._set("png", self._picture.png(self.result))
        self._keep()

    def _set(self, kind, data):
        with self.image.hold_sync():
            self.image.format, self.image.value = kind, data

    def _wait_for_rest(self):
        """Put off the full picture, on the loop, until no control has moved for a while."""
        if self._rest:
            self._rest.cancel()
        self._rest = self._loop.call_later(_REST, self._show_in_full)

    def _show_in_full(self):
        if self.error is None:
            with self._lock:
                self._set("png", self._picture.png(self.result))

    def _changed(self, change):
        if self._grows and self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._grow)
            return
        start, self.error, self.message.value = time.perf_counter(), None, ""
        self.image.layout.opacity = "0.4" if self._took > _SLOW else "1"
        try:
            live = self._loop is not None and self._loop.is_running()
            self._show(live)
            if live:
                self._loop.call_soon_threadsafe(self._wait_for_rest)
        except Exception as error:  # an observer's error would go to a log nobody reads
            self._tell(error)
        finally:
            self._took, self.image.layout.opacity = time.perf_counter() - start, "1"

    def _tell(self, error):
        """Show an error to the student."""
        self.error = error
        interrupted = isinstance(error, KeyboardInterrupt)
        sentence = "Interrupted." if interrupted else html.escape(f"{type(error).__name__}: {error}")
        self.message.value = f'<span style="color: #b00020">{sentence}</span>'

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        png = self.image.value if self.image.format == "png" else self._picture.png(self.result)
        data["image/png"] = base64.b64encode(png).decode()
        return bundle


def _last(results):
    last = deque((result for result in results if result is not None), maxlen=1)
    if not last:
        raise ValueError(_NOTHING)
    return last[0]
