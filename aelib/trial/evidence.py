"""What the verdicts measure on stored results and on maps, and three panels: functions that draw on one Axes.

Results are lists of ``study.Result``; losses are half-SSE per image on the test images.
"""

import itertools

import numpy as np
import pandas as pd

from aelib import passes
from aelib.activations import activation
from aelib.checks import compare
from aelib.common import plots
from aelib.datasets import load_mnist
from aelib.layers import dense_layers, initialiser, n_params
from aelib.study.figures import groups
from aelib.study.kinds import EARLY

PAIRS = tuple(itertools.combinations(range(10), 2))  # of digits
LEAPS = (9, EARLY)  # updates between which a leap is looked for: from the end of epoch 3 to the last, at batch 10,000
LEVELS = (19, 18, 17)  # half-SSE at which methods are compared on the way; most runs of the deeper nets end below 17


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
    """Return the epochs after which each run is first seen below this loss, inf if it never is, (runs,)."""
    first = [np.flatnonzero(r.test_loss < level)[:1] for r in results]
    pairs = zip(results, first, strict=True)
    return np.array([r.images[k[0]] / r.settings.images if k.size else np.inf for r, k in pairs])


def early(result):
    """Return the updates within ``LEAPS`` and the test losses of one run after each of them, (moments,) both."""
    within = (result.update >= LEAPS[0]) & (result.update <= LEAPS[1])
    return result.update[within], result.test_loss[within]


def leap(result):
    """Return the largest rise of one run's test loss in one update, of those within ``LEAPS``."""
    return float(np.diff(early(result)[1]).max())


def leap_update(result):
    """Return the number of the update in which one run's test loss rises most, of those within ``LEAPS``."""
    updates, losses = early(result)
    return int(updates[1 + np.diff(losses).argmax()])


def rises(results, first=3):
    """Return the largest rise of the test loss from one epoch to the next after epoch ``first``, (runs,)."""
    return np.diff(epoch_ends(results, first, results[0].settings.epochs), axis=1).max(axis=1)


def rise(result):
    """Return the largest rise of one run's test loss from one epoch to the next after epoch 3."""
    return float(rises([result])[0])


def first_below(result, level):
    """Return after how many updates a run's test loss is first below a level; one that never is counts with its length.

    The loss is logged at updates 1, 2, 5, 10, 20, 50, ... and at the end of every epoch, and taken for a straight line
    between two moments.
    """
    loss, update = result.test_loss, result.update
    if not (loss < level).any():
        return float(update[-1])
    k = int((loss < level).argmax())
    if k == 0:
        return float(update[0])
    share = (loss[k - 1] - level) / (loss[k - 1] - loss[k])
    return float(update[k - 1] + share * (update[k] - update[k - 1]))


def after(updates):
    """Return the function of a result that gives its test loss at the last moment logged up to so many updates.

    It is nan for a run that is shorter by more than a twentieth.
    """

    def loss(result):
        if result.settings.updates < 0.95 * updates:
            return np.nan
        return float(result.test_loss[result.update <= updates][-1])

    return loss


def confused(codes, labels, n_train, neighbours=15):
    """Return how often test digits are named (true, named) by kNN on the training codes: counts, (10, 10).

    This is how well a map keeps digits apart, in labs 5 and 8 alike: ``counts.trace() / counts.sum()`` is the accuracy.

    Args:
        codes: (n, 2), training codes first.
        labels: of all of them.
        n_train: number of training codes, ``len(mnist.train_images)``.
        neighbours: k.

    Raises:
        ValueError: the test labels are not the ten digits, or there are no more codes than ``n_train``.
    """
    _digits(labels[n_train:])
    from sklearn.neighbors import KNeighborsClassifier

    named = KNeighborsClassifier(neighbours).fit(codes[:n_train], labels[:n_train]).predict(codes[n_train:])
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels[n_train:], named), 1)
    return counts


def _digits(labels):
    found = np.unique(labels)
    if not np.array_equal(found, range(10)):
        raise ValueError(f"pairs are of the ten digits: expected images of each label 0 to 9, got {found.tolist()}")


CLUSTERERS = ("k-means", "k-means, whitened", "HDBSCAN")


