"""Exercises of lab 3, optimizers."""

import numpy as np

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import array, close
from aelib.coursework.findings import Wrong

LAB = "03_optimizers"


def _called(answer, names, arrays, t, update, **coefficients):
    """Return the arrays of one update of an answer, which may change no argument."""
    given = [a.copy() for a in arrays]
    found = answer(given[0], given[1], t, *given[2:], **coefficients)
    if found is None or isinstance(found, np.ndarray) or len(found) != len(arrays) - 1:
        raise Wrong(
            f"update {update}: {len(arrays) - 1} arrays were expected: {', '.join(n for n in names if n != 'g')}"
        )
    for name, before, now in zip(names, arrays, given, strict=True):
        if not np.array_equal(before, now):
            raise Wrong(f"update {update}: {name} was changed; return new arrays")
    for name, a in zip([n for n in names if n != "g"], found, strict=True):
        if getattr(a, "dtype", None) == np.float32:
            raise Wrong(
                f"update {update}: {name} came back in float32; the arguments are float64, keep their precision"
            )
    return [np.array(a) if a is not None else None for a in found]


def _follows(answer, names, law, slips, rng, **coefficients):
    """Twelve updates along random gradients with a changing step are those of a law, theta and state.

    Args:
        answer: function (theta, g, t, *state, step, ...).
        names: of the arrays: theta, g, then the state.
        law: function (theta, g, t, *state, step, **all coefficients) that returns theta and state.
        slips: pairs (cause, function like law).
        rng: draws gradients and steps.
        coefficients: given to the answer; law has the same defaults.
    """
    size = 6
    arrays = [rng.standard_normal(size), None, *(np.zeros(size) for _ in names[2:])]
    for t in range(1, 13):
        step = float(rng.uniform(0.01, 0.2))
        g = rng.standard_normal(size) * 10 ** rng.uniform(-3, 1)
        g[0] *= 1e-6 if t % 3 else 1.0  # so small that epsilon is seen
        arrays[1] = g
        found = _called(answer, names, arrays, t, t, step=step, **coefficients)
        expected = law(arrays[0], g, t, *arrays[2:], step=step, **coefficients)
        wrong = [(cause, slip(arrays[0], g, t, *arrays[2:], step=step, **coefficients)) for cause, slip in slips]
        outputs = [name for name in names if name != "g"]
        for k in (*range(1, len(outputs)), 0):  # the state first: it tells more
            what = f"{outputs[k]} after update {t}"
            close(found[k], expected[k], what, 1e-9, [(cause, made[k]) for cause, made in wrong])
            array(found[k], (size,), what)
        move = expected[0] - arrays[0]
        close(
            found[0] - arrays[0],
            move,
            f"the change of theta in update {t}",
            1e-8,
            [(c, m[0] - arrays[0]) for c, m in wrong],
        )
        for k in np.flatnonzero(np.abs(found[0] - arrays[0] - move) > 1e-8 * np.abs(move) + 1e-13):
            _one_entry(k, found[0], expected[0], arrays[0], wrong, t)
        arrays = [expected[0], None, *expected[1:]]


def _one_entry(k, found, expected, before, wrong, t):
    """Say what is wrong with one entry that is small beside the others."""
    for cause, made in wrong:
        if abs(made[0][k] - found[k]) <= 1e-6 * abs(expected[k] - before[k]):
            raise Wrong(f"theta after update {t}, where the gradient is tiny: {cause}")
    raise Wrong(
        f"theta after update {t}, where the gradient is tiny: it changes by {found[k] - before[k]:.6g} where "
        f"{expected[k] - before[k]:.6g} was expected"
    )


def _sgd(theta, g, t, v, step, momentum=0.9):
    v = momentum * v + g
    return theta - step * v, v


def _sgd_inside(theta, g, t, v, step, momentum=0.9):
    v = momentum * v + step * g
    return theta - v, v


def _sgd_minus(theta, g, t, v, step, momentum=0.9):
    v = momentum * v - step * g
    return theta + v, v


def _sgd_mean(theta, g, t, v, step, momentum=0.9):
    v = momentum * v + (1 - momentum) * g
    return theta - step * v, v


def _sgd_nesterov(theta, g, t, v, step, momentum=0.9):
    v = momentum * v + g
    return theta - step * (momentum * v + g), v


