"""What lab 5 shows: a map that grows, how well it keeps digits apart, clusters, the metric of the plane, other maps."""

import functools

import numpy as np
from ipywidgets import Dropdown
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.linear_model import LinearRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier

from aelib.common import baselines, plots
from aelib.common.settings import Settings
from aelib.common.tables import table
from aelib.study import results
from aelib.trial import evidence
from aelib.widgets import Explorer, latent

MOMENTS = (0, 2, 5, 10, 20, 50, 100, 200, 300)  # updates at which the film keeps a copy of the net
NETS = ("784-200-2", "784-400-200-2", "784-1000-500-250-2")  # of the stored maps
_CLUSTERED = 5000  # test codes on which clusterers are tried


# -- the film ----------------------------------------------------------------------------------------------------------


def train_film(mnist):
    """Train 784-200-2 for 300 updates on 10,000 images and keep it at ``MOMENTS``.

    Returns:
        A ``Trace``: ``update``; ``theta``, a copy of the parameters; ``loss`` on the first 2,000 test images.
    """
    start = Settings(step=0.007, schedule="cosine", images=10_000, epochs=3)
    measure = dict(theta=lambda net: net.theta.copy(), loss=lambda net: net.loss(mnist.test_images[:2000]))
    return start.trace(mnist.train_images, MOMENTS, measure)


def film(trace, mnist):
    """Return the map of a ``train_film`` with a slider through its moments."""
    earlier = zip(MOMENTS[:-1], trace.theta, strict=False)
    return latent.LatentExplorer(trace.model, mnist, {f"update {k}": trace.model.with_theta(a) for k, a in earlier})


def film_table(trace, mnist):
    """Return the losses of a film, beside those of the mean image and of PCA on the same test images, as a table."""
    X, X_test = mnist.train_images, mnist.test_images[:2000]
    ladder = {"mean image": baselines.half_sse(X_test, X.mean(axis=0)[None].repeat(len(X_test), 0))}
    ladder["PCA, two components"] = baselines.pca(X, X_test)[1]
    rows = [{"what": f"after {k} updates", "half-SSE": loss} for k, loss in zip(trace.update, trace.loss, strict=True)]
    rows += [{"what": name, "half-SSE": loss} for name, loss in ladder.items()]
    return table(rows, "Loss on the first 2,000 test images", digits=1)


# -- the stored maps ---------------------------------------------------------------------------------------------------


class Maps:
    """The stored maps of all 70,000 images, by net and seed, and PCA's; training codes come first.

    Attributes:
        codes: dict, (net, seed) -> codes, (70,000, 2).
        labels: the digits, (70,000,).
        n: number of training images.
        loss: dict, net -> mean test half-SSE.
    """

    def __init__(self, mnist):
        runs, (principal, loss) = results.load("embedding"), baselines.pca(mnist.train_images, mnist.test_images)
        self.labels = np.concatenate([mnist.train_labels, mnist.test_labels])
        self.n, self.principal = len(mnist.train_labels), principal
        pca = [principal.transform(X) for X in (mnist.train_images, mnist.test_images)]
        self.codes = {("PCA-2", 0): np.float32(np.concatenate(pca))}
        self.codes |= {(run.settings.net, run.settings.seed): np.float32(run.codes) for run in runs}
        ends = {net: [run.test_loss[-1] for run in runs if run.settings.net == net] for net in NETS}
        self.loss = {"PCA-2": loss} | {net: float(np.mean(own)) for net, own in ends.items()}

    @functools.cached_property
    def counts(self):
        """Counts (true digit, digit named by kNN), (10, 10), by (net, seed)."""
        return {key: evidence.confused(Z, self.labels, self.n) for key, Z in self.codes.items()}

    def of(self, net):
        """Return the seeds of a net."""
        return [seed for name, seed in self.codes if name == net]

    def test(self, net, seed):
        """Return the codes of the test images, (10,000, 2)."""
        return self.codes[net, seed][self.n :]

    @property
    def test_labels(self):
        """The digits of the test images."""
        return self.labels[self.n :]


def right(counts):
    """Return the share of test digits that kNN names rightly."""
    return counts.trace() / counts.sum()


