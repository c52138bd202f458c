"""Atomic files: a reader sees the old file or the new one, never half of one, also after a power cut.

What is written stands in a temporary file beside its target until it is whole. Its name is random, it is new, and its
process holds a lock on it while it lives: so it collides with nothing, and what a killed process leaves can be told.
"""

import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyhow
    fcntl = None

TEMPORARY = ".aelib-*.tmp"
_OLD = 3600  # seconds after which a temporary file counts as left over where files cannot be locked


def save(path, write):
    """Let ``write(file)`` fill a temporary file beside ``path``, then put it in its place.

    Of a symbolic link, the target is written. A file that is there gives its mode to the new one; a new file has what
    the umask leaves.

    Args:
        path: file name; its folder must exist.
        write: function of a binary file, open for writing and reading.

    Raises:
        FileNotFoundError: there is no such folder.
        PermissionError: the file or its folder is write-protected.
        ValueError: there is something else than a file at ``path``.
        OSError: the disk is full, or fails.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _mode(target)
        remove_leftovers(target.parent)
        _write(target, mode, write)
    except OSError as error:
        raise type(error)(f"{path} is not saved: {error.strerror or error}") from error


def _mode(path):
    """Return the mode of the file at path, or None where there is none yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}") from None
        return None
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is a folder or a device: expected the name of a file")
    if not os.access(path, os.W_OK):
        raise PermissionError("there is a write-protected file of this name")
    return mode & 0o777


def _write(path, mode, write):
    file, temporary = _create(path.parent, 0o666 if mode is None else mode)
    try:
        with file:
            if mode is not None:
                os.chmod(temporary, mode)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # while it is locked, so that nobody takes it for a leftover
                os.replace(temporary, path)
        if fcntl is None:
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    with suppress(OSError):  # a folder is fsynced where the system can; Windows cannot open one
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _create(folder, mode):
    """Return a new open temporary file in folder, locked where the system can, and its path."""
    while True:
        path = folder / TEMPORARY.replace("*", secrets.token_hex(8))
        file = open(path, "x+b", opener=lambda name, flags: os.open(name, flags, mode))  # "x" follows no link
        if _lock(file) is not False and os.fstat(file.fileno()).st_nlink:
            return file, path
        file.close()  # ``remove_leftovers`` of another process came between, and removes it


def _lock(file):
    """Try to lock an open file until it is closed: True, False where another process has it, None without locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return None


def remove_leftovers(folder):
    """Remove the temporary files that killed processes left in a folder; every save does this in its own first.

    A temporary file that can be locked belongs to nobody alive. Where there are no locks, it is left over
    after an hour.
    """
    for path in Path(folder).glob(TEMPORARY):
        with suppress(OSError):  # another process was quicker, or the file is another user's
            if fcntl is None:
                if time.time() - path.stat().st_mtime > _OLD:
                    path.unlink()
                continue
            with open(path, "r+b", opener=_warily) as file:
                lock = _lock(file)
                if lock or (lock is None and time.time() - os.fstat(file.fileno()).st_mtime > _OLD):
                    path.unlink()


def _warily(path, flags):
    """Open what somebody may have planted: no link is followed, no pipe is waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
