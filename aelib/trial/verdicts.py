"""The verdict on each claim of the report: a rule on measured numbers, and the sentence that gives them.

``claim_n(...)`` takes stored results, lists of ``Result``, or numbers measured in the lab that decides it.
"""

from typing import NamedTuple

import numpy as np

from aelib.common.settings import OPTIMIZERS
from aelib.study.experiments import AUTHOR
from aelib.study.figures import final, finals, select
from aelib.trial.claims import AUTHOR as TRIED
from aelib.trial.evidence import PAIRS, after, ahead, crossed, epoch_ends, rises, span, speeds, waking


class Verdict(NamedTuple):
    """A word and its sentence, for notebooks that are not rewritten yet; ``aelib.trial.rules`` judges now."""

    word: str
    because: str
    so = property(lambda self: self.word)
    shown = rule = ""


LEVELS = (19, 18, 17, 16)
_METHODS = tuple(OPTIMIZERS)
SHALLOW_TO_DEEP = tuple(AUTHOR)


def _word(*right):
    """Return the word for a claim whose parts are right or not."""
    return "holds" if all(right) else "holds in part" if any(right) else "falls"


def _in_words(speed):
    own = {m: ", ".join(f"{x:g}".replace("inf", "never") for x in values) for m, values in speed.items()}
    words = "; ".join(f"{m} {numbers}" for m, numbers in own.items())
    return f"First below {', '.join(map(str, LEVELS))} after so many epochs (median): {words}"


def _unstable(most):
    """Return whether the test loss of every run rises by more than 0.5, by its largest ``rises``, (runs,)."""
    return bool(most.min() > 0.5)


# -- lab 2 -------------------------------------------------------------------------------------------------------------


def claim_1():
    """The gradient's accuracy: decided by the evidence in the author's notebook, which ours cannot replace."""
    return Verdict(
        "holds in part",
        "The author's notebook compares one number, p.grad for one p, with the complex step: 7e-14 apart. That is "
        "round-off, along one direction; a finite difference, which the text names, could not show it, and one "
        "number has no cosine.",
    )


def claim_2():
    """The accuracy of Hp: decided by the evidence in the author's notebook, which ours cannot replace."""
    return Verdict(
        "holds",
        "The author's notebook compares the whole vector with the complex step of the gradient: the cosine "
        "is 1 to 2e-16. That is what the sentence says; the entries themselves differ by up to 7e-13, not 1e-14. (A "
        "finite difference, which the text names, would show such a cosine, not such entries.)",
    )


def claim_3(cosines, exact):
    """The Gauss-Newton product's inaccuracy: a number that a right product gets too shows none.

    Args:
        cosines: signed cosines of Hp and Gp in the author's test made again with this lab's product, over seeds.
        exact: relative error of this product against J^T (J p).
    """
    low, high = np.quantile(np.abs(cosines), [0, 1])
    typical = exact < 1e-12 and low <= 0.6 <= high
    return Verdict(
        "not shown by its evidence" if typical else "holds",
        f"The author's notebook compares Gp with Hp, the product of another matrix, and takes the sign away. That "
        f"test made again, with this lab's passes, on {len(cosines)} seeds: a signed cosine of {np.mean(cosines):.2f} "
        f"on average, {np.min(cosines):.2f} to {np.max(cosines):.2f}; and Gp right to {exact:.0e} against J^T(Jp).",
    )


# -- lab 3 -------------------------------------------------------------------------------------------------------------


def claim_4(report):
    """Unstable on 784-2-784: rises of the test loss between epochs."""
    most = {method: rises(select(report, net="784-2", method=method)) for method in _METHODS}
    wild = {method: _unstable(values) for method, values in most.items()}
    words = "; ".join(f"{method} {span(values)}" for method, values in most.items())
    named = " and ".join(method for method in wild if wild[method]) or "no method"
    return Verdict(
        _word(*wild.values()),
        f"Largest rise from one epoch to the next after epoch 3: {words}. More than 0.5 with every seed: {named}.",
    )


