import asyncio
import base64
import io

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from aelib import plots
from aelib.widgets import Explorer
from aelib.widgets.pictures import Picture, picture


def compute(a, b=1.0):
    if a > 5:
        raise ValueError("a is <too> large")
    return np.sin(a * np.linspace(0, b, 50))


def draw(figure, y):
    plots.curves(figure.subplots(), {"sin": (np.arange(50), y)}, "index", "sin")


def wide_labels(figure, y):
    """Draw with tick labels whose width depends on the result, and so the layout."""
    draw(figure, y)
    figure.axes[0].set_yticks([0], [f"{y[25]:.{3 + int(9 * abs(y[25]))}f}"])


@pytest.fixture
def explorer():
    return Explorer(compute, draw, size=(4, 3), a=ipywidgets.FloatSlider(1, min=0, max=9), b=ipywidgets.FloatSlider(2))


def test_moving_a_control_changes_the_picture_and_back(explorer):
    first = explorer.image.value
    assert imread(io.BytesIO(first)).shape[:2] == (300, 400)
    explorer.controls["a"].value = 3.0
    assert explorer.image.value != first and explorer.values == {"a": 3.0, "b": 2.0}
    np.testing.assert_array_equal(explorer.result, compute(3.0, 2.0))
    explorer.controls["a"].value = 1.0
    assert explorer.image.value == first


def test_an_error_is_shown_and_the_picture_stays(explorer):
    first = explorer.image.value
    explorer.controls["a"].value = 9.0
    assert isinstance(explorer.error, ValueError) and "ValueError: a is &lt;too&gt; large" in explorer.message.value
    assert explorer.image.value == first and explorer.image.layout.opacity == "1"
    explorer.controls["a"].value = 2.0
    assert explorer.error is None and explorer.message.value == "" and explorer.image.value != first


def test_in_jupyter_a_change_shows_at_once_and_in_full_at_rest():
    """On a running loop a picture made while a control moves keeps the last layout; at rest it is the full one."""

    async def scenario():
        controls = dict(a=ipywidgets.FloatSlider(1, min=0, max=9), b=ipywidgets.FloatSlider(2))
        explorer = Explorer(compute, wide_labels, size=(4, 3), **controls)
        full = {a: Picture(wide_labels, (4, 3)).png(compute(a, 2.0)) for a in (1.0, 3.0, 4.0)}
        assert explorer.image.value == full[1.0]
        for a in (3.0, 4.0):
            explorer.controls["a"].value = a
            assert explorer.image.format == "jpeg" and explorer.image.value[:2] == b"\xff\xd8"
            np.testing.assert_array_equal(explorer.result, compute(a, 2.0))
        shown = []
        explorer.image.observe(lambda change: shown.append(change["new"]), "value")
        await asyncio.sleep(1)
        assert shown == [full[4.0]] and explorer.image.format == "png"  # one full picture, of the last values only

    asyncio.run(scenario())


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
    plots.signed_table(figure, {"a": {"one": np.outer(y, y)}}, shared=True)


@pytest.mark.parametrize("draw", [draw, log_or_not, kinds, as_many_as_wanted, mosaic, colour_bar])
def test_axes_drawn_on_again_show_the_same_as_new_ones(draw):
    """The hurried picture hands out used axes; a figure that holds one thing more never does."""
    again, anew = Picture(draw, (6, 4)), Picture(lambda figure, y: [figure.text(0, 0, ""), draw(figure, y)], (6, 4))
    for a in (1.0, 5.0, 1.5, 1.0):
        y = np.sin(a * np.linspace(0, 9, 50)) ** 2
        for name in ("jpeg", "png"):  # in a hurry on the axes of the result before
            pictures = [getattr(picture, name)(y) for picture in (again, anew)]
            assert pictures[0] == pictures[1]
    axes = again.figure.axes
    again.jpeg(y)
    assert (again.figure.axes == axes) == (draw is not colour_bar)


def test_an_error_in_the_first_picture_is_the_cells():
    with pytest.raises(ValueError, match="too"):
        Explorer(compute, draw, a=ipywidgets.FloatSlider(6))


def test_a_stored_notebook_shows_the_picture(explorer):
    bundle = explorer._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]) == explorer.image.value
    assert picture(draw, compute(1.0), (4, 3)).data[:4] == b"\x89PNG"


def test_drawings_hold_what_they_were_given(rng):
    X = rng.random((5, 784))
    tiled = plots.mosaic(X, columns=3)
    assert tiled.shape == (57, 86)
    np.testing.assert_array_equal(tiled[:28, 29:57], X[1].reshape(28, 28))
    assert np.isnan(tiled[28]).all() and np.isnan(tiled[29:, 58:]).all()
    axes = Figure().subplots(2, 3).ravel()
    plots.images(axes[0], X, 3)
    plots.image_rows(axes[1], {"input": X, "output": X[:3]})
    assert [label.get_text() for label in axes[1].get_yticklabels()] == ["input", "output"]
    plots.levels(axes[2], {"PCA-2": 21.82})
    assert axes[2].texts[0].get_text() == "PCA-2 21.82"
    plots.codes(axes[3], rng.random((20, 2)), np.repeat([3, 5], 10))
    assert [text.get_text() for text in axes[3].texts] == ["3", "5"]
    plots.grid(axes[4], [[3.0, np.nan], [1.0, 2.0]], ["a", "b"], ["c", "d"], "rows", "columns")
    assert [text.get_text() for text in axes[4].texts] == ["3.0", "nan", "1.0", "2.0"]
    assert axes[4].patches[0].get_xy() == (-0.5, 0.5)  # the frame stands round the smallest
    plots.signed(axes[5], np.array([[-2.0, 1.0]]))
    assert axes[5].images[0].get_clim() == (-2.0, 2.0)


@pytest.mark.parametrize("places", [[[0.5, 0.5]] * 4, [[1.0, 1.0], [9.0, 7.0], [0.9, 1.0]], [[0.2, 0.3], [0.8, 0.3]]])
def test_labels_of_classes_in_one_place_are_moved_apart(places):
    """No disc hides another, none leaves the Axes, and what is apart stays where it is."""
    places = np.array(places)
    moved = plots.apart(places, 0.08)
    between = np.linalg.norm(moved[:, None] - moved, axis=2)[~np.eye(len(places), dtype=bool)]
    assert between.min() > 0.079 and moved.min() > 0.039 and moved.max() < 0.961
    if len(places) == 2:
        np.testing.assert_allclose(moved, places, atol=1e-3)
