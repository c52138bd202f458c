"""The picture of a training run: loss, digits, net, codes and gradients, drawn from one ``Frame`` of numbers."""

import io
import math
import numbers
from typing import NamedTuple

import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aelib.common import plots
from aelib.widgets.pictures import DPI, encoded, own_style

SIZE = (9.2, 3.3)  # inches
_DIGIT = 28  # pixels of a digit's side, to which images of another size are brought
_BOTTOM, _TOPS = 11.0, (60.0, 130.0)  # half-SSE: the axis of MNIST's losses, where they fit
_TICKS = (12, 15, 20, 25, 30, 40, 50, 100)
_SMALL, _TINY = 8, 7  # points


class Frame(NamedTuple):
    """What there is to see of a run at one moment.

    Attributes:
        end: the update at which the x axes end.
        sizes: widths of the network.
        levels: the reference ladder, name -> half-SSE, named at the right edge.
        marks: further levels, name -> half-SSE, named at the left edge.
        ghosts: earlier runs, name -> (update, test loss).
        train, test: (update, loss), the batches' and the test images'.
        norms: (update, gradient norm of layer 1, of layer 2, ...).
        examples, outputs: images and what the net makes of them, at most ten, (n, D).
        codes: of test images, (m, d); of more than two numbers the first two are drawn.
        labels: of these images, (m,).
    """

    end: int
    sizes: tuple
    levels: dict
    marks: dict
    ghosts: dict
    train: tuple
    test: tuple
    norms: tuple
    examples: np.ndarray
    outputs: np.ndarray
    codes: np.ndarray
    labels: np.ndarray


class RunPicture:
    """The picture of a run, drawn many times a second.

    What stands still (axes, levels, ghosts, the net) is drawn when it changes, and kept as a background; what moves is
    drawn on a copy of it. Axes are widened where numbers leave them and never narrowed during a run, so that little
    jumps.

    Args:
        gradients: whether the norms of the layers' gradients have a panel; else the plane of codes is larger.
    """

    def __init__(self, gradients=True):
        self._gradients, self.size = gradients, SIZE

    @property
    def size(self):
        """(width, height) in inches; setting it makes all anew."""
        return tuple(self.figure.get_size_inches())

    @size.setter
    def size(self, size):
        self.figure = Figure(figsize=size, dpi=DPI)
        self._canvas = FigureCanvasAgg(self.figure)
        self._still, self._background = None, None

    def jpeg(self, frame):
        """Return the picture of a ``Frame`` as JPEG bytes, made in a hurry."""
        with own_style():
            self._set(frame)
            if self._background is None:
                self._canvas.draw()
                self._background = self._canvas.copy_from_bbox(self.figure.bbox)
            self._canvas.restore_region(self._background)
            for artist in self._moving:
                artist.axes.draw_artist(artist)
            return encoded(self._canvas, "jpeg")

    def png(self, frame, density=1):
        """Return the picture of a ``Frame`` as PNG bytes, with so many pixels to a pixel of the page."""
        with own_style():
            self._set(frame)
            stream = io.BytesIO()
            self.figure.savefig(stream, format="png", dpi=density * DPI)
        return stream.getvalue()

    def _set(self, frame):
        """Put the numbers of a frame into what is drawn; make what stands still anew where it changed."""
        still = _Still.of(frame, self._still if len(frame.test[0]) > 1 else None)
        if still != self._still:
            self._still, self._background, self._moving = still, None, []
            self.figure.clear()
            self._make(frame, still)
        self._train.set_data(*frame.train)
        self._test.set_data(*frame.test)
        self._head.set_data(frame.test[0][-1:], frame.test[1][-1:])
        for image, X in ((self._examples, frame.examples), (self._outputs, frame.outputs)):
            image.set_data(np.ma.masked_invalid(plots.mosaic(_digits(X), len(X), _DIGIT)))
        for points, label, height in zip(self._codes, still.labels, still.heights, strict=True):
            own = frame.codes[frame.labels == label]
            points.set_data(own[:, 0], own[:, 1] if own.shape[1] > 1 else np.full(len(own), height))
        for line, norm in zip(self._norms, frame.norms[1:], strict=False):
            line.set_data(frame.norms[0], norm)

    def _make(self, frame, still):
        width, height = self.size
        left, bottom = 0.48 / width, 0.45 / height  # room for numbers and words beside the axes
        boxes = {"loss": (left, bottom, 0.402 - left, 0.815 - bottom), "net": (0.43, 0.0, 0.28, 0.95)}
        side = 0.235  # of the square plane of codes
        boxes["codes"] = (0.75, 0.25, side, side * width / height)
        if self._gradients:
            right, across = 0.72 + 0.5 / width, 0.28 - 0.66 / width
            boxes["codes"] = (right, 0.49, across, 0.44)
            boxes["gradients"] = (right, bottom, across, 0.335 - bottom)
        axes = {name: self.figure.add_axes(box) for name, box in boxes.items()}
        for ax in axes.values():
            ax.tick_params(labelsize=_SMALL)
            ax.spines[:].set_color("0.6")
        self._train, self._test, self._head = self._move(_draw_loss(axes["loss"], frame, still))
        self._examples, self._outputs = self._move(_draw_net(axes["net"], frame))
        self._codes = self._move(_draw_codes(axes["codes"], frame, still))
        self._norms = self._move(_draw_gradients(axes["gradients"], frame, still)) if self._gradients else []

    def _move(self, artists):
        """Take artists as ones that move, and return them."""
        for artist in artists:
            artist.set_animated(True)
            self._moving.append(artist)
        return artists


