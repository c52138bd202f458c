"""Grading survives what students hand in: each trap costs only the exercise in which it stands."""

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from aelib.coursework.__main__ import main
from aelib.coursework.exercises import EXERCISES, exercises
from aelib.coursework.grading import downloads, isolated, report, submissions
from aelib.coursework.notebooks import form, release

A = "A_what_a_step_costs"
LABS = form.labs()
SOURCE = form.read(LABS[A])
TASKS = {task.name: task for task in form.tasks(SOURCE)}
COUNT = """
def count_hvp(sizes, n):
    products = [p * q for p, q in zip(sizes, sizes[1:])]
    return 2 * n * (6 * sum(products) - 4 * products[0])
"""
UNTIL = """
def updates_until_subnormal(moment, smallest_normal, beta1=0.9):
    import math
    return math.ceil(math.log(smallest_normal / moment) / math.log(beta1))
"""
NAMES = ("count_hvp", "updates_until_subnormal")
WRITTEN = next(name for name in TASKS if name.startswith("written_"))


def cell(source, kind="code"):
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return dict(cell_type=kind, id=f"new{abs(hash(source))}", metadata={}, source=source) | extra


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
    made["cells"].insert(i, cell("def count_hvp(sizes, n):\n    return 0"))


def helper_elsewhere(made):
    made["cells"].insert(2, cell("def products(sizes):\n    return [p * q for p, q in zip(sizes, sizes[1:])]"))
    made["cells"][TASKS["count_hvp"].answer + 1]["source"] = (
        "def count_hvp(sizes, n):\n    return 2 * n * (6 * sum(products(sizes)) - 4 * products(sizes)[0])"
    )


def shown_as_right(made):
    """Its saved output says so; the answer is wrong."""
    made["cells"][TASKS["count_hvp"].answer]["source"] = "def count_hvp(sizes, n):\n    return 0"
    said = {"output_type": "stream", "name": "stdout", "text": "count_hvp: right, 1 point\n"}
    made["cells"][TASKS["count_hvp"].test]["outputs"] = [said]


def answered_in_new_cells(made):
    i = TASKS[WRITTEN].answer
    made["cells"][i + 1 : i + 1] = [
        cell("The update does not depend on the batch.", "markdown"),
        cell("# nor does this"),
    ]


OUTSIDE = "outside-" + str(os.getpid())
RIGHT, WRONG, CRASH, TIME = "right", "wrong", "crash", "time"
PATCH = """
import aelib.checks, aelib.coursework.judge, aelib.coursework.exercises
for e in list(aelib.coursework.exercises.EXERCISES.values()):
    object.__setattr__(e, "test", lambda *a: None)
check_equal = examine = print
def count_hvp(sizes, n):
    return 0
"""
TRAPS = {  # a notebook, or an answer to count_hvp; the state of that answer, a word of its reason or note
    "right": (handed_in(), RIGHT, ""),
    "duplicated solution cell": (changed(duplicated), RIGHT, ""),
    "metadata lost": (changed(without_metadata), RIGHT, ""),
    "tests deleted": (changed(without_tests), RIGHT, "its test was changed"),
    "tests edited": (changed(edited_tests), RIGHT, "its test was changed"),
    "set-up deleted": (changed(without_setup), RIGHT, ""),
    "cells reordered": (changed(reordered), RIGHT, ""),
    "helper in another cell": (changed(helper_elsewhere), RIGHT, ""),
    "shown as right": (changed(shown_as_right), WRONG, "the saved notebook shows it as right"),
    "written in new cells": (changed(answered_in_new_cells), RIGHT, ""),
    "os._exit": (inside("import os; os._exit(0)"), CRASH, "ended its process"),
    "sys.exit": (COUNT + "\nimport sys\nsys.exit()", RIGHT, ""),
    "kill parent": (inside("import os; os.kill(os.getppid(), 9)"), CRASH, "may not start or end processes"),
    "infinite loop": (inside("while True: print('x' * 10**5)"), TIME, "did not end within"),
    "infinite loop outside": ("while True: extra = 1\n" + inside("extra"), TIME, "did not end within"),
    "set_custom_exc": ("get_ipython().set_custom_exc((Exception,), print)\n" + inside("1 / 0"), CRASH, "ZeroDivision"),
    "patched": (PATCH, WRONG, "expected"),
    "writes outside": (inside(f"open('/{OUTSIDE}', 'w')"), CRASH, "may not write or delete files"),
    "100 MB of output": ("import os\nprint('x' * 10**8)\nos.write(1, b'x' * 10**8)\n" + COUNT, RIGHT, ""),
    "memory": (inside("a = [0] * 10**10"), CRASH, "MemoryError"),
    "syntax error": (COUNT.replace(":", "", 1), CRASH, "SyntaxError"),
    "recursion": (inside("return count_hvp(sizes, n)"), CRASH, "RecursionError"),
    "a process": (inside("import subprocess; subprocess.run(['ls'])"), CRASH, "may not start or end processes"),
    "an object that lies": (
        "class Liar(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n"
        "def count_hvp(sizes, n): return Liar(0)",
        WRONG,
        "",
    ),
    "an error of a dangerous name": (
        inside('raise type("=HYPERLINK(1)", (Exception,), {})'),
        CRASH,
        "=HYPERLINK(1)",
    ),
    "raise left behind": (COUNT + "    raise NotImplementedError('not written yet')\n", RIGHT, ""),
    "another stub": ("def count_hvp(sizes, n):\n    # my code\n    raise NotImplementedError()", "not written", ""),
    "stub": (release.student(SOURCE)["cells"][TASKS["count_hvp"].answer]["source"], "not written", ""),
    "magics": ("%matplotlib inline\n!ls\ncount_hvp?\n" + COUNT, RIGHT, ""),
    "defined in words": ("exec('def count_hvp(s, n): return 0')\n" + COUNT.replace("count_hvp", "other"), WRONG, ""),
    "solution": (SOURCE["cells"][TASKS["count_hvp"].answer]["source"], RIGHT, "the solution in labs/"),
}
OTHERS = ("ada", "bo, the 2nd", "empty", "no JSON", "strange", "=1+1", "Müller, Zoë")


