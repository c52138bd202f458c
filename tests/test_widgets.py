import asyncio
import gc
import io
import signal
import subprocess
import sys
import time
import weakref

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from aelib.common import plots
from aelib.common.settings import Settings
from aelib.widgets import Explorer, base
from aelib.widgets.controls import ALL, RUN, buttons_for_few, run_controls
from aelib.widgets.pictures import Picture


def compute(a, b=1.0):
    if a > 5:
        raise ValueError("a is <too> large")
    return np.sin(a * np.linspace(0, b, 50))


def draw(figure, y):
    plots.curves(figure.subplots(), {"sin": (np.arange(50), y)}, "index", "sin")


def wide_labels(figure, y):
    """Draw with tick labels whose width depends on the result, and so the layout."""
    draw(figure, y)
    figure.axes[0].set_yticks([0], [f"{y[25]:.{3 + int(9 * abs(y[25]))}f}"])


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    """As long as no browser has told anything."""
    monkeypatch.setattr(base, "_SCREEN", {"density": 2.0, "room": 0})


@pytest.fixture
def explorer():
    return Explorer(compute, draw, size=(4, 3), a=ipywidgets.FloatSlider(1, min=0, max=9), b=ipywidgets.FloatSlider(2))


def test_moving_a_control_changes_the_picture_and_back(explorer):
    first = explorer.image.value
    assert imread(io.BytesIO(first)).shape[:2] == (600, 800) and explorer.image.width == 400
    explorer.controls["a"].value = 3.0
    assert explorer.image.value != first and explorer.values == {"a": 3.0, "b": 2.0}
    np.testing.assert_array_equal(explorer.result, compute(3.0, 2.0))
    seen = []
    for a in (1.0, 3.0, 1.0, 3.0):
        explorer.controls["a"].value = a
        seen.append(explorer.image.value)
    assert seen[:2] == seen[2:] and seen[0] != seen[1]  # in one layout once both have been seen


def test_an_error_is_shown_and_the_picture_stays(explorer):
    first = explorer.image.value
    explorer.controls["a"].value = 9.0
    assert isinstance(explorer.error, ValueError) and "ValueError: a is &lt;too&gt; large" in explorer.message.value
    assert explorer.image.value == first and explorer.image.layout.opacity == "1"
    explorer.controls["a"].value = 2.0
    assert explorer.error is None and explorer.message.value == "" and explorer.image.value != first


def test_in_jupyter_a_change_shows_at_once_and_in_full_at_rest():
    """On a running loop a picture made while a control moves keeps the last layout; at rest it is the full one."""

    async def scenario():
        controls = dict(a=ipywidgets.FloatSlider(1, min=0, max=9), b=ipywidgets.FloatSlider(2))
        explorer = Explorer(compute, wide_labels, size=(4, 3), **controls)
        again = Picture(wide_labels, (4, 3))
        full = {a: again.png(compute(a, 2.0), 2) for a in (1.0, 4.0)}
        assert explorer.image.value == full[1.0]
        for a in (3.0, 4.0):
            explorer.controls["a"].value = a
            assert explorer.image.format == "jpeg" and explorer.image.value[:2] == b"\xff\xd8"
            np.testing.assert_array_equal(explorer.result, compute(a, 2.0))
        shown = []
        explorer.image.observe(lambda change: shown.append(change["new"]), "value")
        await asyncio.sleep(1)
        assert shown == [full[4.0]] and explorer.image.format == "png"  # one full picture, of the last values only

    asyncio.run(scenario())


class Growing:
    """A compute that yields growing curves, ``n`` of them, and notes what it does; ``act(k)`` comes before the k-th."""

    def __init__(self, n=4, act=lambda k: None):
        self.n, self.act, self.begun, self.closed, self.shown = n, act, [], [], []

    def __call__(self, a, b=1.0):
        self.begun.append(a)
        try:
            for k in range(self.n):
                self.act(k)
                yield compute(a, b)[: 10 + k]
        finally:
            self.closed.append(a)

    def draw(self, figure, y, ghosts=None):
        self.shown.append((len(y), dict(ghosts or {})))
        plots.curves(figure.subplots(), {"sin": (np.arange(len(y)), y)}, "index", "sin")


