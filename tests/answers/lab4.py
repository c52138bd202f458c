"""Lab 4, hyperparameter grids."""

import math

import numpy as np


def loop(curve, level):
    for update, epoch, loss in curve.T:
        if loss <= level:
            return update, epoch
    return math.inf, math.inf


def first(curve, level, below=np.less_equal, pick=lambda k: k[0], never=(math.inf, math.inf)):
    reached = np.flatnonzero(below(curve[2], level))
    return tuple(curve[:2, pick(reached)]) if reached.size else never


def sides(losses, best=np.nanargmin, order=("top", "bottom", "left", "right"), exclusive=False, turned=False):
    i, j = np.unravel_index(best(losses), losses.shape)
    if turned:
        i, j = j, i
    rows, columns = losses.shape
    there = dict(top=i == 0, bottom=i == rows - 1, left=j == 0, right=j == columns - 1)
    if exclusive:
        there["bottom"] &= not there["top"]
    return [side for side in order if there[side]]


def lucky(losses, choose=lambda a: a[:, 0].argmin(), seed=0, rest=lambda row: row[1:].mean()):
    cell = int(choose(losses))
    return cell, losses[cell, seed], rest(losses[cell])


RIGHT = {
    "cost": {"a loop": loop},
    "edges": {"a dict": sides},
    "luckiest": {"min": lambda losses: lucky(losses, lambda a: min(range(len(a)), key=lambda k: a[k, 0]))},
}
WRONG = {
    "cost": {
        "below the level": lambda c, level: first(c, level, np.less),
        "the last moment": lambda c, level: first(c, level, pick=lambda k: k[-1]),
        "never is None": lambda c, level: first(c, level, never=None),
        "never is the end": lambda c, level: first(c, level, never=tuple(c[:2, -1])),
        "the least loss": lambda c, level: tuple(c[:2, c[2].argmin()]),
        "epochs before updates": lambda c, level: loop(c, level)[::-1],
        "updates only": lambda c, level: loop(c, level)[0],
        "searched as if sorted": lambda c, level: tuple(c[:2, min(np.searchsorted(-c[2], -level), len(c[0]) - 1)]),
    },
    "edges": {
        "nan is best": lambda a: sides(a, np.argmin),
        "the worst cell": lambda a: sides(a, np.nanargmax),
        "rows for columns": lambda a: sides(a.T),
        "another order": lambda a: sides(a, order=("left", "right", "top", "bottom")),
        "one side only": lambda a: sides(a)[:1],
        "top or bottom": lambda a: sides(a, exclusive=True),
        "always inside": lambda a: [],
        "yes or no": lambda a: bool(sides(a)),
    },
    "luckiest": {
        "chosen by the mean": lambda a: lucky(a, lambda a: a.mean(axis=1).argmin()),
        "chosen by the others": lambda a: lucky(a, lambda a: a[:, 1:].mean(axis=1).argmin()),
        "the unluckiest": lambda a: lucky(a, lambda a: a[:, 0].argmax()),
        "over all seeds": lambda a: lucky(a, rest=np.mean),
        "the best of the others": lambda a: lucky(a, rest=lambda row: row[1:].min()),
        "the last seed": lambda a: lucky(a, seed=-1),
        "the mean first": lambda a: (lucky(a)[0], lucky(a)[2], lucky(a)[1]),
        "of all cells and seeds": lambda a: lucky(a, lambda a: np.unravel_index(a.argmin(), a.shape)[0]),
    },
}
