import gzip
import hashlib
import os
import shutil
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aelib import load_mnist
from aelib.datasets import DATA, data_folder, fingerprint_in_force, on_mnist, parse_idx, write_idx


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


def test_what_is_in_use_is_not_read_again(folder):
    def aged(seconds):
        for path in folder.iterdir():
            os.utime(path, ns=(0, time.time_ns() - seconds * 10**9))

    aged(100)
    before = load_mnist(folder)
    assert load_mnist(folder) is before
    labels = folder / "t10k-labels-idx1-ubyte.gz"
    other = unpacked(labels)[:-1] + b"\7"
    labels.write_bytes(gzip.compress(other))  # young: its time may not tell it from the next change
    assert load_mnist(folder) is not load_mnist(folder)
    aged(50)
    after = load_mnist(folder)
    assert after.test_labels[-1] == 7 != before.test_labels[-1] and load_mnist(folder) is after
    aged(-3600)  # a clock that went wrong, or another time zone's archive: times in the future
    assert load_mnist(folder) is load_mnist(folder)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="has no file t10k-labels-idx1-ubyte"):
        load_mnist(folder)


def test_mnist_is_known_by_its_fingerprint(folder, mnist, capsys):
    assert on_mnist(mnist) and not capsys.readouterr().out
    assert not on_mnist(load_mnist(folder)) and "not MNIST" in capsys.readouterr().out


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


def test_the_fingerprint_in_force_is_that_of_the_files_as_they_stand(folder, monkeypatch):
    """Also where a running kernel has read the old ones; unchanged files are not read again."""
    for path in folder.iterdir():
        os.utime(path, ns=(0, time.time_ns() - 10**11))
    before = fingerprint_in_force(folder)
    assert before == load_mnist(folder).fingerprint
    monkeypatch.setattr("aelib.datasets.load_mnist", None)
    assert fingerprint_in_force(folder) == before
    monkeypatch.undo()
    write(folder / "t10k-labels-idx1-ubyte.gz", np.arange(3) + 1)
    assert fingerprint_in_force(folder) == load_mnist(folder).fingerprint != before


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
    with pytest.raises(ValueError, match=r"t10k-labels.*it has not the checksum in SHA256SUMS"):
        load_mnist(tmp_path)


def unpacked(path):
    return gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(
    "variant",
    [
        lambda path: path.rename(path.with_suffix("")),  # packed, and not called so
        lambda path: path.write_bytes(unpacked(path)),  # unpacked, and called packed
        lambda path: (path.with_suffix("").write_bytes(unpacked(path)), path.unlink()),
        lambda path: path.rename(path.with_name(path.name.replace("-idx", ".idx"))),
        lambda path: (path.with_name(path.stem.replace("-idx", ".idx")).write_bytes(unpacked(path)), path.unlink()),
        lambda path: path.rename(path.with_name(path.name.upper())),
        lambda path: path.write_bytes(
            gzip.compress(unpacked(path)[:9]) + gzip.compress(unpacked(path)[9:]) + bytes(99)
        ),
    ],
    ids=["no .gz", "unpacked .gz", "unpacked", "dot", "dot, unpacked", "upper case", "two members, and padding"],
)
def test_files_are_found_and_read_as_people_have_them(folder, variant):
    before = load_mnist(folder).fingerprint
    for path in list(folder.iterdir()):
        variant(path)
    assert load_mnist(folder).fingerprint == before


def sums(folder, form="{digest}  {name}\n", names=str, content=Path.read_bytes):
    """Return the text of a list of checksums of the four files."""
    lines = ""
    for path in sorted(folder.glob("*ubyte*")):
        lines += form.format(digest=hashlib.sha256(content(path)).hexdigest(), name=names(path.name))
    return lines