def growing(work, **arguments):
    slider = ipywidgets.FloatSlider(1, min=0, max=5)
    return Explorer(work, work.draw, size=(4, 3), a=slider, **arguments)


async def rest(explorer):
    await asyncio.sleep(0)
    while explorer.running:
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing else is left


def test_a_generator_runs_to_its_end_in_a_script():
    work = Growing()
    explorer = growing(work)
    assert work.shown == [(13, {})] and len(explorer.result) == 13
    explorer.controls["a"].value = 2.0
    assert work.shown[1:] == [(13, {})] and work.begun == work.closed == [1.0, 2.0] and not explorer.running


def test_a_generators_answer_grows_and_the_last_value_wins():
    async def scenario():
        work = Growing(act=lambda k: time.sleep(0.03))
        explorer = growing(work)
        shown = []
        explorer.image.observe(lambda change: shown.append(explorer.image.format), "value")
        explorer.controls["a"].value = 2.0
        assert len(work.shown) == 1  # the change itself computes nothing
        await rest(explorer)
        assert shown[0] == "jpeg" and shown[-1] == "png" and work.shown[1][0] == 10 and work.shown[-1][0] == 13
        await asyncio.sleep(0)
        for k in range(20):  # dragged: some runs begin, all are closed, the last one ends
            explorer.controls["a"].value = 3 + k / 20
            for _ in range(k % 7):
                await asyncio.sleep(0)
        await rest(explorer)
        assert sorted(work.begun) == sorted(work.closed) and len(work.begun) < 22
        np.testing.assert_array_equal(explorer.result, compute(3.95)[:13])
        last = explorer.image.value
        explorer._show_in_full()
        assert explorer.image.value == last and explorer.image.format == "png" and explorer.error is None

    asyncio.run(scenario())


def test_one_run_is_under_way_and_a_new_explorer_ends_it():
    """As when its cell is run again; closing the widget ends it too."""

    async def scenario():
        first, second = Growing(10**6), Growing(2)
        explorer = growing(second)
        explorer.compute = first
        for end in (lambda: growing(Growing(2)), explorer.close):
            explorer.controls["a"].value += 1
            while not first.begun or len(first.begun) == len(first.closed):
                await asyncio.sleep(0)
            assert explorer.running
            end()
            await rest(explorer)
            assert len(first.begun) == len(first.closed) and not explorer.running

    asyncio.run(scenario())


