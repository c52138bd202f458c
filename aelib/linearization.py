"""The model linearised at one theta and one batch: gradient, and exact products with H, G, J and J^T."""

from functools import cached_property

import numpy as np

from aelib import passes
from aelib.arrays import as_array, as_numbers


class Linearization:
    """The passes at a fixed theta and batch, computed once and shared by any number of directions.

    Made by ``Autoencoder.linearize``, over copies of theta and X, so that later changes do not change its answers. It
    holds eight numbers for each unit of each image.
    Its products depend on their argument alone, in any order. Not for use by two threads at once: they share buffers.

    Attributes:
        output: z^L, (n, D); as ``grad``, it cannot be written to.
        primal: the cache of ``passes.forward``.
    """

    def __init__(self, model, X):
        self._model = model
        self._layers = model.layers
        self._n = len(X)
        self._weight_decay = model.weight_decay
        # all the memory that the passes need; what one product of rp_backward takes together stands together
        u, R_u = passes.pair(self._layers, self._n, X.dtype)
        z, R_z = passes.pair(self._layers, self._n, X.dtype)
        R_grad_u, grad_u = passes.pair(self._layers, self._n, X.dtype)
        R_grad_z, grad_z = passes.pair(self._layers, self._n, X.dtype)
        self._tangent = passes.Tangent(R_u, R_z)
        self._adjoint = passes.Adjoint(grad_u, grad_z, None)
        self._product = passes.Adjoint(R_grad_u, R_grad_z, None)
        self.primal = passes.forward(self._layers, X, out=passes.Primal(u, z))
        self.output = self.primal.z[-1].view()
        self.output.flags.writeable = False

    def __reduce__(self):  # a copy runs the passes itself, into memory of its own
        return type(self), (self._model, self.primal.z[0])

    @cached_property
    def adjoint(self):
        """The cache of ``passes.backward``, without the parameters; made when ``grad`` or ``hvp`` first needs it."""
        residual = (self.output - self.primal.z[0]) / self._n
        return passes.backward(self._layers, self.primal, residual, out=self._adjoint, parameters=False)

    @cached_property
    def loss(self):
        """F(theta) in half-SSE per image, weight decay included."""
        return self._model.objective(self.output - self.primal.z[0])

    @cached_property
    def grad(self):
        """Gradient of F, (n_params,)."""
        grad = passes.parameter_gradient(self._layers, self.primal.z, self.adjoint.grad_u)
        self._decayed(grad, self._model.theta).flags.writeable = False
        return grad

    def _rp_forward(self, p):
        return passes.rp_forward(self._layers, p, self.primal, out=self._tangent)

    def _out(self):  # each product is returned in a vector of its own
        return self._product._replace(grad=np.empty_like(self._model.theta))

    def _decayed(self, product, p):
        if self._weight_decay:
            product += self._weight_decay * p
        return product

    def _direction(self, p):
        theta = self._model.theta
        p = as_array("direction p", p)
        if p.shape == (theta.size, 1):  # so SciPy's LinearOperator gives the columns of a matrix
            p = p[:, 0]
        return as_numbers("direction p", p, theta, "a flat vector like theta, ")

    def jvp(self, p):
        """Return J p = R_p{z^L}, (n, D), for p (n_params,). Cost: about 2/3 of a gradient."""
        return self._rp_forward(self._direction(p)).R_z[-1].copy()

    def vjp(self, V):
        """Return J^T V = sum_i J_i^T V_i, (n_params,), for V (n, D), no weight decay. Cost: about 2/3 of a gradient."""
        V = as_numbers("V", V, self.output, "one row per image, ")
        return passes.backward(self._layers, self.primal, V, out=self._out()).grad

    def gnvp(self, p):
        """Return G p = J^T J p / n + weight_decay p, (n_params,).

        The Gauss-Newton product (Schraudolph, 2002): the Hessian without the curvature of the network itself.
        Cost: 4/3 of a gradient, or less: layer 1 needs fewer products (1.2 on the report's networks).
        """
        p = self._direction(p)
        return self._decayed(self.vjp(self._rp_forward(p).R_z[-1] / self._n), p)

    def hvp(self, p):
        """Return H p = R_p{grad F} + weight_decay p, (n_params,), exactly (Pearlmutter, 1994).

        Cost: 2 gradients, or less: layer 1 needs fewer products (1.6 to 1.7 on the report's networks).
        """
        p = self._direction(p)
        tangent = self._rp_forward(p)
        R_grad_zL = tangent.R_z[-1] / self._n
        R_grad = passes.rp_backward(
            self._layers, p, self.primal, self.adjoint, tangent, R_grad_zL, out=self._out()
        ).grad
        return self._decayed(R_grad, p)
