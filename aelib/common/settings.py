"""What makes a run: its settings, as one value, for labs, console and study alike."""

import math
from dataclasses import dataclass, fields

import numpy as np

from aelib.activations import ACTIVATIONS
from aelib.arrays import as_array, shown
from aelib.autoencoder import Autoencoder
from aelib.layers import INITIALISERS
from aelib.optimizers import OPTIMIZERS, cosine, step_decay
from aelib.train import trace

NETS = {
    "784-2": (784, 2, 784),
    "784-200-2": (784, 200, 2, 200, 784),
    "784-400-200-2": (784, 400, 200, 2, 200, 400, 784),
    "784-1000-500-250-2": (784, 1000, 500, 250, 2, 250, 500, 1000, 784),
}
_CALLED = {"beta1": "momentum", "beta2": "decay"}  # arguments of optimizers that a setting has another name for
SCHEDULES = ("constant", "step decay", "cosine")
OUTPUT_BIASES = ("none", "zero", "logit")
LIVE = ("step", "batch", "momentum", "decay", "schedule", "epochs")  # settings that may change while a run lasts
_CHOICES = dict(method=OPTIMIZERS, schedule=SCHEDULES, output_bias=OUTPUT_BIASES, init=INITIALISERS)
_COUNTS = dict(batch=1, epochs=1, images=1, seed=0)  # whole numbers, and the least


