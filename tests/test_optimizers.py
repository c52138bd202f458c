import copy
import math
import pickle

import numpy as np
import pytest

from aelib import SGD, Adam, RMSprop, optimizers
from aelib.optimizers import OPTIMIZERS, cosine, step_decay

every = pytest.mark.parametrize("name", OPTIMIZERS)


def made(name):
    """Return an optimizer of this name whose decays are such that its moments matter."""
    decays = {"momentum": 0.9, "decay": 0.9, "beta1": 0.8, "beta2": 0.9}
    names = OPTIMIZERS[name].setting_names
    return OPTIMIZERS[name](0.1, **{decay: value for decay, value in decays.items() if decay in names})


def after(optimizer, grads, start=1.0):
    optimizer.reset()
    theta = np.array([start])
    for grad in grads:
        optimizer.step(theta, np.array([float(grad)]))
    return float(theta[0])


def test_first_steps_by_hand():
    # v: 2, then 0.9 * 2 - 1 = 0.8; theta: 1 - 0.2 = 0.8, then 0.8 - 0.08 = 0.72
    assert after(SGD(0.1, momentum=0.9), [2]) == pytest.approx(0.8, rel=1e-15)
    assert after(SGD(0.1, momentum=0.9), [2, -1]) == pytest.approx(0.72, rel=1e-15)
    # s: 0.1 * 4 = 0.4, then 0.36 + 0.1 = 0.46
    one = 1 - 0.1 * 2 / (math.sqrt(0.4) + 1e-8)
    assert after(RMSprop(0.1, decay=0.9), [2]) == pytest.approx(one, rel=1e-14)
    assert after(RMSprop(0.1, decay=0.9), [2, -1]) == pytest.approx(one + 0.1 / (math.sqrt(0.46) + 1e-8), rel=1e-14)
    # corrected moments after one step are grad and grad^2: a step of 0.1 * 2 / (2 + eps)
    one = 1 - 0.1 * 2 / (2 + 1e-8)
    assert after(Adam(0.1), [2]) == pytest.approx(one, rel=1e-14)
    # m = 0.09 * 2 - 0.1 = 0.08, / (1 - 0.81); v = 0.999 * 0.004 + 0.001 = 0.004996, / (1 - 0.998001)
    two = one - 0.1 * (0.08 / 0.19) / (math.sqrt(0.004996 / 0.001999) + 1e-8)
    assert after(Adam(0.1), [2, -1]) == pytest.approx(two, rel=1e-13)


def test_epsilon_stands_outside_the_root():
    big = 0.5
    assert after(RMSprop(0.1, decay=0.9, epsilon=big), [2]) == pytest.approx(
        1 - 0.2 / (math.sqrt(0.4) + big), rel=1e-14
    )
    assert after(Adam(0.1, epsilon=big), [2]) == pytest.approx(1 - 0.2 / (2 + big), rel=1e-14)


def test_epsilon_inside_the_root():
    """The corrected moments after gradient 2 are 2 and 4; after -1 too, 0.08 / 0.19 and 0.004996 / 0.001999."""
    one = 1 - 0.1 * 2 / math.sqrt(4 + 0.5)
    assert after(Adam(0.1, epsilon=0.5, epsilon_inside=True), [2]) == pytest.approx(one, rel=1e-14)
    two = one - 0.1 * (0.08 / 0.19) / math.sqrt(0.004996 / 0.001999 + 0.5)
    assert after(Adam(0.1, epsilon=0.5, epsilon_inside=True), [2, -1]) == pytest.approx(two, rel=1e-13)
    # with no gradient to speak of, 1e-8 inside acts like 1e-4 outside
    inside, outside = Adam(0.1, epsilon=1e-8, epsilon_inside=True), Adam(0.1, epsilon=1e-4)
    assert after(inside, [1e-9], 0.0) == pytest.approx(after(outside, [1e-9], 0.0), rel=1e-4)


