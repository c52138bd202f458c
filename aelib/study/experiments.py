"""The study's experiments, declared: each is a named list of settings, one for each run. Nothing is computed here.

Two kinds of run: a ``Setting`` is one training run; a ``Map`` puts MNIST on a plane and scores the map. ``EXPERIMENTS``
holds the lists by name; ``aelib.study`` runs, stores and loads them.
"""

import itertools
import math
from dataclasses import dataclass, replace

from aelib.autoencoder import Autoencoder
from aelib.optimizers import SGD, Adam, RMSprop, cosine
from aelib.settings import NETS, OPTIMIZERS


@dataclass(frozen=True)
class Setting:
    """One training run, completely described; the defaults are the report's settings.

    Attributes:
        net: key of ``aelib.settings.NETS``.
        method: "SGD", "RMSprop" or "Adam".
        step: learning rate; with ``schedule`` "cosine" the first one of a cosine that ends at 0.
        schedule: "constant" or "cosine".
        init: initialiser.
        output_bias: "none", or "mean" (started at logit(mean pixel)).
        weight_decay: as in ``Autoencoder``.
        beta2: second-moment decay of RMSprop and Adam; momentum (SGD) and beta1 (Adam) are 0.9.
        batch_size: images per update.
        epochs: passes over the training images.
        images: number of training images, the first so many.
        held_out: whether the loss is measured on the last 10,000 training images instead of the test images.
        seed: of the initial weights and of the order of images.
        codes: whether the 2-D codes of all 70,000 images are kept.
        keep: what else is kept: "" nothing, "weights", "pictures", "cosines" or "sharpness" (see ``aelib.study.runs``).
    """

    net: str
    method: str
    step: float = 0.01
    schedule: str = "constant"
    init: str = "report"
    output_bias: str = "none"
    weight_decay: float = 1e-5
    beta2: float = 0.99
    batch_size: int = 100
    epochs: int = 33
    images: int = 60_000
    held_out: bool = False
    seed: int = 0
    codes: bool = False
    keep: str = ""

    @property
    def updates(self):
        """Number of updates of the run."""
        return self.epochs * math.ceil(self.images / self.batch_size)

    @property
    def cost(self):
        """Seconds of one core, about: fitted to the stored runs, it lets progress bars estimate the time left."""
        entries, units = sum(p * q for p, q in itertools.pairwise(NETS[self.net])), sum(NETS[self.net])
        images = self.epochs * self.images
        probed = {"cosines": 480_000, "sharpness": 10_000 * self.updates}.get(self.keep, 0)  # images, in gradients
        return 0.5 + 6.8e-11 * (images + probed) * entries + 2.7e-9 * self.updates * entries + 1.5e-9 * images * units

    def optimizer(self):
        """Return the optimizer of this run."""
        rate = cosine(self.step, self.updates) if self.schedule == "cosine" else self.step
        if self.method == "SGD":
            return SGD(rate, momentum=0.9)
        return RMSprop(rate, decay=self.beta2) if self.method == "RMSprop" else Adam(rate, beta2=self.beta2)

    def model(self, images):
        """Return the untrained model of this run."""
        bias = self.output_bias != "none"
        shared = dict(init=self.init, weight_decay=self.weight_decay, seed=self.seed, dtype="float32")
        model = Autoencoder(NETS[self.net], output_bias=bias, **shared)
        return model.start_output_bias(images) if bias else model

    def small(self):
        """Return a run of the same form that takes a second or two, or None where there is none."""
        batch_size = min(self.batch_size, 1000) if self.keep else self.batch_size
        small = replace(self, images=2000, epochs=2, batch_size=batch_size)
        return small if batch_size <= 2000 and self.seed == 0 else None


@dataclass(frozen=True)
class Map:
    """One map of MNIST on a plane, and how it is scored.

    Scored are the first ``train`` training images and the first ``test`` test images. PCA and the autoencoders are
    fitted on all 60,000 training images. t-SNE and UMAP are fitted on the ``train + test`` images together, without
    labels: t-SNE cannot map an image it was not fitted on. Labels of test images are used to count errors alone.

    Attributes:
        method: "PCA", "autoencoder" (codes stored by ``embedding``), "t-SNE" or "UMAP" (defaults of their libraries;
            t-SNE starts from PCA and gives one map whatever the seed).
        net: key of ``aelib.settings.NETS`` for "autoencoder", else "".
        seed: of the stored net, or of t-SNE and UMAP.
        train: number of training images.
        test: number of test images.
        neighbours: k of the kNN classifier.
        near: k of trustworthiness, which is measured on the test images.
    """

    method: str
    net: str = ""
    seed: int = 0
    train: int = 8000
    test: int = 2000
    neighbours: int = 15
    near: int = 12

    @property
    def cost(self):
        """Seconds of one core, about."""
        return {"t-SNE": 3e-3, "UMAP": 3e-3}.get(self.method, 3e-4) * (self.train + self.test)

    def small(self):
        """Return a smaller map of the same form, or None: UMAP, which may not be installed, and further seeds."""
        return None if self.method == "UMAP" or self.seed else replace(self, train=400, test=100)


