"""The report's experiments at full size: python -m aelib.study list | status | run [NAME ...] [--quick] [--jobs N].

An experiment is a named list of ``Setting``, one for each training run. ``run`` does what is missing, run by run, and
stores each result as soon as it is there: killed at any moment, it loses at most the runs in progress. Numbers stand in
``data/results/NAME.npz``, everything else (settings, versions, times, the command) in ``NAME.json`` beside it. A stored
result whose setting is not the code's any more is refused by name.
"""

import argparse
import functools
import itertools
import json
import math
import platform
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from aelib.autoencoder import Autoencoder
from aelib.datasets import DATA, load_mnist
from aelib.files import load_npz, save_npz, save_text
from aelib.optimizers import SGD, Adam, RMSprop, cosine
from aelib.train import Diverged, train

RESULTS = DATA / "results"
NETS = {
    "784-2": (784, 2, 784),
    "784-200-2": (784, 200, 2, 200, 784),
    "784-400-200-2": (784, 400, 200, 2, 200, 400, 784),
    "784-1000-500-250-2": (784, 1000, 500, 250, 2, 250, 500, 1000, 784),
}
COLUMNS = ("update", "images", "seconds", "train_loss", "test_loss", "grad_norm")


@dataclass(frozen=True)
class Setting:
    """One training run, completely described; the defaults are the report's settings.

    Attributes:
        net: key of ``NETS``.
        method: "SGD", "RMSprop" or "Adam".
        step: learning rate; with ``schedule`` "cosine" the first one of a cosine that ends at 0.
        schedule: "constant" or "cosine".
        init: initialiser.
        output_bias: "none", or "mean" (started at logit(mean pixel)).
        weight_decay: as in ``Autoencoder``.
        beta2: second-moment decay of RMSprop and Adam; momentum (SGD) and beta1 (Adam) are 0.9.
        batch_size: images per update.
        epochs: passes over the training images.
        images: number of training images, the first so many.
        held_out: whether the loss is measured on the last 10,000 training images instead of the test images.
        seed: of the initial weights and of the order of images.
        codes: whether the 2-D codes of all 70,000 images are kept.
    """

    net: str
    method: str
    step: float = 0.01
    schedule: str = "constant"
    init: str = "report"
    output_bias: str = "none"
    weight_decay: float = 1e-5
    beta2: float = 0.99
    batch_size: int = 100
    epochs: int = 33
    images: int = 60_000
    held_out: bool = False
    seed: int = 0
    codes: bool = False

    @property
    def updates(self):
        """Number of updates of the run."""
        return self.epochs * math.ceil(self.images / self.batch_size)

    @property
    def cost(self):
        """Operations of the run, roughly: what progress bars count."""
        sizes = NETS[self.net]
        entries = sum(p * q for p, q in itertools.pairwise(sizes))
        return float(self.epochs * self.images * 6 * entries + self.updates * 60 * entries + self.updates * 1e6)

    def optimizer(self):
        """Return the optimizer of this run."""
        rate = cosine(self.step, self.updates) if self.schedule == "cosine" else self.step
        if self.method == "SGD":
            return SGD(rate, momentum=0.9)
        return RMSprop(rate, decay=self.beta2) if self.method == "RMSprop" else Adam(rate, beta2=self.beta2)

    def model(self, images):
        """Return the untrained model of this run."""
        bias = self.output_bias != "none"
        shared = dict(init=self.init, weight_decay=self.weight_decay, seed=self.seed, dtype="float32")
        model = Autoencoder(NETS[self.net], output_bias=bias, **shared)
        return model.start_output_bias(images) if bias else model


# -- experiments -------------------------------------------------------------------------------------------------------

METHODS = ("SGD", "RMSprop", "Adam")
REPAIRED = dict(init="glorot", output_bias="mean", schedule="cosine", weight_decay=0.0, beta2=0.999)
STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5)  # the report's: 1e-2 ... 1e-5
BATCHES = (20, 50, 100, 500, 1000, 10_000)  # the report's: 100 ... 10,000
CANDIDATES = {
    "SGD": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "RMSprop": (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2),
    "Adam": (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2),
}


