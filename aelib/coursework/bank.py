"""The passes as a table of sums of products, and the known wrong lines of them.

A line of a pass is a sum of terms, a term a product of factors. The letters are those of the text; ``-`` and ``+``
after a factor mean layer l - 1 and l + 1. What is multiplied by what follows from the axes: i counts images, j units of layer
l, k and m units of the layers below and above. A wrong line is a right one in which one factor stands for another, is
left out or transposed, or a term has a wrong coefficient.
"""

from dataclasses import dataclass

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
FIRST = {  # the lines that start a pass: (quantity, the pass) -> terms
    ("z", "forward"): ("x",),
    ("R_z", "rp_forward"): (),
    ("grad_z", "backward"): ("V",),
    ("R_grad_z", "rp_backward"): ("R_V",),
}
UP, DOWN, R_DOWN = (
    ("u", "z"),
    ("grad_z", "grad_u", "grad_W", "grad_b"),
    ("R_grad_z", "R_grad_u", "R_grad_W", "R_grad_b"),
)
FLOW = {  # what each function computes, pass after pass
    "forward": ("forward",),
    "backward": ("backward",),
    "rp_forward": ("rp_forward",),
    "rp_backward": ("rp_backward",),
    "gauss_newton": ("rp_forward", "JpV", "backward"),
    "loss_and_gradient": ("forward", "loss", "V", "backward"),
}

