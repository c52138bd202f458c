"""Run notebooks from a fresh kernel and store their outputs: python tests/refresh_labs.py [labs/NN_name.ipynb ...].

Without arguments it runs all labs. A cell that raises, or writes to stderr, ends it and leaves that notebook as it was.
Of a widget the line and the picture are stored that stand in for it while there is no kernel. Pictures are stored
in fewer colours, each within 3 of 255 of its own. Times and the outputs of progress bars are left out, so that a
second run changes only what really changed. Exercises get their metadata.
"""

import base64
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import PIL.Image
from nbclient import NotebookClient

from aelib.coursework.notebooks.form import add_metadata

LABS = Path(__file__).resolve().parent.parent / "labs"
WIDGET = "application/vnd.jupyter.widget-view+json"
_STYLE = re.compile("<style>.*?aelib-still.*?</style>", re.DOTALL)
_LEVELS = np.rint(np.linspace(0, 255, 44))
_NEAREST = _LEVELS[np.abs(np.arange(256)[:, None] - _LEVELS).argmin(axis=1)].astype(np.uint8)


def faithful(png):
    """Return a PNG, base64, smaller and yet true: no channel of a pixel is off by more than 3 of 255.

    A palette of 256 colours where it is as close as that, else channels rounded to 44 levels, 0 and 255 among them; so
    black, white and greys stay what they are.
    """
    picture = PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    pixels = np.asarray(picture)
    found = picture.quantize(256, method=PIL.Image.Quantize.MAXCOVERAGE, dither=PIL.Image.Dither.NONE)
    if np.abs(np.asarray(found.convert("RGB"), int) - pixels).max() > 3:
        found = PIL.Image.fromarray(_NEAREST[pixels])
    stream = io.BytesIO()
    found.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def clean(notebook):
    """Reduce widget outputs to their pictures and drop everything that changes from run to run."""
    notebook.metadata.pop("widgets", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            if output.get("name") == "stderr":
                raise RuntimeError(f"cell {number} wrote to stderr: {output['text']}")
            data = output.get("data", {})
            if data.pop(WIDGET, None) and not {"image/png", "text/html"} & {name for name in data if data[name]}:
                continue  # a widget, whose picture is the next output, or a progress bar
            if "text/html" in data:
                data["text/html"] = _STYLE.sub("", data["text/html"])  # what hides a copy while its widget lives
            if "image/png" in data:
                data["image/png"] = faithful(data["image/png"])
                if data["text/plain"].startswith("<"):
                    data["text/plain"] = "<picture>"
            kept.append(output)
        cell.outputs = kept


def refresh(path):
    """Run one notebook and write it back, atomically."""
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    clean(add_metadata(notebook))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
    }
    temporary = path.with_suffix(".tmp")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)
    print(f"{path.name}: {time.perf_counter() - start:.0f} s, {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(LABS.glob("*.ipynb")):
        refresh(Path(name).resolve())
