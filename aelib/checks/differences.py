"""Derivatives of any function of a flat vector, by differences and by the complex step."""

import warnings
from numbers import Real

import numpy as np

from aelib.arrays import as_array, as_function, shown

METHODS = ("complex", "central", "forward")


def as_method(method):
    """Return method if it is one of the three, or raise ValueError."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"unknown method {shown(method)}: expected one of {', '.join(METHODS)}")
    return method


def directional_derivative(f, theta, p, method="complex", eps=None):
    """Return an estimate of d/de f(theta + e p) at e = 0.

    ``"forward"``: (f(theta + eps p) - f(theta)) / eps, error O(eps) + O(round-off / eps).
    ``"central"``: (f(theta + eps p) - f(theta - eps p)) / (2 eps), error O(eps^2) + O(round-off / eps).
    ``"complex"``: Im f(theta + i eps p) / eps, error O(eps^2), no cancellation: eps = 1e-200 is exact to round-off.

    Args:
        f: function of a flat vector, returning a number or an array; analytic for the complex step.
        theta: (n_params,); integers count as float64.
        p: direction, (n_params,).
        method: one of the three.
        eps: the step; by default 1e-200 (complex; 1e-30 in single precision), or u^(1/3) (central) or u^(1/2)
            (forward) times (1 + ||theta||) / ||p||, with u the unit round-off.

    Raises:
        ValueError: an argument is not as described, or f does not take complex numbers.

    Source: W. Squire and G. Trapp, 1998 (complex step).
    """
    as_method(method)
    as_function("f", f)
    theta = as_array("theta", theta)
    p = as_array("p", p)
    if theta.dtype.kind not in "biuf" or p.dtype.kind not in "biuf":
        raise ValueError(f"theta is {theta.dtype}{theta.shape}, p {p.dtype}{p.shape}: expected real numbers")
    theta = theta if theta.dtype.kind == "f" else theta.astype(np.float64)
    if p.shape != theta.shape:
        raise ValueError(f"direction p has shape {p.shape}: expected that of theta, {theta.shape}")
    if eps is not None and (not isinstance(eps, Real) or not 0 < eps < np.inf):
        raise ValueError(f"eps is {shown(eps)}: expected a positive number")
    eps = default_eps(theta, p, method) if eps is None else eps
    if method == "complex":
        return np.imag(_at_complex(f, theta + (1j * eps) * p)) / eps
    if method == "central":
        return (f(theta + eps * p) - f(theta - eps * p)) / (2 * eps)
    return (f(theta + eps * p) - f(theta)) / eps


def _at_complex(f, theta):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return f(theta)
    except (TypeError, np.exceptions.ComplexWarning) as error:
        raise ValueError(f"the function does not take complex numbers ({error}): use method='central'") from error


def default_eps(theta, p, method):
    """Return the step that ``directional_derivative`` takes when none is given."""
    unit = float(np.finfo(theta.dtype).eps)
    if method == "complex":
        return 1e-200 if unit < 1e-10 else 1e-30
    length = float(np.linalg.norm(p))
    if not length:
        raise ValueError("direction p is zero: expected one along which theta can be moved")
    return (1 + float(np.linalg.norm(theta))) / length * unit ** (1 / 3 if method == "central" else 1 / 2)


def is_single(*arrays):
    """Return whether one of these arrays has less than double precision."""
    return any(np.asarray(a).dtype.kind in "fc" and np.finfo(np.asarray(a).dtype).eps > 1e-10 for a in arrays)


class Function:
    """A function of a flat vector and its derivatives at theta, in the precision in which it answers.

    Args:
        f: function of theta, returning a number or an array.
        theta: where, (n_params,). It is given to f in double precision, unless f allows or answers single alone.
        method: of ``directional_derivative``.
        preactivations: function of theta, returning arrays whose sign changes along the steps are counted.

    Attributes:
        value: f(theta), an array.
        sign_changes: number of entries of ``preactivations`` that changed sign in all, or None if not counted.
    """

    def __init__(self, f, theta, method, preactivations=None):
        as_function("the function", f)
        as_method(method)
        theta = as_array("theta", theta)
        if theta.ndim != 1 or not theta.size or theta.dtype.kind not in "iuf" or not np.isfinite(theta).all():
            raise ValueError(f"theta is {theta.dtype}{theta.shape}: expected a flat vector of finite real numbers")
        self.f = f
        self.method = method
        self.preactivations = preactivations
        self.sign_changes = None
        self.theta = theta.astype(np.float64)
        try:
            self.value = np.asarray(f(self.theta))
        except (TypeError, ValueError):
            if not is_single(theta):
                raise
            self.value = np.float32(0)
        if is_single(self.value):
            self.theta = theta.astype(np.float32)
            self.value = np.asarray(f(self.theta))

    def along(self, p, method=None):
        """Return the derivative along p, and by how much round-off in f may change it."""
        p = p.astype(self.theta.dtype)
        method = method or self.method
        derivative = np.asarray(directional_derivative(self.f, self.theta, p, method))
        if method == "complex":
            return derivative, 0.0
        eps = default_eps(self.theta, p, method)
        if self.preactivations:
            self.sign_changes = (self.sign_changes or 0) + self._changes(p, eps, method)
        return derivative, self._round_off(eps)

    def _round_off(self, eps):
        return 3 * float(np.finfo(self.theta.dtype).eps) / eps * np.abs(self.value)

    def _changes(self, p, eps, method):
        before = self.preactivations(self.theta - eps * p if method == "central" else self.theta)
        after = self.preactivations(self.theta + eps * p)
        return sum(int(np.count_nonzero((a > 0) != (b > 0))) for a, b in zip(before, after, strict=True))

    def seems_analytic(self, p):
        """Return whether the complex step along p agrees with a central difference, to 1e-3 and round-off.

        It does not for functions that take |x|, a norm or a real part: there the complex step is wrong without a word.
        Three lengths of step are tried, as a kink may lie within the longer ones.
        """
        p = p.astype(self.theta.dtype)
        step = directional_derivative(self.f, self.theta, p, "complex")
        eps = default_eps(self.theta, p, "central")
        for shorter in (eps, eps / 30, eps / 1000):
            difference = directional_derivative(self.f, self.theta, p, "central", shorter)
            size = max(np.linalg.norm(step), np.linalg.norm(difference))
            if np.linalg.norm(step - difference) <= 1e-3 * size + 10 * np.linalg.norm(self._round_off(shorter)):
                return True
        return bool(self.preactivations and self._changes(p, shorter, "central"))