@pytest.fixture
def ignored():
    """SIGINT ignored, as in IPython's kernel while no cell runs."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("where", ["in a turn", "between two turns", "while nothing runs"])
def test_an_interrupt_ends_the_run_and_not_the_loop(ignored, where):
    async def scenario():
        work = Growing(10**6 if where != "while nothing runs" else 4)
        explorer = growing(Growing())
        explorer.compute = work
        if where == "in a turn":
            work.act = lambda k: k == 3 and signal.raise_signal(signal.SIGINT)
        explorer.controls["a"].value = 2.0
        while where == "between two turns" and not work.begun:
            await asyncio.sleep(0)
        if where == "while nothing runs":
            await rest(explorer)
        if where != "in a turn":
            signal.raise_signal(signal.SIGINT)
        await rest(explorer)
        interrupted = where != "while nothing runs"
        assert isinstance(explorer.error, KeyboardInterrupt) == interrupted and work.closed == [2.0]
        assert ("Interrupted." in explorer.message.value) == interrupted
        explorer.compute = Growing()
        explorer.controls["a"].value = 3.0
        await rest(explorer)
        assert explorer.error is None and explorer.message.value == "" and len(explorer.result) == 13

    asyncio.run(scenario())


def test_an_error_on_the_way_is_shown():
    async def scenario():
        work = Growing()
        explorer = growing(work)
        work.act = lambda k: 1 / (2 - k)
        explorer.controls["a"].value = 2.0
        await rest(explorer)
        assert "ZeroDivisionError: division by zero" in explorer.message.value and work.closed == [1.0, 2.0]
        work.n = 0
        explorer.controls["a"].value = 3.0
        await rest(explorer)
        assert "compute yielded nothing" in explorer.message.value

    asyncio.run(scenario())
    with pytest.raises(ValueError, match="compute yielded nothing"):
        growing(Growing(0))


def test_ghosts_are_the_last_runs_that_ended_named_by_what_was_changed():
    async def scenario():
        work = Growing()
        menu = ipywidgets.Dropdown(options={"one": 1.0, "two": 2.0})
        explorer = growing(work, ghosts=3, b=menu)
        a, ended = explorer.controls["a"], [explorer.result]
        assert work.shown[-1][1] == {}
        for value in (2.0, 3.0):
            a.value = value
            await rest(explorer)
            ended.append(explorer.result)
        assert list(work.shown[-1][1]) == ["a 1", "a 2"]
        menu.value = 2.0
        await rest(explorer)
        ghosts = work.shown[-1][1]
        assert list(ghosts) == ["a 1, b one", "a 2, b one", "b one"]
        for ghost, result in zip(ghosts.values(), ended, strict=True):
            assert ghost is result
        a.value = 4.0
        await asyncio.sleep(0)
        a.value = 5.0  # before 4 has ended
        await rest(explorer)
        assert list(work.shown[-1][1]) == ["a 2, b one", "a 3, b one", "a 3"]
        a.value = 3.0  # a run made again is no ghost of itself
        await rest(explorer)
        assert list(work.shown[-1][1]) == ["a 2, b one", "b one", "a 5"]

    asyncio.run(scenario())


def test_an_error_in_the_first_picture_is_the_cells():
    with pytest.raises(ValueError, match="too"):
        Explorer(compute, draw, a=ipywidgets.FloatSlider(6))


# -- closing, running a cell again, interrupting -----------------------------------------------------------------------


def alive():
    """Return how many widgets ipywidgets holds."""
    return len(ipywidgets.widgets.widget._instances)


def shown_by(cell, run, monkeypatch, **controls):
    """Make an Explorer as a run of a cell does."""
    monkeypatch.setattr(base, "_cell", lambda: (cell, run))
    controls = controls or dict(a=ipywidgets.FloatSlider(1, max=5), b=ipywidgets.Dropdown(options=[1.0, 2.0]))
    return Explorer(compute, draw, size=(2, 1.5), **controls)


def test_a_closed_explorer_leaves_nothing(monkeypatch):
    before = alive()
    for run in range(5):
        explorer = shown_by(None, run, monkeypatch)
        large = explorer.result = np.zeros(1000)
        gone = weakref.ref(large)
        explorer.close()
        explorer.close()  # a second time does nothing
        del large
        gc.collect()
        assert alive() == before and gone() is None
    explorer.controls["a"].value = 3.0  # nobody listens any more
    assert explorer.error is None


def test_a_cell_run_again_frees_what_it_replaces(monkeypatch):
    other, counts = shown_by("cell 2", 0, monkeypatch), []
    for run in range(1, 6):
        explorers = [shown_by("cell 1", run, monkeypatch) for _ in range(2)]  # two in one run
        counts.append(alive())
    assert len(set(counts)) == 1
    assert other.comm is not None and all(explorer.comm is not None for explorer in explorers)


def test_controls_that_another_widget_uses_stay_open(monkeypatch):
    """A slider made in a cell above is handed to the next run of the cell, and to another Explorer."""
    slider, menu = ipywidgets.FloatSlider(1, max=5), ipywidgets.Dropdown(options=[1.0, 2.0])
    first = shown_by("cell 1", 0, monkeypatch, a=slider, b=menu)
    other = shown_by("cell 2", 1, monkeypatch, a=slider)
    second = shown_by("cell 1", 2, monkeypatch, a=slider, b=menu)
    assert first.comm is None and slider.comm is not None and menu.comm is not None
    slider.value, menu.value = 2.0, 2.0
    assert second.values == {"a": 2.0, "b": 2.0} and other.values == {"a": 2.0}
    np.testing.assert_array_equal(second.result, compute(2.0, 2.0))


def test_a_failed_explorer_leaves_nothing():
    before = alive()
    with pytest.raises(ValueError, match="too"):
        Explorer(compute, draw, a=ipywidgets.FloatSlider(6))
    gc.collect()
    assert alive() == before


def test_an_interrupted_answer_leaves_values_and_picture_in_agreement(explorer):
    """As of Ctrl-C while ``compute`` computes: it is said, and the controls go back to where the picture was made."""
    picture, result = explorer.image.value, explorer.result

    def interrupted(**values):
        raise KeyboardInterrupt

    explorer.compute = interrupted
    explorer.controls["a"].value = 3.0
    assert explorer.values == {"a": 1.0, "b": 2.0} and explorer.image.value == picture and explorer.result is result
    assert "Interrupted." in explorer.message.value and isinstance(explorer.error, KeyboardInterrupt)
    explorer.compute = compute
    explorer.controls["a"].value = 3.0
    assert explorer.error is None and explorer.image.value != picture and explorer.values["a"] == 3.0


def test_the_message_stands_above_the_picture(explorer):
    """And it keeps its line when it is empty, so that nothing jumps."""
    places = [explorer.children.index(part) for part in (explorer.message, explorer.image)]
    assert places == sorted(places) and explorer.message.layout.min_height == "24px"


def test_a_kernel_is_made_ready_once_however_often_it_is_asked():
    code = """
