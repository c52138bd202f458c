"""What is found out about an answer: ``Wrong``, which a test raises, and ``Outcome``, what the judge makes of it."""

import os
import traceback
from dataclasses import dataclass

UNWRITTEN = "not written yet"
STATES = ("right", "in part", "wrong", "time", "crash", "not written", "not found")  # the best first
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Wrong(Exception):
    """An answer is wrong; the message says in one sentence what was seen.

    Args:
        finding: the sentence, or at most six lines.
        table: what is right and what is wrong, shown above the finding.
        hints: what ``hint`` shows before the hints of the exercise; things that the finding does not say.
        state: ``wrong``; ``crash`` or ``time``, where the test itself caught what the answer did; ``in part``.
        share: of the points, for ``in part``.
    """

    def __init__(self, finding, table="", hints=(), state="wrong", share=0.0):
        super().__init__(finding)
        self.finding, self.table, self.hints, self.state, self.share = finding, table, tuple(hints), state, share


@dataclass(frozen=True)
class Outcome:
    """What came of one answer.

    Attributes:
        name: of the exercise.
        state: one of ``STATES``.
        points: got.
        of: to be got.
        reason: one line; empty where the answer is right.
        text: what the student reads: the table, then the finding.
        hints: what ``hint`` shows first.
        seconds: taken.
    """

    name: str
    state: str
    points: float
    of: float
    reason: str = ""
    text: str = ""
    hints: tuple = ()
    seconds: float = 0.0

    @property
    def headline(self):
        """The first line that a student reads: ``cost: right, 1 point``."""
        if self.state == "right":
            return f"{self.name}: right, {self.points:g} point{'s' * (self.points != 1)}"
        if self.state == "in part":
            return f"{self.name}: in part, {self.points:g} of {self.of:g} points"
        return f"{self.name}: {UNWRITTEN if self.state == 'not written' else self.state}"


def one_line(text, width=300):
    """Return text on one line, without control characters, at most ``width`` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= width else line[: width - 3] + "..."


def crash(error):
    """Return one line on an error raised in an answer: what, and in which line of the student's own code."""
    try:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except Exception:  # an error of the student's own that cannot be printed
        what = type(error).__name__
    if isinstance(error, SyntaxError) and not error.filename:
        return one_line(what)
    if isinstance(error, SyntaxError):
        return one_line(f"{type(error).__name__}: {error.msg}, in line {error.lineno}")
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((PACKAGE, "<frozen")) and "site-packages" not in frame.filename
    ]
    where = f", in line {own[-1].lineno} of {own[-1].name}: {own[-1].line}" if own and own[-1].line else ""
    return one_line(what + where)
