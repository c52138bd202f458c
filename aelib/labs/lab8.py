"""Lab 8: a rule under a slider, all verdicts as a chart, kinds of error as a table, and how far the nets go."""

import functools

import numpy as np
from ipywidgets import Dropdown, FloatSlider

from aelib.common import plots
from aelib.common.tables import table
from aelib.study import figures
from aelib.study.averaging import HORIZONS
from aelib.study.experiments import AUTHOR, AVERAGED, CONSTANT
from aelib.study.results import MissingResult, load, whole_seeds
from aelib.trial.claims import CLAIMS, WORDS, Verdict
from aelib.trial.compare import quantified
from aelib.trial.evidence import epoch_ends, rise
from aelib.trial.rules import judge
from aelib.widgets import Explorer, picture
from aelib.widgets.cards import predictions

NETS = ("784-2", "784-200-2", "784-400-200-2")
METHODS = ("SGD", "RMSprop", "Adam")
COLORS = {"holds": "#009E73", "holds in part": "#E69F00", "does not hold": "#D55E00", "open": "#999999"}

SAW = "what it measured or saw"
CONCLUDED = "what it concluded"
KINDS = {  # how we read the report's sentences: which describe, and which explain, generalise or advise
    SAW: (1, 2, 4, 7, 8, 9, 10, 13, 15),
    CONCLUDED: (3, 5, 6, 11, 12, 14, 16),
}
WAYS = (  # (kind of gap, claims, what the report had, what decides it)
    ("a judge that is coarser than what it judges", (1, 2), "a complex step of 1e-8", "the same with a smaller step"),
    ("a number about something else", (3,), "a cosine of Gp with Hp", "Gp against J^T (J p) / n"),
    ("a word without a measure", (4, 7, 9), "unstable, stable, faster", "a threshold, written down before"),
    ("one run of each", (8, 10, 11), "one seed", "several seeds, in pairs"),
    ("one budget", (13,), "losses after equally many epochs", "losses after equally many updates too"),
    ("a cause that was not varied alone", (5, 6, 16), "two things seen together", "a run with that one thing changed"),
    ("an edge, and no neighbours", (12, 14), "best values at the edge of a coarse grid", "the values beside them"),
    (
        "judged on what was learned",
        (15,),
        "a map of training images, coloured by digit",
        "other images, and a clusterer",
    ),
)

# -- a rule under a slider ---------------------------------------------------------------------------------------------


@functools.cache
def _report():
    return whole_seeds("architectures-report")


def compute_rule(net, limit):
    """Return what a threshold makes of the stored runs of a net with the report's settings.

    Args:
        net: its name.
        limit: a run whose test loss rises by more than this from one epoch to the next, after epoch 3, is unstable.

    Returns:
        dict: ``curves``, method -> (seeds, epochs), test losses at the ends of epochs 1 to 33; ``rises``, method ->
        (seeds,); ``words``, method -> the verdict on "it is unstable"; ``limit``.
    """
    curves, rises, words = {}, {}, {}
    for method in METHODS:
        runs = figures.select(_report(), net=net, method=method)
        curves[method] = epoch_ends(runs, 1, runs[0].settings.epochs)
        rises[method] = np.array([rise(run) for run in runs])
        words[method] = quantified(rises[method] > limit)
    return dict(curves=curves, rises=rises, words=words, limit=limit)


def draw_rule(figure, result):
    """Draw the curves (left), and the largest rise of each run against the threshold, with the words (right)."""
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    ends = np.concatenate([curves[:, 2:] for curves in result["curves"].values()])
    for k, (method, curves) in enumerate(result["curves"].items()):
        form = dict(color=plots.LINES[k], linestyle=plots.STYLES[k], linewidth=0.9)
        for i, curve in enumerate(curves):
            left.plot(range(1, len(curve) + 1), curve, label="" if i else method, **form)
        rises = result["rises"][method]
        places = k + np.linspace(-0.2, 0.2, len(rises))
        right.plot(places, rises, plots.MARKERS[k], color=plots.LINES[k])
        right.text(k, 3.05, result["words"][method], ha="center", va="bottom", fontweight="bold", fontsize="small")
    left.set(xlabel="epoch", ylabel="test half-SSE", ylim=(ends.min() - 0.3, ends.max() + 0.3), title="a line a seed")
    left.legend(fontsize="small")
    right.axhline(result["limit"], color="black", linestyle="--", linewidth=1)
    right.set_xticks(range(len(METHODS)), METHODS)
    right.set(ylim=(-0.3, 3.4), xlim=(-0.6, 2.6), ylabel="largest rise after epoch 3", title='"it is unstable"')


