import copy
import json
import math
import pickle
import tracemalloc

import numpy as np
import pytest

from aelib import Adam, Autoencoder, fit
from aelib.activations import Sigmoid, activation
from aelib.arrays import sum_of_squares
from aelib.common.baselines import half_sse


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
        (dict(sizes=[5.7, 2.2, 5.7]), r"sizes is \[5.7, 2.2, 5.7\]"),
        (dict(sizes="525"), r"sizes is \['5', '2', '5'\]"),
        (dict(sizes=784), r"sizes is \[784\]"),
        (dict(sizes=[4, 2, 4], hidden=["relu"]), "hidden names 1 activations: expected one name, or 0"),
        (dict(sizes=[4, 2, 4], hidden=None), "hidden names None activations"),
        (dict(sizes=[4, 2, 4], code=["relu"]), r"unknown activation \['relu'\]"),
        (dict(sizes=[4, 2, 4], output_bias="no"), "output_bias is 'no': expected True or False"),
        (dict(sizes=[4, 2, 4], seed=-1), "seed is -1: expected a whole number >= 0"),
        (dict(sizes=[4, 2, 4], seed=1.5), "seed is 1.5"),
        (dict(sizes=[4, 2, 4], init=None), "unknown init None"),
        (dict(sizes=[4, 2, 4], dtype="(2,"), r"dtype is \(2,: expected one of"),
        (dict(sizes=[4, 2, 4], dtype=3), "dtype is 3: expected one of"),
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


# -- theta and the layers are one thing ----------------------------------------------------------------------------


def in_a_worker(model):
    """Send the model to another process and back, as joblib does with arguments and results."""
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2, max_nbytes=100)(delayed(copy.copy)(m) for m in (model, model))[1]


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "read-only": lambda model: pickle.loads(pickle.dumps(model, 5, buffer_callback=[].append), buffers=[frozen(model)]),
    "joblib": in_a_worker,
    "with_theta": lambda model: model.with_theta(model.theta.copy()),
}


def frozen(model):
    theta = model.theta.copy()
    theta.flags.writeable = False
    return pickle.PickleBuffer(theta)


def fitted(model, X):
    fit(model, X, Adam(1e-2), epochs=3, batch_size=20, progress=False)
    return model


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_learns_like_its_model_and_leaves_it_alone(how, rng, tmp_path):
    X = rng.random((60, 8))
    model = Autoencoder([8, 5, 2, 5, 8], ["tanh", "relu"], output="identity", weight_decay=0.01, seed=3)
    model.weight_decay, model.layers[1].activation = 0.02, "tanh"
    theta, twin = model.theta.copy(), COPIES[how](model)
    assert twin.config == model.config and twin.config["weight_decay"] == 0.02 and twin.config["code"] == "tanh"
    fitted(twin, X)
    np.testing.assert_array_equal(model.theta, theta)
    fitted(model, X)
    np.testing.assert_array_equal(twin.theta, model.theta)
    twin.save(tmp_path / "net.npz")
    values = [twin.loss(X), Autoencoder.load(tmp_path / "net.npz").loss(X), twin.linearize(X).loss]
    assert values == pytest.approx([model.loss(X)] * 3, rel=1e-13)


def test_a_copied_structure_keeps_its_links(rng):
    model, layer, theta = copy.deepcopy([(m := Autoencoder([4, 2, 4])), m.layers[1], m.theta])
    layer.b = np.arange(4)
    np.testing.assert_array_equal(model.theta[-4:], range(4))
    assert model.theta is theta and model.layers[1] is layer


