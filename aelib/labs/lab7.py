"""What lab 7 shows: spectra, the edge of stability, plateaus, the leap of a large batch, and the race of methods."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from ipywidgets import Dropdown, FloatLogSlider, FloatSlider, IntSlider
from scipy.sparse.linalg import eigsh

from aelib import SGD, Adam, Autoencoder, curvature, passes, train
from aelib.common import plots
from aelib.common.tables import table
from aelib.study import arena, probes
from aelib.study.experiments import edges as at_an_edge
from aelib.study.figures import groups
from aelib.study.probes import bound
from aelib.study.results import load
from aelib.train import trace
from aelib.trial.compare import paired
from aelib.trial.evidence import span
from aelib.widgets import Explorer

COLUMNS = ("update", "gradients", "seconds", "loss")  # of a race
_CALM = 15  # updates after which the loss has come down, and a rise is a leap
_CLIMB = 400  # updates of a climb
_SIZES = [784, 30, 2, 30, 784]


# -- the edge ----------------------------------------------------------------------------------------------------------


def start_net(X):
    """Return the net of sections 2 and 3 before training: 784-30-2-30-784, tanh, its output bias at the mean image."""
    return Autoencoder(_SIZES, hidden="tanh", dtype="float32").start_output_bias(X)


def sharpest(model, X, v=None):
    """Return the largest eigenvalue of H on all of X, to 2 %, and its eigenvector; v: where to start looking."""
    (top,), v = eigsh(curvature.hessian(model, X), k=1, which="LA", tol=0.02, ncv=10, v0=v)
    return float(top), v[:, 0]


def climbing(X, step, momentum, start=None):
    """Train on all of X at once and yield what has been measured: a ``compute`` of an ``Explorer``.

    Yields:
        dict: ``rows`` of (update, largest eigenvalue of H, loss), every 20 updates; ``line``, the largest curvature at
        which this step is stable; ``model``; ``v``, the last eigenvector.
    """
    model = start_net(X)
    top, v = start or sharpest(model, X)
    rows, line = [(0, top, model.loss(X))], (2 + 2 * momentum) / step
    yield dict(rows=rows, line=line, model=model, v=v)
    for progress in train(model, X, SGD(step, momentum), epochs=_CLIMB, batch_size=len(X)):
        if progress.update % 20 == 0:
            top, v = sharpest(model, X, v)
            rows = [*rows, (progress.update, top, model.loss(X))]
            yield dict(rows=rows, line=line, model=model, v=v)
        else:
            yield None


def climb(figure, result, ghosts):
    """Draw the largest eigenvalue of H and the loss while gradient descent lasts, over earlier runs.

    Args:
        figure: an empty Figure.
        result: what ``climbing`` yields.
        ghosts: earlier results, by name.
    """
    ax, right = figure.subplots(1, 2)
    for k, (name, one) in enumerate({"now": result, **ghosts}.items()):
        update, largest, loss = np.transpose(one["rows"])
        form = dict(color=plots.LINES[k % len(plots.LINES)], linewidth=1 if k else 2)
        ax.plot(update, largest, **form)
        ax.axhline(one["line"], linestyle="--", **form | dict(linewidth=1))
        right.plot(update, loss, label=name, **form)
    ax.set(xlabel="update", xlim=(0, _CLIMB), yscale="log", ylim=(2, 300), ylabel="largest eigenvalue of H")
    ax.set_title(f"now {result['rows'][-1][1]:.0f}; dashed: {result['line']:.0f}", fontsize="medium")
    right.set(xlabel="update", xlim=(0, _CLIMB), ylim=(14, 27), ylabel="loss")
    right.legend(fontsize="small", loc="lower left")


def climb_explorer(X):
    """Return the lab's first picture: sliders for step and momentum above the curvature and the loss of a live run."""
    start = sharpest(start_net(X), X)
    step = FloatLogSlider(value=0.1, min=-1.5, max=-0.6, step=0.1, readout_format=".2g")
    momentum = FloatSlider(value=0, min=0, max=0.8, step=0.2)
    return Explorer(
        lambda step, momentum: climbing(X, step, momentum, start),
        climb,
        (9, 3.3),
        ghosts=3,
        step=step,
        momentum=momentum,
    )


