"""What lab A shows: a training step taken apart and timed, the roofline, and runs that differ in one thing.

Times differ from machine to machine. The roofline's are the least of repeated calls; all others are processor time, the
mean of many calls.
"""

import math
import time

import numpy as np
from ipywidgets import Dropdown, SelectionSlider

from aelib.common import plots, settings
from aelib.common.settings import Settings
from aelib.common.tables import table
from aelib.train import trace
from aelib.widgets import Explorer

NETS = {name: settings.NETS[name] for name in ("784-2", "784-200-2", "784-400-200-2")}
PARTS = ("products", "the rest of the gradient", "Adam", "gather")
BATCHES = (10, 30, 100, 300, 1000)
MARKS = tuple(zip((*plots.MARKERS, "<"), (*plots.LINES[:6], *plots.LINES), strict=False))  # of points: marker, colour
FLOAT32_TINY = float(np.finfo(np.float32).tiny)


def least_ms(call, repeats=30):
    """Return the least time of a call in milliseconds: what else the machine does can only add; two go before."""
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1e3 * min(seconds[2:])


def cpu_ms(call):
    """Return the processor time of a call in milliseconds, the mean of many: other programs do not count."""
    enough = max(5e-3, 4 * time.get_clock_info("process_time").resolution)
    call()
    start, calls = time.process_time(), 0
    while time.process_time() - start < enough or calls < 3:
        call()
        calls += 1
    return 1e3 * (time.process_time() - start) / calls


def product_calls(model, n):
    """Return functions that make the matrix products of one gradient on n images: forward, and two backward."""
    rng, calls = np.random.default_rng(0), []
    for l, layer in enumerate(model.layers):
        z, u = (rng.random((n, width), np.float32) for width in (layer.n_in, layer.n_out))
        calls += [lambda z=z, W=layer.W: z @ W.T, lambda u=u, z=z: u.T @ z]
        calls += [lambda u=u, W=layer.W: u @ W] if l else []
    return calls


def time_step(X, net, n):
    """Return the processor time of the parts of a training step: a dict, one of ``PARTS`` -> milliseconds.

    Args:
        X: images, (at least n, 784).
        net: one of ``NETS``.
        n: images in the batch.
    """
    start = Settings(NETS[net], images=1000)
    model, adam = start.model(X[:1000]), start.optimizer()
    index = np.random.default_rng(0).permutation(n)
    batch, out = X[index], model.buffers(n)
    grad = model.loss_and_grad(batch)[1]
    gradient = cpu_ms(lambda: model.loss_and_grad(batch, out=out))
    products = sum(cpu_ms(call) for call in product_calls(model, n))
    parts = {"products": products, "the rest of the gradient": max(gradient - products, 0)}
    parts["Adam"] = cpu_ms(lambda: adam.step(model.theta, grad))
    return parts | {"gather": cpu_ms(lambda: np.take(X, index, axis=0))}


def _bars(ax, ms, names, xlabel):
    left = np.zeros(len(names))
    for part, row, color in zip(PARTS, ms, plots.LINES, strict=False):
        ax.barh(names, row, left=left, label=part, color=color)
        left += row
    ax.set_xlabel(xlabel)
    ax.invert_yaxis()


def draw_step(figure, result):
    """Draw a step's parts as bars: of the net chosen, and of all nets as shares; result: (name, n, name -> parts)."""
    chosen, n, steps = result
    ax, share = figure.subplots(1, 2)
    ms = np.array([list(parts.values()) for parts in steps.values()]).T
    _bars(ax, ms[:, [list(steps).index(chosen)]], [chosen], "milliseconds, this machine, one core")
    total = sum(steps[chosen].values())
    ax.set_title(f"{total:.1f} ms a step, {1e3 * total / n:.0f} µs an image", fontsize="medium")
    _bars(share, 100 * ms / ms.sum(axis=0), list(steps), "% of a step")
    figure.legend(*share.get_legend_handles_labels(), loc="outside upper center", ncols=4)


def step_explorer(X):
    """Return the lab's first picture: menus for net and batch above the parts of a training step on X."""

    def compute(net, batch):
        return net, batch, {name: time_step(X, name, batch) for name in NETS}

    net = Dropdown(options=list(NETS), value="784-200-2")
    batch = SelectionSlider(options=BATCHES, value=100, continuous_update=False)
    return Explorer(compute, draw_step, (9.5, 2.9), net=net, batch=batch)


def table_of_counts(counts):
    """Return counts of operations, net -> {part: number}, as a table in millions, with Adam's share."""
    rows = [
        {"net": net}
        | {part: number / 1e6 for part, number in parts.items()}
        | {"Adam, %": 100 * parts["Adam"] / sum(parts.values())}
        for net, parts in counts.items()
    ]
    return table(rows, "Operations of a step on 100 images, in millions", digits=1)


