"""The known wrong lines of the passes, made from the right ones by one slip: in a factor, a coefficient or a term."""

from dataclasses import dataclass
from functools import cache

from aelib.coursework.doctor.pass_algebra import DERIVED, EXTENDED, LINES, axes, split, terms_of

UNITS = ("z", "u", "g'", "g''", "grad_z", "grad_u", "R_z", "R_u", "R_grad_z", "R_grad_u", "x")
INSTEAD = {  # what a factor may be mistaken for, beside those of the same axes
    "g": ("g(z)", "tanh in every layer", "sigmoid in every layer", "max(u, 0)"),
    "g'": ("g'(z)", "g'^2", "1 - z^2 in every layer", "z (1 - z) in every layer", "1 - z", "1 - u^2", "(u > 0)"),
    "g''": ("g''(z)", "g'^2", "-2 z g' in every layer", "(1 - 2 z) g' in every layer", "-2 z", "1 - 2 z"),
    "W": ("P", "[b W]", "[W b]"),
    "P": ("W", "[q P]", "[P q]"),
    "b": ("q",),
    "q": ("b",),
    "r": ("z", "x"),
    "V": ("r", "r/n"),
    "R_V": ("V", "R_z", "R_z/n"),
    "1": ("first image alone", "last image alone"),
}
EXTRA = {"R_u": ("1 b",), "R_grad_W": ("R_grad_u R_z-",), "R_grad_z": ("R_grad_u+ P+",), "JpV": ("1/n r",)}
SCALES = {  # wrong coefficients, from n, the layer's width, the number of pixels
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
    "1/D": lambda n, width, D: 1 / D,
    "2/D": lambda n, width, D: 2 / D,
    "n/D": lambda n, width, D: n / D,
    "2n/D": lambda n, width, D: 2 * n / D,
    "1/(its units)": lambda n, width, D: 1 / width,
    "1/(n its units)": lambda n, width, D: 1 / (n * width),
    "n/(n - 1)": lambda n, width, D: n / (n - 1),
}
COMMON = ("0", "-1", "n", "1/n", "2", "1/2")
STARTS = {  # of the lines that hold 1/n and 1/2
    "-1": "residual of the wrong sign",
    "n": "1/n is missing",
    "1/n": "1/n twice",
    "2": "the 1/2 of the loss is missing",
    "1/2": "a 1/2 too many: that of the loss cancels the 2 of the square",
    "2n": "1/2 and 1/n are missing",
    "-n": "residual of the wrong sign, and 1/n is missing",
    "1/D": "mean over pixels: over pixels the sum is meant, over images the mean",
    "2/D": "mean over pixels and images, without the 1/2: over pixels the sum is meant",
    "n/D": "mean over pixels where the mean over images is meant (1/D for 1/n)",
    "2n/D": "mean over pixels where the mean over images is meant (1/D for 1/n), and the 1/2 is missing",
}


@dataclass(frozen=True)
class Variant:
    """A wrong line: its terms, in what way the one of this index is wrong, the likely cause; low ranks are likelier."""

    quantity: str
    first: str | None
    terms: tuple
    change: str
    cause: str
    rank: int
    index: int | None = None


def at(factor):
    """Return a factor with its layer: ``W[l+1]``."""
    name, shift = split(factor)
    name = name.replace("r", "(z - x)") if name in ("r", "r/n") else name
    return f"{name}[l{shift:+d}]" if shift else name if name in DERIVED or ")" in name else f"{name}[l]"


def write(term):
    """Return a term in the letters of the code: ``[grad_u[l+1] W[l+1]]``."""
    return f"[{' '.join(at(f) if where else f for f, where in term if f != '1') or '1'}]"


@cache
def variants(quantity, first=None):
    """Return the known wrong forms of a line, a tuple of ``Variant``."""
    return tuple(_variants(quantity, first))


