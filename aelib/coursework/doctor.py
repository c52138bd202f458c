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
biases that are not 0, several images, widths all different; one without output bias, one square.
"""

import linecache
import os
import sys
import traceback
import types
import warnings
from dataclasses import dataclass, field

import numpy as np

from aelib import passes
from aelib.activations import activation
from aelib.coursework import bank
from aelib.layers import dense_layers, n_params

GIVEN = {  # arguments of each function, what it returns, and what must be known before it
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
        cause: the likely cause in words, or "".
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


class Probe:
    """One network with everything that a function is given and what it must return."""

    def __init__(self, name, rng, sizes, n, output_bias=True, dtype="float64"):
        self.name, L = name, len(sizes) - 1
        biases = [True] * (L - 1) + [output_bias]
        names = ["tanh"] * (L // 2 - 1) + ["identity"] + ["tanh"] * (L // 2 - 1) + ["sigmoid"]
        self.theta, self.p = rng.normal(0, 0.7, (2, n_params(sizes, biases))).astype(dtype)
        self.layers = dense_layers(sizes, [activation(name) for name in names], biases, self.theta)
        self.X = rng.uniform(0.05, 0.95, (n, sizes[0])).astype(dtype)
        V, R_V = rng.normal(size=(2, n, sizes[-1])).astype(dtype)
        self.values = v = {"widths": sizes, ("V", L): V, ("R_V", L): R_V}
        for l, layer in enumerate(self.layers, start=1):
            v["layer", l], v["x", l], v["x", 0] = layer, self.X, self.X
            for key, array in zip("W b P q".split(), (layer.W, layer.b, *layer.split(self.p)), strict=True):
                if array is not None:
                    v[key, l] = array.astype(np.float64)
        for part in GIVEN[name][2]:
            v |= bank.simulate(part, v)
        self.right = bank.simulate(name, v)

    def arguments(self):
        """Return fresh copies of what the function is given."""
        L, dtype = len(self.layers), self.theta.dtype
        copies = {"layers": self.layers, "X": self.X.copy(), "p": self.p.copy()}

        def array(q, l):
            a = self.values.get((q, l), np.zeros_like(self.X) if q == "R_z" else None)
            return None if a is None else a.astype(dtype)

        names = GIVEN[self.name][0].split()
        return [
            copies[q] if q in copies else array(q, L) if q in ("V", "R_V") else [array(q, l) for l in range(L + 1)]
            for q in names
        ]


class Crash(Exception):
    """An answer did not return: the status and at most two lines that say why."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Misshapen(Exception):
    """An answer returned something of the wrong form: quantity, layer, what, cause."""

    def __init__(self, quantity, layer, what, cause=""):
        super().__init__(what)
        self.quantity, self.layer, self.cause = quantity, layer, cause


def call(answer, arguments):
    """Return answer(*arguments) without its warnings; raise ``Crash`` where it raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return answer(*arguments)
    except NotImplementedError as error:
        raise Crash("not written", str(error) or "not written yet") from None
    except Exception as error:  # whatever a student's code may raise
        raise Crash(getattr(error, "state", "crash"), own_line(error)) from None


def own_line(error):
    """Return what an error says and the student's own line that it comes from: no frame of ours, none of a library."""
    ours = os.path.dirname(os.path.dirname(__file__))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((ours, "<frozen", "<__array")) and "site-packages" not in frame.filename
    ]
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message[:160]}"
    return f"{text}\nin your line {frames[-1].lineno}: {frames[-1].line}" if frames else text


def read(probe, result):
    """Return copies of the arrays that an answer returned, by (quantity, layer), or raise ``Misshapen``."""
    form = GIVEN[probe.name][1].split()
    if len(form) == 1 or (probe.name == "rp_backward" and isinstance(result, np.ndarray)):
        parts, form = [result], form[:1]
    else:
        if result is None:
            raise Misshapen(form[0], None, "None is returned", "the return is missing")
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        if len(parts) != len(form):
            what = f"{len(parts)} value{'s' * (len(parts) > 1)} returned: expected {', '.join(form)}"
            raise Misshapen(form[0], None, what)
    observed = {}
    for quantity, part in zip(form, parts, strict=True):
        if quantity in ("grad", "R_grad", "Gp"):
            vector = array(quantity, None, part, probe.theta.shape)
            prefix = "R_grad" if quantity == "R_grad" else "grad"
            for l, layer in enumerate(probe.layers, start=1):
                for letter, block in zip("Wb", layer.split(vector), strict=True):
                    if block is not None:
                        observed[f"{prefix}_{letter}", l] = block.copy()
        elif quantity == "loss":
            observed["loss", len(probe.layers)] = array(quantity, None, part, ())
        else:
            observed |= read_list(probe, quantity, part)
    return observed