REPAIRED = dict(init="glorot", output_bias="mean", schedule="cosine", weight_decay=0.0, beta2=0.999)
STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)  # the report's: 1e-2 ... 1e-5
BATCHES = (20, 50, 100, 500, 1000, 10_000, 60_000)  # the report's: 100 ... 10,000
CANDIDATES = {
    "SGD": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "RMSprop": (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2),
    "Adam": (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2),
}
_CASES = tuple(itertools.product(list(NETS)[:3], OPTIMIZERS))  # the report's nets and methods
_TUNED = (0.1, 0.005, 0.01, 0.1, 0.002, 0.01, 0.03, 0.001, 0.005)  # where ``tuning`` found the least held-out loss
TUNED = dict(zip(_CASES, _TUNED, strict=True))


def tuning():
    """Six steps for each net and method, 5 epochs on 50,000 images, judged on the 10,000 held out."""
    part = dict(epochs=5, images=50_000, held_out=True, **REPAIRED)
    return [Setting(net, method, step, **part) for net, method in _CASES for step in CANDIDATES[method]]


def architectures_report():
    """The report's three nets and methods with its own settings, five seeds."""
    return [Setting(net, method, seed=seed) for seed in range(5) for net, method in _CASES]


def architectures_repaired():
    """The same, repaired: glorot, output bias from the mean pixel, cosine schedule from the tuned step."""
    cases = itertools.product(range(5), _CASES)
    return [Setting(*case, TUNED[case], seed=seed, **REPAIRED) for seed, case in cases]


def grid():
    """Step sizes crossed with batch sizes, past both edges of the report's two grids; its 784-200-2 and Adam."""
    cases = itertools.product(range(3), BATCHES, STEPS)
    return [Setting("784-200-2", "Adam", step, batch_size=batch, seed=seed) for seed, batch, step in cases]


EMBEDDED = {"784-200-2": 2e-3, "784-400-200-2": 2e-3, "784-1000-500-250-2": 1e-3}  # net -> Adam's first step


def embedding():
    """The nets whose 2-D codes of all 70,000 images are kept."""
    kept = dict(codes=True, **REPAIRED)
    return [Setting(net, "Adam", step, seed=seed, **kept) for seed in range(3) for net, step in EMBEDDED.items()]


def embedding_net():
    """The weights of one 784-400-200-2 net, that of ``embedding`` with seed 0; ``Autoencoder.load`` reads the file."""
    return [Setting("784-400-200-2", "Adam", EMBEDDED["784-400-200-2"], keep="weights", **REPAIRED)]


def pictures():
    """What the report's nets make of ten test images, a net and method each: its table 1; seed 0."""
    return [Setting(net, method, keep="pictures") for net, method in _CASES]


def curvature():
    """The cosine of Hp and Gp while the report's three nets learn with Adam; 5 epochs, three seeds."""
    return [Setting(net, "Adam", epochs=5, seed=seed, keep="cosines") for seed in range(3) for net in list(NETS)[:3]]


def sharpness():
    """Curvature that Adam meets at batch 10,000, steps 0.01 and 0.003, in 10 epochs (60 updates); three seeds."""
    large = dict(batch_size=10_000, epochs=10, keep="sharpness")
    return [Setting("784-200-2", "Adam", step, seed=seed, **large) for seed in range(3) for step in (1e-2, 3e-3)]


def maps():
    """The maps of ``embedding`` beside PCA, t-SNE and UMAP: kNN accuracy and trustworthiness; three seeds."""
    nets = [Map("autoencoder", net, seed) for net in EMBEDDED for seed in range(3)]
    return [Map("PCA"), *nets, Map("t-SNE"), *(Map("UMAP", seed=seed) for seed in range(3))]


EXPERIMENTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(tuning, architectures_report, architectures_repaired, grid, embedding),
        *(embedding_net, pictures, curvature, sharpness, maps),
    )
}


def plan(name, quick=False):
    """Return the settings of an experiment, in order; quick: at most four small runs, to see that it works.

    Raises:
        ValueError: there is no experiment of this name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}: expected one of {', '.join(EXPERIMENTS)}")
    settings = EXPERIMENTS[name]()
    if not quick:
        return settings
    small = [run for run in (setting.small() for setting in settings) if run]
    return small[:: max(1, len(small) // 4)][:4]
