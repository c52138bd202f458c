"""Arrays in .npz, text and JSON: written whole or not at all, read without pickle.

Whatever is wrong with a file that is read is one sentence with its path.
"""

import json
import math
import os
import secrets
import stat
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from aelib.arrays import shown

DEFLATE = 1032  # deflate packs no better than 1,032 : 1
_KINDS = "biufcU"  # numbers and strings


# -- writing -----------------------------------------------------------------------------------------------------------


def save(path, write):
    """Let ``write(file)`` fill a new file, then put it in the place of ``path``: a reader sees the old or the new one.

    Of a symbolic link, the target is written. A file that is replaced keeps its mode.

    Args:
        path: file name; its folder must exist.
        write: function of a binary file, open for writing.

    Raises:
        OSError: the folder does not exist or may not be written to, the file is write-protected, the disk is full;
            ``path`` is as it was then.
    """
    target = Path(os.path.realpath(_name(path)))
    temporary = target.with_name(f".aelib-{secrets.token_hex(8)}.tmp")
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError("there is a write-protected file of this name")
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # the contents reach the disk before the name does
        if target.is_file():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise type(error)(f"{path} is not saved: {error.strerror or error}") from error
        raise


def save_npz(path, **arrays):
    """Write arrays to ``path``, packed; the file is whole or not there.

    Args:
        path: file name, used as it is (``.npz`` is not appended); its folder must exist.
        arrays: numeric or string arrays by name.

    Raises:
        ValueError: an array holds something else than numbers or strings.
        OSError: ``path`` cannot be written, as in ``save``.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise ValueError(f"{name} has dtype {array.dtype}: expected numbers or strings")
    save(path, lambda file: np.savez_compressed(file, **arrays))


def save_text(path, text):
    """Write text to ``path`` in UTF-8; the file is whole or not there. Errors are those of ``save``."""
    save(path, lambda file: file.write(text.encode()))


# -- reading -----------------------------------------------------------------------------------------------------------


@contextmanager
def reading(path, kind):
    """Open a file for reading in binary; whatever is wrong with it becomes one sentence with its path.

    Args:
        path: file name.
        kind: what the file should be, for the sentence: ``".npz file"``.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: anything else, from the system or from the block inside.
    """
    _name(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            raise ValueError("it is a folder or a device")
        with open(path, "rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read: you lack the right to") from None
    except Exception as error:  # of all kinds: zipfile, zlib and NumPy meet damage in many places
        raise ValueError(f"{path} is not a readable {kind} ({short(error)})") from error


def _name(path):
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path is {shown(path)}: expected the name of a file")
    return path


def short(error):
    """Return what an error says on one line of at most 120 characters, for use in another sentence."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def load_json(path):
    """Return what a JSON file in UTF-8 holds; errors as in ``reading``."""
    with reading(path, "JSON file") as file:
        return json.loads(file.read().decode("utf-8-sig"))


def load_npz(path, expected):
    """Return the arrays of a file that ``save_npz`` wrote.

    Args:
        path: file name.
        expected: names that must be there.

    Returns:
        dict of arrays of numbers or strings.

    Raises:
        FileNotFoundError, PermissionError: there is no such file, or it may not be read.
        ValueError: the file is damaged, is no .npz file, holds objects, or lacks an expected name.
    """
    with reading(path, ".npz file") as file:
        _check_sizes(file)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    missing = sorted(set(expected) - set(arrays))
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: expected a file saved by aelib for this purpose")
    return arrays


def _check_sizes(file):
    """Raise ValueError if an array in a .npz file claims more than is there, before NumPy takes memory for it."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.file_size > DEFLATE * (member.compress_size + 1):
                raise ValueError(f"{member.compress_size} bytes claim to hold {member.file_size}")
            with archive.open(member) as stream:
                if np.lib.format.read_magic(stream) != (1, 0):
                    raise ValueError("a member is no array of numbers or strings")
                shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
                if dtype.kind not in _KINDS or min(shape, default=0) < 0:
                    raise ValueError(f"a member is of {dtype}: expected numbers or strings")
                if stream.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
                    raise ValueError(f"the shape of a member, {shape}, does not fit its {member.file_size} bytes")
    file.seek(0)
