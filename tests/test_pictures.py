"""Live pictures, which use axes and pixels of pictures before, equal those that are drawn in full."""

import inspect
import io
from functools import partial
from itertools import islice
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.axis import XAxis, YAxis
from matplotlib.patches import Rectangle
from PIL import Image

from aelib.common import plots
from aelib.coursework.notebooks import cells as slices
from aelib.widgets import Explorer
from aelib.widgets.pictures import Picture

LABS = sorted((Path(__file__).resolve().parents[1] / "labs").glob("*.ipynb"))
LONG = "07_curvature_at_work"  # what its Explorers show takes 40 s: test_study compares its panels on made-up results


def curve(figure, y):
    plots.curves(figure.subplots(), {"sin": (np.arange(50), y)}, "index", "sin")


def log_or_not(figure, y):
    left, right = figure.subplots(1, 2)
    plots.curves(left, {"y": (np.arange(50), y)}, "index", "y", log=y[1] > 0.5)
    if y[1] > 0.5:
        left.set(title="steep", xlim=(3, 9), ylim=(0.1, 3))
        plots.image_rows(right, {"a": np.tile(y, (2, 16))[:, :784]})
    else:
        plots.bands(right, {"y": (np.arange(50), y - 1, y, y + 1)}, "index", "y")
        plots.levels(right, {"level": y[3]})


def kinds(figure, y):
    axes = figure.subplots(2, 3).ravel()
    plots.grid(axes[0], np.outer(y[:3], y[:4]), "abc", "abcd", "row", "column")
    plots.codes(axes[1], np.outer(y, (1, 2)), np.arange(50) % 10, "codes")
    plots.signed(axes[2], np.outer(y[:5], y), "signed")
    plots.dots(axes[3], {"a": y[:3], "b": y[3:6]}, "dots")
    plots.confusion(axes[4], np.uint8(9 + 9 * np.outer(y, y)[:4, :4]), "confusion")
    plots.images(axes[5], np.tile(y, (2, 16))[:, :784], 2, "images")


def as_many_as_wanted(figure, y):
    for ax in figure.subplots(1, 1 + int(abs(y[1]) > 0.5), squeeze=False).ravel():
        ax.plot(y)


def mosaic(figure, y):
    axes = figure.subplot_mosaic([["curve", "table"], ["words", "words"]], height_ratios=[3, 1])
    plots.curves(axes["curve"], {"y": (np.arange(1, 51), y + 1)}, "index", "y", log=True)
    plots.signed(axes["table"], np.outer(y[:5], y), "signed")
    axes["words"].text(0, 0.5, f"{y[1]:.3f}")
    axes["words"].set_axis_off()


def colour_bar(figure, y):
    plots.signed_matrices(figure, {"a": np.outer(y, y)}, {"first": slice(0, 20), "second": slice(20, 50)})


def table(figure, y):
    plots.signed_table(figure.subplots(), {"a": {"one": np.outer(y[:5], y)}, "b": {"one": None, "two": y[None]}})


CHANGES = {
    "grid": lambda ax: ax.grid(visible=True),
    "left title": lambda ax: ax.set_title("left", loc="left"),
    "size of the title": lambda ax: ax.set_title("title", fontsize="small"),
    "colour of the title": lambda ax: ax.title.set_color("red"),
    "pad of tick labels": lambda ax: ax.tick_params(pad=9),
    "direction of ticks": lambda ax: ax.tick_params(direction="in"),
    "one tick label": lambda ax: ax.get_xticklabels()[1].set_color("green"),
    "one tick": lambda ax: ax.xaxis.get_major_ticks()[1].tick1line.set_markersize(9),
    "tick labels": lambda ax: ax.set_yticks([0, 0.5, 1], ["0.0", "0.5", "1.0"], rotation=90),
    "words": lambda ax: ax.set_yticks([0, 0.5, 1], "abc"),
    "minor ticks": lambda ax: ax.minorticks_on(),
    "a spine's place": lambda ax: ax.spines["left"].set_position(("outward", 5)),
    "pad": lambda ax: ax.set_xlabel("x", labelpad=-9),
    "size of the label": lambda ax: ax.set_xlabel("x", fontsize="large"),
    "label": lambda ax: ax.set_xlabel("y"),
    "place of the label": lambda ax: ax.yaxis.set_label_position("right"),
    "no axis": lambda ax: ax.yaxis.set_visible(False),
    "scale": lambda ax: ax.set_xscale("symlog", linthresh=9),
    "ground": lambda ax: ax.set_facecolor("0.9"),
    "below": lambda ax: ax.axvspan(-9, 0, zorder=0, clip_on=False, color="0.7"),
    "white words": lambda ax: ax.text(5, 0.5, "white", color="white"),
}


def changed(figure, change):
    """Draw the same but for one thing."""
    ax = figure.subplots()
    ax.plot(range(-9, 60), np.linspace(0, 1, 69), clip_on=False, linewidth=9)
    ax.set(title="title", xlabel="x", ylabel="y", xlim=(0, 50), ylim=(0, 1), yticks=[0, 0.5, 1])
    if change:
        CHANGES[change](ax)


def categories(figure, y):
    figure.subplots().barh([f"{value:.1f}" for value in y[:3]], y[:3])


def legend_of_the_figure(figure, y):
    ax = figure.subplots()
    ax.plot(y, label=f"{y[1]:.2f}")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center")


