"""Planted worlds: made-up runs in which a claim is true, false, or undecided; its rule answers so in each."""

import zlib

import numpy as np
import pandas as pd
import pytest

from aelib.common.settings import Settings
from aelib.study.experiments import METHODS, reported
from aelib.study.kinds import Run
from aelib.study.results import Result
from aelib.trial import evidence, rules
from aelib.trial.claims import CLAIMS, THRESHOLDS, WORDS
from aelib.trial.rules import NETS, judge

SEEDS = 10
NARROW = (784, 2, 2, 2, 784)


def result(settings, ends):
    """A run with these test losses at the ends of its epochs, one update each."""
    ends = np.array(ends, float)
    update = np.arange(1, len(ends) + 1)
    images = settings.images * update
    return Result(Run(settings), "done", {}, dict(update=update, images=images, test_loss=ends))


def runs(ends, nets=NETS, methods=METHODS, seeds=SEEDS, **changes):
    """Runs of each net, method and seed with the losses ends(net, method, seed)."""
    found = []
    for net in nets:
        for method in methods:
            for seed in range(seeds):
                losses = ends(net, method, seed)
                settings = reported(net, method, seed=seed, images=100, epochs=len(losses), **changes)
                found.append(result(settings, losses))
    return found


def noise(*key, size=1.0):
    """A number that looks drawn, the same for the same key."""
    return size * np.random.default_rng(zlib.crc32(repr(key).encode())).standard_normal()


def wave(rise, end):
    """Losses of six epochs that rise by so much after the fourth and come down to the end."""
    return [30.0, 25.0, 22.0, end, end + rise, end]


def flip(seed):
    """+1 and -1 by turns."""
    return 1 if seed % 2 else -1


# -- lab 2: tables of the author's test --------------------------------------------------------------------------------


def authors(small, his, gp, cosine=-0.6):
    """The table of ``evidence.authors_tests`` with these errors; the last seed's own where two are given."""
    rows = []
    for seed in range(SEEDS):
        last = seed == SEEDS - 1
        for eps, error in ((1e-8, his), (1e-20, small[last])):
            row = dict(seed=seed, eps=eps, gradient=error, Hp=error, Gp=gp[last], cosine=cosine + 0.02 * seed)
            rows.append(row | dict(difference=0.0, predicted=0.0, largest=error))
    return {"author's test": pd.DataFrame(rows)}


EXACT, HALF, WRONG = (2e-16, 3e-16), (2e-16, 1e-9), (1e-9, 1e-9)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("small", "his", "so", "shown"),
    [
        (EXACT, 5e-13, "holds", "no"),  # right, and his judge too coarse to see it
        (EXACT, 2e-16, "holds", "yes"),
        (HALF, 5e-13, "holds in part", "no"),
        (WRONG, 2e-16, "does not hold", "no"),
    ],
)
def test_accuracy(number, small, his, so, shown):
    verdict = judge(number, authors(small, his, EXACT))
    assert (verdict.so, verdict.shown) == (so, shown)
    assert "truncation" not in verdict.because  # here it is not what separates them


def test_claim_1_names_the_truncation_error_where_it_is_the_difference():
    world = authors(EXACT, 5e-13, EXACT)
    world["author's test"][["difference", "predicted"]] = 1e-14
    assert "truncation error" in judge(1, world).because


@pytest.mark.parametrize(
    ("gp", "cosine", "so", "shown"),
    [
        (WRONG, -0.6, "holds", "no"),  # a right product would score 0.6 as well: the cosine shows nothing
        (WRONG, 0.2, "holds", "yes"),
        (HALF, -0.6, "holds in part", "no"),
        (EXACT, -0.6, "does not hold", "no"),
    ],
)
def test_claim_3(gp, cosine, so, shown):
    verdict = judge(3, authors(EXACT, 5e-13, gp, cosine))
    assert (verdict.so, verdict.shown) == (so, shown)


