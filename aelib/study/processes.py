"""Many runs: ``run`` does what is missing of the study's experiments, in parallel; ``status`` says what is stored.

However the main process ends, its workers end too: each waits on a pipe whose other end the main process alone holds,
and which the system closes with it.
"""

import functools
import multiprocessing
import os
import signal
import threading
import warnings
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from aelib.datasets import data_folder
from aelib.study.experiments import EXPERIMENTS, plan
from aelib.study.results import DamagedResult, StaleResult, data_fingerprint, results_folder, store, stored, stored_of
from aelib.study.runs import execute

LOCK = ".aelib-study.lock"
_BAR = "{desc:<34} {n_fmt} of {total_fmt} |{bar}| {elapsed}, about {remaining} left"


class FolderBusy(OSError):
    """Another process stores results in this folder."""


class WorkerDied(RuntimeError):
    """A process of the study ended before its run did, or had too little memory for it."""


def run(names, quick=False, jobs=None, cluster=None, folder=None):
    """Do what is missing of these experiments, in parallel, storing every result as it comes.

    Two progress bars count the runs of all and of the experiment under way, and guess the time left from their pace.

    Args:
        names: experiments, in order; one that needs another's results comes after it.
        quick: small runs instead, into a folder of their own.
        jobs: number of processes, one BLAS thread each; by default one a core.
        cluster: address of a Dask scheduler whose workers do the runs instead.
        folder: where results are stored; by default ``results_folder(quick)``.

    Raises:
        ValueError: there is no experiment of such a name, ``jobs`` is below 1, a run needs a package that is not
            installed, or the data set is too small for one, or another than that of the workers.
        StaleResult, DamagedResult: what is stored is of another plan or data set, or damaged; nothing is overwritten.
        FolderBusy: another process stores results in this folder.
        WorkerDied: a worker was killed, as happens when memory runs out; what was finished is stored.
        OSError: there is no scheduler at this address.
    """
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm

    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}: expected at least 1 process")
    data, where = data_fingerprint(), dict(quick=quick, folder=folder)
    folder = Path(folder or results_folder(quick))
    plans = {name: plan(name, quick) for name in names}

    def bar(label, names, position):
        counts = dict(total=sum(len(plans[name]) for name in names), initial=sum(len(done[name]) for name in names))
        return tqdm(**counts, bar_format=_BAR, position=position, desc=label)

    with alone(folder), threadpool_limits(1), _workers(jobs, cluster):
        done = {name: stored_of(name, plans[name], folder) for name in names}
        with bar("all", names, 0) as whole:
            for name in names:
                results = _results(plans[name], done[name], where)
                with bar(name, [name], 1) as part, closing(results):
                    for result in results:
                        if result.info["data"] != data:
                            raise ValueError(
                                "the workers have another data set: expected AELIB_DATA to be the same there"
                            )
                        done[name][result.run] = result
                        store(name, [done[name][run] for run in plans[name] if run in done[name]], folder)
                        part.update()
                        whole.update()


@contextmanager
def alone(folder):
    """Hold the lock of a folder, which is made where it is missing; the system ends the lock with its process.

    Raises:
        FolderBusy: another process holds it.
        OSError: the folder cannot be made or written to, or its disk knows no locks.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "flock not supported", UserWarning)  # it takes a lock of another kind
            lock.acquire()
    except Timeout:
        raise FolderBusy(f"another process stores results in {folder}: wait until it ends, or stop it") from None
    except PermissionError as error:
        raise OSError(f"nothing can be stored in {folder}: {error.strerror or error}") from None
    except (OSError, NotImplementedError) as error:
        raise OSError(
            f"{folder} cannot be locked, as a disk of the network may not allow it ({error}): set AELIB_DATA to a "
            "folder on another disk, with the data set in it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _results(runs, done, where):
    """Yield the results of what is not done, as they come; first seeds first, so that a part is of use."""
    from joblib import Parallel, delayed

    todo = sorted((run for run in runs if run not in done), key=lambda run: run.seed)
    if todo:
        yield from Parallel(return_as="generator_unordered", batch_size=1)(
            delayed(execute)(run, **where) for run in todo
        )


# -- workers -----------------------------------------------------------------------------------------------------------


@contextmanager
def _workers(jobs, cluster):
    """Let joblib send runs to processes of this machine, or to those of a Dask cluster."""
    from joblib import parallel_config

    deaths, advice = (BrokenExecutor, MemoryError), "the same command with fewer --jobs goes on from there"
    local = dict(n_jobs=jobs or -1, inner_max_num_threads=1, initializer=_start, initargs=_worker())
    with ExitStack() as stack:
        if cluster:
            try:
                from distributed import Client, KilledWorker
            except ImportError:
                raise ValueError("--cluster needs Dask: pip install -e .[cluster]") from None
            deaths, advice = (*deaths, KilledWorker), "the same command goes on from there"
            stack.enter_context(Client(cluster, timeout="20s"))
        stack.enter_context(parallel_config("dask") if cluster else parallel_config("loky", **local))
        stack.enter_context(_quiet_tracker())
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "[0-9]+ tasks", UserWarning)  # joblib, on the runs that an interrupt gives up
        try:
            yield
        except deaths:
            raise WorkerDied(
                f"a worker process died, most often for want of memory; what was finished is stored, and {advice}"
            ) from None


# -- processes ---------------------------------------------------------------------------------------------------------


@contextmanager
def _quiet_tracker():
    """Let joblib's resource tracker, a process that outlives this one, take away what is left without a word.

    After an interrupt it may find semaphores of which nobody told it that they are gone, and warn of them, below the
    sentence that tells how to go on.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (before, "ignore:resource_tracker:UserWarning")))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@functools.cache
def _lifeline():
    """Return the two ends of the pipe, to read and to write; nobody writes, and no worker has the writing end."""
    return multiprocessing.Pipe(duplex=False)


def _worker():
    """Return the arguments of ``_start``; a worker is used again only for the same."""
    return _lifeline()[0], str(data_folder().absolute())


def _start(reader, data):
    """Make this worker end when its main process does, whatever it is about then; an interrupt is for that alone."""

    def wait():
        with suppress(EOFError, OSError):
            reader.recv_bytes()
        os._exit(1)

    os.environ["AELIB_DATA"] = data
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, daemon=True).start()


# -- what is stored ----------------------------------------------------------------------------------------------------


def status(folder=None):
    """Return a line for each experiment: how many of its runs are stored, and their CPU time.

    What is damaged, or of another plan or data set, is said in the line.
    """
    data = data_fingerprint()
    return [_state(name, data, folder) for name in EXPERIMENTS]


def _state(name, data, folder):
    """Return the line of an experiment."""
    planned = plan(name)
    try:
        results = stored(name, folder)
    except (DamagedResult, StaleResult) as error:
        return f"{name:<24} {error}"
    own = [result for result in results if result.info["data"] == data]
    found = {result.run: result.info["cpu_seconds"] for result in own if result.run in planned}
    line = f"{name:<24} {len(found):>4} of {len(planned):>4} runs, {sum(found.values()) / 60:.0f} minutes of CPU time"
    for count, what in ((len(results) - len(own), "of another data set"), (len(own) - len(found), "stale")):
        line += f", {count} {what}" if count else ""
    return line
