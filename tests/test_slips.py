"""Slips: a public function that is given another thing than it expects says so in a sentence of its own.

Each argument of each function in turn is replaced by things that it might be mistaken for, swapped ones
among them. The call works all the same, or ends at a ``raise`` of this package, in one line; never within NumPy or
in its own internals, whose words tell a caller nothing.
"""

import itertools
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest

import aelib
from aelib import SGD, Adam, Autoencoder, RMSprop, checks, curvature, fit, optimizers, trace, train
from aelib.activations import activation
from aelib.common import baselines, geometry
from aelib.common.settings import Settings
from aelib.datasets import load_mnist, on_mnist, write_idx

PACKAGE = Path(aelib.__file__).parent
RNG = np.random.default_rng(0)
SIZES = [6, 3, 2, 3, 6]


def net():
    return Autoencoder(SIZES, hidden="tanh")


def stepped(make):
    optimizer, theta = make(0.01), np.ones(net().theta.size)
    optimizer.step(theta, theta)
    return optimizer


X = RNG.random((8, 6))
THETA = net().theta
P = RNG.standard_normal(THETA.size)
J = RNG.standard_normal((2, 6, 2))
AT = net().linearize(X)
A = np.diag(np.arange(1.0, 6.0))
THINGS = {
    "None": None,
    "a word": "relu",
    "a number": 2.5,
    "a negative number": -1,
    "nan": np.nan,
    "a list": [1, 2],
    "an array": np.ones((2, 3)),
    "words": np.array(["a", "b"]),
    "images": X,
    "theta": THETA,
    "a model": net(),
    "a class": Autoencoder,
    "an optimizer": Adam(0.1),
    "a function": lambda value: value,
    "an object": object(),
}


def loss(theta):
    return 0.5 * np.sum(theta * theta)


def identity(theta):
    return theta


