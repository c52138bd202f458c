"""What lab 1 shows: predictions along a direction, the data flow, counted products."""

import numpy as np
import pytest
from conftest import trained

from aelib import Autoencoder
from aelib.labs import lab1


@pytest.fixture
def case(rng):
    X = rng.random((4, 6))
    model = trained(X, sizes=[6, 5, 2, 5, 6], hidden="tanh")
    return model, X, rng.standard_normal(model.theta.size)


def test_predictions_err_by_the_next_term_of_taylors_series(case):
    """Halving eps divides the errors of tangent, H parabola and G parabola by 4, 8 and 4."""
    model, X, p = case
    at = model.linearize(X)

    def errors(eps):
        loss = model.with_theta(model.theta + eps * p).loss(X)
        return np.array([value - loss for value in lab1.predicted_losses(at, p, eps).values()])

    np.testing.assert_allclose(errors(1e-3) / errors(5e-4), [4, 8, 4], rtol=0.05)


def test_only_what_moves_is_moved(case):
    model, X, p = case
    for l in range(1, 5):
        kept = lab1.only_layer(model, p, l)
        for name, own in model.blocks.items():
            assert np.array_equal(kept[own], p[own] if name[1:] == str(l) else 0 * p[own])
        flow = lab1.flow(model, X, kept)
        assert [bool(v.any()) for v in flow["R_p{z}"]] == [k >= l for k in range(5)]  # nothing before layer l
        assert flow["R_p{∇u}"][1].any()
    np.testing.assert_array_equal(lab1.only_layer(model, p, 0), p)


def test_products_are_counted_without_sums_over_images():
    A, b = np.ones((3, 4)), np.ones(4)
    assert lab1.multiplications(lambda: np.matmul(A, np.ones((4, 5)))) == 3 * 4 * 5
    assert lab1.multiplications(lambda: np.matmul(b, np.ones((4, 5)))) == 0  # as for the bias
    model, X = Autoencoder([6, 3, 6]), np.ones((2, 6))
    assert lab1.multiplications(lambda: model.loss(X)) == 2 * (6 * 3 + 3 * 6)


def test_directions_have_the_lengths_that_are_said(case):
    model, X, _ = case
    found = lab1.directions(model, X)
    assert {name: pytest.approx(np.linalg.norm(p)) for name, p in found.items()} == dict(
        later=1, downhill=1 / 8, random=1
    )
    assert found["downhill"] @ model.loss_and_grad(X)[1] < 0
