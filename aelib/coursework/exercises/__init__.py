'''The registry of exercises: one module a lab, one test an exercise, judged by laws.

How to make an exercise of a lab
================================

Choose a name, unique over all labs: the name that the student defines where there is one (``cost``).

1. **Three cells in the notebook**, in this order. Metadata are derived: ``tests/refresh_labs.py`` writes them.

   a. markdown, ending with a heading ``### Exercise 4.1 (1 point)`` (lab, number, points) and the task: arguments with
      shapes, what is returned, what happens at the edges. Who has read the lab can write the answer from it alone.
   b. code, the answer, with its solution between two marks, each on a line of its own::

          def cost(curve, level):
              ### BEGIN SOLUTION
              reached = ...
              ### END SOLUTION

      In the student edition indented lines between the marks become ``raise NotImplementedError("not written yet")``,
      and unindented ones ``name = ...`` for each name that cell c examines. So signature and docstring stand outside.
      An answer may use what the lab imports or defines above it, as long as that is quick to make.
   c. code, exactly one line: ``examine("cost", cost)``, or ``examine("trust", (trust_pca, trust_net))``.

   The lab has ``from aelib.coursework import examine`` in its first code cell. Later cells must not depend on the
   answer: they use the package's version, and the text says so. One that shows the answer at work catches what that
   raises.

   A *written question* is markdown with ``### Question 4.3 (2 points)`` and the question, then a second markdown cell
   with a model answer for the instructor, folded, between marks that no reader sees::

       <!-- BEGIN SOLUTION -->
       <details><summary>Model answer</summary>

       The loss falls, because ... (one point).

       </details>
       <!-- END SOLUTION -->

   It becomes "*Your answer:*" in the student edition.

2. **A test here**, in the lab's module (``lab4.py``; ``labA.py`` is an example), with its hints::

       @exercise("cost", lab="04_hyperparameter_grids", points=1, hints=(
           "what to look at ...", "where the formula stands ...", "a smaller case: ... worked with numbers"))
       def cost(answer, rng):
           """The first moment with a loss of at most the level."""
           curve, level = ...
           expected = ...                        # of the judge's own arrays, before or after the call
           slips = [("epochs before updates", expected[::-1])]
           close(ask(answer, curve, level), expected, "the cost", slips=slips)

   - Fresh random inputs from ``rng``; several shapes and sizes; the edges that the task names (ties, never, one image).
     No case may be won by luck: what tells a slip from the right answer is put into the inputs by hand.
   - Judge by a law: the complex step, an identity, numbers computed by hand. No function that is itself an answer, save
     the package's own passes and methods that the student rebuilds: ``exercise(..., own=("aelib.passes.forward",))``.
   - Hand out copies: ``laws.ask`` does; ``laws.ask_unchanged`` where the task says that arguments stay as they are.
   - ``Wrong`` says in one sentence what was seen and what was expected, never the formula. ``laws.close`` names the
     cause where the number is that of a known slip: pairs of a cause and what the slip would give.
   - Hints: three or more; the third begins "a smaller case" and works it with numbers; none is the solution. A written
     question has hints too: ``question("4.4", (...))``, by its number.
   - ``personal=True``: the test takes a third argument, the name of whoever handed the answer in ("" in a notebook).
   - Quick: a tenth of a second where that is possible. ``exercise(..., seconds=30)`` is the limit when grading.

3. **Answers that must fail, and variants that are right**, in ``tests/answers/lab4.py``:
   ``WRONG = {"cost": {"the last moment": function, ...}}``, ``RIGHT = {"cost": {"a loop": function}}``. At least five
   wrong ones, slips that a student makes; one or two right ones written another way. The test makes empty and constant
   answers itself.

4. Store the lab's outputs anew (``python tests/refresh_labs.py labs/04_hyperparameter_grids.ipynb``), and run
   ``python -m pytest -q -n 0 tests/test_exercises.py tests/test_one_judge.py labs/04_hyperparameter_grids.ipynb``;
   ``AELIB_SEEDS=all`` in front of it tries 300 seeds, ``AELIB_CLOTHES=all`` every answer in all clothes.

Checklist: solvable from the text? Does a constant, an empty body, an off-by-one, a wrong axis, a missing 1/n, a changed
argument fail? Does the sentence say what is wrong, and not how to write it? Does anything after it need the answer?
'''

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from aelib.coursework.findings import Wrong

__all__ = ["EXERCISES", "QUESTIONS", "Exercise", "Wrong", "exercise", "exercises", "find", "find_hints", "question"]


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: unique over all labs.
        lab: the notebook's name without its ending.
        points: what a right answer is worth.
        test: function (answer, rng) that returns when the answer is right and raises ``Wrong`` when it is not.
        hints: what ``hint`` shows, three or more.
        own: functions that are answers by design, by their dotted names: ``aelib.passes.forward``.
        seconds: limit of time for grading one answer.
        personal: whether the test takes a third argument, whose answer it is ("" where that is not known).
    """

    name: str
    lab: str
    points: int
    test: Callable
    hints: tuple = ()
    own: tuple = ()
    seconds: float = 30
    personal: bool = False


EXERCISES = {}
QUESTIONS = {}  # hints for the written questions, by number


def exercise(name, lab, points, hints=(), own=(), seconds=30, personal=False):
    """Register the decorated test (answer, rng) under a name."""

    def register(test):
        if name in EXERCISES and EXERCISES[name].test.__module__ != test.__module__:
            raise ValueError(f"two exercises are called {name!r}: choose another name")
        if isinstance(own, str) or isinstance(hints, str):
            raise ValueError(f"own and hints of {name}: tuples are expected")
        EXERCISES[name] = Exercise(name, lab, points, test, tuple(hints), tuple(own), seconds, personal)
        return test

    return register


def question(number, hints):
    """Register the hints for a written question, by its number: ``question("4.4", (...))``."""
    if isinstance(hints, str):
        raise ValueError(f"hints of question {number}: a tuple is expected")
    QUESTIONS[number] = tuple(hints)


def exercises():
    """Return all exercises by name, in the order of the labs."""
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lab")):
        importlib.import_module(f"{__name__}.{module}")
    return EXERCISES


def find(name):
    """Return the exercise of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in exercises():
        raise ValueError(f"there is no exercise {name!r}; there are: {', '.join(EXERCISES)}")
    return EXERCISES[name]


def find_hints(name):
    """Return the hints for an exercise, by its name, or for a written question, by its number.

    Raises:
        ValueError: there is neither.
    """
    exercises()
    hints = EXERCISES[name].hints if name in EXERCISES else QUESTIONS.get(name)
    if not hints:
        raise ValueError(
            f"there are no hints for {name!r}: expected the name of an exercise ({', '.join(EXERCISES)}) or the number "
            f"of a written question ({', '.join(sorted(QUESTIONS))})"
        )
    return hints
