"""The three kinds of which the study's experiments are lists: values that describe what is to be done.

A ``Run`` is one training run, a ``Map`` puts MNIST on a plane and scores the map, a ``Race`` minimises the loss by a
method of the arena.
"""

from dataclasses import dataclass, replace

from aelib.common.settings import Settings

EARLY = 45  # updates, all that a batch of 10,000 makes in the author's 15 epochs
KEPT = {  # what a run may keep beside its curves -> its arrays and their dimensions; ``aelib.study.runs`` says more
    "codes": dict(codes=2),
    "weights": dict(theta=1, config=0),
    "pictures": dict(pictures=2),
    "cosines": dict(cosines=2),
    "segments": dict(segments=2),
    "sharpness": dict(sharpness=2),
    "saddle": dict(ends=1, layers=2, ways=2, walks=3, escapes=2),
    "averages": dict(averages=2),
    "early": {},
}


@dataclass(frozen=True)
class Run:
    """One training run of the study.

    Attributes:
        settings: a ``Settings``.
        held_out: whether the loss is measured on the last 10,000 training images instead of the test images.
        keep: what is kept beside the curves: keys of ``KEPT``.
        turned: None, or the digit whose images are all turned by a quarter, counterclockwise, to train and to test on.

    Raises:
        ValueError: keep holds something else, or turned is no digit.
    """

    settings: Settings
    held_out: bool = False
    keep: tuple = ()
    turned: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "keep", (self.keep,) if isinstance(self.keep, str) else tuple(self.keep))
        if not set(self.keep) <= set(KEPT):
            raise ValueError(f"keep is {self.keep}: expected some of {', '.join(KEPT)}")
        if self.turned not in (None, *range(10)):
            raise ValueError(f"turned is {self.turned!r}: expected None, or a digit 0 to 9")

    @property
    def seed(self):
        """The seed of the settings."""
        return self.settings.seed

    def small(self):
        """Return a run of the same form that takes a second or two, or None where there is none."""
        batch = min(self.settings.batch, 1000) if self.keep else self.settings.batch
        if batch > 2000 or self.settings.seed:
            return None
        return replace(self, settings=replace(self.settings, images=2000, epochs=2, batch=batch))


@dataclass(frozen=True)
class Map:
    """One map of MNIST on a plane, and how it is scored.

    Scored are the first ``train`` training images and the first ``test`` test images. PCA and the autoencoders are
    fitted on all 60,000 training images. t-SNE and UMAP are fitted on the ``train + test`` images together, without
    labels: t-SNE cannot map an image it was not fitted on. Labels of test images are used to count errors alone.

    Attributes:
        method: "PCA", "autoencoder" (codes stored by ``embedding``), "t-SNE" or "UMAP" (defaults of their libraries
            but for ``reach``; t-SNE starts from PCA and gives one map whatever the seed).
        net: key of ``aelib.common.settings.NETS`` for "autoencoder", else "".
        seed: of the stored net, or of t-SNE and UMAP.
        train: number of training images.
        test: number of test images.
        neighbours: k of the kNN classifier.
        near: k of trustworthiness, which is measured on the test images.
        reach: None, or how many neighbours count: the perplexity of t-SNE, ``n_neighbors`` of UMAP.
    """

    method: str
    net: str = ""
    seed: int = 0
    train: int = 8000
    test: int = 2000
    neighbours: int = 15
    near: int = 12
    reach: int | None = None

    def small(self):
        """Return a smaller map of the same form, or None: UMAP, which may not be installed, and further seeds."""
        return None if self.method == "UMAP" or self.seed else replace(self, train=400, test=100)


@dataclass(frozen=True)
class Race:
    """One method that minimises the loss of 784-50-2-50-784, tanh, on the first 500 training images; or of a full net.

    Attributes:
        method: key of ``aelib.study.arena.METHODS``.
        options: its arguments there, in order.
        seed: of the initial weights.
        budget: in gradients of all the images.
        images: their number.
        net: "", or a key of ``aelib.common.settings.NETS``: with ReLU, in float32, the loss measured on other images.
        held_out: whether these are the last 10,000 training images instead of the test images.
    """

    method: str
    options: tuple
    seed: int = 0
    budget: int = 1000
    images: int = 500
    net: str = ""
    held_out: bool = False

    def __post_init__(self):
        object.__setattr__(self, "options", tuple(self.options))

    def small(self):
        """Return a race that takes a second, or None."""
        return None if self.seed > 1 else replace(self, budget=20, images=100)
