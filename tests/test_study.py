import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh

from aelib import Autoencoder, load_mnist, train
from aelib.common.settings import NETS, OPTIMIZERS, Settings
from aelib.curvature import hessian, preconditioned
from aelib.labs import lab7 as panels
from aelib.study import experiments, figures, probes, processes, runs
from aelib.study import results as archive
from aelib.study.averaging import HORIZONS
from aelib.study.experiments import AVERAGED, CANDIDATES, CHOSEN, CONSTANT, TUNED, reported
from aelib.study.kinds import Map, Race, Run
from aelib.study.results import MissingResult, StaleResult
from aelib.widgets.pictures import Picture


def small(method="Adam", held_out=False, keep=(), **changes):
    """A run of the report's settings that takes a moment."""
    return Run(reported("784-2", method, **dict(images=300, epochs=2) | changes), held_out, keep)


@pytest.fixture
def experiment(monkeypatch):
    """A small experiment in the place of ``tuning``."""
    planned = [small(method) for method in OPTIMIZERS]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tuning", lambda: planned)
    return planned


def same(a, b):
    """Whether two results agree bit for bit in everything but their times."""
    return a.run == b.run and all(
        np.array_equal(a.arrays[column], b.arrays[column]) for column in archive.COLUMNS if column != "seconds"
    )


def test_results_come_back_as_they_were_stored(experiment, tmp_path):
    results = [runs.execute(setting) for setting in experiment]
    archive.store("tuning", results, tmp_path)
    back = archive.load("tuning", tmp_path)
    assert all(same(a, b) for a, b in zip(results, back, strict=True))
    assert [r.status for r in back] == ["done"] * 3 and back[0].info == results[0].info
    about = json.loads((tmp_path / "tuning.json").read_text())
    assert about["command"] == "python -m aelib.study run tuning" and about["unit"] == "half-SSE per image"
    assert set(about["runs"][0]["versions"]) == {"python", "numpy", "aelib"}


def test_what_a_run_logs():
    result = runs.execute(small(keep=("codes",)))
    assert result.update.tolist() == [1, 2, 3, 5, 6] and result.images.tolist() == [100, 200, 300, 500, 600]
    assert np.all(np.isfinite(result.test_loss)) and result.test_loss[-1] < 90.7
    assert result.codes.shape == (70_000, 2) and result.codes.dtype == np.float16
    held = runs.execute(small(held_out=True))
    assert held.train_loss[0] == result.train_loss[0] and held.test_loss[0] != result.test_loss[0]


def test_only_what_is_missing_is_run(experiment, tmp_path, monkeypatch):
    archive.store("tuning", [runs.execute(experiment[1])], tmp_path)
    with pytest.raises(MissingResult, match=r"tuning: 2 of 3 runs are missing: python -m aelib\.study run tuning"):
        archive.load("tuning", tmp_path)
    before = archive.stored("tuning", tmp_path)[0].info
    processes.run(["tuning"], jobs=1, folder=tmp_path)
    assert archive.load("tuning", tmp_path)[1].info == before
    monkeypatch.setattr(processes, "execute", None)  # nothing is left to do
    processes.run(["tuning"], jobs=1, folder=tmp_path)


def test_stale_results_are_refused_by_name(experiment, tmp_path, monkeypatch):
    archive.store("tuning", [runs.execute(setting) for setting in experiment], tmp_path)
    changed = [small("SGD", step=0.5), *experiment[1:]]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tuning", lambda: changed)
    with pytest.raises(StaleResult, match=r"tuning: the stored run Run\(settings=Settings\(sizes=\(784, 2, 784\)"):
        archive.load("tuning", tmp_path)
    text = (tmp_path / "tuning.json").read_text()
    (tmp_path / "tuning.json").write_text(text.replace('"init"', '"start"'))
    study_npz = dict(np.load(tmp_path / "tuning.npz"))
    study_npz["runs"] = np.array([s.replace('"init"', '"start"') for s in study_npz["runs"]])
    np.savez(tmp_path / "tuning.npz", **study_npz)
    with pytest.raises(StaleResult, match="not of today's form"):
        archive.load("tuning", tmp_path)


def test_a_kill_between_the_two_files_loses_one_run(experiment, tmp_path):
    results = [runs.execute(setting) for setting in experiment]
    archive.store("tuning", results[:2], tmp_path)
    old = (tmp_path / "tuning.json").read_text()
    archive.store("tuning", results, tmp_path)
    (tmp_path / "tuning.json").write_text(old)  # as if killed before the JSON was replaced
    assert [r.run for r in archive.stored("tuning", tmp_path)] == experiment[:2]


