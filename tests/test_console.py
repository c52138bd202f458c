import asyncio
import base64
import io
import itertools
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from matplotlib.image import imread

from aelib.widgets.console import Console
from aelib.widgets.console.controls import usable
from aelib.widgets.console.picture import SIZE, Frame, RunPicture
from aelib.widgets.pictures import DPI

BUTTONS = ("start", "pause", "step", "stop", "reset")


@pytest.fixture
def few(mnist):
    return SimpleNamespace(
        train_images=mnist.train_images[:1000], test_images=mnist.test_images[:100], test_labels=mnist.test_labels[:100]
    )


def drive(scenario, data, **start):
    """Run an async scenario(console) on a fresh loop, with a small console made on it."""

    async def main():
        small = {"sizes": (784, 8, 2, 8, 784), "images": 1000, "batch": 50, "epochs": 2, "pace": "fast"}
        console = Console(data, **small | start)
        try:
            await scenario(console)
        finally:
            console.buttons["stop"].click()
            await settle(console)

    asyncio.run(main())


async def settle(console):
    """Wait until the console has nothing left to do."""
    while console.busy:
        await asyncio.sleep(0)


async def press(console, *names):
    for name in names:
        console.buttons[name].click()
    await asyncio.sleep(0)
    await asyncio.sleep(0.05 if console.state == "running" else 0)
    if console.state != "running":
        await settle(console)


def losses(console):
    return list(console.run.history.train_loss)


def test_nothing_starts_by_itself_and_a_stored_notebook_shows_the_picture(few):
    console = Console(few, images=1000)
    assert not console.busy and console.run.update == 0 and console.frames == 1
    png, width, alt, line = console.still()
    assert imread(io.BytesIO(png)).shape[1] >= width == round(DPI * SIZE[0])
    assert f"from {console.run.measurements[0].test_loss:.2f}" in alt and "run the cell" in line
    console.buttons["start"].click()
    assert "event loop" in console.message.value


def test_autoplay_starts_when_the_console_is_shown_and_only_once(few):
    async def scenario(console):
        assert console.state == "ready"
        console._ipython_display_()
        await asyncio.sleep(0.05)
        assert console.state == "running"
        await press(console, "stop")
        console._ipython_display_()
        await asyncio.sleep(0.05)
        assert console.state == "ended"

    drive(scenario, few, autoplay=True, epochs=1000)


def test_the_pace_for_the_eye_takes_half_a_minute(few):
    """A tenth of a second is a three hundredth of the run, whatever the machine can; and one batch at once."""

    async def scenario(console):
        await press(console, "start")
        await asyncio.sleep(0.3)
        assert 0 < console.run.images_used <= 2 * 20 + 20_000 * (time.perf_counter() - begin) / 30
        console.pace.value = "fast"
        await settle(console)
        assert console.state == "ended" and console.run.images_used == 20_000

    begin = time.perf_counter()
    drive(scenario, few, pace="eye", epochs=20, batch=20)


def test_only_the_controls_asked_for_are_there(few):
    console = Console(few, main=("step", "batch"), more=False, images=1000)
    assert list(console.controls) == ["step", "batch"]
    with pytest.raises(ValueError, match="unknown settings: width"):
        Console(few, main=("step", "width"), images=1000)
    with pytest.raises(ValueError, match="pace is 'slow': expected one of eye, fast"):
        Console(few, pace="slow", images=1000)


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "with time between"])
def test_every_pair_of_buttons_pressed_twice_leaves_a_sound_console(few, wait):
    """After a, b, a, b the state is the one the last button names, whatever came before; and training still works."""
    after = {"start": {"running", "ended"}, "pause": {"ready", "paused", "ended"}, "step": {"paused", "ended"}}
    after |= {"stop": {"ready", "ended"}, "reset": {"ready"}}

    async def scenario(console):
        for a, b in itertools.product(BUTTONS, BUTTONS):
            for name in (a, b, a, b):
                console.buttons[name].click()
                await asyncio.sleep(0.005 if wait else 0)
            while console._commands:
                await asyncio.sleep(0)
            if console.state != "running":
                await settle(console)
            assert console.error is None and console.state in after[b], (a, b, console.state)
            assert console.run.update == len(losses(console))
            assert usable(console.run) == {name: not console.buttons[name].disabled for name in BUTTONS}
            await press(console, "reset")
            assert console.state == "ready" and console.run.update == 0 and not console.busy
        await press(console, "start")
        await settle(console)
        assert console.state == "ended" and console.run.update == 40

    drive(scenario, few)


def test_commands_in_one_breath_are_obeyed_in_order(few):
    async def scenario(console):
        await press(console, "start", "start", "stop", "reset", "step", "step", "pause")
        assert console.state == "paused" and console.run.update == 2

    drive(scenario, few)