def map_scores(results, neighbours=15):
    """Return what maps of all 70,000 images tell of the digits, a ``DataFrame`` with a row a run.

    Args:
        results: runs that keep their codes.
        neighbours: of kNN.

    Returns:
        ``net``, ``seed``; ``confusion``, the counts of ``confused``; ``accuracy``, their share on the diagonal; and for
        each of ``CLUSTERERS`` the adjusted Rand index of its clusters of the test codes with the digits: k-means with
        10 means, on the codes and on codes whose covariance is made the identity, and HDBSCAN with clusters of 50 or
        more, what it leaves out counted as one more cluster.
    """
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.metrics import adjusted_rand_score

    mnist = load_mnist()
    n, rows = len(mnist.train_images), []
    labels = np.concatenate([mnist.train_labels, mnist.test_labels])
    for result in results:
        codes = np.float64(result.codes)
        counts, test = confused(codes, labels, n, neighbours), codes[n:]
        values, axes = np.linalg.eigh(np.cov(test.T))
        white = (test - test.mean(axis=0)) @ axes / np.sqrt(np.maximum(values, 1e-12 * values.max()))
        ten = KMeans(10, n_init=3, random_state=0)
        named = (
            ten.fit_predict(test),
            ten.fit_predict(white),
            HDBSCAN(min_cluster_size=50, copy=True).fit_predict(test),
        )
        scores = [adjusted_rand_score(mnist.test_labels, names) for names in named]
        row = dict(net=result.settings.net, seed=result.settings.seed, confusion=counts)
        rows.append(row | dict(accuracy=counts.trace() / counts.sum()) | dict(zip(CLUSTERERS, scores, strict=True)))
    return pd.DataFrame(rows)


def percent(counts):
    """Return counts (true, named) in percent of each row, (10, 10)."""
    return 100 * counts / counts.sum(axis=1, keepdims=True)


def overlaps(counts):
    """Return, for each of the ``PAIRS``, the percentage of digits taken for one another, (45,), by ``confused``."""
    share = percent(counts)
    return np.array([(share[a, b] + share[b, a]) / 2 for a, b in PAIRS])


STEPS = (1e-8, 1e-10, 1e-20)  # of the judge in the author's test: his own, and two that are small enough


def authors_tests(seeds=50, steps=STEPS):
    """Make the author's test of the derivatives again, with this lab's passes; return a row for each seed and step.

    His net is 100-50-25-25-50-100 with sigmoid, ReLU, identity, leaky ReLU, identity, biases in the first two layers,
    his own initialiser; 25 objects and the direction p are uniform on [0, 1). The judge is a complex step of length
    eps, whose error is -eps^2 / 6 F'''[p, p, p] + O(eps^4), and round-off.

    Returns:
        A ``DataFrame``: ``seed``, ``eps``; ``gradient``, the relative error of p . grad F; ``difference``, p . grad F
        less the judge; ``predicted``, the part of it that is the judge's truncation, eps^2 / 6 F'''[p, p, p]; ``Hp``,
        the relative error of Hp, and ``largest``, that of its entries, absolute; ``cosine``, signed, of Hp and Gp;
        ``Gp``, the relative error of Gp against J^T (J p) / n.
    """
    return pd.DataFrame([row for seed in range(seeds) for row in _authors_test(seed, steps)])


