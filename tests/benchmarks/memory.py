"""Memory of widgets that are closed, and of a cell that is run again: python tests/benchmarks/memory.py [kind ...]

Makes each kind many times, closes each one, or lets the next run of the same cell replace it, and prints the memory of
the process after a tenth of them and at the end. It should not grow but by what the allocator keeps.
"""

import gc
import re
import sys
from pathlib import Path

import ipywidgets
import numpy as np

from aelib import Autoencoder, load_mnist
from aelib.common import plots
from aelib.widgets import Explorer, base
from aelib.widgets.console import Console
from aelib.widgets.latent import LatentExplorer

MNIST = load_mnist()
MODEL = Autoencoder([784, 30, 2, 30, 784], dtype="float32").start_output_bias(MNIST.train_images[:2000])


def explorer():
    """Return an Explorer."""

    def compute(a):
        return np.sin(a * np.linspace(0, 9, 100_000))

    def draw(figure, y):
        plots.curves(figure.subplots(), {"sin": (np.linspace(0, 9, len(y)), y)}, "x", "y")

    return Explorer(compute, draw, a=ipywidgets.FloatSlider(1, min=0, max=5))


KINDS = {
    "Explorer": (200, explorer),
    "LatentExplorer": (200, lambda: LatentExplorer(MODEL, MNIST)),
    "Console": (40, lambda: Console(MNIST, epochs=1)),
}


def megabytes():
    """Return the resident memory of this process."""
    gc.collect()
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def main():
    """Measure and print."""
    cell = base._cell
    for name in sys.argv[1:] or KINDS:
        count, make = KINDS[name]
        for way in ("closed", "its cell run again"):
            sizes, widgets = [], []
            for run in range(count):
                if way == "closed":
                    make().close()
                else:
                    base._cell = lambda run=run: ("the cell", run)
                    make()
                    base._cell = cell
                if run + 1 in (count // 10, count):
                    sizes.append(megabytes())
                    widgets.append(len(ipywidgets.widgets.widget._instances))
            words = "{} {}, {} times: {:.0f} MB after {}, {:.0f} MB at the end; widgets {} and {}"
            print(words.format(name, way, count, sizes[0], count // 10, sizes[1], *widgets), flush=True)


if __name__ == "__main__":
    main()
