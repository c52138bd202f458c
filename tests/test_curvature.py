"""Curvature as SciPy's operators: against the dense oracle and SciPy's dense solvers; the density against traces."""

import numpy as np
import pytest
from conftest import SMALL, trained
from oracle import dense
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.sparse.linalg import cg, eigsh, lobpcg

from aelib import Adam, Autoencoder
from aelib.curvature import Spectrum, adam_metric, gauss_newton, hessian, lanczos, preconditioned, spectrum

CASES = SMALL | {"142 parameters": dict(sizes=[8, 6, 2, 6, 8], hidden="tanh")}


def small(name, rng):
    """Return (model, images, H, G): a trained net with biases off 0, its matrices from the oracle."""
    X = rng.random((9, CASES[name]["sizes"][0]))
    model = trained(X, steps=5, **CASES[name])
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    return model, X, *dense(model, X)[2:4]


@pytest.mark.parametrize("name", CASES)
def test_operators_are_the_dense_matrices_and_have_their_eigenvalues(name, rng):
    model, X, *matrices = small(name, rng)
    n = model.theta.size
    for A, matrix in zip((hessian(model, X), gauss_newton(model, X)), matrices, strict=True):
        assert A.shape == (n, n) and A.dtype == np.float64
        np.testing.assert_allclose(A @ np.eye(n), matrix, atol=1e-12)
        np.testing.assert_allclose(A.H @ np.eye(n), matrix, atol=1e-12)
        exact = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(eigsh(A, k=3, which="LA")[0], exact[-3:], atol=1e-8)
        np.testing.assert_allclose(np.linalg.eigvalsh(A @ np.eye(n)), exact, atol=1e-8)
    lowest = eigsh(hessian(model, X), k=1, which="SA")[0]
    np.testing.assert_allclose(lowest, np.linalg.eigvalsh(matrices[0])[:1], atol=1e-8)


def test_vectors_columns_and_matrices_go_in_and_come_out_in_their_own_shape(rng):
    model, X, H, _ = small("tanh-identity-sigmoid", rng)
    A, P = hessian(model, X), rng.random(len(H)) + 0.1
    for operator, matrix in ((A, H), (preconditioned(A, P), H / np.sqrt(np.outer(P, P)))):
        for V in (rng.standard_normal(len(H)), rng.standard_normal((len(H), 1)), rng.standard_normal((len(H), 4))):
            np.testing.assert_allclose(operator @ V, matrix @ V, atol=1e-11)
            assert (operator @ V).shape == V.shape


def test_scipy_solves_with_them(rng):
    model, X, H, G = small("tanh-tanh-tanh-nobias-decay", rng)
    n, b = len(H), rng.standard_normal(len(H))
    x, info = cg(gauss_newton(model, X), b, rtol=1e-12)
    assert info == 0
    np.testing.assert_allclose(G @ x, b, atol=1e-9)
    values, _ = lobpcg(hessian(model, X), rng.standard_normal((n, 3)), tol=1e-9, maxiter=500)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(H)[-3:], atol=1e-8)

    def F(theta):
        return model.with_theta(theta).loss_and_grad(X)

    def hessp(theta, p):
        return gauss_newton(model.with_theta(theta), X) @ p

    end = minimize(F, model.theta.copy(), jac=True, hessp=hessp, method="trust-ncg", options=dict(gtol=1e-6))
    assert end.success and np.linalg.norm(F(end.x)[1]) < 1e-6 and end.fun < model.loss(X)


def test_an_operator_keeps_its_theta(rng):
    model, X, H, _ = small("softplus-identity-softplus", rng)
    A, p = hessian(model, X), rng.standard_normal(len(H))
    model.theta[:] = 0
    np.testing.assert_allclose(A @ p, H @ p, atol=1e-12)


def test_preconditioned_has_the_eigenvalues_of_the_pencil(rng):
    model, X, H, _ = small("142 parameters", rng)
    P = rng.random(len(H)) + 0.05
    B = preconditioned(hessian(model, X), P)
    values, vectors = eigsh(B, k=2, which="LA")
    np.testing.assert_allclose(values, eigh(H, np.diag(P), eigvals_only=True)[-2:], atol=1e-8)
    d = vectors[:, -1] / np.sqrt(P)
    assert d @ H @ d / (d @ (P * d)) == pytest.approx(values[-1], rel=1e-8)


@pytest.mark.parametrize("bad", [np.zeros(3), np.ones(2), np.array([1.0, np.nan, 1.0]), np.array([1.0, -1.0, 1.0])])
def test_a_metric_that_is_none_is_refused(bad):
    with pytest.raises(
        ValueError, match=r"^P (is|has entries).*: expected (the diagonal of a metric, \(3,\)|finite and positive)"
    ):
        preconditioned(np.eye(3), bad)


