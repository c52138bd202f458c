"""Thin ipywidgets shells over pure functions, for the labs. Only the labs import this module.

Behind every widget stand two plain functions: ``compute(**values)``, which returns arrays, and
``draw(figure, result)``, which draws them. ``picture`` calls the two once; ``Explorer`` calls them again whenever a
control moves.
"""

import asyncio
import base64
import html
import io
import os
import threading

import ipywidgets
import numpy as np
import PIL.Image
import threadpoolctl
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI = 100
_REST = 0.25  # seconds without a change after which a rough picture is drawn in full


def start_lab():
    """Set one BLAS thread, here and in processes started from here: steadier beside a browser than one per core."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)


class Picture:
    """A matplotlib figure outside pyplot, of fixed size, rendered to PNG.

    Args:
        draw: function (figure, result) that draws on an empty figure.
        size: (width, height) in inches, at 100 pixels to the inch.
    """

    def __init__(self, draw, size):
        self.draw, self.size = draw, size
        self.figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(self.figure)
        self._boxes = []

    def png(self, result, rough=False):
        """Draw ``result`` and return the picture as PNG bytes.

        ``rough`` skips finding the layout, half of the time, and puts the axes where the last picture had them.
        """
        figure = self.figure
        for ax in figure.axes:
            figure.delaxes(ax)  # clear() would first empty each, which takes as long as making it
        figure.clear()
        self.draw(figure, result)
        if rough and len(figure.axes) == len(self._boxes):
            for ax, box in zip(figure.axes, self._boxes, strict=True):
                ax.set_position(box, which="original")
            layout = figure.get_layout_engine()
            figure.set_layout_engine("none")
            try:
                figure.canvas.draw()
            finally:
                figure.set_layout_engine(layout)
        else:
            figure.canvas.draw()
            self._boxes = [ax.get_position(original=True) for ax in figure.axes]
        stream = io.BytesIO()
        pixels = PIL.Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
        pixels.save(stream, "png", compress_level=1 if rough else 6)
        return stream.getvalue()


def picture(draw, result, size=(9, 4)):
    """Return the picture that ``draw(figure, result)`` makes, for display as the value of a cell."""
    return Image(Picture(draw, size).png(result))


class Explorer(ipywidgets.VBox):
    """Controls above a picture: when one changes, ``draw(figure, compute(**values))`` makes the picture anew.

    The first picture is made at once, so that an error in ``compute`` or ``draw`` is the cell's. A later error stands
    in red under the picture, which stays as it was. A stored notebook shows the first picture. In Jupyter, a picture
    made while a control moves keeps the layout of the last one; once the controls rest it is drawn in full.

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
        self._lock, self._rest = threading.Lock(), None  # changes may come in another thread than the loop's
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter: every picture is drawn in full at once
        self._picture = Picture(draw, size)
        width, height = (f"{int(inches * _DPI)}px" for inches in size)
        layout = ipywidgets.Layout(width=width, height=height, max_width="100%", object_fit="contain")
        self.image = ipywidgets.Image(format="png", layout=layout)
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

    def _show(self, rough=False):
        with self._lock:
            self.result = self.compute(**self.values)
            self.image.value = self._picture.png(self.result, rough)

    def _wait_for_rest(self):
        """Put off the full picture, on the loop, until no control has moved for a while."""
        if self._rest:
            self._rest.cancel()
        self._rest = self._loop.call_later(_REST, self._show_in_full)

    def _show_in_full(self):
        if self.error is None:
            with self._lock:
                self.image.value = self._picture.png(self.result)

    def _changed(self, change):
        self.error, self.message.value = None, ""
        self.image.layout.opacity = "0.4"
        try:
            live = self._loop is not None and self._loop.is_running()
            self._show(rough=live)
            if live:
                self._loop.call_soon_threadsafe(self._wait_for_rest)
        except Exception as error:  # shown to the student: an observer's error would go to a log nobody reads
            self.error = error
            sentence = html.escape(f"{type(error).__name__}: {error}")
            self.message.value = f'<span style="color: #b00020">{sentence}</span>'
        finally:
            self.image.layout.opacity = "1"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["image/png"] = base64.b64encode(self.image.value).decode()
        return bundle
