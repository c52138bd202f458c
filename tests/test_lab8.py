"""Lab 8: its rule, its sorting of the claims, and pictures that cut nothing off."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib.labs import lab8
from aelib.trial.claims import CLAIMS


@pytest.mark.parametrize("net", lab8.NETS)
@pytest.mark.parametrize("limit", [0.05, 0.5, 3.0])
def test_the_word_is_that_of_the_seeds_above_the_limit(net, limit):
    found = lab8.compute_rule(net, limit)
    for method in lab8.METHODS:
        rises = np.diff(found["curves"][method][:, 2:], axis=1).max(axis=1)
        np.testing.assert_allclose(found["rises"][method], rises)
        share = np.mean(rises > limit)
        word = "holds" if share >= 0.9 else "holds in part" if share > 0.1 else "does not hold"
        assert found["words"][method] == word


def test_each_claim_is_sorted_once_and_has_one_kind_of_gap():
    assert sorted(number for numbers in lab8.KINDS.values() for number in numbers) == sorted(CLAIMS)
    assert sorted(number for _, numbers, _, _ in lab8.WAYS for number in numbers) == sorted(CLAIMS)
    assert set(lab8._SHORT) == set(CLAIMS)


def test_every_dot_stands_inside_its_panel():
    rng = np.random.default_rng(0)
    panels = {"near": {"a": rng.normal(13.5, 0.1, 10)}, "far": {"a": rng.normal(16, 1, 3), "b": np.array([90.0, 12.0])}}
    figure = Figure()
    lab8.draw_dots(figure, panels)
    for ax, values in zip(figure.axes, panels.values(), strict=True):
        low, high = ax.get_ylim()
        assert all(low < loss < high for column in values.values() for loss in column)
        assert sum(len(line.get_ydata()) for line in ax.lines) == sum(len(c) + 1 for c in values.values())


def test_the_gaps_name_only_what_was_not_shown():
    text = " ".join(lab8.gaps().frame["claims, and are they so?"])
    unshown = {number for number, verdict in lab8.verdicts().items() if verdict.shown == "no"}
    assert {int(word.split(" ")[0]) for word in text.replace("), ", ")|").replace(") ", ")|").split("|")} == unshown
