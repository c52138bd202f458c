"""An Explorer whose answer grows, in real JupyterLab: dragged during its run, interrupted, run again, closed.

Nothing is asserted about speed.
"""

import json
import re
import urllib.request

import nbformat
import psutil
import pytest

from .conftest import ARTIFACTS, run_all, until

CELLS = [
    """\
import asyncio
import os
import ipywidgets
from aelib import load_mnist, train
from aelib.common import plots
from aelib.common.settings import Settings
from aelib.widgets import Explorer, start_lab

start_lab()
X = load_mnist().train_images
begun, closed = [], []

def compute(step):
    run, losses = Settings((784, 20, 2, 20, 784), step=step, images=2000, epochs=length[0]), []
    begun.append(step)
    try:
        model, optimizer = run.model(X), run.optimizer()
        for progress in train(model, run.part(X), optimizer, epochs=run.epochs, batch_size=50):
            losses.append(progress.train_loss)
            if progress.update % 2 == 1:
                yield step, losses
    finally:
        closed.append(step)

def draw(figure, result, ghosts):
    step, losses = result
    lines = {f"step {step:.3g}, {len(losses)} updates": (range(len(losses)), losses)}
    lines |= {name: (range(len(old[1])), old[1]) for name, old in ghosts.items()}
    plots.curves(figure.subplots(), lines, "updates", "half-SSE")

length = [1]""",
    """\
explorer = Explorer(compute, draw, ghosts=3, step=ipywidgets.FloatLogSlider(value=1e-3, min=-4, max=-1, step=0.05))
explorer""",
    """\
length[0] = 2000
def words(_=None):
    left = [task for task in asyncio.all_tasks() if "Turns" in repr(task)]
    open_, error = len(begun) - len(closed), type(explorer.error).__name__
    steps = f"step {explorer.result[0]:.4g} of {explorer.values['step']:.4g}"
    steps += f", process {os.getpid()}"
    said.value = f"open {open_}, running {explorer.running}, tasks {len(left)}, {steps}, error {error};"

said, ask = ipywidgets.HTML(), ipywidgets.Button(description="Ask")
ask.on_click(words)
ipywidgets.VBox([ask, said]).add_class("probe")""",
]


@pytest.fixture(scope="module")
def explorer(page, server, home):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "growing.ipynb")
    run_all(page, server, "growing.ipynb")
    explorer = page.locator(".jp-Notebook .aelib-explorer")
    explorer.wait_for(timeout=60_000)
    return explorer


def ask(page, *expected):
    """Ask the kernel until it says what is expected, and return its words."""
    for _ in range(300):
        page.locator(".probe button").click()
        page.wait_for_timeout(100)
        words = page.locator(".probe").inner_text()
        if all(re.search(part, words) for part in expected):
            return words
    pytest.fail(f"not within 30 s: {expected}, but {words}")


def drag(page, explorer, image, presses):
    for k in range(presses):
        before = image.get_attribute("src")
        explorer.locator(".noUi-handle").focus()
        page.keyboard.press("ArrowRight" if k % 3 else "ArrowLeft")
        until(page, lambda before=before: image.get_attribute("src") != before, "the slider moved, and another picture")


def run_again(page, k, code):
    page.locator(".jp-Notebook .jp-CodeCell").nth(k).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")


def test_dragged_interrupted_and_run_again(page, explorer):
    image = explorer.locator("img").first
    drag(page, explorer, image, 20)
    words = ask(page, "running True", "open 1", "tasks 1")
    shown, wanted = re.search(r"step (\S+) of (\S+),", words).groups()
    assert shown == wanted, words
    for _ in range(3):  # it grows
        before = image.get_attribute("src")
        page.wait_for_function("([image, before]) => image.src !== before", arg=[image.element_handle(), before])
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "growing.png")

    page.click("text=Kernel >> nth=0")
    page.click("text=Interrupt Kernel >> nth=0")
    ask(page, "running False", "open 0", "tasks 0", "error KeyboardInterrupt")
    assert explorer.locator("text=Interrupted.").count() == 1
    drag(page, explorer, image, 1)  # the kernel lives, and the slider works
    ask(page, "running True", "open 1", "tasks 1", "error NoneType")

    run_again(page, 2, CELLS[2].replace("2000", "1"))  # short runs from now on
    run_again(page, 1, CELLS[1])
    ask(page, "running False", "open 0", "tasks 0", "error NoneType")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']").count() == 0


def test_closed_while_a_run_is_under_way(page, server, explorer):
    """Closed with its kernel. Closed alone, JupyterLab leaves the kernel, where a run goes on to its end."""
    run_again(page, 2, CELLS[2])
    drag(page, explorer, explorer.locator("img").first, 1)
    process = int(re.search(r"process (\d+)", ask(page, "running True"))[1])
    assert psutil.pid_exists(process)
    page.click("text=File >> nth=0")
    page.click("text=Close and Shut Down Notebook")
    page.click(".jp-Dialog button.jp-mod-accept", timeout=10_000)
    for _ in range(300):
        kernels = json.load(urllib.request.urlopen(f"{server}/api/kernels"))
        if not kernels and not psutil.pid_exists(process):
            break
        page.wait_for_timeout(100)
    else:
        pytest.fail(f"30 s after the notebook was closed there are the kernels {kernels}")
