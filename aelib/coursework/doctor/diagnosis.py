"""The gradient doctor: which quantity of which layer is wrong, which term, and the likely cause; not the fix.

The forms of the functions that it examines, with L layers, lists over l = 0 ... L and images in rows. ``layers`` is a
list of ``aelib.layers.Dense``; in a layer without bias, ``layer.b`` and the second block of ``layer.split`` are None::

    forward(layers, X)                                          -> u, z               u[0] is None, z[0] the images
    backward(layers, u, z, V)                                   -> grad, grad_u, grad_z
    rp_forward(layers, p, u, z)                                 -> R_u, R_z           R_z[0] is zero (or None)
    rp_backward(layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V) -> R_grad, R_grad_u, R_grad_z    (or R_grad alone)
    gauss_newton(layers, p, u, z)                               -> Gp
    loss_and_gradient(layers, X)                                -> loss, grad

``V`` is any adjoint of the output, ``R_V`` its R_p; grad, R_grad, Gp and p are flat, like theta. Index 0 of grad_u,
grad_z, R_grad_u and R_grad_z is not looked at. ``gauss_newton`` and ``loss_and_gradient`` may call the student's own
passes by the names above.

Every line of a pass is judged from right inputs, or from what the answer itself returned of the lines before it. So one
wrong line is one finding. The networks are such that bugs cannot hide: float64, tanh, a linear code, a sigmoid output,
biases that are not 0, several images, widths all different; one has softplus and no output bias, one is square. An
answer that is right on these is tried on others: one image, two to six layers, biases missing, the code elsewhere.
"""

import re
import types

import numpy as np

from aelib.coursework.doctor.causes import Cause, search
from aelib.coursework.doctor.networks import FORMS, FURTHER, NETS, Probe, right_passes
from aelib.coursework.doctor.observation import Finding, Observation, changed, close, dtypes, read
from aelib.coursework.doctor.tracing import line_where, places, unreached

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def diagnose(name, answer, seed=0, dtype="float64"):
    """Return None where a function, in the form given at the head of this module, is right; raise ``Finding`` if not.

    Args:
        name: ``forward``, ``backward``, ``rp_forward``, ``rp_backward``, ``gauss_newton`` or ``loss_and_gradient``.
        answer: the function.
        seed: of the random networks, a number or a Generator.
        dtype: of the networks; ``float32`` is held to a tolerance of 1e-4 instead of 1e-10.

    Raises:
        Finding: the answer is wrong.
        ValueError: there is no such function.
    """
    if name not in FORMS:
        raise ValueError(f"the doctor knows no function {name!r}: expected one of {', '.join(FORMS)}")
    rng, tolerance = np.random.default_rng(seed), TOLERANCE[dtype]
    probes = [Probe(name, rng, net, dtype) for net in (*NETS, *FURTHER)]
    with np.errstate(all="ignore"):
        if not right_with_right_passes(probes, answer, tolerance):
            examine_on(probes, answer, tolerance)


def right_with_right_passes(probes, answer, tolerance):
    """Return whether an answer that calls passes of the student's is right as soon as these are: a fault of theirs."""
    name = probes[0].name
    if name not in ("gauss_newton", "loss_and_gradient") or not isinstance(answer, types.FunctionType):
        return False
    passes = right_passes()
    if not any(called in answer.__code__.co_names and called in answer.__globals__ for called in passes):
        return False
    names = answer.__globals__ | passes
    twin = types.FunctionType(answer.__code__, names, name, answer.__defaults__, answer.__closure__)
    try:
        return not any(Observation(twin, probe, tolerance).wrong for probe in probes)
    except Finding:
        return False


def examine_on(probes, answer, tolerance):
    """Raise the ``Finding`` of an answer on the probes of one function, if it is wrong."""
    name, outcomes = probes[0].name, []
    for probe in probes[: len(NETS)]:
        try:
            outcomes.append(Observation(answer, probe, tolerance))
        except Finding as failure:
            if failure.state in ("not written", "time"):
                raise
            outcomes.append(failure)
    first, again, no_bias, square, _ = outcomes
    seen = [o for o in outcomes if isinstance(o, Observation)]
    if not isinstance(first, Observation):
        raise failed(probes[0], first, [o for o in seen if o.wrong])
    if first.changed:
        arguments, what = first.probe.arguments(), " and ".join(first.changed)
        line = line_where(answer, arguments.values(), lambda local: changed(arguments, first.probe))
        text = f"{name} changes its argument {what}"
        raise found(first, what, None, text, "", "an argument is changed in place", line)
    if first.wrong:
        raise explain(answer, seen)
    kept = remembered(answer, first, again, tolerance)
    if kept:
        raise found(first, "", None, kept, "", "stale cache: something is kept from one call to the next")
    if not isinstance(no_bias, Observation):
        raise failed(probes[2], no_bias, [], "in a layer without bias, b is None")
    if not isinstance(square, Observation):
        raise failed(probes[3], square, [])
    if any(o.wrong for o in seen):
        raise explain(answer, seen)
    kinds = dtypes(first.result) - {probes[0].dtype.name}
    if kinds and probes[0].dtype == np.float64:
        text = f"{name} returns {' and '.join(sorted(kinds))}, its arguments are float64"
        raise found(first, "", None, text, "", "float32")
    elsewhere(probes[len(NETS) :], answer, tolerance)