# -- lab 3 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wild", "calm_seeds", "so", "shown"),
    [
        (METHODS, 0, "holds", "yes"),
        (METHODS, 1, "holds", "yes"),
        (METHODS, 5, "holds in part", "no"),
        (("RMSprop",), 0, "holds in part", "no"),
        ((), 0, "does not hold", "no"),
    ],
)
def test_claim_4(wild, calm_seeds, so, shown):
    report = runs(lambda net, m, seed: wave(0.8 if m in wild and seed >= calm_seeds else 0.2, 21))
    verdict = judge(4, {"architectures-report": report})
    assert (verdict.so, verdict.shown) == (so, shown)


@pytest.mark.parametrize(
    ("sharper", "so"),
    [
        (lambda m, seed: 1.0, "holds"),
        (lambda m, seed: 1.0 if m == "SGD" else 0.0, "holds in part"),
        (lambda m, seed: flip(seed), "open"),
        (lambda m, seed: -1.0, "does not hold"),
    ],
)
def test_claim_5(sharper, so):
    def rise(m, seed, sharp):
        return wave(2 + 0.1 * noise(m, seed, sharp) + sharp * sharper(m, seed), 20)

    narrow = []
    for m in METHODS:
        for seed in range(SEEDS):
            gradual = reported("784-200-2", m, seed=seed, images=100, epochs=6)
            settings = Settings(**{f: getattr(gradual, f) for f in vars(gradual)} | dict(sizes=NARROW))
            narrow.append(result(settings, rise(m, seed, True)))
    world = {"architectures-report": runs(lambda net, m, seed: rise(m, seed, False)), "narrowing": narrow}
    world["levels"] = {"mean image": 26.45}
    verdict = judge(5, world)
    assert (verdict.so, verdict.shown) == (so, "no")
    assert judge(5, world | {"levels": {"mean image": 10.0}}).so == "open"  # no run learns: none can be unsteady


@pytest.mark.parametrize(
    ("dead", "so"),  # of the net that narrows at once, and of the other; the former's runs that learn rise less
    [
        (lambda m, seed: (True, False), "holds"),
        (lambda m, seed: (m == "SGD", False), "holds in part"),
        (lambda m, seed: (False, m == "SGD"), "does not hold"),
        (lambda m, seed: (seed < 4, False), "does not hold"),  # four of ten are no proof; what learns decides
        (lambda m, seed: (seed < 8, False), "holds"),  # eight of ten are, whatever the two that learn do
    ],
)
def test_claim_5_where_runs_fail(dead, so):
    def ends(m, seed, sharp):
        return wave(2 - sharp + 0.1 * noise(m, seed, sharp), 50 if dead(m, seed)[not sharp] else 20)

    narrow = runs(lambda net, m, seed: ends(m, seed, True), nets=["784-200-2"])
    world = {"architectures-report": runs(lambda net, m, seed: ends(m, seed, False)), "narrowing": narrow}
    verdict = judge(5, world | {"levels": {"mean image": 26.45}})
    assert verdict.so == so and "runs fail, p" in verdict.because


@pytest.mark.parametrize(
    ("long", "so"),
    [
        (lambda seed: 21.6, "holds"),
        (lambda seed: 21.6 if seed % 2 else 23.0, "holds in part"),
        (lambda seed: 22.9, "does not hold"),
    ],
)
def test_claim_6(long, so):
    short = dict(nets=NETS[:1], schedule="cosine")
    world = {
        "architectures-report": runs(lambda *_: [25.0] * 32 + [23.0]),
        "architectures-repaired": runs(lambda *_: [25.0, 21.5]),
        "convergence": runs(lambda *_: [25.0] * 32 + [22.9], **short)
        + runs(lambda net, m, seed: [25.0] * 39 + [long(seed)], methods=("Adam",), **short),
    }
    assert judge(6, world).so == so


def test_claim_7_about_equal_may_hold_for_some_of_the_three():
    def ends(net, m, seed):  # 2.4 apart, and 1.2 from the third: one difference outside 1.6, two within
        return speed(
            21, 16 + dict(SGD=2.4, RMSprop=1.2, Adam=0)[m] + 0.01 * noise(m, seed), seed, 3 if m == "Adam" else 1
        )

    assert judge(7, {"architectures-report": runs(ends)}).so == "holds in part"


