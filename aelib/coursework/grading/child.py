"""What runs in a process of its own: one answer, and the judge that examines it there."""

import builtins
import io
import json
import os
import sys
from dataclasses import asdict

from aelib.coursework import judge as judging
from aelib.coursework.exercises import exercises
from aelib.coursework.findings import Outcome, crash
from aelib.coursework.notebooks import programs
from aelib.coursework.notebooks.cells import python_of

exercises()
python_of("")  # imported now: a process that is forked from this one is ready at once

READY = b'"ready"'


class Nothing:
    """What stands for IPython: whatever is asked of it does nothing, and gives nothing of any use."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments, **keywords):
        """Do nothing."""
        return self

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __float__(self):
        return 0.0

    def __format__(self, form):
        return ""


class _Nowhere(io.TextIOBase):
    def write(self, text):
        return len(text)


def serve(connection, folder, memory):
    """Run one program, judge what it defines, send back the outcome as JSON, and end.

    Args:
        connection: to the process that asks; it sends one order as JSON.
        folder: an empty one, to work in.
        memory: limit in bytes beyond what the process starts with.
    """
    connection.send_bytes(READY)
    order = json.loads(connection.recv_bytes())
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdin, sys.stdout, sys.stderr = _Nowhere(), _Nowhere(), _Nowhere()
    limit(memory)
    sys.addaudithook(guard(os.getcwd()))
    for module in (judging, sys.modules["aelib.coursework"]):  # an answer's cell may import and call them
        module.examine = module.hint = Nothing()
    outcome = judged(order)
    connection.send_bytes(json.dumps(asdict(outcome)).encode())


def judged(order):
    """Return the ``Outcome`` of one order.

    Args:
        order: dict with name (of the exercise), pieces, examined, seed, owner.
    """
    name = order["name"]
    nothing = Nothing()
    names = {"__name__": "__main__", "__builtins__": builtins, "get_ipython": nothing, "display": nothing}
    names |= {"examine": nothing, "hint": nothing, "In": [""], "Out": {}, "_": "", "__": "", "___": ""}
    exercise, judge = judging.find(name), judging.judge
    kept, of = dict(exercise.__dict__), exercise.points
    raised = programs.run([programs.Piece(*piece) for piece in order["pieces"]], names)
    exercise.__dict__.update(kept)  # a cell that patches the exercise does itself no good
    try:
        answer = eval(compile(order["examined"], "<test>", "eval"), names)
    except NameError as error:
        reason = crash(raised or error)
        return Outcome(name, "crash" if raised else "not found", 0, of, reason, reason)
    except BaseException as error:  # whatever a student's object may raise
        return Outcome(name, "crash", 0, of, crash(error), crash(error))
    return judge(name, answer, order["seed"], order["owner"])


def limit(memory):
    """Limit the memory of this process, where the system can."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            now = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    except (ImportError, OSError, ValueError):
        pass  # Windows has no such limit, macOS does not keep it


PROCESSES = (
    "os.fork",
    "os.forkpty",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "subprocess.Popen",
    "os.kill",
)
FILES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate")


def guard(folder):
    """Return an audit hook that refuses slips: files written or deleted outside a folder, processes started or ended.

    It is no protection from code that is meant to harm, which can pass it by.
    """
    inside, fspath, realpath = os.path.realpath(folder) + os.sep, os.fspath, os.path.realpath
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def hook(event, args):
        if event in PROCESSES:
            raise PermissionError("an answer may not start or end processes")
        if event == "open" and not isinstance(args[0], int) and args[0] not in (os.devnull, None):
            path, mode, flags = args
            if not ((isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & writing):
                return
        elif event in FILES:
            path = args[0]
        else:
            return
        if not (realpath(os.fsdecode(fspath(path))) + os.sep).startswith(inside):
            raise PermissionError(f"an answer may not write or delete files: {path}")

    return hook
