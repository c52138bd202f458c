"""Exercises of lab 7, curvature at work."""

import numpy as np

from aelib import Autoencoder
from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close, number, several, unchanged

LAB = "07_curvature_at_work"


@exercise("largest_step", lab=LAB, points=1)
def largest_step(answer, rng):
    """Below it the eigenvalues of one update lie inside the unit circle, above it one lies outside."""
    for case in range(8):
        curvature, momentum = 10 ** rng.uniform(-2, 3), (0.0, *rng.uniform(0, 0.99, 7))[case]
        step = number(answer(curvature, momentum), "the step")
        at = f"curvature {curvature:.3g}, momentum {momentum:.3g}"
        sizes = []
        for nearly in (0.999, 1.001):
            s = step * nearly
            update = np.array([[momentum, curvature], [-s * momentum, 1 - s * curvature]])  # (v, theta)
            sizes.append(float(np.abs(np.linalg.eigvals(update)).max()))
        if step <= 0 or sizes[0] > 1 + 1e-9:
            raise Wrong(f"{at}: a step 0.1 % below {step:.4g} grows by a factor of {sizes[0]:.4f} an update")
        if sizes[1] <= 1:
            raise Wrong(f"{at}: a step 0.1 % above {step:.4g} is stable too")


@exercise("lanczos_step", lab=LAB, points=2)
def lanczos_step(answer, rng):
    """The next entries of T are a Rayleigh quotient and a length; the vector is what A v_j has outside the rows."""
    for _ in range(4):
        n, j = int(rng.integers(6, 20)), int(rng.integers(1, 5))
        A = rng.standard_normal((n, n))
        A = A + A.T
        V = np.linalg.qr(rng.standard_normal((n, j)))[0].T
        own, mine = A.copy(), V.copy()
        alpha, beta, v = several(answer(own, mine), 3, f"lanczos_step, n = {n}, {j} rows")
        unchanged(A, own, "A")
        unchanged(V, mine, "V")
        close(alpha, V[-1] @ A @ V[-1], "alpha, the last diagonal entry of T")
        v, beta = array(v, (n,), "the new vector"), number(beta, "beta")
        close(np.linalg.norm(v), np.array(1.0), "the norm of the new vector")
        if np.abs(V @ v).max() > 1e-10:
            raise Wrong(f"the new vector is not orthogonal to all {j} rows of V: {np.abs(V @ v).max():.1e}")
        outside = A @ V[-1]
        outside = outside - V.T @ (V @ outside)
        close(beta * v, outside, "beta times the new vector, what A v_j has outside the rows", 1e-9)
        if beta < 0:
            raise Wrong(f"beta is {beta:.3g}: a norm is not negative")


@exercise("kfac_block", lab=LAB, points=2)
def kfac_block(answer, rng):
    """What it returns solves the damped system with the Kronecker product, written out."""
    for _ in range(4):
        n, p, q = (int(k) for k in rng.integers(2, 7, 3))
        z, grad_u, grad = rng.standard_normal((n, p)), rng.standard_normal((n, q)), rng.standard_normal((q, p + 1))
        damping = 10 ** rng.uniform(-2, 1)
        copies = [a.copy() for a in (z, grad_u, grad)]
        D = array(answer(*copies, damping), (q, p + 1), f"kfac_block, n = {n}, p = {p}, q = {q}")
        for before, after, name in zip((z, grad_u, grad), copies, ("z", "grad_u", "grad"), strict=True):
            unchanged(before, after, name)
        ones = np.column_stack([z, np.ones(n)])
        A = sum(np.outer(row, row) for row in ones) / n + np.sqrt(damping) * np.eye(p + 1)
        S = sum(np.outer(row, row) for row in grad_u) / n + np.sqrt(damping) * np.eye(q)
        close(np.kron(S, A) @ D.ravel(), -grad.ravel(), f"(S (x) A) times the answer, n = {n}, p = {p}, q = {q}", 1e-8)


@exercise("bends", lab=LAB, points=2)
def bends(answer, rng):
    """At start, middle and end: the second difference of the loss along d, over d^T P d and the bound."""
    for _ in range(3):
        model = Autoencoder([6, 4, 2, 4, 6], hidden="tanh", seed=int(rng.integers(100)))
        X, d = rng.random((8, 6)), rng.standard_normal(model.theta.size)
        P, bound, theta = rng.random(d.size) + 0.1, 10 ** rng.uniform(-1, 2), model.theta.copy()
        found = array(answer(model, X, d, P, bound), (3,), "bends")
        unchanged(theta, model.theta, "model.theta")
        slope = lambda t, model=model, X=X, d=d: model.with_theta(model.theta + t * d).loss_and_grad(X)[1] @ d  # noqa: E731
        expected = [(slope(t + 1e-5) - slope(t - 1e-5)) / 2e-5 / (d @ (P * d)) / bound for t in (0, 0.5, 1)]
        for place, value, right in zip(("start", "middle", "end"), found, expected, strict=True):
            close(value, np.array(right), f"curvature / bound at the {place}", 1e-5)
