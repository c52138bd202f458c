"""Exercises of lab 1, the derivation: the passes are judged by the doctor, the others by the complex step."""

import numpy as np

from aelib.checks import directional_derivative
from aelib.coursework.doctor.diagnosis import diagnose
from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import close, unchanged

LAB = "01_derivation"
PASSES = {  # points, and the function of the package that it is
    "forward": (2, ("aelib.passes.forward",)),
    "loss_and_gradient": (1, ()),
    "backward": (3, ("aelib.passes.backward",)),
    "rp_forward": (2, ("aelib.passes.rp_forward",)),
    "rp_backward": (4, ("aelib.passes.rp_backward",)),
    "gauss_newton": (1, ()),
}


def by_doctor(name):
    """Return a test that asks the doctor."""

    def test(answer, rng):
        found = diagnose(name, answer, rng)
        if found.status == "not written":
            raise NotImplementedError("not written yet")
        if not found.right:
            raise Wrong(found.finding, found.table, found.hints, found.status)

    return test


for _name, (_points, _own) in PASSES.items():
    exercise(_name, LAB, _points, _own)(by_doctor(_name))


@exercise("arctan", lab=LAB, points=1)
def arctan(answer, rng):
    """Of a class of an activation: g' and g'' by the complex step, with and without ``out``."""
    a = answer()
    for shape in ((7,), (3, 4)):
        u = 3 * rng.standard_normal(shape)
        kept, ones = u.copy(), np.ones(shape)
        close(a.g(u), np.arctan(u), "g")
        close(a.dg(u), directional_derivative(np.arctan, u, ones), "g'", 1e-12)
        close(a.d2g(u), directional_derivative(lambda u: 1 / (1 + u * u), u, ones), "g''", 1e-12)
        close(a.dg(u + 1e-200j).imag * 1e200, a.d2g(u), "the imaginary part of g' at u + i eps, over eps", 1e-12)
        out = np.full(shape, np.nan)
        a.dg(u, None, out)
        close(out, a.dg(u), "what g' wrote into out", 1e-12)
        unchanged(kept, u, "u")
