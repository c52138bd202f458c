"""Lab 3: a valley to walk in, nets that learn while one watches, and the stored runs as pictures and tables."""

import functools

import numpy as np
from ipywidgets import Dropdown, FloatSlider, IntSlider, SelectionSlider

from aelib.common import plots, settings
from aelib.common.baselines import ladder
from aelib.common.settings import Settings
from aelib.common.tables import table
from aelib.labs.live import draw_growing, grow
from aelib.optimizers import SGD
from aelib.study import figures
from aelib.study.results import whole_seeds
from aelib.study.runs import ten_digits
from aelib.train import train
from aelib.trial.compare import paired
from aelib.trial.evidence import rise, span
from aelib.trial.evidence import waking as waking_of
from aelib.widgets import Explorer, picture
from aelib.widgets.controls import run_controls

NETS = {name: settings.NETS[name] for name in ("784-2", "784-200-2", "784-400-200-2")}  # those of the report
METHODS = ("SGD", "RMSprop", "Adam")
START = (-10.0, 3.0)  # where every walk begins: along the floor of the valley, and up its wall
UPDATES = 200  # of a walk
_WEIGHTS = {"report": "the report's", "glorot": "Glorot's"}
_FAR = 1e9  # a walk that is farther away has flown apart

# -- the valley --------------------------------------------------------------------------------------------------------


def walk(optimizer, condition, turn=0, updates=UPDATES):
    """Let an optimizer walk down F = (a^2 / condition + b^2) / 2, from ``START``.

    Args:
        optimizer: new, of ``aelib.optimizers``.
        condition: the condition number: the wall (along b) is so many times as steep as the floor (along a).
        turn: degrees by which the valley is turned against the axes in which the optimizer works.
        updates: how many.

    Returns:
        dict: ``places``, (updates + 1, 2), in the valley's own coordinates (a, b), cut off where the walk flies apart;
        ``loss``, (updates + 1,); ``condition``; ``turn``.
    """
    curvature = np.array([1 / condition, 1.0])  # (2,)
    angle = np.deg2rad(turn)
    own = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # columns: the valley's axes
    theta, places = own @ np.array(START), [np.array(START)]
    for _ in range(updates):
        optimizer.step(theta, own @ (curvature * (own.T @ theta)))
        places.append(own.T @ theta)
        if np.abs(theta).max() > _FAR:
            break
    places = np.array(places)
    return dict(places=places, loss=places**2 @ curvature / 2, condition=condition, turn=turn)


def arrival(walked, share=1e-3):
    """Return the number of updates after which the loss of a walk is first this share of its start; inf if never."""
    there = walked["loss"] <= share * walked["loss"][0]
    return int(there.argmax()) if there.any() else np.inf


def draw_walk(figure, walked):
    """Draw a walk over the lines of equal loss (left) and how far it is from the minimum along either axis (right)."""
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    places, condition, angle = walked["places"], walked["condition"], np.deg2rad(walked["turn"])
    own = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    round_ = np.linspace(0, 2 * np.pi, 100)
    for level in walked["loss"][0] * np.array([0.01, 0.05, 0.2, 0.5, 1]):
        line = np.sqrt(2 * level) * np.array([np.sqrt(condition) * np.cos(round_), np.sin(round_)])
        left.plot(*(own @ line), color="0.75", linewidth=0.8, zorder=0)
    path = own @ np.clip(places, -100, 100).T
    left.plot(*path, "-", color=plots.LINES[0], linewidth=1)
    left.plot(*path, "o", color=plots.LINES[0], markersize=3)
    left.plot(0, 0, "*", color=plots.LINES[1], markersize=12, zorder=5)
    left.set(xlim=(-12, 6), ylim=(-9, 9) if walked["turn"] else (-6, 6), aspect="equal", title=_arrived(walked))
    left.set(xlabel="first parameter", ylabel="second parameter")
    for k, name in enumerate(("along the floor", "up the wall")):
        far = np.maximum(np.abs(places[:, k]), 1e-12)
        right.plot(far, color=plots.LINES[k], linestyle=plots.STYLES[k], label=name)
    right.set(yscale="log", ylim=(1e-6, 1e3), xlim=(0, UPDATES), xlabel="update", title="distance from the minimum")
    right.legend(loc="upper right")


def _arrived(walked):
    if np.abs(walked["places"][-1]).max() > _FAR:
        return "it flies apart"
    there = arrival(walked)
    return f"a thousandth of the first loss: {f'update {there}' if there < np.inf else f'not in {UPDATES} updates'}"


