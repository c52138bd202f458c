"""Exercises of lab 3, optimizers."""

import numpy as np

from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close
from aelib.optimizers import SGD, Adam, RMSprop

LAB = "03_optimizers"


def _follows(answer, optimizer, states, rng, **coefficients):
    """Twenty updates along random gradients are those of the package's optimizer; no argument is changed."""
    theta, step = rng.standard_normal(7), float(rng.uniform(0.01, 0.2))
    optimizer.learning_rate = step
    theirs, state = theta.copy(), [np.zeros(7) for _ in range(states)]
    for t in range(1, 21):
        g = rng.standard_normal(7) * 10 ** rng.uniform(-3, 1)
        given = [theta.copy(), g.copy(), *(s.copy() for s in state)]
        found = answer(given[0], given[1], t, *given[2:], step=step, **coefficients)
        if found is None or len(found) != 1 + states:
            raise Wrong(f"update {t}: {1 + states} arrays were expected, theta first")
        for before, now in zip((theta, g, *state), given, strict=True):
            if not np.array_equal(before, now):
                raise Wrong(f"update {t}: an argument was changed; return new arrays")
        theta = array(found[0], (7,), f"theta after update {t}")
        state = [array(s, (7,), f"the state after update {t}") for s in found[1:]]
        optimizer.step(theirs, g)
        close(theta, theirs, f"theta after update {t}", tolerance=1e-9)
    return state


@exercise("sgd", lab=LAB, points=1, own=("aelib.optimizers.SGD",))
def sgd(answer, rng):
    """The velocity is a plain sum of gradients, each forgotten by the momentum."""
    _follows(answer, SGD(momentum=0.9), 1, rng)
    momentum = float(rng.uniform(0.2, 0.8))
    _follows(answer, SGD(momentum=momentum), 1, rng, momentum=momentum)


@exercise("rmsprop", lab=LAB, points=1, own=("aelib.optimizers.RMSprop",))
def rmsprop(answer, rng):
    """The state is an average of squares; epsilon stands outside the root."""
    _follows(answer, RMSprop(), 1, rng)
    decay, epsilon = float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.1, 1))
    (s,) = _follows(answer, RMSprop(decay=decay, epsilon=epsilon), 1, rng, decay=decay, epsilon=epsilon)
    s = np.asarray(answer(np.zeros(2), np.array([3.0, 0.0]), 1, np.zeros(2), step=0.1, decay=decay)[1])
    close(s, [(1 - decay) * 9, 0], "the new s of a first gradient (3, 0)")


@exercise("adam", lab=LAB, points=2, own=("aelib.optimizers.Adam",))
def adam(answer, rng):
    """Both moments are averages, corrected for their start; the correction is not stored."""
    _follows(answer, Adam(), 2, rng)
    b1, b2, epsilon = float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.1, 1))
    own = dict(beta1=b1, beta2=b2, epsilon=epsilon)
    _follows(answer, Adam(**own), 2, rng, **own)
    zero = np.zeros(2)
    _, m, s = answer(zero, np.array([3.0, 0.0]), 1, zero, zero, step=0.1, beta1=b1, beta2=b2)
    close(m, [(1 - b1) * 3, 0], "the new m of a first gradient (3, 0)")
    close(s, [(1 - b2) * 9, 0], "the new s of a first gradient (3, 0)")


@exercise("adamw", lab=LAB, points=2, own=("aelib.optimizers.Adam",))
def adamw(answer, rng):
    """A weight shrinks by 1 - step * decay, and Adam's step does not see it; the step may change on the way."""
    weight_decay, plain = float(rng.uniform(0.1, 2)), Adam()
    theta, m, s = rng.standard_normal(6), np.zeros(6), np.zeros(6)
    for t in range(1, 8):
        g, step = rng.standard_normal(6) * (np.arange(6) > 0), float(rng.uniform(0.01, 0.1))  # the first entry is 0
        plain.learning_rate, moved = step, np.zeros(6)
        plain.step(moved, g)  # what Adam adds does not depend on theta
        expected = theta * (1 - step * weight_decay) + moved
        given = [theta.copy(), g.copy(), m.copy(), s.copy()]
        found = answer(given[0], given[1], t, given[2], given[3], step=step, weight_decay=weight_decay)
        if found is None or len(found) != 3:
            raise Wrong(f"update {t}: theta, m and s were expected")
        if any(not np.array_equal(a, b) for a, b in zip(given, (theta, g, m, s), strict=True)):
            raise Wrong(f"update {t}: an argument was changed; return new arrays")
        names = ("theta", "m", "s")
        theta, m, s = (array(a, (6,), f"{name} after update {t}") for a, name in zip(found, names, strict=True))
        close(theta, expected, f"theta after update {t}", tolerance=1e-9)