def read_list(probe, quantity, part):
    """Return the same of one list over layers."""
    L = len(probe.layers)
    if not isinstance(part, (list, tuple)) or len(part) != L + 1:
        size = f"a list of {len(part)}" if isinstance(part, (list, tuple)) else f"a {type(part).__name__}"
        raise Misshapen(quantity, None, f"{quantity} is {size}: expected a list of {L + 1}, l = 0 ... {L}")
    observed = {}
    for l in range(L, -1, -1):
        if (quantity, l) not in probe.right or (part[l] is None and l == 0 and quantity != "z"):
            continue
        observed[quantity, l] = array(quantity, l, part[l], probe.right[quantity, l].shape)
    return observed


def array(quantity, l, value, shape):
    """Return a copy of value in double precision if it is an array of this shape, or raise ``Misshapen``."""
    what = f"{quantity} of layer {l}" if l is not None else quantity
    if value is None:
        raise Misshapen(quantity, l, f"{what} is None", "never computed, or not returned")
    a = np.array(value)
    if a.dtype.kind not in "fiubc":
        raise Misshapen(quantity, l, f"{what} holds no numbers")
    if a.shape != tuple(shape):
        cause = ""
        if a.ndim == 2 and a.shape == tuple(shape)[::-1]:
            cause = "product transposed"
        elif a.ndim == 2 and len(shape) == 2 and a.shape[0] == shape[0] and a.shape[1] == shape[1] + 1:
            cause = "bias row kept"
        elif a.ndim < len(shape):
            cause = "summed over an axis too many"
        raise Misshapen(quantity, l, f"{what} has shape {a.shape}: expected {tuple(shape)}", cause)
    return a.astype(np.result_type(a.dtype, np.float64)) if a.dtype.kind != "c" else a


def close(a, b, tolerance):
    """Whether two arrays agree, relative to the norm of the second."""
    if a is None or b is None:
        return False
    norm = float(np.linalg.norm(b))
    return bool(np.linalg.norm(a - b) <= tolerance * (norm or 1))


class Observation:
    """What an answer returned on one probe, judged line by line."""

    def __init__(self, answer, probe, tolerance):
        self.probe, self.tolerance = probe, tolerance
        arguments, before, theta = probe.arguments(), probe.arguments(), probe.theta.copy()
        result = call(answer, arguments)
        names = GIVEN[probe.name][0].split()
        self.changed = [q for q, a, b in zip(names, arguments, before, strict=True) if q != "layers" and differ(a, b)]
        if not np.array_equal(theta, probe.theta):
            self.changed.append("theta")
            probe.theta[...] = theta
        self.result, self.seen = result, read(probe, result)
        self.dtypes = dtypes_of(result)
        self.known = {key: a for key, a in self.seen.items() if np.isfinite(a).all()}
        self.expected = self.simulate()
        self.order = [(q, l) for q, l, _ in bank.steps(probe.name, len(probe.layers)) if (q, l) in self.seen]
        self.wrong = [
            key
            for key in self.order
            if not close(self.seen[key], self.expected[key], tolerance)
            and not close(self.seen[key], probe.right[key], tolerance)
        ]

    def simulate(self, wrong=None):
        """Return what right lines, but for one, make of what the answer itself returned of the lines before."""
        return bank.simulate(self.probe.name, self.probe.values, self.known, wrong)

    def explained(self, keys, wrong):
        """Whether the lines, one of them altered, give what was observed of these keys."""
        computed = self.simulate(wrong)
        return all(close(self.seen[key], computed[key], 10 * self.tolerance) for key in keys)


def dtypes_of(result):
    """Return the names of the types of all arrays in what an answer returned."""
    if isinstance(result, (list, tuple)):
        return set().union(*map(dtypes_of, result))
    return {result.dtype.name} if isinstance(result, np.ndarray) else set()


def differ(a, b):
    """Whether two arguments, arrays or lists of arrays, differ."""
    if isinstance(b, list):
        return len(a) != len(b) or any(differ(x, y) for x, y in zip(a, b, strict=True))
    return (a is None) != (b is None) or (b is not None and not np.array_equal(a, b, equal_nan=True))


