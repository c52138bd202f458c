import _thread
import copy
import math
import pickle
import signal

import numpy as np
import pytest

from aelib import SGD, Adam, Autoencoder, Diverged, History, Interrupted, RMSprop, fit, trace, train
from aelib.common.baselines import ladder
from aelib.optimizers import cosine


@pytest.fixture
def X(rng):
    return rng.random((50, 6))


def net(**arguments):
    return Autoencoder([6, 4, 2, 4, 6], **arguments)


class Recorder:
    """Stands in for an optimizer, to see the gradients that come by."""

    def __init__(self, at=None, act=None):
        self.grads, self.at, self.act = [], at, act

    def step(self, theta, grad):
        self.grads.append(grad.copy())
        if len(self.grads) == self.at:
            self.act()


def test_every_image_is_visited_once_an_epoch(X):
    """With theta fixed, the gradients of an epoch, weighted by batch size, add up to that of the whole set."""
    model, recorder = net(), Recorder()
    rows = list(train(model, X, recorder, epochs=2, batch_size=15, seed=3))
    assert [row.images for row in rows] == [15, 30, 45, 50, 65, 80, 95, 100]
    assert [row.update for row in rows] == list(range(1, 9))
    assert rows[3].epoch == 1.0 and rows[7].epoch == 2.0
    whole = model.loss_and_grad(X)[1]
    for epoch in (recorder.grads[:4], recorder.grads[4:]):
        total = sum(w * g for w, g in zip([15, 15, 15, 5], epoch, strict=True)) / 50
        np.testing.assert_allclose(total, whole, rtol=1e-12, atol=1e-15)
    assert not np.allclose(recorder.grads[0], recorder.grads[4])  # another order in the next epoch
    assert rows[0].grad_norm == pytest.approx(np.linalg.norm(recorder.grads[0]))


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: RMSprop(0.01), lambda: Adam(0.01)])
def test_same_seed_same_run_and_the_loss_falls(make, X):
    runs = []
    for seed in (0, 0, 1):
        model = net(dtype="float32")
        history = fit(model, X, make(), epochs=30, batch_size=10, seed=seed, X_test=X, progress=False)
        assert model.loss(X) == history.test_loss[-1] < history.test_loss[4]
        runs.append(model.theta.copy())
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0] != runs[2])


def test_data_of_another_precision_gives_the_same_run(X):
    X32 = X.astype("float32")
    a, b = net(), net()
    fit(a, X32, Adam(), progress=False, batch_size=20)
    fit(b, X32.astype(float), Adam(), progress=False, batch_size=20)
    np.testing.assert_array_equal(a.theta, b.theta)


def test_stopping_early_leaves_model_and_history_consistent(X):
    whole, stopped, history = net(), net(), History()
    for progress in train(whole, X, Adam(), epochs=3, batch_size=10, X_test=X):
        if progress.update == 7:
            theta = whole.theta.copy()
    for progress in train(stopped, X, Adam(), epochs=3, batch_size=10, X_test=X, history=history):
        if progress.update == 7:
            break
    np.testing.assert_array_equal(stopped.theta, theta)
    assert len(history) == 7 and history.rows[-1] == progress
    assert math.isnan(history.test_loss[3]) and not math.isnan(history.test_loss[4])


