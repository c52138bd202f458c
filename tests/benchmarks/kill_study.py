"""Kills a small study at 20 moments by each signal, goes on, and compares with one that nobody disturbed.

    python tests/benchmarks/kill_study.py [--moments 20] [--jobs 2] [--patience 5]

No process of the study may be left so many seconds after a kill (more where others keep all cores busy: a worker killed
while it starts has to import NumPy before it can look whether its main process lives). After all of them the results
must be those of the undisturbed study, bit for bit, in a folder without a temporary file. Twice: SIGKILL, and SIGTERM,
which has to end with one sentence. Then two studies at once, in one folder: one does the work, the other is refused.
Linux; some ten minutes.
"""

import argparse
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from aelib.study import __main__ as cli
from aelib.study.experiments import EXPERIMENTS, repaired, reported
from aelib.study.kinds import Run
from aelib.study.results import stored

MARK = "AELIB_KILL_STUDY"  # in the environment of the study's processes, by which they are found
SMALL = dict(images=1000, epochs=1)
PLANS = {  # their results, codes and weights, are larger than a pipe
    "embedding": [Run(reported("784-2", "Adam", seed=seed, **SMALL), keep=("codes",)) for seed in range(8)],
    "embedding-net": [Run(repaired("784-200-2", "Adam", 1e-3, **SMALL), keep=("weights",))],
}
for name, runs in PLANS.items():
    EXPERIMENTS[name] = lambda runs=runs: runs


def start(folder, jobs):
    """Start this script as the study, storing into a folder."""
    command = [sys.executable, __file__, "--study", str(folder), "--jobs", str(jobs)]
    environment = os.environ | {MARK: str(folder)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def study(folder, jobs):
    """Be the study."""
    cli.run = functools.partial(cli.run, folder=folder)
    cli.main(["run", "--jobs", str(jobs), *PLANS])


def alive(folder):
    """Return the numbers of all processes that were started for a folder and still run."""
    mark, found = f"{MARK}={folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0") and path.with_name("stat").read_text().split(") ")[1][0] != "Z":
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def campaign(name, folder, whole, seconds, moments, jobs, patience):
    """Kill at moments within an undisturbed run's seconds, going on each time; one that had ended does not count."""
    rng, hits, slowest = np.random.default_rng(0), 0, 0.0
    while hits < moments:
        moment = rng.uniform(0.1, seconds)
        process = start(folder, jobs)
        time.sleep(moment)
        if process.poll() == 0:
            process.stderr.close()
            same(whole, folder)
            shutil.rmtree(folder)
            seconds = max(3.0, 0.8 * seconds)
            continue
        before = len(alive(folder))
        process.send_signal(getattr(signal, name))
        killed = time.perf_counter()
        while left := alive(folder):
            if time.perf_counter() - killed > patience:
                what = [Path(f"/proc/{number}/cmdline").read_text().replace("\0", " ") for number in left]
                raise SystemExit(f"{name} after {moment:.1f} s: left are {what}")
            time.sleep(0.02)
        took = time.perf_counter() - killed
        slowest = max(slowest, took)
        lines = process.stderr.read().replace("\r", "\n").strip().splitlines()
        count = sum(len(stored(experiment, folder)) for experiment in PLANS)
        said = lines[-1][:60] if lines and name == "SIGTERM" else ""
        print(f"{name} after {moment:4.1f} s: {before} processes, gone in {took:.2f} s, {count} runs stored, {said!r}")
        if any("Traceback" in line for line in lines):
            raise SystemExit("\n".join(lines))
        if process.wait() == 0:
            same(whole, folder)
            shutil.rmtree(folder)
        else:
            hits += 1
    finish(folder, jobs)
    agree = same(whole, folder)
    print(f"{name}: {hits} kills, all processes gone within {slowest:.2f} s, {agree} arrays agree bit for bit")


def finish(folder, jobs):
    """Run to the end, and look for what must not be left."""
    process = start(folder, jobs)
    _, err = process.communicate()
    if process.returncode or alive(folder):
        raise SystemExit(f"{err}\n{process.returncode}, left: {alive(folder)}")
    names = sorted(path.name for path in folder.iterdir())
    if names != sorted(f"{name}.{end}" for name in PLANS for end in ("json", "npz")):
        raise SystemExit(f"left in the folder: {names}")


def same(folder, other):
    """Count the arrays of all results of two folders that agree bit for bit; those that do not end the script."""
    count = 0
    for name in PLANS:
        assert len(stored(name, folder)) == len(PLANS[name])
        for a, b in zip(stored(name, folder), stored(name, other), strict=True):
            for key in a.arrays.keys() - {"seconds"}:
                if not np.array_equal(a.arrays[key], b.arrays[key]):
                    raise SystemExit(f"{name}: {key} differs")
                count += 1
    return count


def main():
    """Do everything; the last line says that all is well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--patience", type=float, default=5.0)
    parser.add_argument("--study", metavar="FOLDER", help="be the study that is killed")
    given = parser.parse_args()
    if given.study:
        return study(given.study, given.jobs)
    with tempfile.TemporaryDirectory() as root:
        whole = Path(root) / "whole"
        began = time.perf_counter()
        finish(whole, given.jobs)
        seconds = time.perf_counter() - began
        print(f"undisturbed: {seconds:.1f} s")
        for name in ("SIGKILL", "SIGTERM"):
            campaign(name, Path(root) / name, whole, seconds, given.moments, given.jobs, given.patience)
        both = [start(Path(root) / "both", given.jobs) for _ in range(2)]
        said = [process.communicate()[1].strip().splitlines()[-1] for process in both]
        codes = [process.returncode for process in both]
        print(f"two at once: exit codes {codes}; {said[codes.index(1)]!r}")
        assert sorted(codes) == [0, 1]
        print(f"two at once: {same(whole, Path(root) / 'both')} arrays agree bit for bit")


if __name__ == "__main__":
    main()