def bounce(X, step, updates=24):
    """Go on with gradient descent from where it has met its line, and return its path in a slice of the loss.

    Returns:
        dict: ``along_v`` and ``along_d``, the coordinates of the path, (updates + 1,), along the eigenvector v of the
        largest eigenvalue and along d, the way made in these updates less its part along v; ``x``, ``y``, ``loss``: the
        loss in the plane of v and d through the first point; ``losses``, those of the path.
    """
    *_, last = (one for one in climbing(X, step, 0.0) if one)
    model, v = last["model"], last["v"].astype(np.float64)
    path, losses = [model.theta.astype(np.float64)], [model.loss(X)]
    for _ in train(model, X, SGD(step), epochs=updates, batch_size=len(X)):
        path.append(model.theta.astype(np.float64))
        losses.append(model.loss(X))
    path = np.array(path) - path[0]
    d = path[-1] - (path[-1] @ v) * v
    d /= np.linalg.norm(d)
    along_v, along_d = path @ v, path @ d
    x = np.linspace(*_wider(along_v), 21)
    y = np.linspace(*_wider(along_d), 15)
    origin = model.theta - path[-1].astype(np.float32)
    place = [[model.with_theta(origin + np.float32(1) * (a * v + b * d).astype(np.float32)) for a in x] for b in y]
    loss = np.array([[one.loss(X) for one in row] for row in place])
    return dict(along_v=along_v, along_d=along_d, x=x, y=y, loss=loss, losses=np.array(losses))


def _wider(values):
    reach = max(np.ptp(values), 1e-3)
    return values.min() - 0.4 * reach, values.max() + 0.4 * reach


def draw_bounce(figure, result):
    """Draw a path of gradient descent over the loss in its plane, and its place along v; result: of ``bounce``."""
    ax, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    contours = ax.contour(result["x"], result["y"], result["loss"], 14, cmap="viridis")
    ax.clabel(contours, fontsize="x-small")
    ax.plot(result["along_v"], result["along_d"], ".-", color=plots.LINES[1], linewidth=1)
    ax.plot(0, 0, "o", color="black")
    ax.set(xlabel="along v, of the largest eigenvalue", ylabel="along the way made", title="a slice of the loss")
    right.plot(result["along_v"], ".-", color=plots.LINES[1], label="place along v")
    right.axhline(result["along_v"].mean(), color="0.6", linewidth=0.8)
    right.set(xlabel="update", ylabel="place along v", title="to and fro")


def edges(figure, results):
    """Draw runs of "edge", mean and range over the seeds: the largest eigenvalue of H; the same over its bound."""
    ax, right = figure.subplots(1, 2)
    tops, ratios = {}, {}
    for (step, momentum), runs in groups(results, "step", "momentum").items():
        name, x = f"step {step:g}, momentum {momentum:g}", runs[0].update
        tops[name] = x, *_band([r.sharpness[:, 2] for r in runs])
        ratios[name] = x, *_band([r.sharpness[:, 2] / bound(r.settings) for r in runs])
    plots.bands(ax, tops, "update", "largest eigenvalue of H")
    plots.bands(right, ratios, "update", "the same / its bound")
    right.axhline(1, color="black", linestyle="--", linewidth=0.8)
    right.get_legend().remove()


def edges_table(results, late=1000):
    """Return where runs of "edge" stand to their bound, a row a step and momentum, as a table."""
    rows = []
    for (step, momentum), runs in groups(results, "step", "momentum").items():
        x, top, limit = runs[0].update, np.array([r.sharpness[:, 2] for r in runs]), bound(runs[0].settings)
        above = [str(x[row.argmax()]) if row.any() else "never" for row in top > limit]
        end, loss = top[:, x >= late], np.array([r.sharpness[-1, 0] for r in runs])
        row = {"step": f"{step:g}", "momentum": f"{momentum:g}", "bound": limit, "at the start": top[:, 0].mean()}
        row |= {"above the bound from update": ", ".join(above), "mean eigenvalue later": end.mean()}
        row |= {"later / bound, mean": end.mean() / limit, "least": end.min() / limit, "most": end.max() / limit}
        rows.append(row | {"loss at the end": loss.mean()})
    digits = {"bound": 1, "at the start": 1, "mean eigenvalue later": 1, "loss at the end": 1}
    words = f"Largest eigenvalue of H in 3,000 updates; three seeds; later: after update {late:,}"
    return table(rows, words, digits=digits)