@pytest.fixture
def ctrl_c():
    """Python's own handler of SIGINT: a process started in the background may have inherited that it is ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_an_interrupt_waits_for_the_update(X, ctrl_c):
    """Ctrl-C while the optimizer is at work: the update is finished and recorded, and a loop of fits ends."""
    model, recorder, done = net(), Recorder(at=4, act=_thread.interrupt_main), []
    with pytest.raises(Interrupted, match="stopped after update 4 of 15; the model keeps") as caught:
        for _ in range(3):
            done.append(fit(model, X, recorder, epochs=3, batch_size=10, progress=False))
    assert len(caught.value.history) == len(recorder.grads) == 4 and not done
    assert isinstance(caught.value, KeyboardInterrupt)
    kept, recorder = History(), Recorder(at=2, act=_thread.interrupt_main)
    with pytest.raises(Interrupted, match="stopped after update 2;"):
        fit(model, X, recorder, batch_size=lambda update: 10, progress=False, history=kept)
    assert len(kept) == 2
    kept, recorder = History(), Recorder(at=4, act=_thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        for _ in train(model, X, recorder, epochs=3, batch_size=10, history=kept):
            pass
    assert len(kept) == 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_is_named_and_finite_parameters_kept(dtype, X):
    model = net(output="identity", hidden="identity", dtype=dtype)
    history = History()
    with pytest.raises(
        Diverged, match=r"diverged at update \d+ .* is (inf|nan); the learning rate 1000 is probably too"
    ):
        for _ in train(model, X, SGD(1e3), epochs=100, batch_size=10, history=history):
            pass
    assert np.all(np.isfinite(model.theta)) and math.isfinite(model.loss(X))
    assert np.all(np.isfinite(history.train_loss))


def test_divergence_keeps_the_last_copy_not_the_first(X):
    model, seen = net(output="identity"), {}
    optimizer = SGD(1e-3)
    with pytest.raises(Diverged, match="after update 200,"):
        for progress in train(model, X, optimizer, epochs=100, batch_size=10):
            seen[progress.update] = model.theta.copy()
            if progress.update == 240:
                optimizer.learning_rate = 1e200
    np.testing.assert_array_equal(model.theta, seen[200])


def test_divergence_sets_the_optimizer_back_too(X):
    """What the message says, a tenth of the rate, is enough: model and optimizer are those of update 200."""
    model, optimizer, seen = net(output="identity"), SGD(1e-3, momentum=0.9), {}
    with pytest.raises(Diverged, match="the optimizer is back at its state then") as caught:
        for progress in train(model, X, optimizer, epochs=100, batch_size=10):
            seen[progress.update] = model.theta.copy(), optimizer.moments["velocity"].copy()
            if progress.update == 240:
                optimizer.learning_rate = 1e200
    theta, velocity = seen[200]
    np.testing.assert_array_equal(model.theta, theta)
    np.testing.assert_array_equal(optimizer.moments["velocity"], velocity)
    assert optimizer.updates == 200 and len(caught.value.history) == 241 and optimizer.learning_rate == 1e200
    optimizer.learning_rate = 1e-3
    assert math.isfinite(fit(model, X, optimizer, progress=False, batch_size=10).train_loss[-1])
    twin = pickle.loads(pickle.dumps(caught.value))  # as from a process of joblib
    assert str(twin) == str(caught.value) and len(twin.history) == 241


def test_a_tenth_of_the_rate_until_it_goes_well(X):
    model, optimizer = net(output="identity"), SGD(1e4, momentum=0.9)
    while True:
        try:
            fit(model, X, optimizer, epochs=20, batch_size=10, progress=False)
            break
        except Diverged:
            optimizer.learning_rate /= 10
    fresh = net(output="identity")
    fit(fresh, X, SGD(optimizer.learning_rate, momentum=0.9), epochs=20, batch_size=10, progress=False)
    np.testing.assert_array_equal(model.theta, fresh.theta)


def test_settings_changed_since_the_last_copy_stay(X):
    model, optimizer = net(output="identity"), Adam(1e-3)
    with pytest.raises(Diverged):
        for progress in train(model, X, optimizer, epochs=100, batch_size=10):
            if progress.update == 100:
                first = optimizer.moments["first"] * (1 - 0.9)
            if progress.update == 140:
                optimizer.beta1, optimizer.learning_rate = 0.5, 1e300
    assert optimizer.beta1 == 0.5
    np.testing.assert_allclose(optimizer.moments["first"] * 0.5, first, rtol=1e-14)


def own(step, **methods):
    """An optimizer of the caller's own, whose theta <- step(theta, grad)."""

    def in_place(self, theta, grad):
        theta[...] = step(theta, grad)

    return type("Own", (), {"step": in_place, **methods})()


