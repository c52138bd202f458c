"""Exercises of lab B, the bug zoo: checks are judged by what they reject, a diagnosis by the bug that was drawn."""

from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import several
from aelib.coursework.zoo import zoo

LAB = "B_bug_zoo"
DUE = 0.9  # of the wrong implementations


@exercise("zoo_checks", lab=LAB, points=3, seconds=240)
def zoo_checks(answer, rng):
    """All right implementations are accepted, and nine tenths of the wrong ones rejected."""
    score = zoo.judge(answer, rng)
    if score.reason:
        raise Wrong(score.reason)
    if score.share < DUE:
        count, total = score.rejected
        missed = "; ".join(score.missed[:3]) or "none, but hidden ones are"
        raise Wrong(f"{count} of {total} wrong ones rejected, {DUE:.0%} are due; not rejected of the public: {missed}")


@exercise("patient", lab=LAB, points=2)
def patient(answer, rng):
    """The disease that was drawn, and an experiment that shows it in four calls."""
    answer = answer() if callable(answer) else answer
    student, disease, experiment = several(answer, 3, "student, disease, experiment")
    if not isinstance(student, str) or not isinstance(disease, str):
        raise Wrong("student and disease are words")
    zoo.judge_patient(student, disease, experiment, rng)
