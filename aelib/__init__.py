"""aelib: a fully connected autoencoder in NumPy, with exact gradient, Hessian and Gauss-Newton products."""

from aelib.autoencoder import Autoencoder
from aelib.datasets import load_mnist
from aelib.optimizers import SGD, Adam, RMSprop
from aelib.train import Diverged, History, Interrupted, fit, trace, train

__all__ = [
    "SGD",
    "Adam",
    "Autoencoder",
    "Diverged",
    "History",
    "Interrupted",
    "RMSprop",
    "fit",
    "load_mnist",
    "trace",
    "train",
]
