"""Every exercise is in form and sound: its solution is right, its stub not written, listed wrong answers are wrong."""

import copy

import pytest

from aelib.coursework import audit
from aelib.coursework.exercises import exercises
from aelib.coursework.notebooks import form as notebooks

NOTEBOOKS = {lab: notebooks.read(path) for lab, path in notebooks.labs().items()}
REGISTERED = list(exercises().values())
RIGHT, WRONG = audit.listed()
each = pytest.mark.parametrize("exercise", REGISTERED, ids=lambda e: e.name)


@pytest.mark.parametrize("lab", NOTEBOOKS)
def test_exercises_are_in_form(lab):
    """Heading, marks, metadata and points agree; the registry knows each exercise of the notebook."""
    tasks = notebooks.tasks(NOTEBOOKS[lab])
    known = {exercise.name: exercise.points for exercise in REGISTERED if exercise.lab == lab}
    assert {task.name: task.points for task in tasks if task.kind == "Exercise"} == known
    numbers = [task.number for task in tasks]
    assert len(set(numbers)) == len(numbers)
    before = copy.deepcopy(NOTEBOOKS[lab])
    assert notebooks.add_metadata(before) == NOTEBOOKS[lab], "store it anew: python tests/refresh_labs.py"


@each
def test_solution_is_right_under_three_seeds(exercise):
    assert list(audit.solved(exercise, NOTEBOOKS[exercise.lab])) == []


@each
def test_wrong_answers_are_wrong(exercise):
    assert list(audit.accepted(exercise, WRONG[exercise.name])) == []


@each
def test_right_answers_are_right(exercise):
    assert RIGHT[exercise.name] and list(audit.refused(exercise, RIGHT[exercise.name])) == []


@each
def test_task_and_test_do_not_tell_the_solution(exercise):
    assert list(audit.told(exercise, NOTEBOOKS[exercise.lab])) == []


def test_a_leak_is_found():
    """By trying, whatever its name; and what is no answer is none."""
    code = ["import math", "def other(m, s, b=0.9):\n    return math.ceil(math.log(s / m) / math.log(b))"]
    names = {"other": code, "log": ["from math import log"], "gone": ["from math import g"]}
    given = [(name, code, name, None) for name, code in names.items()]
    found = list(audit.leaks(given, REGISTERED))
    assert found == ["updates_until_subnormal: other is an answer"]


def test_the_labs_give_no_answer_away():
    """Functions of the package are tried by the command ``audit`` alone, which takes longer."""
    assert list(audit.leaks(audit.given_by_the_labs(NOTEBOOKS), REGISTERED, seconds=5)) == []
