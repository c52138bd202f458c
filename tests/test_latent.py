import asyncio
import copy
import io
from dataclasses import replace

import numpy as np
import pytest
from conftest import trained
from matplotlib.image import imread

from aelib import Autoencoder
from aelib.datasets import Mnist
from aelib.widgets.latent import LatentExplorer
from aelib.widgets.latent.plane import CodePlane


@pytest.fixture(scope="module")
def few(mnist):
    return Mnist(mnist.train_images[:400], mnist.train_labels[:400], mnist.test_images[:300], mnist.test_labels[:300])


@pytest.fixture(scope="module")
def nets(few):
    return [trained(few.train_images, steps, sizes=[784, 30, 2, 30, 784], dtype="float32") for steps in (1, 100)]


@pytest.fixture
def explorer(nets, few):
    return LatentExplorer(nets[1], few, film={"update 1": nets[0]})


def tile(explorer, k):
    return np.frombuffer(explorer.plane.tiles, np.uint8).reshape(9, 28, 28, 4)[k, :, :, 0].ravel() / 255


def inside(explorer, across, up):
    x0, x1, y0, y1 = explorer.limits
    return [x0 + across * (x1 - x0), y0 + up * (y1 - y0)]


def state(explorer):
    plane = explorer.plane
    return plane.picture, plane.tiles, plane.captions, plane.marks, plane.point


def test_the_decoded_image_follows_the_point(explorer, nets):
    a, b = inside(explorer, 0.3, 0.6)
    explorer.controls["code_1"].value, explorer.controls["code_2"].value = a, b
    assert explorer.plane.point == [a, b]
    np.testing.assert_allclose(tile(explorer, 0), nets[1].decode(np.array([[a, b]]))[0], atol=1 / 255)
    a, b = explorer.plane.point = inside(explorer, 0.8, 0.1)  # as a drag in the browser does
    assert explorer.controls["code_1"].value == a and explorer.controls["code_2"].value == b
    np.testing.assert_allclose(tile(explorer, 0), nets[1].decode(np.array([[a, b]]))[0], atol=1 / 255)
    assert explorer.error is None


def test_the_mouse_finds_the_nearest_image(explorer, nets, few):
    code = nets[1].encode(few.test_images[7:8])[0]
    explorer.plane.hover = code.tolist()
    np.testing.assert_allclose(tile(explorer, 3), few.test_images[7], atol=1 / 255)
    np.testing.assert_allclose(tile(explorer, 4), nets[1].reconstruct(few.test_images[7:8])[0], atol=1 / 255)
    assert explorer.plane.captions[3] == f"test image 7\na {few.test_labels[7]}"
    before = explorer.plane.tiles
    explorer.plane.hover = []  # the mouse has left
    assert explorer.plane.tiles == before


def test_a_path_leads_from_one_clicked_image_to_the_next(explorer, nets, few):
    a, b = nets[1].encode(few.test_images[[7, 9]])
    for clicks, code in enumerate((a, b, b)):  # the second click on one image changes nothing
        explorer.plane.pick = [*code.tolist(), clicks + 1]
    np.testing.assert_allclose(explorer.plane.marks["path"], [a, b], rtol=1e-6)
    np.testing.assert_allclose(explorer.plane.point, b, rtol=1e-6)
    made, (first, last) = nets[1].reconstruct(few.test_images[[7, 9]]), (0, explorer.controls["path"].max)
    for tick, image in ((first, made[0]), (last, made[1])):
        explorer.controls["path"].value = tick
        np.testing.assert_allclose(tile(explorer, 0), image, atol=1.1 / 255)
    explorer.controls["path"].value = last // 2
    np.testing.assert_allclose(explorer.plane.point, (a + b) / 2, rtol=1e-5)


def test_a_drawn_digit_lands_where_the_same_image_of_mnist_lies(explorer, nets, few):
    large = np.kron(few.test_images[3].reshape(28, 28), np.ones((4, 4)))
    explorer.plane.drawing = memoryview(np.uint8(np.rint(255 * np.roll(large, 5, axis=1))).tobytes())
    np.testing.assert_allclose(tile(explorer, 7), few.test_images[3], atol=1 / 255)
    low, high = np.reshape(explorer.limits, (2, 2)).T
    code = np.clip(nets[1].encode(few.test_images[3:4])[0], low, high)
    np.testing.assert_allclose(explorer.plane.marks["drawn"], code, atol=1e-3)
    assert "of 15 near codes" in explorer.plane.captions[7]
    explorer.plane.drawing = b""  # cleared
    assert "drawn" not in explorer.plane.marks and not tile(explorer, 7).any()


