"""Pictures as bytes: figures outside pyplot, drawn at the density of the screen, in the package's own style."""

import contextlib
import io
import math

import matplotlib
import numpy as np
import PIL.Image
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 100  # pixels of a page to the inch of a figure
STORED = 1.5  # pixels of a stored picture to a pixel of the page: 150 to the inch
_OPTIONS = {"jpeg": dict(quality=88, subsampling=0), "png": dict(compress_level=4)}
_NOT_STYLE = ("backend", "interactive", "toolbar", "webagg", "tk.", "macosx", "savefig", "timezone", "date.epoch")
_STYLE = {
    name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(_NOT_STYLE)
}  # matplotlib's own, whatever a user's matplotlibrc says


@contextlib.contextmanager
def own_style():
    """Draw in matplotlib's default style: a user's ``matplotlibrc`` (dark style, usetex, fonts) changes no picture."""
    now = matplotlib.rcParams
    other = {name: value for name, value in _STYLE.items() if now[name] != value}
    with matplotlib.rc_context(other):
        yield


def encoded(canvas, kind, **options):
    """Return what is drawn on an Agg canvas as bytes of a PNG ("png") or JPEG ("jpeg"), with Pillow's options."""
    size = canvas.get_width_height(physical=True)
    pixels = PIL.Image.frombuffer("RGBX", size, canvas.buffer_rgba(), "raw", "RGBX", 0, 1)  # no copy
    stream = io.BytesIO()
    (pixels if kind == "jpeg" else pixels.convert("RGB")).save(stream, kind, **_OPTIONS[kind] | options)
    return stream.getvalue()


class Picture:
    """What ``draw`` makes of results, as PNG or JPEG: a new figure for each, all in one layout as far as it fits.

    Axes keep their places from picture to picture, so that nothing jumps: they give way only where the words
    beside them have grown.

    Args:
        draw: function (figure, result) that draws on an empty figure.
        size: (width, height) in inches, at 100 pixels of the page to the inch.

    Attributes:
        alt: what the last picture shows, in words and numbers.
    """

    def __init__(self, draw, size):
        self.draw, self.size, self.alt = draw, size, ""
        self._boxes = []  # of the Axes, as (x0, y0, x1, y1) in parts of the figure

    @property
    def size(self):
        """(width, height) in inches; another size has another layout."""
        return self._size

    @size.setter
    def size(self, size):
        self._size, self._boxes = tuple(size), []

    @property
    def width(self):
        """Width on the page, in its pixels."""
        return round(self.size[0] * DPI)

    def png(self, result, density=1):
        """Draw ``result``, words and all in their places, and return the picture as PNG bytes.

        Args:
            result: what ``draw`` takes.
            density: pixels of the picture to a pixel of the page.
        """
        with own_style():
            figure = self._drawn(result, density)
            self._arrange(figure)
            self.alt = described(figure)
            return self._rendered(figure, "png")

    def jpeg(self, result):
        """Draw ``result`` in a hurry, in the last layout, and return the picture as JPEG bytes: half the work."""
        with own_style():
            figure = self._drawn(result, 1)
            if len(figure.axes) == len(self._boxes):
                self._place(figure)
            else:
                self._arrange(figure)
            return self._rendered(figure, "jpeg")

    def _drawn(self, result, density):
        figure = Figure(figsize=self.size, dpi=DPI * density, layout="constrained")
        FigureCanvasAgg(figure)
        self.draw(figure, result)
        return figure

    def _arrange(self, figure):
        """Find a layout; Axes stay where they were in the last one if they have room there."""
        figure.draw_without_rendering()
        found = [ax.get_position(original=True).extents for ax in figure.axes]
        self._boxes = _common(self._boxes, found)
        self._place(figure)

    def _place(self, figure):
        figure.set_layout_engine("none")
        for ax, (x0, y0, x1, y1) in zip(figure.axes, self._boxes, strict=True):
            ax.set_position((x0, y0, x1 - x0, y1 - y0), which="original")

    @staticmethod
    def _rendered(figure, kind):
        figure.canvas.draw()
        return encoded(figure.canvas, kind)


def _common(before, found):
    """Return the part that each old and new box have in common, or the new boxes where that is too small."""
    if len(before) != len(found):
        return found
    pairs = list(zip(before, found, strict=True))
    common = [np.concatenate([np.maximum(old[:2], new[:2]), np.minimum(old[2:], new[2:])]) for old, new in pairs]
    fits = all(_area(part) > 0.7 * _area(new) for part, new in zip(common, found, strict=True))
    return common if fits else found


def _area(box):
    return np.prod(np.maximum(box[2:] - box[:2], 0))


def described(figure):
    """Return what a figure shows as text for who does not see it: titles, axes, each line's ends, numbers written."""
    parts = []
    for ax in figure.axes:
        words = [" ".join(ax.get_title().split())]
        over = f" over {ax.get_xlabel()}" if ax.get_xlabel() else ""
        for line in ax.lines:
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            seen = np.isfinite(x) & np.isfinite(y)
            if len(x) > 2 and seen.sum() > 1:
                name = "" if str(line.get_label()).startswith("_") else f"{line.get_label()}: "
                x, y = x[seen], y[seen]
                places = f" at {x[0]:.4g} to {x[-1]:.4g}"
                words.append(f"{name}{ax.get_ylabel()}{over}, from {y[0]:.4g} to {y[-1]:.4g}{places}".strip())
        texts = [" ".join(text.get_text().split()) for text in ax.texts]
        words.append(", ".join(text for text in texts if text))
        if not ax.lines and (ax.get_ylabel() or ax.get_xlabel()):
            words.append(f"{ax.get_ylabel()}{over}".strip())
        parts.append("; ".join(word for word in words if word))
    words = [" ".join(text.get_text().split()) for text in figure.texts]
    return ". ".join(part for part in [*words, *parts] if part)


class Shown(Image):
    """A stored picture: PNG of a stated width, whose text form says what it shows."""

    def __init__(self, png, width, alt):
        super().__init__(png, width=width, alt=alt)

    def __repr__(self):
        return self.alt or "a picture"


def picture(draw, result, size=(9, 4)):
    """Return the picture that ``draw(figure, result)`` makes, for display as the value of a cell.

    Args:
        draw: function (figure, result) that draws on an empty figure.
        result: anything that ``draw`` takes.
        size: (width, height) in inches, at 100 pixels of the page to the inch; 150 are stored.
    """
    made = Picture(draw, size)
    png = made.png(result, STORED)
    return Shown(png, made.width, made.alt)


def fitted(size, room):
    """Return a size in inches that fits into ``room`` pixels of width: letters keep their size, height follows."""
    width, height = size
    if not room or room >= width * DPI:
        return tuple(size)
    narrow = max(room / DPI, 0.4 * width)
    return narrow, height * math.sqrt(narrow / width)
