"""The labs as coursework: ``examine`` judges an answer, ``hint`` says more, ``progress`` reads a folder's points."""

from aelib.coursework.judge import examine, hint
from aelib.coursework.progress import progress

__all__ = ["examine", "hint", "progress"]
