"""What labs 4 and 7 show: functions (figure, result) that draw on an empty Figure, and the leap in numbers."""

from typing import NamedTuple

import numpy as np

from aelib.common import plots
from aelib.study.figures import groups
from aelib.study.probes import WAYS, bound

COLUMNS = ("update", "gradients", "seconds", "loss")  # of a race
_CALM = 15  # updates after which the loss has come down, and a rise is a leap


class Leap(NamedTuple):
    """The largest rise of the loss along one update, after the first 15, of a run that keeps ``segments``.

    Attributes:
        update: its number.
        before: loss of its batch where it starts.
        after: and where it ends.
        start: curvature along it / bound where it starts.
        end: and where it ends.
        largest: largest eigenvalue of P^-1 H / bound where it starts.
        calm: number of updates after the first 15 that start with a largest eigenvalue above the bound and along which
            the loss falls.
        early: largest rise along one of the first 15 updates.
    """

    update: int
    before: float
    after: float
    start: float
    end: float
    largest: float
    calm: int
    early: float

    def __str__(self):
        return (
            f"update {self.update}, loss {self.before:.1f} to {self.after:.1f}, along {self.start:.2f} to "
            f"{self.end:.2f}, largest {self.largest:.2f}; above 1 and calm {self.calm}; early rise {self.early:.1f}"
        )


def leap(segments):
    """Return the ``Leap`` of segments (updates, 10) as ``aelib.study.probes.segments`` measures them."""
    rise, largest = segments[:, 2] - segments[:, 0], segments[:, 9]
    k = _CALM + int(rise[_CALM:].argmax())
    before, after, start, end = segments[k, [0, 2, 6, 8]]
    calm = int(((largest[_CALM:] > 1) & (rise[_CALM:] < 0)).sum())
    return Leap(k + 1, before, after, start, end, largest[k], calm, rise[:_CALM].max())


def sooner(runs):
    """Return how many updates sooner the other ``WAYS`` are awake than the first, mean and standard error, (3, 2)."""
    first, *others = np.transpose([awake(r) for r in runs])
    gains = first - others
    return np.transpose([gains.mean(axis=1), gains.std(axis=1, ddof=1) / np.sqrt(len(runs))])


def overtaken(race, by):
    """Return in words how far a race is ahead of another one, and when either reaches its final loss."""
    x, reached = np.arange(race.run.budget), by.seconds[by.loss <= race.loss[-1]]
    ahead = np.interp(x, race.gradients, race.loss) < np.interp(x, by.gradients, by.loss)
    words = f"ahead of {by.run.method} up to gradient {x[ahead].max(initial=0)}; its {race.loss[-1]:.2f} takes"
    return f"{words} {race.seconds[-1]:.1f} s, {by.run.method} {f'{reached[0]:.1f} s' if reached.size else 'never'}"


def density(figure, lines):
    """Draw densities of eigenvalues, name -> (x, y), on a logarithmic axis."""
    ax = figure.subplots()
    plots.curves(ax, lines, "eigenvalue", "density", log=True)
    ax.set(ylim=(1e-8, 10))


def climb(figure, result, ghosts):
    """Draw the largest eigenvalue of H and the loss while gradient descent lasts, over earlier runs.

    Args:
        figure: an empty Figure.
        result: rows (update, largest eigenvalue, loss), and the bound, a dashed line.
        ghosts: earlier results, by name.
    """
    ax, right = figure.subplots(1, 2)
    for k, (name, (rows, line)) in enumerate({"now": result, **ghosts}.items()):
        update, largest, loss = np.transpose(rows)
        form = dict(color=plots.LINES[k % len(plots.LINES)], linewidth=1 if k else 2)
        ax.plot(update, largest, **form)
        ax.axhline(line, linestyle="--", **form | dict(linewidth=1))
        right.plot(update, loss, label=name, **form)
    rows, line = result
    ax.set(xlabel="update", xlim=(0, 600), yscale="log", ylim=(2, 500), ylabel="largest eigenvalue of H")
    ax.set_title(f"{rows[-1][1]:.0f}, bound {line:.0f} (dashed)", fontsize="medium")
    right.set(xlabel="update", xlim=(0, 600), ylim=(10, 27), ylabel="loss")
    right.legend(fontsize="small", loc="lower left")


def edges(figure, results):
    """Draw runs of "edge", mean and range over the seeds: the largest eigenvalue of H / its bound; the loss."""
    ax, right = figure.subplots(1, 2)
    ratios, losses = {}, {}
    for (step, momentum), runs in groups(results, "step", "momentum").items():
        name, x = f"step {step:g}, momentum {momentum:g}", runs[0].update
        ratios[name] = x, *_band(_ratios(runs))
        losses[name] = x, *_band([r.sharpness[:, 0] for r in runs])
    plots.bands(ax, ratios, "update", "largest eigenvalue / bound")
    ax.axhline(1, color="black", linestyle="--", linewidth=0.8)
    plots.bands(right, losses, "update", "loss")
    ax.get_legend().remove()


def _ratios(runs):
    return [r.sharpness[:, 2] / bound(r.settings) for r in runs]


def on_edge(runs, late=1000):
    """Return in words where runs of "edge" that differ in the seed alone stand to their bound, and how they end."""
    x, ratio, loss = runs[0].update, np.array(_ratios(runs)), np.array([r.sharpness[-1, 0] for r in runs])
    first, end = [x[row.argmax()] if row.any() else "never" for row in ratio > 1], ratio[:, x >= late]
    return (
        f"{ratio[:, 0].mean():.2f}, above 1 from {', '.join(map(str, first))}, after {late:,} {end.min():.2f} to "
        f"{end.max():.2f}, mean {end.mean():.2f}; loss {loss.mean():.1f} +- {loss.std(ddof=1):.1f}"
    )


