"""The rules of the verdicts: ``judge(number)`` answers both questions of the trial on one claim of the report.

``claims`` holds each rule in words, with its thresholds; a function here computes it, from results that are stored or
made in seconds. No word of the first answer is written down; of the second, "no" is where the report made no test that
could show the claim (5, 6, 13, 15, 16), which is read in its text: ``Claim.evidence``.

A rule is a function (world, limits) -> (so, shown, because). ``world`` gives results by the name of their experiment,
and what ``Stored`` measures itself; a test gives a dict of made-up results. ``limits`` gives the thresholds by name.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from aelib.study.experiments import METHODS
from aelib.study.figures import final, reference, select
from aelib.study.results import load, whole_seeds
from aelib.trial import evidence
from aelib.trial.claims import AUTHOR, CLAIMS, MOST, PARTS, SOME, THRESHOLDS, Verdict
from aelib.trial.compare import LEVEL, alike, all_some_none, holm, paired, quantified, together
from aelib.trial.evidence import LEVELS, PAIRS, span

NETS = ("784-2", "784-200-2", "784-400-200-2")  # of the report, shallow to deep
LIMITS = {name: threshold.value for name, threshold in THRESHOLDS.items()}
UPDATES = (50, 200)  # after which batches are compared: all but 10,000, which makes 45; those up to 1,000


class Stored(dict):
    """The world that is stored: results of experiments by name, of those seeds that are whole; read when asked for.

    Also "author's test", the table of ``evidence.authors_tests``; "levels", the reference ladder; "maps" and "turned
    maps", the table of ``evidence.map_scores`` on the codes of "embedding-report" and "likeness".
    """

    def __missing__(self, name):
        made = {
            "author's test": evidence.authors_tests,
            "levels": reference,
            "maps": lambda: evidence.map_scores(self["embedding-report"]),
            "turned maps": lambda: evidence.map_scores(whole_seeds("likeness")),
        }
        self[name] = made[name]() if name in made else whole_seeds(name) or load(name)  # which says what is missing
        return self[name]


STORED = Stored()


def judge(number, world=STORED):
    """Return the ``Verdict`` on a claim.

    Args:
        number: of the claim.
        world: results by name; those that are stored by default.

    Raises:
        MissingResult, StaleResult, DamagedResult: as in ``aelib.study.results``.
    """
    claim, rule = CLAIMS[number], RULES[number]
    so, shown, because = rule(world, LIMITS)
    texts = {name: t.text.format(t.value).replace("%", " %") for name, t in THRESHOLDS.items()}
    sentences = [claim.rule.format(most=MOST, some=SOME, parts=PARTS, **texts)]
    for name in claim.thresholds:
        words = {factor: rule(world, LIMITS | {name: factor * LIMITS[name]})[0] for factor in (0.5, 2)}
        sentences.append(f"Why {texts[name]}: {THRESHOLDS[name].reason}; {_moved(so, words)}.")
    return Verdict(so, "yes" if so == "holds" and shown else "no", " ".join(sentences), because)


def _moved(so, words):
    """Return in words whether another threshold, half or twice the one chosen, gives another word."""
    if set(words.values()) == {so}:
        return "half of it and twice of it give the same word"
    half, twice = (f'the word stays "{so}"' if word == so else f'the word is "{word}"' for word in words.values())
    return f"with half of it {half}, with twice {twice}"


def by_seed(runs, key, value=final):
    """Return a ``DataFrame``: a row a seed, a column for each key(run), or setting of this name, and value(run)."""
    of = key if callable(key) else lambda run: getattr(run.settings, key)
    rows = [(run.settings.seed, of(run), value(run)) for run in runs]
    return pd.DataFrame(rows, columns=["seed", "key", "value"]).pivot(index="seed", columns="key", values="value")


def _of_seeds(have):
    """Return "3 of 10 seeds"."""
    return f"{int(np.sum(have))} of {len(have)} seeds"


def _differences(table):
    """Return the rows of ``paired`` in words."""
    words = [
        f"{row.first} - {row.second} {row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
        for row in table.itertuples()
    ]
    return ", ".join(words)


def _one_run(seen):
    """Return whether one run of each, as the author made, decides a claim, and the sentence that says so."""
    return quantified(seen) == "holds", f"One run of each, as the author made, says so with {_of_seeds(seen)}."


# -- lab 2 -------------------------------------------------------------------------------------------------------------


def _accuracy(world, limit, what, seen):
    """Claims 1 and 2: (so, shown, because) from errors against a judge of a small step, and against the author's."""
    errors = {eps: table[what] for eps, table in world["author's test"].groupby("eps")}
    own = AUTHOR["judge's step"]
    his, small = errors[own], errors[min(errors)]
    return (
        all_some_none(small <= limit),
        bool((his <= limit).all()),
        f"Relative error of {seen} in the author's test, {len(small)} seeds: at most {small.max():.0e} with a judge of "
        f"step {min(errors):.0e}; with one of the author's step, {own:.0e}, {np.median(his):.0e} (median).",
    )