def tuning():
    """Six steps for each net and method, 5 epochs on 50,000 images, judged on the 10,000 held out."""
    part = dict(epochs=5, images=50_000, held_out=True, **REPAIRED)
    nets = list(NETS)[:3]
    return [Setting(net, method, step, **part) for net in nets for method in METHODS for step in CANDIDATES[method]]


def tuned_step(net, method, folder=None):
    """Return the step with the least held-out loss among the stored results of ``tuning``."""
    results = load("tuning", folder)
    own = [(r.test_loss[-1], r.setting.step) for r in results if (r.setting.net, r.setting.method) == (net, method)]
    return min(own)[1]


def architectures_report():
    """The report's three nets and methods with its own settings, five seeds."""
    cases = [(net, method, seed) for seed in range(5) for net in list(NETS)[:3] for method in METHODS]
    return [Setting(net, method, seed=seed) for net, method, seed in cases]


def architectures_repaired():
    """The same, repaired: glorot, output bias from the mean pixel, cosine schedule from the tuned step."""
    cases = [(net, method, seed) for seed in range(5) for net in list(NETS)[:3] for method in METHODS]
    return [Setting(net, method, tuned_step(net, method), seed=seed, **REPAIRED) for net, method, seed in cases]


def grid():
    """Step sizes crossed with batch sizes, past both edges of the report's two grids; its 784-200-2 and Adam."""
    cases = [(step, batch, seed) for seed in range(3) for batch in BATCHES for step in STEPS]
    return [Setting("784-200-2", "Adam", step, batch_size=batch, seed=seed) for step, batch, seed in cases]


def embedding():
    """The nets whose 2-D codes of all 70,000 images are kept."""
    kept = dict(codes=True, **REPAIRED)
    steps = {"784-200-2": 2e-3, "784-400-200-2": 2e-3, "784-1000-500-250-2": 1e-3}
    return [Setting(net, "Adam", step, seed=seed, **kept) for seed in range(3) for net, step in steps.items()]


EXPERIMENTS = {
    function.__name__.replace("_", "-"): function
    for function in (tuning, architectures_report, architectures_repaired, embedding, grid)
}


def plan(name, quick=False):
    """Return the settings of an experiment, in order; quick: a few small runs, to see that it works.

    Raises:
        ValueError: there is no experiment of this name.
        MissingResult: the experiment needs another's results first.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {name!r}: expected one of {', '.join(EXPERIMENTS)}")
    if not quick:
        return EXPERIMENTS[name]()
    try:
        settings = EXPERIMENTS[name]()
    except MissingResult:
        settings = [Setting("784-2", method, **REPAIRED) for method in METHODS]
    small = [replace(s, images=2000, epochs=2) for s in settings if s.batch_size <= 2000 and s.seed == 0]
    return small[:: max(1, len(small) // 4)][:4]


# -- one run -----------------------------------------------------------------------------------------------------------


@dataclass
class Result:
    """What a run gave: ``setting``, ``status`` ("done" or the diagnosis of its divergence), ``info``, and arrays.

    The arrays ``update, images, seconds, train_loss, test_loss, grad_norm`` have one entry for each moment logged:
    updates 1, 2, 5, 10, 20, 50, ... and the end of every epoch. ``train_loss`` is the mean over the updates since the
    moment before. ``codes`` is (70000, 2) float16, training images first, or None.
    """

    setting: Setting
    status: str
    info: dict
    arrays: dict
    codes: np.ndarray | None = None

    def __getattr__(self, name):
        if name in COLUMNS:
            return self.arrays[name]
        raise AttributeError(f"Result has no {name!r}")


@functools.cache
def _mnist():
    return load_mnist()


def logged(update, updates_per_epoch):
    """Return whether this update is logged: 1, 2, 5 times a power of 10, or the last of an epoch."""
    return update % updates_per_epoch == 0 or str(update).rstrip("0") in ("1", "2", "5")


def execute(setting):
    """Make one training run and return its ``Result``."""
    mnist = _mnist()
    X = mnist.train_images[: setting.images]
    X_test = mnist.train_images[-10_000:] if setting.held_out else mnist.test_images
    model, per_epoch = setting.model(X), math.ceil(setting.images / setting.batch_size)
    rows, losses, status = [], [], "done"
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        for p in train(model, X, setting.optimizer(), setting.epochs, setting.batch_size, setting.seed):
            losses.append(p.train_loss)
            if logged(p.update, per_epoch):
                with np.errstate(over="ignore", invalid="ignore"):
                    test_loss = model.reconstruction_error(X_test)
                rows.append((p.update, p.images, p.seconds, np.mean(losses), test_loss, p.grad_norm))
                losses = []
    except Diverged as diagnosis:
        status = str(diagnosis)
    arrays = dict(zip(COLUMNS, np.array(rows, np.float64).reshape(-1, len(COLUMNS)).T, strict=True))
    codes = None
    if setting.codes:
        codes = np.concatenate([model.encode(mnist.train_images), model.encode(mnist.test_images)]).astype(np.float16)
    info = dict(
        wall_seconds=round(time.perf_counter() - wall, 2),
        cpu_seconds=round(time.process_time() - cpu, 2),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), "numpy": np.__version__, "aelib": version("aelib")},
    )
    return Result(setting, status, info, arrays, codes)


# -- storage -----------------------------------------------------------------------------------------------------------


class MissingResult(FileNotFoundError):
    """A stored result that was asked for is not there."""


class StaleResult(ValueError):
    """A stored result was made with another setting than the code's of today."""