LISTS = {
    "GNU": lambda f: sums(f),
    "./*": lambda f: sums(f, "{digest}  ./{name}\n"),
    "binary": lambda f: sums(f, "{digest} *{name}\n"),
    "a folder's": lambda f: sums(f, "{digest}  data/raw/{name}\n"),
    "Windows": lambda f: sums(f, "{digest} *{name}\r\n"),
    "upper case": lambda f: sums(f).upper(),
    "empty lines": lambda f: "\n" + sums(f, "{digest}  {name}\n\n"),
    "BOM": lambda f: "\ufeff" + sums(f),
    "what is packed": lambda f: sums(f, names=lambda name: name.removesuffix(".gz"), content=unpacked),
    "other spelling": lambda f: sums(f, names=lambda name: name.replace("-idx", ".idx")),
    "old and new": lambda f: sums(f, content=lambda path: b"an older file") + sums(f),
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_lists_of_checksums_are_compared(folder, text):
    (folder / "SHA256SUMS").write_bytes(text(folder).encode())
    before = load_mnist(folder)
    for path in sorted(folder.glob("*ubyte.gz")):
        whole = path.read_bytes()
        path.write_bytes(gzip.compress(unpacked(path)[:-1] + b"\7"))  # the last pixel, or the last label
        with pytest.raises(ValueError, match=f"{path.name} .*it has not the checksum in SHA256SUMS"):
            load_mnist(folder)
        path.write_bytes(whole)
    assert load_mnist(folder).fingerprint == before.fingerprint


def test_unpacked_files_are_compared_with_the_checksums_of_unpacked_ones(folder):
    (folder / "SHA256SUMS").write_text(sums(folder))
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(unpacked(path))
        path.unlink()
    with pytest.raises(ValueError, match="it has not the checksum in SHA256SUMS"):
        load_mnist(folder)
    (folder / "SHA256SUMS").write_text((folder / "SHA256SUMS").read_text() + sums(folder))
    assert len(load_mnist(folder).train_images) == 6


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda text: text.replace(b"t10k-labels", b"other"), r"SHA256SUMS does not list t10k-labels.*: add its"),
        (lambda text: b"", "SHA256SUMS does not list"),
        (lambda text: text + b"d41d8cd98f00b204e9800998ecf8427e  a.txt\n", "'d41d8.* is no line of a SHA-256 digest"),
        (lambda text: text + b"to be done\n", "'to be done' is no line of a SHA-256 digest and a name"),
        (lambda text: text + b"x" * 5000, r"'xxx.*\.\.\."),
        (lambda text: b"\xff\xfe\0", "SHA256SUMS is not a readable list of checksums"),
        (lambda text: b"\x89PNG\r\n\x1a\n\0\0", "SHA256SUMS is not a readable list of checksums"),
    ],
)
def test_lists_that_do_not_list(folder, edit, sentence):
    path = folder / "SHA256SUMS"
    path.write_bytes(edit(sums(folder).encode()))
    assert str(path) in refused(folder, sentence)