def explode(theta, grad):
    return theta * 1e200


def test_an_optimizer_of_ones_own(X):
    """It needs ``step`` alone; with state and set_back it is set back; otherwise the message says that it is not."""
    with pytest.raises(Diverged, match=r"take smaller steps.*is not, for want of state\(\) and set_back\(\)"):
        fit(net(), X, own(explode), progress=False, batch_size=10)
    loaded = []
    methods = dict(state=lambda self: {"own": 7}, set_back=lambda self, state: loaded.append(state))
    with pytest.raises(Diverged, match="the optimizer is back at its state then"):
        fit(net(), X, own(explode, **methods), progress=False, batch_size=10)
    assert loaded == [{"own": 7}]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("last", "fault"),
    [
        (lambda theta, grad: theta * 1e30, "the loss is"),
        (lambda theta, grad: theta * np.inf, "the parameters are not finite"),
        (lambda theta, grad: np.where(np.arange(theta.size) == 24, -np.inf, theta), "the parameters are not finite"),
    ],
    ids=["loss", "theta", "a bias below every kink, whose loss is finite"],
)
def test_the_last_update_is_judged(dtype, last, fault, X):
    if dtype == "float64" and fault == "the loss is":
        last = lambda theta, grad: theta * 1e200  # noqa: E731
    model, history, steps = net(output="identity", dtype=dtype), History(), iter([lambda theta, grad: theta, last])
    start = model.theta.copy()
    with pytest.raises(Diverged, match=rf"diverged at update 2 \(epoch 1.00\): {fault}"):
        fit(model, X, own(lambda theta, grad: next(steps)(theta, grad)), batch_size=25, progress=False, history=history)
    np.testing.assert_array_equal(model.theta, start)
    assert len(history) == 2


def test_a_run_that_ends_has_a_finite_loss(X):
    """Whatever the rate and the number of updates, training ends with a finite loss, or says that it diverged."""
    for rate in (1e-2, *10.0 ** np.arange(0, 12), 1e38):
        for updates in (1, 2, 3, 7):
            model = net(output="identity", dtype="float32")
            try:
                fit(model, X[: 10 * updates], SGD(float(rate)), batch_size=10, progress=False)
            except Diverged:
                pass
            with np.errstate(over="ignore", invalid="ignore"):
                assert np.isfinite(model.theta).all() and math.isfinite(model.loss(X[: 10 * updates])), (rate, updates)


@pytest.mark.parametrize(
    ("hidden", "output", "sizes", "rate"),
    [
        ("relu", "sigmoid", [6, 3, 6], 1e37),
        ("tanh", "sigmoid", [6, 3, 6], 1e37),
        ("sigmoid", "sigmoid", [6, 3, 6], 1e37),
        ("sigmoid", "relu", [6, 4, 2, 4, 6], 1e18),
    ],
)
def test_a_loss_that_overflows_on_other_images_is_seen(hidden, output, sizes, rate):
    """The last batch alone is finite, as its units are dead or saturated; so the fit once ended as if all were well."""
    images = np.random.default_rng(3).random((4, 6)).astype("float32")
    images[0] = 0
    model = Autoencoder(sizes, hidden, output=output, dtype="float32", seed=3)
    with pytest.raises(Diverged, match="the loss of all images is not finite"):
        fit(model, images, RMSprop(rate), batch_size=2, progress=False)


def test_the_test_loss_is_judged(X, monkeypatch):
    model = net()
    monkeypatch.setattr(model, "reconstruction_error", lambda images: math.nan)
    with pytest.raises(Diverged, match="the test loss is nan"):
        fit(model, X, SGD(), epochs=3, X_test=X, progress=False, batch_size=50)