def many(folder):
    """Make the submissions of a course: one student a trap, and those of whom nothing can be read."""
    for trap, (made, _, _) in TRAPS.items():
        (folder / trap).mkdir(parents=True)
        release.write(handed_in(made) if isinstance(made, str) else made, folder / trap / f"{A}.ipynb")
    for name in OTHERS:
        (folder / name / "sub").mkdir(parents=True)
    told = "The update does not depend on the batch, and all of the rest of it does, in part.\n```\n# not a heading\n"
    made = handed_in()
    made["cells"][TASKS[WRITTEN].answer]["source"] = form.YOUR_ANSWER + told
    release.write(made, folder / "ada" / f"{A}.ipynb")
    release.write(changed(edited_tests), folder / "ada" / "sub" / "an older one.ipynb")
    made["cells"][TASKS["count_hvp"].answer]["source"] = COUNT.replace("products", "p_q").replace("sizes", "widths")
    release.write(made, folder / "bo, the 2nd" / f"{A} (1).IPYNB")
    (folder / "no JSON" / f"{A}.ipynb").write_text("{", encoding="utf-8")
    (folder / "strange" / "a.ipynb").write_text('{"cells": [{"cell_type": "code", "source": 3}]}', encoding="utf-8")
    (folder / "strange" / "b.ipynb").write_text("[" * 100_000, encoding="utf-8")
    (folder / "strange" / "lab.rar").write_bytes(b"Rar!")
    (folder / "strange" / f"{A}.ipynb").write_bytes(b"\xff\xfe\x00")
    with zipfile.ZipFile(folder / "Müller, Zoë" / "labs.zip", "w") as archive:
        archive.writestr(f"mine/{A}.ipynb", _text(handed_in()))
    (folder / "=1+1" / f"{A}.html").write_text("<p>", encoding="utf-8")


def _text(made):
    import nbformat

    return nbformat.writes(nbformat.from_dict(made))