def claim_1(world, limits):
    """The gradient is right to 1e-14."""
    so, shown, because = _accuracy(world, limits["exact"], "gradient", "p . grad F")
    table = world["author's test"]
    own = table[table["eps"] == AUTHOR["judge's step"]]
    off = np.median(abs(own["difference"] - own["predicted"]) / abs(own["predicted"]))
    if off < 0.01:
        because += f" That is the truncation error of his judge, -eps^2/6 F'''[p, p, p], to {off:.0e} (median)."
    return so, shown, because


def claim_2(world, limits):
    """Hp is right to 1e-14."""
    so, shown, because = _accuracy(world, limits["exact"], "Hp", "Hp")
    return so, shown, because + " Nothing but the step differs between the two judges."


def claim_3(world, limits):
    """Gp is not computed accurately."""
    test = world["author's test"].drop_duplicates("seed")
    absolute = test["cosine"].abs()
    right_scores_it_too = absolute.min() <= AUTHOR["cosine"] <= absolute.max()
    return (
        all_some_none(test["Gp"] > limits["exact"]),
        not right_scores_it_too,
        f"Relative error of Gp against J^T (J p) / n in the author's test, {len(test)} seeds: at most "
        f"{test['Gp'].max():.0e}. The |cosine| of this right Gp with Hp is {span(absolute, 2)} (signed "
        f"{test['cosine'].mean():.2f} on average), and the author's {AUTHOR['cosine']:.1f} lies "
        f"{'among' if right_scores_it_too else 'outside'} these.",
    )


# -- lab 3 -------------------------------------------------------------------------------------------------------------


def claim_4(world, limits):
    """The methods are unstable on 784-2-784."""
    most = by_seed(select(world["architectures-report"], net="784-2"), "method", evidence.rise)[list(METHODS)]
    unstable = most > limits["rise"]
    decides, sentence = _one_run(unstable.all(axis=1))
    words = "; ".join(f"{m} {span(most[m], 2)}, above {limits['rise']:g} in {_of_seeds(unstable[m])}" for m in most)
    return (
        together(quantified(unstable[m]) for m in METHODS),
        decides,
        f"Largest rise of the test loss from one epoch to the next after epoch 3: {words}. {sentence}",
    )


