"""A notebook that was run, saved and opened again without its kernel shows each widget's last picture, and no error.

In JupyterLab, trusted and not, in Notebook 7 and in nbconvert's HTML; nothing is loaded from the network for it.
"""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from . import toys
from .conftest import ARTIFACTS, open_notebook, run_all, settle, stop_kernels, until

SHOWN = "images => images.filter(i => i.complete && i.naturalWidth && i.getBoundingClientRect().width).map(i => i.src)"
WORDS = ("run the cell to move it", "It moved by 0.02 in ten epochs.")
PICTURES = len(toys.CELLS)


@pytest.fixture(scope="module")
def saved(page, server, home):
    """A notebook that was run, whose Explorer was moved, that was saved, and whose kernel was ended."""
    path = home / "saved.ipynb"
    toys.write(path)
    before = path.stat().st_size
    run_all(page, server, "saved.ipynb")
    explorer = page.locator(".aelib-explorer")
    explorer.locator("img").wait_for()
    first = explorer.locator("img").get_attribute("alt")
    explorer.locator(".noUi-handle").first.focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        "first => document.querySelector('.aelib-explorer img').alt !== first", arg=first, timeout=30_000
    )
    settle(page)
    alt = explorer.locator("img").get_attribute("alt")
    assert "wave: height over time, from" in alt
    assert page.locator(".aelib-still").filter(visible=True).count() == 0  # hidden while the widgets live
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "saved-live.png")
    page.keyboard.press("Control+s")
    until(page, lambda: alt in path.read_text(encoding="utf-8"), "the saved picture")
    stop_kernels(server)
    outputs = [output for cell in nbformat.read(path, 4).cells[:-1] for output in cell.outputs]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PICTURES and alt in [output.data["text/plain"] for output in outputs]
    assert path.stat().st_size - before < sum(map(len, pictures)) + 4000 * PICTURES
    return path


def look(page, where, name):
    """Assert that all pictures and words are seen, and leave a screenshot."""
    shown = page.locator(f"{where} img")
    until(page, lambda: len(shown.evaluate_all(SHOWN)) == PICTURES, "each widget's picture")
    settle(page)
    page.screenshot(path=ARTIFACTS / f"saved-{name}.png", full_page=True)
    assert len(shown.evaluate_all(SHOWN)) == PICTURES
    text = "\n".join(page.locator(f"{where} .jp-OutputArea").all_inner_texts())
    assert all(words in text for words in WORDS)
    assert "model not found" not in text and "Loading widget" not in text and "Error" not in text


def test_in_jupyterlab(page, server, saved):
    open_notebook(page, server, "saved.ipynb")
    look(page, ".jp-Notebook", "lab")


def test_in_jupyterlab_untrusted(page, server, saved):
    foreign = nbformat.read(saved, 4)
    foreign.cells[0].source += "  # by somebody else"
    nbformat.write(foreign, saved.with_name("foreign.ipynb"))
    open_notebook(page, server, "foreign.ipynb")
    look(page, ".jp-Notebook", "untrusted")


def test_in_notebook_7(page, server, saved):
    pytest.importorskip("notebook")
    page.goto(f"{server}/notebooks/saved.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    look(page, ".jp-Notebook", "notebook-7")


def test_as_html_offline(page, saved):
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level=ERROR", str(saved)]
    subprocess.run(command, check=True)
    page.context.set_offline(True)
    try:
        page.goto(Path(saved.with_suffix(".html")).as_uri(), wait_until="commit")
        page.wait_for_selector("text=the cell after them", timeout=60_000)
        look(page, "body", "html")
    finally:
        page.context.set_offline(False)


def test_run_again_it_moves(page, server, saved):
    """The second day: the kernel is a new one, and after Run All there are the widgets, and no copies beside them."""
    run_all(page, server, "saved.ipynb")
    page.locator(".aelib-explorer img").wait_for()
    until(page, lambda: page.locator(".aelib-live").filter(visible=True).count() == PICTURES, "all widgets")
    settle(page)
    assert page.locator(".aelib-still").filter(visible=True).count() == 0