def escapes(figure, results):
    """Draw how SGD goes on from the plateau, runs of "saddle" of one net: mean and range over the seeds."""
    ax, x = figure.subplots(), results[0].escapes[0]
    lines = {way: (x, *_band([r.escapes[k] for r in results])) for k, way in enumerate(WAYS, start=1)}
    plots.bands(ax, lines, "updates from the plateau", "loss")
    ax.set(ylim=(18, 28), title=f"{results[0].settings.net}: mean and range of {len(results)} seeds")


def _band(values):
    """Return least, mean and most over the first axis."""
    return np.min(values, axis=0), np.mean(values, axis=0), np.max(values, axis=0)


def awake(result, fall=1.0):
    """Return the updates after which SGD is first seen this far below the plateau, of each of the ``WAYS``, (4,).

    inf: not within those stored.
    """
    number, *ways = result.escapes
    below = np.array(ways) < result.ends[0] - fall
    return np.where(below.any(axis=1), number[below.argmax(axis=1)], np.inf)


def walk(figure, lines):
    """Draw the change of the loss along a direction, "loss along v", and other lines, name -> (t, change)."""
    ax, gain = figure.subplots(), -min(lines["loss along v"][1])
    plots.curves(ax, lines, "distance t along v", "change of the loss")
    ax.set(ylim=(-1.5 * gain, 1.5 * gain))


def segment(figure, result):
    """Draw the loss along an update and its parabola: result is (t, losses, parabola, (start, middle, end))."""
    t, losses, parabola, bends = result
    ax = figure.subplots()
    plots.curves(ax, {"loss": (t, losses), "parabola at the start": (t, parabola)}, "t", "loss")
    ax.axvspan(0, 1, color="0.94", zorder=0)
    ax.set(ylim=(min(losses) - 2, max(losses) + 1))
    ax.set_title("curvature / bound at start, middle, end: {:.2f}, {:.2f}, {:.2f}".format(*bends))


def leaps(figure, result):
    """Draw a run that keeps ``segments``: loss after each update; curvatures / bound."""
    ax, right = figure.subplots(1, 2)
    S, columns = result.segments, {"along, at start": 6, "along, at end": 8, "largest, at start": 9}
    plots.curves(ax, {"after the update": (result.update, S[:, 5])}, "update", "loss on 1,000 digits")
    lines = {name: (result.update, S[:, column]) for name, column in columns.items()}
    plots.curves(right, lines, "update", "curvature / bound")
    right.axhline(1, color="0.5", linewidth=0.8)


def races(figure, result):
    """Draw the losses of races, name -> rows as ``aelib.study.arena.race`` returns them, on one of ``COLUMNS``."""
    runs, column = result
    ax, k = figure.subplots(), COLUMNS.index(column)
    for i, (name, rows) in enumerate(runs.items()):
        again, color = divmod(i, len(plots.LINES))  # the same colours again, in other styles
        style = dict(color=plots.LINES[color], linestyle=plots.STYLES[(color + 4 * again) % len(plots.STYLES)])
        x = rows[k] if k else np.where(rows[k] > 0, rows[k], np.nan)  # a logarithmic axis has no 0
        ax.plot(x, rows[3], label=name, linewidth=2.5 if name == "K-FAC" else 1.2, **style)
    ax.set(xscale="linear" if k else "log", ylim=(7, 27), xlabel=column, ylabel="loss")
    ax.legend(fontsize="small")


def cell(figure, result):
    """Draw one cell of a grid: its curve among those of its row and its column, and the table of losses.

    Args:
        figure: an empty Figure.
        result: dict: ``curves``, (batch, step) -> dict of arrays ``epoch``, ``update`` and ``loss``; ``cell``, one of
            their keys; ``budget``, (``"epoch"`` or ``"update"``, how many); ``table``, the losses after it, (batches,
            steps) in ascending order; ``part``, two cells, opposite corners of a part to be framed.
    """
    curves, table, (axis, amount) = result["curves"], result["table"], result["budget"]
    batches, steps = (sorted(set(values)) for values in zip(*curves, strict=True))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    batch, step = result["cell"]
    for (b, s), curve in curves.items():
        if b == batch or s == step:
            left.plot(curve[axis], curve["loss"], color="0.75", linewidth=0.8)
    here = curves[batch, step]
    plots.curves(left, {"this cell": (here[axis], here["loss"])}, axis, "test half-SSE")
    left.axvline(amount, color="0.5", linestyle="--", linewidth=0.8)
    left.set(xscale="log", ylim=(14, 100))
    plots.log_ticks(left, [15, 20, 30, 50, 90])
    i, j = batches.index(batch), steps.index(step)
    left.set_title(f"step {step:g}, batch {batch:,}: {table[i, j]:.2f}")
    most = np.nanmin(table) + 5
    plots.grid(right, table, batches, steps, "batch", "step", f"{amount:,} {axis}s", most=most, digits=2)
    rows, columns = zip(*((batches.index(b), steps.index(s)) for b, s in result["part"]), strict=True)
    plots.frame(right, rows, columns, "black", "--")
    plots.frame(right, (i, i), (j, j), "white")
