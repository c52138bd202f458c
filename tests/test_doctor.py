"""The gradient doctor: its table of lines is right, right answers pass, every planted bug is found and located."""

import numpy as np
import pytest
from answers import lab1

from aelib import passes
from aelib.coursework import doctor, probes


@pytest.mark.parametrize("net", probes.NETS)
def test_the_lines_are_those_of_the_passes(net):
    probe = probes.Probe("rp_backward", np.random.default_rng(0), *net)
    layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V = probe.arguments().values()
    primal = passes.forward(layers, probe.X)
    adjoint = passes.backward(layers, primal, grad_z[-1])
    tangent = passes.rp_forward(layers, p, primal)
    R = passes.rp_backward(layers, p, primal, adjoint, tangent, R_V)
    pairs = (u, primal.u), (z, primal.z), (grad_u, adjoint.grad_u), (R_u, tangent.R_u), (R_z, tangent.R_z)
    for l, layer in enumerate(layers, start=1):
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours[l], theirs[l], rtol=1e-12)
        W, b = layer.split(R.grad)
        np.testing.assert_allclose(probe.right["R_grad_W", l], W, rtol=1e-12, atol=1e-12)
        if b is not None:
            np.testing.assert_allclose(probe.right["R_grad_b", l], b, rtol=1e-12, atol=1e-12)


VARIANTS = [(name, variant) for name, by in lab1.RIGHT.items() for variant in by]


@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=map("-".join, VARIANTS))
def test_right_answers_are_right(name, variant):
    for seed in range(3):
        found = doctor.diagnose(name, lab1.RIGHT[name][variant], seed)
        assert found.right and found.status == "right" and not found.finding, str(found)
    found = doctor.diagnose(name, lab1.RIGHT[name][variant], 3, dtype="float32")
    assert found.right, str(found)


@pytest.mark.parametrize(("name", "old", "new", "quantity", "word"), lab1.BUGS)
def test_planted_bugs_are_found_and_located(name, old, new, quantity, word):
    found = doctor.diagnose(name.split(",")[0], lab1.planted(name, old, new), seed=5)
    assert not found.right and found.status in ("wrong", "crash")
    assert quantity is None or (found.quantity == quantity and (found.layer is None) == (quantity in ("V", "p")))
    assert word in found.cause, found.cause
    assert found.finding and len(str(found).splitlines()) <= 6
    assert "aelib" not in str(found) and "Traceback" not in str(found)