def knn_table(maps):
    """Return loss, kNN and the pairs most often confused, a row a net, as a table."""
    rows = []
    for net, loss in maps.loss.items():
        own = [maps.counts[net, seed] for seed in maps.of(net)]
        percent = np.mean([evidence.overlaps(counts) for counts in own], axis=0)
        worst = ", ".join("{}-{} {:.0f}".format(*evidence.PAIRS[k], percent[k]) for k in np.argsort(-percent)[:4])
        named = " ".join(f"{right(counts):.2f}" for counts in own)
        rows.append({"map": net, "half-SSE": loss, "kNN, each seed": named, "most confused pairs, %": worst})
    return table(rows, "How well maps keep digits apart: ten thousand test images", digits=1)


def overlap(maps, net, a, b):
    """Return the percentages of two digits that are taken for one another, a number a seed."""
    k = evidence.PAIRS.index((a, b))
    return np.array([evidence.overlaps(maps.counts[net, seed])[k] for seed in maps.of(net)])


def draw_map(figure, result):
    """Draw a map of the test images beside its table of confusions; result: (codes, labels, counts, title)."""
    codes, labels, counts, title = result
    cloud, confusions = figure.subplots(1, 2)
    evidence.code_map(cloud, codes, labels, title)
    plots.confusion(confusions, counts, f"named by kNN, % of each row: {right(counts):.2f} right")


def map_explorer(maps):
    """Return menus for net and seed above a stored map and its confusions."""

    def compute(net, seed):
        return maps.test(net, seed), maps.test_labels, maps.counts[net, seed], f"{net}, seed {seed}"

    return Explorer(compute, draw_map, (9.6, 4.7), net=Dropdown(options=NETS), seed=Dropdown(options=range(3)))


# -- clusters ----------------------------------------------------------------------------------------------------------


def whitened(Z):
    """Return codes moved, turned and stretched so that their mean is 0 and their covariance the identity, (n, 2)."""
    centred = Z - Z.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(centred.T))
    return centred @ axes / np.sqrt(values)


PAPERS = {"as drawn": np.asarray, "whitened": whitened, "bent": evidence.redrawn}


def cluster_table(maps):
    """Return how well clusters are the digits, by net and paper, mean of the seeds, beside kNN, as a table."""
    rows = []
    for net in NETS:
        for paper, f in PAPERS.items():
            found = {"k-means": [], "HDBSCAN": [], "kNN, share right": []}
            for seed in maps.of(net):
                Z, labels = np.float64(f(maps.test(net, seed)))[:_CLUSTERED], maps.test_labels[:_CLUSTERED]
                for name, clusterer in (
                    ("k-means", KMeans(10, n_init=3, random_state=0)),
                    ("HDBSCAN", HDBSCAN(min_cluster_size=25, copy=True)),
                ):
                    found[name].append(adjusted_rand_score(labels, clusterer.fit_predict(Z)))
                counts = (
                    maps.counts[net, seed]
                    if paper == "as drawn"
                    else evidence.confused(f(maps.codes[net, seed]), maps.labels, maps.n)
                )
                found["kNN, share right"].append(right(counts))
            rows.append({"net": net, "paper": paper} | {name: np.mean(values) for name, values in found.items()})
    return table(rows, "Clusters against digits, mean of three seeds: 1 is perfect, 0 is chance", digits=2)


def draw_papers(figure, result):
    """Draw one map on three papers with the clusters that k-means finds there as crosses; result: (codes, labels)."""
    codes, labels = result
    for ax, (name, f) in zip(figure.subplots(1, 3), PAPERS.items(), strict=True):
        Z = np.float64(f(codes))
        centres = KMeans(10, n_init=3, random_state=0).fit(Z).cluster_centers_
        evidence.code_map(ax, Z, labels, name)
        low, high = np.percentile(Z, [2, 98], axis=0)
        inside = centres[np.all((centres > low) & (centres < high), axis=1)]
        ax.plot(*inside.T, "+", color="black", markersize=10, markeredgewidth=2)
        ax.set(ylabel="")


def seeds_table(maps):
    """Return R^2 of the best linear map from one seed's codes to another's, least and most of the pairs, as a table."""
    rows = []
    for net in NETS:
        tests = [maps.test(net, seed) for seed in maps.of(net)]
        R2 = [LinearRegression().fit(a, b).score(a, b) for a in tests for b in tests if a is not b]
        rows.append({"net": net, "least": min(R2), "most": max(R2)})
    return table(rows, "R^2 of the best linear map from one seed's codes to another's, six ordered pairs", digits=2)


# -- the metric --------------------------------------------------------------------------------------------------------


