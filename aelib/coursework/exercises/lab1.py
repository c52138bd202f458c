"""Exercises of lab 1, the derivation: the passes are judged by the doctor, the others by the complex step."""

import numpy as np

from aelib.checks import directional_derivative
from aelib.coursework.doctor.diagnosis import diagnose
from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import ask_unchanged, close
from aelib.coursework.findings import Wrong

LAB = "01_derivation"
PASSES = {  # points, the function of the package that it is, hints
    "forward": (
        2,
        ("aelib.passes.forward",),
        (
            "look at shapes first: images stand in rows, z[l-1] is (n, n_{l-1}), W is (n_l, n_{l-1}), u[l] has to be "
            "(n, n_l). In a layer without bias layer.b is None.",
            "the two formulas stand above the exercise, in lab 1's section on the model: u^l from z^{l-1}, W_l and "
            "b_l, and z^l from u^l, for l = 1 ... L. z[0] is X, and there is no u[0].",
            "a smaller case: one image x = (1, 2), one layer with W = [[3, 4]], b = [5], the identity for g. Then "
            "u[1] is 1 * 3 + 2 * 4 + 5 = 16, so u = [None, [[16]]] and z = [[[1, 2]], [[16]]].",
        ),
    ),
    "loss_and_gradient": (
        1,
        (),
        (
            "F is a mean over images and a sum over pixels. How often may 1/n stand in the adjoint V that you hand to "
            "backward, if backward itself has none?",
            "F and its adjoint at the output stand above the exercise; backward takes that adjoint as V. n is the "
            "number of rows of X.",
            "a smaller case: two images of one pixel, x = 0 and 1, outputs 1 and 4. The residuals are 1 and 3, "
            "F = (1 + 9) / (2 * 2) = 2.5, and V = (0.5, 1.5).",
        ),
    ),
    "backward": (
        3,
        ("aelib.passes.backward",),
        (
            "each layer, the last one first, takes three steps: from grad_z[l] to grad_u[l]; from grad_u[l] to the "
            "blocks of W and b; from grad_u[l] to grad_z[l-1]. Check the shape of each: grad_u[l] is like u[l], "
            "grad_W like W.",
            "the four formulas stand above the exercise. theta holds layer 1 first, and of each layer W row by row, "
            "then b, where there is one: the flat gradient is laid out alike, whatever the order in which you compute "
            "it.",
            "a smaller case: one layer, the identity for g, W = [[3, 4]], b = [5], images (1, 2) and (0, 1), V = "
            "[[1], [10]]. Then grad_u[1] = V, grad_W = 1 * (1, 2) + 10 * (0, 1) = (1, 12), grad_b = 11, grad_z[0] = "
            "[[3, 4], [30, 40]], and the flat gradient is (1, 12, 11).",
        ),
    ),
    "rp_forward": (
        2,
        ("aelib.passes.rp_forward",),
        (
            "theta moves along p: W_l becomes W_l + eps P_l, b_l becomes b_l + eps q_l, and the images stay. "
            "P, q = layer.split(p) are this layer's blocks of the flat p; q is None in a layer without bias.",
            "apply d/d eps at eps = 0 to the two lines of forward: the product rule for u^l, the chain rule for z^l. "
            "The results stand above the exercise.",
            "a smaller case: one image x = (1, 2); layer 1 has W = [[3, 4]], b = [5], P = [[1, 0]], q = [7]; layer 2 "
            "has W = [[2]], P = [[5]], q = [0]; g is the identity. Then R_u[1] = 1 * 1 + 2 * 0 + 7 = 8, and with z[1] "
            "= 16 R_u[2] = 16 * 5 + 8 * 2 = 96.",
        ),
    ),
    "rp_backward": (
        4,
        ("aelib.passes.rp_backward",),
        (
            "apply R_p to each line of backward: a product of two things that move with theta gives two terms. z, u, "
            "the adjoints and W move. What does R_p make of g'(u)?",
            "the four formulas stand above the exercise; R_p{W_l} is P_l, which layer.split(p) gives, and "
            "R_p{g'(u)} = g''(u) R_p{u}, with g'' = layer.activation.d2g.",
            "a smaller case: one layer, one image x = 2, W = 3, no bias, g(u) = u^2 / 2, so g' = u, g'' = 1 and u = "
            "6. With grad_z = 5: grad_u = 30, grad_W = 60. Along P = 1: R_u = 2, and with R_V = 7: R_grad_u = 7 * 6 + "
            "5 * 1 * 2 = 52, R_grad_W = 52 * 2 + 30 * 0 = 104.",
        ),
    ),
    "gauss_newton": (
        1,
        (),
        (
            "G is J^T J / n. Which of your passes makes J p from p, and which makes J^T V from V? n is the number of "
            "rows of z[0], not a number from another cell.",
            "the definition of G, and how Gp is made by one pass forward and one backward, stands above the exercise.",
            "a smaller case: the output is w x, with one weight w, so J is the column of the images. For x = 1 and 3 "
            "and p = 2: Jp = (2, 6), over n = 2: (1, 3), and J^T of that is 1 * 1 + 3 * 3 = 10.",
        ),
    ),
}