def test_the_rate_is_not_blamed_for_what_it_did_not_do(X):
    cases = []
    broken = net()
    broken.layers[0].W[0, 0] = np.nan
    cases.append((broken, X, Adam(), "cannot start: the parameters are not finite before the first update; make"))
    large = net(output="identity")
    large.theta *= 1e300
    cases.append(
        (large, X, Adam(), "cannot start: the loss is (inf|nan) before the first update; parameters or images")
    )
    sick = Adam()
    sick.step(net().theta, net().theta)
    sick = copy.copy(sick)  # a copy may go on with another vector
    sick.moments["second"][3] = np.inf
    cases.append((net(), X, sick, r"cannot start: the optimizer's moments are not finite .* call its reset\(\) first"))
    dead = net()
    dead.theta[:] = 0  # relu units at 0 have gradient 0
    cases.append((dead, X, Adam(epsilon=0.0), "its epsilon is 0, and divides 0 by 0"))
    for model, images, optimizer, sentence in cases:
        with np.errstate(invalid="ignore"), pytest.raises(Diverged, match=sentence) as caught:
            fit(model, images, optimizer, epochs=2, progress=False, batch_size=10)
        assert "rate" not in str(caught.value)
    images = X.copy()
    with pytest.raises(Diverged, match="the images were changed meanwhile, and are not finite"):
        for _ in train(net(), images, Adam(), epochs=2, batch_size=10):
            images[:] = np.nan


def test_a_state_that_overflows_is_noticed(X):
    """An infinite second moment stops its weight for ever, with a finite loss: looked for every 100 updates."""
    model, optimizer = net(dtype="float32"), Adam()
    with pytest.raises(Diverged, match=r"update 101 .*: the optimizer's moments are not finite"):
        for progress in train(model, X, optimizer, epochs=50, batch_size=10):
            if progress.update == 60:
                optimizer.moments["second"][0] = np.inf
    assert optimizer.updates == 0 and np.all(optimizer.moments.get("second", 0) == 0)


def test_jupyter_shows_one_sentence():
    for kind in (Diverged, Interrupted):
        assert kind("what happened")._render_traceback_() == [f"{kind.__name__}: what happened"]


def test_learning_rate_set_while_training_counts_from_the_next_update(X):
    model, optimizer = net(), SGD(0.1)
    for progress in train(model, X, optimizer, epochs=2, batch_size=10):
        if progress.update == 5:
            optimizer.learning_rate, theta = 0.0, model.theta.copy()
    np.testing.assert_array_equal(model.theta, theta)


