"""The other side of ``answers``: what runs in the process that holds a student's answer."""

import io
import linecache
import os
import sys
import traceback
from pathlib import Path

from aelib.coursework.grading import wire

OWN, LAB = "your answer", "the lab"  # file names of code, in tracebacks


class _Back:
    """A function of the judge's, called from here."""

    def __init__(self, server, number):
        self._server, self._number = server, number

    def __call__(self, *args, **kwargs):
        server = self._server
        server.send(("back", self._number, args, kwargs))
        (kind, value), _ = server.receive()
        if kind == "error":
            raise RuntimeError(value)
        return value


class _Server:
    def __init__(self, connection):
        self.connection, self.kept = connection, []

    def keep(self, value):
        for number, held in enumerate(self.kept):
            if held is value:
                return number
        self.kept.append(value)
        return len(self.kept) - 1

    def send(self, value):
        self.connection.send_bytes(wire.encode(value, self.keep))

    def receive(self):
        return wire.load(self.connection.recv_bytes(), self.kept.__getitem__, lambda number: _Back(self, number))

    def reply(self, request):
        kind, *rest = request
        if kind == "run":
            return self.run(*rest)
        obj, *rest = rest
        if kind == "call":
            return obj(*rest[0], **rest[1])
        if kind == "get":
            return getattr(obj, *rest)
        if kind == "set":
            return setattr(obj, *rest)
        return {"item": lambda key: obj[key], "length": lambda: len(obj), "list": lambda: list(obj)}[kind](*rest)

    def run(self, setup, own, examined):
        names = {"__name__": "__main__"}
        for code in setup:
            exec(compile(code, LAB, "exec"), names)
        sys.addaudithook(_guard(os.getcwd()))
        for number, code in enumerate(own):
            name = OWN + " " * number
            linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
            exec(compile(code, name, "exec"), names)
        return eval(examined, names)


class _Nowhere(io.TextIOBase):
    def write(self, text):
        return len(text)


def serve(connection, folder, memory):
    """Do what the judge asks, until it ends this process."""
    for name in ("AELIB_SEED", "AELIB_VERDICT_KEY"):
        os.environ.pop(name, None)
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdin, sys.stdout, sys.stderr = _Nowhere(), _Nowhere(), _Nowhere()
    _limit(memory)
    server = _Server(connection)
    while True:
        request, arrays = server.receive()
        before = [a.tobytes() for a in arrays]
        try:
            value = server.reply(request)
            changed = [(i, a) for i, a in enumerate(arrays) if a.tobytes() != before[i]]
            server.send(("done", value, changed))
        except BaseException as error:  # whatever a student's code may raise
            server.send(("raised", type(error).__name__, _told(error)))


def _limit(memory):
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            now = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    except (ImportError, OSError, ValueError):
        pass  # no such limit here; the judge looks at the memory now and then


def _told(error):
    """Return one line on an error: what, and where in the student's own code."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}, in line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.strip() in (OWN, LAB)]
    if not frames:
        return text
    last = frames[-1]
    if last.filename == LAB:
        return f"{text}, in the lab's own code"
    return f"{text}, in line {last.lineno}{f' of {last.name}' if last.name[0] != '<' else ''}: {last.line}"


_REFUSED = {
    "os.fork": "start processes",
    "os.forkpty": "start processes",
    "os.exec": "start processes",
    "os.posix_spawn": "start processes",
    "os.spawn": "start processes",
    "os.startfile": "start processes",
    "os.system": "start processes",
    "subprocess.Popen": "start processes",
    "os.kill": "end processes",
    "os.killpg": "end processes",
    "signal.pthread_kill": "end processes",
    "socket.connect": "use the network",
    "socket.bind": "use the network",
    "socket.getaddrinfo": "use the network",
    "socket.sendto": "use the network",
}
_FILES = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "os.truncate",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _guard(folder):
    """Return an audit hook that refuses what an answer has no business with."""
    package = Path(__file__).resolve().parents[1]
    hidden = [str(package / "exercises"), str(package.parents[1] / "tests"), str(package.parents[1] / "labs")]
    inside, realpath, devnull, fspath = os.path.realpath(folder) + os.sep, os.path.realpath, os.devnull, os.fspath

    def refuse(what):
        raise PermissionError(f"an answer may not {what}")

    def writes(path):
        path = realpath(fspath(path))
        return isinstance(path, bytes) or not (path + os.sep).startswith(inside)

    def hook(event, args):
        if event == "open":
            path, mode, flags = args
            if isinstance(path, int) or path in (devnull, None):
                return
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & _WRITING:
                if writes(path):
                    refuse(f"write files: {path}")
            elif realpath(os.fsdecode(path)).startswith(tuple(hidden)):
                refuse(f"read labs or tests: {path}")
        elif event in _REFUSED:
            refuse(_REFUSED[event])
        elif event in _FILES and writes(args[0]):
            refuse(f"change files: {args[0]}")

    return hook
