"""A stored picture shows what was drawn: its pixels are within 3 of 255, greys stay grey."""

import base64
import io

import nbformat
import numpy as np
import PIL.Image
import pytest
from browser import toys
from nbclient import NotebookClient
from refresh_labs import clean, faithful

from aelib.widgets.pictures import picture

SHADES = np.linspace(-1, 1, 40 * 40).reshape(40, 40)


def grey(ax):
    ax.imshow(SHADES, cmap="gray")


def signed(ax):
    ax.imshow(np.where(np.eye(40), 0, SHADES), cmap="RdBu_r", vmin=-1, vmax=1)


def bands(ax):
    for k in range(8):
        ax.fill_between([0, 1], k, k + 2, alpha=0.2)
        ax.plot([0, 1], [k, 8 - k])
    ax.legend([str(k) for k in range(8)])


def noise(ax):
    ax.imshow(np.random.default_rng(0).random((60, 60, 3)))


def plain(ax):
    ax.plot([0, 1])


@pytest.mark.parametrize("draw", [grey, signed, bands, noise, plain], ids=lambda draw: draw.__name__)
def test_a_stored_picture_is_the_drawn_one(draw):
    drawn = picture(lambda figure, _: draw(figure.subplots()), None, size=(4, 3)).data
    stored = base64.b64decode(faithful(base64.b64encode(drawn)))
    a, b = (np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"), int) for png in (drawn, stored))
    assert np.abs(a - b).max() < 4
    assert len(stored) <= len(drawn)
    ends = np.all(a == 0, axis=2) | np.all(a == 255, axis=2)
    assert np.array_equal(a[ends], b[ends])


def test_of_a_widget_its_line_and_its_picture_are_stored():
    """And nothing that needs a kernel, or hides them."""
    cell = nbformat.v4.new_code_cell(toys.EXPLORER.replace("from aelib.trial.claims import CLAIMS, Verdict\n", ""))
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=toys.KERNEL)
    NotebookClient(notebook, timeout=120).execute()
    clean(notebook)
    words, shown = notebook.cells[0].outputs
    assert "run the cell to move it" in words.data["text/html"] and "<style>" not in words.data["text/html"]
    assert list(shown.data) == ["image/png", "text/plain"] and shown.metadata == {"image/png": {"width": 800}}
    assert shown.data["text/plain"].startswith("wave: height over time, from 0.001 to")