@exercise(
    "sgd",
    lab=LAB,
    points=1,
    own=("aelib.optimizers.SGD",),
    hints=(
        "two arrays are made, the new velocity and, from it, the new theta; does the step belong to the first or to "
        "the second?",
        "the update stands at the end of section 2, just above the exercise, with the convention that this lab takes; "
        "v * momentum makes a new array, v *= momentum would change the argument.",
        "a smaller case: theta = 5, v = 2, g = 3, momentum 0.5, step 0.1: the new v is 0.5 * 2 + 3 = 4, the new theta "
        "5 - 0.1 * 4 = 4.6.",
    ),
)
def sgd(answer, rng):
    """The velocity is a plain sum of gradients, each forgotten by the momentum; the step stands outside."""
    slips = (
        ("the step stands inside the velocity: v is a sum of gradients alone", _sgd_inside),
        ("the step, and a minus, stand inside the velocity: v is a sum of gradients alone", _sgd_minus),
        ("the velocity is a mean, with 1 - momentum before g, where a sum is meant", _sgd_mean),
        ("a Nesterov step: the gradient counts once more", _sgd_nesterov),
        (
            "momentum is not used: the velocity forgets everything",
            lambda *a, step, momentum=0.9: _sgd(*a, step=step, momentum=0),
        ),
        ("momentum is 0.9 whatever is given", lambda *a, step, momentum=0.9: _sgd(*a, step=step)),
    )
    names = ("theta", "g", "v")
    _follows(answer, names, _sgd, slips, rng)
    _follows(answer, names, _sgd, slips, rng, momentum=float(rng.uniform(0.2, 0.8)))


def _rmsprop(theta, g, t, s, step, decay=0.99, epsilon=1e-8, inside=False, average=True, corrected=False):
    s = decay * s + ((1 - decay) if average else 1) * g**2
    used = s / (1 - decay**t) if corrected else s
    return theta - step * g / (np.sqrt(used + epsilon) if inside else np.sqrt(used) + epsilon), s


def _variant(law, **options):
    return lambda *arrays, **coefficients: law(*arrays, **coefficients, **options)


@exercise(
    "rmsprop",
    lab=LAB,
    points=1,
    own=("aelib.optimizers.RMSprop",),
    hints=(
        "s is a running mean of squares: how much of the old s is kept, and how much of g^2 comes in? Which s, the "
        "old or the new one, stands in the denominator, and on which side of the root does epsilon stand?",
        "the update is the formula of section 3; there is no correction for the start as in Adam.",
        "a smaller case: theta = 1, s = 0, g = 2, decay 0.75, step 0.1, epsilon 1: the new s is 0.25 * 4 = 1, the new "
        "theta 1 - 0.1 * 2 / (1 + 1) = 0.9.",
    ),
)
def rmsprop(answer, rng):
    """The state is an average of squares; epsilon stands outside the root."""
    slips = (
        ("epsilon stands inside the root", _variant(_rmsprop, inside=True)),
        ("s is a sum where a mean is meant: 1 - decay is missing", _variant(_rmsprop, average=False)),
        ("s is corrected for its start, as in Adam", _variant(_rmsprop, corrected=True)),
        (
            "decay and 1 - decay are exchanged",
            lambda *a, step, decay=0.99, epsilon=1e-8: _rmsprop(*a, step=step, decay=1 - decay, epsilon=epsilon),
        ),
        (
            "epsilon is not used",
            lambda *a, step, decay=0.99, epsilon=1e-8: _rmsprop(*a, step=step, decay=decay, epsilon=1e-300),
        ),
    )
    names = ("theta", "g", "s")
    _follows(answer, names, _rmsprop, slips, rng)
    decay, epsilon = float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.1, 1))
    _follows(answer, names, _rmsprop, slips, rng, decay=decay, epsilon=epsilon)


def _adam(
    theta,
    g,
    t,
    m,
    s,
    step,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    correct=(True, True),
    inside=False,
    stored=False,
    sums=False,
    later=0,
    hat=False,
):
    m = beta1 * m + (1 if sums else 1 - beta1) * g
    s = beta2 * s + (1 if sums else 1 - beta2) * g**2
    m_hat = m / (1 - beta1 ** (t + later)) if correct[0] else m
    s_hat = s / (1 - beta2 ** (t + later)) if correct[1] else s
    divisor = np.sqrt(s_hat + epsilon) if inside else np.sqrt(s_hat) + epsilon
    if hat:  # epsilon-hat of the paper's faster form
        root = np.sqrt(1 - beta2**t)
        return theta - step * root / (1 - beta1**t) * m / (np.sqrt(s) + epsilon), m, s
    return theta - step * m_hat / divisor, *((m_hat, s_hat) if stored else (m, s))