def _paths(name, folder):
    folder = Path(folder or RESULTS)
    return folder / f"{name}.npz", folder / f"{name}.json"


def store(name, results, folder=None):
    """Write all results of an experiment, atomically: the numbers first, then the JSON that vouches for them."""
    numbers, settings = _paths(name, folder)
    numbers.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for i, result in enumerate(results):
        arrays |= {f"{i}.{column}": values for column, values in result.arrays.items()}
        if result.codes is not None:
            arrays[f"{i}.codes"] = result.codes
    runs = [dict(setting=asdict(r.setting), status=r.status, **r.info) for r in results]
    arrays["settings"] = np.array([json.dumps(run["setting"]) for run in runs])
    save_npz(numbers, **arrays)
    about = dict(command=f"python -m aelib.study run {name}", unit="half-SSE per image", runs=runs)
    save_text(settings, json.dumps(about, indent=1) + "\n")


def stored(name, folder=None):
    """Return what is stored of an experiment, finished or not, as a list of ``Result``; [] where nothing is."""
    numbers, settings = _paths(name, folder)
    if not (numbers.exists() and settings.exists()):
        return []
    runs = json.loads(settings.read_text(encoding="utf-8"))["runs"]
    arrays = load_npz(numbers, ["settings"])
    row = {key: i for i, key in enumerate(arrays["settings"].tolist())}
    results = []
    for run in runs:
        i = row.get(json.dumps(run["setting"]))
        if i is None:  # killed between the two files: the run counts as not done
            continue
        columns = {column: arrays[f"{i}.{column}"] for column in COLUMNS}
        info = {key: value for key, value in run.items() if key not in ("setting", "status")}
        try:
            setting = Setting(**run["setting"])
        except TypeError as error:
            raise StaleResult(
                f"{settings}: a stored setting is not of today's form ({error}); {_again(name)}"
            ) from None
        results.append(Result(setting, run["status"], info, columns, arrays.get(f"{i}.codes")))
    return results


def _again(name):
    return f"delete data/results/{name}.* and run: python -m aelib.study run {name}"


