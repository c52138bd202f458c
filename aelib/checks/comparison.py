"""Two arrays that should be equal: how far they differ, as a table that prints or as the error of a failed check."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np

from aelib.arrays import as_array, shown

TOLERANCE = {"complex": 1e-12, "central": 1e-6, "forward": 1e-5}
SINGLE = {"complex": 1e-4, "central": 2e-2, "forward": 1e-1}  # where numbers come in single precision
_FLOOR = 1e-3  # a block's error is measured on no smaller a scale than this share of the whole vector's norm


class CheckFailed(AssertionError):
    """A derivative differs from its reference by more than the tolerance; the message is its ``outcome`` as a table."""


class Comparison(NamedTuple):
    """A vector a against its reference b: ||a - b|| / ||b||, a.b / (||a|| ||b||), ||a|| / ||b||."""

    relative_error: float
    cosine: float
    norm_ratio: float


def compare(computed, reference, scale=0.0):
    """Compare two real arrays of one shape as vectors, in double precision.

    Args:
        computed: the vector a under test.
        reference: the vector b.
        scale: a lower bound on the norm by which the error is divided.

    Returns:
        Comparison. Against a zero reference the error of a zero vector is 0, of any other inf.

    Raises:
        ValueError: the shapes differ, there is nothing to compare, or numbers are complex.

    >>> compare(np.array([-2.0, 0.0]), np.array([1.0, 0.0]))
    Comparison(relative_error=3.0, cosine=-1.0, norm_ratio=2.0)
    """
    a = as_array("the first", computed)
    b = as_array("the second", reference)
    if a.shape != b.shape or not a.size:
        raise ValueError(f"cannot compare vectors of shapes {a.shape} and {b.shape}: expected one shape, not empty")
    if not {a.dtype.kind, b.dtype.kind} <= set("biuf"):
        raise ValueError(f"cannot compare {a.dtype} with {b.dtype}: expected real numbers")
    a = a.ravel().astype(np.float64)
    b = b.ravel().astype(np.float64)
    norm_a, norm_b, distance = (float(np.linalg.norm(v)) for v in (a, b, a - b))
    error = _ratio(distance, max(norm_b, scale))
    cosine = float(a @ b) / (norm_a * norm_b) if norm_a * norm_b else math.nan
    return Comparison(error, cosine, _ratio(norm_a, norm_b))


def _ratio(a, b):
    if b:
        return a / b
    return math.inf if a else 0.0


@dataclass
class Outcome:
    """What a check found.

    Attributes:
        title: what was compared with what.
        rows: dict of ``Comparison`` by block name; ``"all"`` is the whole vector.
        tolerance: the largest relative error that passes.
        sign_changes: number of pre-activations at kinks that changed sign between the evaluations of a
            difference quotient, summed over images and directions, or None where it was not counted.
        flaw: why the check fails whatever the rows say, or "".
        lost: names of the rows whose vectors are so small that the error was measured against round-off.
    """

    title: str
    rows: dict
    tolerance: float
    sign_changes: int | None = None
    flaw: str = ""
    lost: tuple = ()

    @property
    def relative_error(self):
        """The relative norm error of the whole vector."""
        return self.rows["all"].relative_error if self.rows else math.nan

    @property
    def passed(self):
        """Whether every row's relative error is within the tolerance, and there is no flaw."""
        return not self.flaw and all(row.relative_error <= self.tolerance for row in self.rows.values())

    def __str__(self):
        lines = [self.title, f"{'block':<8}{'relative error':>15}{'cosine':>12}{'norm ratio':>13}"]
        for name, row in self.rows.items():
            mark = "" if row.relative_error <= self.tolerance else "  <-- fails"
            lines.append(f"{name:<8}{row.relative_error:>15.1e}{row.cosine:>+12.6f}{row.norm_ratio:>13.6f}{mark}")
        lines.append(f"tolerance {self.tolerance:.0e}: {'passed' if self.passed else 'FAILED'}")
        if self.sign_changes is not None:
            lines.append(f"pre-activations at kinks that changed sign: {self.sign_changes}")
        if self.lost:
            lines.append(f"so small that the error is measured against round-off: {', '.join(self.lost)}")
        return "\n".join([*lines, self.flaw] if self.flaw else lines)

    __repr__ = __str__

    def verify(self):
        """Return this outcome, or raise ``CheckFailed`` with its table."""
        if not self.passed:
            failure = CheckFailed("\n" + str(self))
            failure.outcome = self
            raise failure
        return self


def covering(blocks, size):
    """Return blocks, a dict of slices of a vector of this size by name, if they leave no entry out.

    Raises:
        ValueError: they do, one of them is empty, or it is called "all".
    """
    if not isinstance(blocks, dict):
        raise ValueError(f"blocks is {shown(blocks)}: expected a dict, name -> slice")
    covered = np.zeros(size, bool)
    for name, where in blocks.items():
        if name == "all" or not covered[where].size:
            raise ValueError(f"block {name!r} is empty or has the name of the whole: expected parts of {size} entries")
        covered[where] = True
    if blocks and not covered.all():
        raise ValueError(
            f"the blocks leave out {size - covered.sum()} of {size} entries, the first {int(np.argmin(covered))}: "
            "expected blocks that cover all of them"
        )
    return blocks


def outcome(title, computed, reference, tolerance, blocks=None, noise=0.0, sign_changes=None):
    """Return the ``Outcome`` of comparing two arrays, whole and by blocks.

    Args:
        title: what is compared with what.
        computed: the array under test.
        reference: what it should be.
        tolerance: the largest relative error that passes.
        blocks: dict of slices of the arrays, flattened, by name.
        noise: by how much round-off alone may make each entry differ: a number, or an array like the reference.
        sign_changes: for the outcome.
    """
    if not isinstance(title, str):
        raise ValueError(f"title is {shown(title)}: expected words")
    if not isinstance(tolerance, Real) or not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance is {shown(tolerance)}: expected a finite number >= 0")
    a = as_array("the first", computed)
    b = as_array("the second", reference)
    found = Outcome(title, {}, tolerance, sign_changes)
    if a.shape != b.shape:
        found.flaw = f"the first has shape {a.shape}: expected that of the second, {b.shape}"
        return found
    noise = np.broadcast_to(noise, b.shape).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        found.rows["all"] = compare(a, b)
        a = a.ravel()
        b = b.ravel()
        for name, where in ({"all": slice(None)} | covering({} if blocks is None else blocks, b.size)).items():
            least = 0.0 if name == "all" else _FLOOR * float(np.linalg.norm(b))
            round_off = float(np.linalg.norm(noise[where])) / tolerance if tolerance else 0.0
            found.rows[name] = compare(a[where], b[where], max(least, round_off))
            if all(round_off > size for size in (least, *(float(np.linalg.norm(v[where])) for v in (a, b)))):
                found.lost += (name,)
    for name, v in (("first", a), ("second", b)):
        if not np.isfinite(v).all():
            found.flaw = f"{np.count_nonzero(~np.isfinite(v))} of {v.size} numbers of the {name} are not finite"
    return found