def test_divergence_is_a_result_not_a_crash():
    result = runs.execute(small("SGD", step=1e38, weight_decay=1.0))
    assert "training diverged at update" in result.status


def test_every_experiment_is_declared_once():
    for name in experiments.EXPERIMENTS:
        settings = experiments.plan(name)
        assert len(set(settings)) == len(settings)
    assert all(r.settings.images <= 2000 and r.settings.epochs <= 2 for r in experiments.plan("grid", quick=True))
    assert all(1 <= len(experiments.plan(name, quick=True)) <= 4 for name in experiments.EXPERIMENTS)
    with pytest.raises(ValueError, match="there is no experiment 'gird': expected one of tuning"):
        experiments.plan("gird")


def test_weights_are_stored_as_a_model(tmp_path, monkeypatch):
    settings = [small(keep=("weights",))]
    monkeypatch.setitem(experiments.EXPERIMENTS, "embedding-net", lambda: settings)
    with pytest.raises(MissingResult, match="embedding-net: 1 of 1 runs are missing"):
        archive.load_model(folder=tmp_path)
    result = runs.execute(settings[0])
    archive.store("embedding-net", [result], tmp_path)
    model = archive.load_model(folder=tmp_path)
    assert np.array_equal(model.theta, result.theta) and np.array_equal(
        model.theta, Autoencoder.load(tmp_path / "embedding-net.npz").theta
    )
    assert abs(model.reconstruction_error(load_mnist().test_images) - result.test_loss[-1]) < 1e-5
    back = archive.load("embedding-net", tmp_path)[0]
    assert set(back.arrays) == set(result.arrays)


def test_pictures_are_reconstructions_of_ten_different_digits():
    mnist = load_mnist()
    assert [int(mnist.test_labels[np.all(mnist.test_images == x, axis=1)][0]) for x in runs.ten_digits(mnist)] == list(
        range(10)
    )
    pictures = runs.execute(small(keep=("pictures",))).pictures
    assert pictures.shape == (10, 784) and pictures.dtype == np.uint8 and pictures.max() > 0


def test_cosines_are_those_of_the_products():
    setting = small(keep=("cosines",), images=1000, epochs=1)
    result = runs.execute(setting)
    assert result.update.tolist() == [0, 1, 2, 5, 10] and result.cosines.shape == (5, 6)
    assert np.all(np.abs(result.cosines) <= 1 + 1e-12)
    X = load_mnist().train_images[:1000].astype(np.float64)
    start = Autoencoder([784, 2, 784], init="report", output_bias=False, dtype="float32")
    at = start.with_theta(start.theta.astype(np.float64)).linearize(X)
    H, G = at.hvp(at.grad), at.gnvp(at.grad)
    assert result.cosines[0, 0] == pytest.approx(H @ G / np.linalg.norm(H) / np.linalg.norm(G), abs=1e-9)


def test_segments_are_what_a_second_walk_along_each_update_finds():
    own = dict(images=400, batch=200, epochs=4, momentum=0.8, epsilon_inside=True, hidden="tanh")
    run = small(**own, keep=("segments",))
    result, X = runs.execute(run), load_mnist().train_images[:400]
    losses, fixed, bends, alone, largest = np.split(result.segments, [3, 6, 9, 10], axis=1)
    np.testing.assert_allclose(losses[:, 0], result.train_loss, rtol=1e-5)  # the batch is the one that train drew
    np.testing.assert_array_equal(fixed[1:, 0], fixed[:-1, 2])  # an update ends where the next one starts
    model, adam = run.settings.model(X), run.settings.optimizer()
    measure = probes.segments(model, X, adam, run.settings, largest=False)
    for progress in train(model, X, adam, 4, 200, run.settings.seed):
        free = measure(model)[9]
        if progress.update == 7:
            before = model.theta.copy()
    d = (model.theta - before).astype(np.float64)
    v = adam.moments["second"] * (1 - 0.99) / (1 - 0.99**8)
    P, limit = np.sqrt(v + 1e-8).astype(np.float64), 2 * 1.8 / (0.2 * run.settings.step)
    rng = np.random.default_rng(run.settings.seed)
    batch = X[[rng.permutation(400) for _ in range(4)][-1][200:]].astype(np.float64)
    double = model.with_theta(before.astype(np.float64))
    for t, loss, bend in zip((0, 0.5, 1), losses[-1], bends[-1], strict=True):
        at = before + t * d
        assert double.with_theta(at).loss(batch) == pytest.approx(loss, rel=1e-5)
        change = [double.with_theta(at + e * d).loss_and_grad(batch)[1] for e in (1e-4, -1e-4)]
        assert d @ (change[0] - change[1]) / 2e-4 / (d @ (P * d)) / limit == pytest.approx(bend, rel=0.01, abs=1e-4)
    exact = eigsh(preconditioned(hessian(double, X.astype(np.float64)), P), k=1, which="LA")[0] / limit
    assert largest[-1] == pytest.approx(exact, rel=0.06)
    step = -double.loss_and_grad(batch)[1] / P  # without momentum, and as long in the metric P
    step *= np.sqrt((d @ (P * d)) / (step @ (P * step)))
    assert double.with_theta(before + step).loss(batch) == pytest.approx(free, rel=1e-5)
    assert alone[-1] == pytest.approx(free, rel=1e-5)


