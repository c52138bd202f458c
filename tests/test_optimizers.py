import math

import numpy as np
import pytest

from aelib import SGD, Adam, RMSprop, optimizers
from aelib.optimizers import constant, cosine, step_decay

METHODS = [SGD(0.1, momentum=0.9), RMSprop(0.1, decay=0.9), Adam(0.1, beta1=0.8, beta2=0.9)]
ids = pytest.mark.parametrize("optimizer", METHODS, ids=lambda o: type(o).__name__)


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


@ids
def test_blocks_and_flushes_do_not_show(optimizer, rng):
    """A vector longer than a block goes as its parts go, through several flushes."""
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
    assert [constant(2.0)(t) for t in (0, 9)] == [2.0, 2.0]
    assert [step_decay(8.0, every=3, factor=0.5)(t) for t in range(7)] == [8, 8, 8, 4, 4, 4, 2]
    half = cosine(1.0, updates=10, final=0.2)
    assert [half(t) for t in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert half(3) - half(4) == pytest.approx(half(6) - half(7))


@ids
def test_learning_rate_is_settable_between_steps(optimizer):
    optimizer.reset()
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


@ids
def test_saved_state_goes_on_bit_for_bit(optimizer, rng, tmp_path):
    grads = rng.standard_normal((10, 4))
    optimizer.reset()
    theta = np.ones(4)
    for grad in grads[:5]:
        optimizer.step(theta, grad)
    optimizer.save(tmp_path / "state.npz")
    middle = theta.copy()
    for grad in grads[5:]:
        optimizer.step(theta, grad)
    optimizer.reset()
    assert optimizer.updates == 0 and not optimizer.moments
    optimizer.restore(tmp_path / "state.npz")
    assert optimizer.updates == 5
    for grad in grads[5:]:
        optimizer.step(middle, grad)
    np.testing.assert_array_equal(theta, middle)


@ids
def test_grad_is_left_alone(optimizer, rng):
    optimizer.reset()
    grad = rng.standard_normal(5)
    copy = grad.copy()
    optimizer.step(np.ones(5), grad)
    np.testing.assert_array_equal(grad, copy)


def test_errors_say_what_to_do():
    adam = Adam()
    adam.step(np.ones(3), np.ones(3))
    with pytest.raises(
        ValueError, match=r"belongs to a float64 vector of 3 entries, theta is float64 with 4: call reset"
    ):
        adam.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="expected two flat vectors alike"):
        adam.step(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="this is the state of Adam: expected that of SGD"):
        SGD().load_state(adam.state())
    with pytest.raises(ValueError, match=r"beta2 is 1.0: expected 0 <= beta2 < 1"):
        Adam(beta2=1.0)
