import numpy as np
import pytest
from conftest import NETS, SMALL, trained

from aelib import Autoencoder
from aelib.common.geometry import decoder_jacobian, distortion, ellipses, metric
from aelib.widgets.latent.drawing import mnist_form


@pytest.mark.parametrize("arguments", SMALL.values(), ids=SMALL)
def test_jacobian_is_the_complex_steps(arguments, rng):
    model = Autoencoder(**arguments, seed=1)
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    Z = rng.standard_normal((6, model.layers[len(model.layers) // 2].n_in))
    images, J = decoder_jacobian(model, Z)
    np.testing.assert_array_equal(images, model.decode(Z))
    twin = model.with_theta(model.theta.astype(complex))
    for k in range(Z.shape[1]):
        step = np.where(np.arange(Z.shape[1]) == k, 1e-30j, 0)
        np.testing.assert_allclose(J[:, :, k], twin.decode(Z + step).imag / 1e-30, rtol=1e-12, atol=1e-14)


def test_blocks_do_not_show(mnist):
    model = trained(mnist.test_images[:500], **NETS["784-200-2"] | dict(output_bias=True, dtype="float32"))
    Z = model.encode(mnist.test_images[:1100])
    images, J = decoder_jacobian(model, Z)
    np.testing.assert_allclose(images, model.decode(Z), atol=1e-6)
    np.testing.assert_allclose(J[777:778], decoder_jacobian(model, Z[777:778])[1], atol=1e-6)


def test_a_step_along_an_ellipse_changes_the_image_by_its_radius(rng):
    model = Autoencoder([30, 20, 2, 25, 30], hidden="tanh", seed=3)
    Z = rng.standard_normal((5, 2))
    images, J = decoder_jacobian(model, Z)
    axes = ellipses(J, radius=1e-5)
    for angle in (0.0, 1.0, 2.5):
        step = np.cos(angle) * axes[:, 0] + np.sin(angle) * axes[:, 1]
        np.testing.assert_allclose(np.linalg.norm(model.decode(Z + step) - images, axis=1), 1e-5, rtol=1e-4)
    lengths = np.linalg.norm(axes, axis=2)
    assert (lengths[:, 0] >= lengths[:, 1]).all()
    np.testing.assert_allclose(np.einsum("nk,nk->n", axes[:, 0], axes[:, 1]), 0, atol=1e-14)
    np.testing.assert_allclose(lengths.prod(axis=1) * distortion(J), 1e-10, rtol=1e-8)  # the area is the same: pi r^2


def test_distortion_is_the_area_of_the_image_of_a_small_square(rng):
    J = rng.standard_normal((4, 7, 2))
    a, b = J[:, :, 0], J[:, :, 1]
    cosine = np.einsum("nd,nd->n", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    area = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) * np.sqrt(1 - cosine**2)
    np.testing.assert_allclose(distortion(J), area, rtol=1e-12)
    np.testing.assert_allclose(metric(J)[:, 0, 1], np.einsum("nd,nd->n", a, b))


def test_where_nothing_changes_the_ellipse_is_cut_off():
    J = np.zeros((1, 5, 2))
    J[0, 0, 1] = 2.0  # only a step of code 2 changes the image
    np.testing.assert_allclose(np.abs(ellipses(J, 1.0, longest=3.0)[0]), [[3, 0], [0, 0.5]])
    assert distortion(J) == 0


def test_mnist_digits_are_in_mnist_form_already(mnist):
    """The law of how MNIST was made, tested on MNIST: size 20, centre of mass in [13.5, 14.5)."""
    same = [np.abs(mnist_form(x.reshape(28, 28)) - x).max() < 1e-6 for x in mnist.test_images[:3000]]
    assert np.mean(same) > 0.999


@pytest.mark.parametrize("scale", [2, 3, 7])
def test_size_and_place_of_the_drawing_do_not_matter(scale, mnist, rng):
    for x in mnist.test_images[:20]:
        large = np.kron(x.reshape(28, 28), np.ones((scale, scale)))
        top, left = rng.integers(0, 50, 2)
        paper = np.pad(large, ((top, 60 - top), (left, 60 - left)))
        np.testing.assert_allclose(mnist_form(paper), x, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 90), (200, 5), (140, 140)])
def test_any_ink_fits(shape):
    image = mnist_form(np.pad(np.ones(shape), 4)).reshape(28, 28)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) == 19 and image.max() == pytest.approx(1)


def test_no_ink_is_named():
    with pytest.raises(ValueError, match="empty"):
        mnist_form(np.zeros((10, 10)))
    with pytest.raises(ValueError, match=r"shape \(784,\)"):
        mnist_form(np.ones(784))


@pytest.mark.parametrize(
    ("drawing", "sentence"),
    [
        (np.full((9, 9), np.nan), "reaches from nan"),
        (np.full((9, 9), 255), r"reaches from 255 to 255: expected \[0, 1\] \(divide grey levels"),
        (np.eye(9) - 0.1, "reaches from -0.1"),
        (1j * np.eye(9), "dtype complex128"),
        (np.zeros((0, 0)), "empty"),
        ([["ink"]], "dtype <U3"),
    ],
)
def test_what_cannot_be_a_drawing_is_named(drawing, sentence):
    with pytest.raises(ValueError, match=sentence):
        mnist_form(drawing)
    assert mnist_form(np.eye(9, dtype=bool)).max() > 0.3


@pytest.mark.parametrize("function", [metric, distortion, lambda J: ellipses(J, 1.0)])
@pytest.mark.parametrize("J", [np.zeros((7, 2)), np.full((1, 7, 2), np.nan), np.full((1, 7, 2), 1j), [[["a"]]]])
def test_what_cannot_be_jacobians_is_named(function, J):
    with pytest.raises(ValueError, match="expected real and finite Jacobians"):
        function(J)


def test_lengths_of_ellipses_are_positive():
    with pytest.raises(ValueError, match="cut their half-axes off by longest"):
        ellipses(np.zeros((1, 7, 2)), 1.0)
    for radius, longest in ((None, 1.0), (0.0, 1.0), (np.nan, 1.0), (np.inf, 1.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match="expected positive numbers"):
            ellipses(np.ones((1, 7, 2)), radius, longest)


def test_codes_of_the_wrong_width_are_named():
    with pytest.raises(ValueError, match=r"Z has shape \(3, 3\): expected one code per row, \(n, 2\)"):
        decoder_jacobian(Autoencoder([4, 2, 4]), np.zeros((3, 3)))