def elsewhere(probes, answer, tolerance):
    """Raise a ``Finding`` if an answer that is right on the networks of ``NETS`` is not on these."""
    for probe in probes:
        where = f"right on networks of 4 layers with several images; on one of {probe.net}"
        try:
            observation = Observation(answer, probe, tolerance)
        except Finding as failure:
            if failure.state in ("not written", "time"):
                raise
            text = failure.finding.split("\n")[0]
            raise Finding(
                f"{where}:\n{text}\nlikely cause: {granted(probe.net)}",
                state=failure.state,
                quantity=failure.quantity,
                layer=failure.layer,
                cause=granted(probe.net),
            ) from None
        if observation.wrong:
            quantity, layer = observation.wrong[0]
            what = "loss" if quantity == "loss" else f"{called(probe.name, quantity)} of layer {layer}"
            raise found(observation, quantity, layer, f"{where} {what} is wrong", "", granted(probe.net))


def granted(net):
    """Return what an answer takes for granted that fails on one of the further networks first."""
    if len(net.sizes) == len(NETS[0].sizes):
        if net.n == 1:
            return "a single image: an axis is lost, or n - 1 stands somewhere"
        return "one layer is taken for another: any layer may be linear or have no bias"
    return "the number of layers is written into the code"


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
    except Finding:
        return "right in the first call; a later one with the same arguments fails"
    return ""


def found(observation, quantity, layer, what, term, cause, line=""):
    """Return the ``Finding`` of wrong numbers."""
    text = "\n".join(filter(None, [what, term, f"likely cause: {cause}" if cause else ""]))
    hints = [line] if line else []
    return Finding(text, table(observation, layer), hints, quantity=quantity, layer=layer, cause=cause)


def failed(probe, failure, wrong, cause=""):
    """Return the ``Finding`` of an answer that raised, or returned something of a wrong form.

    Args:
        probe: where.
        failure: the ``Finding`` of the call.
        wrong: observations of square networks, where it returned wrong numbers.
        cause: the likely cause, where it is known.
    """
    text = re.sub(r"Input operand.*?\(size", "(size", failure.finding)
    quantity, layer = failure.quantity, failure.layer
    cause, lines, hints = cause or failure.cause, [text], []
    if wrong:
        on_square = explain(None, wrong)
        quantity, layer = on_square.quantity, on_square.layer
        cause = cause or on_square.cause
        lines.append(f"on a square network: {on_square.finding.splitlines()[0]}")
    elif failure.state == "crash":
        quantity, layer = unreached(failure, probe.right)
        if (quantity, layer) == next(iter(probe.right)):
            quantity, layer = "", None  # nothing was reached: that says nothing
        if quantity:
            lines.append(f"it fails at {called(probe.name, quantity)} of layer {layer}")
        if not cause and any(word in text for word in ("shape", "size ", "dimension")):
            one = "bias row kept: one column, or row, too many"
            cause = one if _one_more(text) else "a product transposed, or an array of another layer: shapes do not fit"
    if cause:
        lines.append(f"likely cause: {cause}")
    return Finding("\n".join(lines), "", hints, failure.state, quantity, layer, cause)


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
    """Return the ``Finding`` of wrong numbers: their layout, a known wrong line, coefficients, or the numbers alone."""
    main, *others = [o for o in observations if o.wrong]
    key, name, n = main.wrong[0], main.probe.name, len(main.probe.X)
    if layout := another_layout([main, *others]):
        what = f"{FORMS[name][1].split()[0] if name != 'loss_and_gradient' else 'grad'} holds the right numbers, in "
        order = "theta holds layer 1 first, of each layer W row by row, then b where there is one"
        return found(main, key[0], key[1], what + "another order than theta", order, layout)
    if (count := constant_for_n([main, *others])) and key[0] != "loss":
        cause = f"divided by {count} whatever the number of images: a global n, where that of this batch is meant"
        if count == len(main.probe.layers) + 1:
            cause = f"divided by {count}, the length of the list z, where the number of rows of z[0] is meant"
        what = f"wrong by a factor: {n}/{count} of the right value with {n} images"
        quantity = "JpV" if name == "gauss_newton" else "V"
        return found(main, quantity, len(main.probe.layers), what, "", cause)
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
        if key[0] != "loss" and close(seen, ratio * right, 1e-9):
            size = f"{ratio:.4g} of the right value (n = {n})"
        elif key[0] == "loss":
            size = f"{float(seen):.6g} where {float(right):.6g} was expected (n = {n})"
    layers = [layer for quantity, layer in main.wrong if quantity == key[0]]
    where = f"{called(name, key[0])} of layer{'s' * (len(layers) > 1)} {_list(layers)}" if key[0] != "loss" else "loss"
    if (cause.quantity, cause.layer) != key:
        where = f"{called(name, cause.quantity)} of layer {cause.layer}; seen in {where}"
    line = ""
    if answer and cause.hidden is not None:
        line = line_that_makes(answer, main, cause.hidden, [])
    if answer and not line and (cause.words or ((cause.quantity, cause.layer) == key and name != "rp_backward")):
        line = line_that_makes(answer, main, seen, main.order[: main.order.index(key)])
    return found(main, cause.quantity, cause.layer, f"first wrong: {where}, {size}", cause.term, cause.words, line)