def _compute_valley(step, momentum, condition):
    return walk(SGD(step, momentum), condition)


def valley():
    """Return the Explorer of gradient descent with momentum in the valley."""
    return Explorer(
        _compute_valley,
        draw_walk,
        (9.2, 4),
        step=FloatSlider(value=1.9, min=0.05, max=3.9, step=0.05),
        momentum=FloatSlider(value=0.0, min=0.0, max=0.98, step=0.02),
        condition=SelectionSlider(options=[1, 2, 5, 10, 20, 50, 100], value=50),
    )


def _compute_methods(method, step, condition, turn):
    return walk(settings.OPTIMIZERS[method](step), condition, turn)


def methods():
    """Return the Explorer of the three methods in a valley that can be turned against the axes."""
    steps = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    return Explorer(
        _compute_methods,
        draw_walk,
        (9.2, 4),
        method=Dropdown(options=["RMSprop", "SGD", "Adam"]),
        step=SelectionSlider(options=steps, value=0.1),
        condition=SelectionSlider(options=[1, 2, 5, 10, 20, 50, 100], value=50),
        turn=IntSlider(value=0, min=0, max=90, step=5),
    )


def rates(rate, step=1.0, momenta=(0.0, 0.5, 0.9)):
    """Return the picture of a rate over the curvature, a line for each momentum.

    Args:
        rate: function (step, momentum, curvature) -> float, what the distance is multiplied by at an update.
        step: of all.
        momenta: the lines.
    """

    def draw(figure, lines):
        ax = figure.subplots()
        plots.curves(ax, lines, "curvature", "factor a update")
        ax.axhline(1, color="0.5", linewidth=0.8, linestyle="--")
        ax.set(xscale="log", ylim=(0, 1.3), title=f"step {step:g}: below the dashed line it comes nearer")

    curvature = np.geomspace(1e-3, 5, 300)
    lines = {f"momentum {mu:g}": (curvature, [rate(step, mu, c) for c in curvature]) for mu in momenta}
    return picture(draw, lines, size=(7, 3.2))


def averages(lines, title):
    """Return the picture of curves over the number of the update, name -> (updates,), from update 1."""

    def draw(figure, lines):
        ax = figure.subplots()
        plots.curves(ax, {name: (np.arange(1, len(y) + 1), y) for name, y in lines.items()}, "update t", "")
        ax.set(xscale="log", title=title)

    return picture(draw, lines, size=(7, 3))


# -- nets that learn while one watches ---------------------------------------------------------------------------------


def live(mnist):
    """Return the Explorer that trains a net on 5,000 digits whenever a control moves; the last three runs stay."""
    few, digits = mnist.test_images[::10], ten_digits(mnist)
    levels = {name: loss for name, loss in ladder(mnist.train_images, few).items() if name not in ("grey", "black")}

    def compute(**values):
        measure = dict(loss=lambda model: model.loss(few), output=lambda model: model.reconstruct(digits))
        return grow(Settings(**values), mnist.train_images, measure)

    def draw(figure, result, ghosts):
        top, bottom = figure.subplots(2, 1, height_ratios=[2.2, 1])
        draw_growing(top, "update", result, ghosts, levels)
        top.set_xlim(0, result["run"].updates)
        plots.image_rows(bottom, {"input": digits, "output": result["output"][-1]})

    return Explorer(compute, draw, (8.8, 5), ghosts=3, **run_controls(Settings(epochs=4), nets=NETS))


def updates_until(run, level, mnist, most=300):
    """Return the number of updates, counted in tens, after which a run's test loss is first below a level; inf: never.

    Args:
        run: ``Settings``.
        level: half-SSE on every tenth test image.
        mnist: the data.
        most: updates after which it is given up.
    """
    few, model = mnist.test_images[::10], run.model(mnist.train_images)
    for progress in train(model, run.part(mnist.train_images), run.optimizer(), run.epochs, run.batch, run.seed):
        if progress.update % 10 == 0 and model.loss(few) < level:
            return progress.update
        if progress.update >= most:
            break
    return np.inf


def saturated(mnist, updates=50):
    """Return the picture of ten digits, and of the output of the deepest net that Glorot's weights alone let die.

    SGD at step 0.01 without output bias: a run of ``causes``, seed 0, up to so many updates.
    """
    run = figures.select(stored("causes"), net="784-400-200-2", init="glorot", output_bias="none", seed=0)[0].settings
    digits, X = ten_digits(mnist), mnist.train_images
    found = run.trace(X, at=[updates], measure=dict(output=lambda model: model.reconstruct(digits)))

    def draw(figure, output):
        plots.image_rows(figure.subplots(), {"input": digits, f"update {updates}": output})

    return picture(draw, found.output[-1], size=(8, 1.8))


