"""Grading: from each submission a notebook of the labs' own cells and the student's answers, which nbval runs.

Nothing that a student changed outside the answers is used. Each answer runs in a process of its own (``answers``), so
the kernel that nbval talks to runs the judge alone. The verdicts come from the pytest plugin, as they do for a student.
"""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from aelib.coursework.exercises import EXERCISES, exercises
from aelib.coursework.grading import submissions
from aelib.coursework.grading.answers import Submitted
from aelib.coursework.notebooks import form as notebooks
from aelib.coursework.notebooks import release
from aelib.files import save_text

COLUMNS = ("student", "lab", "number", "exercise", "points", "of", "state", "reason", "seconds")
ORDERS = "answers.json"
BY_HAND = "by hand"


def submitted(lab, name):
    """Return the answer to an exercise that stands beside a graded notebook; called there."""
    return Submitted(name, json.loads(Path(ORDERS).read_text(encoding="utf-8"))[lab][name])


def graded_notebook(lab, source, orders):
    """Return the notebook that nbval runs: a heading and one cell for each exercise that has an order."""

    def code(name, text):
        cell = {"cell_type": "code", "id": name, "metadata": {}, "source": text}
        return cell | {"outputs": [], "execution_count": None}

    cells = [
        code("start", "from aelib.coursework import examine\nfrom aelib.coursework.grading.grade import submitted")
    ]
    for task in notebooks.tasks(source):
        if task.name in orders:
            heading = f"### {task.kind} {task.number} ({task.points} point{'s' * (task.points > 1)})"
            cells.append({"cell_type": "markdown", "id": f"h-{task.name}", "metadata": {}, "source": heading})
            cells.append(code(f"c-{task.name}", f'examine("{task.name}", submitted("{lab}", "{task.name}"))'))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def judged(folder, orders, sources, seed):
    """Return the verdicts on one student's answers, by lab and name, as nbval and the plugin told them.

    Args:
        folder: an empty one, to work in.
        orders: by lab and name, what ``submissions.order`` returned.
        sources: the source notebooks, by lab.
        seed: of the random inputs.
    """
    folder = Path(folder)
    (folder / ORDERS).write_text(json.dumps(orders), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    told, paths = folder / "verdicts.jsonl", []
    for lab, wanted in orders.items():
        paths.append(folder / f"{lab}.ipynb")
        release.write(graded_notebook(lab, sources[lab], wanted), paths[-1])
    longest = max(EXERCISES[name].seconds for wanted in orders.values() for name in wanted)
    options = ["-q", "-p", "aelib.coursework.plugin", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval-lax"]
    options += [
        "--nbval-current-env",
        "--nbval-kernel-startup-timeout=180",
        f"--nbval-cell-timeout={longest + 60}",
        f"--verdicts={told}",
    ]
    environment = os.environ | {"AELIB_SEED": str(seed), "OPENBLAS_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""}
    root = str(Path(__file__).resolve().parents[3])
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [environment.get("PYTHONPATH")])])
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", "pytest.ini", *(path.name for path in paths)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = {}
    with contextlib.suppress(OSError), open(told, encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            found[Path(row.pop("file")).stem, row["name"]] = row
    return found


def borrowed(name, order):
    """Return one line on each function of the package that is this answer, and that the answer seems to call."""
    code = "\n".join(piece for _, own in order["programs"] for piece in own)
    names = [(dotted, *dotted.split(".")[-2:]) for dotted in EXERCISES[name].own]
    return [f"it seems to call {d}" for d, m, f in names if f"{m}.{f}" in code or f"from aelib.{m} import" in code]


def grade_one(folder, sources, seed, labs=None):
    """Return (rows, submission) of one student; nothing in the folder can make it fail.

    Args:
        folder: the student's.
        sources: the source notebooks, by lab.
        seed: of the random inputs.
        labs: the labs that were to be handed in; by default those that were.
    """
    submission = submissions.read(folder, sources)
    orders = {}
    for lab, handed_in in submission.labs.items():
        wanted = {t.name: t for t in notebooks.tasks(sources[lab]) if t.kind == "Exercise"}
        orders[lab] = {name: submissions.order(sources[lab], task, handed_in) for name, task in wanted.items()}
        submission.notes += [f"{lab}, {name}: {note}" for name in wanted for note in borrowed(name, orders[lab][name])]
        for path, notebook in handed_in:
            submission.notes += [f"{path.name}, {line}" for line in submissions.changed(sources[lab], notebook)]
    verdicts, failed = {}, Counter()
    while left := {lab: {n: o for n, o in each.items() if (lab, n) not in verdicts} for lab, each in orders.items()}:
        left = {lab: each for lab, each in left.items() if each}
        if not left:
            break
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
            more = judged(work, left, sources, seed)
        for lab, each in left.items():  # where the judge itself was ended, the first without a verdict did it
            for name in each:
                row = more.get((lab, name))
                if row is None or "kernel" in row["reason"].lower():
                    failed[lab, name] += 1
                    if failed[lab, name] == 2:  # once may be a busy machine's fault
                        verdicts[lab, name] = dict(state="crash", points=0, reason="it ended the judge", text="")
                    break
                verdicts[lab, name] = row
    rows = []
    for lab in labs or submission.labs:
        for task in notebooks.tasks(sources[lab]):
            row = dict(student=submission.student, lab=lab, number=task.number, exercise=task.name, of=task.points)
            if lab not in submission.labs:
                row |= dict(points=0, state="not handed in", reason=f"no notebook of {lab} was found", text="")
            elif task.kind == "Question":
                texts = [submissions.written(sources[lab], n, task) for _, n in submission.labs[lab]]
                text = max(texts, key=len)
                row |= dict(points="", state=BY_HAND if text else "not written", reason="", text=text)
                row |= {} if text else {"points": 0}
            else:
                verdict = verdicts[lab, task.name]
                row |= {key: verdict.get(key, "") for key in ("points", "state", "reason", "text", "seconds")}
                row["seconds"] = round(row["seconds"] or 0, 2)
            if row["state"] == "not written":
                row["reason"] = "nothing was written"
            rows.append(row)
    return rows, submission


def page(rows, submission):
    """Return one student's page, in Markdown."""
    points = sum(row["points"] or 0 for row in rows)
    by_hand = sum(row["of"] for row in rows if row["state"] == BY_HAND)
    of = sum(row["of"] for row in rows) - by_hand
    lines = [f"# {submission.student}: {points:g} of {of:g} points", ""]
    if by_hand:
        lines += [f"Written answers, {by_hand:g} points, are still to be read by a person.", ""]
    lines += [f"- {note}" for note in submission.notes] + [""] * bool(submission.notes)
    for lab in dict.fromkeys(row["lab"] for row in rows):
        own = [row for row in rows if row["lab"] == lab]
        lines += [f"## {lab}", "", "| | exercise | points | | |", "|---|---|---|---|---|"]
        for row in own:
            got = "" if row["points"] == "" else f"{row['points']:g}"
            reason = row["reason"].replace("|", "\\|").replace("<", "&lt;")
            lines.append(
                f"| {row['number']} | {row['exercise']} | {got} of {row['of']:g} | {row['state']} | {reason} |"
            )
        lines.append("")
        for row in own:
            if row["state"] == BY_HAND or row["state"] == "wrong":
                fence = "`" * max([3, *(len(run) + 1 for run in row["text"].split() if set(run) == {"`"})])
                lines += [f"### {row['number']} {row['exercise']}", "", fence + "text", row["text"], fence, ""]
    return "\n".join(lines)


def grade(folder, into, seed, jobs=None, labs=None):
    """Grade every student's folder in a folder; write ``grades.csv`` and one page a student.

    Args:
        folder: of the submissions, one folder a student.
        into: folder to write to; grades that are there are replaced.
        seed: of the random inputs: a word.
        jobs: number of students at a time; by default the number of processors.
        labs: which were to be handed in; by default those that somebody handed in.

    Returns:
        list of the rows of ``grades.csv``, as dicts.

    Raises:
        FileNotFoundError: there is no such folder, or no folder in it.
        ValueError: a lab is unknown.
    """
    from tqdm.auto import tqdm

    folder, into = Path(folder), Path(into)
    sources = {lab: notebooks.read(path) for lab, path in notebooks.labs().items()}
    exercises()
    if unknown := set(labs or ()) - set(sources):
        raise ValueError(f"no lab is called {', '.join(sorted(unknown))}: expected some of {', '.join(sources)}")
    students = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not students:
        raise FileNotFoundError(f"no folder in {folder}: expected one for each student")
    if not labs:
        labs = sorted({lab for student in students for lab in submissions.read(student, sources).labs}) or list(sources)
    into.mkdir(parents=True, exist_ok=True)
    done = {}
    try:
        with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            waiting = {pool.submit(grade_one, student, sources, seed, labs): student for student in students}
            for each in tqdm(as_completed(waiting), total=len(waiting), unit="student", disable=None):
                student = waiting[each]
                rows, submission = each.result()
                done[student] = rows
                save_text(into / f"{student.name}.md", page(rows, submission))
    finally:
        rows = [row for student in students for row in done.get(student, ())]
        write_csv(rows, into / "grades.csv")
    return rows


def write_csv(rows, path):
    """Write the rows as a table, atomically."""
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    save_text(path, stream.getvalue())


def summary(rows):
    """Return one line: how many answers of each state."""
    return ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).most_common())
