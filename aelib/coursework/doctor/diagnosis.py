"""The gradient doctor: which quantity of which layer is wrong, which term, and the likely cause; not the fix.

The forms of the functions that it examines, with L layers, lists over l = 0 ... L and images in rows. ``layers`` is a
list of ``aelib.layers.Dense``; in a layer without bias, ``layer.b`` and the second block of ``layer.split`` are None::

    forward(layers, X)                                          -> u, z               u[0] is None, z[0] the images
    backward(layers, u, z, V)                                   -> grad, grad_u, grad_z
    rp_forward(layers, p, u, z)                                 -> R_u, R_z           R_z[0] is zero (or None)
    rp_backward(layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V) -> R_grad, R_grad_u, R_grad_z    (or R_grad alone)
    gauss_newton(layers, p, u, z)                               -> Gp
    loss_and_gradient(layers, X)                                -> loss, grad

``V`` is any adjoint of the output, ``R_V`` its R_p; grad, R_grad, Gp and p are flat, like theta. Index 0 of grad_u is
not looked at, that of grad_z may be None. ``gauss_newton`` and ``loss_and_gradient`` may call the student's own passes
by the names above.

Every line of a pass is judged from right inputs, or from what the answer itself returned of the lines before it. So one
wrong line is one finding. The networks are such that bugs cannot hide: float64, tanh, a linear code, a sigmoid output,
biases that are not 0, several images, widths all different; one has softplus and no output bias, one is square.
"""

import re
import types
from dataclasses import dataclass, field

import numpy as np

from aelib.coursework.doctor.causes import Cause, search
from aelib.coursework.doctor.networks import (
    FORMS,
    NETS,
    Observation,
    Probe,
    changed,
    dtypes,
    read,
    right_passes,
)
from aelib.coursework.doctor.tracing import Failed, close, line_where, places, unreached

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@dataclass
class Diagnosis:
    """What the doctor found.

    Attributes:
        right: whether the answer is right.
        status: ``right``, ``wrong``, ``not written``, ``crash`` or ``time``.
        table: right and wrong by layer and quantity, at most three lines.
        finding: at most three lines: where, which term, the likely cause. Empty where the answer is right.
        hints: the finding in levels: quantity and layer; term and coefficient; cause; line.
        quantity: the first wrong quantity, or "".
        layer: its layer, or None.
        cause: the likely cause, or "".
    """

    right: bool
    status: str
    table: str = ""
    finding: str = ""
    hints: list = field(default_factory=list)
    quantity: str = ""
    layer: int | None = None
    cause: str = ""

    def __str__(self):
        return "\n".join(text for text in (self.table, self.finding) if text)

    __repr__ = __str__


def diagnose(name, answer, seed=0, dtype="float64"):
    """Return the ``Diagnosis`` of a function in the form given at the head of this module.

    Args:
        name: ``forward``, ``backward``, ``rp_forward``, ``rp_backward``, ``gauss_newton`` or ``loss_and_gradient``.
        answer: the function.
        seed: of the random networks, a number or a Generator.
        dtype: of the networks; ``float32`` is held to a tolerance of 1e-4 instead of 1e-10.

    Raises:
        ValueError: there is no such function.
    """
    if name not in FORMS:
        raise ValueError(f"the doctor knows no function {name!r}: expected one of {', '.join(FORMS)}")
    rng, tolerance = np.random.default_rng(seed), TOLERANCE[dtype]
    probes = [Probe(name, rng, *net, dtype) for net in NETS]
    with np.errstate(all="ignore"):
        return diagnose_on(probes, answer, tolerance)


def diagnose_on(probes, answer, tolerance):
    """Return the same on given probes; an answer that calls wrong passes of the student's is judged with right ones."""
    name = probes[0].name

    def passes_all(function):
        try:
            return not any(Observation(function, probe, tolerance).wrong for probe in probes)
        except Failed:
            return False

    if name in ("gauss_newton", "loss_and_gradient") and isinstance(answer, types.FunctionType):
        passes = right_passes()
        own = [called for called in passes if called in answer.__code__.co_names and called in answer.__globals__]
        names = answer.__globals__ | passes
        twin = types.FunctionType(answer.__code__, names, name, answer.__defaults__, answer.__closure__)
        if own and not passes_all(answer) and passes_all(twin):
            note = f"{name}: right when it is given right passes; examine your own: {', '.join(own)}"
            return Diagnosis(True, "right", note)
    return examine_on(probes, answer, tolerance)