def test_every_control_changes_what_is_shown_and_back(explorer):
    first = state(explorer)
    for name in ("code_1", "code_2", "path", "show", "under", "film"):
        control = explorer.controls[name]
        start = control.value
        values = [value for _, value in getattr(control, "_options_full", [])] or [control.min, control.max]
        for value in values:
            before = state(explorer)
            moves = control.value != value
            control.value = value
            assert explorer.error is None and (state(explorer) != before) == moves, f"{name} = {value}"
        control.value = start
        if name in ("show", "under", "film"):  # the others leave the point where it was moved to
            explorer.controls["code_1"].value, explorer.controls["code_2"].value = first[-1]
            assert state(explorer) == first, name


def test_the_film_shows_each_moments_own_net(explorer, nets, few):
    explorer.controls["film"].value = 0
    np.testing.assert_allclose(tile(explorer, 0), nets[0].decode(np.array([explorer.plane.point]))[0], atol=1 / 255)
    assert explorer.now.error == pytest.approx(nets[0].loss(few.test_images))
    assert explorer.limits == CodePlane(nets[1], few).limits  # the paper does not move


def test_arrows_are_the_directions_of_fastest_and_slowest_change(explorer, nets):
    axes, start = np.array(explorer.plane.marks["axes"]), np.array([explorer.plane.point])
    steps = 1e-2 * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    slower, faster = np.linalg.norm(nets[1].decode(start + steps) - nets[1].decode(start), axis=1) / 1e-2
    assert faster >= slower
    named = [float(caption.split()[2]) for caption in explorer.plane.captions[1:3]]
    np.testing.assert_allclose(named, [faster, slower], rtol=0.1)


def test_an_error_is_shown_and_passes(explorer):
    explorer.plane.drawing = bytes(112 * 112)  # paper without ink
    assert "the drawing is empty" in explorer.message.value and isinstance(explorer.error, ValueError)
    explorer.plane.point = [1.0, 1.0]
    assert explorer.message.value == "" and explorer.error is None


def test_a_code_that_is_no_plane_is_refused(few):
    model = trained(few.train_images, 1, sizes=[784, 3, 784])
    with pytest.raises(ValueError, match="the code has 3 numbers"):
        LatentExplorer(model, few)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda model: model.theta.fill(np.nan), "a parameter of the model is not finite: it diverged"),
        (lambda model: model.theta.fill(1e30), "a code is not finite: the model diverged"),
        (lambda model: model.layers[1].W.fill(0), "the model gives the images one and the same code"),
    ],
)
def test_a_diverged_or_collapsed_net_is_refused(nets, few, damage, sentence):
    broken = copy.copy(nets[1])
    damage(broken)
    with pytest.raises(ValueError, match=sentence):
        LatentExplorer(broken, few)
    if "finite" in sentence:
        assert "not finite" in attempt(lambda: LatentExplorer(nets[1], few, film={"broken": broken}).moments[0].codes)


def attempt(action):
    with pytest.raises(ValueError) as error:
        action()
    return str(error.value)


def test_a_dead_decoder_is_shown_as_it_is(nets, few):
    dead = copy.copy(nets[1])
    dead.layers[-1].W[...] = 0
    for under in ("nothing", "distortion"):
        explorer = LatentExplorer(dead, few, under=under)
        assert explorer.plane.captions[1:3] == ["fastest change\n0 per unit", "slowest change\n0 per unit"]
        assert np.isfinite(explorer.plane.marks["axes"]).all()
    assert "no ellipses to draw" in attempt(lambda: LatentExplorer(dead, few, under="ellipses"))


def test_later_training_does_not_change_what_is_shown(nets, few):
    net = copy.copy(nets[1])
    explorer, first = LatentExplorer(net, few), CodePlane(net, few)
    error, codes = first.error, nets[1].encode(few.test_images)
    net.theta[...] = nets[0].theta
    explorer.plane.hover = codes[7].tolist()
    np.testing.assert_allclose(explorer.plane.marks["near"], codes[7], rtol=1e-6)
    np.testing.assert_allclose(tile(explorer, 4), nets[1].reconstruct(few.test_images[7:8])[0], atol=1 / 255)
    assert explorer.now.error == error == first.error == pytest.approx(nets[1].loss(few.test_images))


def test_a_film_of_one_object_is_refused(nets, few):
    for film in ({"update 0": nets[0], "update 1": nets[0]}, {"update 0": nets[1]}):
        assert "put copies into it" in attempt(lambda film=film: LatentExplorer(nets[1], few, film=film))


def test_images_of_another_form_are_refused(nets, few):
    small = replace(few, train_images=few.train_images[:, :64], test_images=few.test_images[:, :64])
    assert "64 pixels: expected 28 x 28" in attempt(lambda: LatentExplorer(Autoencoder([64, 2, 64]), small))


