"""Calls of a student's function: what it raises, in which line a wrong array is made, how far it came."""

import linecache
import re
import sys
import traceback
import warnings

import numpy as np

from aelib.coursework.judge import crash


class Failed(Exception):
    """An answer did not return what it must: the message says why, in one line.

    Attributes:
        status: ``wrong``, ``crash``, ``time`` or ``not written``.
        quantity: that has a wrong form, or "".
        layer: its layer, or None.
        cause: the likely cause, or "".
        frames: of the function, where it raised: (line of code, local variables).
    """

    def __init__(self, status, text, quantity="", layer=None, cause="", frames=()):
        super().__init__(text)
        self.status, self.quantity, self.layer, self.cause, self.frames = status, quantity, layer, cause, frames


def call(answer, arguments):
    """Return answer(*arguments) without its warnings; raise ``Failed`` where it raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return answer(*arguments)
    except NotImplementedError:
        raise Failed("not written", "not written yet") from None
    except TimeoutError as error:
        raise Failed("time", crash(error)) from None
    except (Exception, SystemExit) as error:  # whatever a student's code may raise
        code = getattr(answer, "__code__", None)
        frames = [
            (linecache.getline(frame.f_code.co_filename, line).strip(), frame.f_locals)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if code and frame.f_code.co_filename == code.co_filename
        ]
        raise Failed(getattr(error, "state", "crash"), crash(error), frames=frames) from None


def unreached(failure, right):
    """Return (quantity, layer) that a function was computing when it raised, or ("", None).

    The first of each quantity that is not yet among the local variables may be it; the names in the line that raised
    decide between them.

    Args:
        failure: the ``Failed``.
        right: all arrays, by (quantity, layer), in the order of computation.
    """
    missing = {}
    for (quantity, l), a in right.items():
        if quantity not in missing and not any(places(list(local.values()), a) for _, local in failure.frames):
            missing[quantity] = quantity, l
    if not failure.frames or not missing:
        return "", None
    target = failure.frames[-1][0].split("=")[0]
    named = [key for key in missing.values() if re.search(rf"\b{key[0]}\b", target)]
    return (named or list(missing.values()))[0]


def close(a, b, tolerance):
    """Whether two arrays agree, relative to the norm of the second."""
    if a is None or b is None:
        return False
    return bool(np.linalg.norm(np.ravel(a - b)) <= tolerance * (np.linalg.norm(np.ravel(b)) or 1))


def line_where(answer, arguments, test):
    """Return the student's line after which test(local variables, or what is returned) is first true, or "".

    Args:
        answer: the function; one of another process has no lines to watch.
        arguments: what it is called with.
        test: function of a dict of local variables.
    """
    code = getattr(answer, "__code__", None)
    found, last, before = [], {}, sys.gettrace()

    def watch(frame, event, arg):
        if frame.f_code.co_filename != code.co_filename:
            return None
        made = frame.f_locals | {"": arg} if event == "return" else frame.f_locals
        if not found and frame in last and test(made):
            found.append(last[frame])
        last[frame] = frame.f_lineno
        return watch

    if code is not None:
        try:
            sys.settrace(watch)
            call(answer, arguments)
        except Failed:
            pass
        finally:
            sys.settrace(before)
    return f"made by line {found[0]}: {linecache.getline(code.co_filename, found[0]).strip()}" if found else ""


def places(value, target, depth=3):
    """Return how often a local variable is, or contains, this array; in a flat vector, as one of its blocks."""
    if isinstance(value, (list, tuple)):
        return sum(places(part, target, depth - 1) for part in value) if depth else 0
    if isinstance(value, float):  # the loss
        value = np.array(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fc" or value.size < target.size:
        return 0
    if value.size == target.size or value.ndim > 1:
        return int(value.size == target.size and close(value.ravel(), target.ravel(), 1e-9))
    blocks = np.lib.stride_tricks.sliding_window_view(value, target.size)
    return int(np.sum(np.linalg.norm(blocks - target.ravel(), axis=1) <= 1e-9 * (np.linalg.norm(target) or 1)))
