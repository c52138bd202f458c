"""What a picture costs the kernel, in CPU time: python tests/benchmarks/pictures.py [03 A ...]

For every Explorer of the labs, or of those named, and each of its controls: the picture of the values that the control
takes one after the other, drawn live and as plain ``interact`` draws it in Jupyter, by turns; of a run that grows, its
first two. Computing what is drawn is not counted. CPU time bears other work on the machine.
"""

import contextlib
import inspect
import io
import statistics
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
from IPython.core.pylabtools import print_figure

from aelib.coursework.notebooks import cells as slices
from aelib.widgets import Explorer
from aelib.widgets.pictures import Picture

LABS = sorted((Path("/tmp/w/scratch-widgets/before/labs")).glob("*.ipynb"))

ROUNDS = 1


def explorers(path):
    """Run what the Explorers of a lab need, and return each of them as (compute, draw, size, ghosts, controls)."""
    above, found = [], []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and not cell.source.startswith(("examine", "%%")):
            above += slices.statements(cell.source)

    def note(*arguments, **named):
        bound = inspect.signature(Explorer).bind(*arguments, **named)
        bound.apply_defaults()
        names = "compute", "draw", "size", "ghosts", "controls"
        found.append([bound.arguments[name] for name in names])

    names = {}
    shown = [s for s in above if s.code.startswith("Explorer(")]
    needed = slices.needed(above, set().union(*(s.uses for s in shown)))
    for statement in [s for s in above if s in needed or s in shown]:
        exec(statement.code, names)
        if "Explorer" in statement.binds:
            names["Explorer"] = note
    assert len(found) == len(shown)
    return found


def some(control):
    """Return some values of a control, two neighbours and the last one."""
    if hasattr(control, "options"):
        values = list(control._options_values)
    elif hasattr(control, "base"):
        values = control.base ** np.linspace(control.min, control.max, 5)
    else:
        values = [type(control.value)(value) for value in np.linspace(control.min, control.max, 5)]
    return [*values[:2], values[-1]]


def results(compute, controls, others=()):
    """Return what ``compute`` makes of values of each control, the others as they are; of a run, its first results."""
    now = dict(others) | {name: control.value for name, control in controls.items()}
    for name, control in controls.items():
        for value in some(control):
            answer = compute(**now | {name: value})
            whole = (
                [answer] * 2 if not inspect.isgenerator(answer) else (result for result in answer if result is not None)
            )
            yield from islice(whole, 2)


def plain(draw, size, result):
    """Draw as Jupyter's inline backend does."""
    figure = plt.figure(figsize=size, dpi=100, layout="constrained")
    draw(figure, result)
    print_figure(figure, fmt="png", bbox_inches="tight")
    plt.close(figure)


def milliseconds(function, result):
    """Return the CPU time of a call."""
    start = time.process_time()
    function(result)
    return 1000 * (time.process_time() - start)


def main():
    """Measure and print."""
    plt.switch_backend("agg")
    for path in [path for path in LABS if path.stem.startswith(tuple(sys.argv[1:]) or "")]:
        with contextlib.redirect_stdout(io.StringIO()):
            found = explorers(path)
        for k, (compute, draw, size, ghosts, controls) in enumerate(found):
            draw = partial(draw, ghosts={}) if ghosts else draw
            for name, control in controls.items():
                others = {key: other for key, other in controls.items() if key != name}
                shown = list(results(compute, {name: control}, {key: other.value for key, other in others.items()}))
                picture = Picture(draw, size)
                picture.png(shown[0])
                picture.jpeg(shown[0])
                times = [
                    (milliseconds(partial(plain, draw, size), result), milliseconds(picture.jpeg, result))
                    for result in ROUNDS * shown
                ]
                old, new = map(statistics.median, zip(*times, strict=True))
                ratio = statistics.median(a / b for a, b in times)
                what = f"lab {path.stem[:2].strip('_')}, Explorer {k + 1}, {name}"
                print(f"{what:36} interact {old:4.0f} ms, live {new:4.0f} ms: {ratio:4.1f} times", flush=True)


if __name__ == "__main__":
    main()