# -- stored runs -------------------------------------------------------------------------------------------------------


@functools.cache
def stored(name):
    """Return the stored results of an experiment: those of the seeds for which all of its runs are there."""
    return whole_seeds(name)


def both_sides():
    """Return the runs of the report's settings and the repaired ones, in one list."""
    return stored("architectures-report") + stored("architectures-repaired")


def convergence():
    """Return the Explorer of the stored runs: a net, an axis to count on, and which band of the seeds."""
    runs = both_sides()

    def draw(figure, result):
        figures.convergence(figure, figures.select(runs, net=result["net"]), x=result["axis"], spread=result["band"])

    axes = {label: x for x, label in figures.AXES.items()}
    menus = dict(net=list(NETS), axis=axes, band=list(figures.SPREADS))
    return Explorer(dict, draw, (9, 4.3), **{name: Dropdown(options=menu) for name, menu in menus.items()})


def at_epochs(init, epochs=(1, 5, 33)):
    """Return the table of median test losses at the ends of some epochs, and the range of the seeds at the last.

    Args:
        init: of the side: ``"report"`` or ``"glorot"``.
        epochs: which.
    """
    rows = []
    for (net, method), runs in figures.groups(figures.select(both_sides(), init=init), "net", "method").items():
        x, low, median, high = figures.bands(runs)
        row = dict(net=net, method=method, step=f"{runs[0].settings.step:g}")
        row |= {f"epoch {epoch}": median[x == epoch][0] for epoch in epochs}
        rows.append(row | dict(lowest=low[-1], highest=high[-1], seeds=len(runs)))
    side = {"report": "The report's settings", "glorot": "Repaired"}[init]
    return table(rows, f"{side}: median test loss over the seeds, and the range at the end")


def waking(level):
    """Return the table of the epochs after which SGD is first seen below a loss, with the report's settings.

    Args:
        level: half-SSE on the test images.
    """
    rows = []
    for net in NETS:
        runs = figures.select(stored("architectures-report"), net=net, method="SGD")
        rows.append({"net": net, "epochs": span(waking_of(runs, level)), "seeds": len(runs)})
    return table(rows, f"SGD with the report's settings: epochs until its test loss is first below {level:.2f}")


def plateau():
    """Return the table of losses after 200 updates of SGD, by start and net: which change wakes it?"""
    rows = {}
    for run in figures.select(stored("causes"), method="SGD"):
        own = run.settings
        bias = {"none": "none", "logit": "mean pixel"}[own.output_bias]
        rows.setdefault((_WEIGHTS[own.init], bias), {}).setdefault(own.net, []).append(figures.final(run))
    rows = [
        {"initial weights": init, "output bias": bias} | {net: span(losses[net]) for net in NETS}
        for (init, bias), losses in rows.items()
    ]
    return table(rows, "Half-SSE after 200 updates of SGD at step 0.01, lowest to highest of three seeds")


def blur():
    """Return the table of losses of 784-2 with Adam in which the output bias, the schedule or the time is changed."""
    rows = []
    short = figures.select(stored("causes"), net="784-2", method="Adam", step=0.01)
    runs = short + figures.select(stored("convergence"), method="Adam")
    for (bias, init, schedule, epochs), own in figures.groups(
        runs, "output_bias", "init", "schedule", "epochs"
    ).items():
        ends = [figures.final(run) for run in own]
        row = {"output bias": {"none": "none", "logit": "mean pixel"}[bias], "first weights": _WEIGHTS[init]}
        row |= {"schedule": schedule, "epochs": epochs, "mean": np.mean(ends), "lowest to highest": span(ends, 2)}
        rows.append(row | {"seeds": len(ends)})
    rows.sort(key=lambda row: (row["output bias"] != "none", row["epochs"]))
    return table(rows, "784-2 with Adam at step 0.01: half-SSE on the test images")


def rises(level):
    """Return the table of the largest rises of the loss of two nets of five layers, one of which narrows at once.

    Args:
        level: half-SSE above which a run that ends there has not learned.
    """
    runs = figures.select(stored("architectures-report"), net="784-200-2") + stored("narrowing")
    rows = []
    for (method, sizes), own in sorted(figures.groups(runs, "method", "sizes").items()):
        awake = [run for run in own if figures.final(run) < level]
        most = [rise(run) for run in awake]
        row = {"method": method, "net": "-".join(map(str, sizes)), "runs": len(own), "that learn": len(awake)}
        rows.append(row | {"mean of their largest rises": np.mean(most) if most else None})
        rows[-1]["lowest to highest"] = span(most, 2) if most else "-"
        ends = [figures.final(run) for run in own if not figures.final(run) < level]
        rows[-1]["the others end at"] = span(ends) if ends else "-"
    return table(rows, "Largest rise of the test loss from one epoch to the next after epoch 3, the report's settings")


