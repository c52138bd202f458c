"""The averages of theta that a run keeps, against the sums that define them."""

import numpy as np
import pytest

from aelib import SGD
from aelib.study import runs
from aelib.study.averaging import HORIZONS, Averaged
from aelib.study.experiments import repaired
from aelib.study.kinds import Run


def test_means_are_plain_at_first_and_then_forget(rng):
    theta, updates = np.zeros(7), 2000
    optimizer, seen = Averaged(SGD(0.1), theta, updates), []
    assert np.array_equal(optimizer.means, np.zeros((len(HORIZONS), 7)))
    for update in range(1, 301):
        optimizer.step(theta, rng.standard_normal(7))
        if update % 10 == 0:
            seen.append(theta.copy())
            if update <= 0.08 * updates:  # the longest is still a plain mean
                np.testing.assert_allclose(optimizer.means[-1], np.mean(seen, axis=0), atol=1e-13)
    for mean, horizon in zip(optimizer.means, HORIZONS, strict=True):
        keep = 1 - 10 / (horizon * updates)
        expected = np.mean(seen[: round(1 / (1 - keep))], axis=0)
        for one in seen[round(1 / (1 - keep)) :]:
            expected = keep * expected + (1 - keep) * one
        np.testing.assert_allclose(mean, expected, atol=1e-12)


def test_steps_are_those_of_the_optimizer_and_the_averages_are_judged_like_theta():
    plain = repaired("784-2", "Adam", 0.01, schedule="constant", images=600, epochs=20)
    alone, kept = (runs.execute(Run(plain, keep=keep)) for keep in ((), ("averages",)))
    np.testing.assert_array_equal(kept.test_loss, alone.test_loss)
    assert kept.averages.shape == (len(kept.update), len(HORIZONS))
    early = kept.update < 10
    assert kept.averages[early] == pytest.approx(kept.averages[0, 0])  # theta as it was at first
    tenth = kept.update == 10
    assert kept.averages[tenth] == pytest.approx(kept.test_loss[tenth][0], rel=1e-5)  # one theta was seen
