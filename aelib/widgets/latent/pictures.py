"""Pictures of the plane of codes: under the browser's marks, and as a stored notebook shows it."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aelib.common import plots
from aelib.common.geometry import distortion, ellipses
from aelib.widgets.pictures import DPI, encoded, own_style

UNDER = ("nothing", "distortion", "ellipses")
_CELLS = 12  # ellipses in a row


def draw_plane(figure, plane, count, under, limits):
    """Draw ``count`` codes, what lies under them, and the axes; return the Axes.

    Args:
        figure: Figure or SubFigure, empty.
        plane: a ``CodePlane``.
        count: number of images, the test images first.
        under: one of ``UNDER``.
        limits: (x0, x1, y0, y1).
    """
    ax = figure.add_axes((0.14, 0.1, 0.845, 0.85))
    labels = np.concatenate([plane.mnist.test_labels, plane.mnist.train_labels])[:count]
    size = 3.5 if count <= 3000 else 1.5
    plots.codes(ax, plane.first(count), labels, size=size, fontsize="small", limits=limits)
    title = f"{plane.name}: " if plane.name else ""
    ax.set_title(f"{title}half-SSE {plane.error:.1f} on the test images", fontsize="medium")
    if under == "distortion":
        areas = distortion(plane.lattice(limits, 40)[1])
        distortion_map(ax, np.reshape(areas, (40, 40)), limits)
    elif under == "ellipses":
        (Z, J), radius = plane.lattice(limits, _CELLS), plane.radius(limits, _CELLS)
        plots.ellipses(ax, Z, ellipses(J, radius, (limits[1] - limits[0]) / (2 * _CELLS)))
        ax.set_xlabel(f"code 1 (ellipses: steps that change the image by {radius:g})")
    return ax


def plane_picture(side, density, *arguments):
    """Draw the plane on a square; see ``draw_plane``.

    Args:
        side: of the square, in pixels of the page.
        density: pixels of the picture to one of the page.
        arguments: those of ``draw_plane`` after the figure.

    Returns:
        PNG bytes, and [left, top, width, height] of the Axes in pixels of the page, then [x0, x1, y0, y1].
    """
    with own_style():
        figure = Figure(figsize=(side / DPI, side / DPI), dpi=DPI * density)
        FigureCanvasAgg(figure)
        box = draw_plane(figure, *arguments).bbox
        figure.canvas.draw()
        place = [box.x0 / density, side - box.y1 / density, box.width / density, box.height / density]
        return encoded(figure.canvas, "png"), [*place, *arguments[-1]]


def draw_state(figure, explorer):
    """Draw a whole explorer as a stored notebook shows it: the plane with its marks, and the tiles."""
    left, right = figure.subfigures(1, 2, width_ratios=(47, 37))
    e, marks, point = explorer, explorer.plane.marks, np.array(explorer.plane.point)
    ax = draw_plane(left, e.now, e.controls["show"].value, e.controls["under"].value, e.limits)
    plots.ellipses(ax, point[None], np.array([marks["axes"]]), color=plots.LINES[0])
    ax.plot(*np.transpose(marks["path"]), "o-", color="black", markerfacecolor="none", linewidth=1.5)
    longest = np.linalg.norm(marks["axes"][0])
    for axis, color in zip(marks["axes"], plots.LINES, strict=False):  # slow: blue, fast: red, as on screen
        tip = point + longest * np.array(axis) / np.linalg.norm(axis)
        arrow = dict(arrowstyle="-|>", color=color, linewidth=2, shrinkA=0, shrinkB=0)
        ax.annotate("", tip, point, arrowprops=arrow, zorder=11)
    ax.plot(*point, "X", color="black", markeredgecolor="white", markersize=12, zorder=10)
    ax.plot(*marks["near"], "o", color="black", markerfacecolor="none", markersize=12)
    tiles = np.frombuffer(e.plane.tiles, np.uint8).reshape(9, 28, 28, 4)
    for axes, tile, caption in zip(right.subplots(3, 3).ravel(), tiles, e.plane.captions, strict=True):
        axes.imshow(tile)
        axes.set_axis_off()
        axes.set_title(caption, fontsize=7)


def distortion_map(ax, values, limits):
    """Draw magnifications of area (rows, columns), code 2 ascending, in grey on a logarithmic scale, with a key."""
    logs = np.log10(np.maximum(values, 1e-12))
    low, high = np.quantile(logs, [0.02, 0.98])
    high = max(high, low + 1e-3)  # one and the same magnification everywhere has a scale too
    image = ax.imshow(
        logs, cmap="Greys", vmin=low, vmax=high + 0.8 * (high - low), extent=limits, origin="lower", aspect="auto"
    )  # the darkest greys are left to the codes
    image.set_zorder(0)
    key = ax.inset_axes((0.6, 0.08, 0.34, 0.025))
    key.imshow(
        np.linspace(low, high, 64)[None], cmap=image.cmap, norm=image.norm, extent=(low, high, 0, 1), aspect="auto"
    )
    key.set_title(
        "image area per code area", fontsize="x-small", pad=4, bbox=dict(facecolor="white", edgecolor="none", pad=1)
    )
    key.set_yticks([])
    ends = (low, high)
    key.set_xticks(ends, [f"{10**end:.2g}" for end in ends], fontsize="x-small")
