"""Results of the study's runs, and the files they are stored in: NAME.npz and NAME.json, in ``results_folder()``.

Numbers stand in the ``.npz``, everything else (settings, the data set's fingerprint, versions, times, the command that
makes them) in the JSON beside it. A stored result is refused by name whose run is not the code's any more, or that was
made from another data set.
"""

import functools
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from aelib.autoencoder import Autoencoder
from aelib.common.settings import Settings
from aelib.datasets import data_folder, fingerprint_in_force
from aelib.files import load_json, load_npz, save_npz, save_text
from aelib.study.experiments import plan
from aelib.study.kinds import KEPT, Map, Race, Run

COLUMNS = ("update", "images", "seconds", "train_loss", "test_loss", "grad_norm")
MODEL = ("theta", "config")  # stored under these very names, so that ``Autoencoder.load`` reads the file
_TIME = (int, float)
_ENTRY = dict(run=dict, status=str, data=str, wall_seconds=_TIME, cpu_seconds=_TIME, finished=str, versions=dict)


class MissingResult(FileNotFoundError):
    """A stored result that was asked for is not there."""


class StaleResult(ValueError):
    """A stored result is not a run of today's plan, or was made from another data set."""


class DamagedResult(ValueError):
    """A file of stored results is damaged."""


@dataclass
class Result:
    """What a run gave: ``run``, ``status`` ("done" or the diagnosis of its divergence), ``info``, and arrays.

    Of a training run, the arrays ``update, images, seconds, train_loss, test_loss, grad_norm`` have one entry for each
    moment logged: updates 1, 2, 5, 10, 20, 50, ... and the end of every epoch. ``train_loss`` is the mean over the
    updates since the moment before. ``aelib.study.runs`` says which others there are. Arrays are attributes too.
    """

    run: Run | Map | Race
    status: str
    info: dict
    arrays: dict

    @property
    def settings(self):
        """The ``Settings`` of a training run; of a map or race the run itself."""
        return self.run.settings if isinstance(self.run, Run) else self.run

    def __getattr__(self, name):
        if name != "arrays" and name in self.arrays:
            return self.arrays[name]
        raise AttributeError(f"Result has no {name!r}")


def results_folder(quick=False):
    """Return the folder where results are stored: beside the data set in force, quick ones in a folder below."""
    folder = data_folder() / "results"
    return folder / "quick" if quick else folder


def data_fingerprint():
    """Return the fingerprint of the data set in force, ``load_mnist().fingerprint``, as its files stand now."""
    return fingerprint_in_force()


def _paths(name, folder):
    folder = Path(folder or results_folder())
    return folder / f"{name}.npz", folder / f"{name}.json"


def _key(i, name):
    return name if name in MODEL else f"{i}.{name}"


def store(name, results, folder=None):
    """Write all results of an experiment, atomically: the numbers first, then the JSON that vouches for them.

    An experiment whose runs keep their weights has one run only, for its file is a model's.
    """
    numbers, settings = _paths(name, folder)
    numbers.parent.mkdir(parents=True, exist_ok=True)
    arrays = {_key(i, key): values for i, result in enumerate(results) for key, values in result.arrays.items()}
    runs = [dict(run=asdict(r.run), status=r.status, **r.info) for r in results]
    arrays["runs"] = np.array([json.dumps(entry["run"]) for entry in runs])
    save_npz(numbers, **arrays)
    unit = "accuracy and trustworthiness, 0 to 1" if name == "maps" else "half-SSE per image"
    about = dict(command=f"python -m aelib.study run {name}", unit=unit, runs=runs)
    save_text(settings, json.dumps(about, indent=1) + "\n")


def stored(name, folder=None):
    """Return what is stored of an experiment, finished or not, of any data set and plan, as a list of ``Result``.

    A run counts as not done whose numbers are stored but not its entry in the JSON: killed between the two files.

    Raises:
        DamagedResult: a file is damaged, or missing beside the other; the message says what to do.
        StaleResult: a stored run is not of today's form.
    """
    numbers, described = _paths(name, folder)
    if not described.exists() and not numbers.exists():
        return []
    try:
        if not described.exists() and len(load_npz(numbers, ["runs"])["runs"]) == 1:
            return []
        entries, arrays = _entries(described), load_npz(numbers, ["runs"])
        row = _rows(arrays.pop("runs"), numbers)
    except (ValueError, FileNotFoundError) as error:
        raise DamagedResult(f"{error}; {_again(name, described)}") from None
    results = []
    for entry in entries:
        own, status = entry.pop("run"), entry.pop("status")
        try:
            run = (_run if "settings" in own else Map if "neighbours" in own else Race)(**own)
        except (TypeError, ValueError) as error:
            raise StaleResult(
                f"{described}: a stored run is not of today's form ({error}); {_again(name, described)}"
            ) from None
        i = row.get(json.dumps(own))
        found = {key.removeprefix(f"{i}."): values for key, values in arrays.items() if key.startswith(f"{i}.")}
        result = Result(run, status, entry, found | {key: arrays[key] for key in MODEL if key in arrays})
        if lacking := _lacking(result):
            raise DamagedResult(
                f"{numbers} lacks {lacking} of a run that {described.name} lists; {_again(name, numbers)}"
            )
        results.append(result)
    return results


def _entries(path):
    """Return the entries of the runs in a JSON file, or raise ValueError."""
    about = load_json(path)
    entries = about.get("runs") if isinstance(about, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f"{path} has no list of runs")
    for i, entry in enumerate(entries):
        for key, kind in _ENTRY.items():
            value = entry.get(key) if isinstance(entry, dict) else None
            if not isinstance(value, kind) or (kind is _TIME and not 0 <= value < 1e9):
                raise ValueError(f"{path}: entry {i} of its runs has no {key}, or not of its type")
    return entries


