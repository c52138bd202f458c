"""Grading survives what students hand in: each trap costs only the exercise in which it stands."""

import contextlib
import copy
import csv
import dataclasses
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aelib.coursework import audit
from aelib.coursework.__main__ import main
from aelib.coursework.exercises import EXERCISES, exercises
from aelib.coursework.grading import answers, submissions, wire
from aelib.coursework.grading import grade as grading
from aelib.coursework.grading.answers import Answer, Submitted
from aelib.coursework.judge import judge
from aelib.coursework.notebooks import form as notebooks
from aelib.coursework.notebooks import release

A = "A_what_a_step_costs"
LABS = notebooks.labs()
SOURCE = notebooks.read(LABS[A])
TASKS = {task.name: task for task in notebooks.tasks(SOURCE)}
COUNT = """
def count_hvp(sizes, n):
    products = [p * q for p, q in zip(sizes, sizes[1:])]
    return 2 * n * (6 * sum(products) - 4 * products[0])
"""
UNTIL = """
def updates_until_subnormal(moment, smallest_normal, beta1=0.9):
    return math.ceil(math.log(smallest_normal / moment) / math.log(beta1))
"""
NAMES = ("count_hvp", "updates_until_subnormal")
WRITTEN = next(name for name in TASKS if name.startswith("written_"))


@pytest.fixture
def labs(monkeypatch):
    monkeypatch.setattr(notebooks, "labs", lambda: {A: LABS[A]})


def cell(source, **metadata):
    return dict(cell_type="code", id="new", metadata=metadata, source=source, outputs=[], execution_count=None)


def handed_in(count=COUNT, until=UNTIL):
    """Return a student's lab A with these two answers."""
    made = release.student(SOURCE)
    for name, answer in zip(NAMES, (count, until), strict=True):
        made["cells"][TASKS[name].answer]["source"] = answer
    return made


def inside(line, source=COUNT):
    """Return an answer with a line more at the beginning of its body."""
    head, rest = source.strip().split("\n", 1)
    return f"{head}\n    {line}\n{rest}"


def changed(change):
    """Return a right submission after a change of its notebook."""
    made = handed_in()
    return change(made) or made


def without_metadata(made):
    for c in made["cells"]:
        c["metadata"] = {}


def without_tests(made):
    made["cells"] = [c for c in made["cells"] if not c["source"].startswith("examine(")]


def edited_tests(made):
    for c in made["cells"]:
        if c["source"].startswith("examine("):
            c["source"] = "print('right')"


def without_setup(made):
    made["cells"] = made["cells"][TASKS["count_hvp"].answer - 1 :]


def reordered(made):
    made["cells"].reverse()


def duplicated(made):
    i = TASKS["count_hvp"].answer
    wrong = copy.deepcopy(made["cells"][i])
    wrong["source"] = "def count_hvp(sizes, n):\n    return 0"
    made["cells"].insert(i, wrong)


def helper_elsewhere(made):
    made["cells"].insert(2, cell("def products(sizes):\n    return [p * q for p, q in zip(sizes, sizes[1:])]"))
    made["cells"][TASKS["count_hvp"].answer + 1]["source"] = (
        "def count_hvp(sizes, n):\n    return 2 * n * (6 * sum(products(sizes)) - 4 * products(sizes)[0])"
    )


