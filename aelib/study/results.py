"""Results of the study's runs, and the files they are stored in: data/results/NAME.npz and NAME.json.

Numbers stand in the ``.npz``, everything else (settings, versions, times, the command that makes them) in the JSON
beside it. A stored result whose run is not the code's any more is refused by name.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from aelib.autoencoder import Autoencoder
from aelib.datasets import DATA
from aelib.files import load_npz, save_npz, save_text
from aelib.settings import Settings
from aelib.study.experiments import Map, Run, plan

RESULTS = DATA / "results"
COLUMNS = ("update", "images", "seconds", "train_loss", "test_loss", "grad_norm")
MODEL = ("theta", "config")  # stored under these very names, so that ``Autoencoder.load`` reads the file


class MissingResult(FileNotFoundError):
    """A stored result that was asked for is not there."""


class StaleResult(ValueError):
    """A stored result is not a run of today's plan."""


@dataclass
class Result:
    """What a run gave: ``run``, ``status`` ("done" or the diagnosis of its divergence), ``info``, and arrays.

    Of a training run, the arrays ``update, images, seconds, train_loss, test_loss, grad_norm`` have one entry for each
    moment logged: updates 1, 2, 5, 10, 20, 50, ... and the end of every epoch. ``train_loss`` is the mean over the
    updates since the moment before. ``aelib.study.runs`` says which others there are. Arrays are attributes too.
    """

    run: Run | Map
    status: str
    info: dict
    arrays: dict

    @property
    def settings(self):
        """The ``Settings`` of a training run; of a map the map itself."""
        return self.run if isinstance(self.run, Map) else self.run.settings

    def __getattr__(self, name):
        if name != "arrays" and name in self.arrays:
            return self.arrays[name]
        raise AttributeError(f"Result has no {name!r}")


def _paths(name, folder):
    folder = Path(folder or RESULTS)
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
    """Return what is stored of an experiment, finished or not, as a list of ``Result``; [] where nothing is."""
    numbers, settings = _paths(name, folder)
    if not (numbers.exists() and settings.exists()):
        return []
    runs = json.loads(settings.read_text(encoding="utf-8"))["runs"]
    arrays = load_npz(numbers, ["runs"])
    row = {key: i for i, key in enumerate(arrays.pop("runs").tolist())}
    results = []
    for entry in runs:
        described, status = entry.pop("run"), entry.pop("status")
        i = row.get(json.dumps(described))
        if i is None:  # killed between the two files: the run counts as not done
            continue
        own = {key.removeprefix(f"{i}."): values for key, values in arrays.items() if key.startswith(f"{i}.")}
        own |= {key: arrays[key] for key in MODEL if key in arrays}
        try:
            run = Map(**described) if name == "maps" else _run(**described)
        except TypeError as error:
            raise StaleResult(f"{settings}: a stored run is not of today's form ({error}); {_again(name)}") from None
        results.append(Result(run, status, entry, own))
    return results


def _run(settings, keep, **others):
    return Run(Settings(**settings), keep=tuple(keep), **others)


def _again(name):
    return f"delete data/results/{name}.* and run: python -m aelib.study run {name}"


def load(name, folder=None):
    """Return the results of a whole experiment, in the order of ``plan``.

    Raises:
        ValueError: there is no experiment of this name.
        MissingResult: some runs are not stored; the message says how many, and the command that makes them.
        StaleResult: a stored run is not of today's plan; the message names it.
    """
    planned = plan(name)
    found = {result.run: result for result in stored(name, folder)}
    for run in found:
        if run not in planned:
            raise StaleResult(f"{name}: the stored run {run} is not in today's plan; {_again(name)}")
    missing = [run for run in planned if run not in found]
    if missing:
        raise MissingResult(
            f"{name}: {len(missing)} of {len(planned)} runs are missing: python -m aelib.study run {name}"
        )
    return [found[run] for run in planned]


def whole_seeds(name, folder=None):
    """Return the results of an experiment for those seeds all of whose runs are stored, in the order of ``plan``.

    For evidence from an experiment that is not finished; errors as in ``load``, but for missing runs.
    """
    planned = plan(name)
    found = {result.run: result for result in stored(name, folder)}
    missing = {run.seed for run in planned if run not in found}
    return [found[run] for run in planned if run.seed not in missing]


def load_model(name="embedding-net", folder=None):
    """Return the trained ``Autoencoder`` of an experiment that keeps weights; errors as in ``load``."""
    load(name, folder)
    return Autoencoder.load(_paths(name, folder)[0])


def tuned_step(net, method, folder=None):
    """Return the step with the least held-out loss among the stored results of ``tuning``."""
    results = load("tuning", folder)
    own = [(r.test_loss[-1], r.settings.step) for r in results if (r.settings.net, r.settings.method) == (net, method)]
    return min(own)[1]