def _rows(runs, path):
    """Return the number of each run under which its arrays stand, by its description in JSON."""
    if runs.ndim != 1 or runs.dtype.kind != "U":
        raise ValueError(f"{path}: its runs are no list of strings")
    return {run: i for i, run in enumerate(runs.tolist())}


def _lacking(result):
    """Return the name of an array that a result should have, a number's with so many dimensions; "" if it has all."""
    if isinstance(result.run, Map):
        expected = dict(codes=2, accuracy=0, trustworthiness=0)
    elif isinstance(result.run, Race):
        expected = dict(update=1, gradients=1, seconds=1, loss=1)
    else:
        kept = (KEPT[name] for name in result.run.keep)
        expected = functools.reduce(dict.__or__, kept, dict.fromkeys(COLUMNS, 1))
    for name, dimensions in expected.items():
        array = result.arrays.get(name)
        if array is None or array.ndim != dimensions or (array.dtype.kind == "U") != (name == "config"):
            return name
    moments = {len(result.arrays[name]) for name in COLUMNS if name in expected}
    return "a moment" if len(moments) > 1 else ""


def _run(settings, **others):
    return Run(Settings(**settings), **others)


def _again(name, path):
    quick = " --quick" if path.parent.name == "quick" else ""
    return f"delete {path.with_suffix('')}.* and run: python -m aelib.study run{quick} {name}"


def stored_of(name, planned, folder=None):
    """Return the stored results of these runs of an experiment as a dict, by run.

    Raises:
        StaleResult: a stored run is not among them, or was made from another data set than the one in force; the
            message names it.
        DamagedResult: as in ``stored``.
    """
    path, found = _paths(name, folder)[1], {}
    for result in stored(name, folder):
        if result.info["data"] != data_fingerprint():
            raise StaleResult(
                f"{path} was made from another data set (fingerprint {result.info['data']!r}) than the one in "
                f"{data_folder()} ({data_fingerprint()}): set AELIB_DATA to that one's folder, or {_again(name, path)}"
            )
        if result.run not in planned:
            raise StaleResult(f"{name}: the stored run {result.run} is not in today's plan; {_again(name, path)}")
        found[result.run] = result
    return found


def load(name, folder=None):
    """Return the results of a whole experiment, in the order of ``plan``.

    Raises:
        ValueError: there is no experiment of this name.
        MissingResult: some runs are not stored; the message says how many, and the command that makes them.
        StaleResult: a stored run is not of today's plan, or of another data set; the message names it.
        DamagedResult: a stored file is damaged; the message names it.
    """
    planned = plan(name)
    found = stored_of(name, planned, folder)
    missing = len(planned) - len(found)
    if missing:
        raise MissingResult(
            f"{name}: {missing} of {len(planned)} runs are missing: python -m aelib.study run {name} "
            f"stores them in {folder or results_folder()}"
        )
    return [found[run] for run in planned]


def frame(name, moments=False, folder=None):
    """Return the results of a whole experiment as a tidy pandas ``DataFrame``; errors as in ``load``.

    ``frame("grid").pivot_table("loss", "batch", "step")`` is a table of means over the seeds.

    Args:
        name: of the experiment.
        moments: a row a logged moment instead of a row a run.
        folder: where results are stored.

    Returns:
        Columns named as the fields of ``Settings`` (and ``net``), of ``Map`` or of ``Race``; then, a row a run:
        ``status``, ``loss``, the test loss at the end (inf where the run diverged), and ``cpu_seconds``; of a map
        ``accuracy`` and ``trustworthiness``. A row a moment: ``update, images, epoch, seconds, train_loss, test_loss,
        grad_norm``; of a race ``update, gradients, seconds, loss``.
    """
    return tidy(load(name, folder), moments)


def tidy(results, moments=False):
    """Return a list of ``Result`` as a ``DataFrame``; see ``frame``."""
    import pandas as pd

    return pd.DataFrame([row for result in results for row in _frame_rows(result, moments)])


def _frame_rows(result, moments):
    """Return the rows of one result, a list of dicts."""
    run = result.run
    if isinstance(run, Run):
        own = dict(net=run.settings.net) | {f.name: getattr(run.settings, f.name) for f in fields(run.settings)}
        last = dict(loss=float(result.test_loss[-1]) if result.status == "done" else np.inf)
        columns = {name: result.arrays[name] for name in COLUMNS}
        columns["epoch"] = result.images / run.settings.images
    else:
        own = {field.name: getattr(run, field.name) for field in fields(run)}
        measured = {name: array for name, array in result.arrays.items() if array.ndim == 0}
        last = {name: float(array) for name, array in measured.items()}
        columns = {name: array for name, array in result.arrays.items() if array.ndim == 1}
        last |= dict(loss=float(result.arrays["loss"][-1])) if isinstance(run, Race) else {}
    if not moments:
        return [own | dict(status=result.status) | last | dict(cpu_seconds=result.info.get("cpu_seconds", np.nan))]
    return [own | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def whole_seeds(name, folder=None):
    """Return the results of an experiment for those seeds all of whose runs are stored, in the order of ``plan``.

    For evidence from an experiment that is not finished; errors as in ``load``, but for missing runs.
    """
    planned = plan(name)
    found = stored_of(name, planned, folder)
    missing = {run.seed for run in planned if run not in found}
    return [found[run] for run in planned if run.seed not in missing]


def load_model(name="embedding-net", folder=None):
    """Return the trained ``Autoencoder`` of an experiment that keeps weights; errors as in ``load``."""
    load(name, folder)
    return Autoencoder.load(_paths(name, folder)[0])
