"""The start page: a net that learns under the student's hand, a picture of a net, and where the student stands."""

from pathlib import Path

import numpy as np

from aelib import load_mnist
from aelib.common.tables import table
from aelib.trial.claims import CLAIMS
from aelib.widgets import picture, start_lab
from aelib.widgets.cards import PREDICTIONS, predictions
from aelib.widgets.console import Console
from aelib.widgets.console.picture import draw_layers


def learning_net(**start):
    """Return a console that begins to train when it is shown, with two sliders: step and batch.

    Args:
        start: values of ``Settings`` to begin with.
    """
    start_lab()
    return Console(load_mnist(), main=("step", "batch"), more=False, gradients=False, autoplay=True, **start)


# -- a picture of a net ------------------------------------------------------------------------------------------------


def draw_net(figure, result):
    """Draw an image, the layers it goes through, its code, and the image that comes out.

    Args:
        figure: matplotlib Figure, empty.
        result: dict with sizes, and of one image image (784,), code (2,), output (784,).
    """
    sizes, code = result["sizes"], " and ".join(f"{z:.1f}" for z in result["code"])
    digits, layers, words = figure.subplots(1, 3, width_ratios=(1, 2, 1.6))
    rows = {"an image, 784 pixels": result["image"], "what the net makes of it": result["output"]}
    tiles = np.concatenate([np.reshape(X, (28, 28)) for X in rows.values()])
    digits.imshow(tiles, cmap="gray", vmin=0, vmax=1)
    digits.axhline(27.5, color="white", linewidth=6)
    digits.set_title(next(iter(rows)), fontsize="small")
    digits.set_xlabel(list(rows)[1], fontsize="small")
    digits.set(xticks=[], yticks=[])
    digits.spines[:].set_visible(False)
    layers.set(xlim=(0, 1), ylim=(-0.06, 1.06))
    layers.set_axis_off()
    draw_layers(layers, sizes)
    middle = len(sizes) // 2
    encoder, decoder = ("-".join(map(str, part)) for part in (sizes[: middle + 1], sizes[middle:]))
    for y, text in (
        (0.8, f"encoder, {encoder}:\nwhat is kept of the image"),
        (0.5, f"the code of this image:\n{code}"),
        (0.2, f"decoder, {decoder}:\nthe image, drawn from the code"),
    ):
        words.text(0, y, text, va="center", fontsize="medium")
    words.set(xlim=(0, 1), ylim=(-0.06, 1.06))
    words.set_axis_off()


def show_net(net, image):
    """Return a picture of a trained net and of one image on its way through it.

    Args:
        net: an ``Autoencoder`` of 784 pixels.
        image: (784,).
    """
    X = np.asarray(image)[None]
    result = dict(sizes=net.config["sizes"], image=X[0], code=net.encode(X)[0], output=net.reconstruct(X)[0])
    return picture(draw_net, result, (9, 2.9))


# -- where the student stands ------------------------------------------------------------------------------------------


def where_you_are(points, folder="."):
    """Return a table of the labs in a folder: the points that their saved notebooks show, the predictions made.

    Args:
        points: what ``aelib.coursework.progress.progress`` returns.
        folder: the student's own, with the notebooks and the file of predictions.
    """
    made = predictions(Path(folder) / PREDICTIONS)
    rows = []
    for row in points:
        number = row["lab"].split("_")[0].lstrip("0")
        asked = [claim.number for claim in CLAIMS.values() if str(claim.lab) == number]
        predicted = f"{sum(claim in made for claim in asked)} of {len(asked)}" if asked else ""
        by_hand = row["by_hand"] or ""
        words = row["lab"].split("_", 1)[1].replace("_", " ")
        points_of = f"{row['got']:g} of {row['of']:g}"
        rows.append(
            {
                "lab": f"{number} {words}",
                "points": points_of,
                "points in written questions": by_hand,
                "predicted": predicted,
            }
        )
    if not rows:
        return "No lab with exercises is saved in this folder yet."
    return table(rows, "Where you are: the notebooks saved in this folder", digits=0)
