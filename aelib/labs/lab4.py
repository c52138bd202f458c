"""Lab 4: a net that learns under two sliders, a small grid that grows, and the stored grids as pictures and tables."""

import functools
import math
from dataclasses import replace
from itertools import product

import numpy as np
from ipywidgets import Dropdown, SelectionSlider

from aelib.common import plots
from aelib.common.baselines import ladder
from aelib.common.settings import Settings
from aelib.common.tables import table
from aelib.datasets import load_mnist
from aelib.labs.live import draw_growing, grow
from aelib.study import figures
from aelib.study.results import tidy, whole_seeds
from aelib.trial.claims import AUTHOR, THRESHOLDS
from aelib.trial.compare import paired
from aelib.trial.evidence import LEAPS, early, leap, leap_update, rise, span
from aelib.widgets import Explorer, controls, picture

SMALL = Settings(decay=0.99, epochs=5)  # the net of the small grid: 784-200-2, Adam, 5,000 images
STEPS = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1)  # of the small grid
BATCHES = (20, 50, 100, 500)
BUDGETS = (("epoch", 33), *(("update", k) for k in (5000, 2000, 1000, 200, 100)))  # of the wide grid

# -- the net under two sliders -----------------------------------------------------------------------------------------


def live(mnist):
    """Return the Explorer that trains a net at a step and a batch; one curve against epochs and against updates."""
    few = mnist.test_images[::10]

    def compute(step, batch):
        run = Settings(decay=0.99, step=step, batch=batch, epochs=3)
        return grow(run, mnist.train_images, dict(loss=lambda model: model.loss(few)))

    def draw(figure, result, ghosts):
        for ax, x in zip(figure.subplots(1, 2, sharey=True), ("epoch", "update"), strict=True):
            draw_growing(ax, x, result, ghosts)
            ax.set_xlim(0, dict(epoch=3, update=150)[x])
            ax.set_title(f"against {x}s: {result['loss'][-1]:.2f}", fontsize="medium")

    return Explorer(
        compute, draw, (9.6, 3.4), ghosts=3, **controls.run_controls(Settings(step=0.01), ["step", "batch"])
    )


# -- the small grid: stored, and more of it on demand ------------------------------------------------------------------


@functools.cache
def _kept(name):
    """Return the curves of a stored small grid, settings -> dict of arrays; what is made later is put here too."""
    found = {}
    for run in whole_seeds(name):
        epoch = run.images / SMALL.images
        found[run.settings] = dict(update=run.update, epoch=epoch, loss=run.test_loss)
    return found


def losses(steps, batches, seeds, budget, held_out=False):
    """Return losses of the small grid at a moment, (steps, batches, seeds); runs that are not stored are made now.

    They do not need one another, so all cores share them, one BLAS thread each.

    Args:
        steps: learning rates.
        batches: batch sizes.
        seeds: of the runs.
        budget: ``("epoch", how many)`` or ``("update", how many)``.
        held_out: whether they are judged on the training images 50,001 to 60,000 instead of the test images.
    """
    kept = _kept("grid-small-held-out" if held_out else "grid-small")
    runs = [replace(SMALL, step=s, batch=b, seed=k) for s, b, k in product(steps, batches, seeds)]
    if todo := [run for run in runs if run not in kept]:
        from joblib import Parallel, delayed
        from tqdm.auto import tqdm

        mnist = load_mnist()
        X, judges = mnist.train_images[: SMALL.images], mnist.train_images[50_000:] if held_out else mnist.test_images
        made = Parallel(n_jobs=-1, return_as="generator")(delayed(_curve)(run, X, judges) for run in todo)
        kept.update(dict(zip(todo, tqdm(made, total=len(todo)), strict=True)))
    found = [_at(kept[run], budget) for run in runs]
    return np.reshape(found, (len(steps), len(batches), len(seeds)))


def _curve(run, X, judges):
    at = sorted({50, 3 * math.ceil(run.images / run.batch)})  # 50 updates, and 3 epochs
    return run.trace(X, at, dict(loss=lambda model: model.loss(judges))).arrays