def refused(folder, sentence, kind=ValueError):
    """Check that a folder is refused in one sentence, in little memory; return the sentence."""
    tracemalloc.start()
    try:
        with pytest.raises(kind, match=sentence) as caught:
            load_mnist(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700 and caught.type is kind and peak < 100 * 2**20, (text, peak)
    return text


def zeros(path, header, size):
    """Write a .gz file of a header and ``size`` zeros, a thousand times smaller than what it holds."""
    with gzip.open(path, "wb") as file:
        file.write(header)
        for _ in range(size // 2**24):
            file.write(bytes(2**24))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-10]), "ended before"),
        (lambda p: p.write_bytes(b""), "it is no IDX file"),
        (lambda p: p.write_bytes(b"<html>not found</html>"), "it is no IDX file"),
        (lambda p: p.write_bytes(p.read_bytes()[:-8] + b"\0" * 8), "CRC"),
        (lambda p: p.write_bytes(gzip.compress(idx(np.zeros(6))) + b"more"), "gzip"),
        (lambda p: p.write_bytes(gzip.compress(b"") * 10_000), "it is no IDX file of unsigned bytes"),
        (lambda p: p.write_bytes(gzip.compress(b"hello, world")), "it is no IDX file of unsigned bytes"),
        (lambda p: p.write_bytes(gzip.compress(idx(np.zeros(6))[:-1])), "it has 13 bytes, and its header asks for 14"),
        (lambda p: p.write_bytes(idx(np.zeros(6))[:-1]), "its header asks for 14 bytes, and it has 13"),
        (lambda p: p.write_bytes(idx(np.zeros(6)) + b"\0"), "it has 15 bytes, and its header asks for 14"),
        (lambda p: p.write_bytes(gzip.compress(idx(np.zeros(6)) + bytes(99))), "it has 15 bytes"),
        (lambda p: write(p, np.zeros((6, 1))), r"an array of shape \(6, 1\): expected 1 dimensions"),
        (lambda p: p.write_bytes(b"\0\0\x08\xff" + bytes(1020)), "expected 1 dimensions"),
        (lambda p: p.write_bytes(b"\0\0\x08\3" + b"\xff" * 5), "claims 3 dimensions"),
        (lambda p: write(p, np.zeros(0)), r"an array of shape \(0,\): expected 1 dimensions, none of them 0"),
        (lambda p: p.write_bytes(b"\0\0\x08\1\xff\xff\xff\xff"), "asks for 4294967303 bytes, and it has 8"),
        (lambda p: p.write_bytes(gzip.compress(b"\0\0\x08\1\xff\xff\xff\xff")), "asks for 4294967303 bytes"),
        (lambda p: zeros(p, idx(np.zeros(6)), 2**28), "it has 15 bytes"),
        (lambda p: zeros(p, b"", 2**28), "it is no IDX file"),
        (lambda p: p.write_bytes(b"\0\0\x0c\1\0\0\0\6" + bytes(24)), "it is no IDX file of unsigned bytes"),
    ],
)
def test_damaged_and_hostile_files_are_one_sentence_and_little_memory(folder, damage, sentence):
    path = folder / "train-labels-idx1-ubyte.gz"
    damage(path)
    assert str(path) in refused(folder, sentence)


def test_plain_images_pack_as_well_as_they_may(folder):
    """A thousand times smaller, as deflate packs what is all alike: no reason to refuse them."""
    for name, n in (("train", 40_000), ("t10k", 3)):
        write(folder / f"{name}-images-idx3-ubyte.gz", np.zeros((n, 50, 50)))
        write(folder / f"{name}-labels-idx1-ubyte.gz", np.zeros(n))
    path = folder / "train-images-idx3-ubyte.gz"
    assert path.stat().st_size < 40_000 * 2500 / 900
    assert load_mnist(folder).train_images.shape == (40_000, 2500)


OTHERS = {
    "EMNIST": ("emnist-digits-{part}-images-idx3-ubyte.gz", "emnist-digits-{part}-labels-idx1-ubyte.gz"),
    "QMNIST": ("qmnist-{part}-images-idx3-ubyte.gz", "qmnist-{part}-labels-idx2-int.gz"),
    "KMNIST": ("kmnist-{part}-imgs.npz", "kmnist-{part}-labels.npz"),
    "Keras": ("mnist.npz",),
    "nothing": (),
}


@pytest.mark.parametrize("names", OTHERS.values(), ids=OTHERS)
def test_data_sets_under_their_own_names(names, tmp_path):
    """The sentence says what is there, and what to do; done so, they are read."""
    there = sorted({name.format(part=part) for name in names for part in ("train", "test")})
    for name in there:
        (tmp_path / name).write_bytes(b"")
    sentence = refused(
        tmp_path, r"has no file train-images-idx3-ubyte, packed by gzip or not; it has", FileNotFoundError
    )
    assert all(name in sentence for name in there or ["no file at all"])
    assert "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels" in sentence