NETS = (  # widths, images, output bias; then one where even a wrong axis gives numbers
    ([7, 5, 4, 6, 7], 3, True),
    ([7, 5, 4, 6, 7], 3, True),
    ([7, 5, 4, 6, 7], 3, False),
    ([4, 4, 4, 4, 4], 3, True),
    ([4, 4, 4, 4, 4], 4, True),
)


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
    if name not in GIVEN:
        raise ValueError(f"the doctor knows no function {name!r}: expected one of {', '.join(GIVEN)}")
    rng = np.random.default_rng(seed)
    probes = [Probe(name, rng, *net, dtype) for net in NETS]
    found = examine_on(probes, answer, TOLERANCE[dtype])
    if not found.right and name in ("gauss_newton", "loss_and_gradient") and isinstance(answer, types.FunctionType):
        passes = right_passes()
        own = [key for key in passes if key in answer.__code__.co_names and key in answer.__globals__]
        known = answer.__globals__ | passes
        twin = types.FunctionType(answer.__code__, known, name, answer.__defaults__, answer.__closure__)
        if own and examine_on(probes, twin, TOLERANCE[dtype]).right:
            note = f"{name}: right, given right passes; examine your own: {', '.join(own)}"
            return Diagnosis(True, "right", note)
    return found


def right_passes():
    """Return the passes that an answer may call, in the labs' form, by name."""

    def backward(layers, u, z, V):
        adjoint = passes.backward(layers, passes.Primal(u, z), V)
        return adjoint.grad, adjoint.grad_u, adjoint.grad_z

    def rp_forward(layers, p, u, z):
        return passes.rp_forward(layers, p, passes.Primal(u, z))

    return {"forward": lambda layers, X: passes.forward(layers, X), "backward": backward, "rp_forward": rp_forward}


def examine_on(probes, answer, tolerance):
    """Return the ``Diagnosis`` of an answer on five probes of one function, the last tried only after a crash."""
    outcomes = []
    for probe in probes:
        try:
            outcomes.append(Observation(answer, probe, tolerance))
        except (Crash, Misshapen) as failure:
            outcomes.append(failure)
        first = outcomes[0]
        if isinstance(first, Crash) and first.status != "crash":
            return Diagnosis(False, first.status, finding=str(first))
        if len(outcomes) == 4 and isinstance(first, Observation):
            break
    seen = [o for o in outcomes if isinstance(o, Observation)]
    name = probes[0].name
    if not isinstance(first, Observation):
        return misfit(name, first, [o for o in seen if o.wrong])
    if first.changed:
        what, arguments, before = " and ".join(first.changed), first.probe.arguments(), first.probe.arguments()
        line = line_of(answer, arguments, lambda local: differ(arguments[1:], before[1:]))
        cause = "an argument is changed in place"
        return finding(first, (what, None), "", cause, f"{name} changes its argument {what}", line)
    if first.wrong:
        return explain(answer, seen)
    kept = remembered(answer, outcomes, tolerance)
    if kept:
        return finding(first, ("", None), "", "stale cache: something is kept from one call to the next", kept)
    if not isinstance(outcomes[2], Observation):
        return misfit(name, outcomes[2], [], "in a layer without bias, b is None")
    if not isinstance(outcomes[3], Observation):
        return misfit(name, outcomes[3], [])
    if any(o.wrong for o in seen):
        return explain(answer, [o for o in seen if o.wrong])
    dtypes = first.dtypes - {"float64"}
    if dtypes and probes[0].theta.dtype == np.float64:
        what = f"{name} returns {' and '.join(sorted(dtypes))}, its arguments are float64"
        return finding(first, ("", None), "", "float32", what)
    return Diagnosis(True, "right", f"{name}: right, every quantity of every layer")


def remembered(answer, outcomes, tolerance):
    """Return a sentence if a second call shows that something was kept from the first, or ""."""
    first, other = outcomes[:2]
    try:
        if not isinstance(other, Observation):
            return "right in the first call, a second one fails"
        if other.wrong:
            stale = [key for key in other.wrong if close(other.seen[key], first.seen[key], tolerance)]
            more = f": {stale[0][0]} of layer {stale[0][1]} is that of the first" if stale else ""
            return f"right for the first network, wrong for a second one of the same sizes{more}"
        if any(not close(a, first.seen[key], tolerance) for key, a in read(first.probe, first.result).items()):
            return "a second call overwrites what the first returned"
        if Observation(answer, first.probe, tolerance).wrong:
            return "right in the first call, wrong in a later one with the same arguments"
    except (Crash, Misshapen):
        return "right in the first call, a later one with the same arguments fails"
    return ""


