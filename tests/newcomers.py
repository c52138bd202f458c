"""An optimizer and an activation as somebody might add them: Nadam and gelu."""

import numpy as np

from aelib import Adam
from aelib.activations import Activation, Sigmoid


class Nadam(Adam):
    """Adam with Nesterov's look-ahead: beta1 m_hat + (1 - beta1) grad / (1 - beta1^t) for m_hat (Dozat, 2016)."""

    setting_names = ("beta1", "beta2", "epsilon")

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        super().__init__(learning_rate, beta1, beta2, epsilon)

    def update(self, theta, grad, m, v, t, beta1, beta2, rate, epsilon):
        """Update one block."""
        m *= beta1
        m += grad
        v *= beta2
        v += np.square(grad, out=t)
        np.sqrt(v, out=t)
        t += epsilon
        np.divide(beta1 * m + grad, t, out=t)
        t *= rate
        theta -= t


class Gelu(Activation):
    """g(u) = u sigmoid(1.702 u), Hendrycks and Gimpel's approximation (2016)."""

    __slots__ = ()
    name = "gelu"
    _sigmoid = Sigmoid()

    def _parts(self, u):
        s = self._sigmoid.g(1.702 * u)
        near = np.where(np.abs(u.real) < 100, u, 100 * np.sign(u.real))  # further out the slopes of s are 0
        return s, near.astype(u.dtype, copy=False), self._sigmoid.dg(1.702 * u, s)

    def g(self, u, out=None):
        """Return u sigmoid(1.702 u)."""
        u = np.asarray(u, np.result_type(u, np.float16))
        s, near, _ = self._parts(u)
        return np.multiply(np.where(s == 0, near, u), s, out=out)

    def dg(self, u, z=None, out=None):
        """Return s + 1.702 u s (1 - s)."""
        u = np.asarray(u, np.result_type(u, np.float16))
        s, near, slope = self._parts(u)
        return np.add(s, 1.702 * near * slope, out=out)

    def d2g(self, u, z=None, out=None):
        """Return 2 * 1.702 s' + 1.702^2 u s''."""
        u = np.asarray(u, np.result_type(u, np.float16))
        s, near, slope = self._parts(u)
        return np.add(2 * 1.702 * slope, 1.702**2 * near * slope * (1 - 2 * s), out=out)


GELU = Gelu()
