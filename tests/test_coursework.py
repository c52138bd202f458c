"""The student edition, progress, and the plugin that tells exercises instead of cells."""

import copy
import json
import re
import subprocess
import sys

import pytest

from aelib.coursework import plugin
from aelib.coursework.__main__ import main
from aelib.coursework.exercises import exercises
from aelib.coursework.notebooks import form, release
from aelib.coursework.notebooks.cells import needed, python_of, statements
from aelib.coursework.notebooks.programs import Lab, run
from aelib.coursework.progress import progress

LABS = form.labs()
A = "A_what_a_step_costs"


def cell(source, kind="code"):
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": f"added{abs(hash(source))}", "metadata": {}, "source": source} | extra


def pytest_of(folder, *arguments):
    """Return what pytest prints for a folder, as a student calls it, and (state, points) by notebook and exercise."""
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=folder, timeout=900)
    told, name = {}, ""
    for line in done.stdout.splitlines():
        if found := re.match(r"-+ exercises of (.+)\.ipynb -+$", line):
            name = found[1]
        elif name and (found := re.match(r"\S+ +(\w+) +([\d.]+) of \d+   ([a-z ]+)(?:: (.*))?$", line)):
            told.setdefault(name, {})[found[1]] = found[3], found[4] or ""
    return done, told


@pytest.fixture
def labs(monkeypatch):
    monkeypatch.setattr(form, "labs", lambda: LABS)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The whole student edition."""
    folder = tmp_path_factory.mktemp("course")
    release.release(folder)
    return folder


def test_student_edition_keeps_no_solution(course):
    """Nor what tells one; the rest stays as it is."""
    for lab, path in LABS.items():
        source, made = form.read(path), form.read(course / f"{lab}.ipynb")
        assert [c["id"] for c in source["cells"]] == [c["id"] for c in made["cells"]]
        whole = json.dumps(made["cells"])
        assert "BEGIN SOLUTION" not in whole and "END SOLUTION" not in whole
        for task in form.tasks(source):
            for body in form.solution(source["cells"][task.answer]["source"]):
                longest = max((line.strip() for line in body.splitlines()), key=len)
                assert not any(longest in c["source"] for c in made["cells"])
            answer = made["cells"][task.answer]
            if task.kind == "Question":
                assert answer["source"].startswith(form.YOUR_ANSWER)
            else:
                assert "not written yet" in answer["source"] and "jupyter" not in answer["metadata"]
                assert not answer["outputs"] and not made["cells"][task.test]["outputs"]


def test_a_model_answer_may_stand_between_marks_that_no_reader_sees():
    question, answer = "### Question 1.1 (2 points)", "<!-- BEGIN SOLUTION -->\nforty-two\n<!-- END SOLUTION -->\n"
    source = form.add_metadata({"cells": [cell(question, "markdown"), cell(answer, "markdown")]})
    assert [task.name for task in form.tasks(source)] == ["written_1_1"] and form.solution(answer) == ["forty-two\n"]
    assert release.student(source)["cells"][1]["source"] == form.YOUR_ANSWER


def test_student_edition_keeps_its_pictures(course):
    """Outputs go only where they show an answer: nine tenths of a lab's pictures stay, and most of its cells."""
    for lab, path in LABS.items():
        source, made = form.read(path), form.read(course / f"{lab}.ipynb")

        def pictures(notebook):
            outputs = [o for c in notebook["cells"] for o in c.get("outputs", ())]
            return sum("image/png" in o.get("data", {}) for o in outputs)

        assert pictures(made) >= 0.9 * pictures(source), (lab, pictures(made), pictures(source))
        untouched = [b for a, b in zip(source["cells"], made["cells"], strict=True) if a == b]
        assert len(untouched) >= len(made["cells"]) / 2


def test_outputs_that_tell_are_dropped():
    """Those of cells that use what an answer defines, directly or not; not of cells that share a name with one."""
    question, answer, test = (
        cell("### Exercise 1.1 (1 point)", "markdown"),
        cell("def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\nname = f(1)"),
        cell('examine("f", f)'),
    )
    after = [
        cell("y = f(3)"),
        cell("y"),
        cell("1 + 1"),
        cell("for name in 'ab':\n    print(name)"),
        cell("y = 3"),
        cell("y + 1"),
    ]
    for shown in (answer, test, *after):
        shown["outputs"], shown["execution_count"] = ["something"], 1
    source = form.add_metadata({"cells": [question, answer, test, *after]})
    made = release.student(source)["cells"]
    kept = [bool(c.get("outputs")) for c in made[1:]]
    assert kept == [False, False, False, False, True, True, True, True]