def finding(observation, key, term, cause, what, line=None):
    """Return the ``Diagnosis`` of a wrong answer."""
    quantity, layer = key
    lines = [what, term, f"likely cause: {cause}" if cause else ""]
    hints = [text for text in (what, term, cause, line) if text]
    shown = table(observation, layer) if observation else ""
    return Diagnosis(False, "wrong", shown, "\n".join(filter(None, lines)), hints, quantity, layer, cause)


def misfit(name, failure, wrong, cause=""):
    """Return the ``Diagnosis`` of an answer that raised or returned something of a wrong form."""
    status = "crash" if isinstance(failure, Crash) else "wrong"
    cause = cause or getattr(failure, "cause", "")
    quantity, layer = getattr(failure, "quantity", ""), getattr(failure, "layer", None)
    lines = str(failure).splitlines()
    hints = lines[:1]
    if wrong:
        on_square = explain(None, wrong)
        quantity, layer = on_square.quantity, on_square.layer
        cause = cause or on_square.cause
        lines.append(f"on a square network: {on_square.hints[0]}")
        hints = on_square.hints
    if cause:
        lines.append(f"likely cause: {cause}")
    hints = [*hints, *(text for text in (cause, *str(failure).splitlines()[1:]) if text and text not in hints)]
    return Diagnosis(False, status, "", "\n".join(lines), hints, quantity, layer, cause)


def table(observation, layer):
    """Return right and wrong by layer and quantity: the layer of the finding, then the others together."""
    order, wrong = observation.order, observation.wrong
    quantities = list(dict.fromkeys(q for q, _ in order))
    shown = [called(observation.probe.name, q) for q in quantities]
    layers = sorted({l for _, l in order}, reverse=True)

    def cell(q, of):
        there = [l for l in of if (q, l) in order]
        bad = [l for l in there if (q, l) in wrong]
        return "-" if not there else "right" if not bad else "wrong" if bad == there else f"wrong {_list(bad)}"

    rows = [(observation.probe.name, shown)]
    if layer is not None:
        rows.append((f"layer {layer}", [cell(q, [layer]) for q in quantities]))
    others = [l for l in layers if l != layer]
    rows.append((f"layers {_list(others)}", [cell(q, others) for q in quantities]))
    return "\n".join(f"{head:<17}" + "".join(f"{text:<13}" for text in cells).rstrip() for head, cells in rows)


def _list(layers):
    return " ".join(map(str, layers))


def called(name, quantity):
    """Return what a quantity is called in a function's table."""
    return quantity.replace("grad", "Gp") if name == "gauss_newton" else "V" if quantity == "JpV" else quantity


def explain(answer, observations):
    """Return the ``Diagnosis`` of wrong numbers: known wrong lines first, then coefficients, then the numbers alone."""
    observations = [o for o in observations if o.wrong]
    main = observations[0]
    key = q, l = main.wrong[0]
    name, probe = main.probe.name, main.probe
    observations = [o for o in observations if o.wrong[0][0] == q]
    layers = [layer for quantity, layer in main.wrong if quantity == q]
    where = f"layer {l}" if len(layers) == 1 else f"layers {_list(layers)}"
    what = f"first wrong: {called(name, q)} of {where}"
    seen, right = main.seen[key], main.expected[key]
    if not np.isfinite(seen).all():
        return finding(main, key, "", "", f"{what}: nan or infinite")
    if all(close(o.seen[k], o.expected[k], 1e-4) for o in observations for k in o.wrong):
        return finding(main, key, "", "float32, or a finite difference", f"{what}: right to a few digits only")
    ratio = float(np.vdot(right, seen).real / (np.vdot(right, right).real or 1))
    if close(seen, ratio * right, 1e-9):
        what += f", {ratio:.4g} of the right value (n = {len(probe.X)})"
    else:
        error = np.linalg.norm(seen - right) / (np.linalg.norm(right) or 1)
        what += f", relative error {error:.2g}"
    causes, term = matches(observations) or coefficients(observations) or ([], "")
    return finding(main, key, term, " or ".join(causes), what, line_that_makes(answer, main, key))


