"""MNIST, and any data set in its format, from the IDX files of a local folder. Nothing is downloaded."""

import gzip
import hashlib
import io
import math
import os
import time
import weakref
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from aelib.arrays import shown
from aelib.files import DEFLATE, reading, save

DATA = Path(__file__).resolve().parent.parent / "data"
MNIST = "ffea4a19c731c287"  # its fingerprint
_FINGERPRINTS = {}  # by the state of the files
_IN_USE = weakref.WeakValueDictionary()  # data sets by the state of their files
_FILES = {  # what an array of ``Mnist`` is read from
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_SUMS = "sha256sums"


@dataclass(frozen=True)
class Mnist:
    """Images in rows, float32 in [0, 1], and their labels, uint8.

    For MNIST: train_images (60000, 784), train_labels (60000,), test_images (10000, 784), test_labels (10000,).
    The arrays that ``load_mnist`` returns are read-only.
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
    if path is not None and not isinstance(path, str | os.PathLike):
        raise ValueError(f"path is {shown(path)}: expected the name of a folder")
    return Path(os.path.expanduser(path or os.environ.get("AELIB_DATA") or DATA))


def load_mnist(path=None):
    """Return MNIST, or a data set of the same format, with pixels scaled to [0, 1].

    A file may be packed by gzip or not, whatever its name says, and be called ``train-images-idx3-ubyte`` or
    ``train-images.idx3-ubyte``, with or without ``.gz``; of several, the first is read, packed before unpacked.
    Where the folder has a ``SHA256SUMS`` (lines of a digest and a name, as ``sha256sum`` writes them), it must list
    each of the four under one of these names, and the file, or what is packed in it, must have a digest listed so.

    As long as a data set is in use, the same files, unchanged, give the same object, at once.

    Args:
        path: folder of the four files. By default the environment variable ``AELIB_DATA``, or else the project's
            ``data/``. ``~`` is the home folder.

    Raises:
        FileNotFoundError: the folder or a file is missing; the sentence says what is there instead.
        PermissionError: a file may not be read.
        ValueError: a file is truncated, damaged, of another format, unfit for the others, or of another digest.

    Source: Y. LeCun et al., 1998, "Gradient-based learning applied to document recognition".
    """
    folder = data_folder(path)
    present = _listing(folder)
    state = _state(present)
    if state in _IN_USE:
        return _IN_USE[state]
    sums = _checksums(present[_SUMS]) if _SUMS in present else None
    arrays = {name: _read(folder, present, sums, name) for name in _FILES}
    for part in ("train", "test"):
        images = arrays[f"{part}_images"]
        labels = arrays[f"{part}_labels"]
        pixels = arrays["train_images"].shape[1:]
        if images.shape != (len(labels), *pixels):
            raise ValueError(
                f"the {part} files in {folder} do not fit: images of shape {images.shape} with {len(labels)} labels, "
                f"expected {(len(labels), *pixels)}"
            )
        scaled = np.multiply(images.reshape(len(images), -1), np.float32(1 / 255))
        scaled.setflags(write=False)
        arrays[f"{part}_scaled"] = scaled
    mnist = Mnist(arrays["train_scaled"], arrays["train_labels"], arrays["test_scaled"], arrays["test_labels"])
    _IN_USE[state] = mnist
    return mnist


def fingerprint_in_force(path=None):
    """Return the fingerprint of the data set in force; its files are read only where they have changed since."""
    state = _state(_listing(data_folder(path)))
    if state in _FINGERPRINTS:
        return _FINGERPRINTS[state]
    found = load_mnist(path).fingerprint
    if isinstance(state, tuple):
        _FINGERPRINTS[state] = found
    return found


def on_mnist(mnist):
    """Return whether a data set is MNIST, on which the labs' numbers and claims hold; where it is another, print so."""
    if not hasattr(mnist, "fingerprint"):
        raise ValueError(f"mnist is {shown(mnist)}: expected a data set, as load_mnist returns it")
    if mnist.fingerprint == MNIST:
        return True
    print("This data set is not MNIST: the numbers and claims in the text are MNIST's, and are not checked here.")
    return False


# -- a folder of files -------------------------------------------------------------------------------------------------


def _listing(folder):
    """Return the files of a folder: {name in lower case: path}."""
    try:
        return {name.lower(): folder / name for name in sorted(os.listdir(folder))}
    except PermissionError:
        raise PermissionError(f"{folder} may not be read: you lack the right to") from None
    except OSError:
        raise FileNotFoundError(
            f"there is no folder {folder}: put the four MNIST files into one, and name it with load_mnist(path) or the "
            "environment variable AELIB_DATA"
        ) from None


def _state(present):
    """Return what tells the data files of a folder from any others: their names, sizes and times of change.

    Files changed in the last two seconds are like no others, as a further change may leave size and time as they are.
    """
    files = [path for name, path in present.items() if "ubyte" in name or name == _SUMS]
    try:
        found = [(str(path), path.stat()) for path in files]
    except OSError:  # reading them says what is wrong
        return object()
    if any(abs(time.time_ns() - about.st_mtime_ns) < 2e9 for _, about in found):
        return object()
    return tuple((path, about.st_ino, about.st_size, about.st_mtime_ns) for path, about in found)


def _checksums(path):
    """Return what a SHA256SUMS file lists: {name in lower case, without its folder: {digest, ...}}."""
    sums = {}
    with reading(path, "list of checksums") as file:
        for line in filter(str.strip, file.read().decode("utf-8-sig").splitlines()):
            digest, _, name = line.strip().partition(" ")
            if len(digest) != 64 or not name.strip():
                raise ValueError(f"{line.strip()!r} is no line of a SHA-256 digest and a name")
            sums.setdefault(Path(name.strip(" *")).name.lower(), set()).add(digest.lower())
    return sums


def _read(folder, present, sums, name):
    """Return an array of ``Mnist`` from the file of a folder that is called like it."""
    stem = _FILES[name]
    names = [spelling + packing for spelling in (stem, stem.replace("-idx", ".idx")) for packing in (".gz", "")]
    path = next((present[name] for name in names if name in present), None)
    if path is None:
        there = ", ".join(path.name for path in list(present.values())[:8]) or "no file at all"
        raise FileNotFoundError(
            f"{folder} has no file {stem}, packed by gzip or not; it has {there}. Name the files of one data set "
            f"{', '.join(_FILES.values())}, or write arrays so with aelib.datasets.write_idx(path, array)"
        )
    digests = None if sums is None else set().union(*(sums.get(name, ()) for name in names))
    if digests == set():
        raise ValueError(f"{present[_SUMS]} does not list {path.name}: add its checksum, or remove the list")
    with reading(path, "IDX file") as file:
        return _unpacked(file, digests, dimensions=3 if name.endswith("images") else 1)


def _unpacked(file, digests, dimensions):
    """Return the array in an IDX file, packed or not, whose digest, or that of what is packed in it, is listed."""
    size = os.fstat(file.fileno()).st_size
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    same = digests is None or hashlib.file_digest(file, "sha256").hexdigest() in digests
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    shape = _shape(stream)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"it holds an array of shape {shape[:4]}: expected {dimensions} dimensions, none of them 0")
    total = 4 + 4 * len(shape) + math.prod(shape)
    if total > size * (DEFLATE if packed else 1):
        raise ValueError(f"its header asks for {total} bytes, and it has {size}")
    stream.seek(0)
    data = stream.read(total + 1)
    if not same and hashlib.sha256(data).hexdigest() not in digests:
        raise ValueError("it has not the checksum in SHA256SUMS: it is damaged, or another file than was listed")
    return parse_idx(data)


