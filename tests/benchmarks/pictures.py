"""What a picture costs the kernel, in CPU time: python tests/benchmarks/pictures.py [03 A ...]

For every Explorer of the labs, or of those named, and each of its controls: the picture of the values that the control
takes one after the other, drawn live and as plain ``interact`` draws it in Jupyter, by turns; of a run that grows, its
first two. Computing what is drawn is not counted. CPU time bears other work on the machine.
"""

import contextlib
import io
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.core.pylabtools import print_figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from test_pictures import LABS, explorers, results

from aelib.widgets.pictures import Picture

ROUNDS = 3


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