def _variants(quantity, first):
    terms = terms_of(quantity, first)
    for name, scale in SCALES.items():
        starts = quantity in ("V", "JpV", "loss") and name in STARTS
        rank = -1 if starts else 0 if name in COMMON else 1
        for i, (_, term) in enumerate(terms):
            new = (*terms[:i], (scale, term), *terms[i + 1 :])
            yield Variant(
                quantity,
                first,
                new,
                f"{name} times {write(term)}",
                scaled(quantity, term, name),
                rank,
                i,
            )
        if len(terms) > 1:
            new = tuple((scale, term) for _, term in terms)
            yield Variant(quantity, first, new, f"{name} times all of it", scaled(quantity, (), name), 1)
    for i, (_, term) in enumerate(terms):
        for slot, (factor, where) in enumerate(term):
            for other, place in alternatives(factor, where):
                new = term[:slot] + ([(other, place)] if other else []) + term[slot + 1 :]
                cause = replaced(factor, where, other, place)
                rank = 3 if other and split(other)[0] in UNITS and _kin(other) != _kin(factor) else 2
                change = f"{write(new)} for {write(term)}"
                for sign, more in ((1.0, ""), (-1.0, ", and a wrong sign")):
                    line = (*terms[:i], (sign, new), *terms[i + 1 :])
                    yield Variant(quantity, first, line, change, cause + more, rank + 3 * (sign < 0), i)
    if len(out := LINES[quantity][1]) == 2 and "i" in out:
        for unit in UNITS:
            cause = f"{at(unit)} stands where {quantity}[l] is meant"
            yield Variant(quantity, first, ((1.0, [(unit, out)]),), f"{at(unit)} for all of it", cause, 4)
    for i, (_, term) in enumerate(terms):
        if len(term) > 1 and all(where == "ij" for _, where in term):
            added = tuple((1.0, [pair]) for pair in term)
            line = (*terms[:i], *added, *terms[i + 1 :])
            yield Variant(quantity, first, line, f"the sum for the product {write(term)}", "sum for product", 3, i)
    for extra in EXTRA.get(quantity, ()):
        new = [(f, axes(f)) for f in extra.split()]
        one = quantity == "R_u"
        cause = "1 for 0 in R_p of the bias input" if one else f"{write(new)} does not belong there"
        yield Variant(quantity, first, (*terms, (1.0, new)), f"{write(new)} is added", cause, 0)


def _kin(factor):
    """Return what u and z, plain or under R_p, or g' and g'' have in common."""
    return split(factor)[0].removeprefix("R_").rstrip("uz'")


def alternatives(factor, where):
    """Yield (what a factor may be mistaken for, its axes); None leaves it out."""
    name, shift = split(factor)
    mark = factor[len(name) :]
    if len(where) == 2:
        yield None, None
        yield factor, where[::-1]
        yield from ((name + "+" * max(s, 0) + "-" * max(-s, 0), where) for s in (shift - 1, shift + 1))
        if where[0] == "i":
            yield from ((unit + mark, where) for unit in UNITS if unit != name)
        else:
            yield ("P" if name == "W" else "W") + mark, where[::-1]
    yield from ((other + mark, where) for other in INSTEAD.get(name, ()))


def scaled(quantity, term, scale):
    """Return the likely cause of a wrong coefficient."""
    names = [factor for factor, _ in term]
    if scale == "0":
        return (
            "the g'' term is missing"
            if "g''" in names
            else f"{write(term)} is missing"
            if term
            else "nothing is computed"
        )
    if quantity in ("V", "JpV", "loss") and scale in STARTS and (quantity != "JpV" or {"n", "D"} & set(scale)):
        return STARTS[scale]
    if scale == "-1":
        return "wrong sign"
    if scale == "1/n":
        return "mean over images where the sum is meant (V has its 1/n already)"
    if scale == "n":
        return "multiplied by n: 1/n stands in V alone"
    return f"a factor {scale} too many"


def replaced(factor, where, other, place):
    """Return the likely cause where one factor stands for another."""
    name, _ = split(factor)
    if other is None:
        return f"{at(factor)} is missing"
    instead, _ = split(other)
    if instead in EXTENDED:
        return "bias row kept: of the extended matrix the wrong column was cut off"
    if place != where and where[0] == "i":
        return "sum over the wrong axis, or product transposed"
    if place != where:
        return f"product transposed: {name}^T for {name}" + ("" if instead == name else f", and {instead} for {name}")
    if instead == name:
        return f"index off by one: {at(other)} for {at(factor)}"
    return f"{at(other)} stands where {at(factor)} is meant"
