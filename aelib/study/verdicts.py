"""The verdict on each claim of the report: a rule on measured numbers, and the sentence that gives them.

``claim_n(...)`` takes stored results, lists of ``Result``, or numbers measured in the lab that decides it.
"""

import numpy as np

from aelib.study.claims import Verdict
from aelib.study.evidence import crossed, epoch_ends, span, waking
from aelib.study.figures import final, finals, select

_METHODS = ("SGD", "RMSprop", "Adam")


def ahead(a, b):
    """Return by how many of its standard errors the mean of a lies below that of b; losses over seeds, (n,) each."""
    error = np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    return float((np.mean(b) - np.mean(a)) / error)


def rises(results, first=3):
    """Return the largest rise of the test loss from one epoch to the next after epoch ``first``, (runs,)."""
    return np.diff(epoch_ends(results, first, results[0].settings.epochs), axis=1).max(axis=1)


def reached(results, level):
    """Return the number of epochs after which each run first ends an epoch below this loss, (runs,); inf: never."""
    ends = epoch_ends(results, 1, results[0].settings.epochs)
    return np.where((ends < level).any(axis=1), (ends < level).argmax(axis=1) + 1.0, np.inf)


# -- lab 2 -------------------------------------------------------------------------------------------------------------


def claim_1():
    """The gradient's accuracy: decided by the evidence in the author's notebook, which ours cannot replace."""
    return Verdict(
        "holds in part",
        "The author's notebook compares one number, p.grad for one p, with the complex step: 7e-14 apart. That is "
        "round-off, along one direction; a difference, which the text names, could not show it, and one number has "
        "no cosine.",
    )


def claim_2():
    """The accuracy of Hp: decided by the evidence in the author's notebook, which ours cannot replace."""
    return Verdict(
        "holds",
        "The author's notebook compares the whole vector with the complex step of the gradient: no entry differs by "
        "more than 7e-13, the cosine is 1 to 2e-16. A difference, which the text names, could not show it.",
    )


def claim_3(cosines, exact):
    """The Gauss-Newton product's inaccuracy.

    Args:
        cosines: signed cosines of Hp and Gp in the author's test made again, over seeds.
        exact: relative error of the author's product against J^T (J p), or of ours in its place.
    """
    word = "falls" if exact < 1e-12 else "holds"
    return Verdict(
        word,
        f"The author's notebook compares Gp with Hp, the product of another matrix, and takes the sign away. That "
        f"test made again, with this lab's passes, on {len(cosines)} seeds: a signed cosine of {np.mean(cosines):.2f} "
        f"on average, {np.min(cosines):.2f} to {np.max(cosines):.2f}; and Gp right to {exact:.0e} against J^T(Jp).",
    )


# -- lab 3 -------------------------------------------------------------------------------------------------------------


def claim_4(report):
    """Unstable on 784-2-784: rises of the test loss between epochs."""
    most = {method: rises(select(report, net="784-2", method=method)) for method in _METHODS}
    unstable = [method for method, values in most.items() if values.min() > 0.5]
    words = "; ".join(f"{method} {span(values)}" for method, values in most.items())
    word = "holds" if len(unstable) == 3 else "holds in part" if unstable else "falls"
    named = " and ".join(unstable) or "no method"
    return Verdict(word, f"Largest rise from one epoch to the next after epoch 3: {words}. More than 0.5: {named}.")


def claim_5(report, linear, curved, pca_2):
    """Sharp compression.

    Args:
        report: runs of "architectures-report".
        linear: half-SSE of a gradual net without bends, 784-200-2 with identity, and of 784-2, both trained alike.
        curved: half-SSE of the gradual net with ReLU, trained alike.
        pca_2: half-SSE of PCA-2.
    """
    sharp, gradual = (np.mean([final(r) for r in select(report, net=net)]) for net in ("784-2", "784-200-2"))
    cause = abs(linear[0] - linear[1]) > 0.5
    return Verdict(
        "holds" if gradual < sharp and cause else "holds in part" if gradual < sharp else "falls",
        f"As advice about the nets tried it is right: {sharp:.1f} against {gradual:.1f}. As a cause it is not: without "
        f"bends the gradual net has {linear[0]:.1f}, the sharp one {linear[1]:.1f}, PCA-2 {pca_2:.1f}; with ReLU the "
        f"gradual one has {curved:.1f}.",
    )


