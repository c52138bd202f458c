"""Many runs: ``run`` does what is missing of the study's experiments, in parallel; ``status`` says what is stored."""

from pathlib import Path

from aelib.study.experiments import EXPERIMENTS, plan
from aelib.study.results import RESULTS, store, stored
from aelib.study.runs import execute

_BAR = "{desc:<34} {percentage:3.0f} % |{bar}| {elapsed}, about {remaining} left"


def run(names, quick=False, jobs=None, cluster=None, folder=None):
    """Do what is missing of these experiments, in parallel, storing every result as it comes.

    Two progress bars show the whole and the experiment under way, with an estimate of the time left.

    Args:
        names: experiments, in order; one that needs another's results comes after it.
        quick: small runs instead, into a folder of their own.
        jobs: number of processes, one BLAS thread each; by default one a core.
        cluster: address of a Dask scheduler whose workers do the runs instead.
        folder: where results are stored.

    Raises:
        ValueError: there is no experiment of such a name, or a run needs a package that is not installed.
        StaleResult: a stored file is of another form.
        OSError: there is no scheduler at this address.
    """
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits
    from tqdm import tqdm

    folder = Path(folder or (RESULTS / "quick" if quick else RESULTS))
    plans = {name: plan(name, quick) for name in names}
    done = {name: {r.run: r for r in stored(name, folder) if r.run in plans[name]} for name in names}
    client = _client(cluster) if cluster else None
    backend = dict(backend="dask") if cluster else dict(backend="loky", inner_max_num_threads=1, n_jobs=jobs or -1)

    def bar(label, names, position):
        runs = [(setting.cost, setting in done[name]) for name in names for setting in plans[name]]
        initial = sum(cost for cost, is_done in runs if is_done)
        form = dict(bar_format=_BAR, smoothing=0, position=position, desc=label)
        return tqdm(total=sum(cost for cost, _ in runs), initial=initial, **form)

    try:
        with threadpool_limits(1), parallel_config(**backend), bar("all", names, 0) as whole:
            for name in names:
                with bar(_label(name, done, plans), [name], 1) as part:
                    for result in _results(plans[name], done[name]):
                        done[name][result.run] = result
                        store(name, [done[name][s] for s in plans[name] if s in done[name]], folder)
                        part.set_description_str(_label(name, done, plans), refresh=False)
                        part.update(result.run.cost)
                        whole.update(result.run.cost)
    finally:
        if client:
            client.close()


def _label(name, done, plans):
    return f"{name} {len(done[name])} of {len(plans[name])}"


def _results(settings, done):
    """Yield the results of what is not done, as they come; first seeds first, so that a part is of use."""
    from joblib import Parallel, delayed

    todo = sorted((setting for setting in settings if setting not in done), key=lambda setting: setting.seed)
    if todo:
        yield from Parallel(return_as="generator_unordered")(delayed(execute)(setting) for setting in todo)


def _client(address):
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--cluster needs Dask: pip install -e .[cluster]") from None
    return Client(address, timeout="20s")


def status(folder=None):
    """Return a line for each experiment: how many of its runs are stored, their CPU time, and about what is left."""
    lines, left, expected, seconds = [], {}, 0.0, 0.0
    for name in EXPERIMENTS:
        results, settings = stored(name, folder), plan(name)
        found = {r.run for r in results} & set(settings)
        own = sum(r.info["cpu_seconds"] for r in results)
        expected, seconds = expected + sum(s.cost for s in found), seconds + own
        left[name] = sum(s.cost for s in settings if s not in found)
        stale = f", {len(results) - len(found)} stale" if len(found) < len(results) else ""
        lines.append(
            f"{name:<24} {len(found):>4} of {len(settings):>4} runs{stale}, {own / 60:.0f} minutes of CPU time"
        )
    scale = seconds / expected / 60 if expected else 1 / 60
    return [
        line + (f", about {left[name] * scale:.0f} more to come" if left[name] else "")
        for name, line in zip(EXPERIMENTS, lines, strict=True)
    ]