def by_doctor(name):
    """Return a test that asks the doctor."""
    return lambda answer, rng: diagnose(name, answer, rng)


for _name, (_points, _own, _hints) in PASSES.items():
    exercise(_name, LAB, _points, _hints, _own)(by_doctor(_name))


@exercise(
    "arctan",
    lab=LAB,
    points=1,
    hints=(
        "g' and g'' are functions of u. z, where it is given, is g(u), and out, where it is given, is an array that "
        "g' is written into, and returned too: most NumPy functions take out=out.",
        "differentiate tan(g(u)) = u on both sides: the derivative of tan is 1 + tan^2. Then differentiate g' once "
        "more. What g, dg and d2g are for the package's own activations stands in aelib/activations.py.",
        "a smaller case: at u = 0, g' = 1 and g'' = 0; at u = 1, g' = 1/2 and g'' = -1/2; at u = -1, g' = 1/2 and g'' "
        "= 1/2.",
    ),
)
def arctan(answer, rng):
    """Of a class of an activation: g' and g'' by the complex step, with and without ``z`` and ``out``."""
    a = answer()
    for shape in ((7,), (3, 4)):
        u, ones = 3 * rng.standard_normal(shape), np.ones(shape)
        z = np.arctan(u)
        slope = directional_derivative(np.arctan, u, ones)
        bend = directional_derivative(lambda u: 1 / (1 + u * u), u, ones)
        without_sign = [("the sign of g'' is wrong", -bend)]
        close(ask_unchanged(a.g, "u", u), z, "g")
        close(ask_unchanged(a.dg, "u", u), slope, "g'", 1e-12)
        close(ask_unchanged(a.d2g, "u", u), bend, "g''", 1e-12, without_sign)
        close(ask_unchanged(a.dg, "u z", u, z), slope, "g', where z = g(u) is given too", 1e-12)
        close(ask_unchanged(a.d2g, "u z", u, z), bend, "g'', where z = g(u) is given too", 1e-12)
        moved = a.dg(u + 1e-200j)
        lost = [("it is lost: by an array of real numbers, or by abs or .real", np.zeros(shape))]
        close(np.imag(moved) * 1e200, bend, "the imaginary part of g' at a complex u + i eps, over eps", 1e-12, lost)
        out = np.full(shape, np.nan)
        returned = a.dg(u.copy(), None, out)
        if np.isnan(out).all():
            raise Wrong("g' with an array out: nothing was written into out")
        close(out, slope, "g' with an array out: what was written into it", 1e-12)
        close(returned, slope, "g' with an array out: what was returned", 1e-12)


question(
    "1.7",
    (
        "two questions stand here: for which parameters is the wrong term different from 0, and for which p?",
        "the section on R_p says what R_p makes of a constant; linearity of Jp in p says what it is at p = 0.",
        "a smaller case: u = w x + b with w = 2, b = 3, x = 1, along p = (0, 0). What does the right pass return for "
        "R_p{u}, and what does the wrong one?",
    ),
)
question(
    "1.9",
    (
        "write F as a mean of h(z^L) and differentiate twice along p: the chain rule gives one part with the second "
        "derivative of h and one with that of z^L.",
        "the formula for H stands in the section on Gauss-Newton; multiply it by p from both sides.",
        "a smaller case: one image, F = (z - x)^2 / 2 with z = w^2, so z' = 2w, z'' = 2: F'' = (2w)^2 + (w^2 - x) * "
        "2. At w = 1, x = 4 it is 4 - 6 = -2. Which of the two parts can be negative?",
    ),
)
question(
    "1.10",
    (
        "one array now stands in two lines of the forward pass. What does the chain rule do with a variable that is "
        "used twice?",
        "the formulas for nabla_W and R_p{nabla_W} of a single use stand above exercises 1.2 and 1.5; here the "
        "weights of the last layer stand transposed.",
        "a smaller case: u = w x, z = u, y = w z = w^2 x. With x = 3, w = 2: dy/dw = z + w x = 6 + 6 = 12, one share "
        "for each use; and the second derivative is 2x = 6.",
    ),
)
