"""Lab 4: its tables are those of the stored runs, and its shares of variance are those of an analysis of variance."""

import numpy as np
import pandas as pd
import pytest

from aelib.labs import lab4
from aelib.study.figures import select
from aelib.study.results import whole_seeds


def test_the_small_grid_is_read_at_the_moment_asked_for():
    found = lab4.losses([0.01, 0.003], [20, 500], (0, 2), ("epoch", 3))
    assert found.shape == (2, 2, 2)
    for i, step in enumerate((0.01, 0.003)):
        for j, batch in enumerate((20, 500)):
            for k, seed in enumerate((0, 2)):
                (run,) = select(whole_seeds("grid-small"), step=step, batch=batch, seed=seed)
                assert found[i, j, k] == run.test_loss[run.images == 3 * 5000][0]


@pytest.mark.parametrize(("axis", "amount"), lab4.BUDGETS)
def test_the_wide_grid_at_a_budget_is_the_mean_over_the_seeds(axis, amount):
    found = lab4.at_moment(axis, amount)
    for batch in found.index:
        for step in found.columns:
            runs = select(lab4.wide(), batch=batch, step=step)
            places = [r.update if axis == "update" else r.images / r.settings.images for r in runs]
            losses = [r.test_loss[place == amount][0] for r, place in zip(runs, places, strict=True)]
            assert found.loc[batch, step] == pytest.approx(np.mean(losses))
    left_out = {r.settings.batch for r in lab4.wide()} - set(found.index)
    assert all(r.settings.updates < amount for r in lab4.wide() if r.settings.batch in left_out)


def test_shares_of_a_product_add_up_to_one(rng):
    """Logarithms of a product are a sum: nothing is left to the two together."""
    by_batch, by_step = rng.random(4) + 1, rng.random(6) + 1
    shares = lab4.shares(pd.DataFrame(np.outer(by_batch, by_step)))
    assert sum(shares) == pytest.approx(1)
    assert lab4.shares(pd.DataFrame(np.outer(np.ones(4), by_step))) == pytest.approx((1, 0))


def test_differences_are_of_the_same_seeds_and_the_first_row_is_compared_with(rng):
    cells = pd.DataFrame(rng.random((5, 3)), columns=["0.1, 20", "0.1, 50", "0.01, 20"])
    frame = lab4.against(cells, "0.1, 50", "cells").frame.set_index("step, batch")
    assert frame.index[0] == "0.1, 50" and list(frame["difference"][1:]) == sorted(frame["difference"][1:])
    for name in ("0.1, 20", "0.01, 20"):
        assert frame.loc[name, "difference"] == pytest.approx(cells[name].mean() - cells["0.1, 50"].mean())
        assert frame.loc[name, "from"] < frame.loc[name, "difference"] < frame.loc[name, "to"]
    assert frame["mean"].to_dict() == pytest.approx(cells.mean().to_dict())


def test_what_is_chosen_held_out_is_never_better_on_the_test_images_than_the_best_there():
    frame = lab4.chosen().frame
    assert (frame["on the test images"] >= frame["least on the test images"]).all()
    for row in frame.to_dict("records"):
        runs = select(whole_seeds("grid-small-held-out"), seed=row["seed"])
        ends = {(r.settings.step, r.settings.batch): r.test_loss[r.images == 15_000][0] for r in runs}
        step, batch = min(ends, key=ends.get)
        assert row["held out"] == ends[step, batch] and row["chosen held out: step, batch"] == f"{step:g}, {batch}"