def table_of_steps(X, n=100):
    """Return the measured parts of a step on n images, all nets, as a table of shares and the whole in milliseconds."""
    rows = []
    for net in NETS:
        parts = time_step(X, net, n)
        whole = sum(parts.values())
        rows.append(
            {"net": net, "whole step, ms": whole} | {f"{part}, %": 100 * ms / whole for part, ms in parts.items()}
        )
    digits = {"whole step, ms": 2} | {f"{part}, %": 0 for part in PARTS}
    return table(rows, f"A step on {n} images, measured on this machine", digits=digits)


def time_per_image(X, net):
    """Return microseconds an image takes, by part and batch: (parts, batches)."""
    columns = [np.array(list(time_step(X, net, n).values())) / n for n in BATCHES]
    return 1e3 * np.transpose(columns)


def draw_per_image(figure, result):
    """Draw the time of an image against the batch, by part: one stacked, one line each."""
    net, micros = result
    stack, lines = figure.subplots(1, 2)
    names, left = [str(n) for n in BATCHES], np.zeros(len(BATCHES))
    for part, row, color in zip(PARTS, micros, plots.LINES, strict=False):
        stack.bar(names, row, bottom=left, label=part, color=color)
        left += row
    stack.set(xlabel="images in a batch", ylabel="µs an image", title=net)
    plots.curves(
        lines,
        dict(zip(PARTS, zip([BATCHES] * len(PARTS), micros, strict=True), strict=True)),
        "images in a batch",
        "µs an image",
        markers=True,
    )
    lines.set(xscale="log", yscale="log")


def per_image_explorer(X):
    """Return a menu of nets above the time that an image takes in batches of several sizes."""
    net = Dropdown(options=list(NETS), value="784-200-2")
    return Explorer(lambda net: (net, time_per_image(X, net)), draw_per_image, (9.5, 3.4), net=net)


# -- the roofline ------------------------------------------------------------------------------------------------------


def machine():
    """Return what this core can do, as the roofs of the picture: a dict of operations a second, and bytes a second.

    "peak" is a large float32 product; "from memory" and "from the cache" are copies of a large and of a small array.
    """
    A, out = np.ones((512, 512), np.float32), np.empty((512, 512), np.float32)
    found = {"peak": 2 * 512**3 / (1e-3 * least_ms(lambda: np.matmul(A, A, out=out), 30))}
    for name, size, repeats in (("from memory", 2**24, 5), ("from the cache", 2**14, 50)):
        source, target = np.ones(size, np.float32), np.empty(size, np.float32)
        ms = least_ms(lambda a=source, b=target: np.copyto(b, a), repeats)
        found[name] = 2 * source.nbytes / (1e-3 * ms)
    return found


def measured_rates(n):
    """Return measured points of the roofline, kind -> (names, operations a byte, operations a second).

    Args:
        n: images in the batch.
    """
    rng, points = np.random.default_rng(0), {"products z W^T": ([], [], []), "entry by entry": ([], [], [])}
    for p, q in ((784, 2), (784, 200), (784, 400), (400, 200), (200, 2), (2, 784)):
        z, W = rng.random((n, p), np.float32), rng.random((q, p), np.float32)
        out = np.empty((n, q), np.float32)
        seconds = 1e-3 * least_ms(lambda z=z, W=W, out=out: np.matmul(z, W.T, out=out), 15)
        _add(points["products z W^T"], f"{p} to {q}", 2 * n * p * q, z.nbytes + W.nbytes + out.nbytes, seconds)
    start = Settings(NETS["784-400-200-2"], images=100)
    theta = start.model(rng.random((100, 784), np.float32)).theta
    adam, grad = start.optimizer(), np.full_like(theta, 1e-3)
    seconds = 1e-3 * least_ms(lambda: adam.step(theta, grad), 15)
    _add(points["entry by entry"], "Adam", 10 * theta.size, 7 * theta.nbytes, seconds)  # 4 arrays read, 3 written
    z = rng.random((n, 784), np.float32)
    out = np.empty_like(z)
    seconds = 1e-3 * least_ms(lambda: np.multiply(z, z, out=out), 15)
    _add(points["entry by entry"], "z * z", z.size, 2 * z.nbytes, seconds)
    return points


def _add(point, name, operations, moved, seconds):
    for column, value in zip(point, (name, operations / moved, operations / seconds), strict=True):
        column.append(value)


