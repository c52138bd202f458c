"""The IDX format of MNIST: arrays of unsigned bytes, packed by gzip or not, read with bounded memory."""

import gzip
import hashlib
import io
import math
import os
import zlib

import numpy as np

from aelib.files.archives import opened, reading, short

_SMALL, _RATIO = 2**26, 200  # a gzip file may expand to so many bytes, or to so many times its own size
_TYPES = {9: "signed bytes", 11: "short integers", 12: "integers", 13: "floats", 14: "doubles"}  # IDX knows these too


def _shape(stream, name):
    """Read the header of an IDX stream of unsigned bytes, and return the shape."""
    start = stream.read(4)
    if len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES:
        raise ValueError(f"{name} is an IDX file of {_TYPES[start[2]]}: expected unsigned bytes, numbers from 0 to 255")
    if len(start) < 4 or start[:3] != b"\0\0\x08" or not start[3]:
        raise ValueError(f"{name} is no IDX file of unsigned bytes: expected it to begin with 00 00 08")
    sizes = stream.read(4 * start[3])
    if start[3] > 64 or len(sizes) < 4 * start[3]:
        raise ValueError(f"{name} claims {start[3]} dimensions: expected at most 64, and their sizes; it is damaged")
    return tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))


def _shown(shape):
    return f"shape {shape}" if len(shape) <= 4 else f"{len(shape)} dimensions"


def parse_idx(data, name="the data"):
    """Return the array in the bytes of an IDX file of unsigned bytes.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the entries in C order.

    Args:
        data: bytes, decompressed.
        name: what to call them in an error.

    Returns:
        A read-only uint8 array.

    Raises:
        ValueError: no IDX file of unsigned bytes, or shorter or longer than its header says.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])).tolist()
    [7, 9]
    """
    shape = _shape(io.BytesIO(data), name)
    header = 4 + 4 * len(shape)
    if len(data) != header + math.prod(shape):
        raise ValueError(
            f"{name} has {len(data)} bytes: expected {header + math.prod(shape)} for its header's {_shown(shape)}; "
            "it is truncated or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _check_shape(shape, like, path, part):
    """Refuse a shape that is not ``like``, where None stands for any positive number."""
    if len(shape) != len(like):
        raise ValueError(f"{path} holds an array of {_shown(shape)}: expected {len(like)} dimensions")
    if 0 in shape:
        raise ValueError(f"{path} is empty: it has {_shown(shape)}")
    if any(n not in (None, m) for m, n in zip(shape, like, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in like)
        raise ValueError(f"the {part} files do not fit: {path} has {_shown(shape)}, expected ({wanted}) by the others")


def _other_checksum(path):
    return ValueError(
        f"{path} does not match its checksum in SHA256SUMS: it is damaged, or another file than was listed, perhaps "
        "packed otherwise; copy it anew"
    )


def read_idx(path, digests, part, like):
    """Return the array in an IDX file, packed by gzip or not. Its shape is judged before its entries are read.

    Args:
        path: the file.
        digests: SHA-256 digests; the file, or what is packed in it, must have one of them. None: it need not.
        part: "train" or "test", for an error.
        like: the shape expected, with None for any number.
    """
    with opened(path) as file, reading(path):
        size, start = os.fstat(file.fileno()).st_size, file.read(2)
        packed = start == b"\x1f\x8b"
        if path.suffix.lower() == ".gz" and not packed and start[:1] != b"\0":
            raise ValueError(f"{path} is not a whole gzip file, nor an unpacked one: copy it anew")
        file.seek(0)
        same = digests is None or hashlib.file_digest(file, "sha256").hexdigest() in digests
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        try:
            if not (same or packed):
                raise _other_checksum(path)
            shape = _shape(stream, path)
            _check_shape(shape, like, path, part)
            total = 4 + 4 * len(shape) + math.prod(shape)
            if packed and total > max(_SMALL, _RATIO * size):
                raise ValueError(
                    f"{path} has {size} bytes, too few for the {total} that its header claims: copy it anew"
                )
            stream.seek(0)
            data = stream.read((total if packed else min(total, size)) + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is not a whole gzip file ({short(error)}): copy it anew") from None
    if not (same or hashlib.sha256(data).hexdigest() in digests):
        raise _other_checksum(path)
    if len(data) > total:
        raise ValueError(f"{path} has more than the {total} bytes that its header asks for: it is damaged")
    return parse_idx(data, path)
