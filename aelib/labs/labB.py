"""What lab B shows: where a bug comes to light, which check rejects which bug, and how a diagnosis narrows."""

import numpy as np
from ipywidgets import Dropdown, IntSlider

from aelib.common import plots
from aelib.common.tables import table
from aelib.coursework.zoo import zoo
from aelib.widgets import Explorer

FUNCTIONS = ("grad", "jvp", "vjp", "hvp", "gnvp")
NETWORKS = {"tanh, 4 images": {}, "ReLU": dict(hidden="relu"), "one image": dict(n=1), "all biases 0": dict(fresh=True)}
_EXACT = 1e-17  # where an error of exactly 0 is drawn, on a logarithmic axis


def errors(disease, **network):
    """Return how far a wrong implementation is from the right one on the same network, at a first and a second call.

    Args:
        disease: one of ``zoo.DISEASES``.
        network: as in ``zoo.WHEATS``.

    Returns:
        Relative errors, (2, 5): for each of ``FUNCTIONS``, at a first round of calls, and at a second with another
        direction.
    """
    right, wrong = (zoo.implementation(name, 3, **network) for name in ("", disease))
    rng, found = np.random.default_rng(1), np.zeros((2, len(FUNCTIONS)))
    for call in found:
        p, V = rng.standard_normal(right.theta.size), rng.standard_normal(right.X.shape)
        arguments = {"grad": (), "vjp": (V,)}
        for k, name in enumerate(FUNCTIONS):
            a, b = (getattr(i, name)(right.theta, *arguments.get(name, (p,))) for i in (right, wrong))
            call[k] = np.linalg.norm(a - b) / np.linalg.norm(a)
    return found


def draw_errors(figure, result):
    """Draw the errors of five functions, first and second call, as bars; result: (disease, network, errors)."""
    disease, network, found = result
    ax, x = figure.subplots(), np.arange(len(FUNCTIONS))
    for k, (call, row) in enumerate(zip(("first call", "second call"), found, strict=True)):
        heights = np.maximum(row, 1.5 * _EXACT)
        ax.bar(x + 0.38 * (k - 0.5), heights, 0.36, bottom=_EXACT, color=plots.LINES[k], label=call)
    ax.axhspan(_EXACT, 1e-13, color="0.9", zorder=0, label="right, to the last digits")
    ax.set(yscale="log", ylim=(_EXACT, 1e3), ylabel="relative error", title=f"{disease}   ({network})")
    ax.set_xticks(x, ["gradient", "Jp", "J^T V", "Hp", "Gp"])
    ax.legend(fontsize="small", loc="upper left", ncols=3)


def bug_explorer():
    """Return the lab's first picture: menus for a bug and a network above the errors that it makes."""

    def compute(bug, network):
        return bug, network, errors(bug, **NETWORKS[network])

    bug = Dropdown(options=list(zoo.DISEASES), value="g' is missing in backward")
    return Explorer(compute, draw_errors, (9, 3.3), bug=bug, network=Dropdown(options=list(NETWORKS)))


def table_of_checks(score):
    """Return which check rejects which public bug, and how many of the hidden ones, as a table.

    Args:
        score: what ``zoo.judge`` returned for a dict of checks.
    """
    *_, hidden, _ = score.table.splitlines()
    names = score.table.splitlines()[0].split()
    rows = [
        {"bug": bug} | {name: "x" if name in caught else "" for name in names} for bug, caught in score.caught.items()
    ]
    counts = hidden.split()[-len(names) :]
    rows.append({"bug": "of the 24 hidden ones"} | dict(zip(names, counts, strict=True)))
    (known, twelve), (unknown, others) = score.public, score.hidden
    return table(rows, f"x: rejected. Together: {known} of {twelve} public ones, {unknown} of {others} hidden ones")


def remaining(caught, questions, patient, asked):
    """Return the bugs that answer the first so many questions as the patient does.

    Args:
        caught: dict, bug -> names of the checks that reject it.
        questions: names of checks, in the order in which they are asked.
        patient: a bug.
        asked: how many of them.
    """
    own = [name in caught[patient] for name in questions[:asked]]
    return [bug for bug, names in caught.items() if [name in names for name in questions[:asked]] == own]


def draw_narrowing(figure, result):
    """Draw the table of answers, the bugs that are ruled out in grey; result: (caught, questions, patient, asked)."""
    caught, questions, patient, asked = result
    left, bugs, ax = remaining(*result), list(caught), figure.subplots()
    for i, bug in enumerate(bugs):
        alive = bug in left
        for j, name in enumerate(questions):
            known = j < asked
            face = ("#333333" if name in caught[bug] else "white") if known else "0.93"
            form = dict(facecolor=face, edgecolor="0.6", linewidth=0.8, alpha=1 if alive else 0.15)
            ax.bar(j, 0.9, 0.9, bottom=i - 0.45, **form)
    ax.set_yticks(range(len(bugs)), bugs)
    for bug, label in zip(bugs, ax.get_yticklabels(), strict=True):
        label.set(color="black" if bug in left else "0.75", fontweight="bold" if bug in left else "normal")
    ax.set_xticks(range(len(questions)), questions)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.6, len(questions) - 0.4), ylim=(len(bugs) - 0.4, -0.6))
    words = "one bug is left" if len(left) == 1 else f"{len(left)} bugs are left"
    ax.set_xlabel(f"{asked} questions asked of patient {1 + list(caught).index(patient)} (dark: rejected): {words}")


def narrowing_explorer(score):
    """Return a menu of patients and a slider of questions above the bugs that are left.

    Args:
        score: what ``zoo.judge`` returned for the questions, a dict of checks in the order in which they are asked.
    """
    questions = score.table.splitlines()[0].split()
    patients = [(f"patient {k + 1}", bug) for k, bug in enumerate(score.caught)]
    controls = dict(patient=Dropdown(options=patients, value=patients[7][1]), asked=IntSlider(2, 0, len(questions)))
    return Explorer(
        lambda patient, asked: (score.caught, questions, patient, asked), draw_narrowing, (9, 4.6), **controls
    )


def table_of_groups(score):
    """Return the groups of public bugs that the questions cannot tell apart, as a table."""
    groups = {}
    for bug, names in score.caught.items():
        groups.setdefault(", ".join(names) or "none", []).append(bug)
    rows = [{"rejected by": names, "bugs": "; ".join(bugs), "left": len(bugs)} for names, bugs in groups.items()]
    return table(rows, "Bugs that give the same answers to all questions")
