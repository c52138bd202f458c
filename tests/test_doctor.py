"""The gradient doctor: its table of lines is right, right answers pass, every planted bug is found and located."""

import numpy as np
import pytest
from answers import lab1

from aelib import passes
from aelib.coursework.doctor import networks
from aelib.coursework.doctor.diagnosis import diagnose
from aelib.coursework.doctor.observation import Finding


def finding(name, answer, seed=5):
    """Return what the doctor finds in a wrong answer."""
    with pytest.raises(Finding) as found:
        diagnose(name, answer, seed)
    return found.value


@pytest.mark.parametrize("net", (*networks.NETS, *networks.FURTHER), ids=str)
def test_the_lines_are_those_of_the_passes(net):
    probe = networks.Probe("rp_backward", np.random.default_rng(0), net)
    layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V = probe.arguments().values()
    primal = passes.forward(layers, probe.X)
    adjoint = passes.backward(layers, primal, grad_z[-1])
    tangent = passes.rp_forward(layers, p, primal)
    R = passes.rp_backward(layers, p, primal, adjoint, tangent, R_V)
    pairs = (u, primal.u), (z, primal.z), (grad_u, adjoint.grad_u), (R_u, tangent.R_u), (R_z, tangent.R_z)
    for l, layer in enumerate(layers, start=1):
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours[l], theirs[l], rtol=1e-12, atol=1e-12)  # sums that nearly cancel
        W, b = layer.split(R.grad)
        np.testing.assert_allclose(probe.right["R_grad_W", l], W, rtol=1e-12, atol=1e-12)
        if b is not None:
            np.testing.assert_allclose(probe.right["R_grad_b", l], b, rtol=1e-12, atol=1e-12)


VARIANTS = [(name, variant) for name in networks.FORMS for variant in lab1.RIGHT[name]]


@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=map("-".join, VARIANTS))
def test_right_answers_are_right(name, variant):
    for seed in range(3):
        diagnose(name, lab1.RIGHT[name][variant], seed)
    diagnose(name, lab1.RIGHT[name][variant], 3, dtype="float32")


@pytest.mark.parametrize(("name", "old", "new", "quantity", "word"), lab1.BUGS)
def test_planted_bugs_are_found_and_located(name, old, new, quantity, word):
    found = finding(name.split(",")[0], lab1.planted(name, old, new))
    assert found.state in ("wrong", "crash")
    assert quantity is None or (found.quantity == quantity and (found.layer is None) == (quantity in ("V", "p")))
    assert word in found.cause, found.cause
    assert found.finding and len(str(found).splitlines()) <= 6
    assert "aelib" not in str(found) and "Traceback" not in str(found)


def rejoined(*order):
    """Return ``backward`` with right numbers that are joined in another order."""

    def backward(layers, u, z, V):
        grad, grad_u, grad_z = lab1.PASSES["backward"](layers, u, z, V)
        blocks = [layer.split(grad) for layer in layers]
        if "reversed" in order:
            blocks = blocks[::-1]
        if "columns" in order:
            blocks = [(W.T, b) for W, b in blocks]
        if "b first" in order:
            blocks = [(b, W) for W, b in blocks]
        return np.concatenate([a.ravel() for pair in blocks for a in pair if a is not None]), grad_u, grad_z

    return backward


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (("reversed",), "the last layer stands first"),
        (("b first",), "b stands before W"),
        (("columns",), "W is written by columns"),
        (("reversed", "b first"), "the last layer stands first, and b before W"),
    ],
)
def test_right_numbers_in_another_layout_are_told_from_wrong_ones(order, words):
    found = finding("backward", rejoined(*order))
    assert "the right numbers" in found.finding and words in found.cause


def test_a_number_of_images_from_outside_is_named():
    source = lab1.SOURCE["gauss_newton"].replace("len(z[0])", "20")
    found = finding("gauss_newton", lab1.written("gauss_newton", source, **lab1.PASSES))
    assert "global n" in found.cause and found.quantity == "JpV"


def test_the_length_of_the_list_of_layers_is_told_from_the_number_of_images():
    source = lab1.SOURCE["gauss_newton"].replace("len(z[0])", "len(z)")
    found = finding("gauss_newton", lab1.written("gauss_newton", source, **lab1.PASSES))
    assert "length of the list z" in found.cause and "rows of z[0]" in found.cause and found.quantity == "JpV"


def test_a_wrong_loss_is_no_coefficient():
    """One number is always a multiple of another: a coefficient has to be the same on all networks."""
    source = lab1.SOURCE["loss_and_gradient"].replace("0.5 * np.sum(r**2) / n", "0.5 * np.sum(z[-1] ** 2) / n")
    for seed in range(3):
        found = finding("loss_and_gradient", lab1.written("loss_and_gradient", source, **lab1.PASSES), seed)
        assert found.quantity == "loss" and "coefficient" not in found.cause and "1.5" not in found.cause


def test_a_product_for_a_sum_is_not_a_missing_term():
    """In layer 1 alone, where R_z is 0, it looks like one."""
    source = lab1.SOURCE["rp_forward"].replace("@ P.T + R_z", "@ P.T * (R_z").replace("layer.W.T)", "layer.W.T))")
    cause = finding("rp_forward", lab1.written("rp_forward", source)).cause
    assert "is missing" not in cause and "coefficient" not in cause


FIXED = {  # what takes the networks of the lab for granted: (function, right text, text)
    "four layers in forward": ("forward", "for layer in layers:", "l1, l2, l3, l4 = layers\n    for layer in layers:"),
    "four layers in backward": ("backward", "range(len(layers), 0, -1)", "range(4, 0, -1)"),
    "four layers in rp_forward": ("rp_forward", "enumerate(layers, start=1)", "zip(range(1, 5), layers)"),
    "four layers in rp_backward": ("rp_backward", "range(len(layers), 0, -1)", "range(4, 0, -1)"),
    "a single image is squeezed": ("forward", "return u, z", "return [None, *map(np.squeeze, u[1:])], z"),
    "the last layer alone has no bias": (
        "forward",
        "if layer.b is not None",
        "if layer is not layers[-1] or layer.b is not None",
    ),
    "layer 2 is linear": ("forward", "layer.activation.g(a)", "a if len(z) == 2 else layer.activation.g(a)"),
    "u[0] is the images": ("forward", "[None], [X]", "[X], [X]"),
}


@pytest.mark.parametrize("what", FIXED)
def test_what_the_labs_networks_have_in_common_is_not_taken_for_granted(what):
    name, right, fixed = FIXED[what]
    found = finding(name, lab1.planted(name, right, fixed))
    assert found.finding and len(str(found).splitlines()) <= 6
