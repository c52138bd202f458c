"""What makes a run: its settings, as one value."""

import math
from dataclasses import dataclass, fields

from aelib.optimizers import SGD, Adam, RMSprop, cosine, step_decay

NETS = {
    "784-2": (784, 2, 784),
    "784-200-2": (784, 200, 2, 200, 784),
    "784-400-200-2": (784, 400, 200, 2, 200, 400, 784),
    "784-1000-500-250-2": (784, 1000, 500, 250, 2, 250, 500, 1000, 784),
}
OPTIMIZERS = {"SGD": SGD, "RMSprop": RMSprop, "Adam": Adam}
COEFFICIENTS = {  # an optimizer's argument -> the setting it is taken from
    "SGD": {"momentum": "momentum"},
    "RMSprop": {"decay": "decay"},
    "Adam": {"beta1": "momentum", "beta2": "decay"},
}
SCHEDULES = ("constant", "step decay", "cosine")
OUTPUT_BIASES = ("none", "zero", "logit")
LIVE = ("step", "batch", "momentum", "decay", "schedule", "epochs")  # settings that may change while a run lasts


@dataclass(frozen=True)
class Settings:
    """What makes a run. The same settings give the same run, bit for bit, on one machine with one BLAS thread.

    Attributes:
        sizes: layer widths, as of ``Autoencoder``.
        hidden: activation of the hidden layers.
        init: initialiser.
        output_bias: ``"none"``, ``"zero"``, or ``"logit"``: started at the logit of the mean pixel.
        weight_decay: coefficient of 0.5 ||theta||^2.
        optimizer: ``"SGD"``, ``"RMSprop"`` or ``"Adam"``.
        step: learning rate, at the start where a schedule lowers it.
        momentum: of SGD; beta1 of Adam.
        decay: of RMSprop; beta2 of Adam.
        schedule: ``"constant"``, ``"step decay"`` (a tenth from halfway on), or ``"cosine"`` (to 0 at the end).
        batch: images per update.
        epochs: passes over the images until the run ends.
        images: number of training images, from the first.
        seed: of the initial weights and of the order of images.
    """

    sizes: tuple = (784, 200, 2, 200, 784)
    hidden: str = "relu"
    init: str = "glorot"
    output_bias: str = "logit"
    weight_decay: float = 0.0
    optimizer: str = "Adam"
    step: float = 0.003
    momentum: float = 0.9
    decay: float = 0.999
    schedule: str = "constant"
    batch: int = 100
    epochs: int = 8
    images: int = 5000
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "sizes", tuple(self.sizes))
        for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("output_bias", OUTPUT_BIASES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        if not (self.step >= 0 and math.isfinite(self.step)):
            raise ValueError(f"step is {self.step}: expected a finite number >= 0")
        if not 1 <= self.batch <= self.images:
            raise ValueError(f"batch is {self.batch}: expected 1 to {self.images}, the number of images")

    @property
    def net(self):
        """The encoder's widths, such as ``"784-200-2"``."""
        return "-".join(map(str, self.sizes[: len(self.sizes) // 2 + 1]))

    @property
    def label(self):
        """The settings in a few words: net, optimizer, step, batch, then what differs from the defaults."""
        words = [self.net, f"{self.optimizer} {self.step:g}", f"batch {self.batch}"]
        known = ("sizes", "optimizer", "step", "batch", "epochs")
        used = {*COEFFICIENTS[self.optimizer].values()}
        for field in fields(self):
            value = getattr(self, field.name)
            ignored = field.name in known or (field.name in ("momentum", "decay") and field.name not in used)
            if value != field.default and not ignored:
                words.append(f"{field.name.replace('_', ' ')} {value}")
        return ", ".join(words)

    def coefficients(self):
        """Return the optimizer's arguments beside the learning rate, by name."""
        return {name: getattr(self, setting) for name, setting in COEFFICIENTS[self.optimizer].items()}

    def model_arguments(self):
        """Return the arguments of ``Autoencoder``, by name."""
        shared = {name: getattr(self, name) for name in ("hidden", "init", "weight_decay", "seed")}
        bias = self.output_bias != "none"
        return dict(sizes=list(self.sizes), **shared, output_bias=bias, dtype="float32")

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
