"""The registries may grow: who adds an optimizer or an activation changes one place, and every law holds for it.

Nadam and gelu are entered here as ``aelib/README.md`` says, at run time.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import test_activations
import test_optimizers
import test_products
from newcomers import GELU, Nadam

from aelib import Autoencoder, optimizers
from aelib.activations import ACTIVATIONS
from aelib.common.settings import Settings, coefficient_settings
from aelib.optimizers import OPTIMIZERS
from aelib.widgets.console.live_run import LiveRun
from aelib.widgets.console.transcript import as_code


@pytest.fixture(autouse=True)
def entered(monkeypatch):
    """The entries that one who adds them makes."""
    monkeypatch.setitem(OPTIMIZERS, "Nadam", Nadam)
    monkeypatch.setattr(optimizers, "Nadam", Nadam, raising=False)
    monkeypatch.setitem(ACTIVATIONS, "gelu", GELU)


def test_every_module_is_imported_with_new_entries():
    code = """
import importlib, pkgutil
import aelib
from aelib.activations import ACTIVATIONS
from aelib.optimizers import OPTIMIZERS
from newcomers import GELU, Nadam
OPTIMIZERS["Nadam"] = Nadam
ACTIVATIONS["gelu"] = GELU
for module in pkgutil.walk_packages(aelib.__path__, "aelib."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parent)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_laws_of_activations(dtype):
    test_activations.test_derivatives_are_the_complex_step_of_what_they_derive(GELU)
    test_activations.test_dtype_stored_z_and_out(GELU, dtype)
    test_activations.test_no_overflow_and_no_subnormal_slopes("gelu", dtype)
    test_activations.test_whole_numbers_are_points_too("gelu")


def test_products_against_the_dense_oracle(rng):
    test_products.test_every_activation_against_dense_matrices("gelu", rng)


def test_laws_of_optimizers(rng):
    test_optimizers.test_blocks_and_flushes_do_not_show("Nadam", rng)
    test_optimizers.test_copies_are_whole_and_go_on_alike("Nadam", rng)
    test_optimizers.test_learning_rate_is_settable_between_steps("Nadam")
    test_optimizers.test_grad_is_left_alone("Nadam", rng)
    for kind in (np.float32, np.int64):
        test_optimizers.test_numbers_of_numpy_are_those_of_python("Nadam", kind, rng)


def test_a_run_of_them(mnist, tmp_path):
    settings = Settings((784, 6, 2, 6, 784), "gelu", method="Nadam", step=0.01, images=200, epochs=5, batch=20)
    assert coefficient_settings("Nadam") == {"beta1": "momentum", "beta2": "decay"}
    assert "Nadam" in settings.label and "gelu" in settings.label
    found = settings.trace(
        mnist.train_images, at=[0, 50], measure=dict(loss=lambda m: m.loss(mnist.train_images[:200]))
    )
    assert found.loss[1] < found.loss[0] and math.isfinite(found.loss[1])
    found.model.save(tmp_path / "net.npz")
    np.testing.assert_array_equal(Autoencoder.load(tmp_path / "net.npz").theta, found.model.theta)


def test_the_consoles_code_of_them(mnist):
    """It runs as it stands, and makes the same losses bit for bit."""
    run = LiveRun(
        mnist, Settings((784, 4, 784), "gelu", method="Nadam", images=100, epochs=2, batch=20, schedule="cosine")
    )
    while run.update < 7 and run.advance():
        pass
    code = as_code(run)
    assert "from aelib.optimizers import Nadam, cosine" in code
    scope = {}
    exec(code.replace("start_lab()", "None"), scope)
    assert scope["losses"] == [row.train_loss for row in run.history.rows]