def test_gradient_descent_written_by_hand_moves_theta(rng):
    X = rng.random((20, 6))
    by_layer, by_theta = Autoencoder([6, 3, 6], seed=1), Autoencoder([6, 3, 6], seed=1)
    held = by_layer.layers[0]
    for _ in range(3):
        grad, same = by_layer.loss_and_grad(X)[1], by_theta.loss_and_grad(X)[1]
        for layer in by_layer.layers:
            gW, gb = layer.split(grad)
            layer.W = layer.W - 0.3 * gW
            layer.b -= 0.3 * gb
        by_theta.theta -= 0.3 * same
    np.testing.assert_array_equal(by_layer.theta, by_theta.theta)
    by_layer.theta = by_layer.theta + 1e-200j  # complex from now on, and the layers with it
    held.W = np.full((3, 6), 2j)
    assert by_layer.theta[0] == 2j


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("W", np.zeros((2, 3)), r"W has shape \(2, 3\): expected \(2, 4\)"),
        ("W", 0.0, r"W has shape \(\): expected \(2, 4\)"),
        ("W", np.full((2, 4), 1j), "W is complex, the model float32: expected real numbers"),
        ("W", np.full((2, 4), "a"), "W has dtype <U1: expected numbers"),
        ("b", np.array([0, np.nan]), "b holds nan: expected finite numbers"),
        ("b", np.array([0, 1e300]), r"b holds 1e\+300: expected finite numbers in float32"),
        ("b", None, r"b has shape \(\)"),
        ("activation", "swish", "unknown activation 'swish'"),
        ("activation", np.tanh, "unknown activation <ufunc 'tanh'>"),
    ],
)
def test_what_cannot_be_a_layers_is_refused(name, value, sentence):
    model = Autoencoder([4, 2, 4], dtype="float32")
    before = model.theta.copy()
    with pytest.raises(ValueError, match=sentence):
        setattr(model.layers[0], name, value)
    np.testing.assert_array_equal(model.theta, before)


def test_what_would_fall_apart_cannot_be_set():
    model = Autoencoder([4, 2, 4], output_bias=False)
    other = Autoencoder([4, 2, 4], output_bias=False)
    for name in ("layers", "hidden", "code", "output", "output_bias", "seed", "dtype", "config", "blocks"):
        with pytest.raises(AttributeError, match=f"{name} of a model cannot be set: make another one"):
            setattr(model, name, getattr(other, name, None))
    for name in ("n_in", "n_out", "bias", "theta", "W_slice", "b_slice", "w"):
        with pytest.raises(AttributeError, match=rf"{name} of Dense.* cannot be set"):
            setattr(model.layers[0], name, 1)
    with pytest.raises(AttributeError, match="there is no bias"):
        model.layers[1].b = np.zeros(4)
    with pytest.raises(TypeError):
        model.layers[0] = other.layers[0]
    model.config["weight_decay"] = 0.1  # the dict is the caller's own
    assert model.config["weight_decay"] == model.weight_decay == 0.0
    with pytest.raises(AttributeError):
        activation("leaky_relu").slope = 0.2  # of every model's


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.full(22, np.nan), "theta holds nan"),
        (np.full(22, "x"), "expected numbers"),
        (np.zeros((22, 1)), r"theta has shape \(22, 1\)"),
    ],
)
def test_what_cannot_be_theta_is_refused(values, sentence):
    model = Autoencoder([4, 2, 4])
    with pytest.raises(ValueError, match=sentence):
        model.theta = values


def test_with_theta_takes_any_array_of_its_shape(rng):
    X, model = rng.random((5, 4)), Autoencoder([4, 2, 4], seed=1)
    twice = np.repeat(model.theta, 2)
    strided = model.with_theta(twice[::2])
    assert strided.loss(X) == model.loss(X) and strided.linearize(X).loss == pytest.approx(model.loss(X), rel=1e-14)
    strided.layers[1].W = np.ones((4, 2))
    assert np.count_nonzero(twice == 1) == 8 and np.shares_memory(strided.layers[0].W, twice)
    for theta in (list(model.theta), model.theta[:-1], model.theta.astype(">f8"), model.theta.astype("float16")):
        with pytest.raises(ValueError, match=r"theta is .*: expected an array float64"):
            model.with_theta(theta)


def test_weight_decay_is_one_number(rng, tmp_path):
    X, model = rng.random((5, 4)), Autoencoder([4, 2, 4])
    at = model.linearize(X)
    model.weight_decay = 0.1
    model.save(tmp_path / "net.npz")
    for same in (Autoencoder.load(tmp_path / "net.npz"), model.with_theta(model.theta), copy.copy(model)):
        assert same.loss(X) == model.loss(X) > at.loss and same.config["weight_decay"] == 0.1
    for value in (-1, np.nan, np.inf, 1j, "0.1", None, np.zeros(3)):
        with pytest.raises(ValueError, match="expected a finite number >= 0"):
            model.weight_decay = value


def test_an_activation_of_ones_own_is_used_by_all_and_by_no_file(rng, tmp_path):
    class Half(Sigmoid):
        def g(self, u, out=None):
            return np.multiply(super().g(u), 0.5, out=out)

    X, model = rng.random((5, 4)), Autoencoder([4, 2, 4])
    model.layers[1].activation = Half()
    assert model.reconstruct(X).max() < 0.5 and model.linearize(X).output.max() < 0.5
    assert copy.deepcopy(model).loss(X) == model.loss(X)
    with pytest.raises(ValueError, match="has the activation Half"):
        model.save(tmp_path / "net.npz")