def table(path):
    with open(path, encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The one course that is graded: lab A alone, three seconds for an answer."""
    folder = tmp_path_factory.mktemp("course")
    patch = pytest.MonkeyPatch()
    patch.setattr(form, "labs", lambda: {A: LABS[A]})
    for name in NAMES:
        patch.setitem(EXERCISES, name, dataclasses.replace(exercises()[name], seconds=3))
    many(folder / "handed in")
    arguments = [
        "--into",
        str(folder / "grades"),
        "--seed",
        "s",
        "--jobs",
        "2",
        "--each-in",
        "none",
        "--format",
        "moodle",
    ]
    assert main(["grade", str(folder / "handed in"), *arguments]) == 0
    yield folder
    patch.undo()


def rows_of(course):
    return {(report.plain(row["student"]), row["exercise"]): row for row in table(course / "grades" / "grades.csv")}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_costs_only_its_own_exercise(trap, course):
    rows = rows_of(course)
    row, other = rows[trap, "count_hvp"], rows[trap, "updates_until_subnormal"]
    assert row["state"] == TRAPS[trap][1] and TRAPS[trap][2] in row["reason"] + row["note"], row
    assert other["state"] == "right" and float(other["points"]) == 1, other
    assert (float(row["points"]) == 1) == (row["state"] == "right") and (row["reason"] or row["state"] == "right")


def test_what_cannot_be_read_is_a_note_and_costs_nobody_else(course):
    rows = rows_of(course)
    states = {name: rows[name, "count_hvp"]["state"] for name in OTHERS}
    assert states == dict.fromkeys(("ada", "bo, the 2nd", "Müller, Zoë"), "right") | dict.fromkeys(
        ("empty", "no JSON", "strange", "=1+1"), "not handed in"
    )
    assert "cannot be read" in rows["no JSON", "count_hvp"]["reason"]
    assert ".html cannot be read" in rows["=1+1", "count_hvp"]["reason"]
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (course / "grades").glob("*.md")}
    assert "lab.rar cannot be read: expected a notebook" in pages["strange"]
    assert "2 notebooks" in pages["ada"] and "````text" in pages["ada"] and "# not a heading" in pages["ada"]
    assert not list((course / "handed in").rglob(OUTSIDE)) and not Path("/" + OUTSIDE).exists()


def test_a_written_answer_never_gets_0_by_machine(course):
    rows = rows_of(course)
    assert rows["written in new cells", WRITTEN]["state"] == "by hand"
    page = (course / "grades" / "written in new cells.md").read_text(encoding="utf-8")
    assert "The update does not depend on the batch." in page and "nor does this" in page
    assert all(
        row["points"] == "" for (_, name), row in rows.items() if name == WRITTEN and row["state"] != "not handed in"
    )


def test_alike_answers_are_noted(course):
    rows = rows_of(course)
    assert "equal but for names to" in rows["ada", "count_hvp"]["note"]
    assert "bo, the 2nd" in rows["ada", WRITTEN]["note"] and "ada" in rows["bo, the 2nd", WRITTEN]["note"]


def test_the_table_is_harmless_in_a_spreadsheet(course):
    text = (course / "grades" / "grades.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf") and "Müller, Zoë".encode() in text
    for row in table(course / "grades" / "grades.csv"):
        assert not any(value.startswith(report.RISKY) for value in row.values())
        assert row["state"] == "not handed in" or re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", row["handed_in"])


def test_points_by_hand_are_kept_and_one_student_is_graded_again(course, tmp_path):
    """``by_hand.csv`` is read, whoever wrote it, and never changed; the others' rows stay."""
    into = tmp_path / "grades"
    shutil.copytree(course / "grades", into)
    hand = into / "by_hand.csv"
    before = table(hand)
    assert {row["student"] for row in before} >= {"ada", "bo, the 2nd"} and all(row["points"] == "" for row in before)
    for row in before:
        if row["student"] == "ada":
            row["points"], row["comment"] = "1,5", "well seen"
    stream = io.StringIO()
    written = csv.DictWriter(stream, report.HAND, delimiter=";")  # as a German Excel saves it
    written.writeheader()
    written.writerows(row for row in before if row["student"] != "bo, the 2nd")
    hand.write_bytes(stream.getvalue().encode("utf-8"))
    kept = hand.read_bytes()
    students = course / "handed in"
    arguments = ["--into", str(into), "--each-in", "none", "--student", "ada"]
    assert main(["grade", str(students), *arguments]) == 0
    assert hand.read_bytes().startswith(kept) and b"bo, the 2nd" in hand.read_bytes()[len(kept) :]
    rows = {(row["student"], row["exercise"]): row for row in table(into / "grades.csv")}
    assert rows["ada", WRITTEN]["points"] == "1.5" and rows["ada", WRITTEN]["reason"] == "well seen"
    old = {key: row for key, row in rows_of(course).items()}
    assert {report.plain(s) for s, _ in rows} == {s for s, _ in old}
    assert rows["infinite loop", "count_hvp"] == old["infinite loop", "count_hvp"]
    sums = {row["student"]: row for row in table(into / "sums.csv")}
    assert float(sums["ada"]["together"]) == 3.5 and float(sums["ada"]["to be read"]) == 0
    hand.write_text("student,lab,number,points\nada,A_what_a_step_costs,A.4,three\n", encoding="utf-8")
    assert main(["grade", str(students), *arguments]) == 1
    assert main(["grade", str(students), "--into", str(into), "--student", "nobody"]) == 1


PLATFORMS = {
    "moodle": {
        "Müller Anna_1234567_assignsubmission_file_/A lab.ipynb": "right",
        "Müller Anna_1234567_assignsubmission_onlinetext_/onlinetext.html": "text",
        "Bo Li_2345678_assignsubmission_file_/labs.zip": "zip",
        "Bo Li_3456789_assignsubmission_file_/A.ipynb": "wrong",
    },
    "canvas": {
        "mulleranna_1234_98765_A_what_a_step_costs.ipynb": "right",
        "libo_LATE_2345_98766_A_what_a_step_costs-1.ipynb": "wrong",
        "libo_2345_98767_notes.pdf": "text",
    },
    "blackboard": {
        "Lab A_s1234567_attempt_2027-01-31-12-00-00_A_what_a_step_costs.ipynb": "right",
        "Lab A_s1234567_attempt_2027-01-31-12-00-00.txt": "text",
        "Lab A_s7654321_attempt_2027-02-01-23-59-00_A.ipynb": "wrong",
    },
    "folders": {"anna/A.ipynb": "right", "bo li/deep/er/A.ipynb": "wrong", "zoë/labs.zip": "zip"},
}
EXPECTED = {  # student: (state of count_hvp, a word of a note)
    "moodle": {
        "Müller Anna": ("right", "online text"),
        "Bo Li (2345678)": ("right", ""),
        "Bo Li (3456789)": ("wrong", ""),
    },
    "canvas": {"mulleranna": ("right", ""), "libo": ("wrong", "notes.pdf")},
    "blackboard": {"s1234567": ("right", ""), "s7654321": ("wrong", "")},
    "folders": {"anna": ("right", ""), "bo li": ("wrong", ""), "zoë": ("right", "")},
}


def downloaded(platform, folder):
    """Make what a platform gives an instructor."""
    texts = {
        "right": _text(handed_in()),
        "wrong": _text(handed_in("def count_hvp(sizes, n):\n    return 0")),
        "text": "x",
    }
    for place, what in PLATFORMS[platform].items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if what == "zip":
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as archive:
                archive.writestr("my labs/A.IPYNB", texts["right"])
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("inner.zip", inner.getvalue())
                archive.writestr("__MACOSX/._inner.zip", b"")
        else:
            path.write_text(texts[what], encoding="utf-8")
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_a_platform_gives_is_read(platform, packed, tmp_path, course):
    folder = downloaded(platform, tmp_path / "download")
    if packed:
        folder = Path(shutil.make_archive(str(tmp_path / "download"), "zip", folder))
    labs = submissions.sources()
    found = {}
    for student in downloads.students(folder):
        submission = submissions.read(student, labs)
        answer = submissions.order(labs[A], TASKS["count_hvp"], submission.labs[A])["programs"][0]
        state = "wrong" if "return 0" in str(answer) else "right"
        found[student.name] = state, " ".join(submission.notes)
    assert set(found) == set(EXPECTED[platform])
    for name, (state, note) in EXPECTED[platform].items():
        assert found[name][0] == state and note in found[name][1], (name, found[name])


@pytest.mark.parametrize("platform", ["moodle", "canvas"])
def test_sums_and_pages_go_back_to_the_platform(platform, tmp_path, course):
    folder, into = downloaded(platform, tmp_path / "download"), tmp_path / "grades"
    assert main(["grade", str(folder), "--into", str(into), "--each-in", "none", "--format", platform]) == 0
    rows = table(into / f"{platform}.csv")
    if platform == "moodle":
        assert {row["Identifier"]: float(row["Grade"]) for row in rows} == {
            "Participant 1234567": 2,
            "Participant 2345678": 2,
            "Participant 3456789": 1,
        }
    else:
        assert {row["ID"]: float(row["aelib"]) for row in rows} == {"": 5, "1234": 2, "2345": 1}
    with zipfile.ZipFile(into / "feedback.zip") as archive:
        names = archive.namelist()
    wanted = (
        "Müller Anna_1234567_assignsubmission_file_/feedback.md" if platform == "moodle" else "mulleranna/feedback.md"
    )
    assert wanted in names and len(names) == len(EXPECTED[platform])


def test_what_cannot_be_graded_is_one_sentence(course, tmp_path, capsys, monkeypatch):
    assert main(["grade", str(tmp_path)]) == 1 and "expected one for each student" in capsys.readouterr().err
    assert main(["grade", str(tmp_path / "nowhere")]) == 1 and "nowhere" in capsys.readouterr().err
    (tmp_path / "ada").mkdir()
    assert main(["grade", str(tmp_path), "--labs", "9"]) == 1 and "expected some of" in capsys.readouterr().err
    release.write(handed_in(), tmp_path / "ada" / f"{A}.ipynb")

    class Dead:
        """A connection to a process that never came up."""

        def poll(self, seconds):
            return False

        def close(self):
            pass

        kill = join = lambda self, *a: None

    monkeypatch.setattr(isolated, "_started", lambda *a: (Dead(), Dead()))
    arguments = ["--into", str(tmp_path / "grades"), "--each-in", "none"]
    assert main(["grade", str(tmp_path), *arguments]) == 1
    assert "the judge does not start" in capsys.readouterr().err and not (tmp_path / "grades" / "grades.csv").exists()


def test_an_outcome_is_numbers_and_words():
    """What a process sends is never unpickled, and gives no more points than there are."""
    for data in (b"", b"[" * 10**5, b'{"name": 1}', b"\x80\x04K\x01.", b"null"):
        assert isolated.received("count_hvp", data) is None
    told = isolated.Outcome("count_hvp", "in part", 99, 99, "r\nr", "t", ("h",), 1.0)
    outcome = isolated.received("count_hvp", json.dumps(dataclasses.asdict(told)).encode())
    assert outcome.points == 1 and outcome.of == 1 and outcome.reason == "r r" and outcome.hints == ("h",)


def test_where_nothing_is_forked(monkeypatch, course):
    """As on Windows and macOS."""
    monkeypatch.setattr(isolated, "METHOD", "spawn")
    lab = submissions.sources()[A]
    made = submissions.order(lab, TASKS["count_hvp"], [(None, handed_in())])
    start = time.monotonic()
    assert isolated.best("count_hvp", made, "s").state == "right", time.monotonic() - start


def has_bubblewrap():
    try:
        return bool(isolated.container())
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_bubblewrap(), reason="no bubblewrap here")
def test_in_a_container_no_other_student_is_seen(course, tmp_path):
    """Nor can anything be written outside, by code that passes the guard."""
    folder, into = tmp_path / "handed in", tmp_path / "grades"
    secret, outside = folder / "bo" / "secret.txt", tmp_path / "outside"
    looks = f"""
def count_hvp(sizes, n):
    import ctypes, os
    seen = [os.path.exists(p) for p in ({str(secret)!r}, {str(LABS[A])!r}, {str(into)!r} + "/grades.csv")]
    ctypes.CDLL(None).fopen({str(outside)!r}.encode(), b"w")
    raise RuntimeError(f"seen {{sum(seen)}}")
"""
    into.mkdir()
    (into / "grades.csv").write_text("bo's", encoding="utf-8")
    for name, count in (("ada", looks), ("bo", COUNT)):
        (folder / name).mkdir(parents=True)
        release.write(handed_in(count), folder / name / f"{A}.ipynb")
    secret.write_text("bo's", encoding="utf-8")
    assert main(["grade", str(folder), "--into", str(into), "--each-in", "bwrap", "--jobs", "1"]) == 0
    rows = {(row["student"], row["exercise"]): row for row in table(into / "grades.csv")}
    assert "seen 0" in rows["ada", "count_hvp"]["reason"], rows["ada", "count_hvp"]
    assert rows["bo", "count_hvp"]["state"] == "right" and not outside.exists()