def _band(values):
    """Return least, mean and most over the first axis."""
    return np.min(values, axis=0), np.mean(values, axis=0), np.max(values, axis=0)


# -- the spectrum ------------------------------------------------------------------------------------------------------


def trained_net(X, updates=300):
    """Return ``start_net`` after so many updates of Adam with step 0.01 on batches of 50."""
    net = start_net(X)
    trace(net, X, Adam(0.01), batch_size=50, at=[updates])
    return net


def spectra(net, X):
    """Return spectra of H and of G by stochastic Lanczos quadrature: eight starts, 50 steps."""
    operators = {"H": curvature.hessian, "G": curvature.gauss_newton}
    return {name: curvature.spectrum(f(net, X), starts=8, steps=50) for name, f in operators.items()}


def spectra_table(found):
    """Return the ends of spectra and the share of eigenvalues near 0 as a table."""
    rows = []
    for name, S in found.items():
        near, error = S.average(lambda x, S=S: np.abs(x) < S.nodes.max() / 100)
        ends = {"lowest": S.nodes.min(), "largest": S.nodes.max()}
        rows.append(
            {"matrix": name} | ends | {"% within a hundredth of it from 0": 100 * near, "standard error": 100 * error}
        )
    return table(rows, "Ends of the spectra, and how many eigenvalues are small", digits=2)


def density(figure, result):
    """Draw densities of eigenvalues, name -> (x, y) in ``far`` and ``near`` 0, logarithmic."""
    ax, right = figure.subplots(1, 2)
    plots.curves(ax, result["far"], "eigenvalue", "density, logarithmic", log=True)
    ax.set(ylim=(1e-7, 10))
    plots.curves(right, result["near"], "eigenvalue near 0", "density, logarithmic", log=True)
    right.set(ylim=(1e-6, 30))


def density_explorer(found):
    """Return a slider for the width of each eigenvalue above the densities of spectra."""
    top = max(S.nodes.max() for S in found.values())

    def compute(width):
        places = {"far": np.linspace(-0.1 * top, 1.1 * top, 1500), "near": np.linspace(-1, 1, 800)}
        return {
            where: {
                name: (x, np.maximum(S.density(x, width if where == "far" else width / 10), 1e-12))
                for name, S in found.items()
            }
            for where, x in places.items()
        }

    width = FloatLogSlider(value=0.5, base=10, min=-0.7, max=0.5, step=0.1, readout_format=".2f")
    return Explorer(compute, density, (9.5, 3.2), width=width)


# -- the plateau -------------------------------------------------------------------------------------------------------

_STARTS = (  # of SGD on a plateau, as ``probes.saddle`` orders them
    "as it is",
    *(f"moved {way}" for way in probes.WAYS),
    *(f"small weights times {factor}" for factor in probes.FACTORS),
)


def chains(figure, count):
    """Draw F(t) = (1 - t^n)^2 / 2, a chain of n equal weights, for each n up to 4: the n chosen is the thick line."""
    ax = figure.subplots()
    t = np.linspace(-0.4, 1.2, 161)
    for n in range(1, 5):
        form = dict(linewidth=3, zorder=3) if n == count else dict(linewidth=1)
        ax.plot(t, (1 - t**n) ** 2 / 2, color=plots.LINES[n - 1], label=f"{n} weight{'s' * (n > 1)}", **form)
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.set(xlabel="t, the value of every weight", ylabel="F", ylim=(-0.03, 1.0))
    ax.set_title(_BEGINS[count], fontsize="medium")
    ax.legend(fontsize="small")


