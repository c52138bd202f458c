"""Exercises of lab 8, the report on trial."""

from itertools import pairwise

import numpy as np

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import array, ask, close, number
from aelib.coursework.findings import Wrong

LAB = "08_the_report_on_trial"


@exercise(
    "luck",
    lab=LAB,
    points=2,
    hints=(
        "all pairs count, each run of a with each run of b, not seed with seed. What is counted is that a has the "
        "*smaller* loss; an equal pair is half.",
        "the share is a number between 0 and 1: the count over len(a) * len(b). a ufunc with outer compares all pairs.",
        "a smaller case: a = (1, 2), b = (2, 3, 0): 1 < 2, 1 < 3, 2 = 2 (half), 2 < 3: 3.5 of 6 pairs, 0.5833.",
    ),
)
def luck(answer, rng):
    """Pairs are counted one by one; ties count one half; the shares of (a, b) and (b, a) add up to 1."""
    for case in range(10):
        m, n = ((3, 3), (1, 4), (5, 2), (2, 6), (4, 4))[case % 5]
        a, b = (rng.integers(0, 6, size).astype(float) for size in (m, n))
        if case < 2:
            a, b = a + rng.random(m), b + rng.random(n)  # no ties
        elif case < 5:
            b[0] = a[0]
        share = number(ask(answer, a, b), "luck(a, b)")
        less, equal = sum(x < y for x in a for y in b), sum(x == y for x in a for y in b)
        expected, ties = (less + equal / 2) / (m * n), int(equal)
        if abs(share - expected) <= 1e-9:
            continue
        first = min(m, n)
        causes = (
            ("equal pairs are left out", less / (m * n)),
            ("equal pairs count as a whole", (less + equal) / (m * n)),
            ("the larger loss wins", 1 - expected),
            ("seed is compared with seed: all pairs count", np.mean(a[:first] < b[:first])),
            ("it is a count, not a share", expected * m * n),
            ("in percent", 100 * expected),
        )
        cause = next((cause for cause, value in causes if abs(share - value) <= 1e-9), "")
        raise Wrong(
            f"a = {a.round(2).tolist()}, b = {b.round(2).tolist()}, {ties} of {m * n} pairs equal: the share is "
            f"{share:.4g}, counted pair by pair it is {expected:.4g}{f'; {cause}' if cause else ''}"
        )


@exercise(
    "wobble",
    lab=LAB,
    points=1,
    hints=(
        "rows are runs, columns epochs. A rise is a later loss minus the one just before it; falls do not count, and "
        "a run that never rises has 0.",
        "np.diff along the epochs has all changes from one epoch to the next; with one epoch it has none, and a "
        "largest of none needs initial=0.",
        "a smaller case: losses [[20, 18, 19, 17], [20, 19, 18, 17]]: changes -2, 1, -2 and -1, -1, -1; the answer is "
        "(1, 0).",
    ),
)
def wobble(answer, rng):
    """The largest rise between neighbouring epochs, 0 where there is none."""
    for epochs in (1, 2, 9):
        losses = rng.random((4, epochs)).cumsum(axis=1)
        losses[0] = losses[0, ::-1]  # falls all the way
        losses[1] = np.where(np.arange(epochs) % 2, 1.0, 3.0)
        found = array(ask(answer, losses), (4,), f"wobble of 4 runs of {epochs} epochs")
        for run, value in zip(losses, found, strict=True):
            changes = [later - before for before, later in pairwise(run)]
            slips = (
                ("the largest change, up or down: falls do not count", max(map(abs, changes), default=0.0)),
                ("the largest fall", max([0.0, *(-change for change in changes)])),
                ("from the least loss to the largest, not from one epoch to the next", np.ptp(run)),
                ("a run that never rises has 0", max(changes, default=0.0)),
                ("the mean of the changes where the largest is meant", max(0.0, float(np.mean(changes or [0.0])))),
                ("above the first epoch, not above the epoch before", max(0.0, max(run) - run[0])),
            )
            close(value, max([0.0, *changes]), f"wobble of {run.round(2).tolist()}", 1e-10, slips)


@exercise(
    "interval",
    lab=LAB,
    points=2,
    hints=(
        "three numbers are needed: the mean, the spread s of the values, and the standard error of the mean, which is "
        "smaller than s. values may be a list or an array.",
        "s and the error stand in the task, with n - 1 below the sum: ddof=1 in NumPy's std.",
        "a smaller case: values 1, 3: the mean is 2, s^2 = (1 + 1) / 1 = 2, the error 1.414 / 1.414 = 1, the interval "
        "(0, 4).",
    ),
)
def interval(answer, rng):
    """Its middle is the mean; its width follows from the spread, and shrinks with the root of the number."""
    for n in (2, 3, 10):
        values = rng.normal(20, 2, n)
        given = values.tolist() if n == 3 else values  # the task allows both
        ends = array(ask(answer, given), (2,), f"the interval of {n} losses{', a list' if n == 3 else ''}")
        at = f"the interval of {values.round(2).tolist()}"
        slips = (("it lies round the median", np.median(values)),) if n > 2 else ()
        close(ends.sum() / 2, values.sum() / n, f"the middle of {at}", 1e-10, slips)
        s2 = sum((x - y) ** 2 for x in values for y in values) / (2 * n * (n - 1))  # from all pairs
        if not ends[0] < ends[1]:
            raise Wrong(f"{at} does not begin with its lower end")
        error = np.sqrt(s2 / n)
        slips = (
            ("s has n below its sum, not n - 1", 4 * error * np.sqrt((n - 1) / n)),
            ("one standard error to each side: twice of it is asked for", 2 * error),
            ("the spread s where its error s / sqrt(n) is meant", 4 * np.sqrt(s2)),
            ("1.96 standard errors to each side: 2 are asked for", 3.92 * error),
            ("s / n where s / sqrt(n) is meant", 4 * np.sqrt(s2) / n),
        )
        close(ends[1] - ends[0], 4 * error, f"the width of {at}", 1e-9, slips)


question(
    "8.4",
    (
        "choose a claim of which a number can say that it is false, and say which number before you know it. If every "
        "outcome would please you, it is no test.",
        "the rules of the trial stand at the beginning of the lab; Settings(...).trace(...) makes a run, and a change "
        "of one setting makes the run beside it.",
        'a smaller case: "batch 10 is better than batch 100". Number: test half-SSE after 600 updates, seeds in pairs. '
        "I give in if the mean difference is below twice its standard error. Runs: 3.1, 2.9, 3.3 against 3.0, 3.2, "
        "3.1: differences 0.1, -0.3, 0.2, mean 0, error 0.15: not shown.",
    ),
)
