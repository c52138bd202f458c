"""Everything a model computes, checked at once."""

import numpy as np

from aelib import passes
from aelib.activations import Activation
from aelib.arrays import as_generator, as_model
from aelib.checks.functions import check_equal, check_gradient, check_product, check_symmetry
from aelib.layers import Dense


class _Steepest(Activation):
    """Stands in for an activation where sizes of terms are summed: no slope here is larger than 1."""

    def dg(self, u, z=None, out=None):
        out = np.empty_like(u) if out is None else out
        out[...] = 1
        return out

    def d2g(self, u, z=None, out=None):
        return self.dg(u, z, out)


def _terms(model, at, p):
    """Return the root of the sum of squares of what is added up for each entry of the gradient, of Jp and of Hp.

    The same passes over the squares, with all slopes 1, and 1 added to all values: z and g' = z (1 - z) of a saturated
    unit are right to the unit round-off of 1, not of themselves, and so is all that hangs on them.
    """
    squares = np.square(model.theta)
    P = np.square(p)
    layers = [Dense(w.n_in, w.n_out, _Steepest(), squares, w.W_slice.start, w.b is not None) for w in model.layers]
    n, (u, (X, *z)) = len(at.output), at.primal
    primal = passes.Primal(u, [np.square(X), *(1 + np.square(z) for z in z)])
    adjoint = passes.backward(layers, primal, (primal.z[-1] + primal.z[0]) / n**2)
    tangent = passes.rp_forward(layers, P, primal)
    R_grad = passes.rp_backward(layers, P, primal, adjoint, tangent, tangent.R_z[-1] / n**2).grad
    return [np.sqrt(np.abs(v)) for v in (adjoint.grad, tangent.R_z[-1], R_grad)]  # a pass may have a wrong sign


def check_model(model, X, method="complex", tolerance=None, seed=0):
    """Check everything a model computes on images X: gradient, Jp, J^T V, Hp, Gp, symmetry, and independence of order.

    It works in float64 whatever the model's dtype, at the model's theta, which it leaves as it is. Use few images
    (20), a trained model (some steps suffice) and, to see g'', a curved activation.

    Args:
        model: an ``Autoencoder``.
        X: images in rows, (n, D).
        method: ``"complex"``, ``"central"`` or ``"forward"``: the reference for gradient, Jp and Hp.
        tolerance: for these three, as in ``check_gradient``. The others are identities, held to 1e-12.
        seed: seed of all directions.

    Returns:
        dict of Outcome by name: gradient, Jp, JTv, Hp, Gp, H symmetric, G symmetric, any order.

    Raises:
        CheckFailed: a check fails.
        ValueError: the model is complex, or X are not its images.
    """
    as_model(model)
    if model.dtype.kind != "f":
        raise ValueError(f"the model is {model.dtype}: expected float32 or float64")
    theta = model.theta.astype(np.float64)
    X = model.check_images(X).astype(np.float64, copy=False)
    at = model.with_theta(theta).linearize(X)
    rng = as_generator(seed)
    p, q = rng.standard_normal((2, theta.size))
    V = rng.standard_normal(at.output.shape)

    def preactivations(theta):
        u = model.with_theta(theta).linearize(X).primal.u[1:]
        return [a for a, layer in zip(u, model.layers, strict=True) if layer.activation.kinked]

    shared = dict(method=method, tolerance=tolerance, seed=seed, preactivations=preactivations)
    blocks = model.blocks
    n = len(X)
    grad_terms, Jp_terms, Hp_terms = _terms(model.with_theta(theta), at, p)
    found = {}
    found["gradient"] = check_gradient(
        lambda theta: model.with_theta(theta).loss(X), lambda theta: at.grad, theta, blocks, terms=grad_terms, **shared
    )
    found["Jp"] = check_product(
        at.jvp, lambda theta: model.with_theta(theta).reconstruct(X), theta, name="Jp", terms=Jp_terms, **shared
    )
    found["JTv"] = check_equal(
        np.array(at.vjp(V) @ p),
        np.vdot(V, at.jvp(p)),
        "(J^T V) . p against V . (J p)",
        terms=np.linalg.norm(V * Jp_terms),
    )
    found["Hp"] = check_product(
        at.hvp, lambda theta: model.with_theta(theta).loss_and_grad(X)[1], theta, blocks, terms=Hp_terms, **shared
    )
    product = at.vjp(at.jvp(p)) / n + model.weight_decay * p
    found["Gp"] = check_equal(at.gnvp(p), product, "Gp against J^T (J p) / n + weight_decay p", blocks)
    # an H or G that is 0 was compared with its reference above
    found["H symmetric"] = check_symmetry(at.hvp, theta.size, "H", seed=seed, may_vanish=True)
    found["G symmetric"] = check_symmetry(at.gnvp, theta.size, "G", positive=True, seed=seed, may_vanish=True)
    fresh = model.with_theta(theta).linearize(X).hvp(p)
    for product in (at.gnvp, at.jvp, at.hvp):
        product(q)
    title = "Hp of a used linearisation against a fresh one"
    found["any order"] = check_equal(at.hvp(p), fresh, title, tolerance=0.0)
    return found
