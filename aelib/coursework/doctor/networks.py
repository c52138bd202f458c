"""Networks on which bugs cannot hide, and what an answer did on one of them, judged line by line."""

import numpy as np

from aelib import passes
from aelib.activations import activation
from aelib.coursework.doctor.pass_algebra import simulate, steps
from aelib.coursework.doctor.tracing import Failed, call, close
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
NETS = (  # widths, images, output bias, hidden activation; in the last one even a wrong axis gives numbers
    ([9, 7, 5, 11, 9], 3, True, "tanh"),
    ([9, 7, 5, 11, 9], 3, True, "tanh"),
    ([9, 7, 5, 11, 9], 3, False, "softplus"),  # whose slope depends on u, where that of tanh may be had from z
    ([4, 4, 4, 4, 4], 3, True, "tanh"),
    ([4, 4, 4, 4, 4], 4, True, "tanh"),
)


class Probe:
    """One network with all that a function is given and all that it must compute, by (quantity, layer)."""

    def __init__(self, name, rng, sizes, n, output_bias, hidden, dtype="float64"):
        self.name, self.dtype, L = name, np.dtype(dtype), len(sizes) - 1
        biases = [True] * (L - 1) + [output_bias]
        hidden = [hidden] * (L // 2 - 1)
        g = [activation(a) for a in (*hidden, "identity", *hidden, "sigmoid")]
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


class Observation:
    """What an answer did on one probe.

    Attributes:
        seen: the arrays that it returned, copied.
        expected: what right lines make of what the answer itself returned of the lines before.
        wrong: the keys of ``seen``, in the order of computation, that are neither expected nor right.
        changed: the names of the arguments that it changed.
    """

    def __init__(self, answer, probe, tolerance):
        self.probe, self.tolerance = probe, tolerance
        arguments = probe.arguments()
        self.result = call(answer, arguments.values())
        self.changed = changed(arguments, probe)
        self.seen = read(probe, self.result)
        self.known = {key: a for key, a in self.seen.items() if np.isfinite(a).all()}
        self.expected = self.simulate()
        self.order = [(q, l) for q, l, _ in steps(probe.name, len(probe.layers)) if (q, l) in self.seen]
        self.wrong = [
            key
            for key in self.order
            if not any(close(self.seen[key], a, tolerance) for a in (self.expected[key], probe.right[key]))
        ]

    def simulate(self, wrong=None):
        """Return what the lines, one of them altered, make of what the answer returned of the lines before."""
        return simulate(self.probe.name, self.probe.values, self.known, wrong)

    def explained(self, keys, wrong):
        """Whether the lines, one of them altered, give what was seen of these keys."""
        computed = self.simulate(wrong)
        return all(close(self.seen[key], computed[key], 10 * self.tolerance) for key in keys)


def changed(arguments, probe):
    """Return the names of the arguments that are no longer what the probe gave; for the layers, ``theta``."""
    given = arguments | {"layers": [layer.theta for layer in arguments["layers"]]}
    before = probe.arguments() | {"layers": [probe.theta] * len(probe.layers)}
    return ["theta" if name == "layers" else name for name in given if not _same(given[name], before[name])]


def _same(a, b):
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(_same, a, b))
    return a is b if b is None else a is not None and np.array_equal(a, b)


def read(probe, result):
    """Return copies of the arrays that an answer returned, by (quantity, layer), or raise ``Failed``."""
    form, L = FORMS[probe.name][1].split(), len(probe.layers)
    if len(form) == 1 or (probe.name == "rp_backward" and isinstance(result, np.ndarray)):
        parts, form = [result], form[:1]
    else:
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(parts) != len(form):
        what = "None" if result is None else f"{len(parts)} value{'s' * (len(parts) != 1)}"
        cause = "the return is missing" if result is None else ""
        raise Failed("wrong", f"{what} returned: expected {', '.join(form)}", form[0], None, cause)
    seen = {}
    for quantity, part in zip(form, parts, strict=True):
        if quantity in ("grad", "R_grad", "Gp"):
            vector = read_array(quantity, None, part, probe.theta.shape)
            stem = "R_grad" if quantity == "R_grad" else "grad"
            for l, layer in enumerate(probe.layers, start=1):
                blocks = zip((f"{stem}_W", f"{stem}_b"), layer.split(vector), strict=True)
                seen |= {(q, l): block.copy() for q, block in blocks if block is not None}
        elif quantity == "loss":
            seen[quantity, L] = read_array(quantity, None, part, ())
        else:
            if not isinstance(part, (list, tuple)) or len(part) != L + 1:
                size = f"a list of {len(part)}" if isinstance(part, (list, tuple)) else f"a {type(part).__name__}"
                raise Failed("wrong", f"{quantity} is {size}: expected a list of {L + 1}, l = 0 ... {L}", quantity)
            for l in range(L, -1, -1):
                if (quantity, l) in probe.right and (l or part[l] is not None or quantity == "z"):
                    seen[quantity, l] = read_array(quantity, l, part[l], probe.right[quantity, l].shape)
    return seen


def read_array(quantity, l, value, shape):
    """Return a copy of value, in double precision, if it is an array of this shape, or raise ``Failed``."""
    what = quantity if l is None else f"{quantity} of layer {l}"
    if value is None:
        raise Failed("wrong", f"{what} is None", quantity, l, "never computed, or not returned")
    try:
        a = np.array(value)
    except (TypeError, ValueError):  # lists of unequal lengths
        a = np.array(None)
    if a.dtype.kind not in "biufc":
        raise Failed("wrong", f"{what} is no array of numbers", quantity, l)
    a = a.astype(np.result_type(a.dtype, np.float64))
    if a.shape == tuple(shape):
        return a
    cause = ""
    if a.ndim == 2 and a.shape == tuple(shape)[::-1]:
        cause = "product transposed"
    elif a.ndim == len(shape) == 2 and a.shape[0] == shape[0] and a.shape[1] == shape[1] + 1:
        cause = "bias row kept"
    elif a.ndim < len(shape):
        cause = "a sum over too many axes"
    raise Failed("wrong", f"{what} has shape {a.shape}: expected {tuple(shape)}", quantity, l, cause)


def dtypes(result):
    """Return the names of the types of all arrays in what an answer returned."""
    if isinstance(result, (list, tuple)):
        return set().union(*map(dtypes, result))
    return {result.dtype.name} if isinstance(result, (np.ndarray, np.generic)) else set()


def right_passes():
    """Return the passes that an answer may call by name, in the labs' form."""

    def backward(layers, u, z, V):
        adjoint = passes.backward(layers, passes.Primal(u, z), V)
        return adjoint.grad, adjoint.grad_u, adjoint.grad_z

    def rp_forward(layers, p, u, z):
        return passes.rp_forward(layers, p, passes.Primal(u, z))

    return {"forward": lambda layers, X: passes.forward(layers, X), "backward": backward, "rp_forward": rp_forward}