def _at(curve, budget):
    """Return the loss of a curve at a moment that was logged; nan if it was not."""
    axis, amount = budget
    moment = np.flatnonzero(curve[axis] == amount)
    return curve["loss"][moment[0]] if moment.size else np.nan


def valley(x, losses, xlabel, tops):
    """Return the picture of losses over seeds, (values, seeds), against a hyperparameter, to the height of each top.

    Args:
        x: values of the hyperparameter.
        losses: (values, seeds); or a dict, title -> such an array, a panel each.
        xlabel: its name.
        tops: the upper ends of the panels' loss axes.
    """
    mnist = load_mnist()
    levels = ladder(mnist.train_images, mnist.test_images)
    panels = losses if isinstance(losses, dict) else {f"losses up to {top}": losses for top in tops}

    def draw(figure, panels):
        for ax, (title, values), top in zip(figure.subplots(1, len(panels)), panels.items(), tops, strict=True):
            count = values.shape[1]
            plots.curves(ax, {f"mean of {count} seeds": (x, values.mean(axis=1))}, xlabel, "half-SSE")
            ax.plot(x, values, plots.MARKERS[0], color=plots.LINES[0], markersize=4)
            ax.set(xscale="log", ylim=(18, top), title=title)
            ax.set_xticks(x, [f"{value:g}" for value in x], fontsize="small")
            ax.minorticks_off()
            plots.levels(ax, {name: levels[name] for name in ("mean image", "PCA-2") if levels[name] < top})

    return picture(draw, panels, size=(8.8, 3.2))


def chosen(seeds=(0, 1, 2)):
    """Return the table of what a choice on held-out images gives, and what a choice on the test images would claim."""
    cells = list(product(STEPS, BATCHES))
    held, test = (
        losses(STEPS, BATCHES, seeds, ("epoch", 3), held_out=h).reshape(-1, len(seeds)) for h in (True, False)
    )
    rows = []
    for k, seed in enumerate(seeds):
        best = held[:, k].argmin()
        (step, batch), most = cells[best], cells[test[:, k].argmin()]
        row = {"seed": seed, "chosen held out: step, batch": f"{step:g}, {batch}", "held out": held[best, k]}
        row |= {"on the test images": test[best, k], "least on the test images": test[:, k].min()}
        rows.append(row | {"its step, batch": f"{most[0]:g}, {most[1]}"})
    return table(rows, "24 cells, 3 epochs: half-SSE of the cell that is best on the images held out")


# -- the wide grid -----------------------------------------------------------------------------------------------------


@functools.cache
def wide():
    """Return the runs of the wide grid."""
    return whole_seeds("grid")


def at_moment(axis, amount):
    """Return the wide grid's mean test losses after so many epochs or updates: a ``DataFrame``, batch by step.

    Batches too large to have made so many updates are left out.

    Args:
        axis: ``"epoch"`` or ``"update"``.
        amount: how many.
    """
    moments = _moments()
    return moments[moments[axis] == amount].pivot_table("test_loss", "batch", "step")


@functools.cache
def _moments():
    return tidy(wide(), moments=True)


def best_steps():
    """Return the table of the best step of each batch after each of several budgets; "-": not so many updates made."""
    import pandas

    found = {f"{amount:,} {axis}s": at_moment(axis, amount).idxmin(axis=1) for axis, amount in BUDGETS}
    steps = pandas.DataFrame(found).map(lambda step: "-" if np.isnan(step) else f"{step:g}")
    return table(steps, "The step with the least mean test loss, by batch and budget (wide grid)")


