"""The verdicts on what is stored, held to numbers made again from the files in data/results by NumPy alone.

Nothing of the study or of the trial is used here but the verdicts that are judged: the files are read with json and
numpy, t-intervals and Holm's correction are written out.
"""

import itertools
import json
import math

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from aelib.datasets import DATA, load_mnist, on_mnist
from aelib.trial import rules
from aelib.trial.claims import CLAIMS

RESULTS = DATA / "results"
METHODS = ("SGD", "RMSprop", "Adam")
NETS = {"784-2": 3, "784-200-2": 5, "784-400-200-2": 7}  # net -> number of widths

pytestmark = pytest.mark.skipif(not on_mnist(load_mnist()), reason="the stored results are of MNIST")


class Runs(list):
    """Dicts of settings and arrays; ``of`` selects."""

    def of(self, **values):
        return Runs(run for run in self if all(run[name] == value for name, value in values.items()))

    def by_seed(self, value):
        """Return the values in the order of the seeds."""
        return np.array([value(run) for run in sorted(self, key=lambda run: run["seed"])])


def read(name):
    """Return the stored runs of an experiment."""
    entries = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["runs"]
    found = Runs()
    with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as arrays:
        rows = {text: i for i, text in enumerate(arrays["runs"].tolist())}
        for entry in entries:
            i, own = rows[json.dumps(entry["run"])], entry["run"]["settings"]
            names = ("update", "images", "test_loss", "codes")
            columns = {key: arrays[f"{i}.{key}"] for key in names if f"{i}.{key}" in arrays}
            run = {key.replace("images", "drawn"): value for key, value in columns.items()}
            found.append(own | run | dict(net=len(own["sizes"])))
    return found


def end(run):
    return float(run["test_loss"][-1])


def rise(run):
    """The largest step up between ends of epochs, from that of epoch 3 on."""
    ends = run["test_loss"][run["drawn"] % run["images"] == 0]
    assert len(ends) == run["epochs"]
    return max(b - a for a, b in itertools.pairwise(ends[2:]))


def leap(run):
    """The largest step up in one update, from update 9 to 45."""
    losses = [loss for update, loss in zip(run["update"], run["test_loss"], strict=True) if 9 <= update <= 45]
    assert len(losses) == 37
    return max(b - a for a, b in itertools.pairwise(losses))


def seen(run, level):
    """The first moment that is logged below a level."""
    below = np.flatnonzero(run["test_loss"] < level)
    return float(run["update"][below[0]] if below.size else run["update"][-1])


def crossed(run, level):
    """The update at which the loss, drawn as a line through its moments, first comes down to a level."""
    for (x, a), (y, b) in itertools.pairwise(zip(run["update"], run["test_loss"], strict=True)):
        if b < level:
            return np.interp(-level, [-a, -b], [x, y])
    return float(run["update"][-1])


def interval(a, b):
    """Return mean, low, high and p of a - b, seed by seed."""
    d = np.asarray(a) - np.asarray(b)
    n = len(d)
    error = np.sqrt(np.sum((d - d.mean()) ** 2) / (n - 1) / n)
    reach = stdtrit(n - 1, 0.975) * error
    return d.mean(), d.mean() - reach, d.mean() + reach, 2 * stdtr(n - 1, -abs(d.mean()) / error)


def words(pairs):
    """Return "lower", "higher" or "?" of a against b for pairs (a, b) of losses, at 5 % by Holm's steps."""
    rows = [interval(a, b) for a, b in pairs]
    found = ["?"] * len(rows)
    for step, k in enumerate(sorted(range(len(rows)), key=lambda k: rows[k][3])):
        if rows[k][3] * (len(rows) - step) >= 0.05:
            break
        found[k] = "lower" if rows[k][0] < 0 else "higher"
    return found


def claim(parts):
    """Return the word for a claim from parts that are "yes", "no", "part" or "?"."""
    if set(parts) == {"yes"}:
        return "holds"
    if set(parts) == {"no"}:
        return "does not hold"
    return "holds in part" if {"yes", "part"} & set(parts) else "open"


