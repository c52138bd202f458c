"""The labs as coursework, for instructors: python -m aelib.coursework release | grade | audit."""

import argparse
import sys

from aelib.coursework.release import release


def main(arguments=None):
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m aelib.coursework", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("release", help="write the student edition: the labs without solutions")
    command.add_argument("folder", help="where to; labs that are there already are not overwritten")
    command.set_defaults(run=_release)

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


if __name__ == "__main__":
    sys.exit(main())
