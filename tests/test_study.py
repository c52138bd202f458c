import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from aelib import study
from aelib.study import MissingResult, Setting, StaleResult

SMALL = dict(images=300, epochs=2)


@pytest.fixture
def experiment(monkeypatch):
    """A small experiment in the place of ``tuning``."""
    settings = [Setting("784-2", method, **SMALL) for method in study.METHODS]
    monkeypatch.setitem(study.EXPERIMENTS, "tuning", lambda: settings)
    return settings


def same(a, b):
    """Whether two results agree bit for bit in everything but their times."""
    return a.setting == b.setting and all(
        np.array_equal(a.arrays[column], b.arrays[column]) for column in study.COLUMNS if column != "seconds"
    )


def test_results_come_back_as_they_were_stored(experiment, tmp_path):
    results = [study.execute(setting) for setting in experiment]
    study.store("tuning", results, tmp_path)
    back = study.load("tuning", tmp_path)
    assert all(same(a, b) for a, b in zip(results, back, strict=True))
    assert [r.status for r in back] == ["done"] * 3 and back[0].info == results[0].info
    about = json.loads((tmp_path / "tuning.json").read_text())
    assert about["command"] == "python -m aelib.study run tuning" and about["unit"] == "half-SSE per image"
    assert set(about["runs"][0]["versions"]) == {"python", "numpy", "aelib"}


def test_what_a_run_logs():
    result = study.execute(Setting("784-2", "Adam", codes=True, **SMALL))
    assert result.update.tolist() == [1, 2, 3, 5, 6] and result.images.tolist() == [100, 200, 300, 500, 600]
    assert np.all(np.isfinite(result.test_loss)) and result.test_loss[-1] < 90.7
    assert result.codes.shape == (70_000, 2) and result.codes.dtype == np.float16
    held = study.execute(Setting("784-2", "Adam", held_out=True, **SMALL))
    assert held.train_loss[0] == result.train_loss[0] and held.test_loss[0] != result.test_loss[0]


def test_only_what_is_missing_is_run(experiment, tmp_path, monkeypatch):
    study.store("tuning", [study.execute(experiment[1])], tmp_path)
    with pytest.raises(MissingResult, match=r"tuning: 2 of 3 runs are missing: python -m aelib\.study run tuning"):
        study.load("tuning", tmp_path)
    before = study.stored("tuning", tmp_path)[0].info
    study.run(["tuning"], jobs=1, folder=tmp_path)
    assert study.load("tuning", tmp_path)[1].info == before
    monkeypatch.setattr(study, "execute", None)  # nothing is left to do
    study.run(["tuning"], jobs=1, folder=tmp_path)


def test_stale_results_are_refused_by_name(experiment, tmp_path, monkeypatch):
    study.store("tuning", [study.execute(setting) for setting in experiment], tmp_path)
    changed = [replace(experiment[0], step=0.5), *experiment[1:]]
    monkeypatch.setitem(study.EXPERIMENTS, "tuning", lambda: changed)
    with pytest.raises(StaleResult, match=r"tuning: the stored run Setting\(net='784-2', method='SGD', step=0.01"):
        study.load("tuning", tmp_path)
    text = (tmp_path / "tuning.json").read_text()
    (tmp_path / "tuning.json").write_text(text.replace('"init"', '"start"'))
    study_npz = dict(np.load(tmp_path / "tuning.npz"))
    study_npz["settings"] = np.array([s.replace('"init"', '"start"') for s in study_npz["settings"]])
    np.savez(tmp_path / "tuning.npz", **study_npz)
    with pytest.raises(StaleResult, match="not of today's form"):
        study.load("tuning", tmp_path)


def test_a_kill_between_the_two_files_loses_one_run(experiment, tmp_path):
    results = [study.execute(setting) for setting in experiment]
    study.store("tuning", results[:2], tmp_path)
    old = (tmp_path / "tuning.json").read_text()
    study.store("tuning", results, tmp_path)
    (tmp_path / "tuning.json").write_text(old)  # as if killed before the JSON was replaced
    assert [r.setting for r in study.stored("tuning", tmp_path)] == experiment[:2]


def test_divergence_is_a_result_not_a_crash():
    result = study.execute(Setting("784-2", "SGD", step=1e38, weight_decay=1.0, **SMALL))
    assert "training diverged at update" in result.status


def test_a_tuned_step_is_the_best_of_the_stored_ones(tmp_path, monkeypatch):
    settings = [Setting("784-2", "Adam", step, held_out=True, **SMALL) for step in (1e-4, 1e-2)]
    monkeypatch.setitem(study.EXPERIMENTS, "tuning", lambda: settings)
    study.store("tuning", [study.execute(s) for s in settings], tmp_path)
    losses = {r.setting.step: r.test_loss[-1] for r in study.load("tuning", tmp_path)}
    assert study.tuned_step("784-2", "Adam", tmp_path) == min(losses, key=losses.get)


def test_every_experiment_is_declared_once():
    for name in ("tuning", "architectures-report", "grid", "embedding"):
        settings = study.plan(name)
        assert len(set(settings)) == len(settings)
    assert all(s.images <= 2000 and s.epochs <= 2 for s in study.plan("grid", quick=True))
    with pytest.raises(ValueError, match="there is no experiment 'gird': expected one of tuning"):
        study.plan("gird")


def test_killed_and_run_again_gives_the_same_bit_for_bit(tmp_path):
    """SIGKILL after the first stored run; the next run does the rest; an undisturbed run agrees."""
    code = "import sys; from aelib import study; study.run(['grid'], quick=True, jobs=1, folder=sys.argv[1])"
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-c", code, killed], stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        time.sleep(0.05)
        if (killed / "grid.json").exists() or process.poll() is not None:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = study.stored("grid", killed)
    assert 1 <= len(first) < len(study.plan("grid", quick=True))
    for folder in (killed, whole):
        subprocess.run([sys.executable, "-c", code, folder], stderr=subprocess.DEVNULL, check=True)
    results = study.stored("grid", killed)
    assert results[0].info == first[0].info  # kept, not made anew
    pairs = zip(results, study.stored("grid", whole), strict=True)
    assert all(same(a, b) for a, b in pairs)


def test_command_line(capsys, monkeypatch):
    study.main(["list"])
    assert "grid" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"aelib\.study: there is no experiment 'gird'"):
        study.main(["run", "gird"])
