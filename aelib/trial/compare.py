"""Every comparison of the lab: two kinds of runs, seed by seed; and how many seeds make a property.

A seed is one set of initial weights and one order of images, the same for every method. What two methods share with one
seed cancels in their difference, so differences are taken seed by seed, before anything is averaged. This is the first
trick of such comparisons: common random numbers.
"""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.stats import t as student

LEVEL = 0.05  # of a test; 95 % of intervals hold the true difference


def paired(losses, pairs=None):
    """Compare columns of numbers, seed by seed, and return a table with a row a pair.

    The mean difference has a 95 % interval by Student's t with n - 1 degrees of freedom. Where a table makes several
    comparisons, the p-values are corrected by Holm's method: with twelve tests at 5 % one in two tables would show a
    difference where there is none.

    Args:
        losses: a pandas ``DataFrame``, a row a seed, a column a kind of run; or a dict, name -> numbers, (seeds,).
        pairs: the pairs of columns to be compared; by default all.

    Returns:
        A ``DataFrame``: ``first``, ``second``; ``seeds``; ``first lower in``, the number of seeds; ``difference``, the
        mean of first - second; ``low`` and ``high``, the ends of its 95 % interval; ``p``; ``p (Holm)``; ``lower``, the
        one that is shown to be lower at 5 % after the correction, or "not told apart"; ``so``, the word for "first is
        lower": "holds", "does not hold" where second is, "open" where they are not told apart. With a single seed there
        is no interval. A run that diverged makes ``p`` nan.

    Raises:
        ValueError: the columns are of several lengths, or there are no two of them.

    >>> losses = {"SGD": [15.0, 16.0, 17.0], "Adam": [14.0, 15.2, 15.9]}
    >>> row = paired(losses).iloc[0]
    >>> print(f"{row.difference:.2f}, {row.low:.2f} to {row.high:.2f}, p {row.p:.3f}: {row.lower}")
    0.97, 0.59 to 1.35, p 0.008: Adam
    """
    frame = pd.DataFrame(losses)
    if frame.shape[1] < 2 or not len(frame):
        raise ValueError(f"got {frame.shape[1]} columns of {len(frame)} seeds: expected two columns or more")
    pairs = list(itertools.combinations(frame.columns, 2)) if pairs is None else list(pairs)
    rows = [_row(frame[a].to_numpy(float), frame[b].to_numpy(float)) for a, b in pairs]
    table = pd.DataFrame(rows)
    table.insert(0, "first", [a for a, _ in pairs])
    table.insert(1, "second", [b for _, b in pairs])
    table["p (Holm)"] = holm(table["p"])
    shown = table["p (Holm)"] < LEVEL
    below = table["difference"] < 0
    lower = np.where(below, table["first"].astype(str), table["second"].astype(str))
    so = np.where(below, "holds", "does not hold")
    return table.assign(lower=np.where(shown, lower, "not told apart"), so=np.where(shown, so, "open"))


def _row(a, b):
    """Return the numbers of one comparison, by name; a and b are of the same seeds, (n,)."""
    with np.errstate(invalid="ignore"):
        difference = a - b
    n, mean = len(difference), difference.mean()
    row = {"seeds": n, "first lower in": int((a < b).sum()), "difference": mean, "low": np.nan, "high": np.nan}
    if n < 2 or not np.isfinite(difference).all():
        return row | {"p": np.nan}
    error = difference.std(ddof=1) / math.sqrt(n)
    reach = student.ppf(1 - LEVEL / 2, n - 1) * error
    p = 2 * student.sf(abs(mean) / error, n - 1) if error else float(mean == 0)
    return row | {"low": mean - reach, "high": mean + reach, "p": p}


def holm(p):
    """Return p-values corrected for their number by Holm's method: the least times n, the next times n - 1, ...

    None is smaller than one before it, and none above 1. nan stays, and counts as one of the n.
    Source: Holm, 1979, Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    corrected = np.full(len(p), np.nan)
    known = [k for k in np.argsort(p) if not np.isnan(p[k])]
    least = 0.0
    for place, k in enumerate(known):
        least = max(least, min(1.0, (len(p) - place) * p[k]))
        corrected[k] = least
    return corrected


def quantified(have):
    """Return the word for a property of runs: "holds" with 9 seeds of 10 or 10, "holds in part" with 2 to 8, else not.

    With n seeds: at least 0.9 n for "holds", more than 0.1 n for "holds in part". So with five, or with three, it takes
    all of them and at least one.

    Args:
        have: whether each seed has the property, (n,).

    >>> [quantified([True] * k + [False] * (10 - k)) for k in (10, 9, 8, 2, 1)]
    ['holds', 'holds', 'holds in part', 'holds in part', 'does not hold']
    """
    have = np.asarray(have, bool)
    count, n = int(have.sum()), len(have)
    if not n:
        raise ValueError("got no seed: expected one or more")
    if 10 * count >= 9 * n:
        return "holds"
    return "holds in part" if 10 * count > n else "does not hold"


def together(words):
    """Return the word for a claim of several parts, from theirs.

    It holds if all of them hold, in part if some do, and does not hold if none of them does. Where none is known to
    hold and some are open, it is open.

    >>> together(["holds", "does not hold"]), together(["holds", "open"]), together(["does not hold", "open"])
    ('holds in part', 'holds in part', 'open')
    """
    words = set(words)
    if len(words) == 1:
        return words.pop()
    return "holds in part" if words & {"holds", "holds in part"} else "open"


def all_some_none(right):
    """Return the word for a claim of several parts, each of which is right or not, (parts,)."""
    return together(["holds" if one else "does not hold" for one in right])


def alike(table, reach):
    """Return, for each row of ``paired``, the word for "they differ by less than ``reach``".

    "holds" where the 95 % interval of the difference lies within +-reach, "does not hold" where it lies wholly outside,
    else "open".

    >>> table = paired({"a": [1.0, 1.1, 1.2], "b": [1.1, 1.1, 1.3]})  # differences of 0 and 0.1
    >>> [alike(table, reach).tolist() for reach in (1, 0.1)]
    [['holds'], ['open']]
    """
    within = (table["low"] > -reach) & (table["high"] < reach)
    outside = (table["low"] >= reach) | (table["high"] <= -reach)
    return np.where(within, "holds", np.where(outside, "does not hold", "open"))