def most(have):
    """Return "yes" from nine tenths on, "no" up to one tenth."""
    share = np.mean(have)
    return "yes" if share >= 0.9 else "part" if share > 0.1 else "no"


def lower(pairs):
    return [{"lower": "yes", "higher": "no", "?": "?"}[word] for word in words(pairs)]


REPORT = read("architectures-report") if (RESULTS / "architectures-report.json").exists() else Runs()


def said(number):
    verdict = rules.judge(number)
    return verdict.so, verdict.because


def test_claim_4():
    own = {m: REPORT.of(net=3, method=m).by_seed(rise) for m in METHODS}
    so, because = said(4)
    assert so == claim([most(own[m] > 0.5) for m in METHODS])
    for m in METHODS:
        assert f"{m} {own[m].min():.2f} to {own[m].max():.2f}, above 0.5 in {(own[m] > 0.5).sum()} of" in because


def test_claim_5():
    narrow, tests = read("narrowing"), []  # tests: p, method, part
    for m in METHODS:
        gradual, sharp = ({run["seed"]: run for run in runs.of(method=m, net=5)} for runs in (REPORT, narrow))
        dead = [{s for s, run in own.items() if end(run) >= 26.45} for own in (gradual, sharp)]
        only = [len(dead[0] - dead[1]), len(dead[1] - dead[0])]
        if n := sum(only):
            tail = sum(math.comb(n, k) for k in range(min(only) + 1)) / 2**n
            tests.append((min(1.0, 2 * tail), m, "yes" if only[1] > only[0] else "no"))
        alive = sorted(set(gradual) - dead[0] - dead[1])
        if len(alive) > 1:
            mean, _, _, p = interval(*([rise(own[s]) for s in alive] for own in (gradual, sharp)))
            tests.append((p, m, "yes" if mean < 0 else "no"))
    parts = {}
    for step, (p, m, part) in enumerate(sorted(tests)):
        if p * (len(tests) - step) >= 0.05:
            break
        parts.setdefault(m, part)  # here no method has two tests that decide
    assert said(5)[0] == claim([parts.get(m, "?") for m in METHODS])


def test_claim_6():
    own = REPORT.of(net=3, method="Adam").by_seed(end)
    cured = np.mean([end(run) for run in read("architectures-repaired").of(net=3)])
    runs = read("convergence").of(method="Adam")
    long, short = (Runs(run for run in runs if (run["epochs"] > 33) == more).by_seed(end) for more in (True, False))
    gap = own.mean() - cured
    so, because = said(6)
    assert so == {"yes": "holds", "part": "holds in part", "no": "does not hold"}[most(own - long >= 0.5 * gap)]
    mean, low, high, _ = interval(long, short)
    assert f"changes the loss by {mean:+.2f} ({low:+.2f} to {high:+.2f})" in because
    assert f"with Adam for 200 epochs {long.min():.2f} to {long.max():.2f}" in because


def speeds(net):
    """Return the parts of "Adam is faster"."""
    pairs = []
    for level in (19, 18, 17):
        first = {
            m: np.log(REPORT.of(net=net, method=m).by_seed(lambda run, at=level: crossed(run, at))) for m in METHODS
        }
        pairs += [(first["Adam"], first[m]) for m in ("SGD", "RMSprop")]
    return lower(pairs)


def test_claim_7():
    ends = {m: REPORT.of(net=5, method=m).by_seed(end) for m in METHODS}
    pairs = [(ends["SGD"], ends["RMSprop"]), (ends["SGD"], ends["Adam"]), (ends["RMSprop"], ends["Adam"])]
    near = []
    for pair in pairs:
        mean, low, high, _ = interval(*pair)
        near.append("yes" if max(-low, high) < 1.6 else "no" if max(low, -high) >= 1.6 else "?")
        assert f"{mean:+.2f} ({low:+.2f} to {high:+.2f})" in said(7)[1]
    assert said(7)[0] == claim([_part(claim(near)), _part(claim(speeds(5)))])


