"""Lab 3: walks in the valley obey their closed form, and the tables say what the stored runs say."""

import numpy as np
import pytest

from aelib.labs import lab3
from aelib.optimizers import SGD, Adam, RMSprop
from aelib.study.figures import select


def powers(step, momentum, curvature, start, updates):
    """The distances along one axis, by powers of the matrix that takes (velocity, distance) one update on."""
    A = np.array([[momentum, curvature], [-step * momentum, 1 - step * curvature]])
    return np.array([(np.linalg.matrix_power(A, k) @ [0, start])[1] for k in range(updates + 1)])


@pytest.mark.parametrize(("step", "momentum"), [(1.9, 0.0), (1.0, 0.8), (0.3, 0.5), (2.5, 0.3)])
@pytest.mark.parametrize("condition", [1, 7, 100])
def test_a_walk_with_momentum_is_that_of_the_matrix_on_either_axis(step, momentum, condition):
    found = lab3.walk(SGD(step, momentum), condition, updates=50)
    for k, curvature in enumerate((1 / condition, 1.0)):
        expected = powers(step, momentum, curvature, lab3.START[k], 50)
        np.testing.assert_allclose(found["places"][:, k], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found["loss"], (found["places"] ** 2 @ [1 / condition, 1]) / 2)


@pytest.mark.parametrize("turn", [10, 45, 90])
def test_turning_the_valley_changes_nothing_for_sgd_and_much_for_the_others(turn):
    for make, alike in (
        (lambda: SGD(1.0, 0.5), True),
        (lambda: RMSprop(0.1), turn == 90),
        (lambda: Adam(0.1), turn == 90),
    ):
        straight, turned = (lab3.walk(make(), 20, degrees, updates=60)["places"] for degrees in (0, turn))
        gap = np.abs(turned - straight).max()
        assert gap < 1e-6 if alike else gap > 0.01


def test_a_walk_that_flies_apart_ends_and_never_arrives():
    found = lab3.walk(SGD(2.5), 50)
    assert len(found["places"]) < lab3.UPDATES and lab3.arrival(found) == np.inf


def test_arrival_is_the_first_update_at_which_the_loss_is_so_small():
    found = lab3.walk(SGD(1.0, 0.8), 50)
    first = lab3.arrival(found, 0.01)
    assert found["loss"][first] <= 0.01 * found["loss"][0] < found["loss"][:first].min()


def test_leads_are_mean_differences_of_the_same_seeds():
    frame = lab3.leads("report").frame
    for row in frame.to_dict("records"):
        runs = {m: select(lab3.both_sides(), net=row["net"], init="report", method=m) for m in ("Adam", row["against"])}
        ends = {m: {r.settings.seed: r.test_loss[-1] for r in own} for m, own in runs.items()}
        gaps = [ends[row["against"]][seed] - ends["Adam"][seed] for seed in ends["Adam"]]
        assert row["lead of Adam"] == pytest.approx(np.mean(gaps)) and row["seeds"] == len(gaps)
        assert row["from"] <= row["lead of Adam"] <= row["to"]


def test_the_table_at_epochs_has_the_medians():
    for row in lab3.at_epochs("report").frame.to_dict("records"):
        runs = select(lab3.both_sides(), net=row["net"], init="report", method=row["method"])
        ends = [r.test_loss[r.images == 5 * r.settings.images][0] for r in runs]
        assert row["epoch 5"] == pytest.approx(np.median(ends))
