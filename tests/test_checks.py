"""The checks themselves: planted bugs are caught, correct code passes, reports read well."""

import numpy as np
import pytest
from conftest import NETS, trained

from aelib import Autoencoder, checks, passes
from aelib.activations import ACTIVATIONS, Activation
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
    monkeypatch.setattr(checks.Outcome, "verify", lambda self: self)
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

    blocks = {"before": slice(0, 784 * 200), "b1": relu.blocks["b1"], "after": slice(785 * 200, None)}
    report = checks.check_gradient(loss, grad, relu.theta, blocks, "central", 1.0, directions=3, preactivations=u)
    assert report.sign_changes == 6  # W1 and b1 move this unit
    report = checks.check_gradient(loss, grad, theta, blocks, "complex", directions=1, preactivations=u)
    assert report.sign_changes is None


def test_comparison_and_report():
    a, b = np.array([0.0, 2.0]), np.array([0.0, -1.0])
    assert checks.compare(a, b) == (3.0, -1.0, 2.0)
    assert checks.compare(a, 0 * a).relative_error == np.inf and checks.compare(0 * a, 0 * a).relative_error == 0
    assert not checks.Outcome("t", {"all": checks.compare(a * np.nan, b)}, 1.0).passed
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


# -- checks that pass for nothing, and right answers that fail ---------------------------------------------------------

A = np.random.default_rng(0).standard_normal((6, 6))
A = A + A.T
w = np.arange(1.0, 7.0)


def quadratic(w):
    return 0.5 * w @ A @ w


def single(w):
    return w.astype("complex64" if np.iscomplexobj(w) else "float32")


def quadratic32(w):
    """It computes and answers in single precision, whatever comes in."""
    return 0.5 * single(w) @ single(A) @ single(w)


ANY_METHOD = pytest.mark.parametrize("method", ["complex", "central", "forward"])


@ANY_METHOD
@pytest.mark.parametrize("f", [quadratic, quadratic32])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8"])
def test_precision_of_theta_and_of_the_function(method, f, dtype):
    """Right gradients pass, wrong ones fail, in every precision; in double precision by the sharper tolerance."""
    theta, cast = w.astype(dtype), single if f is quadratic32 else np.asarray
    right = lambda w: cast(A @ w)  # noqa: E731
    report = checks.check_gradient(f, right, theta, method=method)
    assert report.tolerance == (checks.SINGLE if f is quadratic32 else checks.TOLERANCE)[method]
    for wrong in (lambda w: -right(w), lambda w: 2 * right(w), lambda w: right(w) * (w != 3), lambda w: 0 * right(w)):
        with pytest.raises(checks.CheckFailed):
            checks.check_gradient(f, wrong, theta, method=method)
    checks.check_product(lambda p: A @ p, right, theta, method=method)
    with pytest.raises(checks.CheckFailed):
        checks.check_product(lambda p: -A @ p, right, theta, method=method)


def test_a_function_that_takes_single_precision_alone():
    buffer = np.empty(6, "float32")

    def f(w):
        np.multiply(w, w, out=buffer)
        return buffer.sum()

    checks.check_gradient(f, lambda w: 2 * w, w.astype("float32"), method="central")
    with pytest.raises(ValueError, match=r"does not take complex numbers .*use method='central'"):
        checks.check_gradient(f, lambda w: 2 * w, w.astype("float32"))


def test_a_gradient_in_single_precision_of_a_double_loss(model, digits):
    single = model.linearize(digits).grad.astype("float32")
    loss = lambda t: model.with_theta(t).loss(digits)  # noqa: E731
    assert checks.check_gradient(loss, lambda t: single, model.theta, model.blocks).tolerance == 1e-4
    with pytest.raises(checks.CheckFailed):
        checks.check_gradient(loss, lambda t: single * np.float32(1.001), model.theta, model.blocks)