def speed(start, end, seed, slow=1):
    """A run of 40 epochs that falls below 19, 18, 17 about epochs 2, 4, 6, or so many times later, to its end."""
    k = np.arange(1, 41) / slow
    return [*np.maximum(20.5 - 0.6 * k - 0.05 * seed % 0.1, end)[:-1], end]


FAST = {"Adam": 1, "SGD": 3, "RMSprop": 2}


@pytest.mark.parametrize(
    ("slow", "gap", "so", "shown"),
    [
        (FAST, 0.0, "holds", "yes"),
        (FAST, 3.0, "holds in part", "no"),  # faster, but not equal
        (FAST | {"Adam": 2}, 0.0, "holds in part", "no"),
        ({"Adam": 3, "SGD": 1, "RMSprop": 2}, 3.0, "does not hold", "no"),
    ],
)
def test_claim_7(slow, gap, so, shown):
    def ends(net, m, seed):
        return speed(21, 16 - gap * METHODS.index(m) + 0.01 * noise(m, seed), seed, slow[m])

    verdict = judge(7, {"architectures-report": runs(ends)})
    assert (verdict.so, verdict.shown) == (so, shown)


def test_claim_7_is_open_where_seeds_differ_too_much():
    def ends(net, m, seed):
        turn = {"SGD": 1, "RMSprop": -1, "Adam": 0}[m] * flip(seed)
        return speed(21, 16 + 9 * turn, seed, 3.0**turn)

    assert judge(7, {"architectures-report": runs(ends)}).so == "open"


def test_claim_8_a_run_that_never_leaves_the_plateau_is_late():
    def ends(net, m, seed):
        return [26.4] * 20 if m == "SGD" and net == NETS[2] else [17.0] * 19 + [15 + 0.01 * noise(net, m, seed)]

    verdict = judge(8, {"architectures-report": runs(ends), "levels": {"mean image": 26.45}})
    assert verdict.so == "holds in part" and "late in 10 of 10" in verdict.because  # late, and not come up


def test_claim_9_is_open_where_it_is_unstable_and_no_speed_is_told_apart():
    def ends(net, m, seed):
        losses = speed(21, 16, seed, 3.0 ** ({"SGD": 1, "RMSprop": -1, "Adam": 0}[m] * flip(seed)))
        losses[-2] = losses[-3] + 0.9
        return losses

    assert judge(9, {"architectures-report": runs(ends)}).so == "open"


def test_claim_8_is_open_where_sgd_starts_early_and_ends_too_widely():
    def ends(net, m, seed):
        return [17.0] * 19 + [15 + 20 * (m == "SGD") * flip(seed)]

    assert judge(8, {"architectures-report": runs(ends), "levels": {"mean image": 26.45}}).so == "open"


@pytest.mark.parametrize(
    ("late", "gap", "so", "shown"),
    [
        (lambda seed: True, 0.0, "holds", "yes"),
        (lambda seed: seed > 4, 0.0, "holds in part", "no"),
        (lambda seed: True, 4.0, "holds in part", "no"),
        (lambda seed: False, 4.0, "does not hold", "no"),
    ],
)
def test_claim_8(late, gap, so, shown):
    def ends(net, m, seed):
        asleep = m == "SGD" and net == NETS[2] and late(seed)
        return [26.4 if asleep and k < 10 else 17.0 for k in range(19)] + [15 + gap * (m == "SGD") + 0.01 * seed]

    verdict = judge(8, {"architectures-report": runs(ends), "levels": {"mean image": 26.45}})
    assert (verdict.so, verdict.shown) == (so, shown)