def claim_5(world, limits):
    """A sharp narrowing makes it unstable."""
    runs = {"gradual": select(world["architectures-report"], net="784-200-2"), "sharp": world["narrowing"]}
    most = pd.concat({name: by_seed(own, "method", evidence.rise) for name, own in runs.items()}, axis=1)
    ends = pd.concat({name: by_seed(own, "method") for name, own in runs.items()}, axis=1)
    dead = ends >= world["levels"]["mean image"]
    tests, words, gaps = [], [], []  # tests: (method, p, the word that a small p gives)
    for m in METHODS:
        pair = [("gradual", m), ("sharp", m)]
        rises = " and ".join(span(most[name].dropna(), 2) for name in pair)
        words.append(f"{m} {rises}")
        both = ends[pair].notna().all(axis=1)
        gradual, sharp = (int((dead[a] & ~dead[b] & both).sum()) for a, b in (pair, pair[::-1]))  # dies, the other not
        if gradual + sharp:
            p = binomtest(sharp, gradual + sharp).pvalue
            tests.append((m, p, "holds" if sharp > gradual else "does not hold"))
            words[-1] += f" ({' and '.join(map(str, dead[pair].sum()))} runs fail, p {p:.2g})"
        alive = most[pair].where(~dead[pair]).dropna()
        if len(alive) > 1:
            row = paired(alive, [tuple(pair)]).iloc[0]
            tests.append((m, row.p, "holds" if row.difference < 0 else "does not hold"))
            gaps.append(f"{m} {row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f}, {row.seeds} pairs)")
    shown = holm([p for _, p, _ in tests]) < LEVEL
    decided = {}  # method -> word; a method's first test, of the runs that fail, comes before its second
    for (m, _, word), decides in zip(tests, shown, strict=True):
        if decides:
            decided.setdefault(m, word)
    return (
        together([decided.get(m, "open") for m in METHODS]),
        False,
        f"Largest rise after epoch 3, 784-200-2-200-784 and 784-2-2-2-784: {'; '.join(words)}. Differences, with 95 % "
        f"intervals, of pairs that both learn: {', '.join(gaps) or 'none'}. Beside the narrowing, the first net has "
        "200 units where the second has 2, on both sides of the code, so these runs cannot say how much of this is the "
        "narrowing's. The report's own two nets differ in depth and activation too.",
    )


def claim_6(world, limits):
    """784-2-784 is blurred because it has not converged."""
    own = select(world["architectures-report"], net="784-2")
    cured = np.mean([final(run) for run in select(world["architectures-repaired"], net="784-2")])
    ends = by_seed(own, "method")
    gap = ends["Adam"].mean() - cured
    cosine = [run for run in world["convergence"] if run.settings.epochs == AUTHOR["epochs"]]
    longer = [run for run in world["convergence"] if run.settings.epochs > AUTHOR["epochs"]]
    long = by_seed(longer, "method")["Adam"]
    gained = (ends["Adam"] - long).dropna()
    least = by_seed(cosine, "method")
    (time,) = paired({"long": long, "short": least["Adam"]}).itertuples()
    words = ", ".join(f"{m} {span(least[m], 2)}" for m in METHODS)
    epochs = longer[0].settings.epochs
    return (
        quantified(gained >= limits["share"] * gap),
        False,
        f"With the author's settings 784-2-784 ends at {span(ends, 2)}. On a cosine for {AUTHOR['epochs']} epochs: "
        f"{words}; with Adam for {epochs} epochs {span(long, 2)}. With an output bias, repaired, {cured:.2f}. So Adam "
        f"with a cosine and more time closes {span(100 * gained / gap, 0)} % of the gap of {gap:.2f}, seed by seed; "
        f"time alone, {epochs} epochs of a cosine less {AUTHOR['epochs']}, changes the loss by {time.difference:+.2f} "
        f"({time.low:+.2f} to {time.high:+.2f}). The author made no longer run.",
    )


def _speeds(runs):
    """Return the updates after which each run is first seen below each of ``LEVELS``: seed -> (method, level)."""
    own = {
        level: by_seed(runs, "method", lambda run, level=level: evidence.first_below(run, level)) for level in LEVELS
    }
    return pd.concat(own, axis=1)  # columns (level, method)