def area_table(areas, labels):
    """Return the median area factor at each digit's test codes as a table of one row."""
    medians = {str(digit): float(np.median(areas[labels == digit])) for digit in range(10)}
    return table(
        [medians],
        "Median area in image space of a unit of area on the map, by digit",
        digits=dict.fromkeys(medians, ".2g"),
    )


def quarters_table(codes, X, labels, areas):
    """Return, by quarters of the distance from the middle, the area factor and how alike neighbours' images are.

    Args:
        codes: of test images, (n, 2).
        X: the images, (n, 784).
        labels: their digits.
        areas: area factors at the codes.
    """
    nearest = KNeighborsClassifier(1).fit(codes, labels).kneighbors()[1][:, 0]  # not itself
    differ = 0.5 * np.sum((X - X[nearest]) ** 2, axis=1)
    radius = np.linalg.norm(codes - np.median(codes, axis=0), axis=1)
    part = np.empty(len(codes), int)
    for k, own in enumerate(np.array_split(np.argsort(radius), 4)):
        part[own] = k
    frame = evidence.from_mix(differ, labels, part)
    frame.insert(0, "area factor", [np.median(areas[part == k]) for k in range(4)])
    frame["ones, %"] = [100 * np.mean(labels[part == k] == 1) for k in range(4)]
    frame["same digit"] = [np.mean((labels == labels[nearest])[part == k]) for k in range(4)]
    frame.index = ["inner quarter", "second", "third", "outer quarter"]
    words = "Half-SSE between the images of a test code and of its nearest neighbour, by quarters of the distance"
    return table(
        frame, words, digits={"area factor": ".2g", "measured": 1, "from the mix": 1, "ones, %": 0, "same digit": 2}
    )


def digit_table(codes, X, labels):
    """Return the half-SSE between the images of a test code and of its nearest neighbour, by digit, as a table."""
    nearest = KNeighborsClassifier(1).fit(codes, labels).kneighbors()[1][:, 0]
    differ = 0.5 * np.sum((X - X[nearest]) ** 2, axis=1)
    row = {str(digit): float(differ[labels == digit].mean()) for digit in range(10)}
    return table([row], "The same half-SSE, by digit", digits=1)


# -- other maps --------------------------------------------------------------------------------------------------------


def _named(run):
    """Return the name of a map by its method and its setting."""
    reach = getattr(run.settings, "reach", None)
    usual = {"t-SNE": 30, "UMAP": 15}
    words = {"t-SNE": "perplexity", "UMAP": "neighbours"}
    method = run.settings.method
    if method in words:
        return f"{method}, {words[method]} {reach or usual[method]}"
    return f"autoencoder {run.settings.net}" if method == "autoencoder" else method


def other_maps():
    """Return the stored maps of ``maps``, by name, a list of seeds each."""
    order = {"PCA": 0, "autoencoder": 1, "t-SNE": 2, "UMAP": 3}
    found = {}
    for run in sorted(results.load("maps"), key=lambda run: order[run.settings.method]):  # the others stay in order
        found.setdefault(_named(run), []).append(run)
    return found


def draw_others(figure, result):
    """Draw maps side by side: result: (name -> codes of the test images, labels)."""
    maps, labels = result
    columns = 3
    rows = -(-len(maps) // columns)
    axes = np.ravel(figure.subplots(rows, columns))
    for ax, (name, codes) in zip(axes, maps.items(), strict=False):
        plots.codes(ax, codes, labels, name, 3)
        ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
    for ax in axes[len(maps) :]:
        ax.set_axis_off()


def pictures_of_others(labels):
    """Return what ``draw_others`` takes: the first seed of each t-SNE and UMAP setting, of PCA and of one net."""
    chosen = {
        name: np.float32(runs[0].codes[-2000:])
        for name, runs in other_maps().items()
        if not name.startswith("autoencoder") or name.endswith(" 784-400-200-2")
    }
    return chosen, labels[:2000]


def others_table():
    """Return kNN on 2,000 test images and trustworthiness of all stored maps, means over seeds, as a table."""
    rows = [
        {
            "map": name,
            "seeds": len(runs),
            "kNN, share right": np.mean([float(run.accuracy) for run in runs]),
            "trustworthiness": np.mean([float(run.trustworthiness) for run in runs]),
        }
        for name, runs in other_maps().items()
    ]
    best = {"kNN, share right": "max", "trustworthiness": "max"}
    words = "The first 8,000 training codes name the first 2,000 test codes (kNN, k = 15); trustworthiness, k = 12"
    return table(rows, words, digits=3, best=best)
