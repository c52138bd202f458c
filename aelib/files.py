"""Atomic files: a reader sees the old file or the new one, never half of one. No pickle."""

import os
import zipfile
from pathlib import Path

import numpy as np


def _save(path, write):
    """Let ``write(file)`` fill a temporary file beside ``path``, then put it in its place."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def save_npz(path, **arrays):
    """Write arrays to ``path`` atomically, through a temporary file in the same folder.

    Args:
        path: file name, used as it is (``.npz`` is not appended); its folder must exist.
        arrays: numeric or string arrays by name.
    """
    _save(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def save_text(path, text):
    """Write text to ``path`` atomically, in UTF-8."""
    _save(path, lambda file: file.write(text.encode()))


def load_npz(path, expected):
    """Read the arrays of a file that ``save_npz`` wrote, without pickle.

    Args:
        path: file name.
        expected: names that must be there.

    Returns:
        dict of arrays.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is no .npz file, or lacks an expected name.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz file ({error}): expected one saved by aelib") from error
    missing = sorted(set(expected) - set(arrays))
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: expected a file saved by aelib for this purpose")
    return arrays
