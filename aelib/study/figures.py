"""The report's figures 2-6 and table 1 from the study's stored results: python -m aelib.study figures.

``select``, ``groups``, ``finals`` and ``bands`` are pure functions of lists of ``Result``. Those that draw take
an empty matplotlib Figure and results: ``picture(partial(figures.convergence, x="updates"), results)`` in a lab. Losses
are half-SSE per image on the test images. A line is the median over seeds, its band their whole range (or quartiles);
the legend gives both at the end of training, and names what diverged.
"""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from aelib.common import plots
from aelib.common.baselines import ladder
from aelib.datasets import fingerprint_in_force, load_mnist
from aelib.study.results import MissingResult, load, whole_seeds
from aelib.study.runs import ten_digits

AXES = {
    "epochs": "epochs",
    "updates": "updates (logarithmic)",
    "images": "images used, with repetition",
    "gradients": "gradient-equivalents (gradients of all training images)",
    "seconds": "seconds of training on one core",
}
SPREADS = {"min-max": (0, 100), "quartiles": (25, 75)}
LOSS = "half-SSE on test images"


def select(results, **values):
    """Return the results whose settings have all these values, in order: ``select(results, net="784-2", seed=0)``."""
    return [r for r in results if all(getattr(r.settings, name) == value for name, value in values.items())]


def groups(results, *names):
    """Return the results in lists by these fields of their settings: a dict, its keys values, or tuples of several."""
    found = {}
    for result in results:
        key = tuple(getattr(result.settings, name) for name in names)
        found.setdefault(key[0] if len(names) == 1 else key, []).append(result)
    return found


def final(result):
    """Return the test loss at the end of a run; inf where the run diverged."""
    return float(result.test_loss[-1]) if result.status == "done" else np.inf


def finals(results, *names):
    """Return the final losses in arrays, (seeds,), by these fields of their settings: a dict as from ``groups``."""
    return {key: np.array([final(run) for run in runs]) for key, runs in groups(results, *names).items()}


def position(result, x="epochs"):
    """Return where a run's logged moments stand on an axis of ``AXES``, (moments,).

    A gradient-equivalent is the cost of one gradient over all training images of the run. SGD, RMSprop and Adam take
    one gradient of every image in an epoch, so for them it is one epoch. No such axis: ValueError.
    """
    if x not in AXES:
        raise ValueError(f"there is no axis {x!r}: expected one of {', '.join(AXES)}")
    if x in ("epochs", "gradients"):
        return result.images / result.settings.images
    return result.arrays["update" if x == "updates" else x]


def bands(results, x="epochs", spread="min-max"):
    """Return the band of one training repeated over seeds, moment by moment.

    A run that diverged counts up to its last moment logged. Seconds are the median over the seeds.

    Args:
        results: runs whose settings differ in the seed alone.
        x: a key of ``AXES``.
        spread: a key of ``SPREADS``: between which percentiles over the seeds the band lies.

    Returns:
        x, low, median, high: four arrays, (moments,).

    Raises:
        ValueError: there is no run, the settings differ in more than the seed, or there is no such axis or spread.
    """
    rest = {replace(r.settings, seed=0) for r in results}
    if len(rest) != 1:
        raise ValueError(f"a band is over runs that differ in the seed alone: got {len(rest)} settings")
    if spread not in SPREADS:
        raise ValueError(f"there is no spread {spread!r}: expected one of {', '.join(SPREADS)}")
    shape = len(results), max(len(r.update) for r in results)
    if shape[1] == 0:
        return (np.empty(0),) * 4  # all diverged at once
    places, values = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, result in enumerate(results):
        places[i, : len(result.update)] = position(result, x)
        values[i, : len(result.update)] = result.test_loss
    whole = not np.isnan(values).any()
    percentile, median = (np.percentile, np.median) if whole else (np.nanpercentile, np.nanmedian)  # far slower
    low, high = percentile(values, SPREADS[spread], axis=0)
    return median(places, axis=0), low, median(values, axis=0), high


def label(name, results):
    """Return a line's name in the legend: median and range of the final losses, and how many runs diverged."""
    losses = np.array([final(run) for run in results])
    ended, lost = losses[np.isfinite(losses)], np.isinf(losses).sum()
    name += f": {np.median(ended):.2f}" if ended.size else ""
    name += f" [{ended.min():.2f}, {ended.max():.2f}]" if ended.size > 1 else ""
    return name + (f", {lost} of {losses.size} diverged" if lost else "")


def reference():
    """Return the reference ladder of ``baselines.ladder`` on the data set in force, computed once for each."""
    return _ladder(fingerprint_in_force())


@functools.cache
def _ladder(fingerprint):
    mnist = load_mnist()
    return ladder(mnist.train_images, mnist.test_images)


