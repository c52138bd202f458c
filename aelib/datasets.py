"""MNIST, and any data set in its format, from the IDX files of a local folder. Nothing is downloaded."""

import hashlib
import os
import weakref
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from aelib.files.folders import checksums, find, listing, state
from aelib.files.idx import parse_idx, read_idx

__all__ = ["DATA", "MNIST", "Mnist", "data_folder", "load_mnist", "on_mnist", "parse_idx"]

DATA = Path(__file__).resolve().parent.parent / "data"
MNIST = "ffea4a19c731c287"  # its fingerprint
_IN_USE = weakref.WeakValueDictionary()  # data sets by the state of their files


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


def load_mnist(path=None):
    """Return MNIST, or a data set of the same format, with pixels scaled to [0, 1].

    A file may be packed by gzip or not, whatever its name says, and be called ``train-images-idx3-ubyte`` or
    ``train-images.idx3-ubyte``, with or without ``.gz``; of several, the first is read, packed before unpacked.
    Where the folder has a ``SHA256SUMS``, in any common form, it must list each of the four under one of these names,
    and the file, or what is packed in it, must have a checksum listed so.

    As long as a data set is in use, the same files, unchanged, give the same object, at once.

    Args:
        path: folder of the four files. By default the environment variable ``AELIB_DATA``, or else the project's
            ``data/``. ``~`` is the home folder.

    Raises:
        FileNotFoundError: the folder or a file is missing.
        PermissionError: a file may not be read.
        ValueError: a file is truncated, damaged, of another format, unfit for the others, or of another checksum.

    Source: Y. LeCun et al., 1998, "Gradient-based learning applied to document recognition".
    """
    folder = data_folder(path)
    present = listing(folder)
    if (known := _IN_USE.get(key := state(present))) is not None:
        return known
    sums = checksums(present["sha256sums"]) if "sha256sums" in present else None
    arrays, pixels = {}, (None, None)
    for part, begin in (("train", "train"), ("test", "t10k")):
        labels = read_idx(*find(folder, present, sums, f"{begin}-labels-idx1-ubyte"), part, (None,))
        images = read_idx(*find(folder, present, sums, f"{begin}-images-idx3-ubyte"), part, (len(labels), *pixels))
        pixels = images.shape[1:]
        scaled = np.multiply(images.reshape(len(images), -1), np.float32(1 / 255))
        scaled.setflags(write=False)
        arrays |= {f"{part}_images": scaled, f"{part}_labels": labels}
    _IN_USE[key] = mnist = Mnist(**arrays)
    return mnist


def on_mnist(mnist):
    """Return whether a data set is MNIST, on which the labs' numbers and claims hold; where it is another, print so."""
    if mnist.fingerprint == MNIST:
        return True
    print("This data set is not MNIST: the numbers and claims in the text are MNIST's, and are not checked here.")
    return False