def test_a_digit_is_turned_by_a_quarter_and_nothing_else_is():
    mnist, turned = load_mnist(), runs._turned(load_mnist(), 5)
    for part in ("train", "test"):
        images, own = (getattr(data, f"{part}_images") for data in (mnist, turned))
        labels = getattr(mnist, f"{part}_labels")
        np.testing.assert_array_equal(images[labels != 5], own[labels != 5])
        first = np.flatnonzero(labels == 5)[0]
        np.testing.assert_array_equal(own[first].reshape(28, 28), np.rot90(images[first].reshape(28, 28)))
    plain, other = (runs.execute(Run(small().settings, turned=digit)) for digit in (None, 5))
    assert plain.test_loss[-1] != other.test_loss[-1]
    with pytest.raises(ValueError, match="turned is 10: expected None, or a digit 0 to 9"):
        Run(small().settings, turned=10)


@pytest.mark.parametrize("keep", [("sharpnes",), ("codes", "map"), "segment"])
def test_what_a_run_cannot_keep_is_refused(keep):
    with pytest.raises(ValueError, match=r"keep is .*: expected some of codes, weights, pictures, cosines, segments"):
        small(keep=keep)
    assert small(keep="codes") == small(keep=["codes"]) == small(keep=("codes",))


def test_sharpness_is_both_ends_of_the_spectrum_on_the_way():
    run = small("SGD", keep=("sharpness",), step=0.05, momentum=0.0, images=60, batch=60, epochs=120, hidden="tanh")
    result, X = runs.execute(run), load_mnist().train_images[:60]
    assert result.update.tolist() == [0, 50, 100]
    model = run.settings.model(X)
    for _ in train(model, X, run.settings.optimizer(), 50, 60):
        pass
    ends = eigsh(hessian(model, X), k=2, which="BE", return_eigenvectors=False)
    assert result.sharpness[1] == pytest.approx([model.loss(X), *ends], rel=0.02)


