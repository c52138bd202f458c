"""SGD, RMSprop and Adam on a flat vector. They know nothing of networks.

Every optimizer has ``step(theta, grad)``, which changes theta in place, and a ``learning_rate`` that may be set
at any time, to a float or to a schedule: a function of the number of updates already made. Weight decay is
*coupled*: it is part of the model's loss, hence of ``grad``, and passes through the moments like the rest of
the gradient; it is not the decoupled decay of AdamW.
"""

import math
import warnings
from functools import partial

import numpy as np

from aelib.files import load_npz, save_npz
from aelib.schedules import constant, cosine, number, step_decay  # noqa: F401 - schedules are offered here too

_BLOCK = 2**17  # bytes updated at a time: blocks of theta, grad, moments and scratch stay in a core's own cache
_CHECKS = {  # made whenever one of these is assigned
    "learning_rate": lambda name, value: value if callable(value) else number(name, value),
    "epsilon": number,
    **dict.fromkeys(("momentum", "decay", "beta1", "beta2"), partial(number, below=1)),
}


class Optimizer:
    """State and bookkeeping shared by the methods: moments by name, update count, blocks, settings.

    All settings may be assigned between two updates, and are checked then. A decay that is changed (beta1, beta2 or
    decay) leaves the running average as it is: the stored moment, which lacks the factor (1 - decay), is rescaled.

    A method has ``coefficients()``, and ``update(theta, grad, *moments, scratch, *coefficients)`` of one block.

    An optimizer serves one model: call ``reset`` before it steps another, of as many parameters too.

    Attributes:
        learning_rate: a finite number >= 0 or schedule(update) -> such a number.
        updates: number of updates made.
        moments: dict of flat arrays like theta, empty before the first step.
        flush_every: number of updates after which moments too small to matter are set to 0. Those of weights whose
            gradient stays 0 shrink at every update until they are subnormal, which slows arithmetic on many
            processors. ``math.inf``: never.
    """

    moment_names = ()
    setting_names = ()  # beside learning_rate
    averages = {}  # noqa: RUF012 - a decay -> the moment that is a running average by it
    flush_every = 100

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.reset()

    def __setattr__(self, name, value):
        if name in _CHECKS:
            value = _CHECKS[name](name, value)
            if name in self.averages and self.moments:
                self._past[name] = self.remaining(name, self.updates), self.updates
                self.moments[self.averages[name]] *= (1 - getattr(self, name)) / (1 - value)
        super().__setattr__(name, value)

    def __getstate__(self):
        return self.__dict__ | {"_scratch": None}

    def reset(self):
        """Forget the moments and the update count, as if newly made."""
        self.updates = 0
        self.moments = {}
        self._past = {}  # a decay that was changed -> (the product of the decays until then, update of the change)
        self._scratch = None

    def remaining(self, name, update):
        """Return the product of a decay over all updates: decay^update, if it was never changed."""
        product, since = self._past.get(name, (1.0, 0))
        return product * getattr(self, name) ** (update - since)

    @property
    def rate(self):
        """The learning rate of the next update, a float; a schedule that gives no such number is a ValueError."""
        if not callable(self.learning_rate):
            return float(self.learning_rate)
        return float(number(f"the learning rate of schedule({self.updates})", self.learning_rate(self.updates)))

    def step(self, theta, grad):
        """Make one update of theta (n_params,) in place, from the gradient there; grad is left as it is.

        Raises:
            ValueError: theta and grad are not flat floating-point vectors alike, the optimizer has state for another
                vector (``reset``), or the schedule's rate is no finite number >= 0. Theta is as it was then.
        """
        flat = all(isinstance(v, np.ndarray) and v.ndim == 1 and v.dtype.kind == "f" for v in (theta, grad))
        if not flat or theta.shape != grad.shape:
            what = [f"{v.dtype}{v.shape}" if isinstance(v, np.ndarray) else type(v).__name__ for v in (theta, grad)]
            raise ValueError(f"theta is {what[0]}, grad {what[1]}: expected two flat vectors alike, of floating point")
        coefficients = [np.array(c, theta.dtype) for c in self.coefficients()]  # NumPy is quickest with these
        if self._scratch is None:
            self._scratch = np.empty(_BLOCK // theta.itemsize, theta.dtype)
            if not self.moments:
                self.moments = {name: np.zeros_like(theta) for name in self.moment_names}
        for name, moment in self.moments.items():
            if moment.shape != theta.shape or moment.dtype != theta.dtype:
                raise ValueError(
                    f"{name} belongs to a {moment.dtype} vector of {moment.size} entries, theta is {theta.dtype} with "
                    f"{theta.size}: call reset() before using this optimizer for another model"
                )
        flush = self.updates % self.flush_every == self.flush_every - 1
        for i in range(0, theta.size, self._scratch.size):
            block = slice(i, i + self._scratch.size)
            moments = [moment[block] for moment in self.moments.values()]
            scratch = self._scratch[: theta.size - i]
            self.update(theta[block], grad[block], *moments, scratch, *coefficients)
            for moment in moments if flush else ():  # before they go subnormal: 100 updates shrink them by 4e-5
                moment[np.abs(moment) < (1e-30 if moment.dtype.itemsize == 4 else 1e-290)] = 0
        self.updates += 1

    def settings(self):
        """Return the settings beside the learning rate, by name."""
        return {name: getattr(self, name) for name in self.setting_names}

    def state(self):
        """Return the state as a dict of arrays: kind, update count, next rate, settings, copies of the moments."""
        values = {"optimizer": type(self).__name__, "updates": self.updates, "rate": self.rate} | self.settings()
        values |= {f"{name}_past": past for name, past in self._past.items()} | self.moments
        return {name: np.array(value) for name, value in values.items()}

    def load_state(self, state):
        """Take over a state that ``state`` returned; a warning tells if this object's learning rate is another.

        Raises:
            ValueError: the state is another method's, was made with other settings, or is damaged. To go on with
                other settings, load it into an optimizer with the old ones, then assign the new.
        """
        state = {name: np.asarray(value) for name, value in state.items()}
        self._check(state)
        self.reset()
        self.set_back(state)
        if self.rate != state["rate"]:
            rates = f"the state was left at a learning rate of {state['rate']:g}; the next here is {self.rate:g}"
            warnings.warn(rates, stacklevel=2)

    def set_back(self, state):
        """Go back to an earlier ``state`` of this very object; settings changed since keep their new values."""
        now, zeros = self.settings(), {name: np.zeros_like(moment) for name, moment in self.moments.items()}
        self.reset()
        for name in now:
            setattr(self, name, state[name].item())  # that of the state, until its moments are here
        self.updates = int(state["updates"])
        self.moments = zeros | {name: np.array(state[name]) for name in self.moment_names if name in state}
        self._past = {name: tuple(state[f"{name}_past"].tolist()) for name in self.averages if f"{name}_past" in state}
        for name, value in now.items():
            if value != getattr(self, name):
                setattr(self, name, value)

    def _check(self, state):
        """Raise ValueError unless this is a whole state of such an optimizer with these settings."""
        kind, updates = str(state.get("optimizer")), state.get("updates", np.array(None))
        if kind != type(self).__name__:
            raise ValueError(f"this is the state of {kind}: expected that of {type(self).__name__}")
        if updates.shape or updates.dtype.kind not in "iu" or updates < 0:
            raise ValueError(f"updates is {np.array2string(updates, threshold=3)}: expected a whole number >= 0")
        moments = [name for name in self.moment_names if updates or name in state]
        missing = [name for name in ("rate", *self.setting_names, *moments) if name not in state]
        if missing:
            raise ValueError(f"the state has no {', '.join(missing)}: expected one saved by this version of aelib")
        for name, own in self.settings().items():
            if not np.array_equal(state[name], own):
                there = np.array2string(state[name], threshold=3)
                raise ValueError(f"{name} is {there} in this state, {own} here: set it to that, load, then change it")
        like = state[moments[0]] if moments else state["rate"]
        pasts = {f"{name}_past": (2,) for name in self.averages if f"{name}_past" in state}
        for name, shape in ({"rate": ()} | pasts | dict.fromkeys(moments, (like.size,))).items():
            value, most = state[name], (1, updates) if name in pasts else np.inf
            if value.shape != shape or value.dtype.kind != "f" or (name in moments and value.dtype != like.dtype):
                raise ValueError(f"{name} is {value.dtype}{value.shape}: expected floating point, {shape}")
            least = 0 if name not in moments or name in ("square", "second") else -np.inf
            if not np.all(np.isfinite(value) & (value >= least) & (value <= most)):
                raise ValueError(f"{name} holds numbers that it cannot have: the state is damaged")

    def save(self, path):
        """Write the state to ``path`` (.npz), atomically."""
        save_npz(path, **self.state())

    def restore(self, path):
        """Take over the state that ``save`` wrote, as ``load_state`` does; errors name the path."""
        state = load_npz(path, ["optimizer", "updates"])
        try:
            self.load_state(state)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


class SGD(Optimizer):
    """Stochastic gradient descent with momentum: v <- momentum v + grad, theta <- theta - learning_rate v.

    Convention: v is a plain sum, as in Polyak (1964) and PyTorch, not an average: at momentum 0.9 the long-run
    step is 10 learning rates. No Nesterov look-ahead.

    >>> theta = np.array([1.0])
    >>> SGD(0.1).step(theta, np.array([2.0]))
    >>> float(theta[0])
    0.8
    """

    moment_names = ("velocity",)
    setting_names = ("momentum",)

    def __init__(self, learning_rate=0.01, momentum=0.0):
        super().__init__(learning_rate)
        self.momentum = momentum

    def coefficients(self):
        """Return (momentum, learning rate)."""
        return self.momentum, self.rate

    def update(self, theta, grad, v, scratch, momentum, rate):
        """Update one block."""
        v *= momentum
        v += grad
        theta -= np.multiply(v, rate, out=scratch)


class RMSprop(Optimizer):
    """RMSprop: s <- decay s + (1 - decay) grad^2, theta <- theta - learning_rate grad / (sqrt(s) + epsilon).

    Convention: epsilon stands outside the root, s starts at 0 and is not bias-corrected, so that the first step is
    learning_rate / sqrt(1 - decay) long in every coordinate. Source: Tieleman and Hinton, lecture 6.5, 2012; same as
    PyTorch's with momentum 0.
    """

    moment_names = ("square",)
    setting_names = ("decay", "epsilon")
    averages = {"decay": "square"}  # noqa: RUF012

    def __init__(self, learning_rate=0.001, decay=0.99, epsilon=1e-8):
        super().__init__(learning_rate)
        self.decay, self.epsilon = decay, epsilon

    def coefficients(self):
        """Return (decay, learning rate, epsilon), the last two scaled as ``update`` needs them."""
        root = math.sqrt(1 - self.decay)  # the moment is kept as s / (1 - decay), which saves a multiplication
        return self.decay, self.rate / root, self.epsilon / root

    def update(self, theta, grad, s, t, decay, rate, epsilon):
        """Update one block."""
        s *= decay
        s += np.square(grad, out=t)
        np.sqrt(s, out=t)
        t += epsilon
        np.divide(grad, t, out=t)
        t *= rate
        theta -= t


class Adam(Optimizer):
    """Adam with bias correction (Kingma and Ba, 2015, algorithm 1).

    m <- beta1 m + (1 - beta1) grad, v <- beta2 v + (1 - beta2) grad^2, and with t the number of this update
    theta <- theta - learning_rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon).

    Convention: epsilon stands outside the root, after the correction, as in algorithm 1 and PyTorch; not the
    "epsilon hat" form. With ``epsilon_inside`` the divisor is sqrt(v / (1 - beta2^t) + epsilon), as in the code of the
    report's author: 1e-8 there acts like 1e-4 outside. The moments are stored without the factors (1 - beta), which
    saves two multiplications.
    """

    moment_names = ("first", "second")
    setting_names = ("beta1", "beta2", "epsilon", "epsilon_inside")
    averages = {"beta1": "first", "beta2": "second"}  # noqa: RUF012

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, epsilon_inside=False):
        super().__init__(learning_rate)
        self.beta1, self.beta2, self.epsilon, self.epsilon_inside = beta1, beta2, epsilon, epsilon_inside

    def coefficients(self):
        """Return (beta1, beta2, learning rate, epsilon), the last two scaled as ``update`` needs them."""
        t = self.updates + 1
        root = math.sqrt((1 - self.beta2) / (1 - self.remaining("beta2", t)))
        rate = self.rate * (1 - self.beta1) / (1 - self.remaining("beta1", t))
        return self.beta1, self.beta2, rate / root, self.epsilon / (root**2 if self.epsilon_inside else root)

    def update(self, theta, grad, m, v, t, beta1, beta2, rate, epsilon):
        """Update one block."""
        m *= beta1
        m += grad
        v *= beta2
        v += np.square(grad, out=t)
        if self.epsilon_inside:
            np.sqrt(np.add(v, epsilon, out=t), out=t)
        else:
            np.sqrt(v, out=t)
            t += epsilon
        np.divide(m, t, out=t)
        t *= rate
        theta -= t
