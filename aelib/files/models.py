"""The file of a model: its theta, and the arguments that it was made with, which must be true of one another."""

import json

import numpy as np

from aelib.files import load_npz, parse_json, save_npz, short
from aelib.layers import n_params


def write_model(path, config, theta):
    """Write a model to ``path`` (.npz), atomically; raises ValueError for what ``read_model`` would refuse."""
    config = dict(config)
    _check(config, theta)
    save_npz(path, theta=theta, config=np.array(json.dumps(config)))


def read_model(path, make):
    """Return the model in a file.

    Args:
        path: file name.
        make: the class, called with the arguments stored, once they are known to ask for no more than is there.

    Raises:
        FileNotFoundError, PermissionError: there is no such file, or it may not be read.
        ValueError: the file is damaged, or no aelib model, or theta is not finite, or does not fit the arguments.
    """
    arrays = load_npz(path, ["theta", "config"])
    theta = arrays["theta"]
    try:
        config = parse_json(arrays["config"].item(), "its config")
        _check(config, theta)
        model = make(**config)
        model.theta = theta
    except Exception as error:  # of all kinds, for the arguments may be anything
        raise ValueError(f"{path} does not describe an aelib model ({short(error)})") from error
    return model


def _check(config, theta):
    """Refuse a theta that is not what the arguments say, before a model of that size is made."""
    sizes, bias = config["sizes"], config.get("output_bias", True)
    if not (isinstance(sizes, list) and all(type(size) is int and size > 0 for size in sizes)):
        raise ValueError(f"sizes is {sizes!r}: expected a list of whole numbers")
    if type(bias) is not bool:
        raise ValueError(f"output_bias is {bias!r}: expected true or false")
    n, dtype = n_params(sizes, [True] * (len(sizes) - 2) + [bias]), config.get("dtype", "float64")
    if theta.shape != (n,) or theta.dtype.name != dtype:
        raise ValueError(f"theta is {theta.dtype.name}{theta.shape}: expected {dtype}({n},) for sizes {sizes}")
    if not np.isfinite(theta).all():
        raise ValueError("theta holds nan or inf, as after a training that diverged")