def explore():
    """Return the Explorer of the wide grid: one cell's curve among its row and column, and the table at a budget."""
    curves = {}
    for (batch, step), runs in figures.groups(wide(), "batch", "step").items():
        loss = np.mean([run.test_loss for run in runs], axis=0)
        curves[batch, step] = dict(update=runs[0].update, epoch=runs[0].images / runs[0].settings.images, loss=loss)
    batches, steps = (sorted(set(values)) for values in zip(*curves, strict=True))

    def compute(step, batch, budget):
        shown = [[_at(curves[b, s], budget) for s in steps] for b in batches]
        return dict(curves=curves, cell=(batch, step), budget=budget, table=np.array(shown))

    chosen = dict(step=SelectionSlider(options=[(f"{s:g}", s) for s in steps], value=0.01))
    chosen["batch"] = SelectionSlider(options=[(f"{b:,}", b) for b in batches], value=100)
    budgets = {f"{amount:,} {axis}s": (axis, amount) for axis, amount in BUDGETS if (axis, amount) != ("update", 200)}
    return Explorer(compute, draw_cell, (9.6, 3.8), **chosen, budget=Dropdown(options=budgets))


def draw_cell(figure, result):
    """Draw one cell of a grid: its curve among those of its row and its column, and the table of losses.

    The best cell has an orange frame, the one chosen a white one; the cells of an L, those that the report's author
    tried, are outlined in black.

    Args:
        figure: an empty Figure.
        result: dict: ``curves``, (batch, step) -> dict of arrays ``epoch``, ``update`` and ``loss``; ``cell``, one of
            their keys; ``budget``, (``"epoch"`` or ``"update"``, how many); ``table``, the losses after it, (batches,
            steps) in ascending order.
    """
    curves, table, (axis, amount) = result["curves"], result["table"], result["budget"]
    batches, steps = (sorted(set(values)) for values in zip(*curves, strict=True))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    batch, step = result["cell"]
    for (b, s), curve in curves.items():
        if b == batch or s == step:
            left.plot(curve[axis], curve["loss"], color="0.75", linewidth=0.8)
    here = curves[batch, step]
    plots.curves(left, {"this cell": (here[axis], here["loss"])}, f"{axis}s", "test half-SSE, mean of the seeds")
    left.axvline(amount, color="0.5", linestyle="--", linewidth=0.8)
    left.set(xscale="log", ylim=(14, 100))
    plots.log_ticks(left, [15, 20, 30, 50, 90])
    i, j = batches.index(batch), steps.index(step)
    left.set_title(f"step {step:g}, batch {batch:,}: {table[i, j]:.2f}", fontsize="medium")
    names = [f"{s:g}" for s in steps]
    plots.grid(right, table, [f"{b:,}" for b in batches], names, "batch", "step", most=np.nanmin(table) + 5)
    right.tick_params(axis="x", labelsize="small")
    right.set_title(f"after {amount:,} {axis}s; black: what the author tried", fontsize="medium")
    for b, s in [(100, s) for s in AUTHOR["steps"]] + [(b, 0.01) for b in AUTHOR["batches"]]:
        if b in batches and s in steps:
            row, column = batches.index(b), steps.index(s)
            plots.frame(right, (row, row), (column, column), "black", "--")
    plots.frame(right, (i, i), (j, j), "white")


def shares(losses):
    """Return which part of the variance of log losses goes with the step alone, and with the batch alone.

    Args:
        losses: a ``DataFrame``, batch by step, without gaps.
    """
    logs = np.log(losses.to_numpy())
    return logs.mean(axis=0).var() / logs.var(), logs.mean(axis=1).var() / logs.var()


def searches(found, bins=24):
    """Return the picture of what searches of equal size find: a dict, name -> best losses of many searches."""

    def draw(figure, found):
        ax = figure.subplots()
        edges = np.linspace(min(map(min, found.values())), 24, bins)
        for k, (name, values) in enumerate(found.items()):
            form = dict(color=plots.LINES[k], linestyle=plots.STYLES[k], linewidth=2)
            ax.hist(np.minimum(values, 24), edges, histtype="step", label=name, **form)
        ax.set(xlabel="best loss of a search (24: that or more)", ylabel="searches")
        ax.legend()

    return picture(draw, found, size=(7.4, 3))


