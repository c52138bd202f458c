import math

import numpy as np
import pytest

from aelib import Adam, Autoencoder, fit


def test_theta_is_one_vector_and_layers_are_views():
    model = Autoencoder([5, 3, 2, 3, 5], output_bias=False)
    assert model.theta.shape == (5 * 3 + 3 + 3 * 2 + 2 + 2 * 3 + 3 + 3 * 5,)
    assert list(model.blocks) == ["W1", "b1", "W2", "b2", "W3", "b3", "W4"]
    assert model.layers[-1].b is None
    model.theta[:] = np.arange(model.theta.size)
    np.testing.assert_array_equal(model.layers[0].W, np.arange(15).reshape(3, 5))
    np.testing.assert_array_equal(model.layers[0].b, [15, 16, 17])
    model.layers[1].b[0] = -1
    assert model.theta[model.blocks["b2"]][0] == -1
    joined = np.concatenate([model.theta[where] for where in model.blocks.values()])
    np.testing.assert_array_equal(joined, model.theta)


def test_activations_of_the_layers():
    model = Autoencoder([4, 3, 2, 3, 4], hidden="tanh", code="softplus", output="identity")
    assert [layer.activation.name for layer in model.layers] == ["tanh", "softplus", "tanh", "identity"]


def test_encode_then_decode_is_reconstruct(rng):
    model = Autoencoder([6, 4, 2, 4, 6], hidden="tanh")
    X = rng.random((2500, 6))  # more than one block of images
    Z = model.encode(X)
    assert Z.shape == (2500, 2)
    np.testing.assert_array_equal(model.decode(Z), model.reconstruct(X))
    residual = model.reconstruct(X) - X
    assert model.loss(X) == pytest.approx(0.5 * np.sum(residual**2) / 2500, rel=1e-13)
    assert model.loss(X) == pytest.approx(model.loss_and_grad(X)[0], rel=1e-13)


def test_weight_decay_adds_half_its_square(rng):
    X, p = rng.random((4, 5)), rng.standard_normal(27)
    plain, decayed = Autoencoder([5, 2, 5]), Autoencoder([5, 2, 5], weight_decay=0.3)
    a, b = plain.linearize(X), decayed.linearize(X)
    assert b.loss - a.loss == pytest.approx(0.15 * plain.theta @ plain.theta)
    for before, after, term in [(a.grad, b.grad, plain.theta), (a.hvp(p), b.hvp(p), p), (a.gnvp(p), b.gnvp(p), p)]:
        np.testing.assert_allclose(after - before, 0.3 * term, atol=1e-14)
    np.testing.assert_array_equal(a.jvp(p), b.jvp(p))
    assert decayed.reconstruction_error(X) == plain.loss(X)


@pytest.mark.parametrize(("init", "ratio"), [("glorot", 1.0), ("he", math.sqrt(984 / 784)), ("report", 0.0451 / 0.866)])
def test_initial_weights_have_the_scale_of_their_source(init, ratio):
    """Standard deviations relative to Glorot's sqrt(2 / (p + q)), on the report's layer 784 -> 200."""
    model = Autoencoder([784, 200, 2, 200, 784], init=init, seed=5)
    s = math.sqrt(2 / 984)
    assert model.layers[0].W.std() / s == pytest.approx(ratio, rel=0.01)
    assert abs(model.layers[0].W.mean()) < 5 * s / math.sqrt(784 * 200)
    assert not np.any(model.layers[0].b)


def test_the_reports_slip_makes_weights_9_to_21_times_too_small():
    model = Autoencoder([784, 400, 200, 2, 200, 400, 784], init="report")
    factors = [math.sqrt(2 / (W.shape[0] + W.shape[1])) / W.std() for W in (layer.W for layer in model.layers)]
    assert 8.5 < min(factors) and max(factors) < 21.5
    wide = Autoencoder([1, 1, 1], init="report")  # where two standard deviations of the slip cut off for real
    assert np.all(np.abs(wide.theta) <= 2 * math.sqrt(2 / 2) ** 2)


