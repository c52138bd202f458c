"""Pictures as bytes: a figure outside pyplot, drawn again and again, and the encoding of its pixels."""

import io

import numpy as np
import PIL.Image
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from aelib.widgets.pixels import Pixels, tick_styles

DPI = 100
_OPTIONS = {"jpeg": dict(quality=88, subsampling=0), "png": {}}


def encoded(canvas, kind, **options):
    """Return what is drawn on an Agg canvas as bytes of a PNG ("png") or JPEG ("jpeg"), with Pillow's options."""
    size = canvas.get_width_height(physical=True)
    pixels = PIL.Image.frombuffer("RGBX", size, canvas.buffer_rgba(), "raw", "RGBX", 0, 1)  # no copy
    stream = io.BytesIO()
    (pixels if kind == "jpeg" else pixels.convert("RGB")).save(stream, kind, **_OPTIONS[kind] | options)
    return stream.getvalue()


class _Sheet(Figure):
    """A Figure that may hand out last time's axes, emptied: ticks and their labels are slow to make."""

    pixels = None  # of its canvas
    lent = None  # (how they were asked for, the axes) while they may be handed out
    _made = None

    def clear(self, keep_observers=False):
        for ax in self.axes:
            self.delaxes(ax)  # or each would first be emptied, which takes as long as making it
        super().clear(keep_observers)
        self.lent = self._made = None

    def lend(self):
        """Offer the axes to the next ``subplots``, if only legends stand beside them; return whether."""
        axes = [] if self._made is None else _each(self._made[1])
        for legend in list(self.legends):
            legend.remove()
        alone = self.get_children()[1:] == axes and not any(ax.child_axes for ax in axes)  # the first is the ground
        as_born = all(_rest(ax) == ax.born[-1] for ax in axes)
        self.lent = self._made if axes and alone and as_born else None
        return self.lent is not None

    def subplots(self, *args, **kwargs):
        return self._ask(super().subplots, args, kwargs)

    def subplot_mosaic(self, *args, **kwargs):
        return self._ask(super().subplot_mosaic, args, kwargs)

    def _ask(self, make, args, kwargs):
        asked = make.__name__, args, kwargs
        if self.lent is not None and self.lent[0] == asked:
            for ax in _each(self.lent[1]):
                _empty(ax)
            self._made, self.lent = self.lent, None
        else:
            self._made = asked, make(*args, **kwargs)
            for ax in _each(self._made[1]):
                ax.born = _born(ax)
                self.pixels.watch(ax)
        return self._made[1]


def _each(axes):
    """Return the Axes in what ``subplots`` or ``subplot_mosaic`` returned."""
    return list(axes.values()) if isinstance(axes, dict) else list(np.ravel(axes))


def _born(ax):
    """Return how new Axes look: their ticks, a copy of each of their words, their colour, and the rest."""
    words = {text: Text() for text in (ax.title, ax.xaxis.label, ax.yaxis.label)}
    for text, copy in words.items():
        copy.update_from(text)
    axes = [(a, a.labelpad, a.get_tick_params(), tick_styles(a)) for a in (ax.xaxis, ax.yaxis)]
    return axes, words, ax.get_facecolor(), _rest(ax)


def _rest(ax):
    """Return how those parts of Axes look that ``_empty`` leaves as they are."""
    axes = [(axis.get_visible(), axis.get_label_position(), axis.have_units()) for axis in (ax.xaxis, ax.yaxis)]
    spines = [str((s.get_position(), s.get_edgecolor(), s.get_linewidth(), s.zorder)) for s in ax.spines.values()]
    ground = ax.patch.get_visible(), ax.get_frame_on(), ax.get_axisbelow()
    return axes, spines, ground, ax.margins(), ax.get_zorder(), ax.get_visible()


def _empty(ax):
    """Take everything off Axes and undo what a drawing usually sets; ticks are made anew only if they were styled."""
    axes, words, colour, _ = ax.born
    for axis, axis.labelpad, params, styles in axes:
        if (axis.get_tick_params(), tick_styles(axis)) != (params, styles):
            axis.set_tick_params(reset=True, **params)
    for text, copy in words.items():
        text.update_from(copy)
    for place in ("left", "center", "right"):
        ax.set_title("", loc=place)
    for artist in [*ax.lines, *ax.patches, *ax.collections, *ax.images, *ax.texts, *ax.artists]:
        artist.remove()
    if ax.get_legend():
        ax.get_legend().remove()
    ax.set(xlabel="", ylabel="", xscale="linear", yscale="linear", aspect="auto")
    ax.set_prop_cycle(None)
    ax.set_facecolor(colour)
    ax.set_axis_on()
    ax.spines[:].set_visible(True)
    ax.relim()
    ax.ignore_existing_data_limits = True
    ax.set_xlim(0, 1, auto=True)  # so they stay until there are data
    ax.set_ylim(0, 1, auto=True)


class Picture:
    """A matplotlib figure outside pyplot, of fixed size, rendered to PNG or JPEG.

    Args:
        draw: function (figure, result) that draws on an empty figure.
        size: (width, height) in inches, at 100 pixels to the inch.
    """

    def __init__(self, draw, size):
        self.draw = draw
        self.figure = _Sheet(figsize=size, dpi=DPI, layout="constrained")
        self.figure.pixels = Pixels(FigureCanvasAgg(self.figure))
        self._boxes = []

    def png(self, result):
        """Draw ``result`` on a new figure and return the picture as PNG bytes."""
        self.figure.pixels.begin()
        self.figure.clear()
        self.draw(self.figure, result)
        self._draw_in_layout()
        return encoded(self.figure.canvas, "png")

    def _draw_in_layout(self):
        self.figure.canvas.draw()
        self._boxes = [ax.get_position(original=True) for ax in self.figure.axes]

    def jpeg(self, result):
        """Draw ``result`` in a hurry and return the picture as JPEG bytes.

        Half the work of ``png``: the axes are those of the last picture, where ``draw`` asks for the same ones, and
        stand where they stood; no layout is sought.
        """
        figure = self.figure
        figure.pixels.begin()
        if not self._draw_again(result):
            figure.clear()
            self.draw(figure, result)
        if len(figure.axes) != len(self._boxes):
            self._draw_in_layout()
        else:
            layout = figure.get_layout_engine()
            figure.set_layout_engine("none")
            for ax, box in zip(figure.axes, self._boxes, strict=True):
                ax.set_position(box, which="original")
            try:
                figure.canvas.draw()
            finally:
                figure.set_layout_engine(layout)
        return encoded(self.figure.canvas, "jpeg")

    def _draw_again(self, result):
        """Draw on the axes that stand there, if ``draw`` can; return whether it could."""
        if not self.figure.lend():
            return False
        self.draw(self.figure, result)
        return self.figure.lent is None


def picture(draw, result, size=(9, 4)):
    """Return the picture that ``draw(figure, result)`` makes, for display as the value of a cell."""
    return Image(Picture(draw, size).png(result))
