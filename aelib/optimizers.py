"""SGD, RMSprop and Adam on a flat vector, and schedules of their learning rate. They know nothing of networks.

Every optimizer has ``step(theta, grad)``, which changes theta in place, and a ``learning_rate`` that may be set
at any time, to a float or to a schedule: a function of the number of updates already made. Weight decay is
*coupled*: it is part of the model's loss, hence of ``grad``, and passes through the moments like the rest of
the gradient; it is not the decoupled decay of AdamW.
"""

import copy
import math
import numbers
import weakref
from functools import partial

import numpy as np

from aelib.arrays import shown

_BLOCK = 2**17  # bytes updated at a time: blocks of theta, grad, moments and scratch stay in a core's own cache


def _number(name, value, least=0, below=math.inf):
    """Return value as a float if it is a finite number, least <= value < below; raise ValueError otherwise."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not least <= value < below:
        limit = f"{least} <= {name} < {below}" if below < math.inf else f"a finite number >= {least}"
        raise ValueError(f"{name} is {shown(value)}: expected {limit}")
    return float(value)


def _rate(name, value):
    return value if callable(value) else _number(name, value)


def _truth(name, value):
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {shown(value)}: expected True or False")
    return bool(value)


_CHECKS = {  # made whenever one of these is assigned
    "learning_rate": _rate,
    "epsilon": _number,
    "epsilon_inside": _truth,
    "momentum": partial(_number, below=1),
    "decay": partial(_number, below=1),
    "beta1": partial(_number, below=1),
    "beta2": partial(_number, below=1),
}


class Optimizer:
    """State and bookkeeping shared by the methods: moments by name, update count, blocks, settings.

    All settings may be assigned between two updates, and are checked then. A decay that is changed (beta1, beta2 or
    decay) leaves the running average as it is: the stored moment, which lacks the factor (1 - decay), is rescaled.

    A method has ``coefficients()``, and ``update(theta, grad, *moments, scratch, *coefficients)`` of one block.

    An optimizer serves one vector: call ``reset`` before it steps another. ``train`` refuses one that has stepped
    another model's; a copy (``copy.copy``, ``copy.deepcopy``, pickle), which has moments of its own, goes on with any.

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
        return self.__dict__ | {"_scratch": None, "_stepped": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        moments = {name: np.array(moment) for name, moment in self.moments.items()}
        self.__dict__["moments"] = moments  # own ones: joblib hands large arrays over as read-only memory maps

    def __copy__(self):
        return copy.deepcopy(self)

    def reset(self):
        """Forget the moments and the update count, as if newly made."""
        self.updates = 0
        self.moments = {}
        self._past = {}  # a decay that was changed -> (the product of the decays until then, update of the change)
        self._scratch = None
        self._stepped = None  # the vector stepped last, weakly

    def has_stepped_another(self, theta):
        """Return whether the last step was one of another vector than theta."""
        return self._stepped is not None and self._stepped() is not theta

    def remaining(self, name, update):
        """Return the product of a decay over all updates: decay^update, if it was never changed."""
        product, since = self._past.get(name, (1.0, 0))
        return product * getattr(self, name) ** (update - since)

    @property
    def rate(self):
        """The learning rate of the next update, a float; a schedule that gives no such number is a ValueError."""
        if not callable(self.learning_rate):
            return float(self.learning_rate)
        return _number(f"the learning rate of schedule({self.updates})", self.learning_rate(self.updates))

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
        if self._stepped is None or self._stepped() is not theta:
            self._stepped = weakref.ref(theta)

    def settings(self):
        """Return the settings beside the learning rate, by name."""
        return {name: getattr(self, name) for name in self.setting_names}

    def state(self):
        """Return the update count and copies of the moments, to which ``set_back`` goes back."""
        moments = {name: moment.copy() for name, moment in self.moments.items()}
        return dict(updates=self.updates, past=dict(self._past), settings=self.settings(), moments=moments)

    def set_back(self, state):
        """Go back to an earlier ``state`` of this very object; settings changed since keep their new values."""
        now = self.settings()
        zeros = {name: np.zeros_like(moment) for name, moment in self.moments.items()}
        self.moments = {}
        for name, value in state["settings"].items():
            setattr(self, name, value)  # that of the state, until its moments are here
        self.updates = state["updates"]
        self.moments = zeros | {name: moment.copy() for name, moment in state["moments"].items()}
        self._past = dict(state["past"])
        for name, value in now.items():
            if value != getattr(self, name):
                setattr(self, name, value)


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
        self.decay = decay
        self.epsilon = epsilon

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
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.epsilon_inside = epsilon_inside

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


OPTIMIZERS = {"SGD": SGD, "RMSprop": RMSprop, "Adam": Adam}  # all there are, by name; menus and settings read it


# -- schedules: functions of the number of updates already made, which can be pickled ----------------------------------


def step_decay(learning_rate, every, factor=0.1):
    """Return the schedule learning_rate * factor^floor(update / every).

    >>> [step_decay(1.0, every=2, factor=0.5)(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    learning_rate = _number("learning_rate", learning_rate)
    return partial(_step_decay, learning_rate, _number("every", every, 1), _number("factor", factor))


def _step_decay(learning_rate, every, factor, update):
    return learning_rate * factor ** (update // every)


def cosine(learning_rate, updates, final=0.0):
    """Return the schedule that falls from learning_rate to final along half a cosine, then stays.

    final + (learning_rate - final) (1 + cos(pi update / updates)) / 2. With final = 0 the steps after the end are 0:
    ``train`` does not begin with such a schedule. Source: Loshchilov and Hutter, 2017, eq. 5, one period, by updates
    instead of epochs.

    >>> round(cosine(1.0, updates=10)(5), 12)
    0.5
    """
    learning_rate = _number("learning_rate", learning_rate)
    return partial(_cosine, learning_rate, _number("updates", updates, 1), _number("final", final))


def _cosine(learning_rate, updates, final, update):
    return final + (learning_rate - final) * (1 + math.cos(math.pi * min(update / updates, 1.0))) / 2
