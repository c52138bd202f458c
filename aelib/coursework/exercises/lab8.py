"""Exercises of lab 8, the report on trial."""

from itertools import pairwise

import numpy as np

from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close, number

LAB = "08_the_report_on_trial"


@exercise("luck", lab=LAB, points=2)
def luck(answer, rng):
    """Pairs are counted one by one; ties count one half; the shares of (a, b) and (b, a) add up to 1."""
    for case in range(8):
        a, b = (rng.integers(0, 6, int(rng.integers(1, 7))).astype(float) for _ in range(2))
        if case < 2:
            a, b = a + rng.random(a.size), b + rng.random(b.size)  # no ties
        share = number(answer(a, b), "luck(a, b)")
        pairs = sum(1.0 if x < y else 0.5 if x == y else 0.0 for x in a for y in b)
        if abs(share * a.size * b.size - pairs) > 1e-9:
            ties = sum(x == y for x in a for y in b)
            raise Wrong(
                f"a = {a.round(2).tolist()}, b = {b.round(2).tolist()}, {ties} of {a.size * b.size} pairs equal: the "
                f"share is {share:.4g}, counted pair by pair it is another"
            )


@exercise("wobble", lab=LAB, points=1)
def wobble(answer, rng):
    """The largest rise between neighbouring epochs, 0 where there is none."""
    for epochs in (1, 2, 9):
        losses = rng.random((4, epochs)).cumsum(axis=1)
        losses[0] = losses[0, ::-1]  # falls all the way
        losses[1] = np.where(np.arange(epochs) % 2, 1.0, 3.0)
        found = array(answer(losses.copy()), (4,), f"wobble of 4 runs of {epochs} epochs")
        for run, value in zip(losses, found, strict=True):
            most = max([0.0, *(later - before for before, later in pairwise(run))])
            close(value, most, f"wobble of {run.round(2).tolist()}")


@exercise("interval", lab=LAB, points=2)
def interval(answer, rng):
    """Its middle is the mean; its width follows from the spread, and shrinks with the root of the number."""
    for n in (2, 3, 10):
        values = rng.normal(20, 2, n)
        ends = array(answer(values.tolist()), (2,), f"the interval of {n} losses")
        close(ends.sum() / 2, values.sum() / n, f"the middle of the interval of {n} losses")
        spread = sum((x - y) ** 2 for x in values for y in values) / (2 * n * (n - 1))  # s^2, from all pairs
        if not ends[0] < ends[1]:
            raise Wrong(f"the interval of {values.round(2).tolist()} does not begin with its lower end")
        if abs((ends[1] - ends[0]) ** 2 * n / 16 / spread - 1) > 1e-9:
            width = ends[1] - ends[0]
            raise Wrong(f"the interval of {values.round(2).tolist()} is {width:.4g} wide: not four standard errors")
