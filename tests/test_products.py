"""Gradient, Hp, Gp, Jp, J^T V against the independent dense oracle, and their laws on real digits."""

import numpy as np
import pytest
from conftest import NETS, SMALL, trained
from oracle import dense

from aelib import Autoencoder, passes
from aelib.activations import ACTIVATIONS
from aelib.checks import check_model


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("name", SMALL)
def test_against_dense_matrices(name, rng):
    X = rng.random((7, SMALL[name]["sizes"][0]))
    model = trained(X, steps=5, **SMALL[name])
    model.theta += 0.3 * rng.standard_normal(model.theta.size)  # biases off 0
    loss, grad, H, G, J = dense(model, X)
    at = model.linearize(X)
    p, V = rng.standard_normal(model.theta.size), rng.standard_normal((7, X.shape[1]))
    assert at.loss == pytest.approx(loss, rel=1e-13) == model.loss(X) == model.loss_and_grad(X)[0]
    assert relative(at.grad, grad) < 1e-13
    assert relative(model.loss_and_grad(X)[1], grad) < 1e-13
    assert relative(at.hvp(p), H @ p) < 1e-12
    assert relative(at.gnvp(p), G @ p) < 1e-12
    assert relative(at.jvp(p), J @ p) < 1e-12
    assert relative(at.vjp(V), np.einsum("ni,nij->j", V, J)) < 1e-12
    np.testing.assert_array_equal(model.hvp(X, p), at.hvp(p))
    np.testing.assert_array_equal(model.gnvp(X, p), at.gnvp(p))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_against_dense_matrices(name, rng):
    """In every layer, the output too."""
    X, model = rng.random((7, 5)), Autoencoder([5, 4, 2, 3, 5], name, name, name, weight_decay=0.1)
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    loss, grad, H, G, J = dense(model, X)
    at, p, V = model.linearize(X), rng.standard_normal(model.theta.size), rng.standard_normal(X.shape)
    assert at.loss == pytest.approx(loss, rel=1e-13)
    for product, right in [
        (at.grad, grad),
        (at.hvp(p), H @ p),
        (at.gnvp(p), G @ p),
        (at.jvp(p), J @ p),
        (at.vjp(V), np.einsum("ni,nij->j", V, J)),
    ]:
        assert relative(product, right) < 1e-12


@pytest.mark.parametrize("name", NETS)
def test_exact_to_round_off_on_real_digits(name, mnist):
    model = trained(mnist.train_images[:2000].astype(float), **NETS[name])
    reports = check_model(model, mnist.train_images[:20])
    for check in ("gradient", "Jp", "Hp", "Gp", "H symmetric", "G symmetric"):
        assert reports[check].relative_error <= 1e-13, f"{check}\n{reports[check]}"


def test_products_are_linear_and_do_not_disturb_each_other(rng, mnist):
    X = mnist.train_images[:20].astype(float)
    model = trained(X, **NETS["tanh"])
    theta, at = model.theta.copy(), model.linearize(X)
    p, q = rng.standard_normal((2, theta.size))
    Hp, Gp, copy = at.hvp(p), at.gnvp(p), p.copy()
    assert relative(at.hvp(2 * p - 3 * q), 2 * Hp - 3 * at.hvp(q)) < 1e-13
    assert relative(at.gnvp(2 * p - 3 * q), 2 * Gp - 3 * at.gnvp(q)) < 1e-13
    np.testing.assert_array_equal(at.hvp(p), Hp)
    np.testing.assert_array_equal(at.gnvp(p), Gp)
    np.testing.assert_array_equal(p, copy)
    np.testing.assert_array_equal(model.theta, theta)
    model.theta[:] = 0  # a linearisation keeps its own theta
    np.testing.assert_array_equal(at.hvp(p), Hp)


