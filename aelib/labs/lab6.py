"""Lab 6, automatic differentiation: a tape as a picture, layers over a student's own arrays, counts, memory, bugs."""

import copy
import timeit
import tracemalloc
from types import SimpleNamespace
from unittest import mock

import numpy as np
from ipywidgets import IntSlider

from aelib import Autoencoder
from aelib.autodiff import Dual, Node, Traced, maps, sweep, tape
from aelib.checks import compare
from aelib.common.plots import LINES
from aelib.common.tables import table
from aelib.labs import lab1
from aelib.widgets import Explorer

# -- a tape as a picture ---------------------------------------------------------------------------------------------


def walk(output, names, step):
    """Return what one step of a walk along a tape shows: forward over its m functions, then back over them.

    Args:
        output: a Node, a number, made of Nodes and numbers.
        names: of the nodes of its tape, in order.
        step: 0 ... 2 m.

    Returns:
        (values, adjoints, arrows, now): dict of the values computed so far, by name; dict of the adjoints, as far as
        shares have come; list of (from, to, share or None), in the order of the tape; the name of the node whose turn
        it is, or None.
    """
    nodes = tape(output)
    name = dict(zip(nodes, names, strict=True))
    made = [node for node in nodes if node.f]
    m, whole = len(made), sweep(output)
    values = {name[z]: float(z.value) for z in nodes if not z.f or made.index(z) < step}
    adjoints, arrows = {name[output]: 1.0} if step > m else {}, []
    for k, z in enumerate(made):
        for a, _, pull in maps(z.f, z.value, z.arguments, z.options):
            share = float(pull(whole[z])) if k >= 2 * m - step else None
            arrows.append((name[a], name[z], share))
            if share is not None:
                adjoints[name[a]] = adjoints.get(name[a], 0.0) + share
    turn = step - 1 if step <= m else 2 * m - step
    return values, adjoints, arrows, name[made[turn]] if step else None


def draw_walk(figure, walked, places):
    """Draw what ``walk`` returned: boxes at places, name -> (column, row), and arrows between them; twins are bent.

    A value stands above its box (blue), an adjoint below (orange), a share of one at its arrow; the box whose turn it
    is is filled.
    """
    (values, adjoints, arrows, now), ax = walked, figure.subplots()
    pairs = [arrow[:2] for arrow in arrows]
    for k, (start, end, share) in enumerate(arrows):
        tail, tip = np.array(places[start]), np.array(places[end])
        bend = 0 if pairs.count((start, end)) == 1 else 1 if (start, end) not in pairs[:k] else -1
        line = dict(arrowstyle="-|>", color="0.55", shrinkA=18, shrinkB=20, connectionstyle=f"arc3,rad={-0.45 * bend}")
        ax.annotate("", tip, tail, arrowprops=line, zorder=1)
        if share is not None:
            middle = (tail + tip) / 2 + [0, 0.45 * bend]
            ax.text(*middle, f"{share:+.3f}", color=LINES[1], fontsize=8, ha="center", va="center", zorder=2,
                    bbox=dict(boxstyle="square,pad=0.1", facecolor="white", edgecolor="none"))  # fmt: skip
    for name, (x, y) in places.items():
        frame = dict(boxstyle="round,pad=0.4", facecolor="#FFE9B0" if name == now else "white", edgecolor="0.3")
        ax.text(x, y, name, ha="center", va="center", fontsize=11, bbox=frame, zorder=3)
        for found, lift, color in ((values, 0.36, LINES[0]), (adjoints, -0.36, LINES[1])):
            if name in found:
                ax.text(x, y + lift, f"{found[name]:.3f}", color=color, ha="center", va="center", fontsize=10, zorder=3)
    columns, rows = zip(*places.values(), strict=True)
    ax.set(xlim=(min(columns) - 0.5, max(columns) + 0.5), ylim=(min(rows) - 0.65, max(rows) + 0.65))
    ax.set_axis_off()


NAMES = ("w", "x", "wx", "b", "u", "z", "r", "r²", "F")  # in the order in which the tape holds them
PLACES = {
    "w": (0, 2), "x": (0, 0.5), "wx": (1.2, 1.6), "b": (1.2, 2.8), "u": (2.4, 1.9), "z": (3.6, 1.9), "r": (4.8, 1.3),
    "r²": (6.3, 1.3), "F": (7.5, 1.3),
}  # fmt: skip


def one_number(step, w=0.5, b=0.1, x=0.8):
    """Return the ``walk`` of an autoencoder of one number: u = w x + b, z = tanh u, r = z - x, F = r r / 2."""
    w, x = Node(w), Node(x)
    product = w * x
    r = np.tanh(product + Node(b)) - x
    return walk(0.5 * (r * r), NAMES, step)


def explore_tape():
    """Return an ``Explorer`` of ``one_number``."""
    slider = IntSlider(value=9, min=0, max=12, description="step", layout={"width": "34em"})
    return Explorer(one_number, lambda figure, walked: draw_walk(figure, walked, PLACES), size=(9, 3.6), step=slider)


# -- layers over a student's own arrays --------------------------------------------------------------------------------


def layers(weights, biases, functions):
    """Return layers as lab 1's forward pass takes them: with ``W``, ``b`` and ``activation.g``, of any kind.

    Args:
        weights: list of arrays, duals or nodes.
        biases: the same, one a layer.
        functions: the activation functions, one a layer.
    """
    return [
        SimpleNamespace(W=W, b=b, activation=SimpleNamespace(g=g))
        for W, b, g in zip(weights, biases, functions, strict=True)
    ]


# -- costs -------------------------------------------------------------------------------------------------------------


