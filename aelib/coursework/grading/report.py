"""What grading writes: the table of all answers, sums, points given by hand, pages and what platforms read."""

import csv
import io
import re
import time
import zipfile
from pathlib import Path

from aelib.files import save_text

COLUMNS = ("student", "lab", "number", "exercise", "points", "of", "state", "reason", "note", "handed_in", "seconds")
HAND = ("student", "lab", "number", "points", "of", "comment")
RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would take the cell for a formula


def harmless(value):
    """Return a cell of a table that no spreadsheet takes for a formula."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"'{text}" if text.startswith(RISKY) else text


def plain(text):
    """Return the text of a cell that ``harmless`` made."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(RISKY) else text


def write_table(path, columns, rows, delimiter=","):
    """Write a table whole, in UTF-8 with a mark by which Excel knows it."""
    stream = io.StringIO(newline="")
    table = csv.writer(stream, delimiter=delimiter)
    table.writerow(columns)
    table.writerows([[harmless(row.get(column, "")) for column in columns] for row in rows])
    save_text(path, "\ufeff" + stream.getvalue())


def read_table(path):
    """Return (rows as dicts, delimiter) of a table, which Excel may have written.

    Raises:
        ValueError: it is no table.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = Path(path).read_bytes().decode("cp1252", errors="replace")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    return [{k: plain(v) if isinstance(v, str) else "" for k, v in row.items() if k} for row in rows], delimiter


def read_rows(path):
    """Return the rows of ``grades.csv``, numbers as numbers; none where there is no such file."""
    if not Path(path).exists():
        return []
    rows, _ = read_table(path)
    for row in rows:
        for key in ("points", "of", "seconds"):
            row[key] = _number(row.get(key, ""), f"{Path(path).name}, {row.get('student')}") if row.get(key) else ""
    return rows


def _number(text, where):
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise ValueError(f"{where}: {text!r} is no number of points") from None


def by_hand(rows, path):
    """Read points and comments that a person gave into the rows; add empty places for what is new.

    Args:
        rows: of all students; changed in place.
        path: of ``by_hand.csv``; what stands in it is never changed.

    Raises:
        ValueError: points are no number.
    """
    questions = [row for row in rows if str(row["exercise"]).startswith("written_")]
    given, delimiter = read_table(path) if Path(path).exists() else ([], ",")
    known = {(row.get("student"), row.get("lab"), row.get("number")): row for row in given}
    for row in questions:
        hand = known.get((row["student"], row["lab"], row["number"]))
        if hand and (hand.get("points") or "").strip():
            row["points"] = _number(hand["points"], f"{Path(path).name}, {row['student']}, {row['number']}")
            row["state"], row["reason"] = "by hand", hand.get("comment") or ""
        elif row["state"] != "not handed in":
            row["points"] = ""
    new = [row | {"points": "", "comment": ""} for row in questions if row["state"] != "not handed in"]
    new = [row for row in new if (row["student"], row["lab"], row["number"]) not in known]
    if not given and not Path(path).exists():
        write_table(path, HAND, new)
    elif new:
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter=delimiter).writerows([[harmless(row.get(c, "")) for c in HAND] for row in new])
        before = Path(path).read_bytes()
        end = b"" if before.endswith(b"\n") else b"\r\n"
        with open(path, "ab") as file:
            file.write(end + stream.getvalue().encode("utf-8"))


def sums(rows):
    """Return one row a student: points by lab, together, of how many, and how many are still to be given by hand."""
    labs = sorted({row["lab"] for row in rows})
    found = {}
    for row in rows:
        one = found.setdefault(row["student"], {"student": row["student"], **dict.fromkeys(labs, 0.0)})
        one[row["lab"]] += row["points"] or 0
        one["together"] = one.get("together", 0.0) + (row["points"] or 0)
        one["of"] = one.get("of", 0.0) + row["of"]
        one["to be read"] = one.get("to be read", 0.0) + (row["of"] if row["points"] == "" else 0)
    return ["student", *labs, "together", "of", "to be read"], list(found.values())


def page(rows, submission):
    """Return one student's page, in Markdown."""
    open_points = sum(row["of"] for row in rows if row["points"] == "")
    points, of = sum(row["points"] or 0 for row in rows), sum(row["of"] for row in rows) - open_points
    lines = [f"# {submission.student.name}: {points:g} of {of:g} points", ""]
    if open_points:
        lines += [f"Written answers, {open_points:g} points, are still to be read by a person.", ""]
    lines += [f"- {note}" for note in submission.notes] + [""] * bool(submission.notes)
    for lab in dict.fromkeys(row["lab"] for row in rows):
        own = [row for row in rows if row["lab"] == lab]
        lines += [f"## {lab}", "", "| | exercise | points | | |", "|---|---|---|---|---|"]
        for row in own:
            got = "" if row["points"] == "" else f"{row['points']:g}"
            reason = row["reason"].replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
            lines.append(
                f"| {row['number']} | {row['exercise']} | {got} of {row['of']:g} | {row['state']} | {reason} |"
            )
        lines.append("")
        for row in own:
            if row.get("text") and row["state"] in ("by hand", "wrong", "in part"):
                fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", row["text"]))])
                lines += [f"### {row['number']} {row['exercise']}", "", fence + "text", row["text"], fence, ""]
    return "\n".join(lines)


