import csv
import io
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import aelib
from aelib import SGD, Adam, Autoencoder, RMSprop, train
from aelib.common.settings import Settings
from aelib.optimizers import cosine
from aelib.widgets.console.live_run import LiveRun, change
from aelib.widgets.console.transcript import as_code, diagnosis, to_csv

SIZES = (784, 12, 2, 12, 784)


def advance(run, updates):
    return [run.advance().train_loss for _ in range(updates)]


def finish(run):
    while run.advance():
        pass
    return run


@pytest.fixture
def few(mnist):
    """500 training images, 100 test images."""
    return SimpleNamespace(
        train_images=mnist.train_images[:500], test_images=mnist.test_images[:100], test_labels=mnist.test_labels[:100]
    )


def small(**values):
    return Settings(**{"sizes": SIZES, "images": 500, "batch": 50, "epochs": 3} | values)


def test_a_run_is_train(few):
    """The same losses as aelib.train with the same settings, bit for bit, and it ends where they say."""
    run = finish(LiveRun(few, small(schedule="cosine", weight_decay=1e-3)))
    model = Autoencoder(SIZES, weight_decay=1e-3, dtype="float32").start_output_bias(few.train_images)
    optimizer = Adam(cosine(0.003, updates=30))
    losses = [row.train_loss for row in train(model, few.train_images, optimizer, epochs=3, batch_size=50)]
    assert list(run.history.train_loss) == losses and len(losses) == 30 and run.over
    np.testing.assert_array_equal(run.model.theta, model.theta)
    assert run.advance() is None and run.update == 30
    last = run.measurements[-1]
    assert last.update == 30 and last.test_loss == pytest.approx(model.reconstruction_error(few.test_images), rel=1e-5)


def test_reset_returns_to_the_same_weights_and_losses(few):
    run = LiveRun(few, small(output_bias="none", seed=3))
    theta, losses = run.model.theta.copy(), advance(run, 12)
    run.reset()
    np.testing.assert_array_equal(run.model.theta, theta)
    assert advance(run, 12) == losses
    run.wanted = small(output_bias="none", seed=4)
    run.reset()
    assert advance(run, 12) != losses


@pytest.mark.parametrize("method", ["SGD", "RMSprop", "Adam"])
def test_a_change_takes_effect_at_the_next_update(few, method):
    """With step 0 theta stands still from the next update on; a new batch size counts at once."""
    run = LiveRun(few, small(method=method))
    advance(run, 5)
    theta = run.model.theta.copy()
    run.wanted = replace(run.wanted, step=0.0, batch=7)
    np.testing.assert_array_equal(run.model.theta, theta)
    assert run.advance().images == 5 * 50 + 7
    np.testing.assert_array_equal(run.model.theta, theta)
    run.wanted = replace(run.wanted, step=0.01)
    run.advance()
    assert np.any(run.model.theta != theta)
    assert run.update + run.updates_left == 5 + 36 + 2 * 72  # 250 images of the first epoch in batches of 7


def test_what_waits_for_a_reset_is_named_and_waits(few):
    run = LiveRun(few, small())
    reference = advance(LiveRun(few, small()), 6)
    losses = advance(run, 3)
    run.wanted = small(sizes=(784, 5, 784), init="he", method="SGD", seed=9)
    assert run.needs_reset == ["sizes", "init", "method", "seed"]
    assert losses + advance(run, 3) == reference
    run.reset()
    assert run.needs_reset == [] and len(run.model.layers) == 2 and isinstance(run.optimizer, SGD)


def test_new_momentum_keeps_the_averages():
    """A new beta must not change what Adam and RMSprop remember: (1 - beta) times the stored sums."""
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(20)
    for optimizer, values, names in (
        (Adam(), {"beta1": 0.5, "beta2": 0.9}, {"first": "beta1", "second": "beta2"}),
        (RMSprop(), {"decay": 0.9}, {"square": "decay"}),
    ):
        for _ in range(5):
            optimizer.step(theta, rng.standard_normal(20))
        before = {m: (1 - getattr(optimizer, b)) * optimizer.moments[m] for m, b in names.items()}
        change(optimizer, **values)
        for m, b in names.items():
            assert getattr(optimizer, b) == values[b]
            np.testing.assert_allclose((1 - values[b]) * optimizer.moments[m], before[m], rtol=1e-14)


def test_no_more_images_than_the_pace_allows(few):
    """In 0.3 s at 500 images a second: 150, and at most one batch that was made up for."""
    run = LiveRun(few, small(epochs=100))
    run.start()
    run.train(0.3, pace=500)
    assert 0 < run.images_used <= 150 + 50 and run.state == "running"
    run.train(0.2)  # without one, as many as the machine can
    assert run.images_used > 300


