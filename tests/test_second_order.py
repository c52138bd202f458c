"""The methods with curvature products: their first updates solved once more densely, and what they are said to cost."""

import itertools

import numpy as np
import pytest
from oracle import dense
from scipy.optimize import minimize

from aelib import Autoencoder
from aelib.study.second_order import Objective, _factors, damped_gauss_newton, kfac

SIZES = dict(sizes=[6, 5, 2, 4, 6], hidden="tanh", weight_decay=0.01)
COST = 3 * (30 + 10 + 8 + 24) - 30  # matrix entries of a gradient


@pytest.fixture
def start(rng):
    """Return (objective, theta, images)."""
    X = rng.random((9, 6))
    model = Autoencoder(**SIZES, seed=1)
    model.theta += 0.1 * rng.standard_normal(model.theta.size)
    return Objective(model, X), model.theta.copy(), X


def test_objective_is_the_model_at_theta_and_leaves_it_alone(start, rng):
    F, theta, X = start
    other, p = theta + 0.1 * rng.standard_normal(theta.size), rng.standard_normal(theta.size)
    at = F.model.with_theta(other).linearize(X)
    for ours, theirs in ((F.loss, at.loss), (F.grad, at.grad)):
        np.testing.assert_array_equal(ours(other), theirs)
    for name in ("hvp", "gnvp", "jvp"):
        np.testing.assert_array_equal(getattr(F, name)(other, p), getattr(at, name)(p))
    np.testing.assert_array_equal(F.model.theta, theta)


def test_objective_keeps_its_images_and_its_model(rng):
    X, model = rng.random((9, 6)), Autoencoder(**SIZES, seed=1)
    F, theta = Objective(model, X), model.theta.copy()
    first, other = F.loss(theta), F.loss(theta + 0.1)
    X[...], model.weight_decay = 0, 3.0
    assert F.loss(theta) == first and F.loss(theta - 0.1) and F.loss(theta - 0.2) and F.loss(theta + 0.1) == other


def test_objective_counts_each_product_once(start):
    F, theta, _ = start
    moving = theta.copy()
    expected = [(F.loss, 72), (F.grad, COST - 72), (F.loss, 0), (F.grad, 0)]
    expected += [(lambda t: F.hvp(t, t), 6 * 72 - 4 * 30), (lambda t: F.gnvp(t, t), 4 * 72 - 2 * 30)]
    expected += [(lambda t: F.jvp(t, t), 2 * 72 - 30), (lambda t: F.loss(2 * t), 72), (F.loss, 0)]
    for call, entries in expected:
        before = F.cost
        call(moving)
        assert F.cost - before == pytest.approx(entries / COST)
    moving += 1  # in place, as an optimizer does: a new theta
    assert F.loss(moving) == F.model.with_theta(moving).loss(F.X)


def test_scipy_minimises_with_it(start):
    F, theta, _ = start
    end = minimize(F.loss, theta, jac=F.grad, hessp=F.gnvp, method="trust-ncg", options=dict(gtol=1e-6))
    assert end.success and end.fun < F.loss(theta) and np.linalg.norm(F.grad(end.x)) < 1e-6


def test_gauss_newton_solves_its_damped_system_and_never_climbs(start):
    F, theta, X = start
    _, grad, _, G, _ = dense(F.model, X)
    d = np.linalg.solve(G + 0.5 * np.eye(len(G)), -grad)
    ends = list(itertools.islice(damped_gauss_newton(F, theta, damping=0.5, products=200), 8))
    step, losses = ends[0][0] - theta, [F.loss(theta), *(loss for _, loss in ends)]
    np.testing.assert_allclose(step / np.linalg.norm(step), d / np.linalg.norm(d), atol=5e-3)
    assert F.loss(theta) - losses[1] > 0 and np.linalg.norm(step) <= 1.01 * np.linalg.norm(d)
    assert np.all(np.diff(losses) <= 0) and losses[-1] < losses[0] - 0.1
    assert all(loss == F.loss(end) for end, loss in ends)