def file_name(name):
    """Return a name that every file system takes."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", name).strip(". ") or "_"


def write(rows, graded, everybody, into, form_of):
    """Write ``grades.csv``, ``sums.csv``, ``by_hand.csv``, a page a student, and what a platform reads.

    Args:
        rows: of all students; points given by hand are read into them.
        graded: the submissions that were graded now; the pages of others are kept.
        everybody: all submissions.
        into: the folder.
        form_of: ``long``, ``moodle`` or ``canvas``.
    """
    rows.sort(key=lambda row: (row["student"], row["lab"]))
    for row in rows:
        if "time" in row:
            at = row.pop("time")
            row["handed_in"] = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""
    by_hand(rows, into / "by_hand.csv")
    for submission in graded:
        own = [row for row in rows if row["student"] == submission.student.name]
        save_text(into / f"{file_name(submission.student.name)}.md", page(own, submission))
    write_table(into / "grades.csv", COLUMNS, rows)
    columns, totals = sums(rows)
    write_table(into / "sums.csv", columns, totals)
    people = {submission.student.name: submission.student for submission in everybody}
    feedback(people, into)
    if form_of == "moodle":
        for_moodle(totals, people, into / "moodle.csv")
    if form_of == "canvas":
        for_canvas(totals, people, into / "canvas.csv")


def feedback(people, into):
    """Pack the pages as Moodle takes them back: a folder for each student, named as it named it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, student in people.items():
            path = into / f"{file_name(name)}.md"
            if path.exists():
                folder = next((f for f in student.folders if "_file" in f), (student.folders or [name])[0])
                archive.writestr(f"{file_name(folder)}/feedback.md", path.read_text(encoding="utf-8"))
    part = into / "feedback.zip.part"
    part.write_bytes(packed.getvalue())
    part.replace(into / "feedback.zip")


def for_moodle(totals, people, path):
    """Write the columns of Moodle's grading worksheet that it needs to find a student and give points."""
    rows = [
        {
            "Identifier": f"Participant {people[row['student']].id}" if row["student"] in people else "",
            "Full name": row["student"],
            "Grade": row["together"],
            "Maximum Grade": row["of"],
        }
        for row in totals
    ]
    write_table(path, ("Identifier", "Full name", "Grade", "Maximum Grade"), rows)


def for_canvas(totals, people, path):
    """Write the columns of a gradebook that Canvas needs to find a student and give points."""
    most = max((row["of"] for row in totals), default=0.0)
    rows = [{"Student": "    Points Possible", "aelib": most}]
    rows += [
        {
            "Student": row["student"],
            "ID": people[row["student"]].id if row["student"] in people else "",
            "aelib": row["together"],
        }
        for row in totals
    ]
    write_table(path, ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "aelib"), rows)