import gc
from aelib.widgets import start_lab
start_lab()
frozen = gc.get_freeze_count()
made = [[k] for k in range(100_000)]
start_lab()
assert 0 < gc.get_freeze_count() <= frozen, (frozen, gc.get_freeze_count())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "menu, buttons", [("ab", True), ("abcde", True), ("abcdef", False), (["a" * 40, "b" * 40], False)]
)
def test_a_short_menu_becomes_buttons_that_follow_it(menu, buttons):
    control = ipywidgets.Dropdown(options=list(menu), description="choice")
    shown = buttons_for_few(control)
    assert isinstance(shown, ipywidgets.ToggleButtons) == buttons and shown.description == "choice"
    shown.value = menu[1]
    assert control.value == menu[1]
    control.value = menu[0]
    assert shown.value == menu[0]


def test_what_is_displayed_is_the_widget_then_a_copy_that_is_kept_up_to_date(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(
        base, "publish_display_data", lambda data, metadata, **more: sent.append((data, metadata, more))
    )
    explorer._ipython_display_()
    (view, _, _), (words, _, first), (png, metadata, second) = sent
    assert base.WIDGET_VIEW in view and "image/png" not in view and "transient" not in sent[0][2]
    assert "run the cell to move it" in words["text/html"] and png["image/png"] == explorer.image.value
    assert metadata == {"image/png": {"width": 400}} and png["text/plain"] == explorer.image.alt
    explorer.controls["a"].value = 3.0
    assert [more["update"] for _, _, more in sent[3:]] == [True, True]
    assert [more["transient"] for _, _, more in sent[3:]] == [first["transient"], second["transient"]]
    assert sent[-1][0]["image/png"] == explorer.image.value != png["image/png"]


def test_the_picture_is_made_for_the_browser(explorer):
    async def scenario():
        explorer._loop = asyncio.get_running_loop()
        explorer.front.density, explorer.front.room = 1.5, 300
        await asyncio.sleep(0.6)
        assert explorer.image.width == 300
        assert imread(io.BytesIO(explorer.image.value)).shape[1] == 450
        other = growing(Growing())  # on the same page: made for it from the first picture on
        assert imread(io.BytesIO(other.image.value)).shape[1] == 450

    asyncio.run(scenario())


def test_drawings_hold_what_they_were_given(rng):
    X = rng.random((5, 784))
    tiled = plots.mosaic(X, columns=3)
    assert tiled.shape == (57, 86)
    np.testing.assert_array_equal(tiled[:28, 29:57], X[1].reshape(28, 28))
    assert np.isnan(tiled[28]).all() and np.isnan(tiled[29:, 58:]).all()
    axes = Figure().subplots(2, 3).ravel()
    plots.images(axes[0], X, 3)
    plots.image_rows(axes[1], {"input": X, "output": X[:3]})
    assert [text.get_text() for text in axes[1].texts] == ["input", "output"]
    plots.levels(axes[2], {"PCA-2": 21.82})
    assert axes[2].texts[0].get_text() == "PCA-2 21.82"
    plots.codes(axes[3], rng.random((20, 2)), np.repeat([3, 5], 10))
    assert [text.get_text() for text in axes[3].texts] == ["3", "5"]
    plots.grid(axes[4], [[3.0, np.nan], [1.0, 2.0]], ["a", "b"], ["c", "d"], "rows", "columns")
    assert [text.get_text() for text in axes[4].texts] == ["3.0", "nan", "1.0", "2.0"]
    assert axes[4].patches[0].get_xy() == (-0.5, 0.5)  # the frame stands round the smallest
    plots.signed(axes[5], np.array([[-2.0, 1.0]]))
    assert axes[5].images[0].get_clim() == (-2.0, 2.0)
    table = Figure().subplots()
    plots.signed_table(table, {"a": {"l = 0": X - 9.0, "l = 1": None}, "b": {"l = 0": 0 * X, "l = 1": [[np.nan, 0.5]]}})
    assert [text.get_text() for text in table.texts] == ["a", "l = 0:  ±9", "b", "l = 0:  all 0", "l = 1:  ±0.5"]
    assert [image.get_clim()[1] for image in table.images] == [np.max(9 - X), 1.0, 0.5]


@pytest.mark.parametrize("places", [[[0.5, 0.5]] * 4, [[1.0, 1.0], [9.0, 7.0], [0.9, 1.0]], [[0.2, 0.3], [0.8, 0.3]]])
def test_labels_of_classes_in_one_place_are_moved_apart(places):
    """No disc hides another, none leaves the Axes, and what is apart stays where it is."""
    places = np.array(places)
    moved = plots.apart(places, 0.08)
    between = np.linalg.norm(moved[:, None] - moved, axis=2)[~np.eye(len(places), dtype=bool)]
    assert between.min() > 0.079 and moved.min() > 0.039 and moved.max() < 0.961
    if len(places) == 2:
        np.testing.assert_allclose(moved, places, atol=1e-3)


@pytest.mark.parametrize(
    "start",
    [
        Settings(),
        Settings((9, 4, 2, 4, 9), ("tanh", "relu"), step=20.5, batch=77, epochs=1000, images=999, seed=2**40),
        Settings(step=1.23e-7, method="RMSprop", decay=0.5, weight_decay=3e-3, momentum=0.123, epsilon_inside=True),
    ],
)
def test_the_controls_of_a_run_stand_at_its_settings(start):
    controls = run_controls(start, ALL, images=5000)
    assert tuple(controls) == ALL and tuple(run_controls(start)) == RUN
    assert Settings(**{name: control.value for name, control in controls.items()}) == start
    assert max(images for _, images in controls["images"].options) == 5000
