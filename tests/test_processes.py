"""The study's processes: what is killed, refused or lost, and the command line."""

import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from test_study import same, small

from aelib.common.settings import OPTIMIZERS
from aelib.datasets import data_folder
from aelib.study import __main__ as program
from aelib.study import command as cli
from aelib.study import experiments, processes, runs
from aelib.study import results as archive
from aelib.study.processes import LOCK, FolderBusy, WorkerDied, alone


@pytest.fixture
def experiment(monkeypatch):
    """A small experiment in the place of ``tuning``."""
    planned = [small(method) for method in OPTIMIZERS]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tuning", lambda: planned)
    return planned


STUDY = """
import functools, sys
from joblib.externals.loky.backend import resource_tracker
resource_tracker.unregister = lambda *arguments: None  # as when the process ends before it has told of all: it happens
from aelib.study import __main__ as program, command, experiments
from test_study import small
experiments.EXPERIMENTS["embedding"] = lambda: [small(keep=("codes",), images=5000, seed=seed) for seed in range(5)]
command.run = functools.partial(command.run, folder=sys.argv[1])
program.main(["run", "embedding", "--jobs", "2"])
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_killed_and_run_again_gives_the_same_bit_for_bit(name, tmp_path, monkeypatch):
    """Killed after the first stored run, when results wait in pipes, whose codes are larger than a pipe."""
    if not hasattr(signal, name):
        pytest.skip("Windows has one way to end a process")
    folder, errors = tmp_path / "killed", tmp_path / "errors"
    planned = [small(keep=("codes",), images=5000, seed=seed) for seed in range(5)]
    monkeypatch.setitem(experiments.EXPERIMENTS, "embedding", lambda: planned)
    with open(errors, "wb") as file:
        command = [sys.executable, "-c", STUDY, folder]
        here = dict(cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=file)
        process = subprocess.Popen(command, **here)
        deadline = time.monotonic() + 60
        while not (folder / "embedding.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=30)  # its workers and trackers have its standard output: they all have ended
    assert process.returncode == {"SIGKILL": -signal.SIGKILL, "SIGTERM": 1}[name]
    said = errors.read_text(encoding="utf-8")
    assert "Traceback" not in said and "resource_tracker" not in said
    assert said.endswith("goes on from there\n") == (name == "SIGTERM")
    first = archive.stored("embedding", folder)
    assert 1 <= len(first) < 5
    for run_in in (folder, tmp_path / "whole"):
        processes.run(["embedding"], jobs=1, folder=run_in)
    results = archive.stored("embedding", folder)
    assert {r.run: r.info for r in results}[first[0].run] == first[0].info  # kept, not made anew
    assert all(same(a, b) for a, b in zip(results, archive.stored("embedding", tmp_path / "whole"), strict=True))
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {"embedding.json", "embedding.npz"}


def test_two_runs_in_one_folder_lose_nothing(experiment, tmp_path, capsys):
    """The second is refused while the first lasts; what a killed one has left in the folder hinders nobody."""
    archive.store("tuning", [runs.execute(experiment[0])], tmp_path)
    before = (tmp_path / "tuning.json").read_bytes()
    with alone(tmp_path):
        with pytest.raises(FolderBusy, match=r"another process stores results in .*: wait until it ends, or stop it"):
            processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert (tmp_path / "tuning.json").read_bytes() == before
    (tmp_path / LOCK).write_text("1\n", encoding="utf-8")
    (tmp_path / ".aelib-0123456789abcdef.tmp").write_bytes(b"half a file")
    processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert len(archive.load("tuning", tmp_path)) == 3
    assert {path.name for path in tmp_path.iterdir() if path.name[0] != "."} == {"tuning.json", "tuning.npz"}


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EIO, errno.ENOLCK])
def test_a_disk_without_locks_is_told_in_a_sentence(number, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refused(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(OSError, match="cannot be locked, as a disk of the network") as told, alone(tmp_path):
        pass
    assert not isinstance(told.value, FolderBusy) and os.strerror(number) in str(told.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_a_callback_of_the_import_system_is_not_lost(number):
    """There an exception is printed and forgotten, as in every callback of a weak reference."""
    space = dict(signal=signal, number=number)
    source = "def callback(reference):\n    signal.raise_signal(number)\n    return None"
    exec(compile(source, "<frozen importlib._bootstrap>", "exec"), space)
    thing = threading.Event()  # anything that can be referred to weakly
    with pytest.raises(KeyboardInterrupt), program._interruptible():
        reference = weakref.ref(thing, space["callback"])
        del thing
        assert reference() is None
        time.sleep(10)


def test_an_interrupt_is_a_sentence_however_early(tmp_path):
    """Ctrl-C at twelve moments of the first two seconds, once NumPy is loaded: never a traceback."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("Windows sends no Ctrl-C to one process")
    for file in data_folder().glob("*.gz"):
        shutil.copy(file, tmp_path)
    here = dict(env=os.environ | {"AELIB_DATA": str(tmp_path)}, stderr=subprocess.PIPE, text=True)
    code = (
        "from aelib.study.__main__ import main; print(0, flush=True); main(['run', '--quick', 'tuning', '--jobs', '1'])"
    )
    for moment in np.linspace(0.01, 2, 12):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **here)
        process.stdout.read(1)
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert "Traceback" not in said, (moment, said)


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path):
    """Four processes count to 50 each, in one file, whenever they find the folder free."""
    code = """
import sys
from pathlib import Path
from aelib.study.processes import FolderBusy, alone
done, count = 0, Path(sys.argv[1]) / "count"
while done < 50:
    try:
        with alone(sys.argv[1]):
            count.write_text(str(int(count.read_text()) + 1))
            done += 1
    except FolderBusy:
        pass
"""
    (tmp_path / "count").write_text("0")
    counting = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for _ in range(4)]
    assert [process.wait(60) for process in counting] == [0] * 4
    assert (tmp_path / "count").read_text() == "200"


