"""The passes as a table of lines: a line is a sum of terms, a term a product of factors.

The letters are those of the text; ``-`` and ``+`` after a factor mean layer l - 1 and l + 1. What is summed over
follows from the axes: i counts images, j units of layer l, k and m units of the layers below and above.
"""

from functools import cache

import numpy as np

LINES = {  # quantity: terms, axes of the result
    "u": (("z- W", "1 b"), "ij"),
    "z": (("g",), "ij"),
    "loss": (("1/2n r r",), ""),
    "V": (("1/n r",), "ij"),
    "grad_z": (("grad_u+ W+",), "ij"),
    "grad_u": (("grad_z g'",), "ij"),
    "grad_W": (("grad_u z-",), "jk"),
    "grad_b": (("1 grad_u",), "j"),
    "R_u": (("z- P", "R_z- W", "1 q"), "ij"),
    "R_z": (("g' R_u",), "ij"),
    "JpV": (("1/n R_z",), "ij"),
    "R_grad_z": (("R_grad_u+ W+", "grad_u+ P+"), "ij"),
    "R_grad_u": (("R_grad_z g'", "grad_z g'' R_u"), "ij"),
    "R_grad_W": (("R_grad_u z-", "grad_u R_z-"), "jk"),
    "R_grad_b": (("1 R_grad_u",), "j"),
}
FIRST = {  # the lines that start a pass: (quantity, pass) -> terms
    ("z", "forward"): ("x",),
    ("R_z", "rp_forward"): (),
    ("grad_z", "backward"): ("V",),
    ("R_grad_z", "rp_backward"): ("R_V",),
}
PASSES = {
    "forward": ("u", "z"),
    "rp_forward": ("R_u", "R_z"),
    "backward": ("grad_z", "grad_u", "grad_W", "grad_b"),
    "rp_backward": ("R_grad_z", "R_grad_u", "R_grad_W", "R_grad_b"),
}
FLOW = {"gauss_newton": ("rp_forward", "JpV", "backward"), "loss_and_gradient": ("forward", "loss", "V", "backward")}
DERIVED = {  # functions of an activation and u, right and wrong
    "g": lambda a, u: a.g(u),
    "g'": lambda a, u: a.dg(u),
    "g''": lambda a, u: a.d2g(u),
    "g'(z)": lambda a, u: a.dg(a.g(u)),
    "g''(z)": lambda a, u: a.d2g(a.g(u)),
    "g(z)": lambda a, u: a.g(a.g(u)),
    "g'^2": lambda a, u: a.dg(u) ** 2,
    "tanh in every layer": lambda a, u: np.tanh(u),
    "sigmoid in every layer": lambda a, u: 1 / (1 + np.exp(-u)),
    "1 - z^2 in every layer": lambda a, u: 1 - a.g(u) ** 2,
    "z (1 - z) in every layer": lambda a, u: a.g(u) * (1 - a.g(u)),
    "1 - z": lambda a, u: 1 - a.g(u),
    "1 - u^2": lambda a, u: 1 - u**2,
    "(u > 0)": lambda a, u: (u > 0) * 1.0,
    "max(u, 0)": lambda a, u: np.maximum(u, 0),
    "-2 z g' in every layer": lambda a, u: -2 * a.g(u) * a.dg(u),
    "(1 - 2 z) g' in every layer": lambda a, u: (1 - 2 * a.g(u)) * a.dg(u),
    "-2 z": lambda a, u: -2 * a.g(u),
    "1 - 2 z": lambda a, u: 1 - 2 * a.g(u),
}
EXTENDED = {  # columns of the extended matrices [W b] and [P q], the wrong ones cut off
    "[b W]": ("W", "b", lambda W, b: np.column_stack([b, W])[:, :-1]),
    "[W b]": ("W", "b", lambda W, b: np.column_stack([W, b])[:, 1:]),
    "[q P]": ("P", "q", lambda W, b: np.column_stack([b, W])[:, :-1]),
    "[P q]": ("P", "q", lambda W, b: np.column_stack([W, b])[:, 1:]),
}