def overlapping(figure, y):
    below, above = figure.subplots(1, 2)
    below.add_patch(Rectangle((0.5, 0), 1 + y[1], 1, transform=below.transAxes, clip_on=False, color="0.8"))
    below.annotate("moves", (0.5, y[1]), (0.2, 0.5), arrowprops=dict(arrowstyle="-"), bbox=dict(facecolor="yellow"))
    above.plot(y)
    above.set_ylabel("over another's patch")
    above.set_zorder(1)


def in_full(draw, size):
    """Return a Picture that uses nothing again: neither axes, as it holds one thing more, nor pixels."""
    picture = Picture(lambda figure, result: [figure.text(0, 0, ""), draw(figure, result)], size)
    picture.figure.pixels.begin = lambda: None  # so that nothing was drawn before
    return picture


def assert_same(draw, results, size):
    live, full = Picture(draw, size), in_full(draw, size)
    for k, result in enumerate(results):
        if k == 0:
            assert live.png(result) == full.png(result)
        pictures = [picture.jpeg(result) for picture in (live, full)]
        if pictures[0] != pictures[1]:
            first, second = (np.asarray(Image.open(io.BytesIO(picture))).astype(int) for picture in pictures)
            raise AssertionError(f"picture {k}: {np.count_nonzero(first - second)} values differ")


@pytest.mark.parametrize(
    "draw",
    [
        curve,
        log_or_not,
        kinds,
        as_many_as_wanted,
        mosaic,
        colour_bar,
        table,
        overlapping,
        legend_of_the_figure,
        categories,
    ],
)
def test_axes_and_pixels_used_again_show_the_same_as_new_ones(draw):
    """Pictures are drawn three times in a row: once they are noted, once kept, once used again; then by turns."""
    angles, three_times = np.linspace(0, 9, 50), [a for a in (1.0, 5.0, 1.5, 1.0, 1.1) for _ in range(3)]
    assert_same(draw, [np.sin(a * angles) ** 2 for a in three_times + 4 * [1.0, 5.0]], (6, 4))


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_shows_and_is_undone(change):
    assert_same(changed, [None, None, change, change, change, None, None], (3, 2))


def test_axes_are_lent_where_they_stand_alone():
    for draw in (curve, legend_of_the_figure, colour_bar):
        picture, y = Picture(draw, (6, 4)), np.linspace(0, 1, 50)
        picture.png(y)
        axes = picture.figure.axes
        picture.jpeg(y)
        assert (picture.figure.axes == axes) == (draw is not colour_bar)


def test_what_did_not_change_is_not_drawn_again(monkeypatch):
    drawn = []
    for artist in (XAxis, YAxis):
        monkeypatch.setattr(artist, "draw", lambda *arguments, draw=artist.draw: [drawn.append(1), draw(*arguments)])
    picture = Picture(curve, (6, 4))
    for scale, axes in ((1, 2), (1, 2), (1, 0), (0.99, 1), (0.99, 1), (0.99, 0), (1, 0)):
        y = scale * np.sin(np.arange(50))
        (picture.jpeg if picture.figure.axes else picture.png)(y)
        assert len(drawn) == axes
        drawn.clear()


def explorers(path):
    """Run what the Explorers of a lab need, and return each of them as (compute, draw, size, ghosts, controls)."""
    above, found = [], []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and not cell.source.startswith(("examine", "%%")):
            above += slices.statements(cell.source)

    def note(*arguments, **named):
        bound = inspect.signature(Explorer).bind(*arguments, **named)
        bound.apply_defaults()
        names = "compute", "draw", "size", "ghosts", "controls"
        found.append([bound.arguments[name] for name in names])

    names = {}
    shown = [s for s in above if s.code.startswith("Explorer(")]
    needed = slices.needed(above, set().union(*(s.uses for s in shown)))
    for statement in [s for s in above if s in needed or s in shown]:
        exec(statement.code, names)
        if "Explorer" in statement.binds:
            names["Explorer"] = note
    assert len(found) == len(shown)
    return found


def some(control):
    """Return some values of a control, two neighbours and the last one."""
    if hasattr(control, "options"):
        values = list(control._options_values)
    elif hasattr(control, "base"):
        values = control.base ** np.linspace(control.min, control.max, 5)
    else:
        values = [type(control.value)(value) for value in np.linspace(control.min, control.max, 5)]
    return [*values[:2], values[-1]]


def results(compute, controls, others=()):
    """Return what ``compute`` makes of values of each control, the others as they are; of a run, its first results."""
    now = dict(others) | {name: control.value for name, control in controls.items()}
    for name, control in controls.items():
        for value in some(control):
            answer = compute(**now | {name: value})
            whole = (
                [answer] * 2 if not inspect.isgenerator(answer) else (result for result in answer if result is not None)
            )
            yield from islice(whole, 2)


WITH_EXPLORERS = [path for path in LABS if "Explorer(" in path.read_text("utf-8") and path.stem != LONG]


@pytest.mark.parametrize("path", WITH_EXPLORERS, ids=lambda path: path.stem)
def test_live_pictures_of_the_labs(path):
    for compute, draw, size, ghosts, controls in explorers(path):
        found = list(results(compute, controls))
        if ghosts:
            kept = {f"ghost {k}": found[k] for k in (2, 5, 8)}
            draw = partial(draw, ghosts=kept)
        assert_same(draw, found, size)