_BEGINS = {
    1: "one weight: at 0 the loss has a slope",
    2: "two weights: no slope at 0, but a curvature",
    3: "three weights: neither slope nor curvature at 0; the third derivative is the first to tell",
    4: "four weights: neither slope nor curvature at 0; the fourth derivative is the first to tell",
}


def chains_explorer():
    """Return a slider for the number of weights in a chain above the loss along t."""
    return Explorer(lambda weights: weights, chains, (7.5, 3.0), weights=IntSlider(value=2, min=1, max=4))


def plateau_table(results):
    """Return what H's lowest eigenvalue, its v and the gradient say of stored plateaus, a column a net, as a table."""
    columns = {}
    for net, runs in groups(results, "net").items():
        small = [probes.small_layers(r.layers[0]) for r in runs]
        share = [100 * r.layers[1:, k].sum() for r, k in zip(runs, small, strict=True)]
        sizes = np.median([r.layers[0] for r in runs], axis=0)
        plateau, along_v, along_gradient = np.mean([[r.ends[3], *r.ways[:2, 3]] for r in runs], axis=0)
        columns[net] = {
            "loss": span([r.ends[0] for r in runs], 2),
            "sizes of W_1, W_2, ...": ", ".join(f"{size:.2g}" for size in sizes),
            "small layers": span([len(k) for k in small], 0),
            "lowest eigenvalue of H": span([r.ends[1] for r in runs], 2),
            "% of v in the small layers": span(share, 1),
            "norm of the gradient": span([-r.ways[1, 0] for r in runs], 2),
            "spread of outputs": f"{plateau:.1g}",
            "spread after the walk along v": f"{along_v:.1g}",
            "spread after the walk against the gradient": f"{along_gradient:.1g}",
        }
    words = "Three nets on their plateaus, five seeds: ranges, medians of the sizes, means of the spreads"
    return table(pd.DataFrame(columns), words)


def escapes_table(results, below=1.0):
    """Return after how many updates SGD's loss is so much lower than on the plateau, a row a start, a column a net.

    The columns "at once" are by how much the move itself changes the loss.
    """
    nets, starts = groups(results, "net"), range(len(_STARTS))
    columns = {"SGD starts": _STARTS}
    for net, runs in nets.items():
        columns[net] = [_updates([escape(r, k, below) for r in runs], runs[0].escapes[0, -1]) for k in starts]
    for net, runs in nets.items():
        at_once = [np.round([r.escapes[1 + k, 0] - r.escapes[1, 0] for r in runs], 3) for k in starts]
        columns[f"at once, {net}"] = [span(change + 0.0, 3) for change in at_once]  # + 0.0: no minus before a 0
    words = f"Updates of SGD until the loss is {below:g} lower; at once: what the move itself changes it by; five seeds"
    return table(columns, words)


def escape(result, k, below=1.0):
    """Return after how many updates start k of ``escapes`` is so much below the plateau; inf if it never is."""
    number, *after = result.escapes
    low = after[k] < result.ends[0] - below
    return number[low.argmax()] if low.any() else np.inf


def _updates(counts, most):
    """Return counts of updates in words: their range, and in how many seeds the loss is not there after the most."""
    there = [n for n in counts if np.isfinite(n)]
    if not there:
        return f"more than {most:,.0f}"
    late = len(counts) - len(there)
    first = " to ".join(dict.fromkeys(f"{n:,.0f}" for n in (min(there), max(there))))
    return first + (f"; more than {most:,.0f} in {late} seed{'s' * (late > 1)}" if late else "")