def steps(name, L):
    """Yield (quantity, layer, the pass that starts there or None) in the order in which a function computes them."""
    for part in FLOW.get(name, (name,)):
        quantities = PASSES.get(part)
        if quantities is None:
            yield part, L, None
        elif part in ("forward", "rp_forward"):
            yield quantities[1], 0, part
            yield from ((q, l, None) for l in range(1, L + 1) for q in quantities)
        else:
            for l in range(L, 0, -1):
                yield from ((q, l, part if l == L and q == quantities[0] else None) for q in quantities)
            yield quantities[0], 0, None


@cache
def split(factor):
    """Return a factor's name and its shift in layers."""
    name = factor.rstrip("+-")
    return name, factor[len(name) :].count("+") - factor[len(name) :].count("-")


@cache
def axes(factor):
    """Return the axes of a factor: images and units of its layer; or units of its layer and of the one below."""
    name, shift = split(factor)
    letter = {-1: "k", 0: "j", 1: "m"}
    if name in ("1", "1/n", "1/2n"):
        return "i" if name == "1" else ""
    if name in ("b", "q"):
        return letter[shift]
    return letter[shift] + letter[shift - 1] if name in ("W", "P") else "i" + letter[shift]


@cache
def terms_of(quantity, first):
    """Return the terms of a right line as ((coefficient, [(factor, axes), ...]), ...)."""
    terms = FIRST[quantity, first] if first else LINES[quantity][0]
    return tuple((1.0, [(f, axes(f)) for f in term.split()]) for term in terms)


def look(values, factor, l):
    """Return the array of a factor in a line of layer l; KeyError where there is none."""
    name, shift = split(factor)
    l += shift
    if (name, l) in values:
        return values[name, l]
    n = len(values["x", 0])
    if name in ("1/n", "1/2n"):
        return 1 / n if name == "1/n" else 0.5 / n
    if name in ("1", "first image alone", "last image alone"):
        return np.ones(n) if name == "1" else np.eye(n)[0 if name[0] == "f" else -1]
    if name in ("r", "r/n", "R_z/n"):
        a = values["R_z", l] if name == "R_z/n" else values["z", l] - values["x", l]
        return a if name == "r" else a / n
    if name in EXTENDED:
        matrix, bias, cut = EXTENDED[name]
        return cut(values[matrix, l], values[bias, l])
    return DERIVED[name](values["layer", l].activation, values["u", l])


def evaluate(values, terms, l, out):
    """Return the sum of the terms of a line of layer l, or None where a factor is missing or does not fit."""
    n, widths = len(values["x", 0]), values["widths"]
    shape = tuple({"i": n, "j": widths[l], "k": widths[l - 1]}[axis] for axis in out)
    total = np.zeros(shape)
    for coefficient, term in terms:
        if any(factor in ("b", "q") and (factor, l) not in values for factor, _ in term):
            continue  # a layer without bias
        try:
            if callable(coefficient):
                coefficient = coefficient(n, widths[l], widths[0])
            arrays = [look(values, factor, l) for factor, _ in term]
            total = total + coefficient * np.einsum(",".join(where for _, where in term) + "->" + out, *arrays)
        except (KeyError, ValueError, ZeroDivisionError):
            return None
    return total if total.shape == shape else None


def simulate(name, values, observed=(), wrong=None):
    """Run a function line by line, each line fed with what was observed of the lines before it.

    Args:
        name: of the function.
        values: what it is given, by (quantity, layer).
        observed: arrays that an answer returned, by (quantity, layer): they stand in for the computed ones.
        wrong: (quantity, start of a pass or None, layer or None for every layer, terms) of one line to be altered.

    Returns:
        dict of array by (quantity, layer); None where the wrong line makes no sense.
    """
    v, computed = dict(values) | dict(observed), {}
    for quantity, l, first in steps(name, len(values["widths"]) - 1):
        if quantity in ("grad_b", "R_grad_b") and ("b", l) not in values:
            continue
        v.pop((quantity, l), None)
        altered = wrong and wrong[:2] == (quantity, first) and wrong[2] in (None, l)
        computed[quantity, l] = evaluate(v, wrong[3] if altered else terms_of(quantity, first), l, LINES[quantity][1])
        value = observed[quantity, l] if (quantity, l) in observed else computed[quantity, l]
        if quantity == "JpV":
            v.pop(("V", l), None)
        if value is not None:
            v["V" if quantity == "JpV" else quantity, l] = value
    return computed