def draw_roofline(figure, result):
    """Draw measured points under the roofs, both axes logarithmic; result: (what ``machine`` found, points).

    Each point has a hollow mark of its own, which is named beside the picture: names beside the points would overlap.
    """
    roof, points = result
    ax, x = figure.subplots(), np.geomspace(0.05, 500, 200)
    for name, style in (("from the cache", "--"), ("from memory", "-")):
        ax.plot(x, np.minimum(roof["peak"], roof[name] * x) / 1e9, style, color="black", label=f"roof, numbers {name}")
    ax.legend(fontsize="small", loc="lower right")
    heights, marks = iter(np.arange(0.96, 0, -0.08)), iter(MARKS)
    key = dict(transform=ax.transAxes, clip_on=False)
    for kind, measured in points.items():
        ax.text(1.02, next(heights), kind, va="center", **key)
        for name, intensity, rate in zip(*measured, strict=True):
            (marker, color), height = next(marks), next(heights)
            mark = dict(marker=marker, color=color, markersize=8, markeredgewidth=2, markerfacecolor="none")
            ax.plot(intensity, rate / 1e9, **mark)
            ax.plot(1.05, height, **mark, **key)
            ax.text(1.08, height, name, va="center", **key)
    most = max(roof["peak"], *(rate for _, _, rates in points.values() for rate in rates))
    ax.set(xscale="log", yscale="log", xlim=(0.03, 800), ylim=(0.05, 3e-9 * most))
    ax.set(xlabel="operations a byte", ylabel="10^9 operations a second")


def roofline_explorer():
    """Return a slider for the batch above the roofline of this machine."""
    roof = machine()
    n = SelectionSlider(options=(1, 10, 100, 1000), value=100, continuous_update=False)
    n.description = "images in a batch"
    return Explorer(lambda n: (roof, measured_rates(n)), draw_roofline, (8, 4), n=n)


# -- subnormal numbers -------------------------------------------------------------------------------------------------


def subnormal(a):
    """Return how many entries of a float32 array are subnormal: not 0, and below the smallest normal number."""
    return int(np.count_nonzero((a != 0) & (np.abs(a) < FLOAT32_TINY)))


def train_twin(X, X_test, sigmoid=None, flush=True, updates=900):
    """Train 784-200-2 by Adam, step 0.01, batch 100, and count subnormal numbers every 50 updates.

    Args:
        X: training images.
        X_test: images for the loss at the end.
        sigmoid: an activation for the output layer in place of the package's.
        flush: False keeps Adam from setting tiny moments to 0.
        updates: until when.

    Returns:
        dict: ``update``, ``adjoints``, ``moments`` (subnormal ones of the output's adjoints of 100 images, and of
        Adam's first moments), ``ms`` (processor time of an update since the moment before, in milliseconds), arrays;
        ``loss``, a float.
    """
    start = Settings(NETS["784-200-2"], step=0.01, decay=0.999, images=len(X))
    model, adam = start.model(X), start.optimizer()
    out = model.buffers(100)
    if sigmoid is not None:
        model.layers[-1].activation = sigmoid
    if not flush:
        adam.flush_every = math.inf

    def adjoints(model):
        model.loss_and_grad(X[:100], out=out)
        return subnormal(out[1].grad_u[-1])

    measure = dict(adjoints=adjoints, moments=lambda model: subnormal(adam.moments["first"]))
    measure["seconds_used"] = lambda model: time.process_time()
    began = time.process_time()
    run = trace(model, X, adam, at=range(50, updates + 1, 50), measure=measure)
    found = dict(update=run.update, adjoints=run.adjoints, moments=run.moments)
    return found | dict(ms=1e3 * np.diff(run.seconds_used, prepend=began) / 50, loss=model.reconstruction_error(X_test))


def table_of_twins(twins):
    """Return twins, name -> what ``train_twin`` returned, as a table."""
    rows = []
    for name, run in twins.items():
        early, middle, late = run["ms"].reshape(3, -1).mean(axis=1)
        most = {
            "most subnormal adjoints": int(run["adjoints"].max()),
            "most subnormal moments": int(run["moments"].max()),
        }
        times = {"ms an update, 1-300": early, "301-600": middle, "601-900": late}
        rows.append({"run": name} | most | times | {"test half-SSE": run["loss"]})
    times = dict.fromkeys(("ms an update, 1-300", "301-600", "601-900"), 2)
    return table(rows, "Four runs that differ in nothing else", digits=times | {"test half-SSE": 4})


def draw_twins(figure, twins):
    """Draw what an update takes and how many numbers are subnormal, against the update."""
    axes = figure.subplots(1, 3)
    columns = {"ms": "milliseconds an update", "adjoints": "subnormal adjoints", "moments": "subnormal first moments"}
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        plots.curves(ax, {name: (run["update"], run[column]) for name, run in twins.items()}, "update", label)
        ax.set_ylim(bottom=0)
    for ax in axes[1:]:
        ax.get_legend().remove()


def table_of_operations(operations, arrays):
    """Time operations on arrays and return the times over those on the first array as a table.

    Args:
        operations: dict, name -> function of an array.
        arrays: dict, name -> array; the first is what the others are compared with.
    """
    rows = []
    for name, f in operations.items():
        ms = {kind: cpu_ms(lambda f=f, a=a: f(a)) for kind, a in arrays.items()}
        first = next(iter(ms))
        results = subnormal(f(list(arrays.values())[1]))
        ratios = {f"{kind} / {first}": ms[kind] / ms[first] for kind in list(ms)[1:]}
        rows.append({"operation": name} | ratios | {"subnormal results": results})
    return table(rows, "Time, as a multiple of the time on normal numbers", digits=1)