def panel(ax, named, title, limits, x="epochs", spread="min-max", levels=None):
    """Draw the bands of repeated runs over the reference ladder.

    Args:
        ax: Axes.
        named: dict, name -> runs that differ in the seed alone.
        title: of the Axes; a second line says what line and band are.
        limits: lower and upper end of the loss axis. What ends above it stands in the legend.
        x: a key of ``AXES``.
        spread: a key of ``SPREADS``.
        levels: the reference ladder, name -> loss; that of all MNIST by default.
    """
    lines = {label(name, runs): bands(runs, x, spread) for name, runs in named.items()}
    many = dict(ncols=2, fontsize="x-small", columnspacing=1) if len(named) > 3 else {}
    plots.bands(ax, lines, AXES[x], LOSS, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=5, **many)
    levels = reference() if levels is None else levels
    plots.levels(ax, {name: loss for name, loss in levels.items() if limits[0] < loss < limits[1]})
    counts = sorted({len(runs) for runs in named.values()})
    seeds = "1 seed" if counts == [1] else f"median and {spread} of {' or '.join(map(str, counts))} seeds"
    ax.set_title(f"{title}\n{seeds}", fontsize="medium")
    ax.set_ylim(limits)
    if x == "updates":
        ax.set_xscale("log")
    else:
        ax.set_xlim(left=0)


def convergence(figure, results, top=30.0, **options):
    """Draw figure 2, 3 or 4: the three methods on one net, with the report's settings (left) and repaired (right).

    Args:
        figure: an empty Figure.
        results: runs of one net, of "architectures-report", "architectures-repaired" or both.
        top: upper end of the loss axis.
        **options: ``x``, ``spread`` and ``levels`` of ``panel``.
    """
    sides = groups(results, "init")
    bottom = min((final(run) for run in results if run.status == "done"), default=top / 2) - 0.6
    axes = figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    for ax, (init, runs) in zip(axes, sides.items(), strict=True):
        named = {f"{method}, step {step:g}": own for (method, step), own in groups(runs, "method", "step").items()}
        what = "the report's settings" if init == "report" else "repaired, steps tuned"
        panel(ax, named, f"{runs[0].settings.net}, {what}", (bottom, top), **options)
        ax.label_outer()


def grids(figure, results, step=0.01, batch=100, **options):
    """Draw figure 5: different step sizes (left) and batch sizes (right), on a logarithmic loss axis.

    Args:
        figure: an empty Figure.
        results: runs of "grid".
        step: step size of the runs on the right.
        batch: batch size of the runs on the left.
        **options: ``x``, ``spread`` and ``levels`` of ``panel``.
    """
    axes = figure.subplots(1, 2, sharey=True)
    cases = [("step", "batch", batch), ("batch", "step", step)]
    for ax, (name, fixed, value) in zip(axes, cases, strict=True):
        runs = select(results, **{fixed: value})
        named = {f"{name} {key:g}": own for key, own in sorted(groups(runs, name).items())}
        title = f"{results[0].settings.net}, {results[0].settings.method}, {fixed} {value:g}"
        panel(ax, named, title, (14, 110), **options)
        plots.log_ticks(ax, (15, 20, 30, 50, 100))
        ax.label_outer()


def embedding(figure, results, outside=1.0):
    """Draw figure 6: the stored 2-D codes, a map for each run, coloured by digit.

    Args:
        figure: an empty Figure.
        results: runs of "embedding", with their codes of all 70,000 images, training images first.
        outside: percentage of the images left out of view, at most, at either end of either axis.
    """
    mnist = load_mnist()
    labels = np.concatenate([mnist.train_labels, mnist.test_labels])
    for ax, result in zip(figure.subplots(1, len(results), squeeze=False)[0], results, strict=True):
        codes = result.codes.astype(np.float32)
        limits = np.percentile(codes, [outside, 100 - outside], axis=0).T.ravel()
        plots.codes(ax, codes, labels, size=1.0, fontsize="small", limits=limits)
        title = f"{result.settings.net}, seed {result.settings.seed}: {result.test_loss[-1]:.2f}"
        ax.set_title(f"{title}\n{len(codes):,} images, {outside:g} % cut off at each edge", fontsize="medium")


def inputs_outputs(figure, results):
    """Draw table 1: ten test images, and what the net of each run makes of them that keeps its pictures."""
    rows = {"input": ten_digits(load_mnist())}
    for result in results:
        rows[f"{result.settings.net}\n{result.settings.method}: {final(result):.2f}"] = result.pictures / 255
    plots.image_rows(figure.subplots(), rows)


def _given(name, folder):
    """Return the results of an experiment: all, or those of the seeds that are whole; what is missing is printed."""
    try:
        return load(name, folder)
    except MissingResult as missing:
        print(missing)
        return whole_seeds(name, folder)


def draw_all(folder, results=None):
    """Draw every figure from the stored results alone and print what is drawn; return the paths of the PNG files.

    A figure of whose experiment nothing is stored is left out.

    Args:
        folder: where the pictures go; made if need be.
        results: folder of the stored results; ``results_folder()`` by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    architectures = _given("architectures-report", results) + _given("architectures-repaired", results)
    pictures = {
        f"figure-{k}.png": (convergence, select(architectures, net=net), (11, 5))
        for k, net in enumerate(("784-2", "784-200-2", "784-400-200-2"), 2)
    }
    pictures["figure-5.png"] = grids, _given("grid", results), (11, 6)
    pictures["figure-6.png"] = embedding, select(_given("embedding", results), seed=0), (12, 4.5)
    pictures["table-1.png"] = inputs_outputs, [run for run in architectures if "pictures" in run.arrays], (8, 6.5)
    folder, paths = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, (draw, own, size) in pictures.items():
        if own:
            figure = Figure(figsize=size, dpi=100, layout="constrained")
            FigureCanvasAgg(figure)
            draw(figure, own)
            figure.savefig(folder / name)
            paths.append(folder / name)
            print(folder / name)
    return paths