def test_next_to_a_minimum_a_difference_is_round_off():
    """At the minimum of 1 + |w - 1|^2 the gradient is 0, a central difference quotient is not quite."""
    f, g, ones = lambda w: 1 + np.sum((w - 1) ** 2), lambda w: 2 * (w - 1), np.ones(6) + 1e-12
    for method in ("complex", "central"):
        checks.check_gradient(f, g, ones, method=method)
        with pytest.raises(checks.CheckFailed):
            checks.check_gradient(f, lambda w: g(w) + 1e-3, ones, method=method)


NOT_ANALYTIC = {
    "|w|^3": (lambda w: np.sum(np.abs(w) ** 3), lambda w: 3 * w * np.abs(w)),
    "norm": (lambda w: np.linalg.norm(w) ** 2, lambda w: 2 * w),
    "real part": (lambda w: np.sum(np.real(w) ** 2), lambda w: 2 * w),
    "conjugate": (lambda w: np.vdot(w, w), lambda w: 2 * w),
    "absolute value beside a square": (lambda w: np.sum(w**2 + 3 * np.abs(w)), lambda w: 2 * w + 3 * np.sign(w)),
    "a hundredth of it": (lambda w: np.sum(w**2 + 0.03 * np.abs(w)), lambda w: 2 * w + 0.03 * np.sign(w)),
    "nan": (lambda w: np.sum(w**2) * (np.nan if np.any(np.imag(w)) else 1), lambda w: 2 * w),
}


@pytest.mark.parametrize("case", NOT_ANALYTIC)
def test_a_function_that_is_not_analytic_is_told_apart(case):
    """Right gradients do not get the blame, and what the complex step gives does not pass for a gradient."""
    f, g = NOT_ANALYTIC[case]
    with pytest.raises(checks.CheckFailed, match=r"it is not analytic .* use method='central'"):
        checks.check_gradient(f, g, w)
    blind = lambda w: np.array([np.imag(f(w + 1e-200j * e)) / 1e-200 for e in np.eye(w.size)])  # noqa: E731
    with pytest.raises(checks.CheckFailed, match="it is not analytic"):
        checks.check_gradient(f, blind, w)
    with pytest.raises(checks.CheckFailed) as failure:
        checks.check_gradient(lambda w: np.sum(w**2), lambda w: 3 * w, w)
    assert "analytic" not in str(failure.value)
    checks.check_gradient(f, g, w, method="central")
    with pytest.raises(checks.CheckFailed):
        checks.check_gradient(f, lambda w: -g(w), w, method="central")
    with pytest.raises(checks.CheckFailed, match="it is not analytic"):
        checks.check_product(lambda p: np.sign(w) * p, lambda w: np.abs(w), w)


def test_kinks_by_hand_are_no_offence():
    """Compared by the real part, a ReLU is analytic off its kink, also where central differences step across it."""
    relu, g = lambda w: np.sum(np.where(np.real(w) > 0, w, 0) ** 2), lambda w: 2 * np.maximum(w, 0)
    checks.check_gradient(relu, g, np.array([-1.0, 2.0, 1e-9, -3.0]))
    with pytest.raises(ValueError, match="does not take complex numbers"):
        checks.check_gradient(lambda w: float(w[0]) ** 2, lambda w: 2 * w, w)


@pytest.mark.parametrize("directions", [0, -1, 2.5, True, None])
def test_at_least_one_direction(directions):
    with pytest.raises(ValueError, match=r"directions is .*: expected a whole number of at least 1"):
        checks.check_gradient(quadratic, lambda w: 2 * A @ w, w, directions=directions)


