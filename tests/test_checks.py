"""The checks themselves: planted bugs are caught, correct code passes, reports read well."""

import numpy as np
import pytest
from conftest import NETS, trained

from aelib import checks, passes
from aelib.linearization import Linearization

forward, backward, rp_forward, rp_backward = passes.forward, passes.backward, passes.rp_forward, passes.rp_backward


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.train_images[:20].astype(float)


@pytest.fixture(scope="module")
def model(mnist):
    return trained(mnist.train_images[:2000].astype(float), **NETS["tanh"] | {"hidden": "softplus"})


def test_correct_code_passes(model, digits):
    for method in ("complex", "central"):
        assert all(report.passed for report in checks.check_model(model, digits, method).values())


# Each planted bug replaces one function, as a student would get it wrong.


def dropped_d2g(layers, p, primal, adjoint, tangent, R_grad_zL, out=None):
    flat = [np.zeros_like(u) if u is not None else None for u in tangent.R_u]
    return rp_backward(layers, p, primal, adjoint, tangent._replace(R_u=flat), R_grad_zL)


def forgotten_n_in_rp_backward(layers, p, primal, adjoint, tangent, R_grad_zL, out=None):
    return rp_backward(layers, p, primal, adjoint, tangent, R_grad_zL * len(R_grad_zL))


def forgotten_n_in_backward(layers, primal, grad_zL, out=None, **options):
    return backward(layers, primal, grad_zL * len(grad_zL), **options)


def bias_column_kept_in_W(layers, primal, grad_zL, out=None, **options):
    return backward([_shifted(layer) for layer in layers], primal, grad_zL, **options)


def bias_column_kept_in_P(layers, p, primal, adjoint, tangent, R_grad_zL, out=None):
    return rp_backward([_ShiftedSplit(layer, p) for layer in layers], p, primal, adjoint, tangent, R_grad_zL)


def _with_bias_column(W, b):
    """Return the first n_in columns of [b, W]: what is left when the wrong column of an extended matrix goes."""
    return np.column_stack([b, W])[:, :-1]


class _Wrapped:
    def __init__(self, layer):
        self._layer = layer

    def __getattr__(self, name):
        return getattr(self._layer, name)


def _shifted(layer):
    wrapped = _Wrapped(layer)
    wrapped.W = _with_bias_column(layer.W, layer.b)
    return wrapped


class _ShiftedSplit(_Wrapped):
    def __init__(self, layer, p):
        super().__init__(layer)
        self._p = p

    def split(self, vector):
        W, b = self._layer.split(vector)
        return (_with_bias_column(W, b), b) if vector is self._p else (W, b)


def one_for_R_of_the_bias_input(layers, p, primal, out=None):
    R_u, R_z = passes.Tangent([None], [np.zeros_like(primal.z[0])])
    for l, layer in enumerate(layers, start=1):
        P, q = layer.split(p)
        R_u.append(primal.z[l - 1] @ P.T + R_z[l - 1] @ layer.W.T + q + 1 * layer.b)
        R_z.append(layer.activation.dg(primal.u[l]) * R_u[l])
    return passes.Tangent(R_u, R_z)


def damaged_u(layers, p, primal, adjoint, tangent, R_grad_zL, out=None):
    result = rp_backward(layers, p, primal, adjoint, tangent, R_grad_zL)
    for u in primal.u[1:]:
        np.multiply(u, u, out=u)
    return result


def stale_cache_after_gp(self, p):
    tangent = rp_forward(self._layers, p, self.primal)
    grad = backward(self._layers, self.primal, tangent.R_z[-1] / self._n, out=self.adjoint).grad
    return grad + self._weight_decay * p


