"""The report's claims as cards: ``card(number)`` has a claim, its verdict, and the runs on which that rests."""

from itertools import product

import numpy as np

from aelib.common import plots
from aelib.datasets import load_mnist
from aelib.study import figures
from aelib.study.figures import final, groups, select
from aelib.trial import evidence, rules
from aelib.trial.claims import AUTHOR, CLAIMS, THRESHOLDS, WORDS
from aelib.trial.compare import paired
from aelib.trial.rules import BEST, METHODS, NETS, STORED, by_seed, judge
from aelib.widgets.cards import PREDICTIONS, Card

_WIDE = (11.5, 4.8)
_REPORT = "architectures-report"


def card(number, path=PREDICTIONS):
    """Return the ``Card`` of a claim of the report: its verdict, and beside it pictures of the runs that decide it.

    Args:
        number: 1 to 16.
        path: the student's file of predictions.

    Raises:
        MissingResult, StaleResult, DamagedResult: as in ``aelib.study.results``: the runs are not stored.
    """
    return Card(CLAIMS[number], judge(number), *panels(number), words=WORDS, size=_WIDE, path=path)


def panels(number):
    """Return the evidence for a claim: tuples (function, *arguments); ``function(ax, *arguments)`` draws."""
    return _PANELS[number]()


# -- what is drawn -----------------------------------------------------------------------------------------------------


def dots(ax, values, ylabel, title, line=None):
    """Draw a column of dots for each name, a dot a seed, their mean as a bar, and a dashed line at a threshold."""
    for k, (name, column) in enumerate(values.items()):
        places = k + np.linspace(-0.15, 0.15, len(column)) if len(column) > 1 else [k]
        ax.plot(places, column, plots.MARKERS[k % 7], color=plots.LINES[k % 7], markersize=5, label=str(name))
        ax.plot([k], [np.mean(column)], "_", color="black", markersize=22)
    ax.set_xticks(range(len(values)), list(values), rotation=20, ha="right", fontsize="small")
    ax.set(ylabel=ylabel, title=title)
    if line is not None:
        ax.axhline(line, color="0.3", linestyle="--", linewidth=1)


def intervals(ax, table, names, xlabel, title, reach=None):
    """Draw rows of ``compare.paired``: mean difference and 95 % interval, a line at 0, a band of +-reach around it."""
    y = np.arange(len(table))[::-1]
    reaches = np.abs(table[["low", "high"]].to_numpy().T - table["difference"].to_numpy())
    ax.errorbar(table["difference"], y, xerr=reaches, fmt="o", color=plots.LINES[0], capsize=3)
    ax.axvline(0, color="black", linewidth=0.8)
    if reach:
        ax.axvspan(-reach, reach, color="0.92", zorder=0)
    ax.set_yticks(y, names, fontsize="small")
    ax.set(xlabel=xlabel, title=title, ylim=(-0.6, len(table) - 0.4))


def _seeds(runs):
    return f"{len({run.settings.seed for run in runs})} seeds"


# -- lab 2 -------------------------------------------------------------------------------------------------------------


def _accuracy(quantity, name):
    test = STORED["author's test"]
    errors = {f"{eps:.0e}": np.maximum(own[quantity], 1e-17) for eps, own in test.groupby("eps", sort=False)}

    def draw(ax):
        dots(ax, errors, f"relative error of {name}", "the author's test, 50 seeds, by the step of its judge", 1e-14)
        ax.set(yscale="log", xlabel="length of the complex step that judges; dashed: 1e-14")

    return [(draw,)]


def _truncation():
    test = STORED["author's test"]
    own = test[test["eps"] == AUTHOR["judge's step"]]

    def draw(ax):
        ax.plot(own["predicted"], own["difference"], "o", color=plots.LINES[0])
        ax.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
        ax.set(
            xlabel="eps^2 / 6 F'''[p, p, p]", ylabel="p . grad F less its judge", title="eps = 1e-8: the judge's error"
        )

    return [(draw,)]


def _gauss_newton():
    cosines = STORED["author's test"].drop_duplicates("seed")["cosine"]
    exact = {"Gp against J^T(Jp)/n": STORED["author's test"].drop_duplicates("seed")["Gp"]}

    def errors(ax):
        dots(ax, exact, "relative error", "the same products against J^T(Jp)/n", 1e-14)
        ax.set_yscale("log")

    return [(evidence.cosines, cosines, "the author's test, 50 seeds: a right Gp"), (errors,)]


# -- lab 3 -------------------------------------------------------------------------------------------------------------


def _curves(net, limits, methods=METHODS):
    own = select(STORED[_REPORT], net=net)
    named = {method: select(own, method=method) for method in methods}
    return figures.panel, named, f"stored: {net}, the author's settings", limits


def _rises(net):
    runs = select(STORED[_REPORT], net=net)
    most = by_seed(runs, "method", evidence.rise)
    limit = THRESHOLDS["rise"].value
    values = {method: most[method] for method in METHODS}
    return dots, values, "half-SSE", f"{net}: largest rise after epoch 3, {_seeds(runs)}", limit


def _differences(net, reach=None):
    runs = select(STORED[_REPORT], net=net)
    table = paired(by_seed(runs, "method")[list(METHODS)])
    names = [f"{row.first} - {row.second}" for row in table.itertuples()]
    return intervals, table, names, "difference of final losses", f"{net}: pairs of {_seeds(runs)}, 95 %", reach


