"""Exercises of lab 4, hyperparameter grids."""

import math

import numpy as np

from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close

LAB = "04_hyperparameter_grids"


@exercise("cost", lab=LAB, points=1)
def cost(answer, rng):
    """The first moment with a loss of at most the level, ties among them; never; losses that rise again."""
    for _ in range(6):
        n = int(rng.integers(4, 12))
        curve = np.array([np.arange(1, n + 1) * 10, np.arange(1, n + 1) / 4, rng.integers(15, 30, n)], float)
        for level in (*curve[2], curve[2].min() - 1, curve[2].max() + 0.5):
            found = answer(curve.copy(), float(level))
            first = next((k for k in range(n) if curve[2, k] <= level), None)
            expected = (math.inf, math.inf) if first is None else (curve[0, first], curve[1, first])
            if found is None or len(found) != 2 or tuple(map(float, found)) != expected:
                raise Wrong(f"losses {curve[2].tolist()}, level {level:g}: {found} is not the cost")


@exercise("edges", lab=LAB, points=2)
def edges(answer, rng):
    """Best cells in every corner, on every side and inside; dead cells; grids of one row or column."""
    shapes = [(3, 4), (5, 3), (1, 4), (4, 1), (1, 1), tuple(rng.integers(2, 6, 2).tolist())]
    cells = [(shape, i, j) for shape in shapes for i in range(shape[0]) for j in range(shape[1])]
    for k in rng.permutation(len(cells)):
        (rows, columns), i, j = cells[k]
        losses = rng.uniform(20, 30, (rows, columns))
        losses[rng.random(losses.shape) < 0.2] = np.nan
        losses[i, j] = 15.0
        found = answer(losses.copy())
        expected = ["top"] * (i == 0) + ["bottom"] * (i == rows - 1)
        expected += ["left"] * (j == 0) + ["right"] * (j == columns - 1)
        if found is None or list(found) != expected:
            place = f"the best of {rows} x {columns} cells in row {i}, column {j}"
            raise Wrong(f"{place}: {found} are not its sides")


@exercise("luckiest", lab=LAB, points=2)
def luckiest(answer, rng):
    """Chosen on seed 0 alone, judged on the others alone."""
    for cells, seeds in ((30, 50), (4, 2), (2, 3)):
        losses = rng.normal(19, 1, (cells, seeds))
        losses[rng.integers(cells), 1] = 5.0  # lucky elsewhere
        found = answer(losses.copy())
        if found is None or len(found) != 3:
            raise Wrong("an index and two losses were expected")
        cell, promised, kept = (float(array(value, (), "what is returned")) for value in found)
        others = [c for c in range(cells) if losses[c, 0] < losses[int(cell), 0]] if 0 <= cell < cells else [-1]
        if cell != int(cell) or others:
            raise Wrong(f"of {cells} cells, index {cell:g} is not the one with the least loss on seed 0")
        close(promised, losses[int(cell), 0], "its loss on seed 0")
        rest = [losses[int(cell), k] for k in range(1, seeds)]
        close(kept, sum(rest) / len(rest), f"its mean over the other {seeds - 1} seeds")