UNITS = ("z", "u", "g'", "g''", "grad_z", "grad_u", "R_z", "R_u", "R_grad_z", "R_grad_u")
AFTER = ("[b W]", "[W b] cut left"), ("[q P]", "[P q] cut left")  # a column of the extended matrix kept
DERIVED = {  # functions of an activation, u, and the layer's right quantities
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
INSTEAD = {  # factors that stand for another, beside those of the same axes
    "g": ("u", "g'", "g(z)", "tanh in every layer", "sigmoid in every layer", "max(u, 0)"),
    "g'": ("g'(z)", "g'^2", "1 - z^2 in every layer", "z (1 - z) in every layer", "1 - z", "1 - u^2", "(u > 0)", "g"),
    "g''": ("g''(z)", "g'^2", "-2 z g' in every layer", "(1 - 2 z) g' in every layer", "-2 z", "1 - 2 z"),
    "W": ("P", *AFTER[0]),
    "P": ("W", *AFTER[1]),
    "b": ("q",),
    "q": ("b",),
    "r": ("z", "x"),
    "V": ("r", "r/n"),
    "R_V": ("V", "R_z", "R_z/n"),
    "1": ("first image alone", "last image alone"),
}
EXTRA = {"R_u": ("1 b",), "R_grad_W": ("R_grad_u R_z-",), "u": ("z-",), "grad_W": ("W",), "grad_b": ("b",)}
SCALES = {  # a wrong coefficient: its name, its value from n, the layer's width and the number of pixels
    "0": lambda n, width, D: 0.0,
    "-1": lambda n, width, D: -1.0,
    "n": lambda n, width, D: n,
    "1/n": lambda n, width, D: 1 / n,
    "2": lambda n, width, D: 2.0,
    "1/2": lambda n, width, D: 0.5,
    "-n": lambda n, width, D: -n,
    "-1/n": lambda n, width, D: -1 / n,
    "2n": lambda n, width, D: 2 * n,
    "2/n": lambda n, width, D: 2 / n,
    "-2": lambda n, width, D: -2.0,
    "1/n^2": lambda n, width, D: 1 / n**2,
    "1/D": lambda n, width, D: 1 / D,
    "2/D": lambda n, width, D: 2 / D,
    "n/D": lambda n, width, D: n / D,
    "1/(units of the layer)": lambda n, width, D: 1 / width,
    "1/(n units of the layer)": lambda n, width, D: 1 / (n * width),
    "units of the layer": lambda n, width, D: width,
    "n/(n - 1)": lambda n, width, D: n / (n - 1),
}


def steps(name, L):
    """Yield (quantity, layer, the pass that starts there or None) in the order in which the function computes them."""
    for part in FLOW[name]:
        if part in ("forward", "rp_forward"):
            pair = UP if part == "forward" else ("R_u", "R_z")
            yield pair[1], 0, part
            yield from ((q, l, None) for l in range(1, L + 1) for q in pair)
        elif part in ("backward", "rp_backward"):
            down = DOWN if part == "backward" else R_DOWN
            for l in range(L, 0, -1):
                yield from ((q, l, part if l == L and q == down[0] else None) for q in down)
            yield down[0], 0, None
        else:
            yield part, L, None


def split(factor):
    """Return a factor's name and its shift in layers."""
    name = factor.rstrip("+-")
    return name, factor[len(name) :].count("+") - factor[len(name) :].count("-")


def axes(factor):
    """Return the axes of a factor: images, then units of its layer; or units of its layer and of the one below."""
    name, shift = split(factor)
    letter = {-2: "h", -1: "k", 0: "j", 1: "m", 2: "o"}
    if name in ("1", "1/n", "1/2n"):
        return "i" if name == "1" else ""
    if name in ("b", "q"):
        return letter[shift]
    return letter[shift] + letter[shift - 1] if name in ("W", "P") else "i" + letter[shift]


def look(values, factor, l):
    """Return the array of a factor in a line of layer l; KeyError where there is none."""
    name, shift = split(factor)
    l += shift
    if (name, l) in values:
        return values[name, l]
    n = len(values["x", 0])
    if name in ("1", "1/n", "1/2n"):
        return np.ones(n) if name == "1" else 1 / n if name == "1/n" else 0.5 / n
    if name in ("first image alone", "last image alone"):
        return np.eye(n)[0 if name[0] == "f" else -1]
    if name in ("r", "r/n", "R_z/n"):
        a = values["R_z", l] if name == "R_z/n" else values["z", l] - values["x", l]
        return a if name == "r" else a / n
    for matrix, bias, names in (("W", "b", AFTER[0]), ("P", "q", AFTER[1])):
        if name in names:
            M, v = values[matrix, l], values[bias, l]
            return np.column_stack([v, M])[:, :-1] if name == names[0] else np.column_stack([M, v])[:, 1:]
    return DERIVED[name](values["layer", l].activation, values["u", l])


def product(values, term, l, out):
    """Return the product of the factors [(name, axes), ...] of a term of layer l, summed onto the axes ``out``."""
    pairs = [pair for pair in term if not (pair[0] in ("b", "q") and (pair[0], l) not in values)]
    if len(pairs) < len(term):
        return 0.0  # the layer has no bias
    arrays = [look(values, name, l) for name, _ in pairs]
    return np.einsum(",".join(where for _, where in pairs) + "->" + out, *arrays)


def right_terms(quantity, first):
    """Return the terms of a line as [(coefficient, [(factor, axes), ...]), ...], and the axes of its result."""
    terms, out = LINES[quantity]
    return [(1.0, [(f, axes(f)) for f in t.split()]) for t in (FIRST[quantity, first] if first else terms)], out


def shape(values, axes_, l):
    """Return the sizes of the axes of a quantity of layer l."""
    widths = values["widths"]
    sizes = {"i": len(values["x", 0]), "j": widths[l], "k": widths[l - 1]}
    return tuple(sizes[axis] for axis in axes_)


def evaluate(values, terms, l, out):
    """Return the sum of the terms, or None where an array is missing or does not fit."""
    total = np.zeros(shape(values, out, l))
    for coefficient, term in terms:
        if isinstance(coefficient, str):
            coefficient = SCALES[coefficient](len(values["x", 0]), values["widths"][l], values["widths"][0])
        try:
            total = total + coefficient * product(values, term, l, out)
        except (KeyError, ValueError):
            return None
    return total if total.shape == shape(values, out, l) else None


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
    v, computed = dict(values), {}
    for quantity, l, first in steps(name, len(values["widths"]) - 1):
        if quantity in ("grad_b", "R_grad_b") and ("b", l) not in values:
            continue
        terms, out = right_terms(quantity, first)
        if wrong and wrong[:2] == (quantity, first) and wrong[2] in (None, l):
            terms = wrong[3]
        value = evaluate(v, terms, l, out)
        computed[quantity, l] = value
        v[quantity, l] = observed[quantity, l] if (quantity, l) in observed else value
        if v[quantity, l] is None:
            del v[quantity, l]
        elif quantity == "JpV":
            v["V", l] = v[quantity, l]
    return computed


@dataclass(frozen=True)
class Variant:
    """A wrong line: where, its terms, the term that is wrong, and in what way."""

    quantity: str
    first: str | None
    terms: tuple
    term: str
    change: str
    cause: str
    rank: int = 0


def at(factor):
    """Return a factor with its layer: ``W[l+1]``."""
    name, shift = split(factor)
    return f"{name}[l{shift:+d}]" if shift else name if name in DERIVED else f"{name}[l]"


def write(term):
    """Return a term in the letters of the code: ``[grad_u[l+1] W[l+1]]``."""
    return f"[{' '.join(at(f) for f, _ in term if f != '1') or '1'}]"


def variants(quantity, first=None):
    """Yield the known wrong forms of a line as ``Variant``."""
    terms, _ = right_terms(quantity, first)
    whole = " + ".join(write(term) for _, term in terms) or "[0]"
    for scale in SCALES:
        for i, (_, term) in enumerate(terms):
            new = (*terms[:i], (scale, term), *terms[i + 1 :])
            yield Variant(quantity, first, new, write(term), f"{scale} times", scaled(quantity, term, scale), 0)
        if len(terms) > 1:
            new = tuple((scale, term) for _, term in terms)
            yield Variant(quantity, first, new, whole, f"{scale} times", scaled(quantity, (), scale), 1)
    for i, (_, term) in enumerate(terms):
        for slot, (factor, where) in enumerate(term):
            for other, place in alternatives(factor, where):
                new = term[:slot] + ([(other, place)] if other else []) + term[slot + 1 :]
                cause = replaced(factor, where, other, place)
                for sign in (1.0, -1.0):
                    said = cause if sign > 0 else f"{cause}, and a wrong sign"
                    all_terms = (*terms[:i], (sign, new), *terms[i + 1 :])
                    rank = (2 if other in UNITS or not other else 3) + (sign < 0) * 3
                    yield Variant(quantity, first, all_terms, write(term), f"{write(new)} for", said, rank)
    for extra in EXTRA.get(quantity, ()):
        new = [(f, axes(f)) for f in extra.split()]
        cause = "1 for 0 in R_p of the bias input" if (quantity, extra) == ("R_u", "1 b") else f"{write(new)} too many"
        yield Variant(quantity, first, (*terms, (1.0, new)), write(new), "1 for 0 times", cause, 0)


def alternatives(factor, where):
    """Yield (what a factor may be mistaken for, its axes); None leaves it out."""
    name, shift = split(factor)
    mark = factor[len(name) :]
    if not where:
        return
    if len(where) == 2:
        yield None, None
        yield from ((name + "+" * max(s, 0) + "-" * max(-s, 0), where) for s in (shift - 1, shift + 1))
    if where[0] == "i" and len(where) == 2 and name != "x":
        yield factor, where[::-1]
        yield from ((unit + mark, where) for unit in UNITS if unit != name)
    if where[0] != "i" and len(where) == 2:
        yield factor, where[::-1]
        yield ("P" if name == "W" else "W") + mark, where[::-1]
    yield from ((other + mark, where) for other in INSTEAD.get(name, ()))


def scaled(quantity, term, scale):
    """Return the likely cause of a wrong coefficient."""
    names = [factor for factor, _ in term]
    starts = quantity in ("V", "JpV", "loss")
    if scale == "0":
        return "the g'' term is missing" if "g''" in names else f"{write(term)} is missing" if term else "all is 0"
    if scale == "-1":
        return "residual of the wrong sign" if quantity == "V" else "wrong sign"
    if starts:
        return {
            "n": "1/n is missing",
            "1/n": "1/n twice",
            "2": "the 1/2 of the loss is missing",
            "1/2": "a 1/2 too many: that of the loss cancels the 2 of the square",
            "2n": "1/2 and 1/n are missing",
            "1/D": "mean over pixels: over pixels the sum is meant, over images the mean",
            "2/D": "mean over all entries without the 1/2: over pixels the sum is meant",
            "n/D": "1/D for 1/n: mean over pixels where the mean over images is meant",
        }.get(scale, f"coefficient {scale} times the right one")
    if scale == "1/n":
        return "mean over images where the sum is meant (V has its 1/n already)"
    if scale == "n":
        return "multiplied by n: 1/n stands in V alone"
    if "1" in names and "units" in scale:
        return "mean where the sum is meant"
    return f"a factor {scale} too many"


def replaced(factor, where, other, place):
    """Return the likely cause where one factor stands for another."""
    name, _ = split(factor)
    if other is None:
        return f"{name} is missing"
    if split(other)[0] in AFTER[0] + AFTER[1]:
        return "bias row kept: of the extended matrix the wrong column was cut off"
    if place != where and where[0] == "i":
        return "sum over the wrong axis" if len(where) == 2 else "product transposed"
    if place != where:
        same = "" if split(other)[0] == name else f", and {split(other)[0]} for {name}"
        return f"product transposed: {name}^T for {name}{same}"
    if split(other)[0] == name:
        return f"index off by one: {at(other)} for {at(factor)}"
    return f"{at(other)} stands where {at(factor)} is meant"
