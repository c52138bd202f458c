"""What a model's file may not say. That models come back whole is in test_autoencoder.py."""

import base64
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
OLD = base64.b85decode(  # a file that ``save`` wrote before the machine was put into fewer modules (commit afec4ce)
    b"P)h>@EdT%j2mk;8ApnBMMq>Z}|NsC0|NjX96aaK+WprUKZg6=401yCZ0RR910000R0RR910001+>=)`A5Xs0;#!#)El3JWxq;934Zj)xBuA`uy"
    b"mS0p-l$aNvUzCyx5_e0?DNY577iT0EqyqUGrWQJyItsN4<O4455*PayI~UkkY6sgh-Lc$1A;Zq@u0Zs@fV-^rPXh$@e>$OJ|LopuTbT$W`$|!z"
    b"y$`y-?Y$z$V9&ZX%$@-W$S6(PXVTbg-?N~=e%4Ww{c}u8>~5cZY6p|o+MZ-DxoD+b?`G@$2lsdH-X;*Z$4>XHrO)Xsd*)R$_c5S>_n)8b`?g!y"
    b"Hbx-FPJ5!cy{jsx-94E@`?6OV+aF4f-4pX?lHETSg}sdn-|Rd7cY)nX*GG0ooEi5!^0n=i7fRn(xQuiE*`F`=RYW@4*Une42LMn@0|YGq000O8"
    b"001EX-R{!W|NsC0|NsC03IG%UV{dL|X=g5OaCrd$5CDt=00000000{S00000005<u&uRiO5XRGMpCWik3yV~%hl*!!mR>xRQY7wXU2!!_cH3gb"
    b"r|^ZHfiExwg+hfNX8wPZ?D=&ue|x`E-|A=z*XF@Yw3#jjFJqHwQ~J;ayI=ZHIF8J0-8%BOm2Di^509BX>3{t0k4mW?(GnZtmvFGzKOr>nL5ztE"
    b"_Omz-#d##ooc}3o?pI+>0eIH_$}F}!!XjS5CwtYX=bSBZAeKacpW|Q1O?Bji7aHXJp3oTeb?|kVlWOsp#qma*)4uVZ*TfEWan@gZ@{TLi*(+~V"
    b"!e1lilD-@46!%Fru2Ji8mtN$_K0oLk_o;-wcy~Fp9FjRtL?8dmAn6@-J8?I$c9i56;$4~>?^%kSEb{pq9wL4sE>KGW0xbhA000080000X0D{Lx"
    b"VjBSf0B8XK00{s900000000000Du7i0001VXk~O^E^csnP)h*<Edwn8000O8001EX-R{!W8vy_Si~|4w3IG5A0000000000fB{wk003ieZf0p`"
    b"E^csnP)h{{000000ssO4ZvX%QtpWf5000"
)


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
    assert caught.type is ValueError and peak < 20 * 2**20


def test_a_model_of_an_earlier_version_comes_back(tmp_path):
    (tmp_path / "old.npz").write_bytes(OLD)
    model = Autoencoder.load(tmp_path / "old.npz")
    arguments = dict(hidden=["tanh", "leaky_relu"], output_bias=False, weight_decay=1e-3, seed=4, dtype="float32")
    made = Autoencoder([5, 3, 2, 4, 5], **arguments)
    assert model.config == made.config
    np.testing.assert_array_equal(model.theta, made.theta)


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


@pytest.mark.parametrize("config", ["[" * 100_000, "", "{", np.array([1.5]), np.array(["a", "b"]), " " * 300_000])
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
        st.none() | st.booleans() | numbers | st.text(max_size=5) | st.sampled_from(["relu", "he", "complex128"]),
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
