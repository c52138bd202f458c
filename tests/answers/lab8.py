"""Lab 8, the report on trial."""

import numpy as np


def pair_by_pair(a, b):
    return sum((x < y) + (x == y) / 2 for x in a for y in b) / (len(a) * len(b))


def rises(losses, of=np.max):
    return np.maximum([of(np.diff(run)) if len(run) > 1 else 0.0 for run in losses], 0)


def around(values, ddof=1, width=2.0, root=True, of=np.mean):
    values = np.asarray(values, float)
    error = values.std(ddof=ddof) / (np.sqrt(len(values)) if root else 1)
    return of(values) - width * error, of(values) + width * error


RIGHT = {
    "luck": {"pair by pair": pair_by_pair},
    "wobble": {"run by run": rises},
    "interval": {"statistics": lambda values: np.array(around(values))},
}
WRONG = {
    "luck": {
        "ties ignored": lambda a, b: float(np.mean(np.less.outer(a, b))),
        "ties won": lambda a, b: float(np.mean(np.less_equal.outer(a, b))),
        "the larger loss wins": lambda a, b: 1 - pair_by_pair(a, b),
        "seed against seed": lambda a, b: float(np.mean(np.less(a[: min(len(a), len(b))], b[: min(len(a), len(b))]))),
        "means compared": lambda a, b: float(np.mean(a) < np.mean(b)),
        "percent": lambda a, b: 100 * pair_by_pair(a, b),
        "a count": lambda a, b: pair_by_pair(a, b) * len(a) * len(b),
        "one half": lambda a, b: 0.5,
    },
    "wobble": {
        "peak to peak": lambda losses: np.ptp(losses, axis=1),
        "the largest change": lambda losses: np.abs(np.diff(losses, axis=1)).max(axis=1, initial=0),
        "the largest fall": lambda losses: rises(-losses),
        "negative allowed": lambda losses: np.array([np.diff(run).max() if len(run) > 1 else 0.0 for run in losses]),
        "over all runs": lambda losses: np.full(len(losses), rises(losses).max()),
        "along the runs": lambda losses: rises(losses.T),
        "the mean rise": lambda losses: rises(losses, np.mean),
        "above the first epoch": lambda losses: np.maximum(losses.max(axis=1) - losses[:, 0], 0),
    },
    "interval": {
        "population spread": lambda values: around(values, ddof=0),
        "one error": lambda values: around(values, width=1),
        "spread instead of error": lambda values: around(values, root=False),
        "1.96": lambda values: around(values, width=1.96),
        "round the median": lambda values: around(values, of=np.median),
        "round zero": lambda values: around(values, of=lambda values: 0.0),
        "high before low": lambda values: around(values)[::-1],
        "arrays only": lambda values: (around(values)[0], 2 * values.mean() - around(values)[0]),
    },
}
