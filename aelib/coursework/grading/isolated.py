"""Answers judged apart: each in a process of its own, all of one student's in a container where that is asked for.

The process is given one order by pipe: the code to run, the exercise, the seed. It answers with one outcome of numbers
and words, as JSON of at most a megabyte, and is ended after a limit of time whatever it does. What it has to say is its
own: an answer that is meant to deceive can forge its own outcome, as it can copy the public solutions.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, fields
from pathlib import Path

from aelib.coursework.exercises import find
from aelib.coursework.findings import STATES, Outcome, one_line

MEMORY = 2 << 30  # bytes beyond what a process starts with
METHOD = "forkserver" if sys.platform == "linux" else "spawn"  # forked, a process is ready in a few milliseconds
MESSAGE = 1 << 20  # bytes of one outcome, at most
STARTING = 180  # seconds that a process may take to start on a busy machine
_starting = threading.Lock()


class JudgeMissing(OSError):
    """The judge's own process does not start: nothing can be graded."""


def judged(order, seconds, memory=MEMORY):
    """Return the ``Outcome`` of one program, from a process of its own.

    Args:
        order: dict with name, pieces, examined, seed, owner: what ``child.judged`` takes.
        seconds: limit of time.
        memory: limit in bytes.

    Raises:
        JudgeMissing: the process does not start.
    """
    name = order["name"]

    def failed(state, reason):
        return Outcome(name, state, 0, find(name).points, reason, reason)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process, connection = _started(folder, memory)
        asked = False
        try:
            if not connection.poll(STARTING) or connection.recv_bytes(MESSAGE) != b'"ready"':
                raise JudgeMissing("the judge does not start in a process of its own")
            connection.send_bytes(json.dumps(order).encode())
            asked = True
            if not connection.poll(seconds):
                return failed("time", f"it did not end within {seconds:g} s")
            return received(name, connection.recv_bytes(MESSAGE)) or failed(
                "crash", "its process sent what is no outcome"
            )
        except JudgeMissing:
            raise
        except EOFError:
            process.join(5)
            if not asked:
                raise JudgeMissing(f"the judge's process ended (exit code {process.exitcode})") from None
            return failed("crash", f"it ended its process (exit code {process.exitcode})")
        except (BrokenPipeError, ConnectionError):
            raise JudgeMissing("the judge's process ended before it was asked anything") from None
        except OSError:
            return failed("crash", "its process sent what is no outcome")
        finally:
            process.kill()
            process.join(5)
            connection.close()


def received(name, data):
    """Return the ``Outcome`` in a message, None where there is none; points are those of the exercise, at most."""
    try:
        told = json.loads(data)
        told = {field.name: told[field.name] for field in fields(Outcome)}
        points, seconds = float(told["points"]), float(told["seconds"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    state, of = str(told["state"]), find(name).points
    if state not in STATES:
        return None
    points = of if state == "right" else min(max(points, 0), of) if state == "in part" else 0
    hints = tuple(str(hint)[:1000] for hint in told["hints"]) if isinstance(told["hints"], list) else ()
    return Outcome(name, state, points, of, one_line(told["reason"]), str(told["text"])[:10_000], hints, seconds)


def _started(folder, memory):
    from aelib.coursework.grading.child import serve

    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(["aelib.coursework.grading.child"])
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, folder, memory), daemon=True)
    with _starting, _no_main():
        process.start()
    theirs.close()
    return process, ours


@contextlib.contextmanager
def _no_main():
    """Keep a child from running this process's main module once more: a notebook or pytest, not needed there."""
    main = sys.modules["__main__"]
    kept = {name: main.__dict__[name] for name in ("__spec__", "__file__") if name in main.__dict__}
    try:
        main.__dict__.update(__spec__=None)
        main.__dict__.pop("__file__", None)
        yield
    finally:
        main.__dict__.update(kept)