def test_blocks_cover_the_vector():
    wrong = lambda w: A @ w * np.array([1, 1, 1, 1, 1, 9])  # noqa: E731
    blocks = {"a": slice(0, 5)}
    with pytest.raises(ValueError, match="the blocks leave out 1 of 6 entries, the first 5"):
        checks.check_gradient(quadratic, wrong, w, blocks)
    with pytest.raises(ValueError, match="the blocks leave out 1 of 6 entries"):
        checks.check_product(lambda p: A @ p, lambda w: A @ w, w, blocks)
    with pytest.raises(ValueError, match="the blocks leave out 1 of 6 entries"):
        checks.check_equal(w, w, "w", blocks)
    with pytest.raises(ValueError, match="block 'b' is empty"):
        checks.check_gradient(quadratic, wrong, w, {"a": slice(None), "b": slice(6, 6)})
    with pytest.raises(ValueError, match="block 'all' is empty or has the name of the whole"):
        checks.check_equal(w, w, "w", {"all": slice(None)})
    checks.check_gradient(quadratic, lambda w: A @ w, w, {"a": slice(0, 4), "b": [3, 4, 5]})


def test_shapes_and_numbers_that_cannot_be_right():
    g = lambda w: A @ w  # noqa: E731
    for wrong in (lambda w: g(w)[:, None], lambda w: g(w)[:5], lambda w: g(w).sum(), lambda w: np.tile(g(w), (6, 1))):
        with pytest.raises(checks.CheckFailed, match=r"the first has shape .*: expected that of the second, \(6,\)"):
            checks.check_gradient(quadratic, wrong, w)
        with pytest.raises(checks.CheckFailed, match=r"the first has shape .*: expected that of the second, \(6,\)"):
            checks.check_product(wrong, g, w)
    for bad in (np.nan, np.inf):
        spoilt = np.where(w == 2, bad, w)
        with pytest.raises(checks.CheckFailed, match="numbers of the first are not finite"):
            checks.check_gradient(quadratic, lambda w, bad=bad: np.where(w == 2, bad, g(w)), w)
        with pytest.raises(checks.CheckFailed, match="the function is not finite at theta"):
            checks.check_gradient(lambda w, bad=bad: quadratic(w) + bad, g, w)
        with pytest.raises(checks.CheckFailed, match="1 of 6 numbers of the second are not finite"):
            checks.check_equal(w, spoilt, "w")
        with pytest.raises(checks.CheckFailed, match="1 of 6 numbers of the second are not finite"):
            checks.check_equal(spoilt, spoilt, "w")
        with pytest.raises(ValueError, match="expected a flat vector of finite real numbers"):
            checks.check_gradient(quadratic, g, spoilt)
    with pytest.raises(
        checks.CheckFailed, match=r"the first has shape \(2, 3\): expected that of the second, \(3, 2\)"
    ):
        checks.check_equal(w.reshape(2, 3), w.reshape(3, 2), "w")
    for empty in (w[:0], np.zeros((0, 6))):
        with pytest.raises(ValueError, match="expected one shape, not empty"):
            checks.check_equal(empty, empty, "nothing")
    for theta in (w[:0], w.reshape(2, 3), w + 1j, "w"):
        with pytest.raises(ValueError, match="expected a flat vector of finite real numbers"):
            checks.check_gradient(quadratic, g, theta)
    with pytest.raises(ValueError, match=r"the loss has shape \(6,\): expected a number"):
        checks.check_gradient(g, g, w)
    for tolerance in (np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match=r"tolerance is .*: expected a finite number >= 0"):
            checks.check_gradient(quadratic, lambda w: -g(w), w, tolerance=tolerance)
        with pytest.raises(ValueError, match=r"tolerance is .*: expected a finite number >= 0"):
            checks.check_symmetry(lambda p: p[::-1] * w, 6, tolerance=tolerance)
    with pytest.raises(ValueError, match="expected real numbers"):
        checks.compare(w + 1j, w)
    bright, dark = np.full(3, 250, np.uint8), np.full(3, 5, np.uint8)  # differences of uint8 wrap
    assert checks.compare(dark, bright).relative_error == pytest.approx(0.98)
    with pytest.raises(ValueError, match="direction p is zero"):
        checks.directional_derivative(quadratic, w, 0 * w, "central")
    with pytest.raises(ValueError, match=r"direction p has shape \(1,\): expected that of theta"):
        checks.directional_derivative(quadratic, w, w[:1])