def _authors_test(seed, steps):
    """Return the rows of one seed, a dict for each step."""
    rng, sizes, biases = np.random.default_rng(seed), [100, 50, 25, 25, 50, 100], [True, True, False, False, False]
    names, theta = ("sigmoid", "relu", "identity", "leaky_relu", "identity"), np.zeros(n_params(sizes, biases))
    functions = [activation(name) for name in names]
    for layer in dense_layers(sizes, functions, biases, theta):
        layer.split(theta)[0][...] = initialiser("report")(rng, layer.n_out, layer.n_in)
    X, p = rng.random((25, 100)), rng.random(theta.size)

    def products(theta):
        """Return the loss, its gradient, Hp and Gp at theta, which may be complex."""
        layers = dense_layers(sizes, functions, biases, theta)
        primal = passes.forward(layers, X.astype(theta.dtype))
        residual = primal.z[-1] - X
        adjoint = passes.backward(layers, primal, residual / len(X))
        tangent = passes.rp_forward(layers, p, primal)
        Hp = passes.rp_backward(layers, p, primal, adjoint, tangent, tangent.R_z[-1] / len(X)).grad
        Gp = passes.backward(layers, primal, tangent.R_z[-1] / len(X)).grad
        return 0.5 * np.sum(residual**2) / len(X), adjoint.grad, Hp, Gp

    _, grad, Hp, Gp = products(theta)
    third = np.imag(p @ products(theta + 1e-20j * p)[2]) / 1e-20  # F'''[p, p, p]
    layers, moved = (dense_layers(sizes, functions, biases, at) for at in (theta, theta + 1e-200j * p))
    Jp = np.imag(passes.forward(moved, X + 0j).z[-1]) / 1e-200
    exact = passes.backward(layers, passes.forward(layers, X), Jp / len(X)).grad
    shared = dict(cosine=compare(Hp, Gp).cosine, Gp=compare(Gp, exact).relative_error)
    rows = []
    for eps in steps:
        loss, gradient, *_ = products(theta + 1j * eps * p)
        slope, judge = np.imag(loss) / eps, np.imag(gradient) / eps
        row = dict(seed=seed, eps=eps, gradient=abs(p @ grad - slope) / abs(slope), difference=p @ grad - slope)
        row |= dict(predicted=eps**2 / 6 * third, Hp=compare(Hp, judge).relative_error)
        rows.append(row | dict(largest=np.abs(Hp - judge).max()) | shared)
    return rows


def from_mix(values, kinds, parts):
    """Return what the mean of each part would be if nothing but its mix of kinds told it from the others.

    Every value is replaced by the mean of its kind. Where these means agree with those that were measured, the parts
    differ in what they are made of, and in nothing else (Simpson's paradox).

    Args:
        values: numbers, (n,).
        kinds: of each, such as its digit, (n,).
        parts: the part in which each lies, such as a quarter of a map, (n,).

    Returns:
        A ``DataFrame``: a row a part; ``measured`` and ``from the mix``.

    >>> table = from_mix([1.0, 1.0, 5.0, 5.0], ["a", "a", "b", "b"], [0, 0, 0, 1])
    >>> table["measured"].round(2).tolist(), table["from the mix"].round(2).tolist()
    ([2.33, 5.0], [2.33, 5.0])
    """
    table = pd.DataFrame(dict(part=parts, kind=kinds, measured=values))
    table["from the mix"] = table.groupby("kind")["measured"].transform("mean")
    return table.groupby("part")[["measured", "from the mix"]].mean()


def redrawn(codes):
    """Return 2-D codes with the distance r from their median replaced by log(1 + r): a bend of the map, (n, 2).

    The origin is the median of the codes, for the loss names none; it names no unit of length either, so that the 1 is
    a choice. A bend is no change of units or axes: what a clusterer finds after it was not there before it.
    """
    centre = np.median(codes, axis=0)
    offset = codes - centre
    radius = np.linalg.norm(offset, axis=1, keepdims=True)
    return offset * (np.log1p(radius) / np.where(radius > 0, radius, 1))


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


def cosines(ax, lottery, title):
    """Draw the histogram of signed cosines."""
    ax.hist(lottery, 20, range=(-1, 1), color=plots.LINES[0])
    ax.set(xlabel="signed cosine of Hp and Gp", ylabel="draws", title=title, xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1))


def climbing(ax, lines):
    """Draw the bands of ``climbs``."""
    named = {f"{net}, {name}": (np.maximum(x, 0.5), *band) for (net, name), (x, *band) in lines.items()}
    plots.bands(ax, named, "updates (0 is drawn at 0.5)", "cosine of Hp and Gp")
    ax.set(xscale="log", title="stored: median and range of 3 seeds")


def code_map(ax, codes, labels, title, outside=2):
    """Draw 2-D codes by digit, so many percent cut off at each edge."""
    limits = np.percentile(codes, [outside, 100 - outside], axis=0).T.ravel()
    plots.codes(ax, codes, labels, f"{title}\n{outside} % cut off at each edge", 4, limits=limits)