def _once(*arrays, step, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Adam whose correction does not know t."""
    theta, g, _, m, s = arrays
    return _adam(theta, g, 1, m, s, step, beta1, beta2, epsilon)


def _swapped(*arrays, step, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return _adam(*arrays, step, beta2, beta1, epsilon)


ADAM_SLIPS = (
    ("epsilon stands inside the root", _variant(_adam, inside=True)),
    ("epsilon is not divided by the root of the correction, as in the paper's epsilon-hat", _variant(_adam, hat=True)),
    ("the corrected moment is returned: the moment itself is asked for", _variant(_adam, stored=True)),
    ("a sum where a mean is meant: 1 - beta is missing", _variant(_adam, sums=True)),
    ("neither moment is corrected for its start", _variant(_adam, correct=(False, False))),
    ("the first moment is not corrected for its start", _variant(_adam, correct=(False, True))),
    ("the second moment is not corrected for its start", _variant(_adam, correct=(True, False))),
    ("the correction does not know t: it divides by 1 - beta in every update", _once),
    ("the correction takes t + 1: t is the number of this update, from 1", _variant(_adam, later=1)),
    ("beta1 and beta2 are exchanged", _swapped),
)


@exercise(
    "adam",
    lab=LAB,
    points=2,
    own=("aelib.optimizers.Adam",),
    hints=(
        "four steps: the new m, the new s, both divided by their corrections, the new theta. Which of m and m-hat is "
        "handed back, and with which power of beta is it corrected?",
        "the update is the last formula of section 4, above 'Expect'; t is the number of this update, from 1, and "
        "epsilon stands outside the root.",
        "a smaller case: theta = 1, g = 2, m = s = 0, t = 1, beta1 = 0.5, beta2 = 0.75, epsilon 0, step 0.1: m = 1, s "
        "= 1, corrected 1 / 0.5 = 2 and 1 / 0.25 = 4, theta = 1 - 0.1 * 2 / 2 = 0.9; returned are 0.9, 1 and 1.",
    ),
)
def adam(answer, rng):
    """Both moments are averages, corrected for their start; the correction is not stored."""
    names = ("theta", "g", "m", "s")
    _follows(answer, names, _adam, ADAM_SLIPS, rng)
    b1, b2, epsilon = float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.1, 1))
    _follows(answer, names, _adam, ADAM_SLIPS, rng, beta1=b1, beta2=b2, epsilon=epsilon)


def _adamw(theta, g, t, m, s, step, weight_decay, **options):
    return _adam((1 - step * weight_decay) * theta, g, t, m, s, step, **options)


def _coupled(theta, g, t, m, s, step, weight_decay):
    return _adam(theta, g + weight_decay * theta, t, m, s, step)


def _after(theta, g, t, m, s, step, weight_decay):
    theta, m, s = _adam(theta, g, t, m, s, step)
    return (1 - step * weight_decay) * theta, m, s


ADAMW_SLIPS = (
    ("epsilon stands inside the root", _variant(_adamw, inside=True)),
    ("neither moment is corrected for its start", _variant(_adamw, correct=(False, False))),
    ("the corrected moment is returned: the moment itself is asked for", _variant(_adamw, stored=True)),
    ("the decay stands in the gradient, where Adam's moments see it: it is to be decoupled", _coupled),
    ("the decay comes after Adam's step: it shrinks theta first", _after),
    ("the decay is not multiplied by the step", lambda *a, step, weight_decay: _adamw(*a, step, weight_decay / step)),
    ("the decay is not used", lambda *a, step, weight_decay: _adamw(*a, step, 0.0)),
    ("theta grows where it is to shrink", lambda *a, step, weight_decay: _adamw(*a, step, -weight_decay)),
)


@exercise(
    "adamw",
    lab=LAB,
    points=2,
    own=("aelib.optimizers.Adam",),
    hints=(
        "two things happen one after the other: theta shrinks, then Adam's step is taken from there. Does Adam's "
        "gradient know of the decay?",
        "the order and the factor stand in the task; Adam's own update is that of exercise 3.3, with its usual "
        "coefficients.",
        "a smaller case: theta = 10, g = 0, m = s = 0, step 0.1, decay 0.5: Adam adds nothing, and theta becomes "
        "(1 - 0.05) * 10 = 9.5. With g = 2 at t = 1 Adam's own step is 0.1 against the sign of g: 9.4.",
    ),
)
def adamw(answer, rng):
    """A weight shrinks by 1 - step * decay, and Adam's step does not see it; the step may change on the way."""
    names = ("theta", "g", "m", "s")
    for weight_decay in rng.uniform(0.1, 2, 2):
        _follows(answer, names, _adamw, ADAMW_SLIPS, rng, weight_decay=float(weight_decay))


question(
    "3.5",
    (
        "note the losses that the picture shows at the end, and compare them with that of the mean image. Then ask "
        "what becomes of Adam's step when every gradient is multiplied by the same small number.",
        "Adam's update stands in section 4; its epsilon is 1e-8.",
        "a smaller case: one parameter, a gradient of c in every update. m-hat is c, the root of s-hat is c, and the "
        "step is alpha * c / (c + 1e-8). Put c = 1, 1e-6 and 1e-9.",
    ),
)
question(
    "3.6",
    (
        "how many things change when the batch grows and the number of images stays?",
        "lab 4 compares on equal images and on equal updates; the section on batches says what each holds fixed.",
        "a smaller case: 20,000 images make 200 updates with batch 100 and 20 with batch 1,000. How many images does "
        "batch 1,000 need for 200 updates?",
    ),
)