def claim_6(report, repaired, pca_2):
    """784-2-784 had not converged."""
    own, cured = select(report, net="784-2"), select(repaired, net="784-2")
    ends, fixed = epoch_ends(own, 24, 33), [final(r) for r in cured]
    trend, gap = np.mean(ends[:, -1] - ends[:, 0]), np.mean(ends) - pca_2
    return Verdict(
        "falls" if abs(trend) < 0.2 * gap else "holds",
        f"In the last ten epochs {len(own)} runs move by {trend:+.2f} on average, and end at {span(ends[:, -1])}; "
        f"PCA-2 has {pca_2:.1f}, and with an output bias the same net has {span(fixed)}.",
    )


def claim_7(report):
    """About equal on 784-200-2, Adam faster."""
    own = finals(select(report, net="784-200-2"), "method")
    level = 17.5
    speed = {m: np.median(reached(select(report, net="784-200-2", method=m), level)) for m in _METHODS}
    words = "; ".join(f"{m} {span(own[m])}, below {level:g} after {speed[m]:g} epochs" for m in _METHODS)
    faster, near = speed["Adam"] < min(speed["SGD"], speed["RMSprop"]), np.ptp([v.mean() for v in own.values()]) < 2
    word = "holds" if faster and near else "holds in part" if faster or near else "falls"
    return Verdict(word, f"At the end, and on the way (median): {words}.")


def claim_8(report, mean_image):
    """SGD starts late with seven layers, and comes up with the others."""
    own = {net: waking(select(report, net=net, method="SGD"), mean_image - 1) for net in SHALLOW_TO_DEEP}
    deep, others = own["784-400-200-2"], np.concatenate([own["784-2"], own["784-200-2"]])
    last = finals(select(report, net="784-400-200-2"), "method")
    late, came = deep.min() > 5 > 1 > others.max(), last["SGD"].mean() < max(v.mean() for v in last.values()) + 0.5
    return Verdict(
        "holds" if late and came else "holds in part" if late else "falls",
        f"SGD is first seen 1 below the mean image's loss after {span(deep, 0)} epochs with 7 layers, after "
        f"{span(others)} with 3 and 5; at the end it has {span(last['SGD'])} with 7 layers, Adam {span(last['Adam'])}, "
        f"RMSprop {span(last['RMSprop'])}. As an observation of these runs it holds; the lab shows what it comes from.",
    )


SHALLOW_TO_DEEP = ("784-2", "784-200-2", "784-400-200-2")


def claim_9(report):
    """Adam is faster and stable on 784-400-200-2."""
    runs = {m: select(report, net="784-400-200-2", method=m) for m in _METHODS}
    most, speed = (
        {m: rises(own) for m, own in runs.items()},
        {m: np.median(reached(own, 17.5)) for m, own in runs.items()},
    )
    stable, faster = most["Adam"].max() < 1, speed["Adam"] <= min(speed.values())
    return Verdict(
        "holds" if stable and faster else "holds in part" if stable or faster else "falls",
        f"Adam rises by at most {most['Adam'].max():.1f} from one epoch to the next after epoch 3, RMSprop by "
        f"{most['RMSprop'].max():.1f}; below 17.5 after {speed['Adam']:g} epochs (median), SGD {speed['SGD']:g}, "
        f"RMSprop {speed['RMSprop']:g}.",
    )


def claim_10(report):
    """Which two methods are better on which net, by the final losses."""
    nets = {net: finals(select(report, net=net), "method") for net in ("784-200-2", "784-400-200-2")}
    worst = {net: max(own, key=lambda m, own=own: own[m].mean()) for net, own in nets.items()}
    words = "; ".join(f"{net}: " + ", ".join(f"{m} {span(own[m])}" for m in _METHODS) for net, own in nets.items())
    right = (worst["784-200-2"] == "RMSprop") + (worst["784-400-200-2"] == "SGD")
    return Verdict(("falls", "holds in part", "holds")[right], f"Final losses, {words}.")


def claim_11(report, repaired):
    """Adam better on average."""
    words, leads = [], []
    for name, runs in (("the report's settings", report), ("tuned steps, repaired", repaired)):
        means = {m: np.mean([np.mean(v[m]) for v in _by_net(runs)]) for m in _METHODS}
        words.append(f"{name}: " + ", ".join(f"{m} {means[m]:.2f}" for m in _METHODS))
        leads.append(min(means, key=means.get) == "Adam")
    word = "holds" if all(leads) else "holds in part" if any(leads) else "falls"
    return Verdict(word, f"Final loss averaged over the three nets, {'; '.join(words)}.")