def _narrowing():
    runs = {"200": select(STORED[_REPORT], net="784-200-2"), "2": STORED["narrowing"]}
    values, level = {}, STORED["levels"]["mean image"]
    for m, width in product(METHODS, runs):
        own = select(runs[width], method=m)
        learnt = [evidence.rise(run) for run in own if figures.final(run) < level]
        failed = f", {len(own) - len(learnt)} of {len(own)} fail" if len(learnt) < len(own) else ""
        values[f"{m}, 784-{width}-2{failed}"] = learnt or [np.nan]
    title = "five layers that narrow at once or gradually: runs that learn"
    return [(dots, values, "largest rise after epoch 3", title)]


def _convergence():
    own, repaired = (select(STORED[name], net="784-2") for name in (_REPORT, "architectures-repaired"))
    parts = {"the author's": own, "output bias": repaired}
    for epochs, runs in groups(STORED["convergence"], "epochs").items():
        parts[f"cosine, {epochs}"] = runs
    values = {f"{name}": [final(run) for run in select(runs, method="Adam")] for name, runs in parts.items()}
    return [
        _curves("784-2", (21, 26)),
        (dots, values, figures.LOSS, "784-2, Adam, at the end: a dot a seed"),
    ]


def _late():
    runs = {net: select(STORED[_REPORT], net=net, method="SGD") for net in NETS}
    return [(figures.panel, runs, "stored: SGD, the author's settings", (14, 28)), _differences(NETS[2])]


def _averages():
    shown = []
    for name, title in ((_REPORT, "the author's settings"), ("architectures-repaired", "repaired, own steps")):
        ends = [by_seed(select(STORED[name], net=net), "method") for net in NETS]
        mean = sum(ends) / len(ends)
        values = {method: mean[method] for method in METHODS}
        shown.append((dots, values, "mean of the three nets' losses", f"{title}, {len(mean)} seeds"))
    return shown


def _best_two():
    return [_differences(net) for net in NETS[1:]]


# -- lab 4 -------------------------------------------------------------------------------------------------------------


def _cells():
    return by_seed(STORED["grid-report"], lambda run: (run.settings.batch, run.settings.step))


def _grid_differences(chosen, reach=None):
    cells = _cells()
    table = paired(cells, [(cell, BEST) for cell in chosen])
    names = [rules.named(cell) for cell in chosen]
    title = f"loss minus that of step 0.01, batch 100; pairs of {len(cells)} seeds, 95 %"
    return intervals, table, names, "difference of final losses", title, reach


NEIGHBOURS = [(100, 0.003), (100, 0.005), (100, 0.02), (50, 0.01), (200, 0.01)]


def _optimal():
    steps = select(STORED["grid-report"], batch=100)
    named = {f"step {step:g}": own for step, own in sorted(groups(steps, "step").items())}
    return [(figures.panel, named, "batch 100, the author's settings", (15, 60)), _grid_differences(NEIGHBOURS)]


def _batches():
    runs = select(STORED["grid-report"], step=0.01)
    named = {f"batch {b:,}": own for b, own in sorted(groups(runs, "batch").items()) if b in AUTHOR["batches"]}
    early = STORED["jumps"]
    jumps = {f"{b:,}": [evidence.leap(run) for run in own] for b, own in sorted(groups(early, "batch").items())}
    first, last = evidence.LEAPS
    title = f"largest rise in one update, {first} to {last}, {_seeds(early)}"
    return [
        (figures.panel, named, "step 0.01, the author's settings", (15, 60)),
        (dots, jumps, "half-SSE, by batch", title, THRESHOLDS["jump"].value),
    ]


def _near():
    return [_grid_differences(NEIGHBOURS[1:], THRESHOLDS["alike"].value)]


# -- lab 5 -------------------------------------------------------------------------------------------------------------


def _clusters():
    mnist = load_mnist()
    labels = np.concatenate([mnist.train_labels, mnist.test_labels])
    run, maps = STORED["embedding-report"][0], STORED["maps"]
    found = {name: maps[name] for name in evidence.CLUSTERERS}
    return [
        (evidence.code_map, np.float32(run.codes), labels, "the author's net, seed 0: 70,000 codes"),
        (dots, found, "adjusted Rand index", f"the digits found again, {len(maps)} maps", THRESHOLDS["found"].value),
    ]


def _likeness():
    k = evidence.PAIRS.index((3, 5))
    named = {"as written": STORED["maps"], "every 5 turned": STORED["turned maps"]}
    shares = {name: [evidence.overlaps(c)[k] for c in maps["confusion"]] for name, maps in named.items() if len(maps)}
    counts = sum(STORED["maps"]["confusion"])
    return [
        (plots.confusion, counts, f"kNN on the codes, {len(STORED['maps'])} maps; % of each row"),
        (dots, shares, "% of 3 and 5 taken for one another", "a dot a map"),
    ]


_PANELS = {
    1: lambda: _accuracy("gradient", "p . grad F") + _truncation(),
    2: lambda: _accuracy("Hp", "Hp"),
    3: _gauss_newton,
    4: lambda: [_curves("784-2", (22.5, 26)), _rises("784-2")],
    5: _narrowing,
    6: _convergence,
    7: lambda: [_curves("784-200-2", (15, 27)), _differences("784-200-2", THRESHOLDS["near"].value)],
    8: _late,
    9: lambda: [_curves("784-400-200-2", (14, 27)), _rises("784-400-200-2")],
    10: _best_two,
    11: _averages,
    12: _optimal,
    13: _batches,
    14: _near,
    15: _clusters,
    16: _likeness,
}