def _faster(runs):
    """Return whether Adam is below each level before each other method.

    Returns:
        The words of the six comparisons; whether one run says all six, (seeds,); the numbers in a sentence; and, level
        -> word, what each level says alone.
    """
    speeds = _speeds(runs)
    pairs = [((level, "Adam"), (level, m)) for level in LEVELS for m in ("SGD", "RMSprop")]
    table = paired(np.log(speeds), pairs)
    first = np.all([speeds[a] < speeds[b] for a, b in pairs], axis=0)
    times = "; ".join(f"{m} {', '.join(f'{speeds[level, m].median():,.0f}' for level in LEVELS)}" for m in METHODS)
    named = [
        f"{second} at {level} ({np.exp(-row.difference):.1f} times)"
        for row, ((level, _), (_, second)) in zip(table.itertuples(), pairs, strict=True)
        if row.so == "holds"
    ]
    levels = ", ".join(map(str, LEVELS))
    words = f"First below {levels} after so many updates (median): {times}. Adam is ahead, in pairs, of "
    alone = {level: together(paired(np.log(speeds), [p for p in pairs if p[0][0] == level])["so"]) for level in LEVELS}
    return list(table["so"]), first, words + (", ".join(named) or "none of them at any level") + ".", alone


def _with_one_level(words):
    """Return in a sentence which word a claim would get if Adam's speed were judged at one level: level -> word."""
    return "Judged at one level alone: " + ", ".join(f"{level}, {word}" for level, word in words.items()) + "."


def claim_7(world, limits):
    """On 784-200-2 the methods are about equal, and Adam is faster."""
    runs = select(world["architectures-report"], net="784-200-2")
    ends = by_seed(runs, "method")[list(METHODS)]
    table = paired(ends)
    near = together(alike(table, limits["near"]))
    faster, first, words, alone = _faster(runs)
    other = _with_one_level({level: together([near, word]) for level, word in alone.items()})
    decides, sentence = _one_run(first & (ends.max(axis=1) - ends.min(axis=1) < limits["near"]))
    return (
        together([near, together(faster)]),
        decides,
        f"Final losses: {', '.join(f'{m} {ends[m].mean():.2f}' for m in METHODS)}; differences, with 95 % intervals: "
        f"{_differences(table)}. {words} {other} {sentence}",
    )


def claim_8(world, limits):
    """SGD starts late with seven layers, and comes up with the others."""
    runs, start = world["architectures-report"], world["levels"]["mean image"] - limits["awake"]
    sgd = select(runs, method="SGD")
    woke = by_seed(sgd, "net", lambda run: evidence.waking([run], start)[0])
    deep, others = woke[NETS[2]], woke[list(NETS[:2])]
    late = (deep > limits["late"]) & (others <= limits["late"]).all(axis=1)
    ends = by_seed(select(runs, net=NETS[2]), "method")
    table = paired(ends, [("SGD", "Adam"), ("SGD", "RMSprop")])
    came = np.select(
        [table["high"] < limits["near"], table["low"] > limits["near"]], ["holds", "does not hold"], "open"
    )
    up = ends["SGD"] < ends[["Adam", "RMSprop"]].max(axis=1) + limits["near"]
    decides, sentence = _one_run(late & up)
    return (
        together([quantified(late), together(came)]),
        decides,
        f"SGD is first seen {limits['awake']:g} below the mean image's loss after {span(deep, 0)} epochs with seven "
        f"layers, after {span(others, 2)} with three and five: late in {_of_seeds(late)}. At the end, with seven "
        f"layers: {', '.join(f'{m} {ends[m].mean():.2f}' for m in METHODS)}; {_differences(table)}. {sentence} This "
        "is about what is seen, not about its cause.",
    )


def claim_9(world, limits):
    """On 784-400-200-2 Adam is faster and stable."""
    runs = select(world["architectures-report"], net="784-400-200-2")
    most = by_seed(runs, "method", evidence.rise)
    faster, first, words, alone = _faster(runs)
    stable = most["Adam"] <= limits["rise"]
    other = _with_one_level({level: together([word, quantified(stable)]) for level, word in alone.items()})
    decides, sentence = _one_run(first & stable)
    rises = "; ".join(f"{m} {span(most[m], 2)}" for m in METHODS)
    return (
        together([together(faster), quantified(stable)]),
        decides,
        f"{words} {other} Largest rise after epoch 3: {rises}; Adam's is no more than {limits['rise']:g} in "
        f"{_of_seeds(stable)}. {sentence}",
    )


