"""Networks on which bugs cannot hide, with all that a function is given there and all that it must compute."""

from typing import NamedTuple

import numpy as np

from aelib import passes
from aelib.activations import activation
from aelib.coursework.doctor.pass_algebra import simulate
from aelib.layers import dense_layers, n_params

FORMS = {  # arguments of each function, what it returns, and the passes before it
    "forward": ("layers X", "u z", ()),
    "backward": ("layers u z V", "grad grad_u grad_z", ("forward",)),
    "rp_forward": ("layers p u z", "R_u R_z", ("forward",)),
    "rp_backward": (
        "layers p u z grad_u grad_z R_u R_z R_V",
        "R_grad R_grad_u R_grad_z",
        ("forward", "backward", "rp_forward"),
    ),
    "gauss_newton": ("layers p u z", "Gp", ("forward",)),
    "loss_and_gradient": ("layers X", "loss grad", ()),
}


class Net(NamedTuple):
    """A network: its widths, how many images, the activation of hidden layers, what is special about it."""

    sizes: tuple
    n: int
    hidden: str = "tanh"
    missing: tuple = ()  # layers without bias
    code: int | None = None  # the linear layer; the middle one by default

    def __str__(self):
        L = len(self.sizes) - 1
        text = f"{L} layers, {self.n} image{'s' * (self.n > 1)}"
        if self.missing:
            text += f", no bias in layer{'s' * (len(self.missing) > 1)} {' '.join(map(str, self.missing))}"
        return text + (f", layer {self.code} linear" if self.code not in (None, L // 2) else "")


NETS = (  # in the last one even a wrong axis gives numbers
    Net((9, 7, 5, 11, 9), 3),
    Net((9, 7, 5, 11, 9), 3),
    Net((9, 7, 5, 11, 9), 3, "softplus", (4,)),  # whose slope depends on u, where that of tanh may be had from z
    Net((4, 4, 4, 4, 4), 3),
    Net((4, 4, 4, 4, 4), 4),
)
FURTHER = (  # each differs from those above, and from the one before it, in what is taken for granted
    Net((9, 7, 5, 11, 9), 1),
    Net((9, 7, 5, 11, 9), 3, missing=(2,), code=3),
    Net((6, 3, 6), 4),
    Net((7, 4, 2, 7), 2, "softplus", (1, 2, 3)),
    Net((6, 5, 4, 2, 3, 6), 3, missing=(1,), code=2),
    Net((5, 4, 3, 2, 3, 4, 5), 1, "softplus", (3, 6)),
)


class Probe:
    """One network with all that a function is given and all that it must compute, by (quantity, layer)."""

    def __init__(self, name, rng, net, dtype="float64"):
        self.name, self.net, self.dtype = name, net, np.dtype(dtype)
        sizes, n, L = list(net.sizes), net.n, len(net.sizes) - 1
        biases = [l not in net.missing for l in range(1, L + 1)]
        code = L // 2 if net.code is None else net.code
        kinds = ["sigmoid" if l == L else "identity" if l == code else net.hidden for l in range(1, L + 1)]
        g = [activation(kind) for kind in kinds]
        self.theta, self.p = rng.normal(0, 0.7, (2, n_params(sizes, biases))).astype(dtype)
        self.X = rng.uniform(0.05, 0.95, (n, sizes[0])).astype(dtype)
        self.layers_over = lambda theta: dense_layers(sizes, g, biases, theta)
        self.layers = self.layers_over(self.theta)
        V, R_V = rng.normal(size=(2, n, sizes[-1])).astype(dtype).astype(np.float64)
        given = (self.layers_over(self.theta.astype(np.float64)), self.X.astype(np.float64), self.p.astype(np.float64))
        self.values = v = {**given_to(*given), ("V", L): V, ("R_V", L): R_V}
        for part in FORMS[name][2]:
            v |= simulate(part, v)
        self.right = simulate(name, v)

    def arguments(self):
        """Return fresh copies of what the function is given, by name."""
        L = len(self.layers)
        own = {"layers": lambda: self.layers_over(self.theta.copy()), "X": self.X.copy, "p": self.p.copy}

        def array(q, l):
            a = self.values.get((q, l))
            return None if a is None else a.astype(self.dtype)

        return {
            q: own[q]() if q in own else array(q, L) if q in ("V", "R_V") else [array(q, l) for l in range(L + 1)]
            for q in FORMS[self.name][0].split()
        }


def given_to(layers, X, p=None):
    """Return what the passes are given, by (quantity, layer): images, layers, their parameters, the blocks of p."""
    given = {"widths": [layers[0].n_in, *(layer.n_out for layer in layers)], ("x", 0): X}
    for l, layer in enumerate(layers, start=1):
        blocks = (layer.W, layer.b, *(layer.split(p) if p is not None else (None, None)))
        given |= {(key, l): block for key, block in zip("WbPq", blocks, strict=True) if block is not None}
        given |= {("layer", l): layer, ("x", l): X}
    return given


def right_passes():
    """Return the passes that an answer may call by name, in the labs' form."""

    def backward(layers, u, z, V):
        adjoint = passes.backward(layers, passes.Primal(u, z), V)
        return adjoint.grad, adjoint.grad_u, adjoint.grad_z

    def rp_forward(layers, p, u, z):
        return passes.rp_forward(layers, p, passes.Primal(u, z))

    return {"forward": lambda layers, X: passes.forward(layers, X), "backward": backward, "rp_forward": rp_forward}