def searched():
    """Return the runs of the search for each method's step on the report's three nets."""
    return [run for run in stored("tuning") if run.settings.net in NETS]


def search():
    """Return the picture of the search for each method's step: held-out loss against the step, a panel a net."""
    runs = searched()

    def draw(figure, search):
        for ax, (net, own) in zip(figure.subplots(1, len(search)), search.items(), strict=True):
            lines = {m: _steps(one) for m, one in figures.groups(own, "method").items()}
            plots.curves(ax, lines, "step size", "half-SSE, held out", markers=True)
            best = min(np.nanmin(losses) for _, losses in lines.values())
            ax.set(xscale="log", ylim=(best - 0.1, best + 2), title=net)

    return picture(draw, figures.groups(runs, "net"), size=(9.5, 3.4))


def _steps(runs):
    return np.transpose(sorted((run.settings.step, min(figures.final(run), 1e3)) for run in runs))


def steps_found():
    """Return the table of the search: a method's best step on a net, the best smaller and larger ones, the worst."""
    rows = []
    for (net, method), runs in figures.groups(searched(), "net", "method").items():
        steps, losses = _steps(runs)
        k = losses.argmin()
        beside = {"smaller": losses[:k].min(initial=np.inf), "larger": losses[k + 1 :].min(initial=np.inf)}
        row = {"net": net, "method": method, "best step": f"{steps[k]:g}", "loss": losses[k]}
        row |= {name: value if np.isfinite(value) else None for name, value in beside.items()}
        rows.append(row | {"worst step": f"{steps[losses.argmax()]:g}", "its loss": losses.max()})
    epochs = searched()[0].settings.epochs
    words = f"Held-out loss after {epochs} epochs at the best step, the best of the smaller and larger ones, the worst"
    return table(rows, words)


def seeds(net, init="report"):
    """Return the final losses of one side on one net, a row a seed, a column a method: a ``DataFrame``."""
    import pandas

    runs = figures.select(both_sides(), net=net, init=init)
    ends = figures.finals(runs, "method")
    index = pandas.Index(sorted({run.settings.seed for run in runs}), name="seed")
    return pandas.DataFrame({method: ends[method] for method in METHODS}, index=index)


def outputs(net):
    """Return the picture of the report's table 1 for one net: ten digits, and what each method's net makes of them."""

    def draw(figure, runs):
        rows = {"input": ten_digits(_mnist())}
        rows |= {f"{r.settings.method}: {figures.final(r):.2f}": r.pictures / 255 for r in runs}
        plots.image_rows(figure.subplots(), rows)

    return picture(draw, figures.select(stored("architectures-report"), net=net, seed=0), size=(8, 3.4))


def _mnist():
    from aelib.datasets import load_mnist

    return load_mnist()


def leads(init):
    """Return the table of Adam's leads before the other methods, net by net, in pairs of seeds; Holm over the six.

    Args:
        init: of the side: ``"report"`` or ``"glorot"``.
    """
    import pandas

    ends = pandas.concat({net: seeds(net, init) for net in NETS}, axis=1)  # columns (net, method)
    pairs = [((net, other), (net, "Adam")) for net in NETS for other in METHODS if other != "Adam"]
    rows = []
    for found in paired(ends, pairs).to_dict("records"):
        net, other = found["first"]
        row = {"net": net, "against": other, "seeds": found["seeds"]}
        row["Adam lower in"] = found["seeds"] - found["first lower in"]
        row |= {"lead of Adam": found["difference"], "from": found["low"], "to": found["high"]}
        row |= {"p (Holm)": found["p (Holm)"], "lower": "not told apart"}
        if found["lower"] != "not told apart":
            row["lower"] = "Adam" if found["difference"] > 0 else other
        rows.append(row)
    side = {"report": "The report's settings", "glorot": "Repaired, each method with a step of its own"}[init]
    words = "how much lower Adam ends, mean of pairs of seeds, 95 % interval"
    return table(rows, f"{side}: {words}", digits={"p (Holm)": ".2g", "lead of Adam": 3, "from": 3, "to": 3})