def test_hvp_is_the_same_wherever_the_operands_of_its_double_product_stand(rng):
    """They are taken as one array without a copy only where they are the halves of one, in this order."""
    model = trained(rng.random((6, 5)), sizes=[5, 3, 2, 3, 5], hidden="tanh")
    layers, X, p = model.layers, rng.random((6, 5)), rng.standard_normal(model.theta.size)
    Hp = model.hvp(X, p)

    def apart(pair):
        return [None, *(half.copy() for half in pair[0][1:])], [None, *(half.copy() for half in pair[1][1:])]

    def turned(pair):
        return pair[1], pair[0]

    def mirrored(pair):
        return [None, *(half[:, ::-1] for half in pair[0][1:])], [None, *(half[:, ::-1] for half in pair[1][1:])]

    for arrange in (lambda pair: pair, apart, turned, mirrored):
        z, R_z = arrange(passes.pair(layers, 6, X.dtype))
        R_grad_u, grad_u = arrange(passes.pair(layers, 6, X.dtype))
        (u, R_u), (grad_z, R_grad_z) = (passes.pair(layers, 6, X.dtype) for _ in range(2))
        primal = passes.forward(layers, X, out=passes.Primal(u, z))
        adjoint = passes.backward(layers, primal, (z[-1] - X) / 6, out=passes.Adjoint(grad_u, grad_z, None))
        tangent = passes.rp_forward(layers, p, primal, out=passes.Tangent(R_u, R_z))
        out = passes.Adjoint(R_grad_u, R_grad_z, np.empty_like(p))
        R_grad = passes.rp_backward(layers, p, primal, adjoint, tangent, R_z[-1] / 6, out=out).grad
        assert relative(R_grad, Hp) < 1e-14
        assert (passes._over(z[1], R_z[1]) is z[1].base) == (arrange not in (apart, turned, mirrored))


def test_hessian_is_gauss_newton_where_the_residual_is_zero_or_the_network_linear(rng):
    model = Autoencoder([4, 3, 4], code="identity", output="identity", seed=1)
    model.layers[0].W[...], model.layers[1].W[...] = np.eye(3, 4), np.eye(4, 3)
    X = rng.random((5, 4)) * [1, 1, 1, 0]  # in the span of the code: the residual vanishes
    p = rng.standard_normal(model.theta.size)
    at = model.linearize(X)
    assert at.loss == 0
    assert relative(at.hvp(p), at.gnvp(p)) < 1e-14


def test_buffers_change_nothing(rng, mnist):
    X = mnist.train_images[:30].astype(float)
    model = trained(X, **NETS["sigmoid"])
    out = model.buffers(30)
    for part in (X, X[::-1].copy(), X):
        loss, grad = model.loss_and_grad(part, out=out)
        fresh_loss, fresh = model.loss_and_grad(part)
        assert loss == fresh_loss
        np.testing.assert_array_equal(grad, fresh)


@pytest.mark.parametrize("n", [500, 501, 1000, 1201])
def test_many_images_pass_in_parts_and_give_the_same_gradient(n, mnist):
    X = mnist.train_images[:n].astype(float)
    model = Autoencoder([784, 2, 784], weight_decay=1e-3, seed=1)
    at, out = model.linearize(X), model.buffers(n)
    for loss, grad in (model.loss_and_grad(X), model.loss_and_grad(X, out=out), model.loss_and_grad(X, out=out)):
        assert loss == pytest.approx(at.loss, rel=1e-13)
        assert relative(grad, at.grad) < 1e-13


def test_complex_theta_passes_through_all_four_passes(rng):
    X = rng.random((6, 5))
    model = trained(X, steps=5, **SMALL["tanh-tanh-tanh-nobias-decay"])
    p, q = rng.standard_normal((2, model.theta.size))
    moved = model.with_theta(model.theta + 1e-200j * q).linearize(X)
    third = moved.hvp(p).imag / 1e-200  # third derivative along p, q: symmetric in p and q
    other = model.with_theta(model.theta + 1e-200j * p).linearize(X).hvp(q).imag / 1e-200
    assert relative(third, other) < 1e-12
    assert moved.gnvp(p).dtype == np.complex128 and isinstance(moved.loss, complex)


