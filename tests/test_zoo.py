"""The bug zoo: a full set of checks scores, checks that are none score 0, patients are ill."""

import numpy as np
import pytest
from answers import labB

from aelib.checks import check_gradient
from aelib.coursework.zoo import specimens, zoo


@pytest.mark.parametrize("seed", range(3))
def test_a_full_set_of_checks_rejects_all_wrong_ones(seed):
    score = zoo.judge(labB.FULL, seed)
    assert score.share == 1 and not score.reason and not score.missed, str(score)
    assert zoo.judge(labB.with_assertions, seed).share > 0.95


@pytest.mark.parametrize("kind", labB.NOTHING)
def test_what_is_no_check_scores_0(kind):
    for seed in range(3):
        score = zoo.judge(labB.NOTHING[kind], seed)
        assert score.share == 0 and (kind == "always True" or score.reason), str(score)


def test_an_implementation_cannot_be_read():
    impl = zoo.implementation("grad_b is a mean")
    for reading in (
        vars,
        dir,
        lambda i: i.bug,
        lambda i: i.__dict__,
        lambda i: i.hvp.__code__,
        lambda i: i.grad.__self__,
    ):
        with pytest.raises(zoo.Unfair, match="is not to be read"):
            reading(impl)
    with pytest.raises((zoo.Unfair, AttributeError)):
        impl.theta_2 = 0
    assert repr(impl) == "an implementation"


def test_no_single_check_is_enough():
    checks = labB.FULL | {"symmetric": labB.symmetric}
    shares = {name: zoo.judge({name: check}).share for name, check in checks.items()}
    assert all(0 < share < 0.9 for share in shares.values()), shares


def test_the_hidden_bugs_are_others_for_another_seed():
    drawn = [{species.name for species in zoo.hidden(np.random.default_rng(seed))} for seed in (0, 1)]
    assert all(len(names) == zoo.HIDDEN for names in drawn) and len(drawn[0] & drawn[1]) < zoo.HIDDEN / 2


def test_the_checks_of_the_package_may_be_used():
    def gradient(impl):
        check_gradient(impl.loss, impl.grad, impl.theta)

    score = zoo.judge(gradient)
    assert "grad_b is a mean" not in score.missed and not score.reason


def test_each_disease_is_one_wrong_implementation():
    prints = [specimens.print_of(specimens.RIGHT)]
    for quantity, ending in zoo.DISEASES.values():
        kinds = [species for species in specimens.wrong_species()[quantity] if species.name.endswith(ending)]
        assert len(kinds) == 1, (ending, [kind.name for kind in kinds])
        prints.append(specimens.print_of(kinds[0]))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(prints) for b in prints[:i]]
    assert min(distances) > 1e-6
