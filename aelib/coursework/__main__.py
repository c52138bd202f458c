"""The labs as coursework, for instructors: python -m aelib.coursework release | grade."""

import argparse
import secrets
import sys
from pathlib import Path

from aelib.coursework.grading import grade as grading
from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.release import release


def main(arguments=None):
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m aelib.coursework", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("release", help="write the student edition: the labs without solutions")
    command.add_argument("folder", help="where to; labs that are there already are kept as they are")
    command.add_argument("labs", nargs="*", metavar="LAB", help="labs to be made anew, with the answers taken over")
    command.set_defaults(run=_release)

    command = commands.add_parser(
        "grade", help="grade submissions: a folder for each student, or a platform's download"
    )
    command.add_argument(
        "folder", help="the submissions: folders, flat files of Canvas or Blackboard, or a .zip of these"
    )
    command.add_argument("--into", help="where to write tables and a page for each student (FOLDER-grades)")
    command.add_argument("--jobs", type=int, help="students at a time (the number of processors)")
    command.add_argument("--seed", help="a word that fixes the random inputs (a new one)")
    command.add_argument("--labs", nargs="+", metavar="LAB", help="labs due, by name or number (those handed in)")
    command.add_argument("--student", metavar="NAME", help="grade this one again; the others' rows are kept")
    command.add_argument(
        "--each-in", choices=("auto", "bwrap", "none"), default="auto", help="a container for each student"
    )
    command.add_argument(
        "--format", choices=("long", "moodle", "canvas"), default="long", help="a platform's table of sums"
    )
    command.set_defaults(run=_grade)

    given = parser.parse_args(arguments)
    try:
        return given.run(given)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def _release(given):
    names = grading.named(given.labs, form.labs())
    written, kept = release(given.folder, names)
    if kept and not written:
        print(f"{given.folder} is there already, and whole: nothing was written")
    elif kept:
        print(f"{given.folder} is there already; written: {', '.join(path.stem for path in written)}")
    else:
        print(f"{len(written)} labs in {given.folder}")
    print(f"open it: jupyter lab {sorted([*written, *kept])[0]}")
    return 0


def _grade(given):
    seed, folder = given.seed or secrets.token_hex(4), Path(given.folder).resolve()
    stem = folder.name.removesuffix(".zip")
    into = Path(given.into).resolve() if given.into else folder.with_name(stem + "-grades")
    rows = grading.grade(
        folder,
        into,
        seed,
        given.jobs,
        given.labs,
        student=given.student,
        each_in=given.each_in,
        form_of=given.format,
    )
    students = len({row["student"] for row in rows})
    print(f"{students} students, {len(rows)} answers: {grading.summary(rows)}")
    print(f"{into / 'grades.csv'}, sums.csv, by_hand.csv, a page for each student; --seed {seed}: the same inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
