import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aelib import load_mnist
from aelib.datasets import DATA, data_folder, parse_idx


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(k).to_bytes(4, "big") for k in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path, rng):
    """A small data set in MNIST's format, without checksums."""
    for part, n in (("train", 6), ("t10k", 3)):
        write(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 4, 5)))
        write(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.arange(n))
    return tmp_path


def write(path, array):
    path.write_bytes(gzip.compress(idx(array)))


def test_mnist_is_whole(mnist):
    assert mnist.train_images.shape == (60000, 784) and mnist.test_images.shape == (10000, 784)
    assert mnist.train_images.dtype == np.float32
    assert mnist.train_images.min() == 0 and mnist.train_images.max() == 1
    assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    with pytest.raises(ValueError, match="read-only"):
        mnist.train_images[0, 0] = 1


def test_another_folder_by_path_or_environment(folder, monkeypatch):
    small = load_mnist(folder)
    assert small.train_images.shape == (6, 20) and small.test_labels.tolist() == [0, 1, 2]
    monkeypatch.setenv("AELIB_DATA", str(folder))
    np.testing.assert_array_equal(load_mnist().test_images, small.test_images)
    raw = parse_idx(gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes()))
    np.testing.assert_allclose(small.train_images, raw.reshape(6, 20) / 255, rtol=1e-6)


def test_the_fingerprint_is_that_of_the_content(folder, mnist):
    before = load_mnist(folder)
    for path in folder.iterdir():  # packed otherwise: the same content
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert before.fingerprint == load_mnist(folder).fingerprint != mnist.fingerprint
    assert mnist.fingerprint == "ffea4a19c731c287"
    labels = before.test_labels.copy()
    labels[0] += 1
    for change in (
        dict(test_labels=labels),
        dict(test_images=before.train_images),
        dict(train_images=before.test_images),
    ):
        assert replace(before, **change).fingerprint != before.fingerprint
    assert replace(before).fingerprint == before.fingerprint


def test_the_folder_in_force(monkeypatch):
    assert data_folder("somewhere") == Path("somewhere") and data_folder("~/digits") == Path.home() / "digits"
    monkeypatch.delenv("AELIB_DATA", raising=False)
    assert data_folder() == DATA
    monkeypatch.setenv("AELIB_DATA", "~/digits")
    assert data_folder() == Path.home() / "digits" and data_folder("here") == Path("here")


def test_a_changed_file_fails_its_checksum(tmp_path):
    for path in DATA.glob("*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    name = tmp_path / "t10k-labels-idx1-ubyte.gz"
    write(name, np.zeros(10000))
    with pytest.raises(ValueError, match=r"t10k-labels.* does not match its checksum in SHA256SUMS"):
        load_mnist(tmp_path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: p.unlink(), "train-labels.* is missing: expected the four MNIST files there"),
        (lambda p: p.write_bytes(p.read_bytes()[:-10]), "is not a whole gzip file"),
        (lambda p: p.write_bytes(b""), "no IDX file|is not a whole gzip file"),
        (lambda p: p.write_bytes(b"<html>not found</html>"), "is not a whole gzip file"),
        (lambda p: p.write_bytes(p.read_bytes()[:-8] + b"\0" * 8), "is not a whole gzip file"),
        (lambda p: p.write_bytes(gzip.compress(b"hello, world")), "is no IDX file of unsigned bytes"),
        (lambda p: p.write_bytes(gzip.compress(idx(np.zeros(6))[:-1])), "truncated or damaged"),
        (lambda p: write(p, np.zeros((6, 1))), r"holds an array of shape \(6, 1\): expected 1 dimensions"),
        (lambda p: write(p, np.zeros(7)), "the train files do not fit"),
    ],
)
def test_bad_files_give_one_clear_sentence(folder, damage, sentence):
    damage(folder / "train-labels-idx1-ubyte.gz")
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        load_mnist(folder)
    assert "\n" not in str(caught.value)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0)))
def test_parse_idx_reads_back_what_was_written(array):
    np.testing.assert_array_equal(parse_idx(idx(array)), array)


@given(st.binary(max_size=40))
def test_parse_idx_reads_or_refuses_any_bytes(data):
    try:
        array = parse_idx(data)
    except ValueError:
        return
    assert idx(array)[4 + 4 * array.ndim :] == data[4 + 4 * array.ndim :]
