import numpy as np
import pytest

from aelib.activations import ACTIVATIONS, activation

U = np.concatenate([np.linspace(-8, 8, 80), [-1e-3, 1e-3]])
EXTREME = np.array([-np.inf, -1e30, -1e4, -300, -90, 0, 90, 300, 1e4, 1e30, np.inf])


@pytest.mark.parametrize("a", ACTIVATIONS.values(), ids=str)
def test_derivatives_are_the_complex_step_of_what_they_derive(a):
    u = U + 1e-200j
    np.testing.assert_allclose(a.dg(U), a.g(u).imag / 1e-200, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(a.d2g(U), a.dg(u).imag / 1e-200, rtol=1e-13, atol=1e-15)
    assert a.curved == bool(np.any(a.d2g(U)))


TEXTBOOK = {
    "identity": U,
    "sigmoid": 1 / (1 + np.exp(-U)),
    "tanh": (np.exp(U) - np.exp(-U)) / (np.exp(U) + np.exp(-U)),
    "relu": np.where(U > 0, U, 0),
    "leaky_relu": np.where(U > 0, U, 0.01 * U),
    "softplus": np.log(1 + np.exp(U)),
}


@pytest.mark.parametrize("name", TEXTBOOK)
def test_values_against_textbook_formulas(name):
    np.testing.assert_allclose(activation(name).g(U), TEXTBOOK[name], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a", ACTIVATIONS.values(), ids=str)
def test_dtype_stored_z_and_out(a, dtype):
    u = U.astype(dtype)
    z = a.g(u)
    for f, extra in ((a.g, {}), (a.dg, {"z": z}), (a.d2g, {"z": z})):
        out = np.empty_like(u)
        value = f(u, **extra, out=out)
        assert value is out and value.dtype == dtype
        np.testing.assert_array_equal(value, f(u))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_overflow_and_no_subnormal_slopes(name, dtype):
    a, u = activation(name), EXTREME.astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        values = a.g(u), a.dg(u), a.d2g(u)
    assert np.all(np.isfinite(values[1])) and np.all(np.isfinite(values[2]))
    slopes = values[1][values[1] != 0]
    assert np.all(np.abs(slopes) >= np.finfo(dtype).tiny)


def test_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"unknown activation 'swish': expected one of identity, sigmoid"):
        activation("swish")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_whole_numbers_are_points_too(name):
    g, u = ACTIVATIONS[name], np.array([-2, 0, 3])
    for function in (g.g, g.dg, g.d2g):
        np.testing.assert_array_equal(function(u), function(u.astype(float)))
