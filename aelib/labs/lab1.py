"""Lab 1, the derivation: its network, the picture of a prediction along p, the data flow, small matrices, costs."""

import timeit
from unittest import mock

import numpy as np
from ipywidgets import Dropdown, FloatSlider

from aelib import Adam, Autoencoder, fit, load_mnist, passes
from aelib.common import plots
from aelib.common.settings import NETS
from aelib.common.tables import table
from aelib.widgets import Explorer, picture, start_lab

PATH = np.linspace(-16, 16, 33)  # values of ε at which the curves of a prediction are drawn


def digits_and_network():
    """Make the kernel ready; return 20 digits (20, 784), and the network of this lab, trained a little."""
    start_lab()
    mnist = load_mnist()
    X = mnist.train_images[:20].astype(np.float64)
    model = Autoencoder([784, 30, 2, 30, 784], hidden="tanh").start_output_bias(mnist.train_images)
    fit(model, X, Adam(0.01), epochs=20, batch_size=20, progress=False)
    return X, model


def start():
    """Return what ``digits_and_network`` returns, and three directions."""
    X, model = digits_and_network()
    return X, model, directions(model, X)


def later_network(model, X):
    """Return a network that has gone on from this one for 200 steps of Adam."""
    later = model.with_theta(model.theta.copy())
    fit(later, X, Adam(0.01), epochs=200, batch_size=len(X), progress=False)
    return later


def directions(model, X):
    """Return directions in parameter space by name, each (n_params,).

    "later" points to the same network 200 steps of Adam later, "downhill" against the gradient, "random" anywhere. The
    lengths are 1, but 1/8 for "downhill", along which the loss curves much more.
    """
    found = {
        "later": later_network(model, X).theta - model.theta,
        "downhill": -model.loss_and_grad(X)[1],
        "random": np.random.default_rng(0).normal(size=model.theta.size),
    }
    found = {name: p / np.linalg.norm(p) for name, p in found.items()}
    found["downhill"] /= 8
    return found


# -- prediction and truth along p ------------------------------------------------------------------------------------


def predicted_losses(at, p, eps):
    """Return what the derivatives at eps = 0 predict for the loss at theta + eps p, by name.

    Args:
        at: a ``Linearization``.
        p: direction, (n_params,).
        eps: a number or an array.
    """
    tangent = at.loss + eps * (at.grad @ p)
    return {
        "tangent": tangent,
        "H parabola": tangent + eps**2 / 2 * (p @ at.hvp(p)),
        "G parabola": tangent + eps**2 / 2 * (p @ at.gnvp(p)),
    }


def prediction_and_truth(model, X, directions, direction="later", eps=16.0):
    """Return an ``Explorer``: digits and loss at theta + eps p, true and predicted from theta alone."""
    at = model.linearize(X)

    def compute(direction, eps):
        p, path = directions[direction], np.append(PATH, eps)
        truth = [model.with_theta(model.theta + e * p).loss(X) for e in path]
        lines = {"true loss": np.array(truth)} | predicted_losses(at, p, path)
        true = model.with_theta(model.theta + eps * p).reconstruct(X[:5])
        return dict(path=path, lines=lines, true=true, predicted=(at.output + eps * at.jvp(p))[:5])

    def draw(figure, found):
        left, right = figure.subplots(1, 2, width_ratios=[5, 4])
        plots.image_rows(left, {"input": X[:5], "true": found["true"], "predicted": found["predicted"]})
        lines = {name: (found["path"][:-1], line[:-1]) for name, line in found["lines"].items()}
        plots.curves(right, lines, "ε along p", "loss (half-SSE)")
        truth = lines["true loss"][1]
        low, high, here = truth.min(), truth.max(), found["lines"]["true loss"][-1]
        right.plot(found["path"][-1], here, "ko")
        right.set_ylim(1.3 * low - 0.3 * high, 1.5 * high - 0.5 * low)

    slider = FloatSlider(value=eps, min=-16, max=16, step=0.25, description="ε along p")
    slider.layout.width = "34em"
    menu = Dropdown(options=list(directions), value=direction, description="direction p")
    return Explorer(compute, draw, size=(9, 3.6), direction=menu, eps=slider)


def errors_along(model, X, directions, path):
    """Return a table: by how much each prediction of the loss errs at each eps of a path; predicted minus true."""
    at, rows = model.linearize(X), []
    for name, p in directions.items():
        for eps in path:
            true = model.with_theta(model.theta + eps * p).loss(X)
            predicted = predicted_losses(at, p, eps)
            rows.append({"p": name, "ε": eps, "true loss": true} | {k: v - true for k, v in predicted.items()})
    forms = dict.fromkeys(("tangent", "H parabola", "G parabola"), "+.2f")
    return table(rows, "Predicted loss minus true loss at θ + εp, half-SSE", digits=forms)