def test_no_pass_changes_its_arguments(rng):
    model = Autoencoder([5, 4, 2, 3, 5], hidden="softplus", seed=3)
    model.theta += 0.1
    X, p = rng.random((6, 5)), rng.standard_normal(model.theta.size)
    primal = passes.forward(model.layers, X)
    adjoint = passes.backward(model.layers, primal, primal.z[-1] - X)
    tangent = passes.rp_forward(model.layers, p, primal)

    def copies():
        caches = [*primal, *adjoint[:2], *tangent]
        return [a.copy() for cache in caches for a in cache if a is not None] + [adjoint.grad.copy(), p.copy()]

    before = copies()
    passes.rp_backward(model.layers, p, primal, adjoint, tangent, tangent.R_z[-1].copy())
    for a, b in zip(before, copies(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("call", ["hvp", "gnvp", "jvp"])
def test_a_direction_of_the_wrong_shape_is_named(call, rng):
    at = Autoencoder([4, 2, 4]).linearize(rng.random((3, 4)))
    with pytest.raises(ValueError, match=r"direction p has shape \(3,\): expected a flat vector like theta, \(22,\)"):
        getattr(at, call)(np.ones(3))
    with pytest.raises(ValueError, match=r"V has shape \(4,\): expected one row per image, \(3, 4\)"):
        at.vjp(np.ones(4))


@pytest.mark.parametrize(
    ("p", "sentence"),
    [
        (np.full(22, np.nan), "direction p holds nan: expected finite numbers"),
        (np.full(22, 1j), "direction p is complex, the model float64: expected real numbers"),
        (np.array(["a"] * 22), "direction p has dtype <U1: expected numbers"),
        (np.ones((1, 22)), r"direction p has shape \(1, 22\): expected a flat vector"),
        (np.ones((22, 2)), r"direction p has shape \(22, 2\)"),
        (1.0, r"direction p has shape \(\)"),
    ],
)
def test_what_cannot_be_a_direction_is_refused(p, sentence, rng):
    model, X = Autoencoder([4, 2, 4]), rng.random((3, 4))
    at = model.linearize(X)
    for product in (at.hvp, at.gnvp, at.jvp, lambda p: model.hvp(X, p), lambda p: model.gnvp(X, p)):
        with pytest.raises(ValueError, match=sentence):
            product(p)
    V = np.broadcast_to(np.ravel(p)[0], (3, 4))
    if "dtype" in sentence or "complex" in sentence or "nan" in sentence:
        with pytest.raises(ValueError, match=sentence.replace("direction p", "V")):
            at.vjp(V)


def test_numbers_of_any_real_type_are_directions(rng):
    at = Autoencoder([4, 2, 4], seed=1).linearize(rng.random((3, 4)))
    p = rng.integers(-3, 3, 22)
    for same in (p.tolist(), p.astype("int8"), p.astype("float32"), p[:, None], np.repeat(p, 2)[::2]):
        for product in (at.hvp, at.gnvp, at.jvp):
            np.testing.assert_array_equal(product(same), product(p.astype(float)))


def test_products_are_operators_of_scipy(rng):
    """They accept the columns of a matrix, (n_params, 1), as LinearOperator passes them."""
    from scipy.sparse.linalg import LinearOperator

    model, X = Autoencoder([4, 2, 4], hidden="tanh", seed=1), rng.random((6, 4))
    _, _, H, G, _ = dense(model, X)
    at, shape = model.linearize(X), (22, 22)
    for product, matrix in ((at.hvp, H), (at.gnvp, G)):
        assert relative(LinearOperator(shape, matvec=product, dtype=float) @ np.eye(22), matrix) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_linearisation_keeps_its_point(dtype, rng):
    """Neither theta, nor images, weight decay or activations that change later have a part in it."""
    X = rng.random((5, 4)).astype(dtype)
    model = Autoencoder([4, 3, 2, 3, 4], hidden="tanh", weight_decay=0.1, seed=1, dtype=dtype)
    p = rng.standard_normal(model.theta.size).astype(dtype)
    early, late = model.linearize(X), model.linearize(X)
    results = [early.loss, early.output.copy(), early.grad.copy(), early.hvp(p), early.gnvp(p), early.jvp(p)]
    V = X.copy()
    results.append(early.vjp(V))
    X[...], model.theta[...], model.weight_decay = 0, 0, 0.0
    model.layers[0].activation = "identity"
    again = [late.loss, late.output, late.grad, late.hvp(p), late.gnvp(p), late.jvp(p), late.vjp(V)]
    for a, b in zip(results, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for given in (late.output, late.grad):
        with pytest.raises(ValueError, match="read-only"):
            given += 1


@pytest.mark.parametrize("off", [-1, 1])
def test_a_vector_of_another_net_is_not_split(off):
    model = Autoencoder([4, 2, 4])
    with pytest.raises(ValueError, match=rf"the vector has shape \({22 + off},\): expected a flat one like theta"):
        model.layers[0].split(np.zeros(22 + off))


def test_passes_over_some_of_the_layers(rng):
    model, X = Autoencoder([4, 3, 2, 3, 4], hidden="tanh", seed=1), rng.random((5, 4))
    encoder, p = model.layers[:2], rng.standard_normal(model.theta.size)
    primal = passes.forward(encoder, X)
    V = rng.standard_normal((5, 2))
    grad = passes.backward(encoder, primal, V).grad
    assert not grad[encoder[-1].b_slice.stop :].any()
    assert grad @ p == pytest.approx(np.vdot(V, passes.rp_forward(encoder, p, primal).R_z[-1]), rel=1e-12)
