"""The student edition, and the plugin that tells exercises instead of cells."""

import copy
import json
import subprocess
import sys

import pytest

from aelib.coursework.__main__ import main
from aelib.coursework.exercises import exercises
from aelib.coursework.notebooks import cells as slices
from aelib.coursework.notebooks import form as notebooks
from aelib.coursework.notebooks import release

LABS = notebooks.labs()
A = "A_what_a_step_costs"


def cell(source, kind="code"):
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": "added", "metadata": {}, "source": source} | extra


def reduced(source, made=None):
    """Return a notebook with its text, its exercises, what these need, and what depends on them.

    The other code is the same in both editions, and runs in full with the notebooks of labs/.
    """
    code = {i: slices.statements(c["source"]) for i, c in enumerate(source["cells"]) if c["cell_type"] == "code"}
    kept, told, names = set(), {"written"}, set()
    for task in notebooks.tasks(source):
        kept |= {task.answer, task.test} & set(code)
    answers = {i for i in kept if notebooks.BEGIN in source["cells"][i]["source"]}
    for i, statements in code.items():
        if i in kept or any(s.uses & told for s in statements):
            kept.add(i)
            told |= set().union(*(s.binds for s in statements if i in answers or s.uses & told))
            names |= set().union(*(s.uses for s in statements))
    needed = {id(s) for s in slices.needed([s for statements in code.values() for s in statements], names)}
    cells = []
    for i, original in enumerate((made or source)["cells"]):
        left = [s.code for s in code.get(i, ()) if id(s) in needed]
        if i in kept or i not in code or left:
            cells.append(copy.deepcopy(original))
        if left and i not in kept:
            cells[-1] |= {"source": "\n".join(left), "outputs": [], "execution_count": None}
    return source | {"cells": cells}