@pytest.mark.parametrize(
    ("slow", "rise", "so", "shown"),
    [
        (FAST, 0.2, "holds", "yes"),
        (FAST, 0.9, "holds in part", "no"),
        ({"Adam": 3, "SGD": 1, "RMSprop": 1}, 0.9, "does not hold", "no"),
    ],
)
def test_claim_9(slow, rise, so, shown):
    def ends(net, m, seed):
        losses = speed(21, 16, seed, slow[m])
        losses[-2] = losses[-3] + rise
        return losses

    verdict = judge(9, {"architectures-report": runs(ends)})
    assert (verdict.so, verdict.shown) == (so, shown)


def better(named, spread=0.1):
    """Runs in which the methods named for a net are lower by 1, and seeds differ, by turns and a little at random."""
    turn = {"SGD": 1, "RMSprop": -1, "Adam": 0}

    def ends(net, m, seed):
        return [20, 16 - (m in named.get(net, ())) + spread * turn[m] * flip(seed) + noise(net, m, seed, size=0.01)]

    return runs(ends)


SAID = {"784-200-2": ("SGD", "Adam"), "784-400-200-2": ("Adam", "RMSprop")}


@pytest.mark.parametrize(
    ("named", "spread", "so", "shown"),
    [
        (SAID, 0.1, "holds", "yes"),
        (SAID | {"784-400-200-2": ("SGD",)}, 0.1, "holds in part", "no"),
        ({"784-200-2": ("RMSprop",), "784-400-200-2": ("SGD",)}, 0.1, "does not hold", "no"),
        (SAID, 30.0, "open", "no"),
    ],
)
def test_claim_10(named, spread, so, shown):
    verdict = judge(10, {"architectures-report": better(named, spread)})
    assert (verdict.so, verdict.shown) == (so, shown)


@pytest.mark.parametrize(
    ("first", "spread", "so", "shown"),
    [
        (("Adam",), 0.1, "holds", "yes"),
        (("Adam", "SGD"), 0.1, "holds in part", "no"),
        (("SGD", "RMSprop"), 0.01, "does not hold", "no"),
        (("SGD",), 0.3, "open", "no"),  # behind the one; of the other nothing is known
        (("Adam",), 30.0, "open", "no"),
    ],
)
def test_claim_11(first, spread, so, shown):
    report = better(dict.fromkeys(NETS, first), spread)
    verdict = judge(11, {"architectures-report": report, "architectures-repaired": report})
    assert (verdict.so, verdict.shown) == (so, shown)


# -- lab 4 -------------------------------------------------------------------------------------------------------------

HIS = [(100, s) for s in (1e-2, 1e-3, 1e-4, 1e-5)] + [(b, 1e-2) for b in (500, 1000, 5000, 10_000)]
NEAR = [(100, 2e-2), (100, 5e-3), (100, 3e-3), (50, 1e-2), (200, 1e-2)]


def leaps(rise, rising):
    """Runs of "jumps" whose loss rises by so much in update 27, at batch 10,000 with so many seeds, at 100 with all."""
    found = []
    for batch, seed in [(batch, seed) for batch in (100, 10_000) for seed in range(SEEDS)]:
        high = rise if batch == 100 or seed < rising else 0.1
        losses = [*np.linspace(90, 50, 9), *np.linspace(50, 26, 17), *[26 + high, 26] * 10]
        found.append(result(reported("784-200-2", "Adam", seed=seed, batch=batch, images=29_531), losses))
    return found


def cells(loss, equal=None):
    """Runs of "grid-report" with the final losses loss(cell)."""
    found = []
    for cell in HIS + NEAR:
        for seed in range(SEEDS):
            end = loss(cell) + 0.1 * noise(cell, seed)
            ends = wave(0.1, end)
            settings = dict(images=29_531, epochs=15, seed=seed, batch=cell[0], step=cell[1])
            settings = reported("784-200-2", "Adam", **settings)
            one = result(settings, [30.0] * 9 + ends)
            if cell[0] < 10_000 and equal:
                one.arrays["update"] = np.array([*range(1, 15), 50])
                one.arrays["test_loss"] = np.append(one.test_loss[:14], equal(cell) + 0.1 * noise(cell, seed))
            found.append(one)
    return {"grid-report": found}


