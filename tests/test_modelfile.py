"""What a model's file may not say. That models come back whole is in test_autoencoder.py."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aelib import Autoencoder
from aelib.files import save_npz

CONFIG = dict(Autoencoder([5, 2, 5]).config)
THETA = Autoencoder([5, 2, 5]).theta


def refused(path, sentence):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=sentence) as caught:
            Autoencoder.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and len(text) < 300 + len(str(path)), text
    assert caught.type is ValueError and peak < 100 * 2**20


CONFIGS = {
    "huge": dict(CONFIG, sizes=[10**9, 2, 10**9]),
    "huger": dict(CONFIG, sizes=[10**30, 2, 10**30]),
    "other sizes": dict(CONFIG, sizes=[5, 3, 5]),
    "negative": dict(CONFIG, sizes=[-5, 2, -5]),
    "text": dict(CONFIG, sizes="525"),
    "fractions": dict(CONFIG, sizes=[5.7, 2.2, 5.1]),
    "truth values": dict(CONFIG, sizes=[5, True, 5]),
    "two sizes": dict(CONFIG, sizes=[5, 5]),
    "no list": dict(CONFIG, sizes={"5": 2}),
    "no sizes": {key: value for key, value in CONFIG.items() if key != "sizes"},
    "infinite": dict(CONFIG, sizes=[float("inf"), 2, float("inf")]),
    "infinite seed": dict(CONFIG, seed=float("inf")),
    "infinite decay": dict(CONFIG, weight_decay=float("inf")),
    "output_bias no": dict(CONFIG, output_bias="no"),
    "no output bias": dict(CONFIG, output_bias=False),
    "half a dtype": dict(CONFIG, dtype="(2,"),
    "single": dict(CONFIG, dtype="float32"),
    "list dtype": dict(CONFIG, dtype=[["a", "f8"]]),
    "activation": dict(CONFIG, hidden=[["relu"]]),
    "unknown": dict(CONFIG, colour="red"),
    "no dict": [CONFIG],
    "null": None,
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_arguments_that_cannot_be_right(config, tmp_path):
    save_npz(tmp_path / "net.npz", theta=THETA, config=np.array(json.dumps(config)))
    refused(tmp_path / "net.npz", "does not describe an aelib model")


@pytest.mark.parametrize("config", ["[" * 100_000, "", "{", np.array([1.5]), np.array(["a", "b"]), " " * 3_000_000])
def test_configs_that_are_none(config, tmp_path):
    save_npz(tmp_path / "net.npz", theta=THETA, config=np.array(config))
    refused(tmp_path / "net.npz", "does not describe an aelib model")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_theta_must_be_finite_to_be_saved_and_to_be_loaded(value, tmp_path):
    model = Autoencoder([5, 2, 5])
    model.save(tmp_path / "net.npz")
    model.theta[7] = value
    with pytest.raises(ValueError, match="theta holds nan or inf"):
        model.save(tmp_path / "net.npz")
    assert np.isfinite(Autoencoder.load(tmp_path / "net.npz").theta).all()  # what was saved before is still there
    save_npz(tmp_path / "net.npz", theta=model.theta, config=np.array(json.dumps(CONFIG)))
    refused(tmp_path / "net.npz", "theta holds nan or inf")


@pytest.mark.parametrize(
    "theta",
    [THETA + 1j, THETA.astype("float32"), THETA.astype(int), THETA.astype("U"), THETA[:-1], THETA[None], THETA[0]],
    ids=["complex", "single", "whole", "text", "short", "a matrix", "a number"],
)
def test_theta_must_be_what_the_arguments_say(theta, tmp_path):
    save_npz(tmp_path / "net.npz", theta=theta, config=np.array(json.dumps(CONFIG)))
    refused(tmp_path / "net.npz", r"theta is .*: expected float64\(27,\) for sizes \[5, 2, 5\]")


def test_a_complex_model_comes_back(tmp_path):
    model = Autoencoder([5, 2, 5])
    model.theta = model.theta + 1e-3j
    model.save(tmp_path / "net.npz")
    twin = Autoencoder.load(tmp_path / "net.npz")
    assert twin.dtype == np.complex128
    np.testing.assert_array_equal(twin.theta, model.theta)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_config_is_a_model_or_refused(tmp_path_factory, data):
    """One argument is anything that JSON can say, or one character of the text is another."""
    path = tmp_path_factory.getbasetemp() / "net.npz"
    numbers = st.integers() | st.floats() | st.integers(-1, 9)
    anything = st.recursive(
        st.none() | st.booleans() | numbers | st.text(max_size=5) | st.sampled_from(["relu", "he", "complex64"]),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=6,
    )
    text = json.dumps(CONFIG | {data.draw(st.sampled_from([*CONFIG, "colour"])): data.draw(anything)})
    if data.draw(st.booleans()):
        i = data.draw(st.integers(0, len(text) - 1))
        text = text[:i] + data.draw(st.characters(exclude_categories=["Cs"])) + text[i + 1 :]
    save_npz(path, theta=THETA, config=np.array(text))
    try:
        model = Autoencoder.load(path)
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        np.testing.assert_array_equal(model.theta, THETA)
