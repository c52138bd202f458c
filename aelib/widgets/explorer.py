"""Thin ipywidgets shells over pure functions, for the labs. Only the labs import this module.

Behind every widget stand two plain functions: ``compute(**values)``, which returns arrays, and
``draw(figure, result)``, which draws them. ``picture`` shows what they make once; ``Explorer`` calls them again
whenever a control moves.
"""

import asyncio
import base64
import html
import os
import threading
import time

import ipywidgets
import threadpoolctl

from aelib.widgets.pictures import DPI, Picture

_REST = 0.25  # seconds without a change after which a hurried picture is drawn in full
_SLOW = 0.3  # seconds of an answer from which the old picture is dimmed meanwhile


def start_lab():
    """Set one BLAS thread, here and in processes started from here: steadier beside a browser than one per core."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)


class Explorer(ipywidgets.VBox):
    """Controls above a picture: when one changes, ``draw(figure, compute(**values))`` makes the picture anew.

    The first picture is made at once, so that an error in ``compute`` or ``draw`` is the cell's. A later error stands
    in red under the picture, which stays as it was. A stored notebook shows the first picture. In Jupyter, a picture
    made while a control moves is a hurried one, a JPEG in the last layout; once the controls rest it is drawn in full.

    Args:
        compute: function of the controls' values, by name; returns anything that ``draw`` takes.
        draw: function (figure, result).
        size: of the picture, in inches at 100 pixels to the inch.
        controls: ipywidgets with a ``value``, by the names of compute's arguments. Sliders answer while dragged;
            give ``continuous_update=False`` where computing takes longer than a blink.

    Attributes:
        values: dict of the controls' values.
        result: what compute returned last.
        error: the exception of the last change, or None.
    """

    def __init__(self, compute, draw, size=(9, 4), **controls):
        self.compute, self.controls, self.error = compute, controls, None
        self._lock = threading.Lock()  # changes may come in another thread than the loop's
        self._rest, self._took = None, 0.0
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter: every picture is drawn in full at once
        self._picture = Picture(draw, size)
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

    def _show(self, live=False):
        with self._lock:
            self.result = self.compute(**self.values)
            kind = "jpeg" if live else "png"
            self._set(kind, getattr(self._picture, kind)(self.result))

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
        start, self.error, self.message.value = time.perf_counter(), None, ""
        self.image.layout.opacity = "0.4" if self._took > _SLOW else "1"
        try:
            live = self._loop is not None and self._loop.is_running()
            self._show(live)
            if live:
                self._loop.call_soon_threadsafe(self._wait_for_rest)
        except Exception as error:  # shown to the student: an observer's error would go to a log nobody reads
            self.error = error
            sentence = html.escape(f"{type(error).__name__}: {error}")
            self.message.value = f'<span style="color: #b00020">{sentence}</span>'
        finally:
            self._took, self.image.layout.opacity = time.perf_counter() - start, "1"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        png = self.image.value if self.image.format == "png" else self._picture.png(self.result)
        data["image/png"] = base64.b64encode(png).decode()
        return bundle