def test_release_overwrites_nothing_and_adds_what_is_missing(labs, tmp_path, capsys):
    assert main(["release", str(tmp_path)]) == 0 and f"{len(LABS)} labs in" in capsys.readouterr().out
    path, other = tmp_path / f"{A}.ipynb", tmp_path / "03_optimizers.ipynb"
    path.write_text("a student's answers", encoding="utf-8")
    other.unlink()
    assert main(["release", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "written: 03_optimizers" in said and "open it: jupyter lab" in said and other.exists()
    assert path.read_text(encoding="utf-8") == "a student's answers"
    assert main(["release", str(tmp_path)]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert main(["release", str(tmp_path), "9"]) == 1 and "expected some of" in capsys.readouterr().err


def test_a_lab_is_made_anew_with_the_answers_that_were_there(labs, tmp_path, capsys):
    release.release(tmp_path)
    path = tmp_path / f"{A}.ipynb"
    made, tasks = form.read(path), {task.name: task for task in form.tasks(form.read(LABS[A]))}
    made["cells"][tasks["count_hvp"].answer]["source"] = "def count_hvp(sizes, n):\n    return 7"
    release.write(made, path)
    assert main(["release", str(tmp_path), "A"]) == 0
    anew = form.read(path)
    assert "return 7" in anew["cells"][tasks["count_hvp"].answer]["source"]
    assert "not written yet" in anew["cells"][tasks["intensity"].answer]["source"]
    assert len(list(tmp_path.glob(f"{A} before *.ipynb"))) == 1


@pytest.mark.parametrize("command", [["release", "x"], ["grade", "."]])
def test_a_package_without_its_labs_says_so(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(form, "__file__", str(tmp_path / "lib" / "aelib" / "coursework" / "notebooks" / "form.py"))
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "run it from a checkout" in told and len(told.splitlines()) == 1


def test_student_edition_runs_with_everything_not_written(course, capsys):
    """Its exercises, and all that depends on them, in one process: no cell after an answer needs it."""
    for lab, path in LABS.items():
        source, made = form.read(path), form.read(course / f"{lab}.ipynb")
        tasks = {task.answer: task for task in form.tasks(source)}
        told, wanted, above = {"written"}, [], []
        for place, c in enumerate(made["cells"]):
            if c["cell_type"] != "code":
                continue
            stated = statements(c["source"])
            if place in tasks or form.examined(c["source"]) or any(s.uses & told for s in stated):
                wanted.append((place, c["source"]))
                told |= set().union(*(s.binds for s in stated)) if form.examined(c["source"]) is None else set()
            above += [(place, s) for s in stated]
        names = {"__name__": "__main__", "__file__": str(course / "lab")}
        exec("from aelib.coursework import examine", names)
        done = set()
        for place, text in wanted:
            uses = set().union(*(s.uses for s in statements(text)))
            for s in needed([s for at, s in above if at < place], uses):
                if s.code not in done and not s.code.startswith("examine("):
                    done.add(s.code)
                    exec(compile(s.code, lab, "exec"), names)
            exec(compile(python_of(text), f"{lab}, cell {place}", "exec"), names)
        said = capsys.readouterr().out
        for exercise in exercises().values():
            assert (f"{exercise.name}: not written yet" in said) == (exercise.lab == lab)


RIGHT = """
def updates_until_subnormal(moment, smallest_normal, beta1=0.9):
    return math.ceil(math.log(smallest_normal / moment) / math.log(beta1))
"""
HANDLER = """
get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)
def updates_until_subnormal(*a):
    return 1
"""
CASES = {  # the third answer of lab A, what its test cell then holds, the state, a word of the reason
    "right": (RIGHT, None, "right", ""),
    "stub": (
        "def updates_until_subnormal(*a):\n    raise NotImplementedError('not written yet')",
        None,
        "not written",
        "",
    ),
    "wrong": (RIGHT.replace("ceil", "floor"), None, "wrong", "still a normal number"),
    "crash": (RIGHT.replace("math.log(beta1)", "math.lag(beta1)"), None, "crash", "lag"),
    "syntax": (RIGHT.replace(":", ""), None, "crash", "SyntaxError"),
    "handler": (HANDLER, None, "wrong", "still a normal number"),
    "exit": (RIGHT.replace("return", "import os; os._exit(0); return"), None, "crash", "the kernel ended"),
    "skip": ("# NBVAL_SKIP\n" + RIGHT, None, "crash", "updates_until_subnormal"),
    "around": ("updates_until_subnormal?\nfiles = !echo\ndisplay(1)\n" + RIGHT + "_ = len(In)", None, "right", ""),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One real run of pytest in a student's folder: cases of one exercise, each a notebook without ids of cells."""
    folder = tmp_path_factory.mktemp("cases")
    release.release(folder)
    source = form.read(LABS[A])
    for path in folder.glob("*.ipynb"):
        path.unlink()
    (task,) = [task for task in form.tasks(source) if task.name == "updates_until_subnormal"]
    for case, (answer, test, _, _) in CASES.items():
        heading, written, examined = copy.deepcopy(source["cells"][task.answer - 1 : task.test + 1])
        written["source"], examined["source"] = answer, test or examined["source"]
        setup = cell("import math\nfrom aelib.coursework import examine")
        whole = {"cells": [setup, heading, written, examined], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        for one in whole["cells"]:
            one.pop("id", None)
        (folder / f"{case}.ipynb").write_text(json.dumps(whole), encoding="utf-8")
    return folder, *pytest_of(folder)


def test_plugin_tells_each_exercise(told):
    """What counts is that the judge spoke, not that nothing was heard; the folder's own settings turn it on."""
    _, done, outcomes = told
    for case, (_, _, state, word) in CASES.items():
        found = outcomes.get(case, {}).get("updates_until_subnormal", (None, ""))
        assert found[0] == state and word in found[1], f"{case}: {found}\n{done.stdout[-3000:]}"
    assert done.returncode == 1
    assert "Traceback" not in done.stdout.split("wrong.ipynb")[1].split("exercises of")[0]


def test_pytest_ends_with_one_table_over_all_labs(told):
    _, done, _ = told
    table = done.stdout.split("all labs")[1]
    assert "right.ipynb" in table and f"2 of {len(CASES)}   " in table.split("together")[1]


def test_cells_that_were_not_run_are_not_judged(told):
    folder, _, _ = told
    done, outcomes = pytest_of(folder, "right.ipynb::Cell 2")
    assert outcomes["right"]["updates_until_subnormal"][0] == "not judged", done.stdout


def test_cells_of_a_notebook_keep_their_order():
    """Whatever another plugin did to it."""

    class IPyNbCell:
        def __init__(self, parent, cell_num):
            self.parent, self.cell_num = parent, cell_num

    items = [IPyNbCell(parent, number) for number, parent in ((2, "b"), (1, "a"), (0, "b"), (1, "b"), (0, "a"))]
    plugin.pytest_collection_modifyitems(items)
    assert [(i.parent, i.cell_num) for i in items] == [("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1)]


def test_progress_reads_what_saved_notebooks_show(tmp_path):
    """Points of right answers, part of the points where the judge gave part, nothing of what was not saved."""
    release.release(tmp_path)
    path = tmp_path / f"{A}.ipynb"
    made = form.read(path)
    for c in made["cells"]:
        call = form.examined(c["source"]) if c["cell_type"] == "code" else None
        if call and call[0] == "count_hvp":
            c["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "count_hvp: right, 1 point\n"}]
        if call and call[0] == "intensity":
            text = 'intensity: wrong; hint("intensity") says more\nn = 3'
            c["outputs"] = [{"output_type": "error", "ename": "AnswerWrong", "evalue": text, "traceback": []}]
    release.write(made, path)
    (tmp_path / "no lab.ipynb").write_text("{", encoding="utf-8")
    rows = {row["lab"]: row for row in progress(tmp_path)}
    assert rows[A] == {"lab": A, "got": 1, "of": 3, "by_hand": 2}
    worth = {exercise.lab: 0 for exercise in exercises().values()}
    for exercise in exercises().values():
        worth[exercise.lab] += exercise.points
    assert {lab: row["of"] for lab, row in rows.items() if row["of"]} == worth


def test_a_cell_that_raises_ends_and_the_next_is_run():
    """As in a notebook; what it defined before stands."""
    source = {
        "cells": [
            cell("### Exercise 1.1 (1 point)", "markdown"),
            cell("f = 1\n### BEGIN SOLUTION\n### END SOLUTION"),
            cell('examine("f", f)'),
        ]
    }
    lab = Lab(form.add_metadata(source))
    mine = [
        cell("def f():\n    return g()\nassert False\ndef g():\n    return 1"),
        cell("await_me = 1"),
        cell("def g():\n    return 2"),
    ]
    pieces = lab.programs(lab.merged(mine), lab.tasks[0])[0]
    names = {}
    assert isinstance(run(pieces, names), AssertionError) or names["f"]() == 2
    assert names["f"]() == 2


def test_stored_cells_are_those_of_jupyter(tmp_path):
    release.write(form.read(LABS[A]), tmp_path / "a.ipynb")
    assert form.read(tmp_path / "a.ipynb") == form.read(LABS[A])