def claim_10(world, limits):
    """SGD and Adam are better on 784-200-2, Adam and RMSprop on 784-400-200-2."""
    better = {"784-200-2": ("SGD", "Adam", "RMSprop"), "784-400-200-2": ("Adam", "RMSprop", "SGD")}
    ends = {net: by_seed(select(world["architectures-report"], net=net), "method") for net in better}
    both = pd.concat(ends, axis=1)
    pairs = [((net, named), (net, third)) for net, (*two, third) in better.items() for named in two]
    table = paired(both, pairs)
    decides, sentence = _one_run(np.all([both[a] < both[b] for a, b in pairs], axis=0))
    words = [
        f"{net}: {', '.join(f'{m} {both[net, m].mean():.2f}' for m in METHODS)}; "
        + _differences(paired(ends[net], [(named, third) for named in two]))
        for net, (*two, third) in better.items()
    ]
    p = ", ".join(f"{value:.2g}" for value in table["p (Holm)"])
    return (
        together(table["so"]),
        decides,
        f"Final losses, and differences with 95 % intervals, {len(both)} seeds. {'. '.join(words)}. p, corrected for "
        f"four: {p}. {sentence} The report's words are about pictures of one digit; these are losses on 10,000.",
    )


def claim_11(world, limits):
    """Adam is better on average."""
    words, tables, averages = [], {}, {}
    for name in ("architectures-report", "architectures-repaired"):
        averages[name] = pd.concat([by_seed(select(world[name], net=net), "method") for net in NETS]).groupby(level=0)
        averages[name] = averages[name].mean()[list(METHODS)]
        tables[name] = paired(averages[name], [("Adam", "SGD"), ("Adam", "RMSprop")])
        kind = "The author's settings" if name.endswith("report") else "Repaired, each method with its own step"
        means = ", ".join(f"{m} {averages[name][m].mean():.2f}" for m in METHODS)
        words.append(f"{kind}, {len(averages[name])} seeds: {means}; {_differences(tables[name])}")
    own, table = averages["architectures-report"], tables["architectures-report"]
    decides, sentence = _one_run(own["Adam"] < own[["SGD", "RMSprop"]].min(axis=1))
    return (
        together(table["so"]),
        decides,
        f"Final loss averaged over the three nets, differences with 95 % intervals. {words[0]}. {sentence} The "
        f"word rests on these runs. {words[1]}.",
    )


# -- lab 4 -------------------------------------------------------------------------------------------------------------

BEST = (100, 0.01)  # batch and step of the author's best


def _cells(world):
    """Return the final losses of "grid-report": a row a seed, a column for each (batch, step)."""
    return by_seed(world["grid-report"], lambda run: (run.settings.batch, run.settings.step))


def named(cell):
    """Return in words by what a (batch, step) differs from the author's best."""
    return f"step {cell[1]:g}" if cell[0] == BEST[0] else f"batch {cell[0]:,}"


def _those(cells, so, word):
    """Return in words the cells of which a comparison says this word."""
    return ", ".join(named(cell) for cell, one in zip(cells, so, strict=True) if one == word) or "none"


def claim_12(world, limits):
    """Step 0.01 and batch 100 are optimal."""
    cells = _cells(world)
    his = [(100, step) for step in AUTHOR["steps"]] + [(batch, 0.01) for batch in AUTHOR["batches"]]
    his = list(dict.fromkeys(his))
    near = [cell for cell in cells if cell not in his]
    own = paired(cells, [(BEST, cell) for cell in his if cell != BEST])
    table = paired(cells, [(BEST, cell) for cell in near])
    tried = {"batch": AUTHOR["batches"], "step": AUTHOR["steps"]}
    edges = [name for name, value in zip(tried, BEST, strict=True) if value in (min(tried[name]), max(tried[name]))]
    words = ", ".join(
        f"{named(cell)} {cells[cell].mean():.2f} ({-row.difference:+.2f}, {-row.high:+.2f} to {-row.low:+.2f})"
        for cell, row in zip(near, table.itertuples(), strict=True)
    )
    return (
        together([together(own["so"]), together(table["so"])]),
        not edges,
        f"Step 0.01 with batch 100 has {cells[BEST].mean():.2f} ({len(cells)} seeds); it is shown to be lower than "
        f"{(own['so'] == 'holds').sum()} of the author's {len(own)} other settings. Beside it, with the difference to "
        f"it and its 95 % interval: {words}. Shown to be higher: {_those(near, table['so'], 'holds')}; lower: "
        f"{_those(near, table['so'], 'does not hold')}. "
        f"Best at an edge of what the author tried: {' and '.join(edges) or 'neither'}.",
    )


