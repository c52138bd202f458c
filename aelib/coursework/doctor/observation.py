"""What an answer did on one network, judged line by line; and what is found of it."""

import linecache
import traceback
import warnings

import numpy as np

from aelib.coursework.doctor.networks import FORMS
from aelib.coursework.doctor.pass_algebra import simulate, steps
from aelib.coursework.findings import UNWRITTEN, Wrong, crash


class Finding(Wrong):
    """What the doctor found: a wrong quantity, an array of a wrong form, or what the answer raised.

    Args:
        finding: at most three lines: where, which term, the likely cause.
        table: right and wrong by layer and quantity, at most three lines.
        hints: what the finding does not say: the line of the student's own code.
        state: ``wrong``, ``crash``, ``time`` or ``not written``.
        quantity: the first wrong quantity, or "".
        layer: its layer, or None.
        cause: the likely cause, or "".
        frames: of the function, where it raised: (line of code, local variables).
    """

    def __init__(self, finding, table="", hints=(), state="wrong", quantity="", layer=None, cause="", frames=()):
        super().__init__(finding, table, hints, state)
        self.quantity, self.layer, self.cause, self.frames = quantity, layer, cause, frames

    def __str__(self):
        return "\n".join(text for text in (self.table, self.finding) if text)


def call(answer, arguments):
    """Return answer(*arguments) without its warnings; raise ``Finding`` where it raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return answer(*arguments)
    except NotImplementedError:
        raise Finding(UNWRITTEN, state="not written") from None
    except (Exception, SystemExit) as error:  # whatever a student's code may raise
        code = getattr(answer, "__code__", None)
        frames = [
            (linecache.getline(frame.f_code.co_filename, line).strip(), frame.f_locals)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if code and frame.f_code.co_filename == code.co_filename
        ]
        raise Finding(crash(error), state="crash", frames=frames) from None


def close(a, b, tolerance):
    """Whether two arrays agree, relative to the norm of the second."""
    if a is None or b is None:
        return False
    return bool(np.linalg.norm(np.ravel(a - b)) <= tolerance * (np.linalg.norm(np.ravel(b)) or 1))


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
        self.flat = flat(probe, self.result)
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


def flat(probe, result):
    """Return the flat vector that an answer returned, or None where the function returns none."""
    form = FORMS[probe.name][1].split()
    vectors = [k for k, quantity in enumerate(form) if quantity in ("grad", "R_grad", "Gp")]
    if not vectors:
        return None
    alone = len(form) == 1 or not isinstance(result, (list, tuple))
    return np.real(np.array(result if alone else result[vectors[0]])).astype(np.float64)


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
    """Return copies of the arrays that an answer returned, by (quantity, layer), or raise ``Finding``."""
    form, L = FORMS[probe.name][1].split(), len(probe.layers)
    if len(form) == 1 or (probe.name == "rp_backward" and isinstance(result, np.ndarray)):
        parts, form = [result], form[:1]
    else:
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(parts) != len(form):
        what = "None" if result is None else f"{len(parts)} value{'s' * (len(parts) != 1)}"
        cause = "the return is missing" if result is None else ""
        raise Finding(f"{what} returned: expected {', '.join(form)}", quantity=form[0], cause=cause)
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
                raise Finding(f"{quantity} is {size}: expected a list of {L + 1}, l = 0 ... {L}", quantity=quantity)
            if quantity in ("u", "R_u") and part[0] is not None:
                raise Finding(
                    f"{quantity}[0] is not None: there is no {quantity} of the images", quantity=quantity, layer=0
                )
            for l in range(L, -1, -1):
                asked = l or quantity == "z" or (quantity == "R_z" and part[l] is not None)
                if asked and (quantity, l) in probe.right:
                    seen[quantity, l] = read_array(quantity, l, part[l], probe.right[quantity, l].shape)
    return seen


def read_array(quantity, l, value, shape):
    """Return a copy of value, in double precision, if it is an array of this shape, or raise ``Finding``."""
    what = quantity if l is None else f"{quantity} of layer {l}"
    if value is None:
        raise Finding(f"{what} is None", quantity=quantity, layer=l, cause="never computed, or not returned")
    try:
        a = np.array(value)
    except (TypeError, ValueError):  # lists of unequal lengths
        a = np.array(None)
    if a.dtype.kind not in "biufc":
        raise Finding(f"{what} is no array of numbers", quantity=quantity, layer=l)
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
    raise Finding(f"{what} has shape {a.shape}: expected {tuple(shape)}", quantity=quantity, layer=l, cause=cause)


def dtypes(result):
    """Return the names of the types of all arrays in what an answer returned."""
    if isinstance(result, (list, tuple)):
        return set().union(*map(dtypes, result))
    return {result.dtype.name} if isinstance(result, (np.ndarray, np.generic)) else set()