def test_saddle_is_the_plateau_and_the_ways_on_from_there():
    settings = reported("784-200-2", "SGD", images=300, batch=100, epochs=15)
    run = Run(replace(settings, sizes=(784, 40, 2, 40, 784)), keep=("saddle",))
    result, X, own = runs.execute(run), load_mnist().train_images[:300], run.settings
    loss, low, high, spread = result.ends
    number, *after = result.escapes
    model = own.model(X)
    for _ in train(model, X, own.optimizer(), own.epochs, 100, own.seed):
        pass
    double = model.with_theta(model.theta.astype(np.float64))
    H, grad = hessian(double, X), double.loss_and_grad(X)[1]
    (lowest, highest), vectors = eigsh(H, k=2, which="BE")
    assert (low, high) == pytest.approx((lowest, highest), rel=0.02) and low < 0
    outputs = double.reconstruct(X)
    assert spread == pytest.approx(np.sqrt(np.mean(np.sum((outputs - outputs.mean(axis=0)) ** 2, axis=1))), rel=1e-3)
    assert result.ways[1, 0] == pytest.approx(-np.linalg.norm(grad), rel=1e-4)
    drawn = np.random.default_rng(own.seed).standard_normal(grad.size)
    for d, (slope, bend, best, there), (t, change) in zip(
        (vectors[:, 0], -grad, drawn), result.ways, result.walks, strict=True
    ):
        d = d / np.linalg.norm(d)
        assert abs(slope) == pytest.approx(abs(grad @ d), abs=2e-3 * np.linalg.norm(grad))
        assert bend == pytest.approx(d @ (H @ d), rel=0.05, abs=1e-3)
        assert t[18] == abs(best) and change[12] == 0
        sides = [double.with_theta(double.theta + sign * best * d).reconstruct(X) for sign in (1, -1)]  # an
        spreads = [np.sqrt(images.var(axis=0).sum()) for images in sides]  # eigenvector has no sign
        assert min(abs(one / there - 1) for one in spreads) < 0.1
        at = 18 if best > 0 else 6
        assert change[at] == change[[6, 18]].min()
    for k, start in enumerate([0, *(change.min() for change in result.walks[:, 1, [6, 18]])]):
        assert after[k][0] - loss == pytest.approx(start, abs=1e-4)  # each way starts at its best place
    norms = [np.linalg.norm(layer.split(model.theta)[0], 2) for layer in model.layers]
    np.testing.assert_allclose(result.layers[0], norms, rtol=1e-5)
    assert result.layers[1:].sum() == pytest.approx(1, abs=1e-5)  # v is a unit vector
    few = probes.small_layers(norms)
    assert 0 < len(few) < len(norms)
    twin = model.with_theta(model.theta.copy())
    for k in few:
        twin.layers[k].split(twin.theta)[0][...] *= 4
    assert after[5][0] == pytest.approx(twin.loss(X), rel=1e-5)
    assert number.tolist() == list(range(0, 361, 10)) and len(after) == 7
    for k, at in ((0, model), (5, twin)):
        for progress in train(at, X, own.optimizer(), 24, 100, own.seed):
            if progress.update == 30:
                assert at.loss(X) == pytest.approx(after[k][3], rel=1e-5)


def test_a_race_counts_its_gradients_and_keeps_its_budget():
    for method, options in CHOSEN.items():
        result = runs.execute(Race(method, options, budget=12, images=100))
        assert result.status == "done" and result.update[0] == result.gradients[0] == 0
        assert np.all(np.diff(result.gradients) > 0) and result.loss[-1] < result.loss[0], method
        assert result.gradients[-1] < 12 + 70, method  # the last update may pass it
    assert runs.execute(Race("Adam", (0.01,), budget=10, images=100)).gradients[-1] == 11


def test_the_arena_runs_each_method_at_the_best_of_its_trials():
    trials = archive.load("arena-tuning")
    for method, options in CHOSEN.items():
        best = min((r for r in trials if r.run.method == method), key=lambda r: r.loss[-1])
        assert best.run.options == options


def test_at_full_size_each_way_runs_at_the_best_of_its_trials():
    best = min(archive.load("arena-full-tuning"), key=lambda r: r.loss[-1])
    assert {r.run.options for r in archive.load("arena-full")} == {best.run.options}
    for net, (step, horizon) in AVERAGED.items():
        trials = figures.select(archive.load("averaging-tuning"), net=net)
        best = min(trials, key=lambda r: r.averages[-1].min())
        assert (best.settings.step, HORIZONS[best.averages[-1].argmin()]) == (step, horizon)
        assert min(CONSTANT[net]) < step < max(CONSTANT[net])
        (cosine,) = {r.settings for r in figures.select(archive.load("embedding"), net=net, seed=0)}
        (constant,) = {r.settings for r in figures.select(archive.load("averaging"), net=net, seed=0)}
        assert replace(cosine, schedule="constant", step=step) == constant  # each way has its own best step


def test_a_race_at_full_size_is_judged_on_other_images():
    race = Race("K-FAC, batches", (0.1, 5, 100), budget=8, images=600, net="784-200-2")
    result, other = runs.execute(race), runs.execute(replace(race, held_out=True))
    mnist = load_mnist()
    start = Settings(NETS["784-200-2"], images=600).model(mnist.train_images)
    assert result.loss[0] == pytest.approx(start.loss(mnist.test_images), rel=1e-5)
    assert other.loss[0] == pytest.approx(start.loss(mnist.train_images[-10_000:]), rel=1e-5)
    assert result.loss[-1] < result.loss[0] and result.update[-1] > 2 and result.gradients[-1] > 8
    with pytest.raises(ValueError, match="60000 training images are too few: expected 50001 and 10000 held out"):
        runs.execute(replace(race, held_out=True, images=50_001))


