"""What lab 8 measures on stored results, and the panels of its cards: functions (ax, ...) that draw on one Axes.

Results are lists of ``study.Result``; losses are half-SSE per image on the test images.
"""

import itertools

import numpy as np

from aelib import passes, plots
from aelib.activations import activation
from aelib.checks import compare
from aelib.layers import dense_layers, initialiser, n_params
from aelib.study.figures import LOSS, final, finals, groups, reference, select

SHORT = {"784-2": "3 layers", "784-200-2": "5 layers", "784-400-200-2": "7 layers"}
PAIRS = tuple(itertools.combinations(range(10), 2))  # of digits


def span(values, digits=1):
    """Return the range of numbers in words.

    >>> span([2.34, 1.0, 1.5])
    '1.0 to 2.3'
    """
    low, high = (f"{value:.{digits}f}" for value in (np.min(values), np.max(values)))
    return low if low == high else f"{low} to {high}"


def epoch_ends(results, first, last):
    """Return the test losses at the ends of epochs first to last, (runs, epochs)."""
    return np.array(
        [[r.test_loss[r.images == k * r.settings.images][0] for k in range(first, last + 1)] for r in results]
    )


def waking(results, level):
    """Return the epochs after which each run is first seen below this loss, (runs,)."""
    return np.array([r.images[np.argmax(r.test_loss < level)] / r.settings.images for r in results])


def leads(results):
    """Return, for each net, the method with the least mean final loss, or None where its lead is within the noise.

    A lead counts when it exceeds twice its standard error over seeds: 2 sqrt(s_a^2 / n_a + s_b^2 / n_b), against
    the method that comes second.
    """
    found = {}
    for net, own in groups(results, "net").items():
        (first, a), (_, b) = sorted(finals(own, "method").items(), key=lambda item: item[1].mean())[:2]
        error = np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)
        found[net] = first if b.mean() - a.mean() > 2 * error else None
    return found


def crossed(results, value=final):
    """Return the mean over seeds of value(result) for every (batch size, step) that is stored, as a dict.

    Runs for which the value is nan are left out.
    """
    found = {}
    for key, own in groups(results, "batch", "step").items():
        values = [x for x in map(value, own) if not np.isnan(x)]
        found |= {key: float(np.mean(values))} if values else {}
    return found


def after(updates):
    """Return the function of a result that gives its test loss at the last moment logged up to so many updates.

    It is nan for a run that is shorter by more than a twentieth.
    """

    def loss(result):
        if result.settings.updates < 0.95 * updates:
            return np.nan
        return float(result.test_loss[result.update <= updates][-1])

    return loss


def confused(codes, labels, n_train=60_000, neighbours=15):
    """Return how often test digits are named (true, named) by kNN on the training codes: counts, (10, 10).

    This is how well a map keeps digits apart, in labs 5 and 8 alike: ``counts.trace() / counts.sum()`` is the accuracy.

    Args:
        codes: (n, 2), training codes first.
        labels: of all of them.
        n_train: number of training codes.
        neighbours: k.
    """
    from sklearn.neighbors import KNeighborsClassifier

    named = KNeighborsClassifier(neighbours).fit(codes[:n_train], labels[:n_train]).predict(codes[n_train:])
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels[n_train:], named), 1)
    return counts


def overlaps(counts):
    """Return, for each of the ``PAIRS``, the percentage of digits taken for one another, (45,), by ``confused``."""
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    return np.array([(percent[a, b] + percent[b, a]) / 2 for a, b in PAIRS])


def closeness(images, labels):
    """Return, for each of the ``PAIRS``, minus the distance of the two mean images, (45,)."""
    means = [images[labels == digit].mean(axis=0, dtype=np.float64) for digit in range(10)]
    return np.array([-np.linalg.norm(means[a] - means[b]) for a, b in PAIRS])


def authors_test(seed):
    """Make the author's test of Gp again: return the signed cosine of Hp and Gp, and the error of Gp.

    His net is 100-50-25-25-50-100 with sigmoid, ReLU, identity, leaky ReLU, identity, biases in the first two layers,
    his own initialiser; 25 objects and the direction are uniform on [0, 1). The error is that against J^T (J p) / n.
    """
    rng, sizes, biases = np.random.default_rng(seed), [100, 50, 25, 25, 50, 100], [True, True, False, False, False]
    names, theta = ("sigmoid", "relu", "identity", "leaky_relu", "identity"), np.zeros(n_params(sizes, biases))
    layers = dense_layers(sizes, [activation(name) for name in names], biases, theta)
    for layer in layers:
        layer.split(theta)[0][...] = initialiser("report")(rng, layer.n_out, layer.n_in)
    X, p = rng.random((25, 100)), rng.random(theta.size)
    primal = passes.forward(layers, X)
    adjoint = passes.backward(layers, primal, (primal.z[-1] - X) / len(X))
    tangent = passes.rp_forward(layers, p, primal)
    Hp = passes.rp_backward(layers, p, primal, adjoint, tangent, tangent.R_z[-1] / len(X)).grad
    Gp = passes.backward(layers, primal, tangent.R_z[-1] / len(X)).grad
    moved = dense_layers(sizes, [layer.activation for layer in layers], biases, theta + 1e-200j * p)
    Jp = np.imag(passes.forward(moved, X + 0j).z[-1]) / 1e-200
    exact = passes.backward(layers, primal, Jp / len(X)).grad
    return compare(Hp, Gp).cosine, compare(Gp, exact).relative_error