def test_a_worker_that_dies_is_one_sentence(experiment, tmp_path, monkeypatch, capsys):
    archive.store("tuning", [runs.execute(experiment[0])], tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cli, "run", functools.partial(processes.run, folder=tmp_path))
        patch.setattr(processes, "execute", lambda run, **_: os._exit(9))  # as the system kills, for want of memory
        with pytest.raises(
            SystemExit, match=r"a worker process died.* memory; what was finished is stored, and .* --jobs"
        ):
            cli.main(["run", "tuning", "--jobs", "2"])

        def greedy(run, **_):
            raise MemoryError

        patch.setattr(processes, "execute", greedy)
        with pytest.raises(WorkerDied, match="memory"):
            processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert len(archive.stored("tuning", tmp_path)) == 1
    processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert len(archive.load("tuning", tmp_path)) == 3


def test_status_counts_what_is_stored(experiment, tmp_path):
    archive.store("tuning", [runs.execute(experiment[0])], tmp_path)
    lines = {line.split()[0]: line for line in processes.status(tmp_path)}
    assert set(lines) == set(experiments.EXPERIMENTS)
    assert "1 of    3 runs, 0 minutes" in lines["tuning"]


def test_two_bars_show_the_whole_and_the_part(experiment, tmp_path, capsys):
    archive.store("tuning", [runs.execute(experiment[0])], tmp_path)
    processes.run(["tuning"], jobs=1, folder=tmp_path)
    shown = capsys.readouterr().err
    assert "all " in shown and "3 of 3" in shown and "left" in shown


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers in processes of their own: (address, list of workers)."""
    pytest.importorskip("distributed", reason="the cluster test needs Dask: pip install -e .[cluster]")
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False"}
    shared = dict(env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "scheduler.json"
    scheduler = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [sys.executable, "-m", "dask", "worker", "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    processes = [subprocess.Popen([*scheduler, "--scheduler-file", file], **shared)]
    try:
        for _ in range(300):
            if file.exists():
                break
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        processes += [subprocess.Popen([*worker, address], **shared) for _ in range(2)]
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_cluster_that_loses_a_worker_loses_no_run(cluster, tmp_path, monkeypatch):
    """SIGKILL of one of two workers at the first result; the other does its runs; all agree with runs made here."""
    from distributed import Client

    address, workers = cluster
    settings = [small(method, seed=seed, images=6000, epochs=6) for seed in range(2) for method in ("SGD", "Adam")]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tuning", lambda: settings)
    with Client(address) as client:
        client.wait_for_workers(2, timeout=30)
    store = archive.store

    def store_and_kill(*args):
        store(*args)
        workers[0].kill()

    monkeypatch.setattr(processes, "store", store_and_kill)
    processes.run(["tuning"], cluster=address, folder=tmp_path)
    assert workers[0].wait(10) == -signal.SIGKILL and workers[1].poll() is None
    pairs = zip(archive.load("tuning", tmp_path), (runs.execute(setting) for setting in settings), strict=True)
    assert all(same(a, b) for a, b in pairs)


def test_a_cluster_without_dask_or_scheduler_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit, match=r"--cluster needs Dask: pip install -e \.\[cluster\]"):
        cli.main(["run", "tuning", "--cluster", "tcp://127.0.0.1:1"])


def test_figures_are_drawn_by_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "draw_all", lambda folder: [folder / "a.png"])
    cli.main(["figures", str(tmp_path / "new")])
    assert capsys.readouterr().out.startswith(f"1 figures in {tmp_path / 'new'}")
    monkeypatch.setattr(cli, "draw_all", lambda folder: [])
    with pytest.raises(SystemExit, match=r"nothing is stored in .*results: python -m aelib\.study run"):
        cli.main(["figures", str(tmp_path / "new")])


def test_command_line(capsys, monkeypatch):
    cli.main(["list"])
    assert "grid" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"aelib\.study: there is no experiment 'gird'"):
        cli.main(["run", "gird"])
    with pytest.raises(SystemExit, match="jobs is 0: expected at least 1"):
        cli.main(["run", "grid", "--jobs", "0"])