def test_a_leap_is_the_largest_rise_after_the_loss_has_come_down():
    segments = np.zeros((40, 11))
    segments[:, 0], segments[:, 2] = 30, 29
    segments[3, 2], segments[20] = 36, [28, 27, 33, 0, 0, 0, -0.1, 0.5, 4.0, 35, 0.2]
    segments[25:28, 10] = 1.5
    segments[27, 2] = 31
    assert panels.leap(segments) == (21, 28, 33, -0.1, 4.0, 35, 0.2, 2, 6)


def test_tables_of_the_edge_and_of_a_race_say_what_was_measured():
    own, x = small("SGD", step=0.5, momentum=0.0).settings, np.array([0, 500, 1000, 1500])  # bound 4
    ways = [np.outer(top, [5, -1, 1]) for top in ((1, 5, 6, 4), (3, 3, 3, 2))]
    (row,) = panels.edges_table([SimpleNamespace(settings=own, update=x, sharpness=w) for w in ways]).frame.to_dict(
        "records"
    )
    assert row["bound"] == 4 and row["at the start"] == 2 and row["above the bound from update"] == "500, never"
    assert (row["mean eigenvalue later"], row["least"], row["most"], row["loss at the end"]) == (3.75, 0.5, 1.5, 15)
    names = ("Adam", "Adam, batches", "Adam, batches, cosine", "K-FAC")
    runs = [SimpleNamespace(run=Race(m, (), budget=9), settings=Race(m, (), budget=9)) for m in names]
    for r in runs:
        r.gradients, r.loss, r.seconds = np.array([0, 4, 8]), np.array([20, 10, 9]), np.array([0, 1, 2.5])
    runs[-1].loss, runs[-1].seconds = np.array([20, 18, 2]), np.array([0, 1, 3.1])
    row = panels.overtaking_table(runs).frame.iloc[0]
    assert tuple(row[2:]) == (6, 9, 2.5, 3.1)


@pytest.mark.parametrize("name", ["leaps", "races", "segment", "climb", "edges", "density"])
def test_panels_draw(name):
    t = np.arange(16.0)
    run = SimpleNamespace(update=t, segments=np.ones((16, 11)))
    line, sharp = dict(rows=[(0, 3, 20), (10, 4, 19)], line=9), np.ones((16, 3))
    results = dict(
        leaps=run,
        races=({"K-FAC": [t + 1, t, t, t]}, "gradients"),
        segment=(t, t, t, (0.1, 2.0, 3.0)),
        climb=line,
        edges=[SimpleNamespace(settings=small("SGD", seed=k).settings, update=t, sharpness=sharp) for k in (0, 1)],
        density=dict(far={"H": (t, t + 1)}, near={"H": (t, t + 1)}),
    )
    ghosts = ({"step 0.2": line},) if name == "climb" else ()
    shown = Picture(lambda *given: getattr(panels, name)(*given, *ghosts), (8, 4))
    assert shown.png(results[name]) and shown.alt and shown.jpeg(results[name])


def test_a_map_is_scored_on_codes_of_test_images_it_has_not_learnt_labels_of(monkeypatch):
    result = runs.execute(Map("PCA", train=400, test=100))
    assert result.codes.shape == (500, 2) and result.status == "done"
    assert 0.2 < result.accuracy < 0.7 and 0.2 < result.accuracy_all < 0.7 and 0.5 < result.trustworthiness < 1
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ValueError, match=r"UMAP needs umap-learn: pip install -e \.\[reference\]"):
        runs.execute(Map("UMAP", train=400, test=100))


def test_the_tuned_steps_are_those_that_tuning_found_and_stand_at_no_end_of_what_was_tried():
    found = archive.frame("tuning")
    least = found.loc[found.groupby(["net", "method"])["loss"].idxmin()]
    assert dict(zip(zip(least.net, least.method, strict=True), least.step, strict=True)) == TUNED
    assert all(min(tried) < TUNED[case] < max(tried) for case, tried in CANDIDATES.items())


def test_steps_are_tuned_for_the_budget_with_which_they_are_used():
    (searched,) = {r.settings.epochs for name in ("tuning", "averaging-tuning") for r in archive.load(name)}
    for name in ("architectures-repaired", "embedding", "averaging"):
        assert {r.settings.epochs for r in archive.load(name)} == {searched}