@every
def test_blocks_and_flushes_do_not_show(name, rng):
    """A vector longer than a block goes as its parts go, through several flushes."""
    optimizer = made(name)
    n = optimizers._BLOCK + 7
    grads = rng.standard_normal((205, 3))
    long, short = np.tile([1.0, 2.0, 3.0], n), np.array([1.0, 2.0, 3.0])
    for theta in (long, short):
        optimizer.reset()
        for grad in grads:
            optimizer.step(theta, np.tile(grad, theta.size // 3))
    np.testing.assert_array_equal(long, np.tile(short, n))


def test_long_runs_follow_the_papers_formulas(rng):
    grads = rng.standard_normal((300, 5)) * 10.0 ** rng.integers(-3, 3, 5)
    adam, rms, a, r = Adam(1e-2), RMSprop(1e-2), np.ones(5), np.ones(5)
    m, v, s, x, y = np.zeros((5, 5))
    x, y = np.ones(5), np.ones(5)
    for t, grad in enumerate(grads, start=1):
        adam.step(a, grad)
        rms.step(r, grad)
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        x = x - 1e-2 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        s = 0.99 * s + 0.01 * grad**2
        y = y - 1e-2 * grad / (np.sqrt(s) + 1e-8)
    np.testing.assert_allclose(a, x, rtol=1e-12)
    np.testing.assert_allclose(r, y, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_of_dead_weights_never_go_subnormal(dtype):
    optimizer, theta = Adam(), np.zeros(4, dtype)
    optimizer.step(theta, np.ones(4, dtype))
    for _ in range(12_000):
        optimizer.step(theta, np.zeros(4, dtype))
        m = optimizer.moments["first"]
        assert np.all((m == 0) | (np.abs(m) >= np.finfo(dtype).tiny))
    assert np.all(m == 0)


def test_schedules():
    assert [step_decay(8.0, every=3, factor=0.5)(t) for t in range(7)] == [8, 8, 8, 4, 4, 4, 2]
    half = cosine(1.0, updates=10, final=0.2)
    assert [half(t) for t in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert half(3) - half(4) == pytest.approx(half(6) - half(7))


@every
def test_learning_rate_is_settable_between_steps(name):
    optimizer = made(name)
    theta, grad = np.ones(1), np.ones(1)
    optimizer.learning_rate = step_decay(0.1, every=1, factor=0.0)
    assert optimizer.rate == 0.1
    optimizer.step(theta, grad)
    stopped = theta.copy()
    assert optimizer.rate == 0.0
    optimizer.step(theta, grad)
    np.testing.assert_array_equal(theta, stopped)
    optimizer.learning_rate = 0.5
    optimizer.step(theta, grad)
    assert theta < stopped
    optimizer.learning_rate = 0.1


def test_a_decay_changed_between_steps_keeps_the_average(rng):
    """The papers' recursions, with betas that change on the way; m_hat divides by the sum of the weights in m."""
    grads = rng.standard_normal((60, 5))
    betas = {0: (0.9, 0.999), 7: (0.5, 0.9), 20: (0.0, 0.99), 21: (0.9, 0.999)}
    adam, a, rms, r = Adam(1e-2), np.ones(5), RMSprop(1e-2), np.ones(5)
    m, v, s = np.zeros((3, 5))
    x, y, weight_m, weight_v = np.ones(5), np.ones(5), 0.0, 0.0
    for t, grad in enumerate(grads):
        if t in betas:
            adam.beta1, adam.beta2 = betas[t]
            rms.decay = betas[t][1]
        beta1, beta2 = adam.beta1, adam.beta2
        adam.step(a, grad)
        rms.step(r, grad)
        m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
        weight_m, weight_v = beta1 * weight_m + 1 - beta1, beta2 * weight_v + 1 - beta2
        x = x - 1e-2 * (m / weight_m) / (np.sqrt(v / weight_v) + 1e-8)
        s = beta2 * s + (1 - beta2) * grad**2
        y = y - 1e-2 * grad / (np.sqrt(s) + 1e-8)
        if t == 30:  # through a copy, too
            adam, rms = copy.copy(adam), pickle.loads(pickle.dumps(rms))
    np.testing.assert_allclose(a, x, rtol=1e-12)
    np.testing.assert_allclose(r, y, rtol=1e-12)


def read_only(optimizer):
    """Return the optimizer as joblib hands it over: its moments are read-only memory maps."""
    state = optimizer.__getstate__()
    state["moments"] = {name: moment.copy() for name, moment in state["moments"].items()}
    for moment in state["moments"].values():
        moment.flags.writeable = False
    twin = object.__new__(type(optimizer))
    twin.__setstate__(state)
    return twin


COPIES = (copy.copy, copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer)), read_only)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_copies_are_whole_and_go_on_alike(name, rng):
    """A trial step with a copy leaves the optimizer, its moments and its count as they were."""
    optimizer = OPTIMIZERS[name](cosine(0.1, updates=20))
    theta, grads = np.ones(4), rng.standard_normal((10, 4))
    for grad in grads[:5]:
        optimizer.step(theta, grad)
    twins, thetas = [duplicate(optimizer) for duplicate in COPIES], [theta.copy() for _ in COPIES]
    for twin, own in zip(twins, thetas, strict=True):
        for grad in grads[5:]:
            twin.step(own, grad)
    assert optimizer.updates == 5
    for grad in grads[5:]:
        optimizer.step(theta, grad)
    for own in thetas:
        np.testing.assert_array_equal(own, theta)
    assert len(pickle.dumps(optimizer)) < 1000 + 8 * 4 * len(optimizer.moments)  # no scratch memory


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int64])
def test_numbers_of_numpy_are_those_of_python(name, kind, rng):
    """An optimizer keeps Python's numbers: the same step, in the same precision, whatever kind was given."""
    make, value = OPTIMIZERS[name], kind(0.5)
    values = {setting: value for setting in make(0.1).settings() if setting != "epsilon_inside"}
    numpys, pythons = make(value, **values), make(value.item(), **{key: value.item() for key in values})
    theta, other = np.ones(4), np.ones(4)
    for grad in rng.standard_normal((3, 4)):
        numpys.step(theta, grad)
        pythons.step(other, grad)
    np.testing.assert_array_equal(theta, other)
    assert numpys.settings() == pythons.settings()
    assert all(type(setting) in (float, bool) for setting in [numpys.learning_rate, *numpys.settings().values()])