# -- the IDX format ----------------------------------------------------------------------------------------------------


def _shape(stream):
    """Read the header of an IDX stream of unsigned bytes, and return the shape."""
    start = stream.read(4)
    if len(start) < 4 or start[:3] != b"\0\0\x08" or not start[3]:
        raise ValueError("it is no IDX file of unsigned bytes, which begins with 00 00 08")
    sizes = stream.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise ValueError(f"it claims {start[3]} dimensions, and ends before their sizes")
    return tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))


def parse_idx(data):
    """Return the array in the bytes of an IDX file of unsigned bytes.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the entries in C order.

    Args:
        data: bytes, not packed.

    Returns:
        A read-only uint8 array.

    Raises:
        ValueError: no IDX file of unsigned bytes, or shorter or longer than its header says.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])).tolist()
    [7, 9]
    """
    shape = _shape(io.BytesIO(data))
    header = 4 + 4 * len(shape)
    if len(data) != header + math.prod(shape):
        raise ValueError(f"it has {len(data)} bytes, and its header asks for {header + math.prod(shape)}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def write_idx(path, array):
    """Write an array of whole numbers from 0 to 255 to ``path`` in the IDX format, packed if the name ends in ``.gz``.

    So a data set of another form can be read by ``load_mnist``: images (n, rows, columns), labels (n,).

    Raises:
        ValueError: the array holds other numbers.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() <= 255):
        raise ValueError(f"the array is {array.dtype}{array.shape}: expected whole numbers from 0 to 255")
    data = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    data += array.astype(np.uint8).tobytes()
    packed = gzip.compress(data, mtime=0) if str(path).lower().endswith(".gz") else data
    save(path, lambda file: file.write(packed))
