"""MNIST, and any data set in its format, from the IDX files of a local folder. Nothing is downloaded."""

import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


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
    return Path(path or os.environ.get("AELIB_DATA") or DATA).expanduser()


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
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not data[3]:
        raise ValueError(f"{name} is no IDX file of unsigned bytes: expected it to begin with 00 00 08")
    header = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    if len(data) != header + math.prod(shape):
        raise ValueError(
            f"{name} has {len(data)} bytes: expected {header + math.prod(shape)} for its header's shape {shape}; "
            "it is truncated or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _checksums(folder):
    try:
        lines = (folder / "SHA256SUMS").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name.lstrip("*"): digest for digest, name in (line.split() for line in lines if line.strip())}


def _read(path, dimensions, checksum):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: expected the four MNIST files there; copy them to that folder, or name another with "
            "load_mnist(path) or the environment variable AELIB_DATA"
        )
    packed = path.read_bytes()
    if checksum and hashlib.sha256(packed).hexdigest() != checksum:
        raise ValueError(
            f"{path} does not match its checksum in SHA256SUMS: it is damaged or another file; copy it anew"
        )
    try:
        data = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file ({error}): copy it anew") from None
    array = parse_idx(data, str(path))
    if array.ndim != dimensions:
        raise ValueError(f"{path} holds an array of shape {array.shape}: expected {dimensions} dimensions")
    return array


def load_mnist(path=None):
    """Return MNIST, or a data set of the same format, with pixels scaled to [0, 1].

    Args:
        path: folder of the four ``.gz`` files. By default the environment variable ``AELIB_DATA``, or else the
            project's ``data/``. Where the folder has a ``SHA256SUMS``, every file is compared with it.

    Returns:
        Mnist.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is truncated, damaged, of another format, or does not fit the others.

    Source: Y. LeCun et al., 1998, "Gradient-based learning applied to document recognition".
    """
    folder = data_folder(path)
    sums = _checksums(folder)
    arrays = {}
    for name, file in _FILES.items():
        arrays[name] = _read(folder / file, 3 if name.endswith("images") else 1, sums.get(file))
    pixels = arrays["train_images"].shape[1:]
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if len(images) != len(labels) or images.shape[1:] != pixels:
            raise ValueError(f"{folder}: the {part} files do not fit: images {images.shape}, labels {labels.shape}")
        scaled = np.multiply(images.reshape(len(images), -1), np.float32(1 / 255))
        scaled.setflags(write=False)
        arrays[f"{part}_images"] = scaled
    return Mnist(**arrays)