def claim_13(world, limits):
    """The larger the batch the slower; a jump at 10,000."""
    runs, batches = select(world["grid-report"], step=0.01), AUTHOR["batches"]
    runs = [run for run in runs if run.settings.batch in batches]
    tables, words = {}, []
    for name, value in (("15 epochs", final), *((f"{k} updates", evidence.after(k)) for k in UPDATES)):
        losses = by_seed(runs, "batch", value).dropna(axis=1)  # of the batches that make so many
        tables[name] = paired(losses, list(itertools.pairwise(losses.columns)))["so"]
        words.append(f"after {name} each: " + ", ".join(f"{b:,}: {losses[b].mean():.1f}" for b in losses))
    shown = [
        f"{(so == 'holds').sum()} of {len(so)} after {name} ({(so == 'does not hold').sum()} lower)"
        for name, so in tables.items()
    ]
    leaps = by_seed(world["jumps"], "batch", evidence.leap)
    jumps = leaps[10_000] > limits["jump"]
    seen = np.array([evidence.rise(run) for run in select(runs, batch=10_000)]) > limits["jump"]
    others = ", ".join(f"{batch:,}: {int((leaps[batch] > limits['jump']).sum())}" for batch in leaps if batch < 10_000)
    return (
        together([*map(together, tables.values()), quantified(jumps)]),
        False,
        f"Mean test loss by batch, {'; '.join(words)}. Each next one shown to be higher: {', '.join(shown)}. At "
        f"10,000 the largest rise in one update, from update {evidence.LEAPS[0]} to {evidence.LEAPS[1]}, is "
        f"{span(leaps[10_000])}, above {limits['jump']:g} in {_of_seeds(jumps)}; from epoch to "
        f"epoch, as in his figure, it is seen in {int(seen.sum())}. At smaller batches, in the same "
        f"updates, so many seeds have one ({others}). The author compared one run of each after equally many epochs "
        "alone.",
    )


def claim_14(world, limits):
    """A finer search is not needed."""
    cells = _cells(world)
    near = [(100, 0.005), (100, 0.02), (50, 0.01), (200, 0.01)]
    table = paired(cells, [(cell, BEST) for cell in near])
    steps, batches = (sorted(AUTHOR[name]) for name in ("steps", "batches"))
    gaps = steps[-1] / steps[-2], batches[1] / batches[0]
    words = ", ".join(
        f"{named(cell)} {row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
        for cell, row in zip(near, table.itertuples(), strict=True)
    )
    so = alike(table, limits["alike"])
    return (
        together(so),
        max(gaps) <= 2,
        f"Final loss less that of step 0.01, batch 100 ({cells[BEST].mean():.2f}), with 95 % intervals, {len(cells)} "
        f"seeds: {words}. Shown not to matter: {_those(near, so, 'holds')}; to matter: "
        f"{_those(near, so, 'does not hold')}. The author's nearest step is a factor of {gaps[0]:.0f} away, the "
        f"nearest batch one of {gaps[1]:.0f}.",
    )


# -- lab 5 -------------------------------------------------------------------------------------------------------------