class _Still(NamedTuple):
    """What stands still from frame to frame; where it changes, the axes are made anew."""

    end: int
    sizes: tuple
    ghosts: tuple
    labels: tuple
    loss: tuple  # bottom and top of the axis
    reach: float  # of the axes of codes
    norms: tuple  # bottom and top of the axis, in decades

    @property
    def heights(self):
        return range(len(self.labels))

    @classmethod
    def of(cls, frame, before):
        """Return what a frame needs, and at least the room that there was before, if anything was."""
        low, high = _finite([_BOTTOM, _TOPS[0]], *frame.train[1:], *frame.test[1:])
        bottom = _BOTTOM if low >= _BOTTOM else 10.0 ** math.floor(math.log10(low))
        top = next((top for top in _TOPS if high <= top), 10.0 ** math.ceil(math.log10(high * 1.01)))
        small, large = _finite([] if frame.norms[1:][0].size else [0.1, 1], *frame.norms[1:])
        decades = math.floor(math.log10(max(small, 1e-12))), math.ceil(math.log10(large * 1.001))
        codes = frame.codes[np.isfinite(frame.codes).all(axis=1), :2]
        reach = _round_up(np.quantile(np.abs(codes), 0.99)) if len(codes) else 1.0
        if before:
            bottom, top = min(bottom, before.loss[0]), max(top, before.loss[1])
            decades = min(decades[0], before.norms[0]), max(decades[1], before.norms[1])
            reach = max(reach, before.reach)
        ghosts = tuple((name, float(y[-1])) for name, (_, y) in frame.ghosts.items())
        labels = tuple(np.unique(frame.labels).tolist())
        return cls(frame.end, tuple(frame.sizes), ghosts, labels, (bottom, top), reach, decades)


def _finite(others, *numbers):
    """Return the least and the largest of all these numbers, nan, infinite ones and those not above 0 aside."""
    known = np.concatenate([np.asarray(others, float), *map(np.ravel, numbers)])
    known = known[np.isfinite(known) & (known > 0)]
    return (known.min(), known.max()) if known.size else (0.1, 1.0)


# -- the loss ----------------------------------------------------------------------------------------------------------


