"""Files are written whole or not at all, also when the process is killed; what cannot be read is one sentence."""

import io
import json
import os
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aelib.files import load_json, load_npz, save_npz, save_text

POSIX = pytest.mark.skipif(os.name == "nt", reason="modes, locks and pipes are POSIX's")
MB = 2**20


def packed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def refused(path, kind=ValueError, load=lambda path: load_npz(path, [])):
    """Check that a file is refused in one sentence with its path, and in little memory; return the sentence."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence and len(sentence) < 400 + len(str(path)), sentence
    assert caught.type is kind and peak < 100 * MB, f"{peak / MB:.0f} MB"
    return sentence


# -- writing ---------------------------------------------------------------------------------------------------

names = st.text("abcXYZ019_-. é", min_size=1, max_size=8).filter(lambda name: name not in ("path", "file"))
plain = st.sampled_from(["?", "i1", "u2", ">i4", "f4", ">f8", "c8", "c16", "U3"]).map(np.dtype)


@given(st.dictionaries(names, hnp.arrays(plain, hnp.array_shapes(min_dims=0, min_side=0)), max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_is_saved_is_loaded(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("npz") / "arrays"
    save_npz(path, **arrays)
    found = load_npz(path, arrays)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_orders_and_well_packed_arrays_come_back(tmp_path, rng):
    path = tmp_path / "arrays.npz"
    columns, zeros = np.asfortranarray(rng.random((3, 4))), np.zeros(5_000_000)  # 40 MB pack to 40 kB, as a bomb does
    save_npz(path, columns=columns, zeros=zeros)
    found = load_npz(path, ["columns", "zeros"])
    np.testing.assert_array_equal(found["columns"], columns)
    assert found["columns"].flags.f_contiguous and found["columns"].flags.writeable
    np.testing.assert_array_equal(found["zeros"], zeros)


@pytest.mark.parametrize("array", [[{}], np.zeros(1, "M8[D]"), np.zeros(2, [("a", "f4")]), np.array([b"x"])])
def test_what_could_not_be_loaded_is_not_saved(array, tmp_path):
    with pytest.raises(ValueError, match=r"theta has dtype .*: expected numbers or strings"):
        save_npz(tmp_path / "a.npz", theta=array)
    assert not list(tmp_path.iterdir())


@POSIX
def test_a_file_keeps_its_mode_and_a_link_its_place(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.json", tmp_path / "link.json"
    link.symlink_to(target)
    old = os.umask(0o027)
    try:
        save_text(link, "1")  # the link pointed nowhere
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o606)
        save_text(link, "2")
    finally:
        os.umask(old)
    assert link.is_symlink() and target.read_text() == "2" and stat.S_IMODE(target.stat().st_mode) == 0o606
    assert {path.name for path in tmp_path.rglob("*")} == {"there", "a.json", "link.json"}


def test_places_that_are_none(tmp_path):
    with pytest.raises(OSError, match="is not saved"):
        save_text(tmp_path, "")
    with pytest.raises(FileNotFoundError, match=r"a\.json is not saved: No such file or directory"):
        save_text(tmp_path / "nowhere" / "a.json", "")
    assert not list(tmp_path.iterdir())


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    save_text(path, "old")
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # whoever runs the tests as root may write all
    with pytest.raises(PermissionError, match=r"a\.json is not saved: there is a write-protected file of this name"):
        save_text(path, "new")
    assert path.read_text() == "old"


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_npz(path, theta=np.arange(3))

    def full(*args):
        raise OSError(28, "No space left on device")

    for function in ("fsync", "replace"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match=r"a\.npz is not saved: No space left on"):
            patch.setattr(f"os.{function}", full)
            save_npz(path, theta=np.arange(4))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"] and load_npz(path, [])["theta"].size == 3


WRITER = """
import sys
from aelib.files import save

def write(file):
    for _ in range(int(sys.argv[3])):
        file.write(sys.argv[2].encode() * 1000)
        file.flush()
        print("writing", flush=True)
        sys.stdin.readline()

