"""The live picture of a training run: what stands still is drawn once, what moves is drawn on a copy of it."""

import math
import numbers
import textwrap

import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aelib.common import plots
from aelib.widgets.pictures import DPI, encoded

SIZE = (840, 404)  # pixels
_BOXES = {  # left, bottom, width, height in pixels
    "loss": (44, 40, 420, 340),
    "digits": (547, 326, 289, 57),  # as many as ten digits over ten with gaps between have, so that none is resampled
    "codes": (486, 40, 160, 250),
    "norms": (700, 40, 134, 250),
}
_SIDE = 28  # of a tile, in pixels
_FONT = 8
_LEGEND = dict(fontsize=_FONT - 1, loc="upper right", borderpad=0.3)


class Screen:
    """Loss, digits, codes and gradient norms, to be drawn many times a second.

    Args:
        levels: the reference ladder, name -> half-SSE, named at the right edge.
        labels: those that a code may have, ascending.
    """

    def __init__(self, levels, labels=range(10)):
        self.levels, self.labels = levels, labels
        self.figure = Figure(figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI)
        self.canvas = FigureCanvasAgg(self.figure)
        self._limits = None
        self.set_scene(1, (784, 2, 784), {}, {})

    def set_scene(self, updates, sizes, marks, ghosts):
        """Set what stands still.

        Args:
            updates: the end of the x axes.
            sizes: widths of the network.
            marks: further levels, name -> half-SSE, named at the left edge.
            ghosts: earlier runs, label -> (update, test loss).
        """
        self._scene, self._limits = (updates, sizes, marks, ghosts), None

    def draw(self, train, test, norms, images, codes, labels):
        """Draw the moving part; the rest too where a limit no longer holds. Return whether that was so.

        Args:
            train: (update, train loss).
            test: (update, test loss).
            norms: (update, gradient norm of layer 1, of layer 2, ...).
            images: inputs, then their outputs: twice at most ten, (20, side^2).
            codes: (n, d); the first two numbers are drawn, or, of a code of one, each label at its own height.
            labels: of the codes, (n,).
        """
        limits = self._find_limits(train, test, norms)
        whole = limits != self._limits
        if whole:
            self._draw_scene(*limits)
        reach = _round_up(np.quantile(np.abs(codes[:, :2]), 0.995))
        if whole or reach != self._reach:
            self._name_reach(reach)
        self.canvas.restore_region(self._background)
        self._train.set_data(*train)
        self._test.set_data(*test)
        self._head.set_data(test[0][-1:], test[1][-1:])
        for line, norm in zip(self._norms, norms[1:], strict=True):
            line.set_data(norms[0], norm)
        heights = np.linspace(-0.95, 0.95, len(self.labels))
        for label, height, points in zip(self.labels, heights, self._codes, strict=True):
            own = codes[labels == label] / reach
            points.set_data(own[:, 0], own[:, 1] if codes.shape[1] > 1 else np.full(len(own), height))
        for artist in self._moving:
            artist.axes.draw_artist(artist)
        x, y, _, height = _BOXES["digits"]
        tiles = np.nan_to_num(plots.mosaic(_tiles(images), len(images) // 2, _SIDE), nan=1.0)  # gaps are white
        pixels = np.asarray(self.canvas.buffer_rgba())[-y - height : -y, x : x + tiles.shape[1], :3]
        pixels[...] = (255 * np.clip(tiles, 0, 1)).astype(np.uint8)[..., None]
        return whole

    def jpeg(self):
        """Return the picture as JPEG bytes."""
        return encoded(self.canvas, "jpeg")

    def png(self):
        """Return the picture as PNG bytes."""
        return encoded(self.canvas, "png", optimize=True)

    def _find_limits(self, train, test, norms):
        """Return the end of x, bottom and top of the losses, and the decades that hold the norms."""
        losses = np.concatenate([train[1], test[1]])
        losses = losses[np.isfinite(losses) & (losses > 0)]
        bottom, top = min([11.0, *losses]), max([130.0, *losses])
        bottom = 11.0 if bottom >= 11 else 10.0 ** max(-6, math.floor(math.log10(bottom / 1.01)))
        top = 130.0 if top <= 130 else 10.0 ** math.ceil(math.log10(top * 1.01))
        norms = np.ravel(norms[1:])
        norms = norms[norms > 0]
        low, high = (norms.min(), norms.max()) if norms.size else (1, 1)
        low, high = math.floor(math.log10(max(low, 1e-12))), math.ceil(math.log10(high * 1.001))
        # widen, never narrow: drawing all anew costs as much as ten pictures
        _, *last = self._limits or (0, 11.0, 130.0, -2, 2)
        return self._scene[0], min(bottom, last[0]), max(top, last[1]), min(low, last[2]), max(high, last[3])

    def _draw_scene(self, end, bottom, top, low, high):
        self._limits = (end, bottom, top, low, high)
        _, sizes, marks, ghosts = self._scene
        self.figure.clear()
        axes = {
            name: self.figure.add_axes([x / SIZE[0], y / SIZE[1], w / SIZE[0], h / SIZE[1]])
            for name, (x, y, w, h) in _BOXES.items()
        }
        for ax in axes.values():
            ax.tick_params(labelsize=_FONT)
            ax.spines[:].set_color("0.6")
        self._moving = []
        self._loss(axes["loss"], end, bottom, top, marks, ghosts)
        self._gradients(axes["norms"], end, low, high, len(sizes) - 1)
        self._plane(axes["codes"], sizes[len(sizes) // 2])
        self._tiles(axes["digits"])
        self.canvas.draw()
        self._blank = self.canvas.copy_from_bbox(self.figure.bbox)

    def _name_reach(self, reach):
        """Write the reach of the axes of the codes on the background: text is slow to draw."""
        self._reach = reach
        self.canvas.restore_region(self._blank)
        self._title.set_text(f"test codes, ±{reach:g}")
        self._title.axes.draw_artist(self._title)
        self._background = self.canvas.copy_from_bbox(self.figure.bbox)

    def _animate(self, artist):
        artist.set_animated(True)
        self._moving.append(artist)
        return artist

    def _loss(self, ax, end, bottom, top, marks, ghosts):
        ax.set(yscale="log", xlim=(0, end), ylim=(bottom, top))
        ticks = [12, 15, 20, 30, 50, 100, *(10.0**k for k in range(3, 13))]
        if bottom < 11:
            ticks = [k * 10.0**power for power in range(-6, 13) for k in ((1, 2, 5) if top / bottom < 1e3 else (1,))]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_yticks([], minor=True)
        ax.set_ylim(bottom, top)
        ax.set_title("half-SSE per image", fontsize=_FONT + 1, loc="left")
        ax.set_xlabel("updates", fontsize=_FONT)
        for names, side in ((self.levels, "right"), (marks, "left")):
            for name, loss in names.items():
                ax.axhline(loss, color="0.6", linewidth=0.8, linestyle="--" if side == "right" else "-.", zorder=0)
                place = dict(ha=side, va="bottom", fontsize=_FONT - 1, color="0.3", annotation_clip=True)
                x, shift = (1, -3) if side == "right" else (0, 3)
                text = f"{name} {loss:.2f}"
                ax.annotate(text, (x, loss), (shift, 0), ("axes fraction", "data"), "offset points", **place)
        for k, (label, (x, y)) in enumerate(ghosts.items()):
            style = dict(color=plots.LINES[2 + k % 5], linestyle=plots.STYLES[1 + k % 6], linewidth=1.2)
            label = textwrap.fill(f"{label}: {y[-1]:.2f}", 54)
            ax.plot(x, y, label=label, alpha=0.8, **style)
        train = dict(color=plots.LINES[0], linewidth=0.9, alpha=0.55, label="train, batch by batch")
        self._train = self._animate(ax.plot([], [], **train)[0])
        self._test = self._animate(ax.plot([], [], color=plots.LINES[1], linewidth=2.2, label="test")[0])
        self._head = self._animate(ax.plot([], [], "o", color=plots.LINES[1], markersize=6)[0])
        handles, names = ax.get_legend_handles_labels()
        order = [len(ghosts), len(ghosts) + 1, *range(len(ghosts))]
        ax.legend(
            [handles[k] for k in order],
            [names[k] for k in order],
            handlelength=2.4,
            labelspacing=0.25,
            framealpha=0.92,
            **_LEGEND,
        )

    def _gradients(self, ax, end, low, high, layers):
        ax.set(yscale="log", xlim=(0, end), ylim=(10.0**low, 10.0**high))
        ax.set_title("gradient, by layer", fontsize=_FONT + 1, loc="left")
        ax.set_xlabel("updates", fontsize=_FONT)
        ax.xaxis.set_major_locator(_few_ticks())
        colors, styles, named = [*plots.LINES, "0.5"], [*plots.STYLES, "-"], -(-layers // 8)
        self._norms = []
        for l in range(layers):
            style = dict(color=colors[l % 8], linestyle=styles[(l + l // 8) % 8], linewidth=1.2)
            style |= dict(label=str(l + 1) if l % named == 0 else None)
            self._norms.append(self._animate(ax.plot([], [], **style)[0]))
        ax.legend(ncols=2, handlelength=2.2, columnspacing=0.8, labelspacing=0.2, framealpha=0.85, **_LEGEND)

    def _plane(self, ax, width):
        ax.set(xlim=(-1.06, 1.06), ylim=(-1.06, 1.06), xticks=[], yticks=[])
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.set_xlabel("code 1", fontsize=_FONT)
        ax.set_ylabel("label" if width == 1 else "code 2", fontsize=_FONT, labelpad=2)
        self._title = ax.text(0, 1.025, "", transform=ax.transAxes, fontsize=_FONT + 1, va="bottom", animated=True)
        self._codes = []
        for k, label in enumerate(self.labels):
            short = str(label).isascii() and str(label).lstrip("-").isalnum() and len(str(label)) < 3
            color = plots.DIGITS[(int(label) if isinstance(label, numbers.Integral) else k) % len(plots.DIGITS)]
            style = dict(marker=f"${label}$" if short else "o", markersize=5.5, markeredgewidth=0, color=color)
            self._codes.append(self._animate(ax.plot([], [], linestyle="none", **style)[0]))

    def _tiles(self, ax):
        ax.set(ylim=(57, 0))
        ax.set_yticks([14, 43], ["test image", "output"], fontsize=_FONT)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)


def _tiles(images):
    """Return images in rows, (n, side^2), as ones of the side of a tile."""
    side = math.isqrt(images.shape[1])
    if side == _SIDE:
        return images
    squares = (PIL.Image.fromarray(np.float32(image.reshape(side, side))) for image in images)
    return np.stack([square.resize((_SIDE, _SIDE), PIL.Image.Resampling.BOX) for square in squares])


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3, integer=True)


def _round_up(value):
    """Return the next number of 1, 2, 5 times a power of ten."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= value * 0.999)