def _by_net(runs):
    return [finals(select(runs, net=net), "method") for net in SHALLOW_TO_DEEP]


# -- lab 4 -------------------------------------------------------------------------------------------------------------


def claim_12(own, wide):
    """Step 0.01 and batch 100 are optimal.

    Args:
        own: runs of "grid-report", the author's values.
        wide: runs of "grid".
    """
    tried, loss = crossed(own), crossed(wide)
    best, most = min(tried, key=tried.get), min(loss, key=loss.get)
    cell = {key: [final(r) for r in select(wide, batch=key[0], step=key[1])] for key in ((100, 0.003), (100, 0.01))}
    lead = ahead(cell[100, 0.003], cell[100, 0.01])
    word = "holds" if best == (100, 0.01) and lead < 2 else "holds in part" if best == (100, 0.01) else "falls"
    return Verdict(
        word,
        f"Of the values that the author tried, batch and step {best} are best ({tried[best]:.2f}): a corner. One step "
        f"outside, in the wide grid, batch 100 has {loss[100, 0.003]:.2f} at 0.003 and {loss[100, 0.01]:.2f} at 0.01 "
        f"({lead:.1f} standard errors); the best cell is {most} with {loss[most]:.2f}.",
    )


def claim_13(own, wide):
    """The larger the batch the slower; a jump at 10,000.

    Args:
        own: runs of "grid-report".
        wide: runs of "grid".
    """
    last = {b: np.mean([final(r) for r in select(own, batch=b, step=0.01)]) for b in (100, 500, 1000, 5000, 10_000)}
    slower = bool(np.all(np.diff(list(last.values())) > 0))
    jumps = rises(select(own, batch=10_000))
    words = ", ".join(f"{batch}: {loss:.1f}" for batch, loss in last.items())
    return Verdict(
        "holds" if slower and jumps.max() > 5 else "holds in part" if slower or jumps.max() > 5 else "falls",
        f"After equally many epochs, by batch: {words}. At 10,000 the largest rise from one epoch to the next after "
        f"epoch 3 is {', '.join(f'{jump:.1f}' for jump in jumps)} for the seeds.",
    )


def claim_14(wide):
    """A finer search is not needed.

    Args:
        wide: runs of "grid".
    """
    cells = {step: np.array([final(r) for r in select(wide, batch=100, step=step)]) for step in (3e-3, 1e-2, 3e-2)}
    words = ", ".join(f"{step:g}: {span(values)}" for step, values in cells.items())
    return Verdict(
        "not shown by its evidence",
        f"The author's steps lie a factor of ten apart; no step near 0.01 was tried. Here at batch 100, {words}: a "
        "factor of three changes the loss by more than the claim lets expect.",
    )


# -- lab 5 -------------------------------------------------------------------------------------------------------------


def claim_15(accuracy, pairs):
    """The objects cluster, most other classes lie apart.

    Args:
        accuracy: dict, name of the map -> share of held-out digits that kNN on codes names rightly.
        pairs: percentages of confusion of the 45 pairs of digits on the report's kind of net, (45,).
    """
    apart = int(np.sum(np.asarray(pairs) < 5))
    words = ", ".join(f"{name} {value:.0%}" for name, value in accuracy.items())
    return Verdict(
        "holds" if apart > 22 else "holds in part",
        f"Of 45 pairs of digits {apart} are confused in less than 5 % of cases; kNN names rightly: {words}.",
    )


def claim_16(overlap, rank, alike):
    """3 and 5 overlap, because they look alike.

    Args:
        overlap: percentage of 3 and 5 taken for one another, a value a run.
        rank: the place of 3-5 among the 45 pairs ordered by overlap.
        alike: rank correlation, over the pairs, of overlap on the map with the closeness of the mean images.
    """
    overlaps, explained = np.min(overlap) > 2, alike > 0.5
    return Verdict(
        "holds" if overlaps and explained else "holds in part" if overlaps else "falls",
        f"{span(overlap, 0)} % are taken for one another, place {rank} of 45 pairs. Over the pairs, overlap on the map "
        f"and closeness of the mean images have a rank correlation of {alike:.2f}: digits that look alike overlap.",
    )
