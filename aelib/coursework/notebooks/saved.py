"""What the saved outputs of a notebook say of its exercises."""

import re

from aelib.coursework.notebooks import form

SAID = (
    r"^{name}: (?P<state>right|in part|wrong|crash|time|not written)"
    r"(?: yet)?(?:, (?P<points>[\d.]+) (?:of [\d.]+ )?point)?"
)


def told(cells, name):
    """Return (state, points or None) that the saved outputs of a notebook show of an exercise, or None."""
    for cell in reversed(cells):
        if cell.get("cell_type") != "code" or f'"{name}"' not in cell["source"].replace("'", '"'):
            continue
        for output in cell.get("outputs", ()):
            text = output.get("text", output.get("evalue", ""))
            text = "".join(text) if isinstance(text, list) else str(text)
            if match := re.search(SAID.format(name=re.escape(name)), text, re.MULTILINE):
                return match["state"], float(match["points"]) if match["points"] else None
    return None


def points(notebook):
    """Return (points got, points of the exercises, points of the written questions) that a saved notebook shows."""
    got, of, by_hand, heading = 0.0, 0, 0, None
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        for kind, _, worth in form.HEADING.findall(source) if cell["cell_type"] == "markdown" else ():
            heading = int(worth)
            of, by_hand = (of + heading, by_hand) if kind == "Exercise" else (of, by_hand + heading)
        if cell["cell_type"] == "code" and (call := form.examined(source)):
            state, part = told([cell | {"source": source}], call[0]) or ("", None)
            got += (heading or 0) if state == "right" else part or 0 if state == "in part" else 0
    return got, of, by_hand