def claim_5(report, linear, curved, pca_2):
    """Sharp compression as the cause of instability, and as a thing to avoid.

    Args:
        report: runs of "architectures-report".
        linear: half-SSE of a gradual net without bends, 784-200-2 with identity, and of 784-2, both trained alike.
        curved: half-SSE of the gradual net with ReLU, trained alike.
        pca_2: half-SSE of PCA-2.
    """
    nets = [select(report, net=net) for net in ("784-2", "784-200-2")]
    sharp, gradual = (np.mean([final(r) for r in runs]) for runs in nets)
    wild = {m: [rises(select(runs, method=m)) for runs in nets] for m in _METHODS}
    steadier = all(g.mean() < s.mean() for s, g in wild.values())
    words = "; ".join(f"{m} {span(s)} and {span(g)}" for m, (s, g) in wild.items())
    return Verdict(
        _word(gradual < sharp, steadier),
        f"Largest rises between epochs after epoch 3, 784-2 and 784-200-2: {words}. The gradual net is "
        f"{'steadier' if steadier else 'no steadier'}. Its loss: {gradual:.1f} against {sharp:.1f}; trained alike, "
        f"{linear[0]:.1f} without bends and {curved:.1f} with them, 784-2 {linear[1]:.1f}, PCA-2 {pca_2:.1f}.",
    )


def claim_6(report, repaired, pca_2):
    """784-2-784 had not converged."""
    own, cured = select(report, net="784-2"), select(repaired, net="784-2")
    ends, fixed = epoch_ends(own, 24, 33), [final(r) for r in cured]
    moves, gap = ends[:, -1] - ends[:, 0], np.mean(ends) - pca_2
    return Verdict(
        "falls" if np.abs(moves).max() < 0.2 * gap else "holds",
        f"In the last ten epochs {len(own)} runs move by {moves.min():+.2f} to {moves.max():+.2f}, and end at "
        f"{span(ends[:, -1])}. PCA-2 has {pca_2:.1f}, and the same net repaired, with an output bias, {span(fixed)}.",
    )


def claim_7(report):
    """About equal on 784-200-2, Adam faster."""
    runs = select(report, net="784-200-2")
    own, speed = finals(runs, "method"), speeds(runs)
    faster = all(np.all(speed["Adam"] <= speed[m]) for m in _METHODS)
    near = bool(np.ptp([v.mean() for v in own.values()]) < 2)
    ends = ", ".join(f"{m} {span(own[m])}" for m in _METHODS)
    return Verdict(_word(faster, near), f"Final losses: {ends}. {_in_words(speed)}.")


def claim_8(report, mean_image):
    """SGD starts late with seven layers, and comes up with the others."""
    own = {net: waking(select(report, net=net, method="SGD"), mean_image - 1) for net in SHALLOW_TO_DEEP}
    deep, others = own["784-400-200-2"], np.concatenate([own["784-2"], own["784-200-2"]])
    last = finals(select(report, net="784-400-200-2"), "method")
    late, came = deep.min() > 5 > 1 > others.max(), last["SGD"].mean() < max(v.mean() for v in last.values()) + 0.5
    return Verdict(
        "holds" if late and came else "holds in part" if late else "falls",
        f"SGD is first seen 1 below the mean image's loss after {', '.join(f'{x:.0f}' for x in np.sort(deep))} epochs "
        f"with 7 layers (a number a seed), after {span(others)} with 3 and 5; at the end it has {span(last['SGD'])} "
        f"with 7 layers, Adam {span(last['Adam'])}, RMSprop {span(last['RMSprop'])}. This is about what is seen, not "
        "about its cause.",
    )