def test_reset_gives_the_same_first_losses_and_a_ghost(few):
    async def scenario(console):
        await press(console, "start")
        while console.run.update < 12:
            await asyncio.sleep(0)
        console.controls["step"].value = 0.03
        await settle_commands(console)
        count = console.run.update
        while console.run.update < count + 5:
            await asyncio.sleep(0)
        await press(console, "stop")
        first = losses(console)
        console.controls["step"].value = 0.003
        await press(console, "reset", *["step"] * 10)
        assert losses(console) == first[:10]
        (ghost,) = console.run.ghosts
        assert ghost.settings.step == 0.03 and ghost.changed and ghost.curve[0][-1] == len(first)
        assert list(console.frame().ghosts) == ["step 0.03, then changed"]
        for step in (0.01, 0.02, 0.05):
            console.controls["step"].value = step
            await press(console, "reset", "step", "step")
        await press(console, "reset")
        assert [ghost.settings.step for ghost in console.run.ghosts] == [0.01, 0.02, 0.05]

    drive(scenario, few, epochs=1000)


async def settle_commands(console):
    while console._commands:
        await asyncio.sleep(0)


def test_a_change_while_training_obeys_at_the_next_update(few):
    async def scenario(console):
        await press(console, "step", "step")
        before = console.run.model.theta.copy()
        console.controls["batch"].value = 20
        console.controls["momentum"].value = 0.5
        console.controls["step"].value = 1e-4
        await press(console, "step")
        session = console.run
        assert session.history.rows[-1].images == 120 and session.optimizer.beta1 == 0.5
        assert session.optimizer.learning_rate == 1e-4
        assert np.abs(session.model.theta - before).max() < 3e-4

    drive(scenario, few)


def test_a_new_network_waits_for_a_reset_and_the_console_says_so(few):
    async def scenario(console):
        await press(console, "step", "step")
        console.controls["sizes"].value = (784, 2, 784)
        console.controls["method"].value = "SGD"
        await settle(console)
        assert "Press Reset to apply: net, method." in console.message.value
        assert len(console.run.model.layers) == 4
        await press(console, "reset")
        assert console.message.value == "" and len(console.run.model.layers) == 2
        assert console.controls["decay"].disabled and not console.controls["momentum"].disabled
        console.controls["sizes"].value = (784, 200, 2, 200, 784)  # before the first update it applies at once
        await settle(console)
        assert len(console.run.model.layers) == 4 and console.message.value == ""

    drive(scenario, few)


def test_new_seed(few):
    async def scenario(console):
        theta, seed = console.run.model.theta.copy(), console.controls["seed"].value
        for _ in range(3):  # one draw in a thousand is the same
            await press(console, "new seed")
        assert console.run.settings.seed == console.controls["seed"].value != seed
        assert np.any(console.run.model.theta != theta)

    drive(scenario, few)


def test_an_exception_of_a_run_is_shown_and_survived(few):
    async def scenario(console):
        good, console.run.advance = console.run.advance, lambda: 1 / 0
        await press(console, "start")
        await settle(console)
        assert isinstance(console.error, ZeroDivisionError) and console.state == "ended"
        assert "ZeroDivisionError: division by zero" in console.message.value
        console.run.advance = good
        await press(console, "start")
        assert console.error is None and console.state == "running"

    drive(scenario, few, epochs=1000)


def test_after_an_interrupt_the_run_can_go_on(few):
    async def scenario(console):
        good = console.run.advance

        def interrupted():
            console.run.advance = good
            raise KeyboardInterrupt

        await press(console, "step")
        console.run.advance = interrupted
        await press(console, "start")
        await settle(console)
        assert console.state == "paused" and "Interrupted." in console.message.value
        update = console.run.update
        await press(console, "step")
        assert console.run.update == update + 1 and "Interrupted." not in console.message.value

    drive(scenario, few, epochs=1000)


def test_divergence_is_shown_and_the_end_reached(few):
    async def scenario(console):
        console.run.wanted = replace(console.run.wanted, method="SGD", step=1e30)
        console.run.reset()
        await press(console, "start")
        await settle(console)
        assert console.state == "ended" and "Diverged: training diverged at update" in console.message.value

    drive(scenario, few)


@pytest.mark.filterwarnings("error")
def test_a_picture_between_the_update_that_explodes_and_the_one_that_notices(few):
    """Codes and losses that are not finite are left out, without a warning."""
    console = Console(few, images=1000, method="SGD", step=1e30)
    console.run.advance()
    frame = console.frame()
    assert not np.isfinite(frame.codes).all()
    RunPicture().jpeg(frame)
    RunPicture().png(frame)


