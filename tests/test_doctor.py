"""The gradient doctor: its table of lines is right, right answers pass, every planted bug is found and located."""

import numpy as np
import pytest
from answers import lab1

from aelib import Autoencoder, passes
from aelib.checks import CheckFailed, check_model
from aelib.coursework import checkup
from aelib.coursework.doctor import diagnosis as doctor
from aelib.coursework.doctor import networks as probes


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
            np.testing.assert_allclose(ours[l], theirs[l], rtol=1e-12, atol=1e-12)  # sums that nearly cancel
        W, b = layer.split(R.grad)
        np.testing.assert_allclose(probe.right["R_grad_W", l], W, rtol=1e-12, atol=1e-12)
        if b is not None:
            np.testing.assert_allclose(probe.right["R_grad_b", l], b, rtol=1e-12, atol=1e-12)


VARIANTS = [(name, variant) for name in probes.FORMS for variant in lab1.RIGHT[name]]


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


@pytest.mark.parametrize(
    ("slip", "word"),
    [
        (lambda g, t: -g, "wrong sign"),
        (lambda g, t: 2 * g, "factor 2"),
        (lambda g, t: 20 * g, "1/n is missing, if n = 20"),
        (lambda g, t: g / 20, "n = 20"),
        (lambda g, t: g + 0.1 * t, "weight decay"),
        (lambda g, t: g[::-1], "axes"),
        (lambda g, t: g.astype(np.float32), "float32"),
        (lambda g, t: np.multiply(t, 0, out=t) + g, "in place"),
        (lambda g, t: g * (np.arange(6) > 0), "nothing is computed"),
        (lambda g, t: g * (np.arange(6) > 0) + np.arange(6), ""),
        (lambda g, t: g * np.nan, ""),
        (lambda g, t: None, ""),
        (lambda g, t: g[:3], ""),
        (lambda g, t: t @ g[:3], ""),
    ],
)
def test_plain_gradients(slip, word, rng):
    def f(t):
        return np.sum(np.sin(t) * t)

    def grad(t):
        return np.cos(t) * t + np.sin(t)

    def not_analytic(t):
        return float(np.sum(np.sin(np.real(t)) * np.real(t)))

    theta = rng.standard_normal(6)
    for function in (f, not_analytic):
        assert checkup.examine_gradient(function, grad, theta).right
        found = checkup.examine_gradient(function, lambda t: slip(grad(t), t), theta)
        assert not found.right and found.finding and len(str(found).splitlines()) <= 6
        assert word in found.cause


def test_failed_checks_of_a_model_have_a_finding(monkeypatch):
    model = Autoencoder([6, 4, 2, 4, 6], hidden="tanh", seed=1)
    model.theta[:] += 0.1 * np.random.default_rng(0).standard_normal(model.theta.size)
    X = np.random.default_rng(1).uniform(size=(5, 6))
    assert checkup.examine_model(model, X).right
    backward, rp_forward, rp_backward = passes.backward, passes.rp_forward, passes.rp_backward
    bugs = {
        "backward": (lambda *a, **k: backward(*a[:-1], 5 * a[-1], **k), "gradient", "1/n is missing"),
        "rp_forward": (lambda *a, **k: rp_forward(a[0], -a[1], a[2]), "Jp", "wrong sign"),
        "rp_backward": (lambda *a, **k: rp_backward(*a[:4], a[4]._replace(R_u=[0.0] * 5), a[5]), "Hp", "g''"),
    }
    for name, (bug, quantity, word) in bugs.items():
        with monkeypatch.context() as patch:
            patch.setattr(passes, name, bug)
            found = checkup.examine_model(model, X)
            assert found.quantity == quantity and word in found.cause and f"look at {name}" in str(found)
            with pytest.raises(CheckFailed) as failure:
                check_model(model, X)
        assert "wrong" in str(checkup.explain_check(failure.value, n=5))