def draw_plateau(figure, result):
    """Draw a run that keeps ``saddle``: the loss along its ways and the parabola of v; SGD from each start."""
    ax, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    colours = plots.LINES[: len(_STARTS)]
    reach = max(2 * abs(result.ways[0, 2]), 1.2 * abs(result.ways[1, 2]))  # both lowest points are to be seen
    for way, (t, change), colour in zip(probes.WAYS, result.walks, colours[1:4], strict=True):
        near = np.abs(t) <= reach
        ax.plot(t[near], change[near], color=colour, label=way)
    t = result.walks[0, 0]
    slope, bend, *_ = result.ways[0]
    ax.plot(t, slope * t + bend * t**2 / 2, "--", color=colours[1], linewidth=1, label="the parabola of v")
    low = result.walks[:, 1].min()
    ax.set(xlabel="distance", ylabel="change of the loss", ylim=(1.3 * low, -2.2 * low))
    ax.legend(fontsize="x-small", loc="upper center", ncols=2)  # above what matters
    number, *after = result.escapes
    for k, (start, loss, colour) in enumerate(zip(_STARTS, after, colours, strict=True)):
        right.plot(number, loss, color=colour, label=start, linewidth=1 if k else 2)
    low, high = np.min(after), np.max(after[0])  # a start with larger weights may lie far above the plateau
    right.set(xlabel="update", ylabel="loss", ylim=(low - 0.5, high + 0.5))
    right.set_title(f"{result.settings.net}: SGD from seven starts")
    right.legend(fontsize="x-small")


def plateau_explorer(results):
    """Return menus for net and seed above what lies around a stored plateau, and SGD from seven starts."""
    named = {(r.settings.net, r.settings.seed): r for r in results}
    nets, seeds = (sorted({key[k] for key in named}) for k in (0, 1))
    return Explorer(
        lambda net, seed: named[net, seed],
        draw_plateau,
        (10, 3.6),
        net=Dropdown(options=nets, value=nets[0]),
        seed=Dropdown(options=seeds),
    )


# -- the leap ----------------------------------------------------------------------------------------------------------


