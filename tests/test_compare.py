"""The comparison on which all verdicts rest: pairs of seeds, intervals that cover, Holm's method, one quantifier."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aelib.trial.compare import alike, holm, paired, quantified, together


def test_a_pair_is_students_test_of_the_differences(rng):
    a, b = rng.standard_normal((2, 10)) + np.array([[0.0], [0.7]])
    row, theirs = paired(dict(a=a, b=b)).iloc[0], stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    np.testing.assert_allclose([row.p, row.low, row.high], [theirs.pvalue, interval.low, interval.high])
    assert row.difference == pytest.approx((a - b).mean()) and row.seeds == 10 == len(a)
    assert row["first lower in"] == (a < b).sum()


def test_what_two_columns_share_does_not_hide_their_difference(rng):
    luck = 5 * rng.standard_normal(10)
    losses = dict(SGD=15 + luck, Adam=15.5 + luck + 0.1 * rng.standard_normal(10))
    assert paired(losses)["lower"].item() == "SGD"
    assert stats.ttest_ind(losses["SGD"], losses["Adam"]).pvalue > 0.5  # as if the seeds had nothing in common


def test_intervals_cover_and_holm_keeps_the_error_of_a_whole_table(rng):
    """300 tables of 12 comparisons of equals: about 5 % show any difference, uncorrected nearly half do."""
    shown, first, covered = 0, 0, []
    for _ in range(300):
        table = paired(pd.DataFrame(rng.standard_normal((5, 24))), [(k, k + 12) for k in range(12)])
        shown += (table["lower"] != "not told apart").any()
        first += (table["p"] < 0.05).any()
        covered += list((table["low"] < 0) & (table["high"] > 0))
    assert shown / 300 < 0.09 and first / 300 > 0.3 and 0.93 < np.mean(covered) < 0.97


@pytest.mark.parametrize("p", [[0.01], [0.03, 0.03, 0.03], [0.001, 0.04, 0.9, 0.02]])
def test_holm_is_bonferroni_stepped_down(p):
    order, corrected = np.argsort(p), holm(p)
    raw = np.array(p)[order] * np.arange(len(p), 0, -1)
    np.testing.assert_allclose(corrected[order], np.minimum(1, np.maximum.accumulate(raw)))


def test_what_cannot_be_tested_is_not_told_apart():
    one = paired(dict(a=[1.0], b=[2.0])).iloc[0]
    assert np.isnan([one.low, one.high, one.p]).all() and one["lower"] == "not told apart" and one.so == "open"
    died = paired(dict(a=[1.0, 2.0, 3.0], b=[np.inf, 3.0, 4.0])).iloc[0]
    assert np.isnan(died.p) and died.so == "open"
    same = paired(dict(a=[1.0, 2.0], b=[1.0, 2.0])).iloc[0]
    assert same.p == 1 and same.so == "open"
    for losses in (dict(a=[1.0, 2.0]), dict(a=[], b=[])):
        with pytest.raises(ValueError, match="expected two columns or more"):
            paired(losses)


@pytest.mark.parametrize(("n", "most", "least"), [(3, 3, 1), (5, 5, 1), (7, 7, 1), (10, 9, 2), (20, 18, 3)])
def test_the_quantifier_scales_with_the_seeds(n, most, least):
    words = [quantified([True] * k + [False] * (n - k)) for k in range(n + 1)]
    assert words.index("holds") == most and words.index("holds in part") == least
    with pytest.raises(ValueError, match="got no seed"):
        quantified([])


def test_parts_make_a_whole():
    assert together(["open", "holds"]) == together(["does not hold", "holds in part"]) == "holds in part"
    assert together(["open"] * 3) == "open" and together(["open", "does not hold"]) == "open"


def test_alike_needs_an_interval_within(rng):
    base = rng.standard_normal(10)
    losses = pd.DataFrame(dict(a=base, near=base + 0.1 * rng.standard_normal(10), far=base + 2, wild=-3 * base))
    table = paired(losses, [("a", "near"), ("a", "far"), ("a", "wild")])
    assert alike(table, 0.5).tolist() == ["holds", "does not hold", "open"]
