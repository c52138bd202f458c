"""Grading a course: read what was handed in, judge each answer apart, write tables and pages."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from aelib.coursework.exercises import exercises
from aelib.coursework.grading import downloads, isolated, report, submissions
from aelib.coursework.notebooks import form

BY_HAND = "by hand"


def orders_of(submission, labs, due):
    """Return what is to be judged of one student, by lab and name of the exercise.

    Args:
        submission: a ``Submission``.
        labs: the labs by name, ``submissions.sources()``.
        due: names of the labs that count.
    """
    orders = {}
    for lab, handed_in in submission.labs.items():
        if lab in due:
            merged = [labs[lab].merged(notebook["cells"]) for _, notebook in handed_in]
            tasks = [task for task in labs[lab].tasks if task.kind == "Exercise"]
            orders[lab] = {task.name: submissions.order(labs[lab], task, handed_in, merged) for task in tasks}
    return orders


def rows_of(submission, labs, due, orders, outcomes):
    """Return the rows of one student.

    Args:
        submission: a ``Submission``.
        labs: the labs by name.
        due: names of the labs that count.
        orders: what was judged.
        outcomes: dicts of outcomes, by lab and name.
    """
    rows = []
    for lab in due:
        handed_in = submission.labs.get(lab, [])
        times = [file.time for file, _ in handed_in if file.time is not None]
        for task in labs[lab].tasks:
            row = dict(student=submission.student.name, lab=lab, number=task.number, exercise=task.name, of=task.points)
            row |= dict(points=0, reason="", text="", note="", seconds=0.0, time=max(times, default=None))
            if not handed_in:
                unread = f"; {submission.notes[0]}" if submission.notes else ""
                row |= dict(state="not handed in", reason=f"no notebook of {lab} was found{unread}")
            elif task.kind == "Question":
                texts = [submissions.written(labs[lab], notebook, task) for _, notebook in handed_in]
                text = max(texts, key=len)
                row |= dict(points="", state=BY_HAND if text else "not written", text=text)
                row["reason"] = "" if text else "nothing was found under the question"
            else:
                outcome = outcomes[lab][task.name]
                row |= {key: outcome[key] for key in ("points", "state", "reason", "text")}
                row["seconds"] = round(outcome["seconds"], 2)
                notes = submissions.notes_on(labs[lab], task, orders[lab][task.name], handed_in, outcome)
                row["note"] = "; ".join(notes)
                if row["state"] == "not written":
                    row["reason"] = "nothing was written"
            rows.append(row)
    return rows


def judged(submission, labs, due, orders, seed, command=None):
    """Return the rows of one student, judged.

    Args:
        submission: a ``Submission``.
        labs: the labs by name.
        due: names of the labs that count.
        orders: what is to be judged, from ``orders_of``.
        seed: of the random inputs.
        command: of a container, or None.
    """
    owner = submission.student.name
    if command:
        outcomes = isolated.all_judged_in(command, orders, seed, owner)
    else:
        outcomes = isolated.all_judged(orders, seed, owner)
    return rows_of(submission, labs, due, orders, outcomes)


def add_alike(rows, prepared, labs):
    """Note in the rows which answers are alike: the same but for names, comments and blanks; or the same words.

    Args:
        rows: of those that are graded now.
        prepared: pairs of a submission and its orders, of all students.
        labs: the labs by name.
    """
    shapes = {}
    for submission, orders in prepared:
        for lab in orders:
            for task in labs[lab].tasks:
                for shape in _shapes(labs[lab], task, submission.labs[lab], orders[lab].get(task.name)):
                    shapes.setdefault((lab, task.name, shape), []).append(submission.student.name)
    models = {
        (lab, task.name, shape)
        for lab, each in labs.items()
        for task in each.tasks
        if task.kind == "Exercise"
        for shape in [submissions.shape(submissions.answer_of(each.solution(task), task.names))]
    }
    for (lab, name, shape), students in shapes.items():
        model = (lab, name, shape) in models
        if not model and len(set(students)) < 2:
            continue
        for row in rows:
            if (row["lab"], row["exercise"]) == (lab, name) and row["student"] in students:
                others = sorted(set(students) - {row["student"]})
                alike = [*(["the solution in labs/"] if model else []), *others[:5]]
                if alike:
                    row["note"] = "; ".join(filter(None, [row["note"], f"equal but for names to {', '.join(alike)}"]))


def _shapes(lab, task, handed_in, order):
    if task.kind == "Question":
        texts = {" ".join(submissions.written(lab, notebook, task).lower().split()) for _, notebook in handed_in}
        return {text for text in texts if len(text) >= 40}
    return set(filter(None, map(submissions.shape, submissions.code_of(task, order))))


def named(labs, known):
    """Return labs by their names or numbers: ``3`` or ``03_optimizers``.

    Raises:
        ValueError: a lab is unknown.
    """
    found = []
    for lab in labs:
        short = lab.zfill(2) if lab.isdigit() else lab
        hits = [name for name in known if name == lab or name.split("_")[0] == short]
        if not hits:
            raise ValueError(f"no lab is called {lab}: expected some of {', '.join(known)}")
        found += hits
    return sorted(set(found))


def grade(folder, into, seed, jobs=None, labs=None, student=None, each_in="auto", form_of="long", say=print):
    """Grade what students handed in; write tables and a page for each student.

    Args:
        folder: of the submissions: one folder a student, or what a learning platform gave; or an archive of it.
        into: folder to write to; grades that are there are replaced, ``by_hand.csv`` is read and kept.
        seed: of the random inputs: a word.
        jobs: number of students at a time; by default the number of processors.
        labs: which were to be handed in; by default those that somebody handed in.
        student: grade this one alone, by the name in the table, and keep the rows of the others.
        each_in: ``bwrap``: each student in a container; ``none``; ``auto``: in a container where there is bubblewrap.
        form_of: ``long``, or ``moodle`` or ``canvas`` for a table of sums in that platform's form, too.
        say: prints a line.

    Returns:
        list of the rows of ``grades.csv``, as dicts.

    Raises:
        FileNotFoundError: there is no such folder, or nobody in it; or no bubblewrap where it is asked for.
        ValueError: a lab or a student is unknown, or a table cannot be read.
    """
    from tqdm.auto import tqdm

    folder, into = Path(folder), Path(into)
    sources = submissions.sources()
    exercises()
    due = named(labs or (), sources)
    everybody = [submissions.read(one, sources) for one in downloads.students(folder)]
    names = [one.student.name for one in everybody]
    if student is not None and student not in names:
        raise ValueError(f"no student is called {student!r}: expected one of {', '.join(names)}")
    due = due or sorted({lab for one in everybody for lab in one.labs if one.labs}) or sorted(sources)
    due = [lab for lab in due if sources[lab].tasks]
    into.mkdir(parents=True, exist_ok=True)
    command = None
    if each_in != "none":
        try:
            hidden = [
                folder,
                into,
                *{path.parent for path in form.labs().values()},
                Path(form.__file__).parents[3] / "tests",
            ]
            command = isolated.container(hidden)
        except FileNotFoundError as error:
            if each_in == "bwrap":
                raise
            say(f"{error}: answers are judged in processes of their own, which can read what you can read")
    kept = report.read_rows(into / "grades.csv") if student is not None else []
    wanted = [one for one in everybody if student in (None, one.student.name)]
    prepared = {one.student.name: (one, orders_of(one, sources, due)) for one in everybody}
    done = {}
    try:
        with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            waiting = {
                pool.submit(judged, one, sources, due, prepared[one.student.name][1], seed, command): one
                for one in wanted
            }
            try:
                for each in tqdm(as_completed(waiting), total=len(waiting), unit="student", disable=None):
                    done[waiting[each].student.name] = each.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        if done:
            rows = [row for one in wanted for row in done.get(one.student.name, ())]
            add_alike(rows, prepared.values(), sources)
            rows += [row for row in kept if row["student"] != student]
            report.write(rows, wanted, everybody, into, form_of)
    return rows


def summary(rows):
    """Return one line: how many answers of each state."""
    return ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).most_common())