# -- sums, and what is asked of images -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 300, 20000])
def test_losses_of_one_net_agree_to_seven_digits(n, rng):
    """In single precision a float32 sum of these squares would be off by 1e-5 to 1e-3, by processor."""
    X = (rng.random((n, 784), dtype="float32") > 0.8).astype("float32")
    model = Autoencoder([784, 2, 784], weight_decay=0.1, seed=1, dtype="float32").start_output_bias(X)
    r, theta = model.reconstruct(X).astype(float) - X, model.theta.astype(float)
    error, penalty = 0.5 * np.einsum("ij,ij", r, r) / n, 0.05 * theta @ theta
    at = model.linearize(X)
    values = [model.loss(X), model.loss_and_grad(X)[0], at.loss, model.objective(at.output - X)]
    np.testing.assert_allclose(values, error + penalty, rtol=3e-7)  # the outputs themselves differ by batch
    values = [half_sse(X, model.reconstruct(X)), model.reconstruction_error(X)]
    np.testing.assert_allclose(values, error, rtol=2e-7)


@pytest.mark.parametrize("value", [0.1, 0.123, 0.3, 0.7, 0.9])
def test_equal_squares_add_up_too(value):
    """Their round-off does not cancel: kept in float32 it grows with their number."""
    values = np.full((3000, 784), value, "float32")
    exact = values.size * float(values[0, 0]) ** 2
    assert sum_of_squares(values) == pytest.approx(exact, rel=1e-7)
    assert half_sse(values, np.zeros_like(values)) == pytest.approx(exact / 6000, rel=1e-7)


def test_the_config_is_plain(tmp_path):
    model = Autoencoder(np.array([6, 3, 6]), np.str_("tanh"), output_bias=np.bool_(False), seed=np.int64(3))
    for plain in (
        json.loads(json.dumps(model.config)),
        copy.deepcopy(model.config),
        pickle.loads(pickle.dumps(model.config)),
    ):
        assert plain == model.config
        np.testing.assert_array_equal(Autoencoder(**plain).theta, model.theta)


# -- many images -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[6, 3, 6], [300, 300, 2, 300, 300]], ids=["few weights", "many weights"])
@pytest.mark.parametrize("n", [1000, 1001, 2300])
def test_many_images_are_the_mean_of_their_parts(sizes, n, rng):
    """Gradient, H p and G p in parts are those of all images at once, weight decay included."""
    X, model = rng.random((n, sizes[0])), Autoencoder(sizes, hidden="tanh", weight_decay=0.1)
    p, at = rng.standard_normal(model.theta.size), model.linearize(X)
    loss, grad = model.loss_and_grad(X)
    assert loss == pytest.approx(at.loss, rel=1e-13) and model.loss(X) == pytest.approx(at.loss, rel=1e-13)
    for part, whole in [(grad, at.grad), (model.hvp(X, p), at.hvp(p)), (model.gnvp(X, p), at.gnvp(p))]:
        assert np.linalg.norm(part - whole) <= 1e-13 * np.linalg.norm(whole)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["loss", "loss_and_grad", "hvp", "gnvp"])
def test_memory_does_not_grow_with_the_images(name, dtype, rng):
    X, model = rng.random((30_000, 40), dtype="float32"), Autoencoder([40, 60, 2, 60, 40], dtype=dtype)
    p = rng.standard_normal(model.theta.size).astype(dtype)
    product = getattr(model, name)
    arguments = (p,) if name.endswith("vp") else ()
    peaks = []
    for n in (2_000, 30_000):
        tracemalloc.start()
        product(X[:n], *arguments)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.1 * peaks[0]


def test_copies_of_a_linearisation_have_memory_of_their_own(rng):
    X, model = rng.random((7, 6)), Autoencoder([6, 3, 6], hidden="tanh")
    at, p = model.linearize(X), rng.standard_normal(model.theta.size)
    expected = at.hvp(p), at.gnvp(p), at.grad
    model.theta[:] = 0
    for duplicate in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        twin = duplicate(at)
        for found, right in zip((twin.hvp(p), twin.gnvp(p), twin.grad), expected, strict=True):
            np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128", "uint8", "bool"])