def commands(heading):
    """Return the commands in a section of the README."""
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def test_commands_of_the_readme_are_understood(course, tmp_path, monkeypatch, capsys):
    """Each is parsed and run here, on a small course; what opens a browser is not."""
    monkeypatch.chdir(tmp_path)
    downloaded("folders", tmp_path / "submissions")
    grade_commands = [line for line in commands("For instructors") if " grade " in line]
    assert len(grade_commands) >= 2
    for line in grade_commands:
        words = (
            line.split("#")[0]
            .split("aelib.coursework ")[1]
            .replace('"Anna Müller"', "anna")
            .replace("1 2 3", "A")
            .split()
        )
        if "bwrap" in words and not has_bubblewrap():
            continue
        assert main(words) == 0, capsys.readouterr().err
    assert (tmp_path / "submissions-grades" / "anna.md").exists()


def test_a_call_of_the_package_is_noted():
    """And a word that stands in a table for it."""
    lab = submissions.Lab(SOURCE)
    task = TASKS["count_hvp"]
    answer = "from aelib.passes import forward\ndef count_hvp(s, n):\n    return forward"
    made = submissions.order(lab, task, [(None, handed_in(answer))])
    own = dataclasses.replace(EXERCISES.get("count_hvp") or exercises()["count_hvp"], own=("aelib.passes.forward",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXERCISES, "count_hvp", own)
        notes = submissions.notes_on(lab, task, made, [(None, handed_in(answer))], {"state": "wrong"})
    assert notes == ["seems to call aelib.passes.forward"] or not notes
