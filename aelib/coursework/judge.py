"""What is said of an answer: right, wrong and why, not written yet, or a crash with the student's own line."""

import hashlib
import hmac
import os
import sys
import time
import traceback
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from aelib.coursework.exercises import Wrong, find

MIME = "application/vnd.aelib.verdict+json"
UNWRITTEN = "not written yet"
_SECRET = os.environ.pop("AELIB_VERDICT_KEY", "")  # set by the pytest plugin for the kernels that it judges
_hints = {}  # of the last wrong answer to each exercise: those not shown yet


@dataclass(frozen=True)
class Verdict:
    """What came of one answer.

    Attributes:
        name: of the exercise.
        state: ``right``, ``wrong``, ``not written``, ``crash`` or ``time``.
        points: got.
        of: to be got.
        reason: one line; empty where the answer is right.
        text: what the student reads: the table, then the finding.
        seconds: taken.
    """

    name: str
    state: str
    points: float
    of: float
    reason: str = ""
    text: str = ""
    seconds: float = 0.0


class AnswerWrong(AssertionError):
    """Raised by ``examine`` in a notebook, which shows the finding alone, without a traceback."""

    def _render_traceback_(self):
        return str(self).splitlines()


def generator(name, seed=None):
    """Return the random numbers of one exercise: the same for the same seed, others for each exercise.

    Args:
        name: of the exercise.
        seed: a number or a word; by default that of the environment variable ``AELIB_SEED``, else "practice".
    """
    seed = os.environ.get("AELIB_SEED", "practice") if seed is None else seed
    return np.random.default_rng(list(hashlib.sha256(f"{seed}:{name}".encode()).digest()))


def judge(name, answer, seed=None):
    """Return the ``Verdict`` on an answer; nothing that the answer raises leaves this function.

    Args:
        name: of the exercise.
        answer: what the student wrote: a function, a class, or values.
        seed: as in ``generator``.
    """
    exercise, start = find(name), time.perf_counter()

    def verdict(state, reason="", text=""):
        points = exercise.points if state == "right" else 0
        return Verdict(name, state, points, exercise.points, reason, text or reason, time.perf_counter() - start)

    if hasattr(type(answer), "judged"):  # handed in: it is judged in a process of its own
        return answer.judged(seed)
    _hints.pop(name, None)
    try:
        if hasattr(type(answer), "obtain"):  # it lives in another process
            answer = answer.obtain()
        if answer is ... or (isinstance(answer, tuple) and any(part is ... for part in answer)):
            return verdict("not written", text=UNWRITTEN)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exercise.test(answer, generator(name, seed))
    except Wrong as wrong:
        _hints[name] = list(wrong.hints)
        text = f"{wrong.table}\n{wrong.finding}" if wrong.table else wrong.finding
        return verdict(wrong.state, one_line(wrong.finding), text)
    except NotImplementedError:
        return verdict("not written", text=UNWRITTEN)
    except Exception as error:
        return verdict(getattr(error, "state", "crash"), crash(error))
    return verdict("right")


def one_line(text, width=300):
    """Return text on one line, without control characters, at most ``width`` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= width else line[: width - 3] + "..."


def crash(error):
    """Return one line on an error raised in an answer: what, and in which line of the student's own code."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if hasattr(error, "state"):
        return one_line(str(error))  # from another process: it says so itself
    here = os.path.dirname(os.path.dirname(__file__))
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((here, "<frozen")) and "site-packages" not in frame.filename
    ]
    where = f", in line {own[-1].lineno} of {own[-1].name}: {own[-1].line}" if own and own[-1].line else ""
    return one_line(what + where)


def signature(verdict, secret):
    """Return the mark by which the plugin knows that this process's judge made a verdict."""
    return hmac.new(secret.encode(), repr(sorted(asdict(verdict).items())).encode(), "sha256").hexdigest()


def examine(name, answer):
    """Judge an answer in a notebook: print one line when it is right or not written, raise what was found when not.

    Args:
        name: of the exercise.
        answer: what the student wrote.

    Raises:
        AnswerWrong: the answer is wrong, or, under nbgrader, not written.
    """
    verdict = judge(name, answer)
    _publish(verdict)
    if verdict.state == "right":
        print(f"{name}: right, {verdict.points} point{'s' if verdict.points > 1 else ''}")
    elif verdict.state == "not written" and "NBGRADER_EXECUTION" not in os.environ:
        print(f"{name}: {UNWRITTEN}")
    else:
        more = f'; hint("{name}") says more' if _hints.get(name) else ""
        sys.modules["__main__"].__dict__.setdefault("hint", hint)
        raise AnswerWrong(f"{name}: {verdict.state}{more}\n{verdict.text}") from None


def hint(name):
    """Print the next hint on the last wrong answer to an exercise; each says more than the one before."""
    find(name)
    left = _hints.get(name)
    print(left.pop(0) if left else f"{name}: no further hint; examine your answer first, or once more")


def _publish(verdict):
    if _SECRET:
        from IPython.display import display

        display({MIME: asdict(verdict) | {"signature": signature(verdict, _SECRET)}}, raw=True)
