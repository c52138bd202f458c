"""The labs as coursework: ``examine`` judges an answer, ``hint`` says more of it."""

from aelib.coursework.judge import examine, hint

__all__ = ["examine", "hint"]