def rule():
    """Return the Explorer of the rule of claims 4 and 9: when is a method unstable?"""
    limit = FloatSlider(value=0.5, min=0.05, max=3.0, step=0.05)
    return Explorer(compute_rule, draw_rule, (9.4, 3.8), net=Dropdown(options=NETS), limit=limit)


# -- the verdicts ------------------------------------------------------------------------------------------------------


@functools.cache
def verdicts():
    """Return the verdict on each claim, a dict by number; one whose runs are not stored is open, and says so."""
    return {number: _judged(number) for number in CLAIMS}


def _judged(number):
    try:
        return judge(number)
    except MissingResult as missing:
        return Verdict("open", "no", CLAIMS[number].rule, f"Its runs are not stored: {missing}")


def chart():
    """Return the picture of all verdicts: a row a claim, sorted into what the report saw and what it concluded."""

    def draw(figure, found):
        for ax, (kind, numbers) in zip(figure.subplots(1, 2), KINDS.items(), strict=True):
            for row, number in enumerate(numbers):
                verdict = found[number]
                color, y = COLORS[verdict.so], -row
                ax.barh(y, 1, height=0.8, color=color, alpha=0.85)
                ax.text(0.03, y, f"{number}. {_SHORT[number]}", va="center", fontsize="small")
                ax.text(1.03, y, verdict.so, va="center", fontsize="small", fontweight="bold")
                ax.text(1.52, y, f"shown: {verdict.shown}", va="center", fontsize="small")
            ax.set(xlim=(0, 1.95), ylim=(-9, 0.8))
            ax.set_title(kind, loc="left")
            ax.set_axis_off()

    return picture(draw, verdicts(), size=(11, 4.2))


_SHORT = {
    1: "the gradient is right to 1e-14",
    2: "Hp is right to 1e-14",
    3: "Gp is not accurate",
    4: "methods unstable on 784-2",
    5: "since it narrows sharply",
    6: "blurred, not converged",
    7: "784-200-2: equal, Adam faster",
    8: "seven layers: SGD starts late",
    9: "seven layers: Adam fast, stable",
    10: "which two are better where",
    11: "Adam is better on average",
    12: "step 0.01, batch 100 optimal",
    13: "large batch: slow, and a jump",
    14: "no finer search is needed",
    15: "objects cluster, lie apart",
    16: "3 and 5 overlap, being alike",
}


def counted():
    """Return the table of how many claims got which word, of those that describe and of those that conclude."""
    rows = []
    for kind, numbers in KINDS.items():
        words = [verdicts()[number].so for number in numbers]
        row = {"sentences that say": kind} | {word: words.count(word) for word in WORDS}
        rows.append(row | {"shown by its evidence": sum(verdicts()[number].shown == "yes" for number in numbers)})
    return table(rows, "How many of the sixteen claims got which word")


def gaps():
    """Return the table of the kinds of gap between claim and evidence, with the claims and their words."""
    rows = []
    for gap, numbers, had, decides in WAYS:
        words = [f"{n} ({verdicts()[n].so})" for n in numbers if verdicts()[n].shown == "no"]
        if not words:
            continue
        words = ", ".join(words)
        rows.append({"the gap": gap, "claims, and are they so?": words, "the report had": had, "what decides": decides})
    return table(rows, "Why the evidence did not show it, and what would have")