LAYOUTS = {  # how blocks may be joined in another way than theta: (layers reversed, b first, W transposed, W then b)
    "the last layer stands first": (True, False, False, False),
    "b stands before W": (False, True, False, False),
    "W is written by columns, not by rows": (False, False, True, False),
    "all W stand before all b": (False, False, False, True),
    "the last layer stands first, and b before W": (True, True, False, False),
    "the last layer stands first, and W is written by columns": (True, False, True, False),
    "b stands before W, and W is written by columns": (False, True, True, False),
    "all W stand before all b, the last layer first": (True, False, False, True),
}


def another_layout(observations):
    """Return in which other layout the right blocks of the flat vector stand, or ""."""
    if any(o.flat is None for o in observations):
        return ""
    for words, layout in LAYOUTS.items():
        joined = [_joined(o, *layout) for o in observations]
        if all(a is not None and close(o.flat, a, 1e-9) for o, a in zip(observations, joined, strict=True)):
            return words
    return ""


def _joined(observation, reverse, bias_first, by_columns, weights_first):
    stem = "R_grad" if observation.probe.name == "rp_backward" else "grad"
    L = len(observation.probe.layers)
    layers = range(L, 0, -1) if reverse else range(1, L + 1)
    right = observation.probe.right
    W = {l: (right[f"{stem}_W", l].T if by_columns else right[f"{stem}_W", l]).ravel() for l in layers}
    b = {l: right.get((f"{stem}_b", l), np.zeros(0)) for l in layers}
    if weights_first:
        parts = [*W.values(), *b.values()]
    else:
        parts = [part for l in layers for part in ((b[l], W[l]) if bias_first else (W[l], b[l]))]
    joined = np.concatenate(parts)
    return joined if joined.shape == observation.flat.shape else None


def constant_for_n(observations):
    """Return N if each vector is n / N of the right one, N the same for every number of images n; else 0."""
    sizes = {len(o.probe.X) for o in observations}
    if len(sizes) < 2 or any(o.flat is None for o in observations):
        return 0
    counts = []
    for o in observations:
        right = _joined(o, False, False, False, False)
        if right is None:
            return 0
        ratio = float(right @ o.flat / (right @ right))
        if ratio == 0 or not close(o.flat, ratio * right, 1e-9):
            return 0
        counts.append(len(o.probe.X) / ratio)
    count = round(counts[0])
    return count if count > 1 and np.allclose(counts, count, rtol=1e-7) else 0


def line_that_makes(answer, observation, wrong, earlier):
    """Return the line that completes a wrong array, which may be equal to others that are made before it."""
    arguments = observation.probe.arguments().values()
    if not wrong.any():
        return ""
    copies = 1 + places(list(arguments), wrong) + sum(places(observation.seen[key], wrong) for key in earlier)
    return line_where(answer, arguments, lambda local: places(list(local.values()), wrong) >= copies)