OUTSIDE = "outside-" + str(os.getpid())
RIGHT, WRONG, CRASH, TIME = "right", "wrong", "crash", "time"
PATCH = """
import aelib.checks, aelib.coursework.judge, aelib.coursework.exercises, aelib.coursework.exercises.laws
aelib.checks.check_equal = aelib.coursework.exercises.laws.close = lambda *a, **k: None
for e in list(aelib.coursework.exercises.EXERCISES.values()):
    object.__setattr__(e, "test", lambda *a: None)
check_equal = examine = print
def count_hvp(sizes, n):
    return 0
"""
READS = """
import inspect
from aelib.coursework.exercises import find
def count_hvp(sizes, n):
    return inspect.getsource(find("count_hvp").test)
"""
STEALS = """
import gc
from aelib.coursework.grading import inside
def count_hvp(sizes, n):
    for server in gc.get_objects():
        if type(server) is inside._Server:
            server.connection.send_bytes(b"verdict: right")
    return 0
"""
TRAPS = {  # a notebook, or an answer to count_hvp; the state of that answer, a word of its reason
    "right": (handed_in(), RIGHT, ""),
    "duplicated solution cell": (changed(duplicated), RIGHT, ""),
    "metadata lost": (changed(without_metadata), RIGHT, ""),
    "tests deleted": (changed(without_tests), RIGHT, ""),
    "tests edited": (changed(edited_tests), RIGHT, ""),
    "set-up deleted": (changed(without_setup), RIGHT, ""),
    "cells reordered": (changed(reordered), RIGHT, ""),
    "helper in another cell": (changed(helper_elsewhere), RIGHT, ""),
    "os._exit": (inside("import os; os._exit(0)"), CRASH, "ended its process"),
    "sys.exit": ("import sys\nsys.exit()\n" + COUNT, CRASH, "SystemExit"),
    "kill parent": (inside("import os; os.kill(os.getppid(), 9)"), CRASH, "may not end processes"),
    "infinite loop": (inside("while True: pass"), TIME, "did not end within"),
    "infinite loop outside": ("while True: pass\n" + COUNT, TIME, "did not end within"),
    "catches all": (inside("while True:\n        try: raise ValueError\n        except BaseException: pass"), TIME, ""),
    "set_custom_exc": ("get_ipython().set_custom_exc((Exception,), print)\n" + inside("1 / 0"), CRASH, "get_ipython"),
    "run_cell": ("get_ipython().run_cell = None\n" + COUNT, CRASH, "get_ipython"),
    "patched": (PATCH, WRONG, "expected"),
    "writes outside": (inside(f"open({OUTSIDE!r}, 'w'); open('/{OUTSIDE}', 'w')"), CRASH, "may not write files"),
    "100 MB of output": ("import os\nprint('x' * 10**8)\nos.write(1, b'x' * 10**8)\n" + COUNT, RIGHT, ""),
    "100 MB returned": (inside("return 'x' * (3 * 10**8)"), CRASH, "letters"),
    "memory": (inside("a = [0] * 10**10"), CRASH, "MemoryError"),
    "syntax error": (COUNT.replace(":", "", 1), CRASH, "SyntaxError"),
    "reads the test": (READS, CRASH, "may not read"),
    "steals the line": (STEALS, CRASH, "no value"),
    "recursion": (inside("return count_hvp(sizes, n)"), CRASH, "RecursionError"),
    "a process": (inside("import subprocess; subprocess.run(['ls'])"), CRASH, "may not start processes"),
    "deeply nested": (inside("a = []\n    for _ in range(10**5): a = [a]\n    return a"), CRASH, ""),
    "an object that lies": (
        "class Liar(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n"
        "def count_hvp(sizes, n): return Liar(0)",
        WRONG,
        "",
    ),
    "raise left behind": (COUNT + "    raise NotImplementedError('not written yet')\n", RIGHT, ""),
    "stub with a comment": (
        "def count_hvp(sizes, n):\n    # I do not know\n    raise NotImplementedError('not written yet')",
        "not written",
        "",
    ),
    "another stub": (
        "def count_hvp(sizes, n):\n    # YOUR CODE HERE\n    raise NotImplementedError()",
        "not written",
        "",
    ),
    "magics": ("%matplotlib inline\n!ls\n" + COUNT, RIGHT, ""),
    "skip": ("# NBVAL_SKIP\n" + COUNT, RIGHT, ""),
}


@pytest.fixture
def quick(monkeypatch):
    """Three seconds for an answer, so that those that never end take no longer."""
    for name in NAMES:
        monkeypatch.setitem(EXERCISES, name, dataclasses.replace(exercises()[name], seconds=3))


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_costs_only_its_own_exercise(trap, tmp_path, quick, monkeypatch):
    """The judge, and its folder, are as they were."""
    made, state, word = TRAPS[trap]
    made = handed_in(made) if isinstance(made, str) else made
    release.write(made, tmp_path / f"{A}.ipynb")
    monkeypatch.chdir(tmp_path)
    found = submissions.read(tmp_path, {A: SOURCE})
    orders = {name: submissions.order(SOURCE, task, found.labs[A]) for name, task in TASKS.items() if task.test}
    verdicts = {name: judge(name, Submitted(name, json.loads(json.dumps(orders[name])))) for name in NAMES}
    assert verdicts["count_hvp"].state == state and word in verdicts["count_hvp"].reason, verdicts
    assert verdicts["updates_until_subnormal"].state == "right", verdicts
    assert [path.name for path in tmp_path.iterdir()] == [f"{A}.ipynb"]