@dataclass(frozen=True)
class Settings:
    """What makes a run. The same settings give the same run, bit for bit, on one machine with one BLAS thread.

    Attributes:
        sizes: layer widths, as of ``Autoencoder``.
        hidden: activation of the hidden layers, or one name for each of them but the code.
        init: initialiser.
        output_bias: ``"none"``, ``"zero"``, or ``"logit"``: started at the logit of the mean pixel.
        weight_decay: coefficient of 0.5 ||theta||^2.
        method: the optimizer, by its name in ``aelib.optimizers.OPTIMIZERS``.
        step: learning rate, at the start where a schedule lowers it.
        momentum: of SGD; beta1 of Adam.
        decay: of RMSprop; beta2 of Adam.
        epsilon_inside: of Adam.
        schedule: ``"constant"``, ``"step decay"`` (a tenth from halfway on), or ``"cosine"`` (to 0 at the end).
        batch: images per update.
        epochs: passes over the images until the run ends.
        images: number of training images, from the first.
        seed: of the initial weights and of the order of images.

    NumPy's numbers and words are kept as Python's.

    Raises:
        ValueError: a field is not as described; the sentence names it.
    """

    sizes: tuple = (784, 200, 2, 200, 784)
    hidden: str | tuple = "relu"
    init: str = "glorot"
    output_bias: str = "logit"
    weight_decay: float = 0.0
    method: str = "Adam"
    step: float = 0.003
    momentum: float = 0.9
    decay: float = 0.999
    epsilon_inside: bool = False
    schedule: str = "constant"
    batch: int = 100
    epochs: int = 8
    images: int = 5000
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value = _plain(getattr(self, field.name))
            if field.name in ("sizes", "hidden") and isinstance(value, list):
                value = tuple(value)
            object.__setattr__(self, field.name, value)
        for name, allowed in _CHOICES.items():
            _require(name, getattr(self, name), getattr(self, name) in list(allowed), f"one of {', '.join(allowed)}")
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            _require(name, value, whole and value >= least, f"a whole number of at least {least}")
        for name in ("step", "weight_decay"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            _require(name, value, number and 0 <= value < math.inf, "a finite number >= 0")
        for name in ("momentum", "decay"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            _require(name, value, number and 0 <= value < 1, f"0 <= {name} < 1")
        _require("epsilon_inside", self.epsilon_inside, isinstance(self.epsilon_inside, bool), "True or False")
        _require("batch", self.batch, self.batch <= self.images, f"1 to {self.images}, the number of images")
        names = self.hidden if isinstance(self.hidden, tuple) else (self.hidden,)
        known = all(isinstance(name, str) and name in ACTIVATIONS for name in names)
        _require("hidden", self.hidden, known, f"names among {', '.join(ACTIVATIONS)}")
        sizes = self.sizes if isinstance(self.sizes, tuple) else ()
        right = len(sizes) >= 3 and len(sizes) % 2 and all(type(n) is int and n > 0 for n in sizes)
        form = "an odd number of positive whole widths, the first equal to the last, such as (784, 2, 784)"
        _require("sizes", self.sizes, right and sizes[0] == sizes[-1], form)
        if isinstance(self.hidden, tuple):
            others = len(self.sizes) - 3
            _require("hidden", self.hidden, len(names) == others, f"one name, or {others}, one a layer")

    @property
    def net(self):
        """The encoder's widths, such as ``"784-200-2"``."""
        return "-".join(map(str, self.sizes[: len(self.sizes) // 2 + 1]))

    @property
    def label(self):
        """The settings in a few words: net, method, step, batch, then what differs from the defaults."""
        words = [self.net, f"{self.method} {self.step:g}", f"batch {self.batch}"]
        known = ("sizes", "method", "step", "batch", "epochs")
        used = set(coefficient_settings(self.method).values())
        for field in fields(self):
            value = getattr(self, field.name)
            optional = field.name in ("momentum", "decay", "epsilon_inside")
            if value != field.default and field.name not in known and (not optional or field.name in used):
                words.append(f"{field.name.replace('_', ' ')} {value}")
        return ", ".join(words)

    # -- what they make ------------------------------------------------------------------------------------------------

    def model_arguments(self):
        """Return the arguments of ``Autoencoder``, by name."""
        shared = {name: getattr(self, name) for name in ("init", "weight_decay", "seed")}
        hidden = self.hidden if isinstance(self.hidden, str) else list(self.hidden)
        bias = self.output_bias != "none"
        return dict(sizes=list(self.sizes), hidden=hidden, **shared, output_bias=bias, dtype="float32")

    def model(self, X):
        """Return the untrained model of this run, in float32.

        Args:
            X: the training images, (n, D), n >= ``images``; the mean of those used sets the output bias, if "logit".
        """
        model = Autoencoder(**self.model_arguments())
        return model.start_output_bias(self.part(X)) if self.output_bias == "logit" else model

    def optimizer(self):
        """Return the optimizer of this run, new."""
        rate, _ = self.learning_rate(self.updates)
        return OPTIMIZERS[self.method](rate, **self.coefficients())

    def part(self, X):
        """Return the training images used, (images, D).

        Raises:
            ValueError: there are fewer.
        """
        X = as_array("X", X)
        there = len(X) if X.ndim else 0
        if there < self.images:
            raise ValueError(f"images is {self.images}: expected 1 to {there}, the number of images at hand")
        return X[: self.images]

    def trace(self, X, at=None, measure=None):
        """Make the model, train it on ``part(X)`` and measure at chosen moments; see ``aelib.train.trace``."""
        model = self.model(X)
        shared = dict(batch_size=self.batch, seed=self.seed)
        return trace(model, self.part(X), self.optimizer(), self.epochs, at=at, measure=measure, **shared)

    # -- its parts -----------------------------------------------------------------------------------------------------

    def coefficients(self):
        """Return the optimizer's arguments beside the learning rate, by name."""
        return {name: getattr(self, setting) for name, setting in coefficient_settings(self.method).items()}

    @property
    def updates(self):
        """The number of updates of the run."""
        return self.updates_left()

    def updates_left(self, images_used=0):
        """Return the number of updates until the run ends, after ``images_used`` images."""
        epoch, used = divmod(images_used, self.images)
        if epoch >= self.epochs:
            return 0
        return -(-(self.images - used) // self.batch) + (self.epochs - 1 - epoch) * -(-self.images // self.batch)

    def learning_rate(self, end):
        """Return the float or schedule for a run that ends after ``end`` updates, and the code that makes it."""
        if self.schedule == "cosine":
            return cosine(self.step, updates=end), f"cosine({self.step!r}, updates={end})"
        if self.schedule == "step decay":
            half = -(-end // 2)
            return step_decay(self.step, every=half), f"step_decay({self.step!r}, every={half})"
        return self.step, repr(self.step)


def coefficient_settings(method):
    """Return the arguments of an optimizer beside the learning rate that are settings of a run: argument -> setting.

    >>> coefficient_settings("Adam")
    {'beta1': 'momentum', 'beta2': 'decay', 'epsilon_inside': 'epsilon_inside'}
    """
    known = {field.name for field in fields(Settings)}
    names = {name: _CALLED.get(name, name) for name in OPTIMIZERS[method].setting_names}
    return {name: setting for name, setting in names.items() if setting in known}


def _plain(value):
    """Return NumPy's numbers and words as Python's, also those in a list or tuple; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return type(value)(_plain(entry) for entry in value)
    return value


def _require(name, value, right, expected):
    if not right:
        raise ValueError(f"{name} is {shown(value)}: expected {expected}")
