"""Checks of derivatives: finite differences, the complex step, symmetry; for any functions, or a whole model.

Every check returns an ``Outcome``, a table that prints, and raises ``CheckFailed`` with the same table when an error
exceeds the tolerance. The error is the relative norm error ||a - b|| / ||b||. Next to it stand the cosine, with its
sign, which is blind to scale, and the ratio of norms, which is blind to direction. Where b is so small that round-off
alone may exceed the tolerance (next to a minimum, in a saturated network), the error is measured against that
round-off, and the table says so. Functions are called in double precision whatever the dtype of theta, if they allow
it; where numbers come in single precision all the same, the default tolerances are wider.

No single check finds every bug. Symmetry misses a dropped g'' and a forgotten 1/n; no check sees g'' on piecewise
linear networks; Gp against J^T (J p) misses the terms of the Hessian. ``check_model`` makes them all.
"""

from aelib.checks.comparison import SINGLE, TOLERANCE, CheckFailed, Comparison, Outcome, compare
from aelib.checks.differences import directional_derivative
from aelib.checks.functions import check_equal, check_gradient, check_product, check_symmetry
from aelib.checks.model import check_model

__all__ = [
    "SINGLE",
    "TOLERANCE",
    "CheckFailed",
    "Comparison",
    "Outcome",
    "check_equal",
    "check_gradient",
    "check_model",
    "check_product",
    "check_symmetry",
    "compare",
    "directional_derivative",
]