def test_buttons_lead_from_state_to_state(few):
    run = LiveRun(few, small())
    assert run.state == "ready"
    run.pause()
    run.stop()
    assert run.state == "ready"  # nothing to hold or to end
    run.step()
    assert run.state == "paused" and run.update == 1
    run.start()
    assert run.state == "running"
    finish(run)
    assert run.state == "ended" and run.update == 30
    run.step()  # after the end it begins anew, and the run that ended is kept
    assert run.state == "paused" and run.update == 1 and len(run.ghosts) == 1
    assert run.ghosts[0].curve[0][-1] == 30 and not run.ghosts[0].changed


# -- the code ----------------------------------------------------------------------------------------------------------


def run_again(run, mnist, monkeypatch):
    monkeypatch.setattr(aelib, "load_mnist", lambda: mnist)
    names = {}
    exec(as_code(run), names)
    assert names["losses"] == list(run.history.train_loss)
    return names


@pytest.mark.parametrize("method", ["SGD", "RMSprop", "Adam"])
@pytest.mark.parametrize("schedule", ["constant", "step decay", "cosine"])
def test_the_code_repeats_a_run_with_changes_bit_for_bit(few, monkeypatch, method, schedule):
    run = LiveRun(few, small(method=method, schedule=schedule, init="he", weight_decay=1e-4, epochs=9, seed=2))
    rng = np.random.default_rng(0)
    for k in range(9):
        advance(run, 3)
        values = dict(step=float(rng.uniform(0.001, 0.01)), batch=int(rng.choice([20, 50, 130])))
        values |= dict(momentum=float(rng.choice([0.5, 0.9])), decay=float(rng.choice([0.9, 0.99])))
        run.wanted = replace(run.wanted, **(values if k % 2 else {"step": values["step"]}))
    run.wanted = replace(run.wanted, epochs=12, schedule="cosine")
    advance(run, 2)
    np.testing.assert_array_equal(run_again(run, few, monkeypatch)["model"].theta, run.model.theta)


def test_the_code_of_a_plain_run_is_short_and_of_a_short_one_stops(few, monkeypatch):
    run = LiveRun(few, small(output_bias="none"))
    advance(run, 4)
    assert "if progress.update == 4:" in as_code(run)
    run_again(run, few, monkeypatch)
    finish(run)
    code = as_code(run)
    assert "break" not in code and "change" not in code
    run_again(run, few, monkeypatch)
    run = LiveRun(few, small(epochs=9))
    advance(run, 25)
    run.wanted = replace(run.wanted, epochs=1)  # fewer epochs than were made: the run ends at once
    assert run.advance() is None
    run_again(run, few, monkeypatch)


def test_the_code_of_a_diverged_run_stops_before(few, monkeypatch):
    run = finish(LiveRun(few, small(method="SGD", step=1e30)))
    assert run.error and "the next update diverged" in as_code(run)
    run_again(run, few, monkeypatch)


def test_csv_holds_the_history(few):
    run = LiveRun(few, small(schedule="cosine"))
    advance(run, 12)
    run.wanted = replace(run.wanted, batch=20, step=0.1, schedule="constant")
    advance(run, 3)
    rows = list(csv.DictReader(io.StringIO(to_csv(run))))
    assert [float(row["train_loss"]) for row in rows] == list(run.history.train_loss)
    assert [int(row["batch_size"]) for row in rows] == 12 * [50] + 3 * [20]
    assert float(rows[11]["learning_rate"]) == cosine(0.003, updates=30)(11) and float(rows[12]["learning_rate"]) == 0.1
    tests = {int(row["update"]): float(row["test_loss"]) for row in rows if row["test_loss"]}
    assert tests == {m.update: m.test_loss for m in run.measurements if m.update}
    norms = [float(rows[10][f"grad_norm_layer_{l}"]) for l in (1, 2, 3, 4)]
    assert math.hypot(*norms) == pytest.approx(float(rows[10]["grad_norm"]), rel=1e-5)


# -- the sentence ------------------------------------------------------------------------------------------------------


def test_illness_is_named_with_its_measurement(few):
    long = dict(epochs=12, method="SGD", step=0.01)
    plateau = diagnosis(finish(LiveRun(few, small(init="report", **long))))
    assert "mean image" in plateau and "gradient norm of layer 1 is" in plateau and "120 updates" in plateau
    dead = LiveRun(few, small(**long, output_bias="zero"))
    dead.model.theta[:] = 0
    dead.model.layers[-1].b[...] = -30  # every output is black, and no gradient comes through
    assert "black for every input" in diagnosis(finish(dead))
    diverged = finish(LiveRun(few, small(method="SGD", step=1e30)))
    assert diagnosis(diverged).startswith("Diverged: training diverged at update")
    healthy = finish(LiveRun(few, small(epochs=12)))
    assert diagnosis(healthy, grey=90.7) == ""
    last = healthy.measurements[-1].test_loss
    assert f"Test loss {last:.2f} is above grey, {last - 0.1:.1f}" in diagnosis(healthy, grey=last - 0.1)


def test_more_images_than_there_are(few):
    with pytest.raises(ValueError, match="images is 501: expected 1 to 500"):
        LiveRun(few, small(images=501))