def load(name, folder=None):
    """Return the results of a whole experiment, in the order of ``plan``.

    Raises:
        MissingResult: some runs are not stored; the message says how many, and the command that makes them.
        StaleResult: a stored run is not of today's plan; the message names it.
    """
    found = {result.setting: result for result in stored(name, folder)}
    settings = EXPERIMENTS[name]()
    for setting in found:
        if setting not in settings:
            raise StaleResult(f"{name}: the stored run {setting} is not in today's plan; {_again(name)}")
    missing = [setting for setting in settings if setting not in found]
    if missing:
        raise MissingResult(
            f"{name}: {len(missing)} of {len(settings)} runs are missing: python -m aelib.study run {name}"
        )
    return [found[setting] for setting in settings]


# -- running -----------------------------------------------------------------------------------------------------------


def run(names, quick=False, jobs=None, cluster=None, folder=None):
    """Do what is missing of these experiments, in parallel, storing every result as it comes.

    Args:
        names: experiments, in order; an experiment that needs another's results comes after it.
        quick: small runs instead, into a folder of their own.
        jobs: number of processes, one BLAS thread each; by default one a core.
        cluster: address of a Dask scheduler whose workers do the runs instead.
        folder: where results are stored.
    """
    from joblib import Parallel, delayed, parallel_config
    from tqdm import tqdm

    folder = Path(folder or (RESULTS / "quick" if quick else RESULTS))
    if cluster:
        from distributed import Client

        Client(cluster)
    backend = dict(backend="dask") if cluster else dict(backend="loky", inner_max_num_threads=1, n_jobs=jobs or -1)
    for name in names:
        settings = plan(name, quick)
        done = {r.setting: r for r in stored(name, folder) if r.setting in settings}
        todo = sorted((s for s in settings if s not in done), key=lambda s: s.seed)
        whole = sum(s.cost for s in settings)
        bar = tqdm(total=round(whole / 1e9), unit="Gop", desc=f"{name} {len(done)}/{len(settings)}", smoothing=0)
        bar.update(round(sum(s.cost for s in done) / 1e9))
        with bar, parallel_config(**backend):
            for result in Parallel(return_as="generator_unordered")(delayed(execute)(s) for s in todo):
                done[result.setting] = result
                store(name, [done[s] for s in settings if s in done], folder)
                bar.set_description(f"{name} {len(done)}/{len(settings)}")
                bar.update(round(result.setting.cost / 1e9))


def status(folder=None):
    """Return a line for each experiment: how many of its runs are stored, and their CPU time."""
    lines = []
    for name in EXPERIMENTS:
        results = stored(name, folder)
        try:
            settings = plan(name)
        except MissingResult as error:
            lines.append(f"{name:<24} waits: {error}")
            continue
        count = sum(r.setting in settings for r in results)
        minutes = sum(r.info["cpu_seconds"] for r in results) / 60
        stale = f", {len(results) - count} stale" if count < len(results) else ""
        lines.append(f"{name:<24} {count:>4} of {len(settings):>4} runs{stale}, {minutes:.0f} minutes of CPU time")
    return lines


def main(arguments=None):
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m aelib.study", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the experiments and what they are")
    commands.add_parser("status", help="how much of each is stored")
    command = commands.add_parser("run", help="do what is missing")
    command.add_argument("names", nargs="*", metavar="NAME", help="experiments; all by default")
    command.add_argument("--quick", action="store_true", help="a few small runs, into data/results/quick")
    command.add_argument("--jobs", type=int, help="number of processes; one a core by default")
    command.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://127.0.0.1:8786")
    given = parser.parse_args(arguments)
    if given.command == "list":
        print("\n".join(f"{name:<24} {function.__doc__.splitlines()[0]}" for name, function in EXPERIMENTS.items()))
    elif given.command == "status":
        print("\n".join(status()))
    else:
        try:
            run(given.names or list(EXPERIMENTS), given.quick, given.jobs, given.cluster)
        except (MissingResult, StaleResult, ValueError) as error:
            sys.exit(f"aelib.study: {error}")
        except KeyboardInterrupt:
            sys.exit("stopped: what was finished is stored; the same command goes on from there")


if __name__ == "__main__":
    from aelib import study  # by its importable name, so that other processes find what is sent to them

    study.main()
