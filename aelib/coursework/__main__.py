"""The labs as coursework, for instructors: python -m aelib.coursework release | grade | audit."""

import argparse
import secrets
import sys
from pathlib import Path

from aelib.coursework import audit
from aelib.coursework.grading import grade as grading
from aelib.coursework.notebooks.release import release


def main(arguments=None):
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m aelib.coursework", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("release", help="write the student edition: the labs without solutions")
    command.add_argument("folder", help="where to; labs that are there already are not overwritten")
    command.set_defaults(run=_release)

    command = commands.add_parser("grade", help="grade submissions, a folder for each student")
    command.add_argument("folder", help="the submissions: in it one folder for each student, with notebooks")
    command.add_argument("--into", help="where to write grades.csv and a page for each student (FOLDER-grades)")
    command.add_argument("--jobs", type=int, help="students at a time (the number of processors)")
    command.add_argument("--seed", help="a word that fixes the random inputs (a new one)")
    command.add_argument("--labs", nargs="+", metavar="LAB", help="labs due (those that somebody handed in)")
    command.set_defaults(run=_grade)

    command = commands.add_parser("audit", help="are the exercises sound, and is no answer given away?")
    command.add_argument("names", nargs="*", metavar="exercise", help="exercises (all)")
    command.set_defaults(run=_audit)

    given = parser.parse_args(arguments)
    try:
        return given.run(given)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def _release(given):
    written = release(given.folder)
    print(f"{len(written)} labs in {given.folder}; open one: jupyter lab {written[0]}")
    return 0


def _grade(given):
    seed, folder = given.seed or secrets.token_hex(4), Path(given.folder).resolve()
    into = Path(given.into) if given.into else folder.with_name(folder.name + "-grades")
    rows = grading.grade(folder, into, seed, given.jobs, given.labs)
    students = len({row["student"] for row in rows})
    print(f"{students} students, {len(rows)} answers: {grading.summary(rows)}")
    print(f"{into / 'grades.csv'} and a page for each student beside it; --seed {seed} gives the same inputs again")
    return 0


def _audit(given):
    found = audit.audit(given.names)
    print("\n".join(found) if found else "audit: nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
