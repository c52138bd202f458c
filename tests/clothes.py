"""The same answer in many clothes: notebooks in which it stands as students write it, and the two judges of these."""

from dataclasses import asdict

import soundness

from aelib.coursework import judge as judging
from aelib.coursework.grading import child
from aelib.coursework.grading.submissions import order, sources

LABS = sources()
TASKS = {task.name: (lab, task) for lab, each in LABS.items() for task in each.tasks if task.kind == "Exercise"}


def code(source):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def taken(name, state, kind):
    """Return the line that takes a listed answer, and the expression of it."""
    return f"from {soundness.module_of(name)} import {state.upper()} as LISTED", f"LISTED[{name!r}][{kind!r}]"


def given(lab):
    """Return the cells of a lab's student edition, as far as exercises go."""
    each = LABS[lab]
    return [
        dict(cell_type=cell["cell_type"], source=each.given.get(place, cell["source"]), metadata={}, outputs=[])
        for place, cell in enumerate(each.cells)
    ]


class Clothes:
    """What the cells around a task hold: before, in, and after the answer's cell, and after the test."""

    def __init__(self, name, state, kind):
        self.task = TASKS[name][1]
        self.name, self.target = name, ", ".join(self.task.names)
        self.line, self.value = taken(name, state, kind)
        self.plain = f"{self.line}\n{self.target} = {self.value}"
        self.examine = f'examine("{name}", {self.task.examined})'

    def cells(self, kind):
        """Return (cells before, the answer's cell, cells between answer and test, cells after the test)."""
        line, target, value, plain = self.line, self.target, self.value, self.plain
        last = self.task.names[-1]
        return {
            "plain": ([], plain, [], []),
            "examined in its own cell": ([], f"{plain}\n{self.examine}", [], []),
            "a helper with a name of the lab": (
                ["def model(x):\n    return x"],
                f"{line}\n{target} = model({value})",
                [],
                [],
            ),
            "a helper that mentions examine": (
                [f"def same(x):\n    return x  # then examine(...)\n\nif False:\n    {self.examine}"],
                f"{line}\n{target} = same({value})",
                [],
                [],
            ),
            "a helper in a cell that examines": (
                [f"def same(x):\n    return x\n{target} = same(None), ...\n{self.examine}"]
                if len(self.task.names) == 2
                else ["def same(x):\n    return x"],
                f"{line}\n{target} = same({value})\n{self.examine}",
                [],
                [],
            ),
            "display": ([], f"display(1)\n{plain}\ndisplay({last})", [], []),
            "magics": ([], f"int?\nfiles = !echo a\nt = %timeit -o -n1 -r1 1\n{plain}", ["%pwd"], []),
            "a timed cell": ([], f"%%time\n{plain}", [], []),
            "continued lines": (
                [],
                f"rest = (7\n        % 3)\nsure = (rest\n        != 0)\n{line}\n"
                f"{target} = {value} if rest == 1 and sure else None",
                [],
                [],
            ),
            "split over cells": ([f"{line}\nmine = {value}"], f"{target} = mine", [], []),
            "overwritten later": ([], plain, [], [f"{last} = None"]),
            "unicode names": ([], f"{line}\ngröße_ε = {value}\n{target} = größe_ε", [], []),
            "a broken cell elsewhere": (["def broken(:\n    pass"], plain, ["1 +"], ["(" * 300]),
            "an own assertion that fails": ([], f"{plain}\nassert 1 == 2, 'mine'", [], []),
            "await and what IPython keeps": (
                [],
                f"import asyncio\nawait asyncio.sleep(0)\n_ = len(In)\n{plain}",
                [],
                [],
            ),
            "a wrong one before": ([f"{target} = {', '.join(['None'] * len(self.task.names))}"], plain, [], []),
            "imports everything": (
                ["from math import *\nfrom os.path import *"],
                f"{plain}\n{last} = {last} if pi else 0",
                [],
                [],
            ),
        }[kind]

    def notebook(self, kind):
        """Return the student's notebook, a list of cells, and the places of his own cells and of the test."""
        before, answer, between, after = (
            [code(s) for s in part] if isinstance(part, list) else [code(part)] for part in self.cells(kind)
        )
        lab = given(TASKS[self.name][0])
        test = self.task.test
        cells = [*lab[: self.task.answer], *before, *answer, *between, lab[test], *after, *lab[test + 1 :]]
        start = self.task.answer
        count = len(before) + len(answer) + len(between) + 1
        return cells, list(range(start, start + count + len(after))), start + count - 1