@pytest.mark.parametrize(
    "labels", [lambda y: y + 40, lambda y: np.array([f"class {k}" for k in y]), lambda y: -y.astype(int) // 3]
)
def test_other_labels_than_mnists(nets, few, labels):
    other = replace(few, train_labels=labels(few.train_labels), test_labels=labels(few.test_labels))
    other = replace(other, test_images=other.test_images[:6], test_labels=other.test_labels[:6])
    explorer, plane = LatentExplorer(nets[1], other), CodePlane(nets[1], other)
    assert explorer.plane.captions[3] == f"test image 0\na {other.test_labels[0]}"
    label, votes = plane.vote(plane.codes[0], neighbours=1)
    assert (label, votes) == (other.test_labels[0], 1)
    assert plane.vote(plane.codes[0])[1] == max(np.unique(other.test_labels, return_counts=True)[1])
    explorer.plane.drawing = np.uint8(255 * np.eye(112)).tobytes()
    assert "of 6 near codes" in explorer.plane.captions[7] and explorer.error is None


def test_an_unknown_ground_is_refused(nets, few):
    with pytest.raises(ValueError, match="expected one of nothing, distortion, ellipses"):
        LatentExplorer(nets[1], few, under="water")


def test_a_saved_notebook_shows_a_picture(explorer):
    png, width, alt, line = explorer.still()
    assert imread(io.BytesIO(png)).shape[:2] == (705, 1260) and width == 840
    assert f"half-SSE {explorer.now.error:.1f}" in alt and "run the cell" in line
    across = imread(io.BytesIO(explorer.plane.picture)).shape[1]
    assert across == round(explorer.density * explorer.plane.size[0])
    left, top, width, height = explorer.plane.axes[:4]  # in pixels of the page, whatever the density
    assert 0 < left < left + width <= 470 and 0 < top < top + height <= 470


def test_a_film_plays_from_its_beginning_when_it_is_shown(nets, few):
    async def shown():
        explorer = LatentExplorer(nets[1], few, film={"update 1": nets[0]})
        assert explorer.now is explorer.moments[-1]
        explorer._ipython_display_()
        assert explorer.now is explorer.moments[0] and explorer.controls["roll"].playing
        explorer.close()

    asyncio.run(shown())


def test_marks_stay_inside_the_frame(explorer):
    """The point, its ellipse and both arrows, wherever somebody drags it to."""
    x0, x1, y0, y1 = explorer.limits
    turn = np.linspace(0, 2 * np.pi, 200)[:, None]
    for point in ([x0, y0], [x1, y1], [x0 - 5, y1], [x1, (y0 + y1) / 2], [0.3 * x0 + 0.7 * x1, y0]):
        explorer.plane.point = point
        explorer.plane.pick = [*point, 0]
        explorer.plane.point = point
        explorer.controls["code_1"].value = explorer.controls["code_1"].max
        slow, fast = np.array(explorer.plane.marks["axes"])
        ellipse = np.cos(turn) * slow + np.sin(turn) * fast
        tips = np.array([slow, fast * np.linalg.norm(slow) / np.linalg.norm(fast)])
        places = explorer.plane.point + np.concatenate([ellipse, tips, [[0, 0]]])
        assert np.all((places >= [x0, y0]) & (places <= [x1, y1])), point


@pytest.mark.parametrize(
    "labels",
    [lambda y: y[:, None], lambda y: y.tolist(), lambda y: y.astype(float)],
    ids=["column", "list", "floats"],
)
def test_labels_in_other_forms(nets, few, labels):
    other = replace(few, train_labels=labels(few.train_labels), test_labels=labels(few.test_labels))
    explorer, plain = LatentExplorer(nets[1], other), LatentExplorer(nets[1], few)
    assert explorer.plane.captions == plain.plane.captions and explorer.plane.picture == plain.plane.picture


def test_what_cannot_be_labels_or_a_model_is_named(nets, few):
    for labels in (few.test_labels[:7], np.eye(10)[few.test_labels], 3):
        wrong = replace(few, test_labels=labels)
        assert "test_labels" in attempt(lambda wrong=wrong: LatentExplorer(nets[1], wrong))
    assert "expected an Autoencoder first" in attempt(lambda: LatentExplorer(few, nets[1]))
    assert "without train_images" in attempt(lambda: LatentExplorer(nets[1], few.test_images))


def test_without_a_film_there_is_no_slider_for_it(nets, few):
    explorer = LatentExplorer(nets[1], few)
    assert not {"film", "roll"} & explorer.controls.keys()


def test_a_plane_needs_two_numbers_a_code(mnist):
    for d in (1, 3):
        with pytest.raises(ValueError, match=f"the code has {d} numbers: expected two"):
            CodePlane(Autoencoder([784, d, 784]), mnist)