def examine_on(probes, answer, tolerance):
    """Return the ``Diagnosis`` of an answer on five probes of one function; the last is for answers that fail."""
    name, outcomes = probes[0].name, []
    for probe in probes:
        try:
            outcomes.append(Observation(answer, probe, tolerance))
        except Failed as failure:
            if failure.status in ("not written", "time"):
                return Diagnosis(False, failure.status, finding=str(failure))
            outcomes.append(failure)
    first, again, no_bias, square, _ = outcomes
    seen = [o for o in outcomes if isinstance(o, Observation)]
    if not isinstance(first, Observation):
        return failed(probes[0], first, [o for o in seen if o.wrong])
    if first.changed:
        arguments, what = first.probe.arguments(), " and ".join(first.changed)
        line = line_where(answer, arguments.values(), lambda local: changed(arguments, first.probe))
        text = f"{name} changes its argument {what}"
        return found(first, what, None, text, "", "an argument is changed in place", line)
    if first.wrong:
        return explain(answer, seen)
    kept = remembered(answer, first, again, tolerance)
    if kept:
        return found(first, "", None, kept, "", "stale cache: something is kept from one call to the next")
    if not isinstance(no_bias, Observation):
        return failed(probes[2], no_bias, [], "in a layer without bias, b is None")
    if not isinstance(square, Observation):
        return failed(probes[3], square, [])
    if any(o.wrong for o in seen):
        return explain(answer, seen)
    types_ = dtypes(first.result) - {probes[0].dtype.name}
    if types_ and probes[0].dtype == np.float64:
        text = f"{name} returns {' and '.join(sorted(types_))}, its arguments are float64"
        return found(first, "", None, text, "", "float32")
    return Diagnosis(True, "right", f"{name}: right, every quantity of every layer")


def remembered(answer, first, again, tolerance):
    """Return a sentence if later calls show that something was kept from the first, or ""."""
    if not isinstance(again, Observation):
        return "right in the first call; a second one fails"
    if again.wrong:
        stale = [key for key in again.wrong if close(again.seen[key], first.seen[key], tolerance)]
        more = f": {stale[0][0]} of layer {stale[0][1]} is that of the first" if stale else ""
        return f"right for the first network, wrong for a second one of the same sizes{more}"
    try:
        if any(not close(a, first.seen[key], tolerance) for key, a in read(first.probe, first.result).items()):
            return "a later call overwrites what the first one returned"
        if Observation(answer, first.probe, tolerance).wrong:
            return "right in the first call, wrong in a later one with the same arguments"
    except Failed:
        return "right in the first call; a later one with the same arguments fails"
    return ""


def found(observation, quantity, layer, what, term, cause, line=""):
    """Return the ``Diagnosis`` of a wrong answer."""
    lines = [what, term, f"likely cause: {cause}" if cause else ""]
    hints = [text for text in (what, term, cause, line) if text]
    text = "\n".join(filter(None, lines))
    return Diagnosis(False, "wrong", table(observation, layer), text, hints, quantity, layer, cause)


def failed(probe, failure, wrong, cause=""):
    """Return the ``Diagnosis`` of an answer that raised, or returned something of a wrong form.

    Args:
        probe: where.
        failure: the ``Failed``.
        wrong: observations of square networks, where it returned wrong numbers.
        cause: the likely cause, where it is known.
    """
    text, quantity, layer = re.sub(r"Input operand.*?\(size", "(size", str(failure)), failure.quantity, failure.layer
    cause, lines, hints = cause or failure.cause, [text], []
    if wrong:
        on_square = explain(None, wrong)
        quantity, layer = on_square.quantity, on_square.layer
        cause, hints = cause or on_square.cause, on_square.hints[:2]
        lines.append(f"on a square network: {hints[0]}")
    elif failure.status == "crash":
        quantity, layer = unreached(failure, probe.right)
        hints = [f"it fails at {called(probe.name, quantity)} of layer {layer}"] if quantity else []
        lines += hints
        if not cause and any(word in text for word in ("shape", "size ", "dimension")):
            one = "bias row kept: one column, or row, too many"
            cause = one if _one_more(text) else "a product transposed, or an array of another layer: shapes do not fit"
    if cause:
        lines.append(f"likely cause: {cause}")
    hints = list(dict.fromkeys(filter(None, (*hints, cause, text))))
    return Diagnosis(False, failure.status, "", "\n".join(lines), hints, quantity, layer, cause)


