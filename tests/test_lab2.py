"""What lab 2 shows: planted bugs are seen, each by the right checks; kinks; the V curves."""

import numpy as np
import pytest
from conftest import trained

from aelib import passes
from aelib.checks import check_model
from aelib.labs import lab2


@pytest.fixture
def case(rng):
    X = rng.random((4, 6))
    model = trained(X, sizes=[6, 5, 2, 5, 6], hidden="tanh")
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    return model, X


SEEN_BY = {  # from the algebra, not from a run; "|cos| alone" is told by the direction of what comes out
    "g'' dropped": {"Hp", lab2.COSINE},
    "1/n forgotten in Hp": {"Hp", lab2.COSINE},
    "1/n forgotten in ∇F and in Hp": {"gradient", "JTv"},
    "1/n forgotten in Gp": {"Gp"},
    "sign of Hp": {"Hp"},
    "R_p{1} = 1 for the bias": {"Jp", "JTv", "Hp", "H symmetric", "G symmetric", lab2.COSINE},
    "Gp spoils what Hp keeps": {"any order"},
}


@pytest.mark.parametrize("bug", [None, *lab2.BUGS])
def test_each_bug_is_seen_by_the_right_checks(bug, case):
    assert set(lab2.checks_that_fail(bug, *case)) == SEEN_BY.get(bug, set())


def test_a_bug_is_gone_when_its_checks_have_run(case):
    before = passes.rp_forward, passes.rp_backward, passes.backward
    for bug in lab2.BUGS:
        lab2.checks_that_fail(bug, *case)
    assert (passes.rp_forward, passes.rp_backward, passes.backward) == before
    assert all(outcome.passed for outcome in check_model(*case).values())


def test_a_unit_on_its_kink_changes_sign_and_nothing_else_does(rng):
    X = rng.random((4, 6))
    model = trained(X, sizes=[6, 5, 2, 5, 6])
    moved = lab2.on_its_kink(model, X)
    u, before = moved.linearize(X).primal.u[1], model.linearize(X).primal.u[1]
    assert (np.abs(u) < 2e-9).sum() == 1
    (image, unit), changed = np.argwhere(np.abs(u) < 2e-9)[0], np.abs(u - before).max(axis=0) > 0
    assert u[image, unit] == pytest.approx(1e-9, rel=1e-3) and changed.sum() == 1 and changed[unit]


def test_the_arithmetic_shown_is_that_of_the_quotient(case):
    steps, eps = lab2.Steps(*case), 1e-5
    by_hand = {
        "forward": lambda a, b: (a - b) / eps,
        "central": lambda a, b: (a - b) / (2 * eps),
        "complex": lambda a: a.imag / eps,
    }
    for method, f in by_hand.items():
        *ends, quotient, exact = steps.arithmetic("float64", method, eps).values()
        assert f(*ends) == pytest.approx(quotient, rel=1e-12) and quotient == pytest.approx(exact, rel=1e-3)
    assert steps.errors["float64", "complex"][lab2.STEPS < 1e-8].max() < 1e-13