# -- seeds -------------------------------------------------------------------------------------------------------------


def small_cells(cells, seeds=(0, 1, 2), budget=("epoch", 3)):
    """Return test losses of cells of the small grid: a ``DataFrame``, a row a seed, a column "step, batch" a cell."""
    import pandas

    columns = {f"{s:g}, {b}": losses([s], [b], seeds, budget)[0, 0] for s, b in cells}
    return pandas.DataFrame(columns, index=pandas.Index(seeds, name="seed"))


def against(cells, best, caption):
    """Return the table of cells against one of them, in pairs of seeds: means, and differences with their intervals.

    Args:
        cells: ``DataFrame``, a row a seed, a column a cell.
        best: the column with which the others are compared.
        caption: of the table.
    """
    found = paired(cells, [(name, best) for name in cells.columns if name != best]).to_dict("records")
    rows = [{"step, batch": best, "mean": cells[best].mean(), "sd": cells[best].std()}]
    for one in sorted(found, key=lambda one: one["difference"]):
        name = one["first"]
        row = {
            "step, batch": name,
            "mean": cells[name].mean(),
            "sd": cells[name].std(),
            "difference": one["difference"],
        }
        row |= {"from": one["low"], "to": one["high"]}
        rows.append(row | {"told apart": "no" if one["lower"] == "not told apart" else "yes"})
    rows[0]["told apart"] = "compared with this"
    signs = dict.fromkeys(("difference", "from", "to"), "+.2f")
    columns = ("step, batch", "mean", "sd", *signs, "told apart")
    return table([{name: row.get(name) for name in columns} for row in rows], caption, digits=signs)


def report_cells():
    """Return the final test losses of the author's grids and of the neighbours of his best: a row a seed."""
    runs = tidy(whole_seeds("grid-report"))
    runs["cell"] = [f"{step:g}, {batch}" for step, batch in zip(runs["step"], runs["batch"], strict=True)]
    order = runs.drop_duplicates("cell").sort_values(["step", "batch"])["cell"]
    return runs.pivot(index="seed", columns="cell", values="loss")[list(order)]


def jumps():
    """Return the picture of the first updates with the author's settings: a panel a batch, a line a seed."""

    def draw(figure, panels):
        axes = figure.subplots(1, len(panels), sharey=True)
        for ax, (batch, runs) in zip(axes, panels.items(), strict=True):
            for k, run in enumerate(runs):
                ax.plot(*early(run), color=plots.LINES[k % len(plots.LINES)], linewidth=1)
            ax.set(title=f"batch {batch:,}", xlabel="update", ylim=(20, 70))
        axes[0].set_ylabel("test half-SSE, a line a seed")

    return picture(draw, figures.groups(whole_seeds("jumps"), "batch"), size=(11, 3.2))


def rises():
    """Return the table of the largest rises of the test loss by batch, author's settings, seen in two ways.

    In one update by "jumps", from epoch to epoch by "grid-report": runs of one plan, between which round-off grows.
    """
    limit, rows = THRESHOLDS["jump"].value, []
    whole = figures.groups(figures.select(whole_seeds("grid-report"), step=0.01), "batch")
    for batch, runs in figures.groups(whole_seeds("jumps"), "batch").items():
        most, seen = np.array([leap(run) for run in runs]), np.array([rise(run) for run in whole[batch]])
        where = np.array([leap_update(run) for run in runs])
        rows.append(
            {
                "batch": batch,
                "largest rise in one update": span(most),
                f"above {limit:g}": f"{(most > limit).sum()} of {len(most)}",
                "it is update": span(where[most > limit], 0) if (most > limit).any() else "-",
                "from epoch to epoch": span(seen),
                f"seen above {limit:g}": f"{(seen > limit).sum()} of {len(seen)}",
            }
        )
    first, last = LEAPS
    words = (
        f"Rises of the test loss: in one update, of updates {first} to {last}, and between ends of epochs, from epoch 3"
    )
    return table(rows, words)