def test_code_and_history_are_handed_out(few):
    async def scenario(console):
        await press(console, "step", "step", "copy as code", "export history")
        assert "if progress.update == 2:" in console.code.value and console.code.layout.display == ""
        text = base64.b64decode(console.note.value.split("base64,")[1].split('"')[0]).decode()
        assert len(text.splitlines()) == 3 and "history-784-8-2-2.csv" in console.note.value

    drive(scenario, few)


def test_a_closed_console_ends_its_run(few):
    async def scenario(console):
        await press(console, "start")
        assert console.busy
        console.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not console.busy and console.state == "paused"

    drive(scenario, few, epochs=1000)


def test_in_a_narrow_window_the_picture_is_narrower(few):
    async def scenario(console):
        console.front.room, console.front.density = 600, 1.0
        await asyncio.sleep(0.5)
        assert console.still()[1] == 600 and imread(io.BytesIO(console.still()[0])).shape[1] == 600

    drive(scenario, few)


def test_bad_start_values_are_named(few):
    with pytest.raises(ValueError, match="unknown settings: steps; expected some of sizes, hidden"):
        Console(few, steps=3)
    with pytest.raises(ValueError, match="without train_images: expected what load_mnist returns"):
        Console(few.train_images)


def foreign(pixels=784, n=120, labels=range(10)):
    """Return images of noise, 60 of them to test on, with these labels in turn."""
    X = np.random.default_rng(0).random((n + 60, pixels), dtype=np.float32)
    labels = np.resize(np.array(list(labels)), 60)
    return SimpleNamespace(train_images=X[:n], test_images=X[n:], test_labels=labels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (foreign(), (784, *[9] * 4, 2, *[9] * 4, 784)),  # ten layers
        (foreign(), (784, *[5] * 9, 2, *[5] * 9, 784)),
        (foreign(), (784, 9, 1, 9, 784)),
        (foreign(), (784, 9, 3, 9, 784)),
        (foreign(), (784, 200, 2, 100, 784)),  # shares its encoder with one of the menu
        (foreign(64), (64, 9, 2, 9, 64)),
        (foreign(1600, labels=range(40, 67)), (1600, 2, 1600)),
        (foreign(labels=["sandal", "-", "$"]), (784, 2, 784)),
        (foreign(labels=[-3]), (784, 2, 784)),
        (foreign(labels=[0.5, 1.5]), (784, 1, 784)),
    ],
)
def test_other_nets_images_and_labels(data, sizes):
    async def scenario(console):
        await press(console, "step", "step", "export history", "copy as code")
        assert console.error is None and console.run.update == 2
        assert console.controls["sizes"].value == sizes and console.controls["images"].value == 120
        assert [images for _, images in console.controls["images"].options] == [120]
        figure = console._picture.figure
        low, high = figure.axes[0].get_ylim()
        assert all(low < loss < high for loss in [*losses(console), console.run.measurements[-1].test_loss])
        plane = next(ax for ax in figure.axes if ax.get_title("left").startswith("codes"))
        shown = sum(len(points.get_xdata()) for points in plane.lines if points.get_linestyle() == "None")
        assert shown == 60  # every code has its mark, whatever its label

    drive(scenario, data, sizes=sizes, images=120)


@pytest.mark.parametrize(
    ("data", "start", "sentence"),
    [
        (foreign(65), dict(sizes=(65, 2, 65)), "the images have 65 pixels: expected a square number"),
        (foreign(64), {}, "sizes is .784, 200.*expected 64 at both ends"),
        (foreign(), dict(images=121), "images is 121: expected 1 to 120, the number of images at hand"),
        (foreign(n=50), {}, "batch is 100: expected 1 to 50, the number of images"),
        (foreign(), dict(momentum=1.0), "momentum is 1.0: expected 0 <= momentum < 1"),
        (
            SimpleNamespace(**vars(foreign()) | dict(test_labels=np.arange(9))),
            {},
            "test_labels has shape",
        ),
        (
            SimpleNamespace(**vars(foreign()) | dict(test_images=np.full((60, 784), np.nan))),
            {},
            "image 0 of test_images",
        ),
    ],
)
def test_what_the_console_cannot_show_is_refused_in_a_sentence(data, start, sentence):
    with pytest.raises(ValueError, match=sentence):
        Console(data, **start)


