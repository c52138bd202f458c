"""Right and wrong implementations of the gradient and of all products, behind functions that tell nothing else.

A wrong one has one wrong line of the bank in one of its passes, or one quirk: something kept, added or rounded that no
formula shows. They live in the bug zoo (``zoo``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from aelib.activations import activation
from aelib.coursework.doctor import wrong_lines as bank
from aelib.coursework.doctor.networks import given_to
from aelib.coursework.doctor.pass_algebra import LINES, PASSES, simulate
from aelib.layers import dense_layers, n_params

FUNCTIONS = ("loss", "output", "grad", "jvp", "vjp", "hvp", "gnvp")
PLAIN = dict(sizes=(6, 5, 2, 4, 6), n=4)


class Senseless(Exception):
    """A wrong line cannot be computed where widths differ."""


@dataclass(frozen=True)
class Species:
    """What is wrong with an implementation.

    Attributes:
        name: in words, as in the table.
        wrong: (quantity, start of a pass or None, None, terms) of the wrong line, or None.
        part: the function that alone has it, or "" for all.
        quirk: function of the dict of functions, returning those to be replaced, or None.
    """

    name: str
    wrong: tuple | None = None
    part: str = ""
    quirk: Callable | None = None


RIGHT = Species("right")


def functions(species, rng, sizes=PLAIN["sizes"], n=PLAIN["n"], hidden="tanh", fresh=False, dtype="float64", order=1):
    """Return (theta, X, dict of the seven functions) of one implementation on a random network.

    Args:
        species: what is wrong with it.
        rng: draws network and images.
        sizes: widths.
        n: number of images.
        hidden: activation of the hidden layers; the code is linear, the output a sigmoid.
        fresh: whether the biases are 0.
        dtype: of theta and of all results.
        order: -1 sums over the images in reverse.
    """
    half = [hidden] * (len(sizes) // 2 - 1)
    g = [activation(name) for name in (*half, "identity", *half, "sigmoid")]
    biases = [True] * (len(sizes) - 1)
    layers = dense_layers(sizes, g, biases, rng.normal(0, 1, n_params(sizes, biases)))
    for layer in layers:
        layer.W[...] *= (2 / (layer.n_in + layer.n_out)) ** 0.5
        layer.b[...] *= 0 if fresh else 0.5
    theta0, L = layers[0].theta.astype(dtype), len(layers)
    X0 = rng.uniform(0.05, 0.95, (n, sizes[0])).astype(dtype)
    X = X0[::order]

    def run(part, values, of):
        wrong = species.wrong if species.part in ("", of) else None
        computed = simulate(part, values, (), wrong)
        if any(a is None for a in computed.values()):
            raise Senseless(species.name)
        return values | computed

    def at(theta, of, p=None):
        return run("forward", given_to(dense_layers(sizes, g, biases, np.array(theta)), X, p), of)

    def flat(values, stem):
        parts = [np.ravel(values[f"{stem}_{letter}", l]) for l in range(1, L + 1) for letter in "Wb"]
        return rounded(np.concatenate(parts))

    def rounded(a):
        return a.astype(np.complex64 if np.iscomplexobj(a) else np.float32) if dtype == "float32" else a

    def loss(theta):
        return rounded(run("loss", at(theta, "loss"), "loss")["loss", L])[()]

    def output(theta):
        return rounded(at(theta, "output")["z", L][::order])

    def adjoint(theta, of, p=None):
        return run("backward", run("V", at(theta, of, p), of), of)

    def grad(theta):
        return flat(adjoint(theta, "grad"), "grad")

    def vjp(theta, V):
        return flat(run("backward", at(theta, "vjp") | {("V", L): np.asarray(V)[::order]}, "vjp"), "grad")

    def jvp(theta, p):
        return rounded(run("rp_forward", at(theta, "jvp", np.asarray(p)), "jvp")["R_z", L][::order])

    def gnvp(theta, p):
        values = run("JpV", run("rp_forward", at(theta, "gnvp", np.asarray(p)), "gnvp"), "gnvp")
        return flat(run("backward", values | {("V", L): values["JpV", L]}, "gnvp"), "grad")

    def hvp(theta, p):
        values = run("JpV", run("rp_forward", adjoint(theta, "hvp", np.asarray(p)), "hvp"), "hvp")
        return flat(run("rp_backward", values | {("R_V", L): values["JpV", L]}, "hvp"), "R_grad")

    made = dict(zip(FUNCTIONS, (loss, output, grad, jvp, vjp, hvp, gnvp), strict=True))
    return theta0, X0, made | (species.quirk(made) if species.quirk else {})


def damped(f):
    """Hp with 1e-3 p added."""
    return {"hvp": lambda theta, p: f["hvp"](theta, p) + 1e-3 * p}


def swapped(f):
    """Gp in place of Hp."""
    return {"hvp": f["gnvp"]}


def hessian(f):
    """Hp in place of Gp."""
    return {"gnvp": f["hvp"]}


def negative(f):
    """Hp with a wrong sign."""
    return {"hvp": lambda theta, p: -f["hvp"](theta, p)}


def single(f):
    """Hp right to the digits of float32 only."""
    return {"hvp": lambda theta, p: _cast(f["hvp"](theta, p))}


def single_gradient(f):
    """The gradient right to the digits of float32 only, and Hp of it."""
    return {"grad": lambda theta: _cast(f["grad"](theta))}


def _cast(a):
    return a.astype(np.complex64).astype(complex) if np.iscomplexobj(a) else a.astype(np.float32).astype(float)


def averaged(f):
    """J^T V divided by n."""
    return {"vjp": lambda theta, V: f["vjp"](theta, V) / len(V)}


def one_entry(f):
    """The last entry of the gradient wrong by one in a thousand."""

    def grad(theta):
        g = f["grad"](theta)
        g[-1] *= 1.001
        return g

    return {"grad": grad}


def stale(f):
    """Jp of the first direction, kept for ever."""
    kept = {}

    def jvp(theta, p):
        return f["jvp"](theta, kept.setdefault("p", np.array(p)))

    return {"jvp": jvp}


def left_behind(f):
    """Hp spoilt by what the last Gp left behind."""
    last = {}

    def gnvp(theta, p):
        last["Gp"] = f["gnvp"](theta, p)
        return last["Gp"].copy()

    return {"gnvp": gnvp, "hvp": lambda theta, p: f["hvp"](theta, p) + last.get("Gp", 0)}


def accumulated(f):
    """The gradient added to that of the call before."""
    total = []

    def grad(theta):
        total.append(f["grad"](theta))
        return sum(total)

    return {"grad": grad}


QUIRKS = (
    damped,
    swapped,
    hessian,
    negative,
    single,
    single_gradient,
    one_entry,
    stale,
    left_behind,
    accumulated,
    averaged,
)
PARTS = {"JpV": ("gnvp", "hvp"), "V": ("grad", "")}  # where a wrong line may stand alone


@cache
def wrong_species():
    """Return the plausible wrong implementations by quantity: of every line after the forward pass, and the quirks."""
    found = {"quirks": [Species((quirk.__doc__ or quirk.__name__).rstrip("."), quirk=quirk) for quirk in QUIRKS]}
    for quantity in LINES:
        if quantity in PASSES["forward"]:
            continue  # such a model is another one, all of whose derivatives may be right
        found[quantity] = []
        for variant in bank.variants(quantity):
            if variant.rank not in (-1, 0, 2):
                continue  # hardly anyone writes that
            for part in PARTS.get(quantity, ("",)):
                name = f"{'V' if quantity == 'JpV' else quantity}{f' in {part}' if part else ''}: {variant.cause}"
                found[quantity].append(Species(name, (quantity, None, None, variant.terms), part))
    return found


def print_of(species, seed=0):
    """Return what an implementation computes on one network, or None, for comparison with others."""
    rng = np.random.default_rng(seed)
    try:
        theta, X, f = functions(species, rng)
        p, V = rng.standard_normal(theta.size), rng.standard_normal(X.shape)
        calls = {"jvp": (theta, p), "vjp": (theta, V), "gnvp": (theta, p), "hvp": (theta, p)}
        results = [np.ravel(f[name](*calls.get(name, (theta,)))) for name in FUNCTIONS]
        results += [np.ravel(f[name](*calls.get(name, (theta,)))) for name in ("hvp", "grad")]
        results.append(f["jvp"](theta, p[::-1]).ravel())
    except Senseless:
        return None
    return np.concatenate([a / (np.linalg.norm(a) or 1) + np.linalg.norm(a) for a in results])