CALLS = {  # name -> (function, arguments that are right); none of the arguments is changed by a call
    "Autoencoder": (Autoencoder, dict(sizes=SIZES, hidden="relu", code="tanh", output="sigmoid", output_bias=True)),
    "Autoencoder, too": (Autoencoder, dict(sizes=SIZES, init="he", weight_decay=0.1, seed=1, dtype="float32")),
    "activation": (activation, dict(name="relu")),
    "loss": (lambda X: net().loss(X), dict(X=X)),
    "loss_and_grad": (lambda X: net().loss_and_grad(X), dict(X=X)),
    "encode": (lambda X: net().encode(X), dict(X=X)),
    "decode": (lambda Z: net().decode(Z), dict(Z=X[:, :2])),
    "linearize": (lambda X: net().linearize(X), dict(X=X)),
    "hvp": (lambda X, p: net().hvp(X, p), dict(X=X, p=P)),
    "gnvp": (lambda X, p: net().gnvp(X, p), dict(X=X, p=P)),
    "at.hvp": (lambda p: AT.hvp(p), dict(p=P)),
    "at.gnvp": (lambda p: AT.gnvp(p), dict(p=P)),
    "at.jvp": (lambda p: AT.jvp(p), dict(p=P)),
    "at.vjp": (lambda V: AT.vjp(V), dict(V=X)),
    "theta": (lambda theta: setattr(net(), "theta", theta), dict(theta=THETA)),
    "with_theta": (lambda theta: net().with_theta(theta), dict(theta=THETA)),
    "W": (lambda W: setattr(net().layers[0], "W", W), dict(W=np.ones((3, 6)))),
    "start_output_bias": (lambda X: net().start_output_bias(X), dict(X=X)),
    "train": (lambda **given: next(train(**given)), dict(model=net(), X=X, optimizer=SGD(), epochs=1, batch_size=4)),
    "fit": (fit, dict(model=net(), X=X, optimizer=RMSprop(), epochs=1, batch_size=4, progress=False)),
    "fit, too": (fit, dict(model=net(), X=X, optimizer=Adam(), batch_size=4, seed=1, X_test=X, history=None)),
    "trace": (trace, dict(model=net(), X=X, optimizer=SGD(), epochs=1, batch_size=4, at=[0, 1], measure={})),
    "SGD": (SGD, dict(learning_rate=0.1, momentum=0.9)),
    "RMSprop": (RMSprop, dict(learning_rate=0.1, decay=0.9, epsilon=1e-8)),
    "Adam": (Adam, dict(learning_rate=0.1, beta1=0.9, beta2=0.9, epsilon=1e-8, epsilon_inside=True)),
    "step": (lambda theta, grad: SGD().step(theta, grad), dict(theta=np.ones(3), grad=np.ones(3))),
    "cosine": (optimizers.cosine, dict(learning_rate=0.1, updates=5, final=0.0)),
    "step_decay": (optimizers.step_decay, dict(learning_rate=0.1, every=5, factor=0.1)),
    "check_model": (checks.check_model, dict(model=net(), X=X, method="complex", tolerance=None, seed=0)),
    "check_gradient": (checks.check_gradient, dict(loss=loss, grad=identity, theta=P, blocks=None, method="central")),
    "check_product": (checks.check_product, dict(product=identity, f=identity, theta=P, blocks=None, tolerance=1e-3)),
    "check_equal": (checks.check_equal, dict(computed=P, reference=P, title="equal", blocks=None, tolerance=1e-3)),
    "check_symmetry": (checks.check_symmetry, dict(product=identity, size=5, tolerance=1e-3)),
    "compare": (checks.compare, dict(computed=P, reference=P)),
    "derivative": (checks.directional_derivative, dict(f=loss, theta=P, p=P, method="complex", eps=None)),
    "hessian": (curvature.hessian, dict(model=net(), X=X)),
    "gauss_newton": (curvature.gauss_newton, dict(model=net(), X=X)),
    "preconditioned": (curvature.preconditioned, dict(A=A, P=np.ones(5))),
    "adam_metric": (curvature.adam_metric, dict(optimizer=stepped(Adam))),
    "spectrum": (curvature.spectrum, dict(A=A, starts=2, steps=3, seed=0)),
    "decoder_jacobian": (geometry.decoder_jacobian, dict(model=net(), Z=X[:, :2])),
    "metric": (geometry.metric, dict(J=J)),
    "ellipses": (geometry.ellipses, dict(J=J, radius=1.0, longest=5.0)),
    "half_sse": (baselines.half_sse, dict(X=X, Z=X)),
    "pca": (baselines.pca, dict(X_train=X, X_test=X, components=2)),
    "ladder": (baselines.ladder, dict(X_train=X, X_test=X, components=(1, 2))),
    "Settings": (Settings, dict(sizes=(6, 2, 6), hidden="relu", init="he", output_bias="zero", method="SGD", step=0.1)),
    "Settings, too": (
        Settings,
        dict(momentum=0.5, decay=0.9, schedule="cosine", batch=10, epochs=2, images=50),
    ),
    "Settings.model": (lambda X: Settings(sizes=(6, 2, 6), images=5, batch=5).model(X), dict(X=X)),
    "load_mnist": (load_mnist, dict(path=None)),
    "on_mnist": (on_mnist, dict(mnist=load_mnist())),
    "save": (lambda path: net().save(path), dict(path="net.npz")),
    "load": (Autoencoder.load, dict(path="there.npz")),
    "write_idx": (write_idx, dict(path="array", array=np.arange(3))),
}


def swapped(arguments):
    """Yield the arguments with two neighbours exchanged."""
    names = list(arguments)
    for one, other in itertools.pairwise(names):
        yield f"{one} and {other} swapped", arguments | {one: arguments[other], other: arguments[one]}


def slips(arguments):
    yield from swapped(arguments)
    for name in arguments:
        for kind, thing in THINGS.items():
            yield f"{name} is {kind}", arguments | {name: thing}


def own_sentence(error):
    """Return whether an error ends at a raise statement of this package, with one line of words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    at_raise = Path(frame.filename).is_relative_to(PACKAGE) and (frame.line or "").startswith("raise ")
    return at_raise and ("\n" not in str(error) or isinstance(error, checks.CheckFailed)) and len(str(error)) > 20


@pytest.mark.parametrize("name", CALLS)
def test_a_slip_ends_in_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net().save("there.npz")
    function, arguments = CALLS[name]
    function(**arguments)
    found = []
    for what, given in slips(arguments):
        for optimizer in (value for value in given.values() if hasattr(value, "reset") and name != "adam_metric"):
            optimizer.reset()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                function(**given)
        except Exception as error:
            if not own_sentence(error):
                frame = traceback.extract_tb(error.__traceback__)[-1]
                found.append(f"{what}: {type(error).__name__}: {error} [{frame.filename}:{frame.lineno}]")
    assert not found, f"{len(found)} slips of {name} end in internals:\n" + "\n".join(found)
