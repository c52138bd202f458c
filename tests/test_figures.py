"""Laws of the aggregation, and every figure drawn from made-up and from stored results."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aelib.common.settings import NETS, Settings
from aelib.study import figures
from aelib.study.kinds import Run
from aelib.study.results import Result

LEVELS = {"mean image": 26.0, "PCA-2": 21.0}
SETTINGS = Settings(NETS["784-200-2"], init="report", output_bias="none", step=0.01, images=1000, epochs=3)


def result(losses, settings=SETTINGS, status="done"):
    """A result with these test losses, logged every 10 updates; its seconds grow with its seed."""
    update = 10.0 * np.arange(1, len(losses) + 1)
    columns = dict(update=update, images=100 * update, seconds=(1 + settings.seed) * update / 100)
    columns |= dict(train_loss=np.zeros(len(losses)), grad_norm=np.zeros(len(losses)))
    return Result(Run(settings), status, {}, columns | {"test_loss": np.array(losses, float)})


def repeats(*rows, settings=SETTINGS, **kwargs):
    return [result(losses, replace(settings, seed=seed), **kwargs) for seed, losses in enumerate(rows)]


def figure():
    made = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(made)
    return made


def test_a_band_is_the_range_and_the_median_of_the_seeds():
    rng = np.random.default_rng(0)
    rows = rng.uniform(10, 30, (5, 4))
    x, low, middle, high = figures.bands(repeats(*rows))
    assert np.array_equal(low, rows.min(axis=0)) and np.array_equal(high, rows.max(axis=0))
    assert np.array_equal(middle, np.sort(rows, axis=0)[2]) and x.tolist() == [1, 2, 3, 4]
    _, first, middle_too, third = figures.bands(repeats(*rows), spread="quartiles")
    assert np.array_equal(middle, middle_too)
    assert np.array_equal(first, np.sort(rows, axis=0)[1]) and np.array_equal(third, np.sort(rows, axis=0)[3])


def test_a_band_of_one_run_is_that_run():
    _, low, middle, high = figures.bands(repeats([30, 20, 19]))
    assert low.tolist() == middle.tolist() == high.tolist() == [30, 20, 19]


def test_a_band_does_not_depend_on_the_order_of_the_seeds():
    runs = repeats([30, 20], [31, 19], [29, 25])
    for a, b in zip(figures.bands(runs, "seconds"), figures.bands(runs[::-1], "seconds"), strict=True):
        assert np.array_equal(a, b)


def test_the_axes_agree_with_each_other():
    runs = repeats([30, 20, 19], [31, 21, 18], [32, 22, 20])
    x = {name: figures.bands(runs, name)[0] for name in figures.AXES}
    assert np.array_equal(x["updates"], [10, 20, 30]) and np.array_equal(x["images"], 100 * x["updates"])
    assert np.array_equal(x["epochs"], x["images"] / 1000) and np.array_equal(x["gradients"], x["epochs"])
    assert np.allclose(x["seconds"], [0.2, 0.4, 0.6])  # the median of 1, 2 and 3 times the time


def test_a_diverged_run_is_counted_as_far_as_it_came_and_named():
    runs = [*repeats([30, 20, 19], [32, 22, 21]), result([50], replace(SETTINGS, seed=2), "training diverged at ...")]
    _, low, middle, high = figures.bands(runs)
    assert high.tolist() == [50, 22, 21] and low.tolist() == [30, 20, 19] and middle.tolist() == [32, 21, 20]
    assert figures.label("Adam", runs) == "Adam: 20.00 [19.00, 21.00], 1 of 3 diverged"
    assert figures.label("Adam", runs[2:]) == "Adam, 1 of 1 diverged"
    assert figures.label("Adam", runs[:1]) == "Adam: 19.00"
    assert figures.finals(runs, "method")["Adam"].tolist() == [19, 21, np.inf]
    at_once = repeats([], [], status="training diverged at update 1")
    assert all(line.size == 0 for line in figures.bands(at_once))


def test_only_repeats_of_one_setting_make_a_band():
    other = result([30, 20], replace(SETTINGS, step=0.1))
    with pytest.raises(ValueError, match="differ in the seed alone: got 2 settings"):
        figures.bands([*repeats([30, 20]), other])
    with pytest.raises(ValueError, match="got 0 settings"):
        figures.bands([])
    with pytest.raises(ValueError, match="no axis 'hours': expected one of epochs, updates"):
        figures.bands(repeats([30]), "hours")
    with pytest.raises(ValueError, match="no spread 'sigma': expected one of min-max, quartiles"):
        figures.bands(repeats([30]), spread="sigma")


def test_select_and_groups_split_and_keep_every_run():
    runs = [*repeats([30], [31]), *repeats([32], [33], settings=replace(SETTINGS, method="SGD"))]
    assert figures.select(runs, method="SGD", seed=1) == [runs[3]]
    assert figures.groups(runs, "method") == {"Adam": runs[:2], "SGD": runs[2:]}
    assert list(figures.groups(runs, "method", "seed")) == [("Adam", 0), ("Adam", 1), ("SGD", 0), ("SGD", 1)]


@pytest.mark.parametrize("x", figures.AXES)
def test_convergence_draws_a_line_a_method_and_names_what_diverged(x):
    runs = repeats([30, 20, 19], [32, 22, 21]) + repeats([28, 24, 23], settings=replace(SETTINGS, method="SGD"))
    runs += repeats([40], settings=replace(SETTINGS, method="RMSprop"), status="training diverged at update 11")
    made = figure()
    figures.convergence(made, runs + repeats([25, 21], settings=replace(SETTINGS, init="glorot")), x=x, levels=LEVELS)
    left, right = made.axes
    assert [t.get_text() for t in left.get_legend().get_texts()] == [
        "Adam, step 0.01: 20.00 [19.00, 21.00]",
        "SGD, step 0.01: 23.00",
        "RMSprop, step 0.01, 1 of 1 diverged",
    ]
    assert "the report's settings" in left.get_title() and "repaired" in right.get_title()
    assert [t.get_text() for t in left.texts] == ["mean image 26.00", "PCA-2 21.00"]
    assert left.get_xlabel() == figures.AXES[x] and left.get_ylabel() == figures.LOSS
    made.canvas.draw()


def test_grids_take_any_number_of_seeds_and_steps():
    runs = [result([30, 20], replace(SETTINGS, step=s)) for s in (0.1, 0.01, 0.001)]
    runs += [result([31, 21], replace(SETTINGS, batch=1000)), result([30, 21], replace(SETTINGS, seed=1))]
    made = figure()
    figures.grids(made, runs, levels=LEVELS)
    texts = [[t.get_text() for t in ax.get_legend().get_texts()] for ax in made.axes]
    assert texts[0] == ["step 0.001: 20.00", "step 0.01: 20.50 [20.00, 21.00]", "step 0.1: 20.00"]
    assert texts[1] == ["batch 100: 20.50 [20.00, 21.00]", "batch 1000: 21.00"]
    assert "1 or 2 seeds" in made.axes[0].get_title()
    figures.grids(figure(), runs[:1], levels=LEVELS)  # nothing on the right yet
    made.canvas.draw()


def test_table_1_has_a_row_of_images_a_run():
    runs = [result([20], SETTINGS), result([19], replace(SETTINGS, method="SGD"))]
    for run in runs:
        run.arrays["pictures"] = np.full((10, 784), 255, np.uint8)
    made = figure()
    figures.inputs_outputs(made, runs)
    (ax,) = made.axes
    assert [t.get_text() for t in ax.texts] == ["input", "784-200-2\nAdam: 20.00", "784-200-2\nSGD: 19.00"]
    assert np.nanmax(ax.images[0].get_array()) == 1.0  # from bytes to [0, 1]


def test_every_figure_is_drawn_from_what_is_stored(tmp_path, capsys):
    paths = figures.draw_all(tmp_path / "new" / "folder")
    names = [path.name for path in paths]
    assert names[:3] == ["figure-2.png", "figure-3.png", "figure-4.png"] and "figure-6.png" in names
    assert all(path.stat().st_size > 10_000 for path in paths)
    assert [str(path) for path in paths] == [line for line in capsys.readouterr().out.split("\n") if "png" in line]


def test_what_is_not_stored_is_said_and_left_out(tmp_path, capsys):
    assert figures.draw_all(tmp_path / "figures", results=tmp_path) == []
    assert "embedding: 9 of 9 runs are missing: python -m aelib.study run embedding" in capsys.readouterr().out
