"""SGD, RMSprop and Adam on a flat vector, and learning-rate schedules. They know nothing of networks.

Every optimizer has ``step(theta, grad)``, which changes theta in place, and a ``learning_rate`` that may be set
at any time, to a float or to a schedule: a function of the number of updates already made. Weight decay is
*coupled*: it is part of the model's loss, hence of ``grad``, and passes through the moments like the rest of
the gradient; it is not the decoupled decay of AdamW.
"""

import math

import numpy as np

from aelib.files import load_npz, save_npz

_BLOCK = 262144  # entries updated at a time: blocks of theta, grad, moments and scratch stay in the last cache


def constant(learning_rate):
    """Return the schedule that is always ``learning_rate``."""
    return lambda update: learning_rate


def step_decay(learning_rate, every, factor=0.1):
    """Return the schedule learning_rate * factor^floor(update / every).

    >>> [step_decay(1.0, every=2, factor=0.5)(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return lambda update: learning_rate * factor ** (update // every)


def cosine(learning_rate, updates, final=0.0):
    """Return the schedule that falls from learning_rate to final along half a cosine, then stays.

    final + (learning_rate - final) (1 + cos(pi update / updates)) / 2. Source: Loshchilov and Hutter, 2017, eq. 5,
    one period, by updates instead of epochs.

    >>> round(cosine(1.0, updates=10)(5), 12)
    0.5
    """
    return lambda update: final + (learning_rate - final) * (1 + math.cos(math.pi * min(update / updates, 1.0))) / 2


class Optimizer:
    """State and bookkeeping shared by the methods: moments by name, update count, blocks, learning rate.

    Attributes:
        learning_rate: float or schedule(update) -> float; settable while training.
        updates: number of updates made.
        moments: dict of flat arrays like theta, empty before the first step.
        flush_every: number of updates after which moments too small to matter are set to 0. Those of weights whose
            gradient stays 0 shrink at every update until they are subnormal, which slows arithmetic on many
            processors. ``math.inf``: never.
    """

    moment_names = ()
    flush_every = 100

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.reset()

    def reset(self):
        """Forget the moments and the update count, as if newly made."""
        self.updates = 0
        self.moments = {}
        self._scratch = None

    @property
    def rate(self):
        """The learning rate of the next update, a float."""
        return float(self.learning_rate(self.updates) if callable(self.learning_rate) else self.learning_rate)

    def step(self, theta, grad):
        """Make one update of theta (n_params,) in place, from the gradient there; grad is left as it is.

        Raises:
            ValueError: theta and grad differ in shape, or the optimizer has state for another vector (``reset``).
        """
        if theta.ndim != 1 or theta.shape != grad.shape:
            raise ValueError(f"theta has shape {theta.shape}, grad {grad.shape}: expected two flat vectors alike")
        if self._scratch is None:
            self._scratch = np.empty(min(theta.size, _BLOCK), theta.dtype)
            if not self.moments:
                self.moments = {name: np.zeros_like(theta) for name in self.moment_names}
        for name, moment in self.moments.items():
            if moment.shape != theta.shape or moment.dtype != theta.dtype:
                raise ValueError(
                    f"{name} belongs to a {moment.dtype} vector of {moment.size} entries, theta is {theta.dtype} with "
                    f"{theta.size}: call reset() before using this optimizer for another model"
                )
        coefficients = [np.array(c, theta.dtype) for c in self.coefficients()]  # NumPy is quickest with these
        flush = self.updates % self.flush_every == self.flush_every - 1
        for i in range(0, theta.size, _BLOCK):
            block = slice(i, i + _BLOCK)
            moments = [moment[block] for moment in self.moments.values()]
            scratch = self._scratch[: theta[block].size]
            self.update(theta[block], grad[block], *moments, scratch, *coefficients)
            if flush:
                for moment in moments:
                    _flush(moment)
        self.updates += 1

    def coefficients(self):
        """Return the scalars of the next update, computed once for all blocks."""
        raise NotImplementedError

    def update(self, theta, grad, *args):
        """Update one block: theta, grad, the moments, scratch (same size), then the coefficients."""
        raise NotImplementedError

    def state(self):
        """Return the state as a dict of arrays: kind, update count, copies of the moments."""
        moments = {name: moment.copy() for name, moment in self.moments.items()}
        return {"optimizer": np.array(type(self).__name__), "updates": np.array(self.updates), **moments}

    def load_state(self, state):
        """Take over a state that ``state`` returned. Settings such as the learning rate stay this object's own.

        Raises:
            ValueError: the state is another method's.
        """
        kind = str(state["optimizer"])
        if kind != type(self).__name__:
            raise ValueError(f"this is the state of {kind}: expected that of {type(self).__name__}")
        self.reset()
        self.updates = int(state["updates"])
        self.moments = {name: np.array(state[name]) for name in self.moment_names if name in state}

    def save(self, path):
        """Write the state to ``path`` (.npz), atomically."""
        save_npz(path, **self.state())

    def restore(self, path):
        """Take over the state that ``save`` wrote; raises ValueError or FileNotFoundError as ``load_npz`` does."""
        self.load_state(load_npz(path, ["optimizer", "updates"]))


def _flush(moment):
    """Set tiny entries to 0, before they go subnormal: 100 updates at decay 0.9 shrink them by 4e-5."""
    tiny = 1e-30 if moment.dtype.itemsize == 4 else 1e-290
    moment[np.abs(moment) < tiny] = 0


def _between_0_and_1(**values):
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}: expected 0 <= {name} < 1")


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

    def __init__(self, learning_rate=0.01, momentum=0.0):
        _between_0_and_1(momentum=momentum)
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

    def __init__(self, learning_rate=0.001, decay=0.99, epsilon=1e-8):
        _between_0_and_1(decay=decay)
        super().__init__(learning_rate)
        self.decay, self.epsilon = decay, epsilon

    def coefficients(self):
        """Return (decay, learning rate, epsilon), the last two scaled as ``update`` needs them."""
        root = math.sqrt(1 - self.decay)  # the moment is kept as s / (1 - decay), which saves a multiplication
        return self.decay, self.rate / root, self.epsilon / root

    def update(self, theta, grad, s, t, decay, rate, epsilon):
        """Update one block."""
        s *= decay
        s += np.multiply(grad, grad, out=t)
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

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, epsilon_inside=False):
        _between_0_and_1(beta1=beta1, beta2=beta2)
        super().__init__(learning_rate)
        self.beta1, self.beta2, self.epsilon, self.epsilon_inside = beta1, beta2, epsilon, epsilon_inside

    def coefficients(self):
        """Return (beta1, beta2, learning rate, epsilon), the last two scaled as ``update`` needs them."""
        t = self.updates + 1
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**t))
        rate = self.rate * (1 - self.beta1) / (1 - self.beta1**t)
        return self.beta1, self.beta2, rate / root, self.epsilon / (root**2 if self.epsilon_inside else root)

    def update(self, theta, grad, m, v, t, beta1, beta2, rate, epsilon):
        """Update one block."""
        m *= beta1
        m += grad
        v *= beta2
        v += np.multiply(grad, grad, out=t)
        if self.epsilon_inside:
            np.sqrt(np.add(v, epsilon, out=t), out=t)
        else:
            np.sqrt(v, out=t)
            t += epsilon
        np.divide(m, t, out=t)
        t *= rate
        theta -= t
