"""One process at a time stores results in a folder: ``with alone(folder):``. The lock ends with its process."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path

if os.name == "nt":
    import msvcrt
else:
    import fcntl

LOCK = ".aelib-study.lock"
_UNUSED = 1 << 30  # Windows locks bytes, which others cannot read then: not those of the owner's number


class FolderBusy(OSError):
    """Another process stores results in this folder."""


@contextmanager
def alone(folder):
    """Hold the lock of a folder, which is made where it is missing.

    The system keeps the lock of an open file and ends it with the process, so that a killed one leaves none behind.

    Raises:
        FolderBusy: another process holds it; the message names that process.
    """
    path = Path(folder) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _locked(path)
    try:
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield
    finally:
        if os.name != "nt":
            path.unlink(missing_ok=True)  # while it is locked: afterwards it may be another's
        file.close()
        if os.name == "nt":
            with suppress(OSError):  # no open file can be removed: another has it
                path.unlink(missing_ok=True)


def _locked(path):
    """Return the file, open and locked."""
    while True:
        file = open(path, "a+", encoding="utf-8")
        try:
            if os.name == "nt":
                os.lseek(file.fileno(), _UNUSED, os.SEEK_SET)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "(no number)"
            file.close()
            raise FolderBusy(
                f"process {owner} stores results in {path.parent}: wait until it ends, or stop it"
            ) from None
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # its last owner has removed it meanwhile