save(sys.argv[1], write)
"""


def writer(path):
    command = [sys.executable, "-c", WRITER, path, "new", "3"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_killed_process_leaves_the_old_file(parts, tmp_path):
    """It is killed after one, two or all three parts of the new file."""
    save_text(tmp_path / "a", "old")
    with writer(tmp_path / "a") as process:
        for part in range(parts):
            assert process.stdout.readline() == "writing\n"
            if part < parts - 1:
                process.stdin.write("\n")
                process.stdin.flush()
        process.kill()
    assert (tmp_path / "a").read_text() == "old"
    with writer(tmp_path / "a") as process:
        process.communicate("\n" * 3)
    assert (tmp_path / "a").read_text() == "new" * 3000


# -- damaged and hostile .npz ----------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_npz_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    whole = bytearray(packed(theta=np.arange(7.0), config=np.array("text")))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(len(whole) - 40, len(whole)))])
    try:
        assert set(load_npz(path, ["theta"])) >= {"theta"}
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_every_inverted_byte_and_every_cut(tmp_path):
    path, whole = tmp_path / "a.npz", packed(theta=np.arange(7.0, dtype="f4"))
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([255 - whole[i]]) + whole[i + 1 :])
        try:
            np.testing.assert_array_equal(load_npz(path, ["theta"])["theta"], np.arange(7.0))  # a date, say
        except ValueError as error:
            assert str(path) in str(error)
        path.write_bytes(whole[:i])
        with pytest.raises(ValueError, match=r"a\.npz is not a readable \.npz file"):
            load_npz(path, [])


def npy(shape, dtype="<f4", data=b"", header=None):
    """Return the bytes of a .npy file whose header says what it likes."""
    header = header or f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def zipped(path, *members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)


MEMBERS = {
    "2^40 numbers": npy((2**40,)),
    "2^80 numbers": npy((2**40, 2**40)),
    "no numbers, of 2^62 each": npy((0, 2**62, 2**62)),
    "a negative shape": npy((-1,)),
    "too few": npy((3,), data=bytes(8)),
    "too many": npy((1,), data=bytes(8)),
    "65 dimensions": npy((1,) * 65, data=bytes(4)),
    "objects": npy((1,), "|O", b"\x80\x04N."),
    "dates": npy((1,), "<M8[D]", bytes(8)),
    "records": npy((1,), None, bytes(4), "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n"),
    "half a complex": npy((1,), "<c4", bytes(4)),
    "no dtype": npy((1,), "(2,", bytes(4)),
    "a nested header": npy((1,), header="[" * 5000),
    "a pickle": b"\x80\x04cos\nsystem\n.",
    "nothing": b"",
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_members_that_are_no_plain_arrays(member, tmp_path):
    zipped(tmp_path / "a.npz", ("theta.npy", member))
    assert "is not a readable .npz file" in refused(tmp_path / "a.npz")


def test_other_files_than_npz(tmp_path):
    path = tmp_path / "a.npz"
    np.save(tmp_path / "a.npy", np.arange(5.0))
    refused(tmp_path / "a.npy")
    zipped(path, ("theta.txt", b"1 2 3"))
    refused(path)
    whole = bytearray(packed(theta=np.arange(3.0)))
    whole[whole.index(b"PK\1\2") + 8] |= 1  # encrypted
    path.write_bytes(whole)
    refused(path)


def test_a_size_that_deflate_cannot_reach(tmp_path):
    """The list of members claims 2^31 bytes, and so does the header: neither is believed."""
    zipped(tmp_path / "a.npz", ("theta.npy", npy((2**29,), data=bytes(2**16))))
    whole = bytearray((tmp_path / "a.npz").read_bytes())
    at = whole.index(b"PK\1\2") + 24
    whole[at : at + 4] = struct.pack("<I", 2**31 - 1)
    (tmp_path / "a.npz").write_bytes(whole)
    assert "claim to hold 2147483647" in refused(tmp_path / "a.npz")


# -- JSON, and what opens every file ---------------------------------------------------------------------------


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists, max_leaves=8
    )
)
@settings(max_examples=50, deadline=None)
def test_json_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "a.json"
    save_text(path, json.dumps(value))
    assert load_json(path) == value


@given(st.binary(max_size=60) | st.text('{}[]",:019.eE-+ntrueINfialsy\\', max_size=40).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_json_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "b.json"
    path.write_bytes(data)
    try:
        load_json(path)
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        '"\\ud8',
        "\0",
        "\ufeff",
    ],
    ids=range(8),
)
def test_no_json(text, tmp_path):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    refused(tmp_path / "a.json", load=load_json)


@pytest.mark.parametrize("load", [load_json, lambda path: load_npz(path, [])])
def test_what_cannot_be_opened(load, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert "there is no such file" in refused(tmp_path / "b", FileNotFoundError, load)
    assert "there is no such file" in refused(path / "b", FileNotFoundError, load)
    assert "it is a folder or a device" in refused(tmp_path, load=load)
    refused(path, load=load)
    with pytest.raises(ValueError, match="is not a readable"):
        load("a\0b")


@POSIX
@pytest.mark.parametrize("load", [load_json, lambda path: load_npz(path, [])])
def test_what_posix_cannot_open(load, tmp_path, monkeypatch):
    loop, pipe = tmp_path / "loop", tmp_path / "pipe"
    loop.symlink_to(loop)
    assert "is not a readable" in refused(loop, load=load)
    os.mkfifo(pipe)
    assert "it is a folder or a device" in refused(pipe, load=load)
    assert "is not a readable" in refused(tmp_path / ("x" * 300), load=load)
    pipe.with_name("a").write_bytes(b"")
    monkeypatch.setattr("builtins.open", forbidden)
    assert "may not be read" in refused(pipe.with_name("a"), PermissionError, load)


def forbidden(*args, **kwargs):
    """Stand in for ``open``: whoever runs the tests as root may read everything."""
    raise PermissionError(13, "Permission denied")