def claim_15(world, limits):
    """The objects cluster, and most other classes lie apart."""
    maps = world["maps"]
    found = maps[list(evidence.CLUSTERERS)]
    clustered = (found >= limits["found"]).any(axis=1)
    others = [digit for digit in range(10) if digit not in (3, 5)]
    worst = np.array([[_worst(row.confusion, digit) for digit in others] for row in maps.itertuples()])
    apart = (worst <= 100 * limits["guess"]).sum(axis=1)
    mean = np.mean([evidence.percent(table) for table in maps["confusion"]], axis=0)
    listed = sorted(((mean[a, b], a, b) for a in range(10) for b in range(10) if a != b), reverse=True)
    words = ", ".join(f"{a} as {b} {share:.0f} %" for share, a, b in listed if share > 100 * limits["guess"])
    aris = ", ".join(f"{name} {span(found[name], 2)}" for name in found)
    return (
        together([quantified(clustered), quantified(apart > len(others) / 2)]),
        False,
        f"{len(maps)} maps of the author's net. kNN names {span(100 * maps['accuracy'], 0)} % of the test digits "
        f"rightly (whoever guesses: 10 %). Adjusted Rand index of what is found without the digits: {aris}. Named "
        f"wrongly more often than by guessing (means): {words or 'none'}. Of the 8 digits beside 3 and 5 apart are "
        f"{span(apart, 0)}: more than half on {int((apart > len(others) / 2).sum())} of {len(maps)} maps. "
        f"{_same_reason(world)} The report shows one map, coloured by the digits, of images that its net was trained "
        "on.",
    )


def _same_reason(world):
    """Return in a sentence what runs say of "for the same reason", the likeness of digits: of 5 and 8 alone."""
    if not len(world["turned maps"]):
        return 'Whether others overlap "for the same reason" was not tried.'
    own, turned = (
        np.mean([evidence.overlaps(counts)[PAIRS.index((5, 8))] for counts in world[name]["confusion"]])
        for name in ("maps", "turned maps")
    )
    return (
        f'Whether others overlap "for the same reason" was tried for 5 and 8 alone: {own:.1f} % are taken for one '
        f"another as written, {turned:.1f} % where every 5 is turned."
    )


def _worst(counts, digit):
    """Return the largest percentage of this digit named as another, or of another named as it; 3 and 5 count too."""
    share = evidence.percent(counts)
    return max(np.delete(share[digit], digit).max(), np.delete(share[:, digit], digit).max())


def claim_16(world, limits):
    """3 and 5 overlap, because they are alike."""
    shares = [evidence.percent(table) for table in world["maps"]["confusion"]]
    named = np.array([[share[3, 5], share[5, 3]] for share in shares])
    overlap = quantified(named.max(axis=1) > 100 * limits["guess"])
    pairs = np.mean([evidence.overlaps(table) for table in world["maps"]["confusion"]], axis=0)
    place = 1 + int(np.sum(pairs > pairs[PAIRS.index((3, 5))]))
    words = (
        f"{span(named[:, 0], 0)} % of the threes are named 5, {span(named[:, 1], 0)} % of the fives 3 ({len(named)} "
        f"maps): place {place} of 45 pairs."
    )
    turned = world["turned maps"]
    if not len(turned):
        word = "open" if overlap == "holds" else overlap
        return word, False, f"{words} Their likeness alone was not changed in any run, so the reason stays open."
    both = {"turned": turned.set_index("seed")["confusion"], "as written": world["maps"].set_index("seed")["confusion"]}
    both = pd.concat(both, axis=1).dropna().map(lambda counts: evidence.overlaps(counts)[PAIRS.index((3, 5))])
    table = paired(both.assign(half=limits["halved"] * both["as written"]), [("turned", "half")])
    return (
        together([overlap, *table["so"]]),
        False,
        f"{words} Of 3 and 5 {both['as written'].mean():.1f} % are taken for one another as they are written, "
        f"{both['turned'].mean():.1f} % where every 5 is turned by a quarter and no other image is changed "
        f"({len(both)} pairs of maps). The report made no such test.",
    )


RULES = {number: globals()[f"claim_{number}"] for number in CLAIMS}