def test_grading_a_course(labs, tmp_path, capsys):
    """nbval runs it; a folder that holds nothing, or nothing readable, costs nobody else a point."""
    students = tmp_path / "handed in"
    for name in ("ada", "bo, the 2nd", "eve", "empty", "no JSON", "strange"):
        (students / name / "sub").mkdir(parents=True)
    told = "The update does not depend on the batch.\n```\n# not a heading\n"
    made = handed_in()
    made["cells"][TASKS[WRITTEN].answer]["source"] = notebooks.YOUR_ANSWER + told
    release.write(made, students / "ada" / f"{A}.ipynb")
    release.write(changed(edited_tests), students / "ada" / "sub" / "an older one.ipynb")
    release.write(handed_in("count_hvp = 3"), students / "bo, the 2nd" / f"{A}.ipynb")
    release.write(handed_in(inside("import os; os._exit(0)")), students / "eve" / "sub" / f"{A} (1).ipynb")
    (students / "no JSON" / f"{A}.ipynb").write_text("{", encoding="utf-8")
    (students / "strange" / "a.ipynb").write_text('{"cells": [{"cell_type": "code", "source": 3}]}', encoding="utf-8")
    (students / "strange" / "b.ipynb").write_text("[" * 100_000, encoding="utf-8")
    (students / "strange" / "c.ipynb").mkdir()
    (students / "strange" / f"{A}.ipynb").write_bytes(b"\xff\xfe\x00")
    (students / "loose.ipynb").write_text("{}", encoding="utf-8")
    assert main(["grade", str(students), "--into", str(tmp_path / "grades"), "--seed", "s", "--jobs", "2"]) == 0
    assert f"6 students, {6 * len(TASKS)} answers: " in capsys.readouterr().out
    with open(tmp_path / "grades" / "grades.csv", encoding="utf-8", newline="") as stream:
        rows = {(row["student"], row["exercise"]): row for row in csv.DictReader(stream)}
    states = {student: [rows[student, task]["state"] for task in (*NAMES, WRITTEN)] for student, _ in rows}
    assert states == {
        "ada": ["right", "right", "by hand"],
        "bo, the 2nd": ["crash", "right", "not written"],
        "eve": ["crash", "right", "not written"],
        **{name: ["not handed in"] * 3 for name in ("empty", "no JSON", "strange")},
    }
    assert all(row["reason"] for row in rows.values() if row["points"] == "0")
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "grades").glob("*.md")}
    assert set(pages) == set(states)
    assert "2 notebooks" in pages["ada"] and told.strip() in pages["ada"] and "````text" in pages["ada"]
    assert "its test was changed" in pages["ada"] and "cannot be read" in pages["no JSON"]


def commands(heading):
    """Return the commands in a section of the README."""
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def test_commands_of_the_readme(labs, tmp_path, monkeypatch, capsys):
    """Those that run Python, here; pytest and bubblewrap as a shell runs them, on a lab made short."""
    monkeypatch.chdir(tmp_path)
    students, instructors = commands("For students"), commands("For instructors")
    python = ".venv/bin/python -m aelib.coursework "
    release_it, open_it = students[0].split(" && ")
    assert main(release_it.removeprefix(python).split()) == 0
    assert open_it == ".venv/bin/jupyter lab course/01_derivation.ipynb"  # tests/browser opens it
    made = handed_in()
    made["cells"] = made["cells"][TASKS["count_hvp"].answer - 1 :]
    made["cells"].insert(0, cell("import math\nfrom aelib.coursework import examine"))
    (tmp_path / "course" / f"{A}.ipynb").unlink()
    release.write(made, tmp_path / "course" / "01_derivation.ipynb")
    done = shell(students[1])
    assert "exercises of 01_derivation.ipynb" in done.stdout and "2 of 2   2 right" in done.stdout, done.stdout
    grade, contained, look = instructors
    (tmp_path / "submissions" / "ada").mkdir(parents=True)
    release.write(handed_in(), tmp_path / "submissions" / "ada" / f"{A}.ipynb")
    assert main(grade.removeprefix(python).split()) == 0
    assert (tmp_path / "submissions-grades" / "ada.md").exists()
    monkeypatch.setattr(audit, "given_by_the_package", lambda: ())
    assert main(look.removeprefix(python).split()) == 0, capsys.readouterr().out
    outside = tmp_path / "outside"
    past_the_guard = f"import ctypes; ctypes.CDLL(None).fopen({str(outside)!r}.encode(), b'w')"
    release.write(handed_in(inside(past_the_guard)), tmp_path / "submissions" / "ada" / f"{A}.ipynb")
    if not shutil.which("bwrap") or subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"]).returncode:
        pytest.skip("no bubblewrap here")
    done = shell(contained)
    assert "1 by hand" in done.stdout or "2 right" in done.stdout, done.stdout + done.stderr
    assert not outside.exists()


