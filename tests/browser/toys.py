"""A notebook with each kind of widget, for the tests of this folder."""

import nbformat

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

EXPLORER = """\
import ipywidgets
import numpy as np
from aelib.common import plots
from aelib.trial.claims import CLAIMS, Verdict
from aelib.widgets import Explorer, start_lab
from aelib.widgets.cards import Card

start_lab()
x = np.linspace(0, 9, 300)

def compute(a, shape, step):
    if a == 5:
        raise ValueError("no wave is as fast as that")
    return getattr(np, shape)(a * x) + step

def draw(figure, y):
    plots.curves(figure.subplots(), {"wave": (x, y)}, "time", "height")

a = ipywidgets.FloatSlider(1, min=0, max=5, description="frequency")
shape = ipywidgets.Dropdown(options={"sine": "sin", "cosine": "cos"})
step = ipywidgets.SelectionSlider(options=[(f"{value:g}", value) for value in (0.001, 0.01, 0.1)])
Explorer(compute, draw, (8, 3), a=a, shape=shape, step=step)"""

CARD = """\
verdict = Verdict("does not hold", "no", "It moves by more than 0.1.", "It moved by 0.02 in ten epochs.")
Card(CLAIMS[6], verdict, (lambda ax: ax.plot(x, x, label="loss"),), size=(6, 3))"""

CONSOLE = """\
from aelib import load_mnist
from aelib.widgets.console import Console

mnist = load_mnist()
Console(mnist)"""

LATENT = """\
from aelib import Adam, Autoencoder, fit
from aelib.widgets.latent import LatentExplorer

X = mnist.train_images[:1000]
net = Autoencoder([784, 20, 2, 20, 784], dtype="float32").start_output_bias(X)
early = Autoencoder([784, 20, 2, 20, 784], dtype="float32").start_output_bias(X)
fit(net, X, Adam(3e-3), epochs=1, progress=False)
LatentExplorer(net, mnist, film={"update 0": early})"""

CELLS = {"explorer": EXPLORER, "card": CARD, "console": CONSOLE, "latent": LATENT}


def write(path, *names):
    """Write a notebook with these widgets, all of them by default, and a cell after them."""
    cells = [nbformat.v4.new_code_cell(CELLS[name]) for name in names or CELLS]
    cells.append(nbformat.v4.new_code_cell("print('the cell after them')"))
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