def _draw_loss(ax, frame, still):
    """Draw axes, levels, ghosts and the legend; return the lines that move."""
    ax.set(xlim=(0, still.end), yscale="log")
    ticks = _loss_ticks(*still.loss)
    ax.set_yticks(ticks, [_short(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_ylim(*still.loss)
    ax.set_xlabel("updates", fontsize=_SMALL, labelpad=1)
    ax.set_title("half-SSE of an image", fontsize=_SMALL + 1, loc="left", y=1.16)
    for levels, side in ((frame.levels, "right"), (frame.marks, "left")):
        for name, loss in levels.items():
            ax.axhline(loss, color="0.6", linewidth=0.8, linestyle="--" if side == "right" else "-.", zorder=0)
            place = dict(ha=side, va="bottom", fontsize=_TINY - 0.7, color="0.3", annotation_clip=True)
            x, shift = (1, -3) if side == "right" else (0, 3)
            ax.annotate(
                f"{name} {loss:.2f}", (x, loss), (shift, 0), ("axes fraction", "data"), "offset points", **place
            )
    (train,) = ax.plot(
        [],
        [],
        color=plots.LINES[0],
        linewidth=0.9,
        alpha=0.55,
        label="train" if _narrow(ax) else "train, batch by batch",
    )
    (test,) = ax.plot([], [], color=plots.LINES[1], linewidth=2.2, label="test")
    (head,) = ax.plot([], [], "o", color=plots.LINES[1], markersize=6)
    for k, (name, (x, y)) in enumerate(frame.ghosts.items()):
        style = dict(color=plots.LINES[2 + k], linestyle=plots.STYLES[1 + k], linewidth=1.2)
        ax.plot(x, y, label=f"{name}: {y[-1]:.2f}", alpha=0.8, **style)
    form = dict(fontsize=_TINY, frameon=False, handlelength=2, labelspacing=0.2, columnspacing=1.2, borderpad=0)
    ax.legend(loc="upper left", bbox_to_anchor=(-0.01, 1.155), borderaxespad=0, ncols=2, **form)  # above the plot
    return train, test, head


def _narrow(ax):
    """Return whether the picture has less than its usual width, as in a small window: some words are left out then."""
    return ax.get_figure().get_figwidth() < 0.85 * SIZE[0]


def _loss_ticks(bottom, top):
    if bottom == _BOTTOM and top in _TOPS:
        return [tick for tick in _TICKS if tick < top]
    first, last = math.ceil(math.log10(bottom)), math.floor(math.log10(top))
    return [10.0**k for k in range(first, last + 1, -(-(last - first) // 6))]  # at most seven numbers


def _short(tick):
    """Return a tick in few characters, so that none is cut off at the edge."""
    return f"{tick:g}" if 0.01 <= tick < 10_000 else f"$10^{{{round(math.log10(tick))}}}$"


# -- digits and net ----------------------------------------------------------------------------------------------------


def _draw_net(ax, frame):
    """Draw the net's layers between digits and what it makes of them; return the two rows of digits, which move."""
    ax.set_axis_off()
    n = len(frame.examples)
    show = dict(cmap="gray", vmin=0, vmax=1, interpolation="antialiased", aspect="auto")
    left, right, height = 0.5 - 0.05 * n, 0.5 + 0.05 * n, 0.075  # a digit is as high as it is wide
    rows = []
    for bottom, words, above in ((0.89, "ten test images", 0.975), (0.055, "what the net makes of them", 0.014)):
        tiles = np.zeros((_DIGIT, n * (_DIGIT + 1) - 1))
        rows.append(ax.imshow(tiles, extent=(left, right, bottom, bottom + height), **show))
        ax.text(0.5, above, words.replace("ten", str(n)) if n != 10 else words, ha="center", fontsize=_SMALL)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    draw_layers(ax, frame.sizes, (0.2, 0.82))
    return rows


def draw_layers(ax, sizes, between=(0, 1)):
    """Draw the layers of a net as bars, the first on top, as long as the root of their widths, which stand beside them.

    Args:
        ax: Axes, x from 0 to 1.
        sizes: widths of the layers.
        between: y of the last bar's and of the first bar's middle.
    """
    places = np.linspace(between[1], between[0], len(sizes))
    halves = 0.5 * np.maximum(np.sqrt(np.divide(sizes, max(sizes))), 0.03)
    thick = min(0.05, 0.6 * (between[1] - between[0]) / (len(sizes) - 1))
    ax.fill_betweenx(places, 0.5 - halves, 0.5 + halves, color=plots.LINES[5], alpha=0.25, linewidth=0)
    code = len(sizes) // 2
    colors = [plots.LINES[1] if l == code else plots.LINES[0] for l in range(len(sizes))]
    ax.barh(places, 2 * halves, thick, left=0.5 - halves, color=colors)
    many = max(1, len(sizes) // 9)  # of many layers every second, third ... is named
    for l, (n, y, half) in enumerate(zip(sizes, places, halves, strict=True)):
        if l % many == 0 or l == code:
            inside = half > 0.2
            words = f"{n} numbers: the code" if l == code else f"{n}"
            x, side, color = (0.5, "center", "white") if inside else (0.5 + half + 0.02, "left", "0.2")
            ax.text(x, y, words, ha=side, va="center_baseline", fontsize=_TINY, color=color)


def _digits(images):
    """Return images in rows, (n, side^2), as ones of 28 x 28 pixels."""
    side = math.isqrt(images.shape[1])
    if side == _DIGIT:
        return images
    squares = (PIL.Image.fromarray(np.float32(image.reshape(side, side))) for image in images)
    return np.stack([np.ravel(square.resize((_DIGIT, _DIGIT), PIL.Image.Resampling.BOX)) for square in squares])


# -- codes and gradients -----------------------------------------------------------------------------------------------


def _draw_codes(ax, frame, still):
    """Draw the axes of the plane of codes; return the points of each label, which move."""
    reach, plane = still.reach, frame.codes.shape[1] > 1
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach) if plane else (-1, len(still.labels)))
    ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    ax.set_title(
        "codes" if _narrow(ax) else f"codes of {len(frame.codes)} test images", fontsize=_SMALL + 1, loc="left", pad=3
    )
    ax.set_xticks([-0.8 * reach, 0.8 * reach], [f"{x:g}" for x in (-0.8 * reach, 0.8 * reach)])
    ax.set_yticks([])
    ax.set_xlabel("code 1", fontsize=_SMALL, labelpad=-5)
    ax.set_ylabel("code 2" if plane else "label", fontsize=_SMALL, labelpad=2)
    points = []
    for k, label in enumerate(still.labels):
        short = str(label).isascii() and str(label).lstrip("-").isalnum() and len(str(label)) < 3
        color = plots.DIGITS[(int(label) if isinstance(label, numbers.Integral) else k) % len(plots.DIGITS)]
        style = dict(marker=f"${label}$" if short else "o", markersize=5, markeredgewidth=0, color=color)
        points += ax.plot([], [], linestyle="none", **style)
    return points


def _draw_gradients(ax, frame, still):
    """Draw the axes of the gradient's norms; return a line for each layer, which move."""
    layers, (low, high) = len(frame.sizes) - 1, still.norms
    ax.set(yscale="log", xlim=(0, still.end), ylim=(10.0**low, 10.0**high))
    ax.set_yticks([10.0**k for k in range(low, high + 1, max(1, -(-(high - low) // 4)))])
    ax.minorticks_off()
    ax.set_xlabel("updates", fontsize=_SMALL, labelpad=1)
    ax.set_title("gradient", fontsize=_SMALL + 1, loc="left", pad=4)
    lines, named = [], -(-layers // 8)
    for l in range(layers):
        style = dict(color=plots.LINES[l % len(plots.LINES)], linestyle=plots.STYLES[(l + l // 7) % len(plots.STYLES)])
        lines += ax.plot([], [], linewidth=1.2, label=f"{l + 1}" if l % named == 0 else None, **style)
    form = dict(fontsize=_TINY, handlelength=1.1, handletextpad=0.3, columnspacing=0.6, labelspacing=0.1, frameon=False)
    place = dict(loc="lower right", bbox_to_anchor=(1.06, 0.98)) if layers <= 4 else dict(loc="upper right")
    ax.legend(ncols=4, borderaxespad=0, borderpad=0.2, **form, **place)  # of few layers above the plot
    return lines


def _round_up(value):
    """Return the next number of 1, 2, 5 times a power of ten."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= value * 0.999)


def in_words(frame):
    """Return what a ``Frame`` shows, for who does not see the picture."""
    (x, test), ladder = (
        frame.test,
        ", ".join(f"{name} {loss:.2f}" for name, loss in (frame.levels | frame.marks).items()),
    )
    ghosts = "".join(f" An earlier run, {name}, ended at {y[-1]:.2f}." for name, (_, y) in frame.ghosts.items())
    return (
        f"Net {'-'.join(map(str, frame.sizes))}: test half-SSE over {x[-1]} updates, "
        f"from {test[0]:.2f} to {test[-1]:.2f}. For comparison: {ladder}."
        f"{ghosts} Beside it ten test images and what the net makes of them, and the codes of {len(frame.codes)}."
    )
