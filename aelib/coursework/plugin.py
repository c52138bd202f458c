"""A pytest plugin: exercises instead of cells.

``pytest 01_derivation.ipynb`` runs a notebook by nbval and ends with a table: exercise, points, right, wrong, not
written, crash or time, and the reason in one line. nbval takes the absence of an error message for success; here an
exercise is right only if ``examine`` said so.

The folder that ``release`` makes turns the plugin on by its ``pytest.ini``; it is no entry point, so that pytest runs
of other projects in the same environment know nothing of it.
"""

import json
import os
import queue
import re
import sys
import time
from collections import Counter
from dataclasses import asdict

import pytest

from aelib.coursework.exercises import EXERCISES, exercises
from aelib.coursework.findings import Outcome, one_line
from aelib.coursework.judge import MIME
from aelib.coursework.notebooks import form

VARIABLE = "AELIB_OUTCOMES"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Keep a notebook's cells in one process where xdist would deal them out one by one."""
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadfile"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the cells of each notebook back into their order, whatever another plugin did to it."""
    cells = {}
    for item in items:
        if _is_cell(item):
            cells.setdefault(item.parent, []).append(item)
    done, ordered = set(), []
    for item in items:
        if not _is_cell(item):
            ordered.append(item)
        elif item.parent not in done:
            done.add(item.parent)
            ordered += sorted(cells[item.parent], key=lambda cell: cell.cell_num)
    items[:] = ordered


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    """Ask the kernel that is started now to tell what comes of each exercise."""
    if not _is_cell(item):
        return (yield)
    os.environ[VARIABLE] = "1"
    try:
        return (yield)
    finally:
        os.environ.pop(VARIABLE, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Do not wait for a kernel that has ended, as nbval does."""
    if not _is_cell(item) or item.parent.kernel is None:
        return (yield)
    kernel = item.parent.kernel
    get_message = kernel.get_message

    def awake(stream, timeout=None):
        end = time.monotonic() + (timeout or 0)
        while True:
            try:
                return get_message(stream, timeout=1 if timeout is None else min(1, max(0, end - time.monotonic())))
            except queue.Empty:
                if not kernel.is_alive():
                    raise RuntimeError("the kernel ended") from None
                if timeout is not None and time.monotonic() >= end:
                    raise

    kernel.get_message = awake
    try:
        return (yield)
    finally:
        del kernel.get_message


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Report of a cell with ``examine`` what came of its exercise, in place of what nbval says of the cell."""
    report = yield
    if not _is_cell(item) or not hasattr(item.parent, "nb"):
        return report
    file = item.parent
    if not hasattr(file, "tasks"):
        file.tasks, file.broken, file.ran = tasks(file.nb), {}, set()
        exercises()
    if report.when == "call":
        file.ran.add(item.cell_num)
    task = file.tasks.get(item.cell_num)
    if report.when == "teardown" or task is None or (report.when == "setup" and report.passed):
        return report
    number, name, which = task
    if which == "answer":
        if report.failed:
            file.broken[name] = _error(item, call)
        return report
    outcome = _outcome(item, call, name)
    row = {"file": str(file.path), "number": number} | asdict(outcome)
    report.user_properties.append(("aelib", json.dumps(row)))
    if outcome.state not in ("right", "not written"):
        report.outcome, report.longrepr = "failed", f"{number} {outcome.headline}\n{outcome.text}\n"
        report.__dict__.pop("wasxfail", None)
    return report


def pytest_terminal_summary(terminalreporter):
    """Print the table of each notebook, and one over all of them."""
    rows = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == "aelib":
                    row = json.loads(value)
                    rows.setdefault(row.pop("file"), {})[row["name"]] = row
    width = max(110, terminalreporter._tw.fullwidth) if sys.stdout.isatty() else 300  # whole in a file
    for file in sorted(rows):
        terminalreporter.section(f"exercises of {os.path.basename(file)}", sep="-")
        for line in table(rows[file].values(), width):
            terminalreporter.line(line)
    if len(rows) > 1:
        terminalreporter.section("all labs", sep="-")
        for line in overall({os.path.basename(file): list(each.values()) for file, each in rows.items()}):
            terminalreporter.line(line)


def table(rows, width=110):
    """Return the lines of a table of exercises.

    Args:
        rows: dicts with number, name, points, of, state and reason.
        width: length of a line, at most.
    """
    rows = sorted(rows, key=lambda row: [int(part) if part.isdigit() else 0 for part in row["number"].split(".")])
    wide = max(len(row["name"]) for row in rows)
    lines = [f"{'':<6}{'exercise':<{wide}}  points"]
    for row in rows:
        said = f"{row['state']}: {row['reason']}" if row["reason"] else row["state"]
        lines.append(f"{row['number']:<6}{row['name']:<{wide}}  {row['points']:g} of {row['of']:g}   {said}")
    lines.append(f"{'':<6}{'':<{wide}}  {_sums(rows)}")
    return [one_line_of(line, width) for line in lines]


def overall(files):
    """Return the lines of a table of notebooks: points, and how many exercises are in which state.

    Args:
        files: list of rows by the notebook's name.
    """
    wide = max(map(len, files))
    lines = [f"{name:<{wide}}  {_sums(rows)}" for name, rows in sorted(files.items())]
    return [*lines, f"{'together':<{wide}}  {_sums([row for rows in files.values() for row in rows])}"]


def _sums(rows):
    got, of = (sum(row[key] for row in rows) for key in ("points", "of"))
    states = ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).items())
    return f"{got:g} of {of:g}   {states}"


def one_line_of(line, width):
    """Return a line cut at a width."""
    return line if len(line) <= width else line[: width - 3] + "..."


def tasks(notebook):
    """Return (number, name, "answer" or "test") by the number of a code cell, of a source or a student's notebook."""
    found, number, place = {}, "", 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (headings := form.HEADING.findall(cell["source"])):
            number = headings[-1][1]
        elif cell["cell_type"] == "code":
            if call := form.examined(cell["source"]):
                found[place] = number, call[0], "test"
                found.setdefault(place - 1, (number, call[0], "answer"))
            place += 1
    return found


def _is_cell(item):
    return type(item).__name__ == "IPyNbCell"


def _error(item, call):
    """Return one line on what went wrong in a cell."""
    for output in item.test_outputs or ():
        if output.get("output_type") == "error":
            return one_line(f"{output['ename']}: {output['evalue']}")
    return one_line(_COLOUR.sub("", str(call.excinfo.value))) if call.excinfo else ""


def _outcome(item, call, name):
    """Return what the judge said of an exercise, or why it said nothing."""
    file, of = item.parent, EXERCISES[name].points if name in EXERCISES else 0
    for output in item.test_outputs or ():
        told = output.get("data", {}).get(MIME)
        if isinstance(told, dict) and told.get("name") == name:
            return Outcome(**told)
    missing = set(range(item.cell_num)) - file.ran
    broken = file.broken.get(name, "")
    if missing and not broken:
        state, reason = "not judged", f"{len(missing)} cells above were not run: run the whole notebook"
    elif file.timed_out and call.excinfo and "imeout" in str(call.excinfo.value):
        state, reason = "time", "it did not end in time"
    elif broken:
        state, reason = "crash", f"its cell ends with {broken}"
    elif error := _error(item, call):
        state, reason = "crash", error
    else:
        state, reason = "not judged", "the test cell was run, but no judge spoke: restore the cell"
    return Outcome(name, state, 0, of, reason, reason)
