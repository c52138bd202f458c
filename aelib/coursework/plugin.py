"""A pytest plugin: exercises instead of cells.

``pytest 01_derivation.ipynb`` runs a notebook by nbval and ends with a table: exercise, points, right, wrong, not
written, crash or time, and the reason in one line. nbval takes the absence of an error message for success; here an
exercise is right only if the judge of ``aelib.coursework`` said so and signed it, and the kernel replied that all went
well.
"""

import hmac
import json
import os
import queue
import re
import secrets
import time
from collections import Counter
from dataclasses import asdict, replace

import pytest

from aelib.coursework.exercises import EXERCISES, exercises
from aelib.coursework.judge import MIME, Verdict, one_line, signature
from aelib.coursework.notebooks import form as notebooks

KEY = secrets.token_hex()
_VARIABLE = "AELIB_VERDICT_KEY"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def pytest_addoption(parser):
    """Add the option by which ``grade`` reads what came of each exercise."""
    group = parser.getgroup("aelib", "exercises in notebooks")
    group.addoption("--verdicts", metavar="FILE", help="write what came of each exercise to FILE, one JSON a line")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Run notebooks named on the command line by nbval even where no settings file says so."""
    named = any(str(argument).split("::")[0].endswith(".ipynb") for argument in config.args)
    if named and config.pluginmanager.hasplugin("nbval") and not (config.option.nbval or config.option.nbval_lax):
        config.option.nbval_lax, config.option.nbval_cell_timeout = True, 120.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    """Hand this run's key to the kernel, which is started now."""
    if not _is_cell(item):
        return (yield)
    os.environ[_VARIABLE] = KEY
    try:
        return (yield)
    finally:
        os.environ.pop(_VARIABLE, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Keep the kernel's reply, which nbval does not look at; do not wait for a kernel that has ended."""
    if not _is_cell(item) or item.parent.kernel is None:
        return (yield)
    kernel, item.replies = item.parent.kernel, []
    get_message = kernel.get_message

    def recording(stream, timeout=None):
        end = time.monotonic() + (timeout or 0)
        while True:
            try:
                message = get_message(stream, timeout=1 if timeout is None else min(1, max(0, end - time.monotonic())))
                break
            except queue.Empty:
                if not kernel.is_alive():
                    raise RuntimeError("the kernel ended") from None
                if timeout is not None and time.monotonic() >= end:
                    raise
        if stream == "shell" and message["msg_type"] == "execute_reply":
            item.replies.append(message["content"].get("status"))
        return message

    kernel.get_message = recording
    try:
        return (yield)
    finally:
        del kernel.get_message


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Say of a test cell what came of its exercise, in place of nbval's words on the cell."""
    report = yield
    if not _is_cell(item) or not hasattr(item.parent, "nb"):
        return report
    file = item.parent
    if not hasattr(file, "told"):
        file.told = tasks(file.nb)
        file.broken = {}
        exercises()
    task = file.told.get(item.cell.get("id", ""))
    if report.when == "teardown" or task is None or (report.when == "setup" and report.passed):
        return report
    number, name, which = task
    if which == "answer":
        if report.failed:
            file.broken[name] = _error(item, call)
        return report
    verdict = _verdict(item, call, name, file.broken.get(name, ""))
    report.user_properties.append(("aelib", json.dumps({"file": str(file.path), "number": number} | asdict(verdict))))
    if verdict.state not in ("right", "not written"):
        report.outcome, report.longrepr = "failed", f"{number} {name}: {verdict.state}\n{verdict.text}\n"
        report.__dict__.pop("wasxfail", None)
    return report


def pytest_terminal_summary(terminalreporter, config):
    """Print the table of each notebook."""
    rows = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == "aelib":
                    row = json.loads(value)
                    rows.setdefault(row.pop("file"), {})[row["name"]] = row
    for file in sorted(rows):
        terminalreporter.section(f"exercises of {os.path.basename(file)}", sep="-")
        for line in table(rows[file].values()):
            terminalreporter.line(line)
    if path := config.option.verdicts:
        with open(path, "w", encoding="utf-8") as stream:
            for file, each in rows.items():
                stream.writelines(json.dumps({"file": file} | row) + "\n" for row in each.values())


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
    got, of = (sum(row[key] for row in rows) for key in ("points", "of"))
    states = ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).items())
    return [one_line_of(line, width) for line in [*lines, f"{'':<6}{'all':<{wide}}  {got:g} of {of:g}   {states}"]]


def one_line_of(line, width):
    """Return a line cut at a width."""
    return line if len(line) <= width else line[: width - 3] + "..."


def tasks(notebook):
    """Return (number, name, "answer" or "test") by cell id, of a source or a student's notebook."""
    found, number, last = {}, "", None
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (headings := notebooks.HEADING.findall(cell["source"])):
            number = headings[-1][1]
        elif cell["cell_type"] == "code":
            call = notebooks.examined(cell["source"])
            if call:
                found[cell.get("id", "")] = (number, call[0], "test")
                if last is not None:
                    found.setdefault(last.get("id", ""), (number, call[0], "answer"))
            last = cell
    return found


def _is_cell(item):
    return type(item).__name__ == "IPyNbCell"


def _error(item, call):
    """Return one line on what went wrong in a cell."""
    for output in item.test_outputs or ():
        if output.get("output_type") == "error":
            return one_line(f"{output['ename']}: {output['evalue']}")
    return one_line(_COLOUR.sub("", str(call.excinfo.value))) if call.excinfo else ""


def _verdict(item, call, name, broken):
    """Return the judge's verdict on an exercise, or one on why there is none."""
    of = EXERCISES[name].points if name in EXERCISES else 0
    shown = [output["data"][MIME] for output in item.test_outputs or () if MIME in output.get("data", {})]
    for data in shown:
        signed = data.pop("signature", "")
        try:
            verdict = Verdict(**data)
        except TypeError:
            continue
        if verdict.name != name or not hmac.compare_digest(signed, signature(verdict, KEY)):
            continue
        if verdict.state == "right" and (call.excinfo or getattr(item, "replies", []) != ["ok"]):
            return replace(verdict, state="crash", points=0, reason="the cell of the test ended with an error")
        return verdict
    if item.parent.timed_out and call.excinfo and "imeout" in str(call.excinfo.value):
        state, reason = "time", "it did not end in time"
    elif broken:
        state, reason = "crash", f"its cell ends with {broken}"
    elif error := _error(item, call):
        state, reason = "crash", error
    else:
        state, reason = "not judged", "the test cell was run, but no judge spoke: restore the cell"
    return Verdict(name, state, 0, of, reason, reason)