def test_batch_size_may_be_a_schedule(X):
    """A constant function gives the same run; one that changes still brings every image once an epoch."""
    runs = []
    for size in (15, lambda update: 15):
        model = net()
        runs.append(list(train(model, X, Adam(), epochs=2, batch_size=size)))
    assert [row.train_loss for row in runs[0]] == [row.train_loss for row in runs[1]]
    model, recorder = net(), Recorder()
    images = [row.images for row in train(model, X, recorder, 2, lambda update: [30, 7, 50, 50][update])]
    assert images == [30, 37, 50, 100]
    whole = model.loss_and_grad(X)[1]
    total = sum(w * g for w, g in zip([30, 7, 13], recorder.grads, strict=False)) / 50
    np.testing.assert_allclose(total, whole, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(recorder.grads[3], whole, rtol=1e-12, atol=1e-15)
    with pytest.raises(ValueError, match="batch_size is 51: expected a whole number from 1 to 50"):
        list(train(model, X, SGD(), batch_size=lambda update: 51))


def test_history_names_its_columns(X):
    history = fit(net(), X, Adam(), epochs=2, batch_size=15, X_test=X, progress=False)
    with pytest.raises(AttributeError, match="its columns are epoch, update"):
        _ = history.accuracy
    assert "8 updates" in repr(history) and repr(History()) == "History(no updates)"


# -- going on ----------------------------------------------------------------------------------------------------------


def columns(history):
    return [row._replace(seconds=0.0) for row in history.rows]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_twelve_calls_of_one_epoch_are_one_call_of_twelve(dtype, X):
    """Bit for bit: counts, losses, parameters. Without the history each call begins with the first order again."""

    def made():
        return net(dtype=dtype), Adam(cosine(1e-2, updates=60))

    (whole, optimizer), (parts, own), (again, other) = made(), made(), made()
    once = fit(whole, X, optimizer, epochs=12, batch_size=12, seed=5, X_test=X, progress=False)
    going_on = History()
    for _ in range(12):
        assert fit(parts, X, own, batch_size=12, seed=5, X_test=X, progress=False, history=going_on) is going_on
        fit(again, X, other, batch_size=12, seed=5, progress=False)
    np.testing.assert_array_equal(parts.theta, whole.theta)
    assert np.array_equal(columns(going_on), columns(once), equal_nan=True) and going_on.update[-1] == 60
    assert (np.diff(going_on.seconds) > 0).all()
    assert np.any(again.theta != whole.theta)


@pytest.mark.parametrize("stop", [1, 4, 5, 7, 9])
def test_a_run_left_in_the_middle_of_an_epoch_goes_on_with_the_next_batch(stop, X, capsys):
    whole, parts = net(), net()
    once = fit(whole, X, SGD(0.1, 0.9), epochs=3, batch_size=12, progress=False)
    optimizer, history = SGD(0.1, 0.9), History()
    for progress in train(parts, X, optimizer, epochs=3, batch_size=12, history=history):
        if progress.update == stop:
            break
    fit(parts, X, optimizer, epochs=3 - stop // 5, batch_size=12, history=history)
    np.testing.assert_array_equal(parts.theta, whole.theta)
    assert np.array_equal(columns(history), columns(once), equal_nan=True)
    assert "15/15" in capsys.readouterr().err


def test_a_history_of_other_images_is_refused(X):
    history = fit(net(), X, SGD(), batch_size=10, progress=False)
    with pytest.raises(ValueError, match="history ends after 50 images in 1 epochs, X has 40: expected the images of"):
        train(net(), X[:40], SGD(), batch_size=10, history=history)


def test_an_optimizer_that_meets_another_net_is_refused(X):
    """Unless it was reset, or is a copy: its moments and its schedule are those of the net before."""
    first, second, optimizer = net(), net(seed=1), Adam(cosine(3e-3, updates=5))
    fit(first, X, optimizer, batch_size=10, progress=False)
    for train_again in (train, fit):
        with pytest.raises(ValueError, match="this Adam has made 5 updates of another model: call its reset"):
            train_again(second, X, optimizer, batch_size=10)
    with pytest.raises(ValueError, match="the schedule of this Adam has ended: after 5 updates its step is 0"):
        fit(first, X, optimizer, batch_size=10, progress=False)
    optimizer.learning_rate = 1e-3
    fit(first, X, optimizer, batch_size=10, progress=False)
    fit(copy.copy(first), X, copy.copy(optimizer), batch_size=10, progress=False)
    optimizer.reset()
    fresh = net(seed=1)
    fit(second, X, optimizer, batch_size=10, progress=False)
    fit(fresh, X, Adam(1e-3), batch_size=10, progress=False)
    np.testing.assert_array_equal(second.theta, fresh.theta)
    del first
    with pytest.raises(ValueError, match="another model"):  # also where its memory may be another's by now
        fit(net(), X, optimizer, batch_size=10, progress=False)


def test_a_schedule_may_begin_at_0(X):
    fit(net(), X, SGD(lambda update: update / 100), batch_size=10, progress=False)


def test_copies_of_histories_and_traces_are_whole(X):
    model = net()
    history = fit(model, X, SGD(), batch_size=10, progress=False)
    found = trace(net(), X, SGD(), at=[0, 3], batch_size=10)
    for duplicate in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        twin = duplicate(history)
        fit(model, X, SGD(), batch_size=10, progress=False, history=twin)
        assert (len(history), len(twin)) == (5, 10)
        other = duplicate(found)
        np.testing.assert_array_equal(other.train_loss, found.train_loss)
        other.train_loss[:] = other.model.theta[:] = 7
        assert found.train_loss[1] != 7 and found.model.theta[0] != 7


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(batch_size=51), "batch_size is 51: expected a whole number from 1 to 50, the number of images"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(epochs=1.5), "epochs is 1.5: expected a whole number of at least 1"),
        (dict(epochs=math.nan), "epochs is nan"),
        (dict(epochs=math.inf), "epochs is inf"),
        (dict(epochs=True), "epochs is True"),
        (dict(epochs=None), "epochs is None"),
        (dict(batch_size="10"), "batch_size is '10'"),
        (dict(seed=-1), "seed is -1: expected a whole number >= 0"),
        (dict(seed="zero"), "seed is 'zero'"),
        (dict(seed=1.5), "seed is 1.5"),
        (dict(X_test=np.ones((3, 5))), r"X_test has shape \(3, 5\)"),
        (dict(X_test=np.full((3, 6), np.nan)), "image 0 of X_test holds nan"),
        (dict(X=np.full((30, 6), np.nan)), "image 0 of X holds nan"),
        (dict(optimizer=SGD), "expected an object with step"),
        (dict(optimizer="Adam"), "optimizer is 'Adam': expected an object with step"),
        (dict(history=[]), r"history is \[\]: expected a History"),
        (dict(model=net(dtype="complex128")), "the model is complex128: expected float32 or float64"),
    ],
)
def test_bad_arguments_are_named_at_the_call(X, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(**dict(model=net(), X=X, optimizer=SGD(), batch_size=10) | arguments)


@pytest.mark.parametrize("size", [0, -3, 51, 7.5, math.nan, None, "10", True, np.array([10])])
def test_a_schedule_of_batch_sizes_is_held_to_whole_numbers(X, size):
    model = net()
    theta = model.theta.copy()
    with pytest.raises(ValueError, match=r"batch_size is .*: expected a whole number from 1 to 50"):
        fit(model, X, SGD(), batch_size=lambda update: size, progress=False)
    np.testing.assert_array_equal(model.theta, theta)


@pytest.mark.parametrize("rate", [math.nan, -1.0, None, np.array([0.1, 0.2])])
def test_a_schedule_of_rates_is_held_to_numbers(X, rate):
    with pytest.raises(ValueError, match=r"learning rate of schedule\(0\) is .*: expected a finite number >= 0"):
        fit(net(), X, Adam(lambda update: rate), progress=False, batch_size=10)


def test_the_progress_bar_goes_to_the_end(X, capsys):
    fit(net(), X, SGD(), epochs=2, batch_size=10)
    assert "10/10" in capsys.readouterr().err


# -- on the real digits ------------------------------------------------------------------------------------------------


def test_seven_layers_learn_in_one_epoch(mnist):
    model = Autoencoder([784, 400, 200, 2, 200, 400, 784], dtype="float32").start_output_bias(mnist.train_images)
    optimizer = Adam(cosine(2e-3, updates=33 * 600))
    history = fit(model, mnist.train_images, optimizer, X_test=mnist.test_images, progress=False)
    assert history.test_loss[-1] <= 17.0


def test_linear_autoencoder_is_pca(mnist):
    model = Autoencoder([784, 2, 784], output="identity", dtype="float32").start_output_bias(mnist.train_images)
    optimizer = Adam(cosine(2e-3, updates=4 * 300))
    history = fit(model, mnist.train_images, optimizer, 4, batch_size=200, X_test=mnist.test_images, progress=False)
    pca_2 = ladder(mnist.train_images, mnist.test_images)["PCA-2"]
    assert pca_2 == pytest.approx(21.82, abs=0.005)
    assert history.test_loss[-1] == pytest.approx(pca_2, rel=0.01)


def test_untrained_nets_stand_on_the_ladder(mnist):
    """Grey at zero parameters; the mean image once the output bias is started."""
    levels = ladder(mnist.train_images, mnist.test_images)
    model = Autoencoder([784, 2, 784])
    model.theta[:] = 0
    assert model.loss(mnist.test_images) == pytest.approx(levels["grey"], rel=1e-5)
    model.start_output_bias(mnist.train_images)
    assert model.loss(mnist.test_images) == pytest.approx(levels["mean image"], rel=1e-4)


# -- trace -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(mnist):
    return mnist.train_images[:200]


def tiny():
    return Autoencoder([784, 3, 784], dtype="float32")


def test_a_trace_is_train_noted_at_moments(few):
    """Its columns are those of ``train``'s rows, its losses their means, its measures those of the model then."""
    rows, weights = [], [tiny().theta.copy()]
    model = tiny()
    for progress in train(model, few, Adam(1e-2), epochs=3, batch_size=50):
        rows.append(progress)
        weights.append(model.theta.copy())
    at = [0, 1, 4, 10]
    measure = dict(theta=lambda model: model.theta, first=lambda model: float(model.theta[0]))
    found = trace(tiny(), few, Adam(1e-2), batch_size=50, at=at, measure=measure)
    assert list(found.arrays) == ["update", "epoch", "images", "seconds", "train_loss", "grad_norm", "theta", "first"]
    np.testing.assert_array_equal(found.update, at)
    np.testing.assert_array_equal(found.images, [0, 50, 200, 500])
    np.testing.assert_array_equal(found.epoch, [0, 0.25, 1, 2.5])
    np.testing.assert_array_equal(found.theta, [weights[k] for k in at])
    np.testing.assert_array_equal(found.model.theta, weights[10])
    losses = [row.train_loss for row in rows]
    np.testing.assert_allclose(
        found.train_loss[1:], [losses[0], np.mean(losses[1:4]), np.mean(losses[4:10])], rtol=1e-12
    )
    assert np.isnan(found.train_loss[0]) and found.grad_norm[3] == rows[9].grad_norm and found.first.shape == (4,)


def test_moments_may_be_a_function_or_all(few):
    every = trace(tiny(), few, Adam(1e-2), epochs=2, batch_size=50)
    assert every.update.tolist() == list(range(1, 9))
    even = trace(tiny(), few, Adam(1e-2), epochs=2, batch_size=50, at=lambda update: update % 2 == 0)
    assert even.update.tolist() == [0, 2, 4, 6, 8]
    assert trace(tiny(), few, Adam(1e-2), at=[0]).update.tolist() == [0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(at=[1, 9], epochs=2, batch_size=50), "at goes to 9: expected moments up to 8, where training ends"),
        (dict(at=[-1]), "a moment of at is -1: expected a whole number of at least 0"),
        (dict(at=[0.5]), "a moment of at is 0.5: expected a whole number"),
        (dict(at=[]), "at names no moment"),
        (dict(at=None), "epochs is None"),
    ],
)
def test_moments_that_cannot_be_are_named(few, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        trace(tiny(), few, Adam(1e-2), **arguments)


def test_a_trace_that_diverges_keeps_what_it_measured(few):
    model = Autoencoder([784, 3, 784], output="identity", dtype="float32")
    with pytest.raises(Diverged) as caught:
        trace(model, few, SGD(1e3), epochs=50, batch_size=50)
    found = caught.value.trace
    assert len(found.update) == len(found.train_loss) > 0 and np.isfinite(found.train_loss).all()


def test_an_error_of_a_measure_is_the_callers(few):
    with pytest.raises(ZeroDivisionError):
        trace(tiny(), few, Adam(1e-2), at=[0, 1], measure={"nothing": lambda model: 1 / 0})
