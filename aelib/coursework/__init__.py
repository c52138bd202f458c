"""The labs as coursework: ``examine`` judges an answer, ``hint`` says more; the doctor takes plain gradients too."""

from aelib.coursework.checkup import examine_gradient, examine_model
from aelib.coursework.judge import examine, hint

__all__ = ["examine", "examine_gradient", "examine_model", "hint"]
