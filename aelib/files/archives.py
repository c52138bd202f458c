"""Arrays in .npz, text and JSON."""

import json
import math
import os
import re
import stat
import zipfile
from contextlib import contextmanager

import numpy as np

from aelib.files import atomic

_JSON = 2**21  # bytes of JSON that are read at most: Python objects take up to 30 times as much
_DIRECTORY = 2**21  # bytes of a .npz file's list of members: some 20,000 of them
_SMALL, _RATIO = 2**25, 32  # a .npz file may expand to so many bytes, or to so many times its own size
_CHUNK = 2**20
_KINDS = "biufcU"  # numbers and strings
_HEADER = re.compile(
    r"\{'descr': '([<>|][biufcU]\d{1,9})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n"
)


def save_npz(path, **arrays):
    """Write arrays to ``path`` atomically, through a temporary file in the same folder.

    Args:
        path: file name, used as it is (``.npz`` is not appended); its folder must exist.
        arrays: numeric or string arrays by name.

    Raises:
        ValueError: an array holds something else than numbers or strings, or there are more than ``load_npz`` reads.
        OSError: ``path`` cannot be written, as in ``aelib.files.atomic.save``.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise ValueError(f"{name} has dtype {array.dtype}: expected numbers or strings")

    def write(file):
        np.savez_compressed(file, allow_pickle=False, **arrays)
        if sum(array.nbytes for array in arrays.values()) > _most(file.tell()):  # so good a packing looks like a bomb
            file.seek(0)
            file.truncate()
            np.savez(file, allow_pickle=False, **arrays)
        try:
            _check_directory(file)
        except ValueError as error:
            raise ValueError(f"{path} is not saved: {error}") from None

    atomic.save(path, write)


def save_text(path, text):
    """Write text to ``path`` atomically, in UTF-8; errors as in ``save_npz``."""
    atomic.save(path, lambda file: file.write(text.encode()))


# -- reading ---------------------------------------------------------------------------------------------------


@contextmanager
def reading(path):
    """Turn what the system says of a file or folder that cannot be opened or read into one sentence with its path.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: anything else: a loop of links, a name too long, a disk that fails.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read: you lack the right to") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {short(error.strerror or error)}") from None


def opened(path):
    """Return a regular file, open for reading in binary; errors as in ``reading``."""
    with reading(path):
        try:
            mode = os.stat(path).st_mode
        except ValueError as error:
            raise ValueError(f"{str(path)!r} cannot be the name of a file: {error}") from None
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever, a device might never end
            raise ValueError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'a device'}: expected a file")
        return open(path, "rb")


def short(error):
    """Return what an error says on one line of at most 120 characters, for use in another sentence."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def load_json(path):
    """Return what a JSON file of at most 2 MB holds; errors as in ``reading``, and ValueError where it is no JSON."""
    with opened(path) as file, reading(path):
        return parse_json(file.read(_JSON + 1), path)


def parse_json(data, name):
    """Return what JSON text, str or UTF-8 bytes, of at most 2 MB holds. NaN and Infinity are none.

    Raises:
        ValueError: it is no JSON; the sentence begins with ``name``.
    """

    def refuse(constant):
        raise ValueError(f"{constant} is no number of JSON")

    if len(data) > _JSON:
        raise ValueError(f"{name} is too large for JSON of aelib: expected at most {_JSON} bytes")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no readable JSON: {short(error)}") from None


def _most(size):
    """The number of bytes that a .npz file of this size may expand to."""
    return max(_SMALL, _RATIO * size)


def _check_directory(file):
    """Refuse a zip file whose list of members would take much memory, before ``zipfile`` reads it.

    The last 22 bytes of a zip file without a comment hold the list's size. Before them, files above 4 GiB or with more
    than 65,535 members have another record.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    tail = file.read().rjust(42, b"\0")
    if tail[20:24] != b"PK\5\6" or tail[-2:] != b"\0\0":
        raise ValueError("it does not end like one, as a truncated file does")
    if tail[:4] == b"PK\6\7" or int.from_bytes(tail[32:36], "little") > min(size, _DIRECTORY):
        raise ValueError("it is larger than 4 GiB or has too many members")
    file.seek(0)
    return size


def _read_array(stream, size):
    """Return the array in the stream of a .npy file of this size; nothing is allocated that is not there."""
    start = stream.read(10)
    length = int.from_bytes(start[8:], "little")
    header = _HEADER.fullmatch(stream.read(length).decode("latin1"))
    if start[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise ValueError("a member is no array of numbers or strings")
    dtype, fortran = np.dtype(header[1]), header[2] == "True"
    shape = tuple(int(n) for n in header[3].split(",") if n.strip())
    entries = size - 10 - length
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != entries:
        raise ValueError(f"the shape of a member asks for {math.prod(shape)} {dtype}, but {entries} bytes are there")
    data, done = np.empty(entries, np.uint8), 0
    while done < entries:
        part = stream.read(min(_CHUNK, entries - done))
        if not part:
            raise ValueError("a member is truncated")
        data[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    if stream.read(1):  # at the end, the checksum is compared
        raise ValueError("a member is longer than its shape")
    if dtype.kind == "b" and entries and data.max() > 1:
        raise ValueError("a member of truth values holds others than 0 and 1")
    if dtype.kind == "U" and entries:
        codes = data.view(dtype.byteorder + "u4")
        if codes.max() > 0x10FFFF or np.any((codes >= 0xD800) & (codes < 0xE000)):
            raise ValueError("a member of strings holds what are no characters")
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")


def _read_npz(file):
    size = _check_directory(file)
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > _most(size):
            raise ValueError(f"{size} bytes claim to hold {total}, more than numbers pack to")
        if len({member.filename for member in members}) < len(members):
            raise ValueError("two members have one name")
        for member in members:
            if member.flag_bits & 1:
                raise ValueError("a member is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("a member is packed by another method than deflate")
            if not member.filename.endswith(".npy"):
                raise ValueError("a member is no .npy file")
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = _read_array(stream, member.file_size)
    return arrays


def load_npz(path, expected):
    """Read the arrays of a file that ``save_npz`` wrote, without pickle.

    Sizes are held against the file before memory is taken: arrays may have 32 MiB in all, or 32 times the file's size.

    Args:
        path: file name.
        expected: names that must be there.

    Returns:
        dict of arrays of numbers or strings.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: the file may not be read.
        ValueError: the file is damaged, is no .npz file, asks for too much memory, or lacks an expected name.
    """
    with opened(path) as file:
        try:
            arrays = _read_npz(file)
        except Exception as error:  # of all kinds: zipfile, zlib and NumPy meet damage in many places
            raise ValueError(
                f"{path} is not a readable .npz file ({short(error)}): expected one saved by aelib"
            ) from error
    missing = sorted(set(expected) - set(arrays))
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: expected a file saved by aelib for this purpose")
    return arrays