def claim_9(report):
    """Adam is faster and stable on 784-400-200-2."""
    runs = select(report, net="784-400-200-2")
    most, speed = {m: rises(select(runs, method=m)) for m in _METHODS}, speeds(runs)
    faster = all(np.all(speed["Adam"] <= speed[m]) for m in _METHODS)
    words = "; ".join(f"{m} {span(values)}" for m, values in most.items())
    return Verdict(
        _word(faster, not _unstable(most["Adam"])),
        f"Largest rise from one epoch to the next after epoch 3: {words}. {_in_words(speed)}.",
    )


def claim_10(report):
    """Which two methods are better on which net, by the final losses: each named one ahead of the third."""
    better, leads, words = {"784-200-2": ("SGD", "Adam"), "784-400-200-2": ("Adam", "RMSprop")}, [], []
    for net, named in better.items():
        own = finals(select(report, net=net), "method")
        (third,) = set(_METHODS) - set(named)
        leads += [ahead(own[m], own[third]) for m in named]
        ends = ", ".join(f"{m} {span(own[m])}" for m in _METHODS)
        shown = " and ".join(f"{m} by {lead:.1f}" for m, lead in zip(named, leads[-2:], strict=True))
        words.append(f"{net}: {ends}; ahead of {third}, in standard errors: {shown}")
    return Verdict(_word(*(lead > 2 for lead in leads)), f"Final losses, {'. '.join(words)}.")


def claim_11(report, repaired):
    """Adam better on average."""
    words, right = [], []
    for name, runs in (("the report's settings", report), ("tuned steps, repaired", repaired)):
        own = {m: np.mean([v[m] for v in _by_net(runs)], axis=0) for m in _METHODS}
        leads = {m: ahead(own["Adam"], own[m]) for m in ("SGD", "RMSprop")}
        means = ", ".join(f"{m} {values.mean():.2f}" for m, values in own.items())
        shown = ", ".join(f"{m} by {lead:.1f}" for m, lead in leads.items())
        words.append(f"{name}: {means}; Adam ahead of {shown} standard errors")
        right.append(min(leads.values()) > 2)
    return Verdict(_word(*right), f"Final loss averaged over the three nets, {'; '.join(words)}.")


def _by_net(runs):
    return [finals(select(runs, net=net), "method") for net in SHALLOW_TO_DEEP]


# -- lab 4 -------------------------------------------------------------------------------------------------------------


def claim_12(own, wide):
    """Step 0.01 and batch 100 are optimal.

    Args:
        own: runs of "grid-report", the author's values.
        wide: runs of "grid".
    """
    own = [r for r in own if r.settings.seed < 3 and r.settings.batch in TRIED["batches"]]
    own = [r for r in own if r.settings.step in TRIED["steps"]]
    tried, loss = crossed(own), crossed(wide)
    best, most = min(tried, key=tried.get), min(loss, key=loss.get)
    cell = {key: [final(r) for r in select(wide, batch=key[0], step=key[1])] for key in ((100, 0.003), (100, 0.01))}
    lead = ahead(cell[100, 0.003], cell[100, 0.01])
    word = "holds" if best == (100, 0.01) and lead < 2 else "holds in part" if best == (100, 0.01) else "falls"
    return Verdict(
        word,
        f"Of the values that the author tried, batch and step {best} are best ({tried[best]:.2f}): a corner. In the "
        f"wide grid, other settings, the cells past it have {loss[50, 0.01]:.2f} (batch 50) and {loss[100, 0.03]:.2f} "
        f"(step 0.03); between two of his steps, at 0.003, batch 100 has {loss[100, 0.003]:.2f}, at 0.01 "
        f"{loss[100, 0.01]:.2f} ({lead:.1f} standard errors). The best cell is {most}: {loss[most]:.2f}.",
    )


