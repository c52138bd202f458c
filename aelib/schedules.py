"""Learning-rate schedules: functions of the number of updates already made. They can be pickled."""

import math
import numbers
from functools import partial


def number(name, value, least=0, below=math.inf):
    """Return value if it is a finite number, least <= value < below; raise ValueError otherwise."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not least <= value < below:
        limit = f"{least} <= {name} < {below}" if below < math.inf else f"a finite number >= {least}"
        raise ValueError(f"{name} is {value!r}: expected {limit}")
    return value


def constant(learning_rate):
    """Return the schedule that is always ``learning_rate``."""
    return partial(_constant, number("learning_rate", learning_rate))


def _constant(learning_rate, update):
    return learning_rate


def step_decay(learning_rate, every, factor=0.1):
    """Return the schedule learning_rate * factor^floor(update / every).

    >>> [step_decay(1.0, every=2, factor=0.5)(t) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    number("learning_rate", learning_rate)
    return partial(_step_decay, learning_rate, number("every", every, 1), number("factor", factor))


def _step_decay(learning_rate, every, factor, update):
    return learning_rate * factor ** (update // every)


def cosine(learning_rate, updates, final=0.0):
    """Return the schedule that falls from learning_rate to final along half a cosine, then stays.

    final + (learning_rate - final) (1 + cos(pi update / updates)) / 2. Source: Loshchilov and Hutter, 2017, eq. 5,
    one period, by updates instead of epochs.

    >>> round(cosine(1.0, updates=10)(5), 12)
    0.5
    """
    number("learning_rate", learning_rate)
    return partial(_cosine, learning_rate, number("updates", updates, 1), number("final", final))


def _cosine(learning_rate, updates, final, update):
    return final + (learning_rate - final) * (1 + math.cos(math.pi * min(update / updates, 1.0))) / 2
