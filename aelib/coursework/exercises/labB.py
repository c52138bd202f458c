"""Exercises of lab B, the bug zoo: checks are judged by what they reject, a diagnosis by the bug that was drawn."""

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import several
from aelib.coursework.findings import Wrong
from aelib.coursework.zoo import zoo

LAB = "B_bug_zoo"
DUE = 0.9  # of the hidden wrong implementations; of the public ones all are due
MODEL = "Emmy Noether"  # whose patient the lab shows


@exercise(
    "zoo_checks",
    lab=LAB,
    points=3,
    seconds=240,
    hints=(
        "print(zoo.judge(checks)) shows which public bug no check rejects. For each such row ask: which function is "
        "wrong there, and with which other function does it disagree?",
        "the task lists what each function has to agree with. Two of the public bugs show only after other "
        "calls have gone before.",
        "a smaller case: f(x) = x^2 with a gradient of 2x + 1. f(1 + h) - f(1 - h) over 2h is 2, the gradient says 3: "
        "rejected. A right gradient that is added to the one before gives 2 at the first call and 4 at the second: "
        "only two calls show it.",
    ),
)
def zoo_checks(answer, rng):
    """All right implementations are accepted, all public wrong ones rejected, and nine tenths of the hidden ones."""
    score = zoo.score(answer, rng)
    if score.reason:
        raise Wrong(score.reason)
    if not score.missed and score.hidden[0] >= DUE * score.hidden[1]:
        return
    missed = (
        f"not rejected of the public: {'; '.join(score.missed[:4])}" if score.missed else "all public ones are rejected"
    )
    text = (
        f"{score.public[0]} of {score.public[1]} public wrong ones are rejected, all are due; {score.hidden[0]} of "
        f"{score.hidden[1]} hidden ones, {DUE:.0%} are due. {missed}"
    )
    share = min(score.share, 0.9) if score.share >= 0.25 else 0.0
    raise Wrong(text, state="in part" if share else "wrong", share=share)


@exercise(
    "patient",
    lab=LAB,
    points=2,
    personal=True,
    hints=(
        "let all your checks of B.1 look at the patient first: those that reject it say which functions are wrong. "
        "Then look for the fewest calls that show it.",
        "zoo.DISEASES has the twelve names. Laws that need one or two calls: a linear map takes 0 to 0, twice p to "
        "twice the result; J^T J and H are symmetric; what was returned once is returned again.",
        "a smaller case: jvp(theta, p) returns p for p = (1, 0) and (1, 0) again for p = (0, 1): one call looks "
        "right, the second shows that the first direction was kept.",
    ),
)
def patient(answer, rng, owner=""):
    """The disease that was drawn, and an experiment that shows it in four calls; the patient is the student's own."""
    answer = answer() if callable(answer) else answer
    student, disease, experiment = several(answer, 3, "student, disease, experiment")
    if not isinstance(student, str) or not isinstance(disease, str):
        raise Wrong("student and disease are words")
    if not callable(experiment):
        raise Wrong(f"the experiment is a {type(experiment).__name__}: a function of an implementation is expected")
    example = zoo.plain_name(student) == zoo.plain_name(MODEL)
    if owner and example and not (zoo.plain_name(owner) and zoo.belongs(MODEL, owner)):
        raise Wrong(f"the patient of {MODEL} is the lab's example: take that of your own name")
    if owner and not zoo.belongs(student, owner):
        raise Wrong(
            f"the patient is that of {student!r}, and this was handed in by {owner!r}: take that of your own name"
        )
    zoo.examine_patient(student, disease, experiment, rng)


question(
    "B.3",
    (
        "a check compares two functions. Where both are wrong by the same factor, it sees nothing. Which function "
        "still has its 1/n?",
        "the section on the three checks says what each compares: symmetry compares Hp with Hp, JTJ compares Gp with "
        "the others.",
        "a smaller case: f(x) = x^2 / 2, a gradient of 4x and a second derivative of 4, both four times too large. "
        "The second is the derivative of the first. What does f(x + h) - f(x - h) over 2h say at x = 1?",
    ),
)