@every
def test_grad_is_left_alone(name, rng):
    optimizer = made(name)
    grad = rng.standard_normal(5)
    copy = grad.copy()
    optimizer.step(np.ones(5), grad)
    np.testing.assert_array_equal(grad, copy)


def test_a_step_meets_no_moments_of_another_precision_or_length():
    adam = Adam()
    adam.step(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="first belongs to a float64 vector of 3 entries, theta is float32 with 3"):
        adam.step(np.ones(3, "float32"), np.ones(3, "float32"))


def test_an_optimizer_knows_which_vector_it_stepped():
    adam, theta = Adam(), np.ones(3)
    assert not adam.has_stepped_another(theta)
    adam.step(theta, np.ones(3))
    assert not adam.has_stepped_another(theta) and adam.has_stepped_another(theta.copy())
    del theta
    assert adam.has_stepped_another(np.ones(3)) and not copy.copy(adam).has_stepped_another(np.ones(3))


def test_epsilon_inside_is_true_or_false():
    assert Adam(epsilon_inside=np.bool_(True)).epsilon_inside is True
    with pytest.raises(ValueError, match="epsilon_inside is 'no': expected True or False"):
        Adam(epsilon_inside="no")


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, "0.1", None, [0.1], True])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (SGD, "learning_rate"),
        (SGD, "momentum"),
        (RMSprop, "decay"),
        (RMSprop, "epsilon"),
        (Adam, "beta1"),
        (Adam, "beta2"),
    ],
)
def test_settings_are_checked_when_made_and_when_assigned(make, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*: expected"):
        make(**{name: value})
    optimizer = make()
    before = getattr(optimizer, name)
    with pytest.raises(ValueError, match=f"{name} is .*: expected"):
        setattr(optimizer, name, value)
    assert getattr(optimizer, name) == before


@pytest.mark.parametrize("name", ["momentum", "decay", "beta1", "beta2"])
def test_decays_stay_below_1(name):
    make = {"momentum": SGD, "decay": RMSprop}.get(name, Adam)
    for value in (1.0, 2.0):
        with pytest.raises(ValueError, match=f"{name} is {value}: expected 0 <= {name} < 1"):
            setattr(make(), name, value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: cosine(-1.0, updates=5), "learning_rate is -1.0"),
        (lambda: step_decay(1.0, every=0), "every is 0: expected a finite number >= 1"),
        (lambda: step_decay(1.0, every=2, factor=math.nan), "factor is nan"),
        (lambda: cosine(1.0, updates=0), "updates is 0: expected a finite number >= 1"),
        (lambda: cosine(1.0, updates=5, final=-1), "final is -1"),
        (lambda: cosine(math.nan, updates=5), "learning_rate is nan"),
    ],
)
def test_bad_schedules_are_refused_when_made(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_step_needs_floating_point_vectors():
    for theta, grad in [(np.ones(3, int), np.ones(3)), (np.ones(3), np.ones(3, complex)), ([1.0], [1.0]), (None, None)]:
        with pytest.raises(ValueError, match="expected two flat vectors alike, of floating point"):
            SGD().step(theta, grad)


def test_errors_say_what_to_do():
    adam = Adam()
    adam.step(np.ones(3), np.ones(3))
    with pytest.raises(
        ValueError, match=r"belongs to a float64 vector of 3 entries, theta is float64 with 4: call reset"
    ):
        adam.step(np.ones(4), np.ones(4))
    with pytest.raises(
        ValueError, match=r"theta is float64\(3,\), grad float64\(4,\): expected two flat vectors alike"
    ):
        adam.step(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"beta2 is 1.0: expected 0 <= beta2 < 1"):
        Adam(beta2=1.0)
