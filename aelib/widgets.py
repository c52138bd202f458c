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
import time

import ipywidgets
import numpy as np
import PIL.Image
import threadpoolctl
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI = 100
_REST = 0.25  # seconds without a change after which a hurried picture is drawn in full
_SLOW = 0.3  # seconds of an answer from which the old picture is dimmed meanwhile


def start_lab():
    """Set one BLAS thread, here and in processes started from here: steadier beside a browser than one per core."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)


class _Sheet(Figure):
    """A Figure whose ``subplots`` may hand out last time's axes, emptied: ticks and their labels are slow to make."""

    lent = None  # (arguments of subplots, its axes) while they may be handed out
    _made = None

    def clear(self, keep_observers=False):
        for ax in self.axes:
            self.delaxes(ax)  # or each would first be emptied, which takes as long as making it
        super().clear(keep_observers)
        self.lent = self._made = None

    def lend(self):
        """Offer the axes to the next ``subplots``, if they are all that stands here; return whether they are."""
        axes = [] if self._made is None else list(np.ravel(self._made[1]))
        alone = self.get_children()[1:] == axes and not any(ax.child_axes for ax in axes)  # the first is the ground
        self.lent = self._made if axes and alone else None
        return self.lent is not None

    def subplots(self, *args, **kwargs):
        if self.lent is not None and self.lent[0] == (args, kwargs):
            for ax in np.ravel(self.lent[1]):
                _empty(ax)
            self._made, self.lent = self.lent, None
        else:
            self._made = (args, kwargs), super().subplots(*args, **kwargs)
            for ax in np.ravel(self._made[1]):
                ax.born = [axis.get_tick_params() for axis in (ax.xaxis, ax.yaxis)]
        return self._made[1]


def _empty(ax):
    """Take everything off Axes and undo what a drawing usually sets; ticks are made anew only if they were styled."""
    for axis, born in zip((ax.xaxis, ax.yaxis), ax.born, strict=True):
        if not axis.isDefault_majfmt or axis.get_tick_params() != born:
            axis.set_tick_params(reset=True, **born)
    for artist in [*ax.lines, *ax.patches, *ax.collections, *ax.images, *ax.texts, *ax.artists]:
        artist.remove()
    if ax.get_legend():
        ax.get_legend().remove()
    ax.set(title="", xlabel="", ylabel="", xscale="linear", yscale="linear", xlim=(0, 1), ylim=(0, 1), aspect="auto")
    ax.set_prop_cycle(None)
    ax.set_axis_on()
    ax.spines[:].set_visible(True)
    ax.relim()
    ax.ignore_existing_data_limits = True
    ax.autoscale()


class Picture:
    """A matplotlib figure outside pyplot, of fixed size, rendered to PNG or JPEG.

    Args:
        draw: function (figure, result) that draws on an empty figure.
        size: (width, height) in inches, at 100 pixels to the inch.
    """

    def __init__(self, draw, size):
        self.draw = draw
        self.figure = _Sheet(figsize=size, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(self.figure)
        self._boxes = []

    def png(self, result):
        """Draw ``result`` on a new figure and return the picture as PNG bytes."""
        self.figure.clear()
        self.draw(self.figure, result)
        self.figure.canvas.draw()
        self._boxes = [ax.get_position(original=True) for ax in self.figure.axes]
        return self._encode("png")

    def jpeg(self, result):
        """Draw ``result`` in a hurry and return the picture as JPEG bytes.

        Half the work of ``png``: the axes are those of the last picture, where ``draw`` asks for the same ones, and
        stand where they stood; no layout is sought.
        """
        figure = self.figure
        if not self._draw_again(result):
            figure.clear()
            self.draw(figure, result)
        layout = figure.get_layout_engine()
        if len(figure.axes) == len(self._boxes):
            figure.set_layout_engine("none")
            for ax, box in zip(figure.axes, self._boxes, strict=True):
                ax.set_position(box, which="original")
        try:
            figure.canvas.draw()
        finally:
            figure.set_layout_engine(layout)
        return self._encode("jpeg", quality=90, subsampling=0)

    def _draw_again(self, result):
        """Draw on the axes that stand there, if ``draw`` can; return whether it could."""
        if not self.figure.lend():
            return False
        self.draw(self.figure, result)
        return self.figure.lent is None

    def _encode(self, kind, **options):
        stream = io.BytesIO()
        PIL.Image.fromarray(np.asarray(self.figure.canvas.buffer_rgba())[..., :3]).save(stream, kind, **options)
        return stream.getvalue()


def picture(draw, result, size=(9, 4)):
    """Return the picture that ``draw(figure, result)`` makes, for display as the value of a cell."""
    return Image(Picture(draw, size).png(result))


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
        self._lock, self._rest, self._took = (
            threading.Lock(),
            None,
            0.0,
        )  # changes may come in another thread than the loop's
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # no Jupyter: every picture is drawn in full at once
        self._picture = Picture(draw, size)
        width, height = (f"{int(inches * _DPI)}px" for inches in size)
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
