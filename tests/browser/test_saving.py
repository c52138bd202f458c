"""A notebook that was run, saved and opened again without a kernel shows each widget's last picture, and no error."""

import json

import nbformat
import pytest

from .conftest import ARTIFACTS, open_notebook, run_all, stop_kernels

EXPLORER = """\
import ipywidgets
import numpy as np
from aelib.common import plots
from aelib.widgets import Explorer, start_lab

start_lab()

def compute(a):
    return np.sin(a * np.linspace(0, 9, 300))

def draw(figure, y):
    plots.curves(figure.subplots(), {"sine": (np.linspace(0, 9, 300), y)}, "x", "y")

Explorer(compute, draw, (8, 3), a=ipywidgets.FloatSlider(1, min=0, max=5))"""


@pytest.fixture(scope="module")
def saved(page, server, home):
    """A notebook with an Explorer that was run, moved, saved and whose kernel was ended."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = home / "saved.ipynb"
    cells = [nbformat.v4.new_code_cell(EXPLORER), nbformat.v4.new_code_cell("1 + 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    run_all(page, server, "saved.ipynb")
    page.locator(".aelib-explorer img").wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=ARTIFACTS / "saved-0-live.png")
    page.locator(".aelib-explorer .noUi-handle").focus()
    page.keyboard.press("End")
    page.wait_for_timeout(1500)
    page.screenshot(path=ARTIFACTS / "saved-1-moved.png")
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    stop_kernels(server)
    return path


def test_a_saved_notebook_shows_its_pictures_without_a_kernel(page, server, saved):
    cell = json.loads(saved.read_text(encoding="utf-8"))["cells"][0]
    print([list(o["data"]) for o in cell["outputs"]])
    open_notebook(page, server, "saved.ipynb")
    page.wait_for_timeout(1500)
    page.screenshot(path=ARTIFACTS / "saved-2-reopened.png")
    text = page.locator(".jp-Notebook").inner_text()
    assert "model not found" not in text and "Loading widget" not in text
    assert "run the cell to move it" in text
