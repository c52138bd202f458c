"""The judge: what is said of an answer, in a notebook by ``examine`` and in grading, in the same words."""

import ast
import hashlib
import os
import re
import sys
import time
import warnings
from dataclasses import asdict

import numpy as np

from aelib.coursework.exercises import find, find_hints
from aelib.coursework.findings import UNWRITTEN, Outcome, Wrong, crash, one_line

MIME = "application/vnd.aelib.outcome+json"
_first_hints = {}  # of the last answer to each exercise: what the doctor knows beyond its finding
_shown = {}  # by exercise: how many hints were shown since


class AnswerWrong(AssertionError):
    """Raised by ``examine`` in a notebook, which shows the finding alone, without a traceback."""

    def _render_traceback_(self):
        return str(self).splitlines()


def generator(name, seed=None):
    """Return the random numbers of one exercise: the same for the same seed, others for each exercise.

    Args:
        name: of the exercise.
        seed: a number or a word; "practice" by default.
    """
    seed = "practice" if seed is None else seed
    return np.random.default_rng(list(hashlib.sha256(f"{seed}:{name}".encode()).digest()))


def judge(name, answer, seed=None, owner=""):
    """Return the ``Outcome`` of an answer; nothing that the answer raises leaves this function.

    Args:
        name: of the exercise.
        answer: what the student wrote: a function, a class, or values.
        seed: as in ``generator``.
        owner: whose answer it is, where that is known; for exercises that are given out by name.
    """
    exercise, start = find(name), time.perf_counter()
    test, rng = exercise.test, generator(name, seed)

    def outcome(state, share=0.0, reason="", text="", hints=()):
        points = exercise.points if state == "right" else round(exercise.points * share, 1)
        seconds = time.perf_counter() - start
        return Outcome(name, state, points, exercise.points, reason, text or reason, tuple(hints), seconds)

    try:
        if answer is ... or (isinstance(answer, tuple) and any(part is ... for part in answer)):
            return outcome("not written", text=UNWRITTEN)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if exercise.personal:
                test(answer, rng, owner)
            else:
                test(answer, rng)
    except Wrong as wrong:
        if wrong.state == "not written":
            return outcome("not written", text=UNWRITTEN)
        text = f"{wrong.table}\n{wrong.finding}" if wrong.table else wrong.finding
        return outcome(wrong.state, wrong.share, one_line(wrong.finding), text, wrong.hints)
    except NotImplementedError:
        return outcome("not written", text=UNWRITTEN)
    except (Exception, SystemExit) as error:  # whatever a student's code may raise
        return outcome("crash", reason=crash(error))
    return outcome("right")


def examine(name, answer):
    """Judge an answer in a notebook: print one line when it is right or not written, raise what was found when not.

    Args:
        name: of the exercise.
        answer: what the student wrote.

    Raises:
        AnswerWrong: the answer is wrong, or, under nbgrader, not written.
    """
    outcome = _unread(name, answer) or judge(name, answer)
    _first_hints[name], _shown[name] = outcome.hints, 0
    if os.environ.get("AELIB_OUTCOMES"):  # set by the pytest plugin for the kernels that it starts
        from IPython.display import display

        display({MIME: asdict(outcome)}, raw=True)
    unwritten = outcome.state == "not written"
    if outcome.state == "right" or (unwritten and "NBGRADER_EXECUTION" not in os.environ):
        print(outcome.headline)
        return
    sys.modules["__main__"].__dict__.setdefault("hint", hint)
    text = outcome.headline if unwritten else f'{outcome.headline}; hint("{name}") says more\n{outcome.text}'
    raise AnswerWrong(text) from None


def _unread(name, answer):
    """Return an ``Outcome`` if the last cell that defines the answer is no Python: what stands is an older version."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    called = re.escape(getattr(answer, "__name__", name))
    for source in reversed(shell.user_ns.get("In", [])) if shell else ():
        if re.search(rf"^\s*(?:(?:def|class)\s+{called}\b|{called}\s*=[^=])", source, re.MULTILINE):
            try:
                ast.parse(shell.transform_cell(source))
            except SyntaxError as error:
                reason = f"SyntaxError: {error.msg}, in line {error.lineno} of its cell"
                return Outcome(name, "crash", 0, find(name).points, reason, f"{reason}; an older version stands")
            return None
    return None


def hint(name):
    """Print the next hint on an exercise or a written question; after the last one the first again.

    Args:
        name: of the exercise, as in its ``examine``; of a question its number, such as "1.7".
    """
    name = str(name)
    hints = [*_first_hints.get(name, ()), *find_hints(name)]
    place = _shown.get(name, 0) % len(hints)
    _shown[name] = place + 1
    print(f"{name}, hint {place + 1} of {len(hints)}: {hints[place]}")