class Leap(NamedTuple):
    """The largest rise of the loss along one update, after the first 15, of a run that keeps ``segments``.

    Attributes:
        update: its number.
        before: loss of its batch where it starts.
        after: and where it ends.
        start: curvature along it / bound where it starts.
        end: and where it ends.
        free: loss of its batch after a step without momentum from the same start, equally long.
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
    free: float
    largest: float
    calm: int
    early: float


def leap(segments):
    """Return the ``Leap`` of segments (updates, 11) as ``aelib.study.probes.segments`` measures them."""
    rise, largest = segments[:, 2] - segments[:, 0], segments[:, 10]
    k = _CALM + int(rise[_CALM:].argmax())
    before, after, start, end, free = segments[k, [0, 2, 6, 8, 9]]
    calm = int(((largest[_CALM:] > 1) & (rise[_CALM:] < 0)).sum())
    return Leap(k + 1, before, after, start, end, free, largest[k], calm, rise[:_CALM].max())


def walk(X, seed):
    """Train 784-200-2 with the author's settings on batches of 500 of X, and keep each update and its segment.

    Returns:
        A ``Trace``: ``segment``, (updates, 10), as ``probes.segments`` measures, a step without momentum last;
        ``theta``, after each update.
    """
    run = replace(load("leap")[0].settings, batch=500, images=len(X), epochs=4, seed=seed)
    model, adam = run.model(X), run.optimizer()
    measure = dict(segment=probes.segments(model, X, adam, run, largest=False))
    measure["theta"] = lambda model: model.theta.copy()
    return trace(model, X, adam, run.epochs, run.batch, seed, measure=measure)


def walk_leap(walked):
    """Return the index of the update of a ``walk`` along which the loss rises most, after the first 15."""
    rise = walked.segment[:, 2] - walked.segment[:, 0]
    return _CALM + int(np.argmax(rise[_CALM:]))


def walks_table(walks):
    """Return the leaps of walks as a table: losses, curvatures along the step, and the step without momentum."""
    rows = []
    for seed, one in enumerate(walks):
        k = walk_leap(one)
        row = one.segment[k]
        losses = {"loss at its start": row[0], "middle": row[1], "end": row[2]}
        bends = {"curvature / bound at its start": row[6], "at its middle": row[7], "at its end": row[8]}
        rows.append({"seed": seed, "update": k + 1} | losses | bends | {"loss at end, no momentum": row[-1]})
    names = ("loss at its start", "middle", "end", "loss at end, no momentum")
    return table(rows, "The largest rise along one update, after the first 15", digits=dict.fromkeys(names, 1))


def segment(figure, result):
    """Draw the loss along an update and its parabola: result is (t, losses, parabola, (start, middle, end))."""
    t, losses, parabola, bends = result
    ax = figure.subplots()
    plots.curves(ax, {"loss": (t, losses), "parabola at the start": (t, parabola)}, "t", "loss on 500 digits")
    ax.axvspan(0, 1, color="0.94", zorder=0)
    ax.set(ylim=(min(losses) - 2, max(losses) + 1))
    ax.set_title("curvature / bound at start, middle, end: {:.2f}, {:.2f}, {:.2f}".format(*bends))


def segment_explorer(walked, X):
    """Return a slider over the updates of a walk above the loss along each, and the parabola at its start."""

    def compute(update):
        before, after = walked.theta[update - 2 : update]
        d, t = after - before, np.linspace(-0.2, 1.2, 15, dtype="float32")
        at, point = walked.model.with_theta(before).linearize(X[:500]), walked.model.with_theta
        parabola = at.loss + t * (d @ at.grad) + 0.5 * t**2 * (d @ at.hvp(d))
        losses = [point(before + a * d).loss(X[:500]) for a in t]
        return t, losses, parabola, walked.segment[update - 1, 6:9]

    update = IntSlider(value=walk_leap(walked) + 1, min=2, max=len(walked.update))
    return Explorer(compute, segment, (8, 3.4), update=update)


def leaps_table(results):
    """Return the leaps of stored runs as a table, a row a run."""
    rows = []
    for r in results:
        found = leap(r.segments)
        row = {"step": f"{r.settings.step:g}", "seed": r.settings.seed}
        row |= {"update": found.update, "loss before": found.before, "after": found.after}
        free = np.delete(r.segments[_CALM:, 9] - r.segments[_CALM:, 0], found.update - 1 - _CALM)
        row |= {"after it, no momentum": found.free, "such a step elsewhere": f"{free.max():+.1f} at most"}
        row |= {"along it / bound, start": found.start, "end": found.end, "largest / bound, start": found.largest}
        rows.append(row | {"other starts above 1, loss falls": found.calm})
    ones = {"loss before": 1, "after": 1, "after it, no momentum": 1}
    return table(rows, "The largest rise along one update, after the first 15, at batch 10,000", digits=ones)


def leaps(figure, result):
    """Draw a run that keeps ``segments``: loss after each update; curvatures / bound."""
    ax, right = figure.subplots(1, 2)
    S, columns = result.segments, {"along, at start": 6, "along, at end": 8, "largest, at start": 10}
    plots.curves(ax, {"after the update": (result.update, S[:, 5])}, "update", "loss on 1,000 digits")
    lines = {name: (result.update, S[:, column]) for name, column in columns.items()}
    plots.curves(right, lines, "update", "curvature / bound")
    right.axhline(1, color="0.5", linewidth=0.8)


def leaps_explorer(results):
    """Return a menu of stored runs above the loss and the curvatures of their updates."""
    named = {f"step {r.settings.step:g}, seed {r.settings.seed}": r for r in results}
    return Explorer(lambda run: named[run], leaps, (9, 3.2), run=Dropdown(options=list(named)))


# -- blocks of G, and the race -----------------------------------------------------------------------------------------


def adjoints(model, X, layer):
    """Return how each output reacts to u of a layer, (n, D, q): [i, k] is the derivative of output k of image i."""
    primal, found = passes.forward(model.layers, X), []
    for k in range(model.layers[-1].n_out):
        V = np.zeros_like(primal.z[-1])
        V[:, k] = 1  # the adjoint of output k alone
        found.append(passes.backward(model.layers, primal, V).grad_u[layer].copy())
    return np.stack(found, axis=1)


def inputs(model, X, layer):
    """Return the inputs of a layer with a 1 for the bias, (n, p + 1)."""
    z = passes.forward(model.layers, X).z[layer - 1]
    return np.column_stack([z, np.ones(len(z))])


def block(G, model, layer):
    """Return the block of a matrix G (n_params, n_params) of one layer, rows of W with their bias together."""
    own = model.layers[layer - 1]
    places = np.arange(len(G))
    W, b = places[own.W_slice].reshape(own.n_out, own.n_in), places[own.b_slice]
    order = np.column_stack([W, b]).ravel()
    return G[np.ix_(order, order)]


def draw_blocks(figure, result):
    """Draw a block of G, its Kronecker product and their difference on one scale; result: (layer, true, product)."""
    layer, true, product = result
    limit = np.abs(true).max()
    named = {f"block of G, layer {layer}": true, "S ⊗ A": product, "difference": product - true}
    for ax, (name, A) in zip(figure.subplots(1, 3), named.items(), strict=True):
        plots.signed(ax, A, name, limit)


def race(X, name, budget=200):
    """Return rows (update, gradients, seconds, loss) of a method at its chosen options on X, as columns, seed 0."""
    from aelib.study.experiments import CHOSEN

    return arena.race(X, name, CHOSEN[name], budget=budget)


def arena_table(results):
    """Return how the stored races end, a row a method, means of three seeds, as a table; edges of options are named.

    The methods are compared with the first, seed by seed, by ``aelib.trial.compare.paired``.
    """
    rows, ends = [], {name: [r.loss[-1] for r in runs] for name, runs in groups(results, "method").items()}
    first = min(ends, key=lambda name: np.mean(ends[name]))
    above = paired(ends, [(name, first) for name in ends if name != first]).set_index("first")
    for name, runs in groups(results, "method").items():
        row = {"method": name, "loss": np.mean(ends[name]), f"above {first}, 95 %": "-", "p (Holm)": "-"}
        if name != first:
            row[f"above {first}, 95 %"] = "{low:.2f} to {high:.2f}".format(**above.loc[name])
            row["p (Holm)"] = f"{above.loc[name, 'p (Holm)']:.2g}"
        row |= {"updates": round(float(np.mean([r.update[-1] for r in runs])))}
        row |= {"seconds": float(np.mean([r.seconds[-1] for r in runs]))}
        options = ", ".join(f"{option:g}" for option in runs[0].run.options)
        rows.append(row | {"options": options, "at an edge": "yes" if at_an_edge(name) else ""})
    rows.sort(key=lambda row: row["loss"])
    return table(
        rows,
        "Loss on 500 digits after 600 gradients; pairs of three seeds",
        digits={"seconds": 1},
        best={"loss": "min"},
    )


def overtaking_table(results, by="K-FAC"):
    """Return until which gradient other methods lead ``by``, and when either reaches their final loss, as a table."""
    named, rows = groups(results, "method"), []
    for name in ("Adam", "Adam, batches", "Adam, batches, cosine"):
        for own, other in zip(named[name], named[by], strict=True):
            x = np.arange(own.run.budget)
            ahead = np.interp(x, own.gradients, own.loss) < np.interp(x, other.gradients, other.loss)
            reached = other.seconds[other.loss <= own.loss[-1]]
            row = {"method": name, "seed": own.run.seed, f"ahead of {by} up to gradient": int(x[ahead].max(initial=0))}
            row |= {"its final loss": own.loss[-1], "its seconds": own.seconds[-1]}
            rows.append(row | {f"{by}'s seconds": reached[0] if reached.size else None})
    words = f"Who leads, and when {by} has reached the final loss of the others"
    return table(rows, words, digits={"its seconds": 1, f"{by}'s seconds": 1})


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


def races_explorer(results, live):
    """Return menus for axis and source above races: those stored, first seed, or those run ``live``."""
    field = {name: [runs[0].arrays[c] for c in COLUMNS] for name, runs in groups(results, "method").items()}
    sources = {"stored, seed 1": field, "live, seed 0": live}
    axis, source = Dropdown(options=COLUMNS[:3]), Dropdown(options=list(sources))
    return Explorer(lambda axis, source: (sources[source], axis), races, (8.4, 4.4), axis=axis, source=source)