def shell(line):
    """Run a command of the README in the shell, with this environment's programs."""
    root = str(Path(__file__).resolve().parent.parent)
    programs = {"pytest": f"{sys.executable} -m pytest -p aelib.coursework.plugin -n 0", "python": sys.executable}
    line = re.sub(r"\.venv/bin/(\w+)", lambda found: programs[found[1]], line)
    options = dict(capture_output=True, text=True, encoding="utf-8", timeout=300)
    return subprocess.run(line, shell=True, env=os.environ | {"PYTHONPATH": root}, **options)


def test_what_cannot_be_graded_is_one_sentence(labs, tmp_path, capsys):
    assert main(["grade", str(tmp_path)]) == 1 and "expected one for each student" in capsys.readouterr().err
    assert main(["grade", str(tmp_path / "nowhere")]) == 1 and "nowhere" in capsys.readouterr().err
    (tmp_path / "ada").mkdir()
    assert main(["grade", str(tmp_path), "--labs", "9"]) == 1 and "expected some of" in capsys.readouterr().err


def test_values_travel_as_they_are():
    """And arrays that share memory share it there too."""
    seen = """
def answer(x, f, a, view):
    view[...] = 5
    return x, f(2.0), {"a": a.sum(), 1: ...}, [None, True, 3, 1j, a.T, np.float32(1), "word"]
"""
    a = np.arange(12.0).reshape(3, 4)
    with Answer(["import numpy as np"], [seen], "answer") as process:
        x, two, table, rest = process.obtain()(10**30, lambda x: x + 1, a, a[1:, ::2])
    assert (x, two, table[1], rest[:4]) == (10**30, 3.0, ..., [None, True, 3, 1j])
    assert a[1:, ::2].tolist() == [[5, 5], [5, 5]] and table["a"] == a.sum()
    assert np.array_equal(rest[4], a.T) and rest[5].dtype == np.float32 and rest[6] == "word"


@given(st.binary(max_size=200))
def test_what_is_no_value_is_refused(data):
    for message in (data, struct.pack("<Q", len(data)) + data):
        with contextlib.suppress(ValueError):
            wire.decode(message, lambda number: None)


def test_a_call_of_the_package_is_noted():
    answer = "from aelib import passes\ndef forward(layers, X):\n    return passes.forward(layers, X)"
    assert grading.borrowed("forward", {"programs": [[[], [answer]]]}) == ["it seems to call aelib.passes.forward"]
    assert grading.borrowed("forward", {"programs": [[[], ["def forward(layers, X):\n    return 1"]]]}) == []


def test_where_nothing_is_forked(monkeypatch):
    """As on Windows and macOS."""
    monkeypatch.setattr(answers, "METHOD", "spawn")
    with Answer(["import math"], [UNTIL], "updates_until_subnormal") as process:
        assert judge("updates_until_subnormal", process).state == "right"


def test_a_class_and_its_instances_stay_there():
    code = "class Step:\n    decay = 0.5\n    def step(self, theta, grad):\n        theta -= self.decay * grad"
    with Answer([], [code], "Step") as process:
        step = process.obtain()()
        theta = np.ones(3)
        step.decay = 2.0
        step.step(theta, np.ones(3))
        assert theta.tolist() == [-1, -1, -1] and step.decay == 2.0
        with pytest.raises(TypeError):
            step.step()
        with pytest.raises(AttributeError):
            step.nothing  # noqa: B018