def best(name, order, seed, owner="", memory=MEMORY):
    """Return the best ``Outcome`` of the programs of one order, as ``submissions.order`` made it.

    Args:
        name: of the exercise.
        order: dict with programs, examined, and state and reason where there is no program.
        seed: of the random inputs.
        owner: whose answer it is.
        memory: limit in bytes for each process.
    """
    exercise = find(name)
    if not order["programs"]:
        return Outcome(name, order["state"], 0, exercise.points, order["reason"], order["reason"])
    outcomes, end = [], time.monotonic() + exercise.seconds
    for pieces in order["programs"]:
        asked = dict(name=name, pieces=pieces, examined=order["examined"], seed=seed, owner=owner)
        outcomes.append(judged(asked, max(1.0, round(end - time.monotonic(), 1)), memory))
        if outcomes[-1].state in ("right", "time"):
            break
        if len(outcomes) == order["plain"] and outcomes[-1].state not in ("crash", "not found"):
            break  # what is left is for names that are bound in ways that cannot be seen
    return min(outcomes, key=lambda outcome: STATES.index(outcome.state))


def all_judged(orders, seed, owner=""):
    """Return the outcomes of all orders of one student, as dicts by (lab and name).

    Args:
        orders: by lab and name, what ``submissions.order`` returned.
        seed: of the random inputs.
        owner: the student's name.
    """
    return {
        lab: {name: asdict(best(name, order, seed, owner)) for name, order in each.items()}
        for lab, each in orders.items()
    }


def container(hidden=()):
    """Return the command that runs Python in a bubblewrap container: files are read-only, and some are not there.

    Args:
        hidden: folders and files that cannot be read in it.

    Raises:
        FileNotFoundError: there is no bubblewrap here that works.
    """
    if (
        not shutil.which("bwrap")
        or subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], capture_output=True).returncode
    ):
        raise FileNotFoundError("bubblewrap (bwrap) is not installed, or not allowed here")
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run"]
    for place in map(Path, hidden):
        if place.is_dir():
            command += ["--tmpfs", str(place.resolve())]
        elif place.exists():
            command += ["--ro-bind", "/dev/null", str(place.resolve())]
    command += ["--setenv", "HOME", "/run", "--setenv", "TMPDIR", "/run", "--chdir", "/run"]
    return [*command, "--unshare-all", "--die-with-parent", "--new-session", sys.executable]


def all_judged_in(command, orders, seed, owner=""):
    """Return the same, from a process that a command starts; whatever is missing there ended the judge.

    Args:
        command: that runs Python, as ``container`` returns it.
        orders: as in ``all_judged``.
        seed: as there.
        owner: as there.
    """
    longest = sum(
        find(name).seconds * max(1, len(order["programs"])) for each in orders.values() for name, order in each.items()
    )
    root = str(Path(__file__).resolve().parents[3])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    asked = json.dumps(dict(orders=orders, seed=seed, owner=owner)).encode()
    try:
        done = subprocess.run(
            [*command, "-m", "aelib.coursework.grading.isolated"],
            input=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=STARTING + longest,
        )
        lines = done.stdout.splitlines()
    except subprocess.TimeoutExpired as error:
        lines = (error.stdout or b"").splitlines()
    if not lines or lines[0] != b"ready":
        raise JudgeMissing("the judge does not start in its container")
    found = {lab: {} for lab in orders}
    for line in lines[1:]:
        lab, name, outcome = (
            (json.loads(line) if len(line) < MESSAGE else [None] * 3) if line[:1] == b"[" else [None] * 3
        )
        if lab in orders and name in orders[lab]:
            found[lab][name] = asdict(received(name, json.dumps(outcome)) or _ended(name))
    return {lab: {name: found[lab].get(name) or asdict(_ended(name)) for name in each} for lab, each in orders.items()}


def _ended(name):
    return Outcome(name, "crash", 0, find(name).points, "it ended the judge", "it ended the judge")


def main():
    """Judge what comes in on the standard input; print an outcome a line."""
    asked = json.load(sys.stdin)
    print("ready", flush=True)
    for lab, each in asked["orders"].items():
        for name, order in each.items():
            outcome = best(name, order, asked["seed"], asked["owner"])
            print(json.dumps([lab, name, asdict(outcome)]), flush=True)


if __name__ == "__main__":
    main()