BUGS = {
    "dropped g''": ("rp_backward", dropped_d2g, {"Hp"}),
    "forgotten 1/n in R_p": ("rp_backward", forgotten_n_in_rp_backward, {"Hp"}),
    "forgotten 1/n": ("backward", forgotten_n_in_backward, {"gradient"}),
    "bias column kept in W^T": ("backward", bias_column_kept_in_W, {"gradient", "JTv", "Hp"}),
    "bias column kept in P^T": ("rp_backward", bias_column_kept_in_P, {"Hp", "H symmetric"}),
    "1 for R_p of the bias input": ("rp_forward", one_for_R_of_the_bias_input, {"Jp", "Hp"}),
    "cached u damaged": ("rp_backward", damaged_u, {"any order"}),
    "stale cache after Gp": ("gnvp", stale_cache_after_gp, {"any order"}),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_caught(bug, model, digits, monkeypatch):
    name, wrong, catchers = BUGS[bug]
    monkeypatch.setattr(Linearization if name == "gnvp" else passes, name, wrong)
    with pytest.raises(checks.CheckFailed, match="FAILED"):
        checks.check_model(model, digits)
    caught = _all_failures(model, digits, monkeypatch)
    assert catchers <= caught, f"{bug}: caught only by {sorted(caught)}"


def _all_failures(model, digits, monkeypatch):
    monkeypatch.setattr(checks.Report, "verify", lambda self: self)
    return {name for name, report in checks.check_model(model, digits).items() if not report.passed}


@pytest.mark.parametrize(
    ("bug", "blind"),
    [("dropped g''", "H symmetric"), ("forgotten 1/n", "H symmetric"), ("dropped g''", "Gp"), ("forgotten 1/n", "Gp")],
)
def test_every_check_misses_some_bug(bug, blind, model, digits, monkeypatch):
    name, wrong, _ = BUGS[bug]
    monkeypatch.setattr(passes, name, wrong)
    assert blind not in _all_failures(model, digits, monkeypatch)


def test_a_small_error_in_one_small_block_is_found(model, digits):
    at = model.linearize(digits)
    wrong = at.grad.copy()
    wrong[model.blocks["b3"].start] *= 1 + 1e-6
    with pytest.raises(checks.CheckFailed, match=r"b3 .*fails"):
        checks.check_gradient(lambda t: model.with_theta(t).loss(digits), lambda t: wrong, model.theta, model.blocks)


def f(x):
    return np.sum(np.sin(x) * x)


def df(x):
    return np.cos(x) * x + np.sin(x)


def test_plain_functions_of_a_student(rng):
    x = rng.standard_normal(6)
    for method in ("complex", "central", "forward"):
        checks.check_gradient(f, df, x, method=method)
    checks.check_product(lambda p: (2 * np.cos(x) - np.sin(x) * x) * p, df, x)
    for wrong in (lambda x: -df(x), lambda x: 2 * df(x), lambda x: df(x) + 1e-3 * (x == x[5])):
        with pytest.raises(checks.CheckFailed):
            checks.check_gradient(f, wrong, x)


def test_order_of_the_difference_quotients():
    x, p = np.array([0.7]), np.array([1.0])

    def error(method, eps):
        return abs(checks.directional_derivative(f, x, p, method, eps) - df(x) @ p)

    assert error("forward", 1e-3) / error("forward", 1e-4) == pytest.approx(10, rel=0.02)
    assert error("central", 1e-2) / error("central", 1e-3) == pytest.approx(100, rel=0.02)
    assert error("complex", 1e-2) / error("complex", 1e-3) == pytest.approx(100, rel=0.02)
    assert error("complex", 1e-200) < 1e-15


def test_sign_changes_are_counted(mnist, digits):
    relu = trained(mnist.train_images[:2000].astype(float), **NETS["784-200-2"])
    u0 = relu.linearize(digits).primal.u[1]
    theta = relu.theta.copy()
    relu.layers[0].b[3] -= u0[5, 3] - 1e-9  # image 5 now stands a hair above the kink of unit 3
    loss, grad = lambda t: relu.with_theta(t).loss(digits), lambda t: relu.with_theta(t).loss_and_grad(digits)[1]

    def u(t):
        return [relu.with_theta(t).linearize(digits).primal.u[1][5:6, 3:4]]

    block = {"b1": relu.blocks["b1"]}
    report = checks.check_gradient(loss, grad, relu.theta, block, "central", 1.0, directions=3, preactivations=u)
    assert report.sign_changes == 3
    report = checks.check_gradient(loss, grad, theta, block, "complex", directions=1, preactivations=u)
    assert report.sign_changes is None


def test_comparison_and_report():
    a, b = np.array([0.0, 2.0]), np.array([0.0, -1.0])
    assert checks.compare(a, b) == (3.0, -1.0, 2.0)
    assert checks.compare(a, 0 * a).relative_error == np.inf and checks.compare(0 * a, 0 * a).relative_error == 0
    assert not checks.Report("t", {"all": checks.compare(a * np.nan, b)}, 1.0).passed
    with pytest.raises(checks.CheckFailed, match=r"(?s)relative error.*cosine.*norm ratio.*-1\.0000.*2\.0000.*FAILED"):
        checks.check_equal(a, b, "a against b")
    with pytest.raises(ValueError, match=r"unknown method 'exact'"):
        checks.directional_derivative(f, a, b, "exact")
    with pytest.raises(ValueError, match="cannot compare vectors of shapes"):
        checks.compare(a, np.ones(3))
    lopsided = np.array([[1.0, 2.0], [0.0, -3.0]])
    with pytest.raises(checks.CheckFailed):
        checks.check_symmetry(lambda p: lopsided @ p, 2)
    with pytest.raises(checks.CheckFailed, match=r"p\.Ap>=0"):
        checks.check_symmetry(lambda p: -p, 2, positive=True)