def suspects(main):
    """Yield (quantity, start of a pass or None, layer) of the lines that the first wrong one may come from."""
    key = main.wrong[0]
    observed = {q for q, _ in main.seen}
    for q, l, first in bank.steps(main.probe.name, len(main.probe.layers)):
        if q not in observed or (q, l) == key:
            yield q, first, l
        if (q, l) == key:
            return


def matches(observations):
    """Return (causes, the term) of the known wrong lines that give what was observed, or None."""
    main, found = observations[0], []
    tried = set()
    for q, first, l in suspects(main):
        hidden = (q, l) not in main.seen
        for layer in (None, l):
            if (q, first, layer) in tried:
                continue
            tried.add((q, first, layer))
            for variant in bank.variants(q, first):
                wrong = (q, first, layer, variant.terms)
                if not all(o.explained(o.wrong[:1], wrong) for o in observations):
                    continue
                everything = all(o.explained(o.order, wrong) for o in observations)
                if everything or not hidden:
                    found.append((not everything, variant.rank, len(found), variant))
    if not found:
        return None
    found.sort(key=lambda match: match[:3])
    best = [match[3] for match in found if match[:2] == found[0][:2]]
    causes = list(dict.fromkeys(variant.cause for variant in best))[:2]
    return causes, f"there: {best[0].change} {best[0].term}"


def coefficients(observations):
    """Return the same from the coefficients of the right terms that fit, or None."""
    main = observations[0]
    for q, first, l in suspects(main):
        terms, _ = bank.right_terms(q, first)
        keys = main.wrong[:1] if (q, l) in main.seen else main.order
        columns = []
        for i in range(len(terms)):
            without = (*terms[:i], *terms[i + 1 :])
            computed = main.simulate((q, first, l, without))
            columns.append(np.concatenate([np.ravel(main.expected[key] - computed[key]) for key in keys]))
        rest = np.concatenate([np.ravel(main.seen[key] - main.expected[key]) for key in keys])
        if columns:
            c = np.linalg.lstsq(np.transpose(columns), rest, rcond=None)[0]
            if close(np.transpose(columns) @ c, rest, 1e-7):
                text = " + ".join(f"{1 + x:.4g} {bank.write(term)}" for x, (_, term) in zip(c, terms, strict=True))
                name = called(main.probe.name, q)
                return ["a wrong coefficient"], f"there: {name} of layer {l} is {text}, each to be 1"
    return None


def line_of(answer, arguments, test):
    """Return the student's line after which test(local variables) is first true, or None.

    Args:
        answer: the function; None, or one of another process, has no lines to watch.
        arguments: what it is called with.
        test: function of a dict of local variables.
    """
    code = getattr(answer, "__code__", None)
    if code is None:
        return None
    found, last = [], {}

    def watch(frame, event, arg):
        if frame.f_code.co_filename != code.co_filename:
            return None
        if not found and frame in last and test(frame.f_locals):
            found.append(last[frame])
        last[frame] = frame.f_lineno
        return watch

    before = sys.gettrace()
    try:
        sys.settrace(watch)
        call(answer, arguments)
    except Crash:
        return None
    finally:
        sys.settrace(before)
    return f"line {found[0]}: {linecache.getline(code.co_filename, found[0]).strip()}" if found else None


def line_that_makes(answer, observation, key):
    """Return the line that makes the wrong array of this key, which may be equal to others that are made before it."""
    target, arguments = observation.seen[key], observation.probe.arguments()
    earlier = observation.order[: observation.order.index(key)]
    copies = 1 + places(arguments, target) + sum(places(observation.seen[k], target) for k in earlier)
    return line_of(answer, arguments, lambda local: places(list(local.values()), target) >= copies)


def places(value, target):
    """Return how often a local variable is, or contains, this array; in a flat vector, as one of its blocks."""
    if isinstance(value, (list, tuple)):
        return sum(places(part, target) for part in value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fc" or value.size < target.size:
        return 0
    if value.size == target.size:
        return int(close(value.ravel(), target.ravel(), 1e-9))
    if value.ndim > 1:
        return 0
    starts = np.flatnonzero(np.isclose(value, target.flat[0], rtol=1e-9, atol=0))
    return sum(close(value[i : i + target.size], target.ravel(), 1e-9) for i in starts if i + target.size <= value.size)