def signed_cosines(at, directions):
    """Return the signed cosines of H p and G p of a ``Linearization`` for directions in rows."""
    return np.array([compare(at.hvp(p), at.gnvp(p)).cosine for p in directions])


def climbs(results):
    """Return what "curvature" measured, (net, "gradient" or "random") -> (updates, least, median, most over seeds).

    "random" is the median over a run's random directions.
    """
    found = {}
    for net, own in groups(results, "net").items():
        values = {
            "gradient": [r.cosines[:, 0] for r in own],
            "random": [np.median(r.cosines[:, 1:], axis=1) for r in own],
        }
        found |= {(net, name): (own[0].update, *np.quantile(v, [0, 0.5, 1], axis=0)) for name, v in values.items()}
    return found


# -- panels ------------------------------------------------------------------------------------------------------------


def errors(ax, reports, names, title):
    """Draw relative errors of ``check_model``'s reports with the range that central differences reach."""
    found = [max(reports[name].relative_error, 1e-18) for name in names]
    plots.curves(ax, {"relative error": (found, names)}, "0 is drawn at 1e-18", "", markers=True)
    ax.axvspan(1e-11, 1e-8, color="0.9", label="central differences")
    ax.set(xscale="log", xlim=(5e-19, 1e-6), title=title)
    ax.margins(y=0.2)
    ax.legend(fontsize="small", loc="center right")


def runs(ax, lines, title, limits):
    """Draw live runs, name -> (updates, loss), over the reference ladder."""
    plots.curves(ax, {f"{name}: {y[-1]:.1f}": (x, y) for name, (x, y) in lines.items()}, "updates", "half-SSE")
    plots.levels(ax, {name: loss for name, loss in reference().items() if limits[0] < loss < limits[1]})
    ax.set(ylim=limits)
    ax.set_title(f"live: {title}", fontsize="medium")


def cosines(ax, lottery, title):
    """Draw the histogram of signed cosines."""
    ax.hist(lottery, 20, range=(-1, 1), color=plots.LINES[0])
    ax.set(xlabel="signed cosine of Hp and Gp", ylabel="draws", title=title, xlim=(-1, 1))


def climbing(ax, lines):
    """Draw the bands of ``climbs``."""
    named = {f"{net}, {name}": (np.maximum(x, 0.5), *band) for (net, name), (x, *band) in lines.items()}
    plots.bands(ax, named, "updates (0 is drawn at 0.5)", "cosine of Hp and Gp")
    ax.set(xscale="log", title="stored: median and range of 3 seeds")


def final_dots(ax, results, title, most=19):
    """Draw the final losses of the 5-layer and the 7-layer net by method, a dot a seed."""
    table = {}
    for net in ("784-200-2", "784-400-200-2"):
        named = finals(select(results, net=net), "method")
        table |= {f"{method.replace('prop', '')}\n{SHORT[net]}": values for method, values in named.items()}
    plots.dots(ax, table, LOSS, most)
    ax.tick_params(axis="x", labelsize="x-small")
    ax.set_title(f"stored: {title}", fontsize="medium")


def heat(ax, values, title):
    """Draw a table of ``crossed``: step along x, batch size along y; what is not stored is left grey."""
    batches, steps = (sorted({key[k] for key in values}) for k in (0, 1))
    cells = [[values.get((batch, step), np.nan) for step in steps] for batch in batches]
    plots.grid(ax, cells, batches, [f"{step:g}" for step in steps], "batch size", "step", f"stored: {title}")
    for text, value in zip(list(ax.texts), np.ravel(cells), strict=True):
        if np.isnan(value):
            text.set_text("")
    ax.tick_params(axis="x", labelsize="x-small")


def dots_by_name(ax, values, ylabel, title="stored: a dot a seed"):
    """Draw a column of dots for each name."""
    for k, (name, column) in enumerate(values.items()):
        ax.plot(np.full(len(column), k), column, plots.MARKERS[k % 7], color=plots.LINES[k % 7], label=name)
    ax.set_xticks(range(len(values)), values, rotation=40, ha="right", fontsize="small")
    ax.set(ylabel=ylabel, title=title)


def against_likeness(ax, overlap, closeness, title):
    """Draw overlap, (45,), against the distance of mean images, minus ``closeness``; the six largest are named."""
    ax.plot(-closeness, overlap, "o", color=plots.LINES[0])
    for n, k in enumerate(np.argsort(overlap)[-6:]):
        place, beside = (-closeness[k], overlap[k]), (5, 3 if n % 2 else -12)
        ax.annotate("{}-{}".format(*PAIRS[k]), place, beside, textcoords="offset points")
    ax.set(xlabel="distance of the two mean images", ylabel="% taken for one another", title=title)


def code_map(ax, codes, labels, title, outside=2):
    """Draw 2-D codes by digit, so many percent cut off at each edge."""
    limits = np.percentile(codes, [outside, 100 - outside], axis=0).T.ravel()
    plots.codes(ax, codes, labels, f"{title}\n{outside} % cut off at each edge", 4, limits=limits)
