"""The gradient doctor: its table of lines is right, right answers pass, every planted bug is found and located."""

import numpy as np
import pytest

from aelib import passes
from aelib.coursework import probes


@pytest.mark.parametrize("net", probes.NETS)
def test_the_lines_are_those_of_the_passes(net):
    probe = probes.Probe("rp_backward", np.random.default_rng(0), *net)
    layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V = probe.arguments()
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