def orders(model, X, directions, eps=1 / 8):
    """Return a table: by how much the errors of the predictions shrink when eps is halved; p.Hp and p.Gp."""
    at, rows = model.linearize(X), []
    for name, p in directions.items():
        errors = []
        for e in (eps, eps / 2):
            there = model.with_theta(model.theta + e * p)
            losses = [abs(v - there.loss(X)) for v in predicted_losses(at, p, e).values()]
            errors.append([*losses, np.linalg.norm(at.output + e * at.jvp(p) - there.reconstruct(X))])
        names = ("tangent", "H parabola", "G parabola", "reconstruction")
        ratios = {k: float(ratio) for k, ratio in zip(names, np.divide(*errors), strict=True)}
        rows.append({"p": name} | ratios | {"p·Hp": float(p @ at.hvp(p)), "p·Gp": float(p @ at.gnvp(p))})
    forms = dict.fromkeys(names, 1) | {"p·Hp": "+.4f", "p·Gp": "+.4f"}
    caption = f"Error at ε = 1/{1 / eps:.0f} divided by error at ε = 1/{2 / eps:.0f}, and the curvatures at θ"
    return table(rows, caption, digits=forms)


# -- small matrices --------------------------------------------------------------------------------------------------


def heat_maps(matrices, blocks):
    """Return a picture of square matrices by name; colours show signed square roots, so that small entries are seen."""
    roots = {name: np.sign(A) * np.sqrt(np.abs(A)) for name, A in matrices.items()}
    return picture(lambda figure, found: plots.signed_matrices(figure, found, blocks), roots, size=(10, 3.6))


# -- the data flow ---------------------------------------------------------------------------------------------------


def flow(model, X, p):
    """Return the four quantities of the four passes, layer by layer, by name; index 0 is the input."""
    at = model.linearize(X)
    tangent = passes.rp_forward(model.layers, p, at.primal)
    back = passes.rp_backward(model.layers, p, at.primal, at.adjoint, tangent, tangent.R_z[-1] / len(X))
    forth = {"z": at.primal.z, "R_p{z}": [np.zeros_like(X), *tangent.R_z[1:]]}
    return forth | {"∇u": at.adjoint.grad_u, "R_p{∇u}": back.grad_u}


def only_layer(model, p, l):
    """Return p with 0 everywhere but in the parameters of layer l; all of p for l = 0."""
    kept, layer = np.zeros_like(p), model.layers[l - 1]
    own = slice(layer.W_slice.start, layer.b_slice.stop) if l else slice(None)
    kept[own] = p[own]
    return kept


def explore_flow(model, X, p):
    """Return an ``Explorer`` of ``flow``: a row a quantity, a column a layer; a menu says which layers move."""

    def compute(moving):
        return flow(model, X, only_layer(model, p, moving))

    def tiled(A):
        return plots.mosaic(A[:6], 3) if np.shape(A) == X.shape else A

    def draw(figure, found):
        rows = {name: {f"l = {l}": tiled(A) for l, A in enumerate(row)} for name, row in found.items()}
        plots.signed_table(figure.subplots(), rows)

    options = [("all layers", 0), *((f"only layer {l}", l) for l in range(1, len(model.layers) + 1))]
    menu = Dropdown(options=options, description="what moves")
    return Explorer(compute, draw, size=(9, 5.2), moving=menu)


# -- costs -----------------------------------------------------------------------------------------------------------


def multiplications(run):
    """Return how many multiplications of numbers the matrix products of ``run()`` make; sums over images apart."""
    made, product = [], np.matmul

    def counting(a, b, *args, **options):
        if np.ndim(a) == 2:
            made.append(a.size * b.shape[-1])
        return product(a, b, *args, **options)

    with mock.patch.object(np, "matmul", counting):
        run()
    return sum(made)


def seconds(run, repeat=7):
    """Return the least time of several runs."""
    return min(timeit.repeat(run, number=1, repeat=repeat))


def runs(model, X):
    """Return what section 8 counts and times, name -> function of nothing."""
    kept, p = model.linearize(X), np.ones(model.theta.size)
    _ = kept.grad  # forward and backward pass are kept from here on
    return {
        "loss": lambda: model.loss(X),
        "gradient": lambda: model.loss_and_grad(X),
        "Hp, forward and backward kept": lambda: kept.hvp(p),
        "Gp, forward kept": lambda: kept.gnvp(p),
        "Hp from nothing": lambda: model.hvp(X, p),
    }


def costs(X, net="784-200-2", timed=True):
    """Return a table of what derivatives cost on one of the report's networks: counted, and timed here."""
    model = Autoencoder(NETS[net])
    work = runs(model, X)
    counted = {name: multiplications(run) for name, run in work.items()}
    took = {name: seconds(run) for name, run in work.items()} if timed else None
    rows = []
    for name in work:
        row = {"": name, "losses": counted[name] / counted["loss"], "gradients": counted[name] / counted["gradient"]}
        rows.append(row | ({"gradients, timed here": took[name] / took["gradient"]} if timed else {}))
    caption = f"{net}, {len(X)} images: multiplications in matrix products, in losses and in gradients"
    return table(rows, caption)