def distance(cell):
    """0 for the author's best, and the more the farther from it: in factors of ten of step and batch."""
    return abs(np.log10(cell[1] / 0.01)) + abs(np.log10(cell[0] / 100))


@pytest.mark.parametrize(
    ("loss", "so"),
    [
        (lambda cell: 16 + 3 * distance(cell), "holds"),
        (lambda cell: 16 + 3 * (cell in HIS[1:]), "holds in part"),  # best of his own, no better than its neighbours
        (lambda cell: 16 - 3 * distance(cell), "does not hold"),
        (lambda cell: 16, "open"),
    ],
)
def test_claim_12(loss, so):
    verdict = judge(12, cells(loss))
    assert (verdict.so, verdict.shown) == (so, "no")  # both are best at an edge of what he tried
    assert "step and batch" in verdict.because or "batch and step" in verdict.because


@pytest.mark.parametrize(
    ("loss", "equal", "rising", "so"),
    [
        (1, 1, 10, "holds"),
        (1, 0, 10, "holds in part"),
        (1, -1, 0, "holds in part"),
        (-1, -1, 3, "holds in part"),
        (-1, -1, 1, "does not hold"),
    ],
)
def test_claim_13(loss, equal, rising, so):
    by_batch = [100, 500, 1000, 5000, 10_000, 50, 200]
    place = {batch: k for k, batch in enumerate(by_batch)}
    world = cells(lambda c: 20 + loss * place[c[0]], lambda c: 25 + equal * place[c[0]])
    world["jumps"] = leaps(8.0, rising)
    for one in world["grid-report"]:  # after equally many epochs: the end again
        if one.settings.batch < 10_000:
            one.arrays["update"] = np.append(one.update, 60)
            one.arrays["images"] = np.append(one.images, 15 * 29_531)
            one.arrays["test_loss"] = np.append(one.test_loss, 20 + loss * place[one.settings.batch])
    verdict = judge(13, world)
    assert verdict.so == so and "(100: 10)" in verdict.because and "after 200 updates" in verdict.because