KINDS = (
    "plain",
    "examined in its own cell",
    "a helper with a name of the lab",
    "a helper that mentions examine",
    "a helper in a cell that examines",
    "display",
    "magics",
    "a timed cell",
    "continued lines",
    "split over cells",
    "overwritten later",
    "unicode names",
    "a broken cell elsewhere",
    "an own assertion that fails",
    "await and what IPython keeps",
    "a wrong one before",
    "imports everything",
)


RANDOM = ("tosses a coin", "counts its calls")  # which right implementation they reject first is another each time
BARE = {}  # what IPython's namespace holds before anything is run


def by_notebook(shell, cells, own, test, name):
    """Return the outcome that ``examine`` tells when the student's cells are run in IPython, up to the test."""
    for left in set(shell.user_ns) - set(BARE):
        del shell.user_ns[left]
    heard, judge = [], judging.judge
    shell.showtraceback = shell.showsyntaxerror = lambda *a, **k: None  # what a cell prints is not looked at
    judging.judge = lambda *a, **k: heard.append(judge(*a, **k)) or heard[-1]
    try:
        shell.run_cell("from aelib.coursework import examine, hint", store_history=True, silent=True)
        for place in own:
            if place == test:
                heard.clear()
            shell.run_cell(cells[place]["source"], store_history=True)
            if place == test:
                break
    finally:
        judging.judge = judge
        del shell.showtraceback, shell.showsyntaxerror
    return heard[-1] if heard else None


def by_grading(cells, name):
    """Return the outcome of the best program, judged as the child does, in this process."""
    lab, task = LABS[TASKS[name][0]], TASKS[name][1]
    made = order(lab, task, [(None, {"cells": cells})])
    outcomes = []
    for number, pieces in enumerate(made["programs"], start=1):
        asked = dict(name=name, pieces=pieces, examined=made["examined"], seed="practice", owner="")
        outcomes.append(child.judged(asked))
        if outcomes[-1].state == "right" or (
            number >= made["plain"] and outcomes[-1].state not in ("crash", "not found")
        ):
            break
    return outcomes


def differences(shell, name, state, kind, clothes):
    """Return what the two judges say differently of one answer in one kind of clothes, or None."""
    cells, own, test = Clothes(name, state, kind).notebook(clothes)
    cells = [dict(cell) for cell in cells]
    notebook = by_notebook(shell, cells, own, test, name)
    graded = by_grading(cells, name)

    def told(outcome):
        row = asdict(outcome)
        keys = ("state", "points") if kind in RANDOM else ("state", "points", "reason", "text")
        return {key: row[key] for key in keys}

    if notebook is None or not graded:
        return f"{name}, {state} answer {kind!r}, {clothes}: notebook {notebook}, grading {graded}"
    one, other = told(notebook), told(graded[0])
    if one != other:
        return f"{name}, {state} answer {kind!r}, {clothes}: {one} != {other}"
    expected = notebook.state == "right" if state == "right" else notebook.state != "right"
    return None if expected else f"{name}, {state} answer {kind!r}, {clothes}: {notebook.state}"


def a_shell():
    """Return an IPython shell without history and colours."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    BARE.update(shell.user_ns)
    return shell


def everything():
    """Yield (name, state, kind) of all listed answers."""
    for state, listed in (("right", soundness.RIGHT), ("wrong", soundness.WRONG)):
        for name, by in listed.items():
            if name in TASKS:
                yield from ((name, state, kind) for kind in by)
