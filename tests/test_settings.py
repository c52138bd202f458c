"""Settings: every field is checked, and what they make is what they say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from aelib import SGD, Adam, Autoencoder, RMSprop, trace
from aelib.common.settings import NETS, Settings

SMALL = Settings(sizes=(784, 4, 784), images=300, batch=50, epochs=2)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(method="Adagrad"), "method is 'Adagrad': expected one of SGD, RMSprop, Adam"),
        (dict(schedule="steps"), "schedule is 'steps': expected one of constant, step decay, cosine"),
        (dict(init="xavier"), "init is 'xavier': expected one of glorot, he, report"),
        (dict(output_bias="no"), "output_bias is 'no': expected one of none, zero, logit"),
        (dict(output_bias=["none"]), r"output_bias is \['none'\]: expected one of"),
        (dict(batch=501, images=500), "batch is 501: expected 1 to 500, the number of images"),
        (dict(batch=100.5), "batch is 100.5: expected a whole number of at least 1"),
        (dict(batch=0), "batch is 0: expected a whole number of at least 1"),
        (dict(epochs=0), "epochs is 0: expected a whole number of at least 1"),
        (dict(epochs=-1), "epochs is -1: expected a whole number of at least 1"),
        (dict(epochs=2.5), "epochs is 2.5: expected a whole number of at least 1"),
        (dict(images=True), "images is True: expected a whole number of at least 1"),
        (dict(seed=-1), "seed is -1: expected a whole number of at least 0"),
        (dict(step=math.nan), "step is nan: expected a finite number >= 0"),
        (dict(step="0.1"), "step is '0.1': expected a finite number >= 0"),
        (dict(weight_decay=-1e-5), "weight_decay is -1e-05: expected a finite number >= 0"),
        (dict(weight_decay=math.inf), "weight_decay is inf: expected a finite number >= 0"),
        (dict(momentum=2.0), "momentum is 2.0: expected 0 <= momentum < 1"),
        (dict(momentum=-0.5), "momentum is -0.5: expected 0 <= momentum < 1"),
        (dict(decay=1.0), "decay is 1.0: expected 0 <= decay < 1"),
        (dict(epsilon_inside=1), "epsilon_inside is 1: expected True or False"),
        (dict(hidden="swish"), "hidden is 'swish': expected names among identity"),
        (dict(hidden=("relu", "relu", "relu")), "expected one name, or 2, one a layer"),
        (dict(sizes="525"), "sizes is '525': expected an odd number of positive whole widths"),
        (dict(sizes=(784, 2.0, 784)), "sizes is .*: expected an odd number of positive whole widths"),
        (dict(sizes=(784, 2, 783)), "sizes is .*: expected an odd number of positive whole widths, the first equal"),
    ],
)
def test_bad_settings_are_named(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**values)
    with pytest.raises(ValueError, match=sentence):
        replace(Settings(), **values)  # also when changed on the way


def test_a_label_names_what_differs():
    assert Settings().label == "784-200-2, Adam 0.003, batch 100"
    label = Settings(method="SGD", decay=0.9, init="he", momentum=0.5).label
    assert label == "784-200-2, SGD 0.003, batch 100, init he, momentum 0.5"


def test_they_make_the_model_they_describe(mnist):
    settings = Settings(NETS["784-400-200-2"], ("relu", "leaky_relu", "leaky_relu", "relu"), "report", "none", 1e-5)
    model = settings.model(mnist.train_images)
    names = [layer.activation.name for layer in model.layers]
    assert names == ["relu", "leaky_relu", "identity", "leaky_relu", "relu", "sigmoid"]
    assert model.layers[-1].b is None and model.weight_decay == 1e-5 and model.dtype == np.float32
    started = replace(SMALL, output_bias="logit").model(mnist.train_images)
    plain = Autoencoder(SMALL.sizes, dtype="float32").start_output_bias(mnist.train_images[:300])
    np.testing.assert_array_equal(started.theta, plain.theta)


@pytest.mark.parametrize(
    ("method", "kind", "coefficients"),
    [
        ("SGD", SGD, dict(momentum=0.8)),
        ("RMSprop", RMSprop, dict(decay=0.99)),
        ("Adam", Adam, dict(beta1=0.8, beta2=0.99, epsilon_inside=True)),
    ],
)
def test_they_make_the_optimizer_they_describe(method, kind, coefficients):
    settings = replace(SMALL, method=method, momentum=0.8, decay=0.99, epsilon_inside=True, step=0.1)
    optimizer = settings.optimizer()
    assert type(optimizer) is kind and optimizer.rate == 0.1
    assert {name: getattr(optimizer, name) for name in coefficients} == coefficients


def test_a_cosine_ends_with_the_run():
    optimizer = replace(SMALL, schedule="cosine", step=1.0).optimizer()
    optimizer.updates = SMALL.updates
    assert SMALL.updates == 12 and optimizer.rate == 0


def test_more_images_than_there_are(mnist):
    with pytest.raises(ValueError, match="images is 5000: expected 1 to 300, the number of images at hand"):
        Settings().trace(mnist.train_images[:300])


def test_trace_is_what_they_say(mnist):
    """``Settings.trace`` is ``trace`` of the model and the optimizer that they make, bit for bit."""
    settings = replace(SMALL, method="SGD", step=0.01, seed=3)
    ours, X = settings.trace(mnist.train_images, at=[12]), mnist.train_images[:300]
    theirs = trace(settings.model(X), X, settings.optimizer(), epochs=2, batch_size=50, seed=3)
    np.testing.assert_array_equal(ours.model.theta, theirs.model.theta)
    assert ours.train_loss[0] == pytest.approx(theirs.train_loss.mean(), rel=1e-15)
