"""A verdict follows from numbers: made-up results on either side of a rule give either word."""

import numpy as np
import pytest

from aelib.common.settings import NETS, Settings
from aelib.study.experiments import CASES, reported
from aelib.study.kinds import Run
from aelib.study.results import Result
from aelib.trial import evidence, verdicts
from aelib.trial.claims import VERDICTS


def run(ends, net="784-2", method="Adam", seed=0, **changes):
    """A result with these test losses at the ends of its epochs."""
    settings = reported(net, method, seed=seed, images=100, epochs=len(ends), **dict(batch=100) | changes)
    update = np.arange(1, len(ends) + 1)
    return Result(Run(settings), "done", {}, dict(update=update, images=100 * update, test_loss=np.array(ends, float)))


def every_case(ends):
    """One run of each net and method with the losses that ends(net, method) gives."""
    return [run(ends(net, method), net, method) for net, method in CASES]


def test_ahead_is_in_standard_errors():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    assert evidence.ahead(a, b) == pytest.approx(3 / np.sqrt(1 / 3 + 1 / 3))


def test_rises_begin_after_the_third_epoch():
    assert evidence.rises([run([9, 20, 5, 4, 4.5, 3])]).tolist() == [0.5]


def test_reached_counts_epochs():
    assert evidence.reached([run([9, 5, 4]), run([9, 8, 7])], 6).tolist() == [2, np.inf]


@pytest.mark.parametrize(
    ("cosines", "error", "word"),
    [
        ((-0.5, -0.7), 3e-16, "not shown by its evidence"),  # a right product scores 0.6 too
        ((0.99, 1.0), 3e-16, "holds"),  # it would score 1
        ((-0.5, -0.7), 0.4, "holds"),
    ],
)
def test_claim_3(cosines, error, word):
    assert verdicts.claim_3(np.array(cosines), error).word == word


@pytest.mark.parametrize(
    ("wild", "word"), [((), "falls"), (("RMSprop",), "holds in part"), (("SGD", "RMSprop", "Adam"), "holds")]
)
def test_claim_4(wild, word):
    runs = every_case(lambda net, method: [9, 8, 7, 9 if method in wild else 6, 5])
    assert verdicts.claim_4(runs).word == word


@pytest.mark.parametrize(("gradual", "word"), [((14, 14), "holds"), ((14, 17), "holds in part"), ((26, 29), "falls")])
def test_claim_5_is_about_instability_and_loss(gradual, word):
    runs = every_case(lambda net, method: [25, 24, 23, 22, 23] if net == "784-2" else [30, 29, 28, *gradual])
    assert verdicts.claim_5(runs, (21.5, 21.8), 18.8, 21.8).word == word


def test_claims_7_and_9_need_adam_first_at_every_level():
    first = every_case(lambda net, method: [18.5, 15, 15, 15, 15] if method == "Adam" else [20, 18.5, 15.5, 15.5, 15.5])
    later = every_case(lambda net, method: [18.5, 16.5, 16.5, 16.5, 16] if method == "Adam" else [20, 18.5, 15, 15, 15])
    assert [verdicts.claim_7(runs).word for runs in (first, later)] == ["holds", "holds in part"]
    assert [verdicts.claim_9(runs).word for runs in (first, later)] == ["holds", "holds in part"]


def test_claim_10_needs_a_lead_of_two_standard_errors():
    def three(best, spread):
        cases = [(net, method, seed) for seed in range(3) for net, method in CASES]
        return [run([20, 16 - (m in best[n]) + spread * k], n, m, seed=k) for n, m, k in cases]

    named = {"784-2": (), "784-200-2": ("SGD", "Adam"), "784-400-200-2": ("Adam", "RMSprop")}
    half = named | {"784-400-200-2": ("SGD",)}
    words = [verdicts.claim_10(three(*case)).word for case in ((named, 0.1), (half, 0.1), (named, 2.0))]
    assert words == ["holds", "holds in part", "falls"]


def test_claim_6_falls_where_nothing_moves_any_more():
    still, moving = (every_case(lambda net, method, d=d: [23 - d * k for k in range(33)]) for d in (0, 0.3))
    assert verdicts.claim_6(still, still, 21.8).word == "falls"
    assert verdicts.claim_6(moving, still, 12.0).word == "holds"


def test_claim_11_is_about_the_mean_over_nets():
    def led_by(first):
        cases = [(net, method, seed) for seed in range(2) for net, method in CASES]
        return [run([20, 15 + 0.1 * k if m == first else 16 + 0.1 * k], n, m, seed=k) for n, m, k in cases]

    best, other = led_by("Adam"), led_by("SGD")
    words = [verdicts.claim_11(a, b).word for a, b in ((best, best), (best, other), (other, other))]
    assert words == ["holds", "holds in part", "falls"]


@pytest.mark.parametrize(
    ("close", "percent", "counts", "word"),
    [
        ([], 0, (8, 8), "holds"),
        ([(4, 9)], 30, (6, 6), "holds"),
        ([(4, 9), (7, 8)], 30, (4, 4), "holds in part"),
        ([(4, 9), (7, 8)], 9, (8, 4), "holds"),
        ([(0, 1), (2, 6), (4, 9), (7, 8)], 30, (0, 0), "falls"),
    ],
)
def test_claim_15_counts_the_digits_that_are_apart(close, percent, counts, word):
    """3-5 itself does not count."""
    pairs = [99.0 if pair == (3, 5) else percent if pair in close else 1.0 for pair in evidence.PAIRS]
    verdict = verdicts.claim_15({"net": 0.76}, pairs)
    assert verdict.word == word and "99" not in verdict.because
    assert f"{counts[0]} of the 8" in verdict.because and f"{counts[1]} with none in 5 %" in verdict.because


def test_claim_16_needs_an_overlap_and_its_cause():
    cases = [((20, 22), 0.7), ((20, 22), 0.1), ((0, 1), 0.7)]
    assert [verdicts.claim_16(o, 2, r).word for o, r in cases] == ["holds", "holds in part", "falls"]


def test_words_are_those_of_the_menu():
    assert verdicts.claim_1().word in VERDICTS and verdicts.claim_2().word in VERDICTS
    assert Settings(NETS["784-2"]).net in verdicts.SHALLOW_TO_DEEP
