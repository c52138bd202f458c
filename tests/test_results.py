"""Stored results: of which data set they are, and what a damaged file says."""

import functools
import json
import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_study import small

from aelib import load_mnist
from aelib.common.baselines import ladder
from aelib.common.settings import OPTIMIZERS
from aelib.study import experiments, figures, processes, runs
from aelib.study import results as archive
from aelib.study.kinds import Map
from aelib.study.results import DamagedResult, MissingResult, StaleResult


@pytest.fixture
def experiment(monkeypatch):
    """A small experiment in the place of ``tuning``."""
    planned = [small(method) for method in OPTIMIZERS]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tuning", lambda: planned)
    return planned


@pytest.fixture
def elsewhere(tmp_path, rng):
    """A folder with a data set of 600 + 200 other images of MNIST's format."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for part, n in (("train", 600), ("t10k", 200)):
        for kind, array in (("images-idx3", rng.integers(0, 256, (n, 28, 28))), ("labels-idx1", np.arange(n) % 10)):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(k.to_bytes(4, "big") for k in array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())
    return folder


def test_another_data_set_is_another_study(experiment, elsewhere, monkeypatch, capsys):
    """It has results of its own, beside it; they are refused for MNIST, and MNIST's for it."""
    ours = archive.results_folder()
    monkeypatch.setenv("AELIB_DATA", str(elsewhere))
    assert archive.results_folder(quick=True) == elsewhere / "results" / "quick" != ours / "quick"
    with pytest.raises(MissingResult, match=r"run tuning stores them in .*elsewhere"):
        archive.load("tuning")
    processes.run(["tuning"], jobs=1)
    assert "3 of 3" in capsys.readouterr().err and "3 of    3 runs, 0 minutes of CPU time" in processes.status()[0]
    assert archive.load("tuning")[0].info["data"] == load_mnist(elsewhere).fingerprint
    monkeypatch.delenv("AELIB_DATA")
    before = (elsewhere / "results" / "tuning.json").read_bytes()
    for use in (archive.load, archive.whole_seeds, lambda name, folder: processes.run([name], jobs=1, folder=folder)):
        with pytest.raises(
            StaleResult, match=r"tuning\.json was made from another data set .*: set AELIB_DATA .* or delete"
        ):
            use("tuning", elsewhere / "results")
    assert processes.status(elsewhere / "results")[0].endswith("3 of another data set")
    assert (elsewhere / "results" / "tuning.json").read_bytes() == before


def test_a_data_set_that_is_too_small_is_refused(elsewhere, monkeypatch):
    monkeypatch.setenv("AELIB_DATA", str(elsewhere))
    with pytest.raises(ValueError, match="images is 1000: expected 1 to 600"):
        runs.execute(small(images=1000))
    with pytest.raises(ValueError, match="600 training images are too few: expected 300 and 10000 held out"):
        runs.execute(small(held_out=True))


def test_what_is_drawn_beside_results_follows_the_data_set_in_force(elsewhere, monkeypatch):
    """The reference ladder is kept for each data set; the pictures are of the labels that there are, ten at most."""
    ours = figures.reference()
    monkeypatch.setenv("AELIB_DATA", str(elsewhere))
    other = load_mnist(elsewhere)
    assert figures.reference() == ladder(other.train_images, other.test_images) != ours
    monkeypatch.delenv("AELIB_DATA")
    assert figures.reference() == ours
    labels = np.arange(200) % 3 + 1
    few = replace(other, test_labels=labels.astype(np.uint8)[::-1])
    assert np.array_equal(runs.ten_digits(few), [other.test_images[few.test_labels == k][0] for k in (1, 2, 3)])
    many = replace(other, test_labels=(np.arange(200) % 47).astype(np.uint8))
    assert np.array_equal(runs.ten_digits(many), other.test_images[:10])


def test_workers_with_another_data_set_are_refused(experiment, tmp_path, monkeypatch):
    def strange(run, **where):
        result = runs.execute(run)
        result.info["data"] = "0123456789abcdef"
        return result

    monkeypatch.setattr(processes, "execute", strange)
    with pytest.raises(ValueError, match="the workers have another data set"):
        processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert not archive.stored("tuning", tmp_path)


