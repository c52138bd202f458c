"""The training console in real JupyterLab: a run is changed while it trains, stopped, and repeated exactly.

Nothing is asserted about speed. A screenshot is left in tests/artifacts/.
"""

import re
import time

import nbformat
import pytest

from .conftest import ARTIFACTS, run_all, settle, until

START = """\
from aelib import load_mnist
from aelib.widgets.console import Console
from aelib.widgets import start_lab

start_lab()
Console(load_mnist(), epochs=33, images=60_000, pace="fast")  # 19,800 updates: it does not end by itself meanwhile
"""


@pytest.fixture(scope="module")
def console(page, server, home):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(START)], metadata=kernel)
    nbformat.write(notebook, home / "scratch.ipynb")
    run_all(page, server, "scratch.ipynb")
    console = page.locator(".jp-Notebook .aelib-console")
    console.wait_for(timeout=60_000)
    return console


def status(console):
    return console.locator("progress").locator("xpath=..").inner_text()


def updates(console):
    return int(re.search(r"(\d+) of", status(console))[1])


def step_size(console):
    return re.search(r"step (\S+)", status(console))[1]


def press(console, name):
    console.locator("button", has_text=re.compile(f"^{name}$")).click()


def first_losses(page, console):
    """Press Step twice and return the words on the train loss after each."""
    losses = []
    for k in (1, 2):
        press(console, "Step")
        until(page, lambda k=k: updates(console) == k, f"{k} updates")
        losses.append(re.search(r"train [\d.]+", status(console))[0])
    return losses


def test_start_change_stop_reset(page, console):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    image = console.locator("img")
    before = image.get_attribute("src")
    first = first_losses(page, console)
    press(console, "Start")
    until(page, lambda: image.get_attribute("src") != before, "the picture changes")
    until(page, lambda: updates(console) >= 20, "20 updates")
    slider = console.locator(".aelib-step .noUi-handle")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        step = step_size(console)
        slider.focus()
        page.keyboard.press(key)
        until(page, lambda step=step: step_size(console) != step, "the new step size is in force")
        seen = updates(console)
        until(page, lambda seen=seen: updates(console) > seen, "training goes on after a change of the step size")
    press(console, "Stop")
    until(page, lambda: "ended" in status(console), "the run ends")
    ended = updates(console)
    time.sleep(0.5)
    assert updates(console) == ended
    slider.focus()
    page.keyboard.press("ArrowLeft")
    press(console, "Reset")
    until(page, lambda: "ready" in status(console), "the run is back at its start")
    assert first_losses(page, console) == first
    press(console, "More")
    press(console, "Copy as code")
    code = console.locator("textarea")
    until(page, lambda: "if progress.update == 2:" in code.input_value(), "the code of two updates")
    clipboard = lambda: page.evaluate("navigator.clipboard.readText()")  # noqa: E731
    until(page, lambda: clipboard() == code.input_value(), "the code on the clipboard")
    press(console, "Export history")
    link = console.locator("a[download]")
    link.wait_for(timeout=30_000)
    assert link.get_attribute("href").startswith("data:text/csv;base64,")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    press(console, "Start")
    until(page, lambda: updates(console) >= 40, "40 updates")
    press(console, "Pause")
    until(page, lambda: "paused" in status(console), "the pause")
    ARTIFACTS.mkdir(exist_ok=True)
    console.evaluate("console => console.scrollIntoView()")
    settle(page)
    page.screenshot(path=ARTIFACTS / "console.png")


def test_it_fits_a_small_window(page, console):
    """1280 x 800, with the file browser open: no part is cut off at the right."""
    output = page.locator(".jp-Notebook .jp-OutputArea-output").first
    width, scroll = output.evaluate("o => [o.clientWidth, o.scrollWidth]")
    assert scroll <= width + 1
    for part in [console, *console.locator("button, img, progress").all()]:
        box = part.bounding_box()
        assert box is None or box["x"] + box["width"] <= 1280
