"""Seven bugs of lab 2, planted in the package for as long as its checks run.

The passes and products of the package are replaced where ``Linearization`` looks them up; nothing else is touched.
"""

from unittest import mock

from aelib import checks, passes
from aelib.linearization import Linearization

_rp_forward, _rp_backward = passes.rp_forward, passes.rp_backward
_hvp, _gnvp = Linearization.hvp, Linearization.gnvp


def _no_d2g(layers, p, primal, adjoint, tangent, R_V, out=None):
    still = passes.Tangent([0.0] * len(tangent.R_u), tangent.R_z)
    return _rp_backward(layers, p, primal, adjoint, still, R_V)


def _one(layers, p, primal, out=None):  # R_p{1} = 1
    p = p.copy()
    for layer in layers:
        p[layer.b_slice] += layer.b
    return _rp_forward(layers, p, primal)


def _stale(self, p):
    Gp = _gnvp(self, p)
    self.adjoint.grad_u[-1][:] *= 2
    return Gp


def _times_n(f):
    return lambda *a, out=None, **options: f(*a[:-1], len(a[-1]) * a[-1], **options)


_N_IN_GRAD, _N_IN_HP = dict(backward=_times_n(passes.backward)), dict(rp_backward=_times_n(_rp_backward))
BUGS = {  # name -> (what is changed, its wrong functions)
    "g'' dropped": (passes, dict(rp_backward=_no_d2g)),
    "1/n forgotten in Hp": (passes, _N_IN_HP),
    "... in ∇F and in Hp": (passes, _N_IN_GRAD | _N_IN_HP),
    "... in Gp": (Linearization, dict(gnvp=lambda self, p: len(self.output) * _gnvp(self, p))),
    "sign of Hp": (Linearization, dict(hvp=lambda self, p: -_hvp(self, p))),
    "R_p{1} = 1 for the bias": (passes, dict(rp_forward=_one)),
    "stale cache after Gp": (Linearization, dict(gnvp=_stale)),
}


def caught_by(bug, model, X):
    """Return the names of the checks of ``check_model`` that fail with a bug planted, and "|cos|" below 0.999.

    Args:
        bug: a key of ``BUGS``.
        model: an ``Autoencoder``.
        X: images, (n, D).
    """
    target, wrong = BUGS[bug]
    collect = mock.patch.object(checks.Outcome, "verify", lambda self: self)  # raises nothing
    with mock.patch.multiple(target, **wrong), collect:
        outcomes = checks.check_model(model, X)
    hits = [name for name, outcome in outcomes.items() if not outcome.passed]
    return hits + ["|cos|"] * (abs(outcomes["Hp"].rows["all"].cosine) < 0.999)