def _one_more(message):
    """Whether NumPy's message names two sizes of which one is larger by one: no two widths of the networks are so."""
    size = re.search(r"size (\d+) is different from (\d+)", message)
    shapes = re.search(r"\((\d+),(\d+)\)\D*\((\d+),(\d+)\)", message)
    a, b = size.groups() if size else shapes.group(2, 4) if shapes else (0, 0)
    return abs(int(a) - int(b)) == 1


def table(observation, layer):
    """Return right and wrong by layer and quantity: the layer of the finding, then the others together."""
    order, wrong, name = observation.order, observation.wrong, observation.probe.name
    quantities = list(dict.fromkeys(q for q, _ in order))

    def cell(q, layers):
        there = [l for l in layers if (q, l) in order]
        bad = [l for l in there if (q, l) in wrong]
        return "-" if not there else "right" if not bad else "wrong" if bad == there else f"wrong {_list(bad)}"

    others = sorted({l for _, l in order} - {layer}, reverse=True)
    rows = [(name, [called(name, q) for q in quantities])]
    rows += [(f"layer {layer}", [cell(q, [layer]) for q in quantities])] if layer is not None else []
    rows += [(f"layers {_list(others)}", [cell(q, others) for q in quantities])] if others else []
    return "\n".join(f"{head:<18}" + "".join(f"{text:<14}" for text in cells).rstrip() for head, cells in rows)


def _list(layers):
    return " ".join(map(str, layers))


def called(name, quantity):
    """Return what a quantity is called in a function's table."""
    if name == "gauss_newton":
        return {"grad_W": "Gp_W", "grad_b": "Gp_b", "JpV": "V = Jp/n"}.get(quantity, quantity)
    return quantity


def explain(answer, observations):
    """Return the ``Diagnosis`` of wrong numbers: a known wrong line, or coefficients, or the numbers alone."""
    main, *others = [o for o in observations if o.wrong]
    key, name, n = main.wrong[0], main.probe.name, len(main.probe.X)
    observations = [main, *(o for o in others if o.wrong[0][0] == key[0])]
    seen, right, cause = main.seen[key], main.expected[key], Cause(*key)
    if not np.isfinite(seen).all():
        size = "nan or infinite"
    elif all(close(o.seen[k], o.expected[k], 1e-5) for o in observations for k in o.wrong):
        size, cause.words = "right to a few digits only", "float32, a finite difference, or a small number added"
    else:
        cause = search(observations)
        ratio = float(np.vdot(right, seen).real / (np.vdot(right, right).real or 1))
        size = f"relative error {np.linalg.norm(seen - right) / (np.linalg.norm(right) or 1):.2g}"
        if close(seen, ratio * right, 1e-9):
            size = f"{ratio:.4g} of the right value (n = {n})"
    layers = [layer for quantity, layer in main.wrong if quantity == key[0]]
    where = f"{called(name, key[0])} of layer{'s' * (len(layers) > 1)} {_list(layers)}" if key[0] != "loss" else "loss"
    if (cause.quantity, cause.layer) != key:
        where = f"{called(name, cause.quantity)} of layer {cause.layer}; seen in {where}"
    line = ""
    if answer and cause.hidden is not None:
        line = line_that_makes(answer, main, cause.hidden, [])
    if answer and not line:
        line = line_that_makes(answer, main, seen, main.order[: main.order.index(key)])
    return found(main, cause.quantity, cause.layer, f"first wrong: {where}, {size}", cause.term, cause.words, line)


def line_that_makes(answer, observation, wrong, earlier):
    """Return the line that completes a wrong array, which may be equal to others that are made before it."""
    arguments = observation.probe.arguments().values()
    if not wrong.any():
        return ""
    copies = 1 + places(list(arguments), wrong) + sum(places(observation.seen[key], wrong) for key in earlier)
    return line_where(answer, arguments, lambda local: places(list(local.values()), wrong) >= copies)