def test_first_update_of_kfac_is_the_text(start):
    """Factors from their definition, each layer solved densely, the length from the dense G."""
    F, theta, X = start
    _, grad, _, G, _ = dense(F.model, X)
    at, damping = F.model.linearize(X), 0.3
    draws = np.random.default_rng(7).standard_normal(X.shape)
    gamma = np.sqrt(damping + F.model.weight_decay)
    adjoint = draws
    z = at.primal.z
    blocks = []
    for l in range(4, 0, -1):
        layer = F.model.layers[l - 1]
        slope = 1 - z[l] ** 2 if layer.activation.name == "tanh" else np.ones_like(z[l])
        slope = z[l] * (1 - z[l]) if layer.activation.name == "sigmoid" else slope
        adjoint = adjoint * slope
        S = np.diag(np.mean(slope**2, axis=0)) if l == 4 else adjoint.T @ adjoint / 9
        inputs = np.column_stack([z[l - 1], np.ones(9)])
        A = inputs.T @ inputs / 9
        V, v = layer.split(grad)
        pi = np.sqrt(np.trace(A) / len(A) / (np.trace(S) / len(S)))
        left, right = S + gamma / pi * np.eye(len(S)), A + gamma * pi * np.eye(len(A))
        block = -np.linalg.solve(left, np.column_stack([V, v])) @ np.linalg.inv(right)
        blocks.insert(0, np.concatenate([block[:, :-1].ravel(), block[:, -1]]))
        adjoint = adjoint @ layer.W
    D = np.concatenate(blocks)
    alpha = -(grad @ D) / (D @ (G + damping * np.eye(len(G))) @ D)
    end, loss = next(kfac(F, theta, damping=damping, seed=7))
    np.testing.assert_allclose(end - theta, alpha * D, atol=1e-12)
    assert loss == F.loss(end)


def test_the_last_factor_of_kfac_is_the_mean_of_the_drawn_ones(start, rng):
    F, _, X = start
    at = F.model.linearize(X)
    slope = at.output * (1 - at.output)
    drawn = [(e * slope).T @ (e * slope) / 9 for e in rng.standard_normal((4000, *X.shape))]
    np.testing.assert_allclose(np.mean(drawn, axis=0), np.diag(np.mean(slope**2, axis=0)), atol=2e-3)


def test_kfac_takes_the_best_of_direction_and_last_update(start):
    """The second update is the least of the quadratic over a plane: its residual is orthogonal to the plane."""
    F, theta, X = start
    (one, loss1), (two, loss2) = itertools.islice(kfac(F, theta, damping=0.3), 2)
    model = F.model.with_theta(one)
    _, grad, _, G, _ = dense(model, X)
    rho = (loss1 - F.loss(theta)) / (0.5 * F.grad(theta) @ (one - theta))
    damping = 0.3 * (19 / 20 if rho > 0.75 else 20 / 19 if rho < 0.25 else 1)
    residual = grad + (G + damping * np.eye(len(G))) @ (two - one)
    for direction in (one - theta, two - one):
        assert abs(residual @ direction) < 1e-10 * np.linalg.norm(grad) * np.linalg.norm(direction)
    assert loss2 < loss1 < F.loss(theta)


def test_without_biases_kfac_falls_too(rng):
    X = rng.random((12, 5))
    F = Objective(Autoencoder([5, 2, 5], output_bias=False, seed=1), X)
    losses = [loss for _, loss in itertools.islice(kfac(F, F.model.theta.copy()), 15)]
    assert losses[-1] < F.model.loss(X) - 0.05


def test_on_batches_each_image_comes_once_and_costs_count_in_gradients_of_all(start):
    F, theta, X = start
    F.batch, seen = 3, []
    for _ in range(3):
        F.draw()
        seen.append(F.X)
        before = F.cost
        assert F.loss(theta) == F.model.with_theta(theta).loss(F.X)
        F.grad(theta)
        assert F.cost - before == pytest.approx(3 / 9)
    assert sorted(map(tuple, np.concatenate(seen))) == sorted(map(tuple, X))


def test_kfac_on_a_batch_of_all_images_is_kfac_on_them(start):
    _, theta, X = start
    F = Objective(Autoencoder(**SIZES, seed=1), X)
    F.batch = len(X)
    loss = next(kfac(F, theta, seed=7))
    others = Objective(F.model, F.X)  # in the order drawn, on which the adjoints depend
    for ours, theirs in zip(loss, next(kfac(others, theta, seed=7)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_kfac_on_batches_takes_the_first_factor_from_all_images(start):
    F, theta, X = start
    F.batch = 3
    F.draw()
    (A, _), *_ = _factors(F, theta, np.random.default_rng(0), None)
    ones = np.insert(X, 6, 1, axis=1)
    values, vectors = A
    np.testing.assert_allclose(vectors * values @ vectors.T, ones.T @ ones / 9, atol=1e-12)