class Counted(np.ndarray):
    """An array that counts the multiplications of its matrix products, and makes counted arrays of them."""

    multiplications = 0

    def __array_ufunc__(self, ufunc, method, *arguments, **options):
        if any(isinstance(a, Traced) for a in arguments):
            return NotImplemented  # theirs
        plain = [a.view(np.ndarray) if isinstance(a, Counted) else a for a in arguments]
        if ufunc is np.matmul:
            Counted.multiplications += plain[0].size * plain[1].shape[-1]
        return np.asarray(getattr(ufunc, method)(*plain, **options)).view(Counted)


def counted(f, theta, *more):
    """Return how many multiplications the matrix products of f(theta, *more) make; vectors are given as counted."""
    Counted.multiplications = 0
    f(theta.view(Counted), *(p.view(Counted) for p in more))
    return Counted.multiplications


def gradient(f, x):
    """Return the gradient of f at x by one sweep over its tape; x may be an array or a Dual."""
    x = Node(x)
    return sweep(f(x))[x]


def milliseconds(run, *arguments):
    """Return the least time that three calls of run(*arguments) took."""
    return 1000 * min(timeit.repeat(lambda: run(*arguments), number=1, repeat=3))


def roads(loss_of, X, sizes=(784, 200, 2, 200, 784)):
    """Return a table of roads to derivatives: matrix products counted, and times, both in losses.

    Args:
        loss_of: function of a model and images, returning the loss as a function of theta.
        X: images, (n, D).
        sizes: of the network.
    """
    model = Autoencoder(list(sizes), hidden="tanh")
    f, theta, p, kept = loss_of(model, X), model.theta, np.ones(model.theta.size), model.linearize(X)
    _ = kept.grad
    by_hand = {
        "loss": lambda: model.loss(X),
        "gradient by hand": lambda: model.loss_and_grad(X),
        "Jp by hand, forward kept": lambda: kept.jvp(p),
        "Hp by hand, passes kept": lambda: kept.hvp(p),
        "Hp by hand, from nothing": lambda: model.hvp(X, p),
    }
    by_machine = {
        "gradient by tape": lambda t, q: gradient(f, t),
        "Jp by duals": lambda t, q: f(Dual(t, q)),
        "Hp by duals over a tape": lambda t, q: gradient(f, Dual(t, q)),
    }
    products = {name: lab1.multiplications(run) for name, run in by_hand.items()}
    products |= {name: counted(run, theta, p) for name, run in by_machine.items()}
    times = {name: milliseconds(run) for name, run in by_hand.items()}
    times |= {name: milliseconds(run, theta, p) for name, run in by_machine.items()}
    order = ["loss", *(name for kind in ("gradient", "Jp", "Hp") for name in products if name.startswith(kind))]
    rows = []
    for name in order:
        counts, took = products[name] / products["loss"], times[name] / times["loss"]
        rows.append({"": name, "products, in losses": counts, "time here, in losses": took})
    caption = f"{'-'.join(map(str, sizes))}, {len(X)} images"
    return table(rows, caption, digits=1)


def memory(loss_of, X, sizes=(784, 200, 2, 200, 784)):
    """Return a table of the largest memory in use at a time, in MB, beyond the network and the images."""
    model = Autoencoder(list(sizes), hidden="tanh")
    f, theta, p = loss_of(model, X), model.theta, np.ones(model.theta.size)
    runs = {
        "loss": lambda: f(theta),
        "gradient by hand": lambda: model.loss_and_grad(X),
        "Jp by duals": lambda: f(Dual(theta, p)),
        "gradient by tape": lambda: gradient(f, theta),
        "Hp by duals over a tape": lambda: gradient(f, Dual(theta, p)),
    }
    rows = []
    for name, run in runs.items():
        run()
        tracemalloc.start()
        run()
        rows.append({"": name, "MB": tracemalloc.get_traced_memory()[1] / 1e6})
        tracemalloc.stop()
    caption = f"{'-'.join(map(str, sizes))}, {len(X)} images of {X.nbytes / 1e6:.1f} MB in all: memory at its highest"
    return table(rows, caption, digits=1)


# -- planted bugs ------------------------------------------------------------------------------------------------------


def sweep_without_sum(output):
    """Do what ``sweep`` does, but keep the last share of an adjoint where shares should be added."""
    adjoint = {output: np.ones(())}
    for z in reversed(tape(output)):
        for a, _, pull in maps(z.f, z.value, z.arguments, z.options) if z.f else ():
            adjoint[a] = pull(adjoint[z])
    return adjoint


def planted(bug, model, X, k=2):
    """Return the gradient, (n_params,), from an engine with a bug: "none", "no sum", "changed" or "detached".

    Args:
        bug: its name.
        model: an ``Autoencoder``.
        X: images, (n, D).
        k: the layer after which "detached" cuts.
    """
    theta, images = Node(model.theta), X.copy()
    z, keep = images, (lambda a: a) if bug == "changed" else copy.deepcopy
    with mock.patch.object(copy, "deepcopy", keep):  # by which a Node copies what it keeps
        for l, layer in enumerate(model.with_theta(theta).layers):
            if bug == "detached" and l == k:
                z = Node(z.value)
            z = layer.activation.g(z @ layer.W.T + layer.b)
        F = 0.5 * np.sum((z - images) ** 2) / len(X)
    images[...] = X[::-1]  # harmless, where the tape has a copy
    return (sweep_without_sum if bug == "no sum" else sweep)(F)[theta]


def wrong_blocks(found, model, reference):
    """Return the set of names of the blocks in which a gradient differs from its reference."""
    return {name for name, own in model.blocks.items() if compare(found[own], reference[own]).relative_error > 1e-12}