def test_sum_of_squares(dtype, rng):
    for shape in [(0,), (1,), (3, 5), (1024,), (1025,), (700, 300)]:
        values = (7 * rng.random(shape)).astype(dtype)
        if "complex" in dtype:
            values += (1j * rng.random(shape)).astype(dtype)
        wide = values.astype(complex if "complex" in dtype else float)
        assert sum_of_squares(values) == pytest.approx(np.sum(wide * wide), rel=1e-7)


TAKERS = ["loss", "loss_and_grad", "linearize", "encode", "reconstruct", "reconstruction_error", "start_output_bias"]


def taker(model, name):
    if name == "train":
        return lambda X: fit(model, X, Adam(), batch_size=1, progress=False)
    if name == "X_test":
        return lambda X: fit(model, np.zeros((2, 4)), Adam(), batch_size=1, X_test=X, progress=False)
    return getattr(model, name)


@pytest.mark.parametrize("name", [*TAKERS, "train", "X_test"])
@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ((700, 3), np.nan, "image 700 of X holds nan: expected finite numbers"),
        ((0, 0), -np.inf, "image 0 of X holds -inf"),
        ((999, 1), 255.0, r"image 999 of X reaches from 0 to 255: expected \[0, 1\]"),
        ((1, 1), -0.5, "image 1 of X reaches from -0.5 to 0"),
    ],
)
def test_images_that_cannot_be_are_named(name, place, value, sentence):
    X = np.zeros((1000, 4))
    X[place] = value
    model = Autoencoder([4, 2, 4])
    before = model.theta.copy()
    with pytest.raises(ValueError, match=sentence.replace("X", "X_test" if name == "X_test" else "X")):
        taker(model, name)(X)
    np.testing.assert_array_equal(model.theta, before)


@pytest.mark.parametrize("name", TAKERS)
def test_arrays_that_would_need_guessing_are_refused(name):
    model = Autoencoder([4, 2, 4], output="identity", dtype="float32")
    for X, sentence in [
        (np.ma.masked_array(np.zeros((2, 4)), np.eye(2, 4)), "X has masked entries"),
        ([[0.0] * 4, [0.0] * 3], "X is ragged"),
        (np.full((2, 4), 1e300), r"image 0 of X reaches from 1e\+300 to 1e\+300: expected numbers of single precision"),
        (None, "X has shape"),
        ([["0"] * 4], "X has dtype <U1"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            getattr(model, name)(X)
    for dtype in ("float16", "longdouble"):
        getattr(model, name)(np.zeros((2, 4), dtype))


def test_what_an_identity_output_can_make_and_round_off_are_accepted(rng):
    raw = 255 * rng.random((5, 4))
    assert np.isfinite(Autoencoder([4, 2, 4], output="identity").loss(raw))
    assert np.isfinite(Autoencoder([4, 2, 4]).loss(np.full((5, 4), 1 + 5e-7)))
    with pytest.raises(ValueError, match="X is complex, the model float64"):
        Autoencoder([4, 2, 4]).loss(raw / 255 + 1j)
    with pytest.raises(ValueError, match=r"holds .*nan"):
        Autoencoder([4, 2, 4], dtype="complex128").loss(raw / 255 + complex(0, np.nan))


def test_codes_that_cannot_be_are_named():
    model = Autoencoder([4, 2, 4])
    np.testing.assert_array_equal(model.decode([[3, -7]]), model.decode(np.array([[3.0, -7.0]])))
    for codes, sentence in [
        (np.zeros(2), r"Z has shape \(2,\): expected one code per row, \(n, 2\)"),
        (np.array([[0, np.inf]]), "code 0 of Z holds inf"),
        (np.array([[0, 1j]]), "Z is complex, the model float64"),
        ([["a", "b"]], "Z has dtype <U1: expected numbers"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.decode(codes)


def test_a_complex_theta_in_single_precision_passes(rng):
    """The complex step of a net in float32, as lab 2 draws it: eps is 1e-30, for 1e-200 is 0 there."""
    model, X = Autoencoder([5, 4, 2, 4, 5], hidden="tanh"), rng.random((3, 5))
    p = rng.standard_normal(model.theta.size)
    moved = (model.theta + 1e-30j * p).astype(np.complex64)
    grad = model.with_theta(moved).loss_and_grad(X)[1]
    assert grad.dtype == np.complex64
    np.testing.assert_allclose(grad.imag / 1e-30, model.hvp(X, p), rtol=1e-4, atol=1e-5)
