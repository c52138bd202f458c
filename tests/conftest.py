"""Shared fixtures; and one BLAS thread: tests run side by side, where two BLAS threads are slower than one.

NumPy may be loaded already, by the pytest plugin; so the limit is set in this process too, not only for its kernels.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # the notebooks' kernels inherit it

from pathlib import Path

import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from threadpoolctl import threadpool_limits

from aelib import Adam, Autoencoder, load_mnist, train

threadpool_limits(1)
set_hypothesis_home_dir(Path(__file__).resolve().parent.parent / ".pytest_cache" / "hypothesis")


@pytest.fixture(scope="session")
def mnist():
    return load_mnist()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def trained(X, steps=20, **arguments):
    """Return a float64 model after some Adam steps on batches of X."""
    model = Autoencoder(**arguments)
    for progress in train(model, X, Adam(1e-3), batch_size=min(100, len(X)), epochs=steps):
        if progress.update == steps:
            return model
    raise AssertionError("too few updates")


NETS = {
    "784-2-784": dict(sizes=[784, 2, 784], output_bias=False),
    "784-200-2": dict(sizes=[784, 200, 2, 200, 784], output_bias=False),
    "784-400-200-2": dict(sizes=[784, 400, 200, 2, 200, 400, 784], hidden="leaky_relu", output_bias=False),
    "tanh": dict(sizes=[784, 30, 5, 20, 784], hidden="tanh", code="tanh", weight_decay=1e-3),
    "sigmoid": dict(sizes=[784, 30, 5, 20, 784], hidden="sigmoid", weight_decay=1e-3),
    "softplus": dict(sizes=[784, 30, 5, 20, 784], hidden="softplus", output="identity"),
}
SMALL = {
    f"{hidden}-{code}-{output}{'' if bias else '-nobias'}{'-decay' if decay else ''}": dict(
        sizes=sizes, hidden=hidden, code=code, output=output, output_bias=bias, weight_decay=decay
    )
    for hidden, code, output, bias, decay, sizes in [
        ("tanh", "identity", "sigmoid", True, 0.0, [5, 4, 2, 3, 5]),
        ("tanh", "tanh", "tanh", False, 0.1, [5, 4, 2, 3, 5]),
        ("sigmoid", "softplus", "identity", True, 0.1, [5, 3, 1, 4, 5]),
        ("softplus", "identity", "softplus", True, 0.0, [4, 3, 2, 4, 4]),
        ("relu", "identity", "sigmoid", True, 0.1, [5, 4, 2, 3, 5]),
        ("leaky_relu", "sigmoid", "identity", False, 0.0, [5, 4, 2, 3, 5]),
        ("identity", "identity", "identity", True, 0.0, [4, 2, 4]),
    ]
}