def test_maps_take_codes_from_the_folder_of_their_run(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("AELIB_DATA", str(elsewhere))
    planned = [small(keep=("codes",))]
    monkeypatch.setitem(experiments.EXPERIMENTS, "embedding", lambda: planned)
    run = Map("autoencoder", "784-2", train=400, test=100)
    with pytest.raises(MissingResult, match=r"takes stored codes, which are missing: .*run embedding"):
        runs.execute(run, folder=tmp_path / "here")
    archive.store("embedding", [runs.execute(planned[0])], tmp_path / "here")
    assert runs.execute(run, folder=tmp_path / "here").codes.shape == (500, 2)


def test_without_installed_metadata_runs_are_made_all_the_same(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(runs, "version", version)
    assert runs.execute(small()).info["versions"]["aelib"] == "not installed"


def refused(folder, sentence):
    """Check that nothing reads the damaged results of ``tuning``, nor writes over them."""
    before = {path: path.read_bytes() for path in folder.glob("tuning.*")}
    for use in (archive.stored, archive.load, lambda name, folder: processes.run([name], jobs=1, folder=folder)):
        with pytest.raises((DamagedResult, StaleResult), match=sentence):
            use("tuning", folder)
    assert re.search(sentence, processes.status(folder)[0])
    assert {path: path.read_bytes() for path in folder.glob("tuning.*")} == before


AGAIN = r".*; delete .*tuning\.\* and run: python -m aelib\.study run tuning$"


@pytest.fixture
def three(experiment, tmp_path):
    """A folder with three results, and what its JSON holds."""
    archive.store("tuning", [runs.execute(run) for run in experiment], tmp_path)
    return tmp_path, json.loads((tmp_path / "tuning.json").read_text(encoding="utf-8"))


def test_a_damaged_json_is_one_sentence(three):
    folder, about = three
    path = folder / "tuning.json"
    texts = [b"", b"[]", b"{}", b"null", b'{"runs": 3}', b'{"runs": [3]}', b"\xff\xfe\x00{", b"[" * 100_000]
    texts.append(path.read_bytes()[:-20])
    for text in texts:
        path.write_bytes(text)
        refused(folder, r"tuning\.json" + AGAIN)
    for key in about["runs"][1]:
        for change in ("missing", None, [], 1e400):
            entries = json.loads(json.dumps(about["runs"]))
            entries[1] |= {key: change}
            if change == "missing":
                del entries[1][key]
            path.write_text(json.dumps(about | {"runs": entries}), encoding="utf-8")
            refused(folder, rf"tuning\.json{AGAIN}")
    for key in about["runs"][1]["run"]["settings"]:
        entries = json.loads(json.dumps(about["runs"]))
        entries[1]["run"]["settings"][key] = {}
        path.write_text(json.dumps(about | {"runs": entries}), encoding="utf-8")
        refused(folder, rf"tuning\.json: a stored run is not of today's form{AGAIN}")
    path.unlink()
    refused(folder, rf"tuning\.json: there is no such file{AGAIN}")


def test_a_damaged_npz_is_one_sentence(three):
    folder, _ = three
    path = folder / "tuning.npz"
    whole, arrays = path.read_bytes(), dict(np.load(path))
    for data in (b"", whole[:-100], whole[100:], b"PK", whole.replace(b"PK", b"QK")):
        path.write_bytes(data)
        refused(folder, r"tuning\.npz" + AGAIN)
    changes = [
        {"runs": arrays["runs"][:2]},
        {"runs": np.arange(3)},
        {"runs": np.array("x")},
        {"1.update": np.ones((5, 2))},
    ]
    for change in [*changes, {"1.test_loss": np.ones(2)}, {"1.test_loss": np.array(["a"] * 5)}]:
        np.savez(path, **arrays | change)
        refused(folder, rf"tuning\.npz{AGAIN}")
    for key in ("runs", *(f"1.{column}" for column in archive.COLUMNS)):
        np.savez(path, **{name: array for name, array in arrays.items() if name != key})
        refused(folder, rf"tuning\.npz{AGAIN}")
    path.unlink()
    refused(folder, rf"tuning\.npz: there is no such file{AGAIN}")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """Yield the path of every value within a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_in_the_json_is_read_or_refused(three, data):
    folder, about = three
    about = json.loads(json.dumps(about))
    *above, last = data.draw(st.sampled_from([path for path in places(about) if path]))
    functools.reduce(lambda value, key: value[key], above, about)[last] = data.draw(ANYTHING)
    (folder / "tuning.json").write_text(json.dumps(about), encoding="utf-8")
    try:
        archive.load("tuning", folder)
    except (DamagedResult, StaleResult, MissingResult) as error:
        assert "tuning" in str(error)
    assert len(processes.status(folder)) == len(experiments.EXPERIMENTS)


def test_a_frame_has_a_row_a_run_or_a_moment(experiment, tmp_path):
    results = [runs.execute(run) for run in experiment]
    results[0].status = "training diverged at update 3"
    archive.store("tuning", results, tmp_path)
    by_run, by_moment = (archive.frame("tuning", moments, tmp_path) for moments in (False, True))
    assert by_run["method"].tolist() == [run.settings.method for run in experiment] and set(by_run["net"]) == {"784-2"}
    assert np.isinf(by_run["loss"][0]) and by_run["loss"][1] == results[1].test_loss[-1]
    assert len(by_moment) == sum(len(result.update) for result in results)
    own = by_moment[by_moment["method"] == experiment[1].settings.method]
    np.testing.assert_array_equal(own["test_loss"], results[1].test_loss)
    np.testing.assert_allclose(own["epoch"], results[1].images / 300)


def test_frames_of_maps_and_races():
    assert archive.frame("maps")["trustworthiness"].between(0.5, 1).all()
    by_run, by_moment = archive.frame("arena"), archive.frame("arena", moments=True)
    assert by_run["loss"].lt(30).all() and set(by_moment) >= {"method", "options", "seed", "gradients", "loss"}