def test_claim_13_is_open_where_seeds_differ_too_much_and_nothing_leaps():
    world = cells(lambda cell: 20, lambda cell: 25) | {"jumps": leaps(8.0, 0)}
    for one in world["grid-report"]:
        one.arrays["test_loss"] = one.test_loss + 9 * flip(one.settings.seed) * flip(one.settings.batch // 500)
    assert judge(13, world).so == "open"


@pytest.mark.parametrize(
    ("loss", "so"),
    [
        (lambda cell: 16 + 0.1 * (cell in NEAR), "holds"),
        (lambda cell: 16 + 2 * (cell == (100, 2e-2)), "holds in part"),
        (lambda cell: 16 + 2 * (cell in NEAR), "does not hold"),
    ],
)
def test_claim_14(loss, so):
    verdict = judge(14, cells(loss))
    assert (verdict.so, verdict.shown) == (so, "no")


def test_claim_14_what_is_shown_but_small_does_not_matter():
    """Shown to differ from 0, and not by more than the limit: the more seeds, the surer, and never "it matters"."""
    for apart, so in ((0.3, "holds"), (0.5, "open"), (0.7, "does not hold")):
        assert judge(14, cells(lambda cell, apart=apart: 16 + apart * (cell in NEAR))).so == so


def test_claim_14_is_open_where_seeds_differ_too_much():
    world = cells(lambda cell: 16)
    for one in world["grid-report"]:
        one.arrays["test_loss"] = one.test_loss + 5 * flip(one.settings.seed) * (
            one.settings.batch != 100 or one.settings.step != 0.01
        )
    assert judge(14, world).so == "open"


# -- lab 5: tables of maps ---------------------------------------------------------------------------------------------


def maps(found, mixed, seeds=SEEDS):
    """The table of ``evidence.map_scores``: adjusted Rand index, and percentages mixed(seed), (true, named) -> %."""
    rows = []
    for seed in range(seeds):
        counts = np.zeros((10, 10))
        for (a, b), share in mixed(seed).items():
            counts[a, b] = share
        np.fill_diagonal(counts, 100 - counts.sum(axis=1))
        scores = dict.fromkeys(evidence.CLUSTERERS, 0.1) | {"HDBSCAN": found(seed)}
        rows.append(dict(net="784-200-2", seed=seed, confusion=counts, accuracy=counts.trace() / 1000) | scores)
    return pd.DataFrame(rows, columns=["net", "seed", "confusion", "accuracy", *evidence.CLUSTERERS])


APART = {(3, 5): 30.0, (4, 9): 30.0}
ONE_WAY = {(4, 9): 30.0, (8, 3): 13.0, (7, 9): 13.0, (2, 6): 13.0}  # by direction: 4, 9, 8, 7, 2, 6 are not apart


@pytest.mark.parametrize(
    ("found", "mixed", "so"),
    [
        (lambda seed: 0.8, lambda seed: APART, "holds"),
        (lambda seed: 0.2, lambda seed: APART, "holds in part"),
        (lambda seed: 0.8 if seed < 5 else 0.2, lambda seed: ONE_WAY, "holds in part"),
        (lambda seed: 0.2, lambda seed: ONE_WAY, "does not hold"),
    ],
)
def test_claim_15(found, mixed, so):
    for turned, said in ((pd.DataFrame(), "was not tried"), (maps(found, lambda seed: {(5, 8): 6}), "3.0 % where")):
        verdict = judge(15, {"maps": maps(found, mixed), "turned maps": turned})
        assert (verdict.so, verdict.shown) == (so, "no") and said in verdict.because


def both_ways(share):
    return {(3, 5): share, (5, 3): share}


@pytest.mark.parametrize(
    ("written", "turned", "so"),
    [
        (lambda seed: 25 + seed % 3, lambda seed: 2 + seed % 2, "holds"),
        (lambda seed: 25 + seed % 3, lambda seed: 24 + seed % 2, "holds in part"),
        (lambda seed: 4 + seed % 3, lambda seed: 4 + seed % 2, "does not hold"),
        (lambda seed: 4 + seed % 3, lambda seed: 0, "holds in part"),
    ],
)
def test_claim_16(written, turned, so):
    world = {"maps": maps(lambda seed: 0.2, lambda seed: both_ways(written(seed)))}
    world["turned maps"] = maps(lambda seed: 0.2, lambda seed: both_ways(turned(seed)), seeds=5)
    assert judge(16, world).so == so


def test_claim_16_is_open_without_a_run_that_changes_the_likeness():
    world = {"maps": maps(lambda seed: 0.2, lambda seed: both_ways(25)), "turned maps": pd.DataFrame()}
    assert judge(16, world).so == "open"


# -- what all have in common -------------------------------------------------------------------------------------------


def test_every_claim_has_a_rule_in_words_and_in_code_and_its_thresholds_reasons():
    assert list(CLAIMS) == list(rules.RULES) == list(range(1, 17))
    used = {name for claim in CLAIMS.values() for name in claim.thresholds}
    assert used == set(THRESHOLDS) and all(threshold.reason for threshold in THRESHOLDS.values())
    assert all(claim.rule and claim.evidence for claim in CLAIMS.values())


def test_the_rule_says_whether_another_threshold_gives_another_word():
    report = runs(lambda net, m, seed: wave(0.3 if m == "Adam" else 0.8, 21))
    rule = judge(4, {"architectures-report": report}).rule
    assert 'with half of it the word is "holds", with twice the word is "does not hold"' in rule
    report = runs(lambda net, m, seed: wave(0.1, 21))
    assert "half of it and twice of it give the same word" in judge(4, {"architectures-report": report}).rule


def test_words_are_those_of_the_menu():
    assert judge(3, authors(EXACT, 5e-13, EXACT)).so in WORDS
    assert {word for words in ({"holds"}, {"open"}, {"does not hold", "open"}) for word in words} <= set(WORDS)
