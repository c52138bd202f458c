"""MNIST, and any data set in its format, from the IDX files of a local folder. Nothing is downloaded."""

import codecs
import gzip
import hashlib
import io
import math
import os
import re
import zlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from aelib.files import opened, reading, short

DATA = Path(__file__).resolve().parent.parent / "data"
MNIST = "ffea4a19c731c287"  # its fingerprint
_SMALL, _RATIO = 2**26, 200  # a gzip file may expand to so many bytes, or to so many times its own size
_TYPES = {9: "signed bytes", 11: "short integers", 12: "integers", 13: "floats", 14: "doubles"}  # IDX knows these too
_CHECKSUM = re.compile(  # as GNU's sha256sum, PowerShell's Get-FileHash, BSD's sha256 and OpenSSL write it
    r"\\?(?:sha256\s+)?([0-9a-f]{64})\s+\*?(\S.*)|\\?sha(?:2-)?256 ?\((.+)\) ?= ?([0-9a-f]{64})", re.IGNORECASE
)
_NO_CHECKSUM = re.compile(r"([#;].*|-[- ]*|algorithm\s+hash\s+path)?", re.IGNORECASE)  # comments, and a table's head


@dataclass(frozen=True)
class Mnist:
    """Images in rows, float32 in [0, 1], and their labels, uint8.

    For MNIST: train_images (60000, 784), train_labels (60000,), test_images (10000, 784), test_labels (10000,).
    The arrays are read-only.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @cached_property
    def fingerprint(self):
        """16 hexadecimal digits that tell data sets apart: a hash of the four arrays' types, shapes and entries.

        How the files are packed or called does not matter; computed at first use (0.2 s for MNIST) and kept.
        """
        digest = hashlib.blake2b(digest_size=8)
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name))
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{field.name} {array.dtype.str} {array.shape}".encode())
            digest.update(array)
        return digest.hexdigest()


def data_folder(path=None):
    """Return the folder in force: ``path``, or else the environment variable ``AELIB_DATA``, or the project's data/."""
    return Path(os.path.expanduser(path or os.environ.get("AELIB_DATA") or DATA))


# -- IDX -------------------------------------------------------------------------------------------------------


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


def _read(path, digests, part, like):
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


# -- folders ---------------------------------------------------------------------------------------------------


def _other_checksum(path):
    return ValueError(
        f"{path} does not match its checksum in SHA256SUMS: it is damaged, or another file than was listed, perhaps "
        "packed otherwise; copy it anew"
    )


def _checksums(path):
    """Return what a SHA256SUMS file lists: {name in lower case, without its folder: {digest, ...}}."""
    with opened(path) as file, reading(path):
        data = file.read(2**20)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Windows PowerShell writes so
    try:
        lines = data.decode("utf-16" if wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text ({short(error)}): expected lines of a digest and a name") from None
    sums = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if found := _CHECKSUM.fullmatch(line):
            digest, name = found[1] or found[4], found[2] or found[3]
            sums.setdefault(re.split(r"[\\/]", name)[-1].lower(), set()).add(digest.lower())
        elif not _NO_CHECKSUM.fullmatch(line):
            raise ValueError(f"{path}, line {number}: {short(repr(line))} is no SHA-256 digest with a name")
    return sums


def _listing(folder):
    """Return the files of a folder: {name in lower case: path}."""
    try:
        with reading(folder):
            return {name.lower(): folder / name for name in sorted(os.listdir(folder))}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no folder {folder}: put the four MNIST files into one, and name it with load_mnist(path) or the "
            "environment variable AELIB_DATA"
        ) from None


def _find(folder, present, sums, stem):
    """Return the path of the file that is called like ``stem``, and the digests listed for it, or None."""
    names = [name + packing for name in (stem, stem.replace("-idx", ".idx")) for packing in (".gz", "")]
    path = next((present[name] for name in names if name in present), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder / names[0]} is missing: expected the four MNIST files there, packed or not; copy them to that "
            "folder, or name another with load_mnist(path) or the environment variable AELIB_DATA"
        )
    if sums is None:
        return path, None
    digests = set().union(*(sums.get(name, ()) for name in names))
    if not digests:
        raise ValueError(f"{present['sha256sums']} does not list {path.name}: add its checksum, or remove the list")
    return path, digests


def load_mnist(path=None):
    """Return MNIST, or a data set of the same format, with pixels scaled to [0, 1].

    A file may be packed by gzip or not, whatever its name says, and be called ``train-images-idx3-ubyte`` or
    ``train-images.idx3-ubyte``, with or without ``.gz``; of several, the first is read, packed before unpacked.
    Where the folder has a ``SHA256SUMS``, in any common form, it must list each of the four under one of these names,
    and the file, or what is packed in it, must have a checksum listed so.

    Args:
        path: folder of the four files. By default the environment variable ``AELIB_DATA``, or else the project's
            ``data/``. ``~`` is the home folder.

    Returns:
        Mnist.

    Raises:
        FileNotFoundError: the folder or a file is missing.
        PermissionError: a file may not be read.
        ValueError: a file is truncated, damaged, of another format, does not fit the others, or does not have the
            checksum listed.

    Source: Y. LeCun et al., 1998, "Gradient-based learning applied to document recognition".
    """
    folder = data_folder(path)
    present = _listing(folder)
    sums = _checksums(present["sha256sums"]) if "sha256sums" in present else None
    arrays, pixels = {}, (None, None)
    for part, begin in (("train", "train"), ("test", "t10k")):
        labels = _read(*_find(folder, present, sums, f"{begin}-labels-idx1-ubyte"), part, (None,))
        images = _read(*_find(folder, present, sums, f"{begin}-images-idx3-ubyte"), part, (len(labels), *pixels))
        pixels = images.shape[1:]
        scaled = np.multiply(images.reshape(len(images), -1), np.float32(1 / 255))
        scaled.setflags(write=False)
        arrays |= {f"{part}_images": scaled, f"{part}_labels": labels}
    return Mnist(**arrays)


def on_mnist(mnist):
    """Return whether a data set is MNIST, on which the labs' numbers and claims hold; where it is another, print so.

    A lab guards its text by it: ``if on_mnist(mnist): assert ...``.
    """
    if mnist.fingerprint == MNIST:
        return True
    print("This data set is not MNIST: the numbers and claims in the text are MNIST's, and are not checked here.")
    return False