def _part(word):
    return {"holds": "yes", "holds in part": "part", "does not hold": "no", "open": "?"}[word]


def test_claim_8():
    mean = load_mnist().train_images.mean(axis=0, dtype=np.float64)
    level = 0.5 * np.mean(np.sum((load_mnist().test_images - mean) ** 2, axis=1)) - 1
    epochs = lambda run: seen(run, level) * run["batch"] / run["images"]  # noqa: E731
    woke = [REPORT.of(net=n, method="SGD").by_seed(epochs) for n in NETS.values()]
    late = (woke[2] > 5) & (woke[0] <= 5) & (woke[1] <= 5)
    ends = {m: REPORT.of(net=7, method=m).by_seed(end) for m in METHODS}
    bounds = [interval(ends["SGD"], ends[m]) for m in ("Adam", "RMSprop")]
    came = ["yes" if high < 1.6 else "no" if low > 1.6 else "?" for _, low, high, _ in bounds]
    assert said(8)[0] == claim([most(late), _part(claim(came))])


def test_claim_9():
    calm = REPORT.of(net=7, method="Adam").by_seed(rise) <= 0.5
    so, because = said(9)
    assert so == claim([_part(claim(speeds(7))), most(calm)]) and f"no more than 0.5 in {calm.sum()} of" in because


def test_claim_10():
    two, three = ({m: REPORT.of(net=n, method=m).by_seed(end) for m in METHODS} for n in (5, 7))
    pairs = [(two["SGD"], two["RMSprop"]), (two["Adam"], two["RMSprop"])]
    pairs += [(three["Adam"], three["SGD"]), (three["RMSprop"], three["SGD"])]
    assert said(10)[0] == claim(lower(pairs))


def test_claim_11():
    mean = {m: np.mean([REPORT.of(net=n, method=m).by_seed(end) for n in NETS.values()], axis=0) for m in METHODS}
    so, because = said(11)
    assert so == claim(lower([(mean["Adam"], mean[m]) for m in ("SGD", "RMSprop")]))
    assert ", ".join(f"{m} {mean[m].mean():.2f}" for m in METHODS) in because


def grid():
    """Return the final losses by (batch, step), and the runs."""
    runs = read("grid-report")
    return {(b, s): runs.of(batch=b, step=s).by_seed(end) for b, s in {(r["batch"], r["step"]) for r in runs}}, runs


HIS = [(100, 1e-3), (100, 1e-4), (100, 1e-5), (500, 1e-2), (1000, 1e-2), (5000, 1e-2), (10_000, 1e-2)]
NEAR = [(100, 2e-2), (100, 5e-3), (100, 3e-3), (50, 1e-2), (200, 1e-2)]


def test_claim_12():
    cells, _ = grid()
    parts = [_part(claim(lower([(cells[100, 0.01], cells[cell]) for cell in those]))) for those in (HIS, NEAR)]
    so, because = said(12)
    assert so == claim(parts)
    for cell in NEAR:
        mean, low, high, _ = interval(cells[cell], cells[100, 0.01])
        assert f"{cells[cell].mean():.2f} ({mean:+.2f}, {low:+.2f} to {high:+.2f})" in because


def test_claim_13():
    cells, runs = grid()
    epochs = [cells[batch, 0.01] for batch in (100, 500, 1000, 5000, 10_000)]
    updates = {50: [], 200: []}
    for k, batch in [*((50, b) for b in (100, 500, 1000, 5000)), *((200, b) for b in (100, 500, 1000))]:
        own = runs.of(batch=batch, step=0.01)
        updates[k].append(own.by_seed(lambda run, k=k: run["test_loss"][run["update"] <= k][-1]))
    most_at = {b: read("jumps").of(batch=b).by_seed(leap) for b in (100, 500, 1000, 5000, 10_000)}
    jump = most_at[10_000] > 5
    parts = [_part(claim(lower(list(itertools.pairwise(some))))) for some in (epochs, *updates.values())]
    so, because = said(13)
    assert so == claim([*parts, most(jump)]) and f"above 5 in {jump.sum()} of {len(jump)} seeds" in because
    assert ", ".join(f"{b:,}: {(own > 5).sum()}" for b, own in most_at.items() if b < 10_000) in because
    late = lower(list(itertools.pairwise(updates[200])))
    assert f"{late.count('yes')} of 2 after 200 updates ({late.count('no')} lower)" in because
    assert "from update 9 to 45" in because


