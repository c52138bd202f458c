"""The bug zoo: a full set of checks scores, checks that are none score 0, patients are ill."""

import numpy as np
import pytest
from answers import labB

from aelib.checks import check_gradient
from aelib.coursework.judge import judge
from aelib.coursework.zoo import specimens, zoo


@pytest.mark.parametrize("seed", range(3))
def test_a_full_set_of_checks_rejects_all_wrong_ones(seed):
    score = zoo.score(labB.FULL, seed)
    assert score.share == 1 and not score.reason and not score.missed, str(score)
    assert zoo.score(labB.with_assertions, seed).share > 0.95


@pytest.mark.parametrize("kind", labB.NOTHING)
def test_what_is_no_check_scores_0(kind):
    for seed in range(3):
        score = zoo.score(labB.NOTHING[kind], seed)
        assert score.share == 0, str(score)


def test_all_public_bugs_are_due_and_what_is_missed_is_said():
    """Without a second call two public bugs stay: points by share, and their names."""
    checks = {name: check for name, check in labB.FULL.items() if name != "again"}
    outcome = judge("zoo_checks", checks, 1)
    assert outcome.state == "in part" and 0 < outcome.points < outcome.of
    assert "Hp spoilt by what the last Gp left behind" in outcome.reason
    assert "in part, " in outcome.headline


def test_a_check_may_draw_without_a_seed():
    def drawing(impl):
        P = np.random.default_rng().standard_normal((2, impl.theta.size))
        return all(labB.close(impl.jvp(impl.theta, p), labB.step(impl.output, impl, p), impl) for p in P)

    assert judge("zoo_checks", labB.FULL | {"Jp": drawing}, 1).state == "right"


def test_a_patient_belongs_to_whoever_handed_it_in():
    answer = ("Emmy Noether", labB.DISEASE, labB.at_zero)
    assert judge("patient", answer, 1).state == "right"
    for owner in ("Noether Emmy", "emmynoether", "1234567"):
        outcome = judge("patient", answer, 1, owner)
        assert (outcome.state == "right") == (owner != "1234567"), owner
    assert "the lab's example" in judge("patient", answer, 1, "ada").reason
    other = next(name for name in map("Grace {}".format, "abcdefghij") if zoo._illness(name)[0] == labB.DISEASE)
    assert judge("patient", (other, *answer[1:]), 1, "Grace Hopper").state == "right"
    assert "handed in by 'Müller, Ada'" in judge("patient", (other, *answer[1:]), 1, "Müller, Ada").reason


def test_what_is_no_check_or_disease_is_one_sentence():
    assert "a dict of functions" in str(zoo.score([labB.loss]))
    assert "a function of an implementation is expected" in str(zoo.score({"a": 3}))
    with pytest.raises(ValueError, match="is no disease"):
        zoo.implementation("flu")


def test_no_single_check_is_enough():
    checks = labB.FULL | {"symmetric": labB.symmetric}
    shares = {name: zoo.score({name: check}).share for name, check in checks.items()}
    assert all(0 < share < 0.9 for share in shares.values()), shares


def test_the_hidden_bugs_are_others_for_another_seed():
    drawn = [{species.name for species in zoo.hidden(np.random.default_rng(seed))} for seed in (0, 1)]
    assert all(len(names) == zoo.HIDDEN for names in drawn) and len(drawn[0] & drawn[1]) < zoo.HIDDEN / 2


def test_the_checks_of_the_package_may_be_used():
    def gradient(impl):
        check_gradient(impl.loss, impl.grad, impl.theta)

    score = zoo.score(gradient)
    assert "grad_b is a mean" not in score.missed and not score.reason


def test_each_disease_is_one_wrong_implementation():
    prints = [specimens.print_of(specimens.RIGHT)]
    for quantity, ending in zoo.DISEASES.values():
        kinds = [species for species in specimens.wrong_species()[quantity] if species.name.endswith(ending)]
        assert len(kinds) == 1, (ending, [kind.name for kind in kinds])
        prints.append(specimens.print_of(kinds[0]))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(prints) for b in prints[:i]]
    assert min(distances) > 1e-6
