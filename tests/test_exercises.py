"""Every exercise is in form and sound: its solution is right, its stub not written, listed wrong answers are wrong."""

import copy
import os

import pytest
import soundness
from soundness import RIGHT, WRONG

from aelib.coursework import judge as judging
from aelib.coursework.doctor import diagnosis
from aelib.coursework.doctor.observation import Finding
from aelib.coursework.exercises import QUESTIONS, exercises, find_hints
from aelib.coursework.grading.submissions import sources
from aelib.coursework.judge import hint, judge
from aelib.coursework.notebooks import form

LABS = sources()
NOTEBOOKS = {lab: form.read(path) for lab, path in form.labs().items()}
REGISTERED = list(exercises().values())
TASKS = {task.name: (lab, task) for lab, each in LABS.items() for task in each.tasks}
each = pytest.mark.parametrize("exercise", REGISTERED, ids=lambda e: e.name)
SEEDS = 300 if os.environ.get("AELIB_SEEDS") == "all" else 4  # of the lists of answers: all take some minutes


@pytest.mark.parametrize("lab", NOTEBOOKS)
def test_exercises_are_in_form(lab):
    """Heading, marks, metadata and points agree; the registry knows each exercise of the notebook."""
    tasks = form.tasks(NOTEBOOKS[lab])
    known = {exercise.name: exercise.points for exercise in REGISTERED if exercise.lab == lab}
    assert {task.name: task.points for task in tasks if task.kind == "Exercise"} == known
    numbers = [task.number for task in tasks]
    assert len(set(numbers)) == len(numbers)
    before = copy.deepcopy(NOTEBOOKS[lab])
    assert form.add_metadata(before) == NOTEBOOKS[lab], "store it anew: python tests/refresh_labs.py"


@each
def test_solution_is_right_under_three_seeds(exercise):
    lab, task = TASKS[exercise.name]
    answer = soundness.obtained(LABS[lab].solution(task), task.examined)
    for seed in soundness.SEEDS:
        outcome = judge(exercise.name, answer, seed)
        assert outcome.state == "right", f"{outcome.state} under seed {seed!r}: {outcome.reason}"


@each
def test_wrong_answers_are_wrong(exercise):
    assert list(soundness.accepted(exercise, WRONG[exercise.name])) == []


@each
def test_right_answers_are_right(exercise):
    assert RIGHT[exercise.name] and list(soundness.refused(exercise, RIGHT[exercise.name])) == []


@each
def test_the_seed_decides_nothing(exercise, monkeypatch):
    """No listed wrong answer passes by luck, no right one fails; AELIB_SEEDS=all tries 300 seeds."""
    monkeypatch.setattr(diagnosis, "explain", lambda *a: Finding("wrong numbers"))  # the cause is not asked for here
    for seed in range(SEEDS if exercise.seconds <= 30 else SEEDS // 50):
        for state, listed in (("right", RIGHT), ("wrong", WRONG)):
            for kind, answer in listed[exercise.name].items():
                outcome = judge(exercise.name, answer, seed)
                assert (outcome.state == "right") == (state == "right"), f"seed {seed}, {kind}: {outcome.state}"


@each
def test_an_answer_that_changes_its_arguments_changes_no_expectation(exercise):
    for kind, answer in RIGHT[exercise.name].items():
        if callable(answer) and not isinstance(answer, type):
            outcome = judge(exercise.name, soundness.spoilt(answer), 1)
            keeps = exercise.name in ("failing", "edges", "zoo_checks")  # what they return is no number
            assert keeps or outcome.state != "right", kind


@each
def test_task_and_test_do_not_tell_the_solution(exercise):
    assert list(soundness.told(exercise, NOTEBOOKS[exercise.lab])) == []


def test_every_exercise_and_question_has_three_hints(capsys):
    """And ``hint`` shows one after the other, and begins again; what the doctor knows comes first."""
    questions = {task.number for _, task in TASKS.values() if task.kind == "Question"}
    assert questions <= set(QUESTIONS)
    for name in (*exercises(), *sorted(QUESTIONS)):
        hints = find_hints(name)
        assert len(hints) >= 3 and len(set(hints)) == len(hints), name
        assert all(len(text.split()) >= 8 for text in hints), name
        assert "smaller case" in hints[2] and any(c.isdigit() for c in hints[2]), f"{name}: no numbers are worked"
        judging._shown.pop(name, None)
        for place in (*range(len(hints)), 0):
            hint(name)
            assert capsys.readouterr().out == f"{name}, hint {place + 1} of {len(hints)}: {hints[place]}\n"
    with pytest.raises(ValueError, match="there are no hints for 'nothing'"):
        hint("nothing")


def test_a_leak_is_found():
    """By trying, whatever its name; and what is no answer is none."""
    import math

    def other(m, s, b=0.9):
        return math.ceil(math.log(s / m) / math.log(b))

    found = list(soundness.leaks([("other", other), ("log", math.log)], REGISTERED))
    assert found == ["updates_until_subnormal: other is an answer"]


def test_the_labs_give_no_answer_away():
    assert list(soundness.leaks(soundness.given_by_the_labs(LABS), REGISTERED)) == []


@pytest.mark.skipif(os.environ.get("AELIB_LEAKS") != "all", reason="takes minutes: AELIB_LEAKS=all")
def test_the_package_gives_no_answer_away(tmp_path, monkeypatch):
    """Each of its functions is tried as an answer, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    assert list(soundness.leaks(soundness.given_by_the_package(), REGISTERED)) == []


def test_no_lab_binds_the_name_of_an_answer():
    """A name that the lab itself binds would hide that an answer is missing."""
    for lab, each in LABS.items():
        for task in each.tasks:
            for place, cell in enumerate(each.cells):
                if task.test and cell["cell_type"] == "code" and place != task.answer:
                    bound = set().union(*(s.binds for s in soundness.statements(cell["source"])))
                    assert not bound & set(task.names) or lab == "07_curvature_at_work", (lab, place, task.name)