def test_claim_14():
    cells, _ = grid()
    pairs = [(cells[cell], cells[100, 0.01]) for cell in ((100, 5e-3), (100, 2e-2), (50, 1e-2), (200, 1e-2))]
    parts = []
    for pair in pairs:
        _, low, high, _ = interval(*pair)
        parts.append("yes" if max(-low, high) < 0.5 else "no" if max(low, -high) >= 0.5 else "?")
    assert said(14)[0] == claim(parts)


def named(codes, labels, n=60_000, k=15):
    """Return counts (true, named) of test digits by the k nearest training codes, by brute force in parts."""
    train, counts = codes[:n].astype(np.float64), np.zeros((10, 10), int)
    square = np.sum(train**2, axis=1)
    for first in range(n, len(codes), 200):
        some = codes[first : first + 200].astype(np.float64)
        nearest = np.argpartition(square - 2 * some @ train.T, k, axis=1)[:, :k]
        votes = np.array([np.bincount(labels[row], minlength=10) for row in nearest])
        np.add.at(counts, (labels[first : first + 200], votes.argmax(axis=1)), 1)
    return counts


def test_claims_15_and_16_count_by_direction():
    """One map of all, with kNN by brute force: it agrees with what the verdicts use, but for ties."""
    mnist = load_mnist()
    labels = np.concatenate([mnist.train_labels, mnist.test_labels])
    run = read("embedding-report").of(seed=0)[0]
    counts = named(run["codes"], labels)
    used = rules.STORED["maps"].iloc[0]
    assert used.seed == 0 and np.abs(counts - used.confusion).max() <= 5
    shares = [100 * table / table.sum(axis=1, keepdims=True) for table in rules.STORED["maps"].confusion]
    threes = np.array([share[3, 5] for share in shares])
    assert f"{threes.min():.0f} to {threes.max():.0f} % of the threes are named 5" in said(16)[1]
    apart = []
    for share in shares:
        others = share - np.diag(np.diag(share))
        apart.append(sum(max(others[d].max(), others[:, d].max()) <= 10 for d in (0, 1, 2, 4, 6, 7, 8, 9)))
    found = np.array(rules.STORED["maps"][["k-means", "k-means, whitened", "HDBSCAN"]]).max(axis=1) >= 0.5
    assert said(15)[0] == claim([most(found), most(np.array(apart) > 4)])


def test_claim_16_rests_on_pairs_of_maps():
    def taken(maps):
        tables = {row.seed: 100 * row.confusion / row.confusion.sum(axis=1, keepdims=True) for row in maps.itertuples()}
        return {seed: (table[3, 5] + table[5, 3]) / 2 for seed, table in tables.items()}

    written, turned = taken(rules.STORED["maps"]), taken(rules.STORED["turned maps"])
    seeds = sorted(set(written) & set(turned))
    (because,) = lower([([turned[s] for s in seeds], [0.5 * written[s] for s in seeds])])
    assert min(written.values()) > 10 and said(16)[0] == claim(["yes", because])


def test_every_claim_has_a_verdict_with_a_rule_and_numbers():
    for number in CLAIMS:
        verdict = rules.judge(number)
        assert verdict.shown in ("yes", "no") and "{" not in verdict.rule
        assert any(letter.isdigit() for letter in verdict.because)
        assert (verdict.shown == "no") or verdict.so == "holds"