@pytest.mark.parametrize(
    ("product", "sentence"),
    [
        (lambda p: 0 * p, "Hp and Hq are all zero: that shows nothing"),
        (lambda p: w, r"linear .*fails"),
        (lambda p: p * np.abs(p), r"linear .*fails"),
        (lambda p: A @ p + 1e-6, r"linear .*fails"),
        (lambda p: np.triu(A) @ p, r"all .*fails"),
        (lambda p: (A @ p)[:, None], r"the first has shape \(6, 1\)"),
        (lambda p: p @ A @ p, r"the first has shape \(\)"),
        (lambda p: A @ p * np.nan, "6 of 6 numbers of the first are not finite"),
    ],
)
def test_what_is_no_symmetric_matrix(product, sentence):
    with pytest.raises(checks.CheckFailed, match=rf"(?s){sentence}"):
        checks.check_symmetry(product, 6)


def test_symmetry_in_single_precision_and_in_place():
    buffer = np.empty(6, "float32")
    checks.check_symmetry(lambda p: np.matmul(A.astype("float32"), p.astype("float32"), out=buffer), 6)
    with pytest.raises(checks.CheckFailed):
        checks.check_symmetry(lambda p: np.triu(A).astype("float32") @ p, 6)
    checks.check_symmetry(lambda p: 0 * p, 6, positive=True, may_vanish=True)
    for size in (0, -1, 6.5):
        with pytest.raises(ValueError, match=r"size is .*: expected a whole number of at least 1"):
            checks.check_symmetry(lambda p: p, size)


def saturated(count):
    """Yield networks with weights up to hundreds, most of whose units are saturated, and images."""
    rng = np.random.default_rng(0)
    hidden = ["relu", "leaky_relu", "tanh", "sigmoid", "softplus", "identity"]
    for seed in range(count):
        half = rng.integers(1, 9, rng.integers(2, 4)).tolist()
        options = dict(hidden=str(rng.choice(hidden)), code=str(rng.choice(hidden)), output_bias=bool(rng.integers(2)))
        output = str(rng.choice(["sigmoid", "identity", "tanh", "softplus"]))
        model = Autoencoder(half + half[-2::-1], **options, output=output, weight_decay=seed % 2 * 1e-3, seed=seed)
        model.theta[...] = rng.standard_normal(model.theta.size) * 10 ** rng.uniform(0, 2)
        yield model, rng.random((rng.integers(1, 10), half[0]))


def test_right_networks_pass_where_they_are_saturated():
    """Slopes and values are right to the round-off of 1, not of themselves; the table says where."""
    lost = 0
    for model, X in saturated(60):
        reports = checks.check_model(model, X)
        lost += any(report.lost for report in reports.values())
    assert lost > 20
    report = checks.check_equal(np.full(3, 1e-17), np.full(3, 3e-17), "tiny", terms=np.ones(3))
    assert "so small that the error is measured against round-off: all" in str(report)
    with pytest.raises(checks.CheckFailed):
        checks.check_equal(np.full(3, 1e-17), np.full(3, 3e-17), "tiny")


def test_an_activation_of_ones_own_that_is_not_analytic(rng, monkeypatch):
    class Soft(Activation):
        name = "softsign"

        def g(self, u, out=None):
            return np.divide(u, 1 + np.abs(u), out=out)

        def dg(self, u, z=None, out=None):
            return np.divide(1, (1 + np.abs(u)) ** 2, out=out)

    monkeypatch.setitem(ACTIVATIONS, "softsign", Soft())
    model = Autoencoder([6, 4, 2, 4, 6], hidden="softsign")
    with pytest.raises(checks.CheckFailed, match="it is not analytic"):
        checks.check_model(model, rng.random((5, 6)))


def test_a_complex_model_is_refused(rng):
    with pytest.raises(ValueError, match="the model is complex128: expected float32 or float64"):
        checks.check_model(Autoencoder([6, 2, 6], dtype="complex128"), rng.random((5, 6)))
