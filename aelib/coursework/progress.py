"""Points of a student's folder, as its saved notebooks show them."""

import json
from pathlib import Path

from aelib.coursework.notebooks.saved import points


def progress(folder="."):
    """Return one row for each lab in a folder, in the order of their names; nothing is run.

    Args:
        folder: with notebooks, saved after ``examine`` was run.

    Returns:
        list of dicts with lab, got, of, and by_hand: the points of written questions, which a person gives.

    >>> progress("no such folder")
    []
    """
    rows = []
    for path in sorted(Path(folder).glob("*.ipynb")):
        try:
            notebook = json.loads(path.read_text(encoding="utf-8-sig"))
            got, of, by_hand = points(notebook)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no notebook, or none that is whole
            continue
        if of or by_hand:
            rows.append({"lab": path.stem, "got": got, "of": of, "by_hand": by_hand})
    return rows