@pytest.mark.parametrize("inside", [False, True])
def test_adam_metric_is_that_of_the_step_just_made(inside, rng):
    theta = rng.standard_normal(6)
    adam = Adam(0.1, beta1=0.0, beta2=0.9, epsilon=1e-2, epsilon_inside=inside)
    for _ in range(4):
        before, grad = theta.copy(), rng.standard_normal(6)
        adam.step(theta, grad)
        np.testing.assert_allclose(adam_metric(adam) * (before - theta), 0.1 * grad, atol=1e-13)


def test_float32_stays_float32(rng):
    model = Autoencoder([6, 3, 6], hidden="tanh", dtype="float32")
    A = gauss_newton(model, rng.random((5, 6)))
    assert A.dtype == (A @ np.ones(A.shape[0], "float32")).dtype == np.float32
    assert np.isfinite(spectrum(A, starts=2, steps=5).nodes).all()


def test_lanczos_makes_an_orthonormal_tridiagonal_form(rng):
    A = rng.standard_normal((40, 40))
    A = A + A.T + 1e4 * np.diag(np.arange(40) == 0)  # converges early: without orthogonalisation its end comes twice
    alpha, beta = lanczos(A, rng.standard_normal(40), 40)
    T = np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), np.linalg.eigvalsh(A), rtol=1e-10, atol=1e-8)


def test_lanczos_ends_where_the_space_is_exhausted(rng):
    V = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    A = V @ np.diag(np.repeat([-1.0, 2.0, 5.0], 10)) @ V.T
    S = spectrum(A, starts=3, steps=12)
    for nodes, weights in zip(S.nodes, S.weights, strict=True):
        np.testing.assert_allclose(nodes[weights > 0], [-1, 2, 5], atol=1e-10)
    assert S.average(np.ones_like)[0] == pytest.approx(1)


@pytest.mark.parametrize("name", ["142 parameters", "sigmoid-softplus-identity-decay"])
def test_density_has_the_moments_of_the_dense_spectrum_within_its_own_error_bars(name, rng):
    model, X, *matrices = small(name, rng)
    for operator, matrix in zip((hessian, gauss_newton), matrices, strict=True):
        S, mean = spectrum(operator(model, X), starts=800, steps=6), np.trace(matrix) / len(matrix)
        variance = np.trace(matrix @ matrix) / len(matrix) - mean**2
        exact = np.linalg.eigvalsh(matrix)
        assert exact[0] - 1e-9 <= S.nodes.min() and S.nodes.max() <= exact[-1] + 1e-9
        parts = [Spectrum(S.nodes[k::25], S.weights[k::25]) for k in range(25)]
        for truth, f in ((mean, lambda x: x), (variance, lambda x, mean=mean: (x - mean) ** 2)):
            value, error = S.average(f)
            assert abs(value - truth) < 3 * error
            values, errors = np.transpose([part.average(f) for part in parts])
            assert values.std() == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.4)  # the bars tell the spread


def test_density_is_the_nodes_spread_out(rng):
    A = rng.standard_normal((30, 30))
    S = spectrum(A + A.T, starts=4, steps=9)
    x = np.linspace(-40, 40, 4001)
    smooth = S.density(x, 0.5)
    assert np.trapezoid(smooth, x) == pytest.approx(1, abs=1e-9)
    assert np.trapezoid(x * smooth, x) == pytest.approx(S.average(lambda x: x)[0], abs=1e-9)


def test_a_complex_model_is_refused(rng):
    model = Autoencoder([4, 2, 4], dtype="complex128")
    with pytest.raises(ValueError, match="the model is complex128: expected a real one"):
        hessian(model, rng.random((3, 4)))


def test_complex_directions_starts_and_metrics_are_refused(rng):
    X, model = rng.random((3, 4)), Autoencoder([4, 2, 4])
    for operator in (hessian(model, X), gauss_newton(model, X), preconditioned(hessian(model, X), np.ones(22))):
        for p in (np.full(22, 1j), np.full((22, 2), 1j)):
            with pytest.raises(ValueError, match="direction p is complex, the model float64: expected real numbers"):
                operator @ p
        with pytest.raises(ValueError, match="A or start is complex: expected real ones, for which T is symmetric"):
            lanczos(operator, np.full(22, 1j), 3)
    with pytest.raises(ValueError, match="A or start is complex"):
        spectrum(np.array([[1, 1j], [-1j, 1]]))
    with pytest.raises(
        ValueError, match=r"P is complex128\(22,\): expected the diagonal of a metric, \(22,\), of real numbers"
    ):
        preconditioned(hessian(model, X), np.full(22, 1 + 0j))


def test_too_few_starts_are_refused():
    with pytest.raises(ValueError, match="starts is 1: expected a whole number of at least 2"):
        spectrum(np.eye(3), starts=1)