def guesses():
    """Return the table of the student's predictions beside those of readers who always say one word."""
    known = predictions()
    right = sum(known[number] == verdict.so for number, verdict in verdicts().items() if number in known)
    rows = [{"reader": "you", "predicted": len(known), "right": right}]
    for word in WORDS:
        count = sum(verdict.so == word for verdict in verdicts().values())
        rows.append({"reader": f'always "{word}"', "predicted": len(CLAIMS), "right": count})
    return table(rows, "Predictions that came true")


# -- both sides, and how far the nets go -------------------------------------------------------------------------------


def seven(net="784-400-200-2"):
    """Return the final losses of the three methods on a net, side -> method -> (seeds,)."""
    sides = {"the report's settings": "architectures-report", "repaired, own steps": "architectures-repaired"}
    return {side: figures.finals(figures.select(whole_seeds(name), net=net), "method") for side, name in sides.items()}


def dots(panels):
    """Return the picture of losses, a dot a seed: panel -> name -> (seeds,)."""
    return picture(draw_dots, panels, size=(10, 3.8))


def draw_dots(figure, panels):
    """Draw losses, panel -> name -> (seeds,), a dot each, and their mean as a bar; an axis holds all its dots."""
    for ax, (title, values) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for k, column in enumerate(values.values()):
            places = k + np.linspace(-0.15, 0.15, len(column)) if len(column) > 1 else [k]
            ax.plot(places, column, plots.MARKERS[k % 7], color=plots.LINES[k % 7], markersize=5)
            ax.plot([k], [np.mean(column)], "_", color="black", markersize=24)
        names = [name.replace(", ", ",\n") for name in values]
        ax.set_xticks(range(len(values)), names, fontsize="small")
        ax.set(title=title, ylabel="test half-SSE, a dot a seed", xlim=(-0.5, len(values) - 0.5))
        ax.margins(y=0.1)


def ways(net):
    """Return the final test losses of a net trained in several ways, name -> (seeds,).

    The mean is of theta over the end of a run with a constant step. It has the step and the horizon, and the cosine has
    the step, that were best in whole runs.
    """
    adam, horizon = dict(net=net, method="Adam"), HORIZONS.index(AVERAGED[net][1])
    cosine = whole_seeds("architectures-repaired") if net in AUTHOR else whole_seeds("embedding")
    constant = figures.select(whole_seeds("averaging"), **adam)
    found = {
        "the report's": [figures.final(run) for run in figures.select(_report(), **adam)],
        "cosine": [figures.final(run) for run in figures.select(cosine, **adam)],
        "constant": [figures.final(run) for run in constant],
        "constant, mean": [run.averages[-1, horizon] for run in constant],
        "K-FAC": [run.loss[-1] for run in whole_seeds("arena-full") if run.run.net == net],
    }
    return {name: np.array(ends, float) for name, ends in found.items() if ends}


def trials():
    """Return the table of the trials of a cosine, a constant step and its means: held-out losses."""
    nets, rows, means = list(CONSTANT), {}, [f"mean of the last {horizon:.0%}" for horizon in HORIZONS]
    for run in load("tuning") + load("averaging-tuning"):
        own = run.settings
        if own.net not in nets or own.method != "Adam":
            continue
        empty = {"net": own.net, "step": f"{own.step:g}"} | dict.fromkeys(("cosine", "constant", *means))
        row = rows.setdefault((nets.index(own.net), own.step), empty)
        row[own.schedule], epochs = figures.final(run), own.epochs
        if own.schedule == "constant":
            row |= zip(means, run.averages[-1], strict=True)
    words = f"Trials of Adam, {epochs} epochs: half-SSE on 10,000 images held out, one seed"
    return table([row for _, row in sorted(rows.items())], words)


def kfac_trials():
    """Return the table of the trials of K-FAC on batches: held-out losses."""
    rows = []
    for race in whole_seeds("arena-full-tuning"):
        damping, _, batch = race.run.options
        rows.append({"damping": f"{damping:g}", "batch": int(batch), "held out": race.loss[-1]})
    rows.sort(key=lambda row: (row["batch"], row["damping"]))
    return table(rows, "Trials of K-FAC, as many gradients as 12 epochs: half-SSE on 10,000 images held out")
