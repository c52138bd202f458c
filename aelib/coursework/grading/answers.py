"""A submitted answer in a process of its own: it is called from here, and nothing that it does reaches the judge.

The process gets code to run and calls with arguments, and returns values (see ``wire``). It is ended after a limit of
time, or when it takes too much memory. Its output goes nowhere; its folder is a temporary one. A guard refuses to write
or delete other files, to start or end processes, to use the network, and to read labs and tests. It stops slips and
easy tricks, not an attacker: who must be sure runs the grading in a container (README).
"""

import contextlib
import multiprocessing
import sys
import tempfile
import time

from aelib.coursework.exercises import find
from aelib.coursework.grading import wire
from aelib.coursework.grading.inside import serve
from aelib.coursework.judge import UNWRITTEN, Verdict, judge, one_line

MEMORY = 2 << 30  # bytes beyond what the process starts with
METHOD = "forkserver" if sys.platform == "linux" else "spawn"  # forked, a process is ready in a few milliseconds
MESSAGE = 256 << 20  # bytes of one returned value, at most
_RAISED = {  # what an answer raises there is raised here as one of these, too
    raised.__name__: raised
    for raised in (
        ArithmeticError,
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    )
}


class AnswerFailed(Exception):
    """An answer raised, took too long, or ended its process; ``state`` is ``crash`` or ``time``."""

    state = "crash"


class AnswerLate(AnswerFailed, TimeoutError):
    """An answer took too long."""

    state = "time"


def _kind(name):
    """Return a class of AnswerFailed that is caught as the exception of this name is."""
    found = _RAISED.get(name)
    return type(name, (AnswerFailed, found), {"__str__": lambda self: str(self.args[0])}) if found else AnswerFailed


class Remote(wire.Handle):
    """What stands here for an object of an answer's process; it can be called, indexed, its attributes read and set."""

    def __init__(self, answer, number):
        self.__dict__.update(answer=answer, number=number)

    def _ask(self, *request):
        return self.answer.ask(*request)

    def __call__(self, *args, **kwargs):
        """Call the object there."""
        return self._ask("call", self, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("get", self, name)

    def __setattr__(self, name, value):
        self._ask("set", self, name, value)

    def __getitem__(self, key):
        return self._ask("item", self, key)

    def __len__(self):
        return self._ask("length", self)

    def __iter__(self):
        return iter(self._ask("list", self))

    def _operate(self, name, other):
        return self._ask("call", self._ask("get", self, name), (other,), {})

    def __add__(self, other):
        return self._operate("__add__", other)

    def __mul__(self, other):
        return self._operate("__mul__", other)

    def __matmul__(self, other):
        return self._operate("__matmul__", other)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("an array of numbers was expected, not another object")


class Answer:
    """A process that holds one answer.

    Args:
        setup: pieces of the lab's own code, run first.
        own: pieces of the student's code.
        examined: the expression that is examined.
        seconds: limit of time for all that is asked of it.
        memory: limit in bytes.

    Use it as a context; ``obtain()`` returns what stands for the answer.
    """

    def __init__(self, setup, own, examined, seconds=30, memory=MEMORY):
        self.code, self.memory = (list(setup), list(own), examined), memory
        self.end, self.seconds, self.functions, self.failed = time.monotonic() + seconds, seconds, [], None

    def __enter__(self):
        context = multiprocessing.get_context(METHOD)
        if METHOD == "forkserver":
            context.set_forkserver_preload(["aelib", "aelib.coursework.grading.inside"])
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.folder.name, self.memory), daemon=True)
        with _no_main():
            self.process.start()
        theirs.close()
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.join(5)
        self.connection.close()
        self.folder.cleanup()

    def obtain(self):
        """Return the value of the examined expression, once the code has run."""
        return self.ask("run", *self.code)

    def _keep(self, function):
        self.functions.append(function)
        return len(self.functions) - 1

    def _send(self, value):
        data, arrays = wire.dump(value, self._keep)
        try:
            self.connection.send_bytes(data)
        except OSError:
            self._ended()
        return arrays

    def _receive(self):
        import psutil

        while not self.connection.poll(0.2):
            if time.monotonic() > self.end:
                self._fail(AnswerLate(f"it did not end within {self.seconds:g} s"))
            with contextlib.suppress(psutil.Error):
                if psutil.Process(self.process.pid).memory_info().rss > self.memory:
                    self._fail(AnswerFailed(f"it took more than {self.memory >> 20} MB of memory"))
        try:
            return wire.decode(self.connection.recv_bytes(MESSAGE), lambda number: Remote(self, number))
        except EOFError:
            self._ended()
        except OSError:
            self._fail(AnswerFailed(f"it returned more than {MESSAGE >> 20} MB"))
        except ValueError as error:
            self._fail(AnswerFailed(str(error)))

    def _ended(self):
        self.process.join(5)
        self._fail(AnswerFailed(f"it ended its process (exit code {self.process.exitcode})"))

    def _fail(self, error):
        self.failed = error
        self.process.kill()
        raise error

    def ask(self, *request):
        """Return what the process answers to a request; functions among the arguments are called here meanwhile."""
        if self.failed:
            raise self.failed
        arrays = self._send(request)
        while True:
            message = self._receive()
            kind, *rest = message if isinstance(message, tuple) and message else ("",)
            try:
                if kind == "back":
                    number, args, kwargs = rest
                    self._send(("value", self.functions[number](*args, **kwargs)))
                    continue
                if kind == "done":
                    value, changed = rest
                    for place, array in changed:
                        arrays[place][...] = array
                    return value
                if kind == "raised":
                    name, text = map(str, rest)
                    if name == "NotImplementedError":
                        raise NotImplementedError(UNWRITTEN)
                    raise _kind(name)(one_line(text))
            except (AnswerFailed, NotImplementedError):
                raise
            except Exception as error:  # of a function called back with what it cannot take, or of a message in no form
                if kind == "back":
                    self._send(("error", f"{type(error).__name__}: {error}"))
                    continue
            self._fail(AnswerFailed("the answer's process sent what is no value"))


STATES = ("right", "wrong", "time", "crash", "not written", "not found")


class Submitted:
    """An answer that was handed in: one program, or several of which the best counts."""

    def __init__(self, name, order, memory=MEMORY):
        self.name, self.order, self.memory = name, order, memory

    def judged(self, seed=None):
        """Return the ``Verdict``, from a process of its own for each program."""
        exercise, order = find(self.name), self.order
        if not order["programs"]:
            return Verdict(self.name, order["state"], 0, exercise.points, order["reason"], order["reason"])
        verdicts, end = [], time.monotonic() + exercise.seconds
        for setup, own in order["programs"]:
            with Answer(setup, own, order["examined"], max(1, end - time.monotonic()), self.memory) as answer:
                verdicts.append(judge(self.name, answer, seed))
            if verdicts[-1].state in ("right", "time"):
                break
        return min(verdicts, key=lambda verdict: STATES.index(verdict.state))


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