def claim_13(own, wide):
    """The larger the batch the slower; a jump at 10,000.

    Args:
        own: runs of "grid-report".
        wide: runs of "grid".
    """
    own = [r for r in own if r.settings.seed < 3 and r.settings.batch in TRIED["batches"]]
    own = [r for r in own if r.settings.step in TRIED["steps"]]
    last = {b: np.mean([final(r) for r in select(own, batch=b, step=0.01)]) for b in (100, 500, 1000, 5000, 10_000)}
    slower = bool(np.all(np.diff(list(last.values())) > 0))
    jumps = rises(select(own, batch=10_000))
    words = ", ".join(f"{batch}: {loss:.1f}" for batch, loss in last.items())
    equal = crossed(select(wide, step=0.01), after(100))
    turned = ", ".join(f"{batch}: {equal[batch, 0.01]:.1f}" for batch in (100, 500, 1000, 10_000))
    return Verdict(
        _word(slower, jumps.max() > 5),
        f"After equally many epochs, by batch: {words}. (After 100 updates each, in the wide grid: {turned}.) At "
        f"10,000 the largest rise from one epoch to the next after epoch 3 is "
        f"{', '.join(f'{jump:.1f}' for jump in jumps)} for the seeds.",
    )


def claim_14(wide):
    """A finer search is not needed.

    Args:
        wide: runs of "grid".
    """
    steps, batches = finals(select(wide, batch=100), "step"), finals(select(wide, step=0.01), "batch")
    words = ", ".join(f"{step:g}: {span(steps[step])}" for step in (3e-3, 1e-2, 3e-2))
    more = ", ".join(f"{batch}: {span(batches[batch])}" for batch in (50, 100, 500))
    return Verdict(
        "not shown by its evidence",
        "The author's steps lie a factor of ten apart, his batches next to 100 a factor of five: nothing near was "
        f"tried. The wide grid, by step: {words}; by batch: {more}. It is finer, and does not show a small "
        "neighbourhood either.",
    )


# -- lab 5 -------------------------------------------------------------------------------------------------------------


def claim_15(accuracy, pairs):
    """The objects cluster, most other classes lie apart.

    Args:
        accuracy: dict, name of the map -> share of test digits that kNN on codes names rightly.
        pairs: for each of ``evidence.PAIRS``, the percentage taken for one another on the report's kind of net, (45,).
    """
    share = {pair: x for pair, x in zip(PAIRS, pairs, strict=True) if pair != (3, 5)}
    most = {digit: max(x for pair, x in share.items() if digit in pair) for digit in range(10) if digit not in (3, 5)}
    apart, clear = (sum(x < limit for x in most.values()) for limit in (10, 5))
    near = [f"{a}-{b} {x:.0f} %" for (a, b), x in sorted(share.items(), key=lambda item: -item[1]) if x >= 5]
    shares = ", ".join(f"{name} {value:.0%}" for name, value in accuracy.items())
    return Verdict(
        "holds" if apart > len(most) / 2 else "holds in part" if apart else "falls",
        f"Of test digits kNN names rightly (guessing: 10 %): {shares}. On 784-200-2 {apart} of the {len(most)} "
        f"digits beside 3 and 5 are confused with no other in 10 % of cases or more, {clear} with none in 5 %; in "
        f"places they overlap: {', '.join(near) or 'none'}.",
    )


def claim_16(overlap, rank, alike):
    """3 and 5 overlap, because they look alike.

    Args:
        overlap: percentage of 3 and 5 taken for one another, a value a run.
        rank: the place of 3-5 among the 45 pairs ordered by mean overlap.
        alike: rank correlation, over the pairs, of overlap on the map with the closeness of the mean images.
    """
    overlaps, explained = np.min(overlap) > 2, alike > 0.5
    return Verdict(
        "holds" if overlaps and explained else "holds in part" if overlaps else "falls",
        f"{span(overlap, 0)} % of 3 and 5 are taken for one another (from the least to the most over "
        f"{len(overlap)} seeds), place {rank} of 45 pairs. The explanation: over the pairs, overlap on the map and "
        f"closeness of the mean images have a rank correlation of {alike:.2f} (more than 0.5 was asked).",
    )
