"""Exercises of lab 4, hyperparameter grids."""

import math

import numpy as np

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import ask, close, number, several
from aelib.coursework.findings import Wrong

LAB = "04_hyperparameter_grids"


@exercise(
    "cost",
    lab=LAB,
    points=1,
    hints=(
        "rows of curve are updates, epochs, losses; columns are moments. The first moment is asked for, not the best "
        "one; and a loss equal to the level has reached it.",
        "the task names the pair and its order, and what stands there if the level is never reached. np.flatnonzero "
        "gives the places where something is true.",
        "a smaller case: updates 10, 20, 30, epochs 1, 2, 3, losses 20, 15, 18. Level 18: (20, 2). Level 15: (20, 2). "
        "Level 14: (inf, inf).",
    ),
)
def cost(answer, rng):
    """The first moment with a loss of at most the level, ties among them; never; losses that rise again."""
    for _ in range(6):
        n = int(rng.integers(4, 12))
        curve = np.array([np.arange(1, n + 1) * 10, np.arange(1, n + 1) / 4, rng.integers(15, 30, n)], float)
        for level in (*curve[2], curve[2].min() - 1, curve[2].max() + 0.5):
            at = f"losses {curve[2].tolist()}, level {level:g}"
            found = several(ask(answer, curve, float(level)), 2, f"{at}: cost")
            try:
                found = tuple(map(float, found))
            except (TypeError, ValueError):
                raise Wrong(f"{at}: two numbers were expected, updates and epochs") from None
            reached = [k for k in range(n) if curve[2, k] <= level]
            expected = (curve[0, reached[0]], curve[1, reached[0]]) if reached else (math.inf, math.inf)
            if found != expected:
                raise Wrong(f"{at}: {_pair(found)} was returned, {_why(curve, level, reached, found)}")


def _pair(pair):
    return "(" + ", ".join(f"{value:g}" for value in pair) + ")"


def _why(curve, level, reached, found):
    if not reached:
        return "but the level is never reached"
    if found == tuple(curve[1::-1, reached[0]]):
        return "epochs before updates"
    places = [k for k in range(curve.shape[1]) if tuple(curve[:2, k]) == found]
    if not places:
        return f"but the level is reached at moment {reached[0] + 1} for the first time"
    if places[0] > reached[0]:
        return f"moment {places[0] + 1}, but moment {reached[0] + 1} has a loss of at most the level"
    return f"moment {places[0] + 1}, where the loss is {curve[2, places[0]]:g}"


@exercise(
    "edges",
    lab=LAB,
    points=2,
    hints=(
        "find row and column of the best cell first; a run that died is nan, and nan must never be the best.",
        "the order of the names stands in the task. np.nanargmin gives a place in the flattened array, "
        "np.unravel_index makes row and column of it.",
        "a smaller case: losses [[20, 15], [nan, 17]]: the best cell stands in row 0, column 1 of 2 x 2: "
        '["top", "right"]. '
        'For [[20, 15, 17]] it is ["top", "bottom"].',
    ),
)
def edges(answer, rng):
    """Best cells in every corner, on every side and inside; dead cells; grids of one row or column."""
    shapes = [(3, 4), (5, 3), (1, 4), (4, 1), (1, 1), tuple(rng.integers(2, 6, 2).tolist())]
    cells = [(shape, i, j) for shape in shapes for i in range(shape[0]) for j in range(shape[1])]
    for k in rng.permutation(len(cells)):
        (rows, columns), i, j = cells[k]
        losses = rng.uniform(20, 30, (rows, columns))
        losses[rng.random(losses.shape) < 0.2] = np.nan
        losses[i, j] = 15.0
        place = f"the best of {rows} x {columns} cells in row {i}, column {j}"
        found = ask(answer, losses)
        expected = ["top"] * (i == 0) + ["bottom"] * (i == rows - 1)
        expected += ["left"] * (j == 0) + ["right"] * (j == columns - 1)
        if found is None or isinstance(found, (str, bool)) or not hasattr(found, "__iter__"):
            raise Wrong(f"{place}: a list of sides was expected, not {type(found).__name__}")
        found = [str(side) for side in found]
        if found != expected:
            more = "; these are its sides in another order" if sorted(found) == sorted(expected) else ""
            more = more or ("; some cells are nan" if np.isnan(losses).any() else "")
            raise Wrong(f"{place}: {found} are not its sides{more}")


@exercise(
    "luckiest",
    lab=LAB,
    points=2,
    hints=(
        "rows are cells, columns seeds. The cell is chosen on seed 0 alone; what is reported beside it comes from the "
        "seeds that did not choose.",
        "three numbers, in the order of the task: the index, the loss on seed 0, the mean over all seeds but seed 0.",
        "a smaller case: losses [[18, 20, 22], [19, 10, 10]]: cell 0 is best on seed 0, with 18; its mean over the "
        "others is 21. Cell 1 is better, and is not chosen.",
    ),
)
def luckiest(answer, rng):
    """Chosen on seed 0 alone, judged on the others alone."""
    for cells, seeds in ((30, 50), (4, 2), (2, 3), (6, 4)):
        losses = rng.normal(19, 1, (cells, seeds))
        chosen, better = rng.permutation(cells)[:2]
        losses[chosen, 0] = losses[:, 0].min() - 0.1
        losses[chosen, 1:] += 2.0  # worse than the others elsewhere
        losses[better, 1] = 5.0  # lucky elsewhere, and best of all by the mean
        losses[better, 1:] -= 3.0
        cell, promised, kept = (number(v, "what is returned") for v in several(ask(answer, losses), 3, "luckiest"))
        if cell != chosen:
            more = "; it has the least mean" if cell == better else ""
            raise Wrong(f"of {cells} cells, index {cell:g} is not the one with the least loss on seed 0{more}")
        row = losses[chosen]
        slips = (
            ("the mean over all seeds: seed 0 has chosen, and does not count", row.mean()),
            ("the best of them", row[1:].min()),
        )
        close(
            promised,
            row[0],
            "its loss on seed 0",
            1e-10,
            (("the last seed", row[-1]), ("the mean comes third", row[1:].mean())),
        )
        close(kept, sum(row[1:]) / (seeds - 1), f"its mean over the other {seeds - 1} seeds", 1e-10, slips)


question(
    "4.4",
    (
        "what costs time on that cluster, an image or an update? The budget is what costs.",
        "the section on the whole plane has the wide grid on equal epochs and on equal updates; look where the best "
        "cell lies, and what stands beside it.",
        "a smaller case: two cells with 2,000 images: batch 100 makes 20 updates, batch 1,000 makes 2. At equal "
        "epochs the first gets ten times the updates; at 20 updates each the second sees 20,000 images.",
    ),
)