def test_arrays_of_any_origin_can_be_written_as_mnist_is(tmp_path, rng):
    arrays = {}
    for part, n in (("train", 6), ("t10k", 3)):
        arrays[part] = rng.integers(0, 256, (n, 4, 5)), rng.integers(0, 10, n)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", arrays[part][0])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", arrays[part][1])
    small = load_mnist(tmp_path)
    np.testing.assert_allclose(small.train_images, arrays["train"][0].reshape(6, 20) / 255, rtol=1e-6)
    np.testing.assert_array_equal(small.test_labels, arrays["t10k"][1])
    for wrong in (np.ones(3), np.array([256]), np.array([-1])):
        with pytest.raises(ValueError, match="expected whole numbers from 0 to 255"):
            write_idx(tmp_path / "a", wrong)


def test_files_that_do_not_fit_one_another(folder, rng):
    write(folder / "train-labels-idx1-ubyte.gz", np.zeros(7))
    refused(folder, r"the train files .* do not fit: images of shape \(6, 4, 5\) with 7 labels, expected \(7, 4, 5\)")
    write(folder / "train-labels-idx1-ubyte.gz", np.zeros(6))
    write(folder / "t10k-images-idx3-ubyte.gz", rng.integers(0, 256, (3, 5, 4)))
    refused(folder, r"the test files .* do not fit: images of shape \(3, 5, 4\) with 3 labels, expected \(3, 4, 5\)")


def test_places_without_data(folder, tmp_path, monkeypatch):
    path = folder / "train-labels-idx1-ubyte.gz"
    path.unlink()
    refused(folder, "has no file train-labels-idx1-ubyte, .* it has t10k-images.*, train-images", FileNotFoundError)
    path.mkdir()
    refused(folder, "train-labels.*it is a folder or a device")
    monkeypatch.setattr("aelib.datasets.DATA", tmp_path / "site-packages" / "data")  # a wheel brings no data
    monkeypatch.delenv("AELIB_DATA", raising=False)
    for place in (None, folder / "nowhere", folder / "t10k-labels-idx1-ubyte.gz"):
        sentence = refused(place, "there is no folder .*: put the four MNIST files into one", FileNotFoundError)
        assert "load_mnist(path)" in sentence and "AELIB_DATA" in sentence


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["t10k-labels-idx1-ubyte.gz", "SHA256SUMS"])
def test_loops_of_links(folder, name):
    path = folder / name
    path.unlink(missing_ok=True)
    path.symlink_to(path)
    refused(folder, f"{name} is not a readable")


def test_files_that_may_not_be_read(folder, monkeypatch):
    def forbidden(*args, **kwargs):  # whoever runs the tests as root may read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    refused(folder, "train-images.* may not be read: you lack the right to", PermissionError)
    monkeypatch.setattr("os.listdir", forbidden)
    refused(folder, f"^{folder} may not be read", PermissionError)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0)))
def test_parse_idx_reads_back_what_was_written(array):
    np.testing.assert_array_equal(parse_idx(idx(array)), array)


@given(st.binary(max_size=40) | st.binary(max_size=260).map(lambda tail: b"\0\0\x08" + tail))
def test_parse_idx_reads_or_refuses_any_bytes(data):
    try:
        array = parse_idx(data)
    except ValueError:
        return
    assert idx(array)[4 + 4 * array.ndim :] == data[4 + 4 * array.ndim :]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_folders_are_read_or_refused(tmp_path_factory, data):
    """Bytes of one file, packed or not, are changed, and its end may be lost."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    for part, n in (("train", 3), ("t10k", 2)):
        write(folder / f"{part}-images-idx3-ubyte.gz", np.arange(n * 4).reshape(n, 2, 2))
        write(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(n))
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    whole = bytearray(path.read_bytes() if data.draw(st.booleans()) else unpacked(path))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: len(whole) - data.draw(st.integers(0, 3))])
    try:
        assert load_mnist(folder).train_images.shape == (3, 4)
    except ValueError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