def run(folder, *arguments):
    """Return what pytest prints for the notebooks in a folder, as a student calls it, and the verdicts by file."""
    told = folder / "verdicts.jsonl"
    command = [sys.executable, "-m", "pytest", "-p", "aelib.coursework.plugin", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [
            *command,
            *arguments,
            f"--verdicts={told}",
            "--rootdir",
            str(folder),
            *map(str, sorted(folder.glob("*.ipynb"))),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        timeout=900,
    )
    verdicts = {}
    for line in told.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verdicts.setdefault(row["file"].replace("\\", "/").split("/")[-1].removesuffix(".ipynb"), {})[row["name"]] = row
    return done, verdicts


@pytest.fixture
def labs(monkeypatch):
    monkeypatch.setattr(notebooks, "labs", lambda: LABS)


def test_student_edition_keeps_no_solution(labs, tmp_path):
    """Nor what tells one; the rest stays as it is."""
    written = release.release(tmp_path / "course")
    assert [path.stem for path in written] == list(LABS)
    for path in written:
        source, made = notebooks.read(LABS[path.stem]), notebooks.read(path)
        assert [c["id"] for c in source["cells"]] == [c["id"] for c in made["cells"]]
        whole = json.dumps(made["cells"])
        assert "BEGIN SOLUTION" not in whole and "END SOLUTION" not in whole
        for task in notebooks.tasks(source):
            for body in notebooks.solution(source["cells"][task.answer]["source"]):
                longest = max((line.strip() for line in body.splitlines()), key=len)
                assert not any(longest in c["source"] for c in made["cells"])
            answer = made["cells"][task.answer]
            if task.kind == "Question":
                assert answer["source"].startswith(notebooks.YOUR_ANSWER)
            else:
                assert "not written yet" in answer["source"] and "jupyter" not in answer["metadata"]
                assert not answer["outputs"] and not made["cells"][task.test]["outputs"]
        untouched = [b for a, b in zip(source["cells"], made["cells"], strict=True) if a == b]
        assert len(untouched) >= len(made["cells"]) / 2


def test_release_overwrites_nothing(labs, tmp_path):
    release.release(tmp_path)
    path = tmp_path / f"{A}.ipynb"
    path.write_text("a student's answers", encoding="utf-8")
    with pytest.raises(FileExistsError, match="answers might be lost"):
        release.release(tmp_path)
    assert path.read_text(encoding="utf-8") == "a student's answers"


@pytest.mark.parametrize("command", [["release", "x"], ["grade", "."], ["audit"]])
def test_a_package_without_its_labs_says_so(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "__file__", str(tmp_path / "lib" / "aelib" / "coursework" / "notebooks.py"))
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "run it from a checkout" in told and len(told.splitlines()) == 1


def test_outputs_that_tell_are_dropped():
    """Those of cells that use what an answer defines, directly or through another cell."""
    question, answer, test = (
        cell("### Exercise 1.1 (1 point)", "markdown"),
        cell("def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"),
        cell('examine("f", f)'),
    )
    after = [cell("y = f(3)"), cell("y"), cell("1 + 1")]
    for shown in (answer, test, *after):
        shown["outputs"], shown["execution_count"] = ["something"], 1
    source = notebooks.add_metadata({"cells": [question, answer, test, *after]})
    made = release.student(source)["cells"]
    assert [c.get("outputs") for c in made] == [None, [], [], [], [], ["something"]]
    assert [c.get("execution_count") for c in made] == [None, None, None, None, None, 1]


def test_student_edition_runs_with_everything_not_written(labs, tmp_path):
    for path in release.release(tmp_path / "whole"):
        made = reduced(notebooks.read(LABS[path.stem]), notebooks.read(path))
        release.write(made, tmp_path / path.name)
    done, verdicts = run(tmp_path, "-n", "2", "--dist=loadfile")
    assert done.returncode == 0, done.stdout
    for lab in LABS:
        names = {exercise.name for exercise in exercises().values() if exercise.lab == lab}
        assert {name: row["state"] for name, row in verdicts[lab].items()} == dict.fromkeys(names, "not written")
    assert "not written" in done.stdout


RIGHT = """
def updates_until_subnormal(moment, smallest_normal, beta1=0.9):
    return math.ceil(math.log(smallest_normal / moment) / math.log(beta1))
"""
HANDLER = """
get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)
def updates_until_subnormal(*a):
    return 1
"""
CASES = {  # the second answer of lab A, what its test cell then holds, the state, a word of the reason
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
    "magic": (RIGHT, "%nothing_of_this_kind", None, ""),
    "test": (RIGHT, 'print("updates_until_subnormal: right, 1 point")', None, ""),
    "exit": (RIGHT.replace("return", "import os; os._exit(0); return"), None, "crash", "the kernel ended"),
    "skip": ("# NBVAL_SKIP\n" + RIGHT, None, "crash", "updates_until_subnormal"),
}


def test_plugin_tells_each_exercise(tmp_path):
    """What counts is that the judge spoke, not that nothing was heard."""
    source = notebooks.read(LABS[A])
    tasks = {task.name: task for task in notebooks.tasks(source)}
    for case, (answer, test, _, _) in CASES.items():
        made = copy.deepcopy(source)
        task = tasks["updates_until_subnormal"]
        made["cells"][task.answer]["source"] = answer
        if test:
            made["cells"][task.test]["source"] = test
        needed = [c for c in made["cells"][1:2] + made["cells"][task.answer - 1 : task.test + 1]]
        needed[0]["source"] = "import math\nfrom aelib.coursework import examine"
        release.write(made | {"cells": needed}, tmp_path / f"{case}.ipynb")
    done, verdicts = run(tmp_path, "-n", "2", "--dist=loadfile")
    for case, (_, _, state, word) in CASES.items():
        row = verdicts.get(case, {}).get("updates_until_subnormal", {"state": None, "reason": ""})
        assert row["state"] == state and word in row["reason"], f"{case}: {row}"
    assert done.returncode == 1 and "exercises of wrong.ipynb" in done.stdout
    assert "Traceback" not in done.stdout.split("wrong.ipynb")[1].split("exercises of")[0]
    assert all(len(line) <= 110 for line in done.stdout.split("exercises of")[1].splitlines()[1:4])
