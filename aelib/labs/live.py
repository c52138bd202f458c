"""Runs that grow before one's eyes: what labs 3 and 4 train while a slider is dragged, and how it is drawn."""

import time

import numpy as np

from aelib.common import plots
from aelib.train import Diverged, train

_TURN = 0.02  # seconds of training after which Jupyter may answer


def grow(run, X, measure):
    """Make the net of a run, train it, and yield what has been measured so far: a ``compute`` of an ``Explorer``.

    The net is measured before the first update, then every 500 images, or 20 times where that is more often.

    Args:
        run: ``Settings``.
        X: training images, (n, 784), n >= ``run.images``.
        measure: dict, name -> function of the model.

    Yields:
        A new dict: ``run``; lists ``update``, ``epoch`` and one for each name of ``measure``, with an entry for each
        moment; ``note``, empty, or why training came to an end. None in between, where there is nothing new.
    """
    model, every = run.model(X), max(1, min(run.updates // 20, 500 // run.batch))
    found = dict(run=run, note="", update=[0], epoch=[0.0]) | {name: [f(model)] for name, f in measure.items()}
    yield found
    due = time.monotonic() + _TURN
    try:
        for progress in train(model, run.part(X), run.optimizer(), run.epochs, run.batch, run.seed):
            if progress.update % every == 0 or progress.update == run.updates:
                new = dict(update=progress.update, epoch=progress.epoch)
                new |= {name: f(model) for name, f in measure.items()}
                found = found | {name: [*found[name], value] for name, value in new.items()}
                yield found
            elif time.monotonic() > due:
                yield None
            else:
                continue
            due = time.monotonic() + _TURN
    except Diverged as error:
        yield found | dict(note=str(error).split(";")[0])


def draw_growing(ax, x, result, ghosts, levels=()):
    """Draw the ``loss`` of a run that grows, and of its ghosts, over a reference ladder.

    Args:
        ax: Axes.
        x: ``"update"`` or ``"epoch"``.
        result: what ``grow`` yields, with a ``loss``.
        ghosts: dict, name -> what ``grow`` yielded last.
        levels: dict, name -> loss.
    """
    lines = {name: (line[x], line["loss"]) for name, line in ({"now": result} | ghosts).items()}
    plots.curves(ax, lines, f"{x}s", "half-SSE", markers=True)
    plots.levels(ax, dict(levels))
    plots.log_ticks(ax, (15, 20, 30, 50, 100))
    ax.set_ylim(15, max(30, np.fmin(200, 1.05 * max(result["loss"]))))
    words = [result["run"].label, f"{result['loss'][-1]:.2f}"]
    ax.set_title(": ".join(words) + "; " * bool(result["note"]) + result["note"], fontsize="medium")
