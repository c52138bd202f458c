"""Every exercise: its cells are in form, its solution is right, its stub not written, listed wrong answers wrong."""

import copy
import importlib
import pkgutil

import answers
import numpy as np
import pytest

from aelib.coursework import notebooks
from aelib.coursework.answers import Answer
from aelib.coursework.exercises import exercises
from aelib.coursework.judge import judge
from aelib.coursework.slices import program

SEEDS = ("practice", 1, "course 2027")
LABS = notebooks.labs()
NOTEBOOKS = {lab: notebooks.read(path) for lab, path in LABS.items()}
MODULES = [importlib.import_module(f"answers.{module.name}") for module in pkgutil.iter_modules(answers.__path__)]
RIGHT, WRONG = ({name: by for m in MODULES for name, by in getattr(m, which).items()} for which in ("RIGHT", "WRONG"))
REGISTERED = list(exercises().values())
each = pytest.mark.parametrize("exercise", REGISTERED, ids=lambda e: e.name)


@pytest.mark.parametrize("lab", [lab for lab in LABS if lab not in answers.TO_CONVERT])
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
@pytest.mark.parametrize("seed", SEEDS)
def test_solution_is_right(exercise, seed):
    """In a process of its own, with what it needs of its lab."""
    if exercise.lab in answers.TO_CONVERT:
        pytest.skip("its lab is not converted yet")
    (task,) = [task for task in notebooks.tasks(NOTEBOOKS[exercise.lab]) if task.name == exercise.name]
    with Answer(*program(NOTEBOOKS[exercise.lab], task), task.examined) as answer:
        verdict = judge(exercise.name, answer, seed)
    assert verdict.state == "right", verdict


@each
def test_listed_wrong_answers_are_wrong(exercise):
    listed = WRONG[exercise.name]
    assert len(listed) >= 5, "list at least five plausible wrong answers"
    for slip, answer in listed.items():
        verdict = judge(exercise.name, answer, seed=slip)
        assert verdict.state in ("wrong", "crash") and verdict.reason, f"{slip}: {verdict}"
        assert "\n" not in verdict.reason and len(verdict.text.splitlines()) <= 6


@each
def test_listed_variants_are_right(exercise):
    for variant, answer in RIGHT[exercise.name].items():
        for seed in SEEDS:
            verdict = judge(exercise.name, answer, seed)
            assert verdict.state == "right", f"{variant}: {verdict}"


EMPTY = {
    "None": lambda *a, **k: None,
    "0": lambda *a, **k: 0,
    "1.0": lambda *a, **k: 1.0,
    "()": lambda *a, **k: (),
    "empty array": lambda *a, **k: np.zeros(0),
    "the first argument": lambda *a, **k: a[0] if a else None,
    "the last argument": lambda *a, **k: a[-1] if a else None,
    "zeros": lambda *a, **k: np.zeros_like(a[-1]) if a else None,
    "no function": None,
    "a word": "right",
}


@each
def test_answers_that_do_nothing_are_wrong(exercise):
    for kind, answer in EMPTY.items():
        assert judge(exercise.name, answer, 1).state in ("wrong", "crash"), kind


@each
def test_an_answer_that_repeats_itself_is_wrong(exercise):
    """What a right variant returns on one seed, returned always, is wrong on another."""
    for answer in list(RIGHT[exercise.name].values())[:1]:
        if not callable(answer) or isinstance(answer, type):
            continue
        kept = []

        def recorder(*a, answer=answer, kept=kept, **k):
            kept.append(answer(*a, **k))
            return kept[-1]

        assert judge(exercise.name, recorder, 1).state == "right"
        for constant in (kept[0], kept[-1]):
            verdict = judge(exercise.name, lambda *a, constant=constant, **k: constant, 2)
            assert verdict.state in ("wrong", "crash")
        replay = iter(kept)
        verdict = judge(exercise.name, lambda *a, replay=replay, **k: next(replay), 2)
        assert verdict.state in ("wrong", "crash")


@each
def test_a_stub_is_not_written(exercise):
    """As ``release`` makes it, and as values."""
    assert judge(exercise.name, ...).state == judge(exercise.name, (..., 1.0)).state == "not written"

    def stub(*a, **k):
        raise NotImplementedError("not written yet")

    assert judge(exercise.name, stub).state == "not written"
