"""Pictures keep their layout, are as sharp as asked, say what they show, and obey no matplotlibrc of a user's."""

import io

import matplotlib
import numpy as np
import PIL.Image
import pytest

from aelib.common import plots
from aelib.widgets.pictures import Picture, described, fitted, own_style, picture


def curve(figure, y):
    plots.curves(figure.subplots(), {"sin": (np.arange(50), y)}, "index", "loss")


def kinds(figure, y):
    axes = figure.subplots(2, 3).ravel()
    plots.grid(axes[0], np.outer(y[:3], y[:4]), "abc", "abcd", "row", "column")
    plots.codes(axes[1], np.outer(y, (1, 2)), np.arange(50) % 10, "codes")
    plots.signed(axes[2], np.outer(y[:5], y), "signed")
    plots.dots(axes[3], {"a": y[:3], "b": y[3:6]}, "dots")
    plots.confusion(axes[4], np.uint8(9 + 9 * np.outer(y, y)[:4, :4]), "confusion")
    plots.images(axes[5], np.tile(y, (2, 16))[:, :784], 2, "images")
    figure.suptitle("six kinds")


def colour_bar(figure, y):
    plots.signed_matrices(figure, {"a": np.outer(y, y)}, {"first": slice(0, 20), "second": slice(20, 50)})


def legend_of_the_figure(figure, y):
    ax = figure.subplots()
    ax.plot(y, label=f"{y[1]:.2f}")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center")


def pixels(data):
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"), int)


DRAWS = [curve, kinds, colour_bar, legend_of_the_figure]
Y = np.sin(np.linspace(0, 9, 50)) ** 2


@pytest.mark.parametrize("draw", DRAWS)
def test_a_hurried_picture_shows_the_same_as_the_one_at_rest(draw):
    """Nothing jumps when a control comes to rest: only the JPEG's noise differs, which no word or line is."""
    made = Picture(draw, (8, 5))
    at_rest, hurried = pixels(made.png(Y)), pixels(made.jpeg(Y))
    assert np.mean(np.abs(at_rest - hurried) > 100) < 1e-3


def test_axes_stay_where_they_are_until_words_need_room():
    def draw(figure, label):
        figure.subplots().set_yticks([0], [label])

    made = Picture(draw, (4, 3))
    lefts = []
    for label in ("0", "0.25", "-0.000025", "0", "0.25"):
        made.png(label)
        lefts.append(made._boxes[0][0])
    assert lefts[0] < lefts[1] < lefts[2] == lefts[3] == lefts[4]


def test_another_number_of_axes_finds_a_layout_of_its_own():
    made = Picture(lambda figure, n: figure.subplots(1, n), (4, 3))
    sizes = [pixels(getattr(made, kind)(n)).shape for n, kind in ((1, "png"), (3, "jpeg"), (2, "jpeg"), (1, "jpeg"))]
    assert sizes == [(300, 400, 3)] * 4 and len(made._boxes) == 1


@pytest.mark.parametrize("density", [1, 1.25, 2])
def test_a_picture_has_the_density_asked_for(density):
    assert pixels(Picture(curve, (4, 3)).png(Y, density)).shape == (300 * density, 400 * density, 3)
    stored = picture(curve, Y, (4, 3))
    _, metadata = stored._repr_mimebundle_()
    assert metadata["image/png"]["width"] == 400 and pixels(stored.data).shape[1] == 600
    assert repr(stored) == "sin: loss over index, from 0 to 0.1698 at 0 to 49"


@pytest.mark.parametrize("room", [0, 900, 2000])
def test_where_there_is_room_a_picture_has_its_own_size(room):
    assert fitted((9, 4), room) == (9, 4)


@pytest.mark.parametrize("room, size", [(625, (6.25, 4 / 1.2)), (10, (3.6, 4 * 0.4**0.5))])
def test_a_picture_is_made_for_the_width_there_is(room, size):
    np.testing.assert_allclose(fitted((9, 4), room), size)


USERS = {
    "usetex": {"text.usetex": True},
    "dark": {"figure.facecolor": "black", "axes.facecolor": "black", "text.color": "white", "axes.edgecolor": "white"},
    "fonts": {"font.family": "serif", "font.size": 20, "figure.dpi": 50, "axes.unicode_minus": False},
    "lines": {"lines.linewidth": 9, "axes.grid": True, "figure.constrained_layout.use": False},
}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_a_users_matplotlibrc_changes_no_picture(user):
    """And what the user has set is as it was afterwards."""
    expected = Picture(kinds, (6, 4)).png(Y)
    with matplotlib.rc_context(user):
        before = dict(matplotlib.rcParams)
        assert Picture(kinds, (6, 4)).png(Y) == expected
        assert dict(matplotlib.rcParams) == before
    with own_style():
        assert not matplotlib.rcParams["text.usetex"]


def test_a_picture_says_its_numbers():
    made = Picture(curve, (4, 3))
    made.png(np.linspace(26.6, 19.2, 50))
    assert made.alt == "sin: loss over index, from 26.6 to 19.2 at 0 to 49"
    made = Picture(kinds, (6, 4))
    made.png(Y)
    assert made.alt.startswith("six kinds. 0.0, ") and "confusion" in made.alt
    assert described(matplotlib.figure.Figure()) == ""