@pytest.mark.parametrize("method", ["SGD", "RMSprop", "Adam"])
def test_every_control_at_both_ends_trains_or_says_what_is_wrong(few, method):
    """Also for settings that were not among the controls' own."""

    async def scenario(console):
        wanted = console.run.wanted
        for name, control in console.controls.items():
            assert control.value == getattr(wanted, name), name
        await press(console, "step")
        assert console.run.settings == wanted
        for name, control in console.controls.items():
            first = control.value
            values = [value for _, value in getattr(control, "_options_full", ())]
            values = values or ([False, True] if isinstance(first, bool) else [control.min, control.max])
            if hasattr(control, "base"):
                values = [control.base**value for value in values]
            for value in (values[0], values[-1]):
                if name in ("sizes", "seed"):  # they only wait
                    continue
                control.value = value
                await settle(console)
                too_many = name == "batch" and value > 999
                assert bool(console._complaint) == too_many and console.error is None, (name, value)
            control.value = first
            await settle(console)
            update = console.run.update
            await press(console, "step")
            assert console.error is None and (console.run.update == update + 1 or console.run.over)

    start = dict(step=20.5 if method == "SGD" else 1.23e-7, seed=2**40, momentum=0.123, decay=0.5, weight_decay=3e-3)
    drive(scenario, few, method=method, images=999, batch=77, epochs=1000, **start)


def test_a_change_that_cannot_be_is_named_and_the_run_goes_on(few):
    async def scenario(console):
        await press(console, "step")
        console.controls["batch"].value = 500
        await settle(console)
        assert "batch is 500: expected 1 to 300, the number of images" in console.message.value
        await press(console, "step")
        assert console.error is None and console.run.images_used == 100
        console.controls["batch"].value = 20
        await press(console, "step")
        assert console.run.images_used == 120 and console.message.value == ""

    drive(scenario, few, images=300)


def test_a_picture_drawn_on_a_kept_background_is_the_one_drawn_anew(rng):
    """What was drawn before leaves no trace in the next picture."""
    curves = [(np.arange(n), rng.uniform(15, 50, n)) for n in (30, 20)]
    norms = np.stack([np.arange(1, 9), *rng.uniform(0.2, 0.9, (4, 8))])
    still = dict(end=40, sizes=(784, 9, 2, 9, 784), levels={"grey": 90.7, "PCA-2": 21.8}, marks={"report": 15.75})
    frames = [
        Frame(
            **still,
            ghosts={"step 0.1": curves[1]},
            train=curves[k],
            test=curves[1 - k],
            norms=norms,
            examples=rng.random((10, 784)),
            outputs=rng.random((10, 784)),
            codes=rng.uniform(-1, 1, (50, 2)),
            labels=np.arange(50) % 10,
        )
        for k in (0, 1)
    ]
    used, fresh = RunPicture(), RunPicture()
    first = used.jpeg(frames[0])
    assert used.jpeg(frames[1]) == fresh.jpeg(frames[1]) != first
    assert used.png(frames[1]) == fresh.png(frames[1])
    assert used.jpeg(frames[0]) == first  # after a png, too


KERNEL_SIDE = """
from types import SimpleNamespace
import numpy as np
from jupyter_client.manager import start_new_kernel

from aelib.widgets.console import Console
X = np.random.default_rng(0).random((1000, 784), np.float32)
data = SimpleNamespace(train_images=X, test_images=X[:100], test_labels=np.arange(100) % 10)
console = Console(data, sizes=(784, 8, 2, 8, 784), images=1000, batch=50, epochs=100_000)
print(*(part.model_id for part in (console.controls["step"], console.buttons["start"], console.buttons["pause"])))
"""


def test_a_kernel_obeys_every_message_while_it_trains():
    """As a front end without kernel subshells sends them: all on the channel on which the cells run."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run(code):
        said = []
        hook = lambda message: said.append(message["content"].get("text") or message["content"].get("evalue", ""))  # noqa: E731
        reply = client.execute_interactive(code, timeout=60, output_hook=hook)
        assert reply["content"]["status"] == "ok", said
        return "".join(said)

    def send(model, **data):
        client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": model, "data": data}))

    def steps():
        return eval(run("print([stage.step for stage in console.run.stages.values()])"))

    try:
        step, start, pause = run(KERNEL_SIDE).split()
        send(start, method="custom", content={"event": "click"})
        for _ in range(200):  # a step size that came before the first update would be the one it started with
            if int(run("print(console.run.update)")):
                break
        offered = eval(run("print([value for _, value in console.controls['step'].options])"))
        for k, value in enumerate((0.001, 0.002, 0.005), start=1):
            send(step, method="update", state={"index": offered.index(value)}, buffer_paths=[])
            for _ in range(200):
                if len(steps()) > k:
                    break
            assert steps()[1:] == [0.001, 0.002, 0.005][:k]
        send(pause, method="custom", content={"event": "click"})
        for _ in range(200):
            if run("print(console.state)").strip() == "paused":
                break
        assert run("print(console.state, console.error)").strip() == "paused None"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