def test_same_seed_same_weights():
    a, b, c = (Autoencoder([6, 2, 6], seed=seed).theta for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.any(a != c)


@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_started_output_bias_gives_the_mean_image(output, rng):
    X = rng.uniform(0.1, 0.9, (40, 6))
    model = Autoencoder([6, 2, 6], output=output)
    model.layers[-1].W[...] = 0
    assert model.start_output_bias(X) is model
    np.testing.assert_allclose(model.reconstruct(X[:1])[0], X.mean(axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match="expected a sigmoid or identity output with a bias"):
        Autoencoder([6, 2, 6], output_bias=False).start_output_bias(X)


def test_saved_models_come_back_whole(rng, tmp_path):
    X, path = rng.random((20, 6)), tmp_path / "net.npz"
    model = Autoencoder([6, 4, 2, 4, 6], "tanh", output_bias=False, weight_decay=0.1, seed=4, dtype="float32")
    fit(model, X, Adam(), batch_size=5, progress=False)
    model.save(path)
    twin = Autoencoder.load(path)
    assert twin.config == model.config
    np.testing.assert_array_equal(twin.theta, model.theta)
    assert twin.loss(X) == model.loss(X)
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]  # no temporary file is left


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    Autoencoder([4, 2, 4], seed=1).save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space"):
        Autoencoder([4, 2, 4], seed=2).save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_files_that_are_no_models_are_named(tmp_path):
    path = tmp_path / "net.npz"
    with pytest.raises(FileNotFoundError, match=r"net\.npz: there is no such file"):
        Autoencoder.load(path)
    Autoencoder([4, 2, 4]).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"net\.npz is not a readable \.npz file"):
        Autoencoder.load(path)
    path.write_text("hello")
    with pytest.raises(ValueError, match="is not a readable"):
        Autoencoder.load(path)
    np.savez(path, theta=np.ones(3))
    with pytest.raises(ValueError, match="has no config"):
        Autoencoder.load(path)
    np.savez(path, theta=np.ones(3), config=np.array('{"sizes": [4, 2, 4], "colour": 1}'))
    with pytest.raises(ValueError, match="does not describe an aelib model"):
        Autoencoder.load(path)
    np.savez(path, theta=np.array([{"a": 1}], dtype=object), config=np.array("{}"))  # a pickle inside
    with pytest.raises(ValueError, match="is not a readable"):
        Autoencoder.load(path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(sizes=[784, 200, 784, 3]), r"sizes is \[784, 200, 784, 3\]: expected an odd number"),
        (dict(sizes=[784, 2, 700]), "the first equal to the last"),
        (dict(sizes=[784]), "at least three"),
        (dict(sizes=[4, 2, 4], hidden="swish"), "unknown activation 'swish'"),
        (dict(sizes=[4, 2, 4], init="zeros"), "unknown init 'zeros': expected one of glorot, he, report"),
        (dict(sizes=[4, 2, 4], dtype="float16"), "dtype is float16: expected one of float32"),
        (dict(sizes=[4, 2, 4], weight_decay=-1), "weight_decay is -1: expected a finite number >= 0"),
    ],
)
def test_bad_arguments_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Autoencoder(**arguments)


def test_bad_images_are_named():
    model = Autoencoder([4, 2, 4])
    with pytest.raises(ValueError, match=r"X has shape \(3, 5\): expected one image per row, \(n, 4\)"):
        model.loss(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"X has shape \(0, 4\)"):
        model.loss_and_grad(np.zeros((0, 4)))
    with pytest.raises(
        ValueError, match=r"X has dtype uint8: expected floating point in \[0, 1\] \(divide grey levels"
    ):
        model.linearize(np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError, match=r"Z has shape \(1, 4\): expected one code per row, \(n, 2\)"):
        model.decode(np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"theta has shape \(3,\): expected \(22,\)"):
        model.theta = np.zeros(3)


def test_assigning_theta():
    model = Autoencoder([4, 2, 4])
    vector = model.theta
    model.theta = np.arange(22)
    assert model.theta is vector and vector[5] == 5 and model.layers[0].W[1, 1] == 5
    model.theta = vector + 1e-200j
    assert model.dtype == np.complex128 and model.layers[1].b.imag[0] == 1e-200
