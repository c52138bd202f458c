"""Exercises of lab 1, the derivation: the passes are judged by the doctor, the others by the complex step."""

import numpy as np

from aelib import Autoencoder
from aelib.checks import directional_derivative
from aelib.coursework.doctor import diagnose
from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.laws import close, several, unchanged
from aelib.passes import forward

LAB = "01_derivation"
PASSES = {  # points, and who else gives the function: lab 6 shows both again, and runs them on dual numbers
    "forward": (2, ("aelib.passes.forward", "forward of 06_automatic_differentiation")),
    "loss_and_gradient": (1, ()),
    "backward": (3, ("aelib.passes.backward", "backward of 06_automatic_differentiation")),
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


@exercise("rp_forward_bug", lab=LAB, points=1)
def rp_forward_bug(answer, rng):
    """R_p{1} = 1 adds b_l to every R_p{u^l}: the right pass along a direction whose bias part is q_l + b_l."""
    for sizes in ([5, 4, 2, 3, 5], [4, 3, 4]):
        model = Autoencoder(sizes, hidden="tanh", seed=0)
        theta = model.theta[...] = rng.standard_normal(model.theta.size)
        p, X = rng.standard_normal(theta.size), rng.random((3, sizes[0]))
        kept, moved = p.copy(), p.copy()
        for layer in model.layers:
            layer.split(moved)[1][...] += layer.b
        u, z = forward(model.layers, X)
        R_u, R_z = several(answer(model.layers, p, u, z), 2, "R_u, R_z")
        unchanged(kept, p, "p")
        unchanged(theta, model.theta, "theta")
        for l in range(1, len(sizes)):
            for R, part, what in ((R_u, 0, "R_u"), (R_z, 1, "R_z")):

                def moving(t, model=model, X=X, part=part, l=l):
                    return forward(model.with_theta(t).layers, X + 0j)[part][l]

                step = directional_derivative(moving, theta, moved)
                close(
                    several(R, len(sizes), what)[l], step, f"{what} of layer {l}, its bias moving by b_l + q_l", 1e-12
                )


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
