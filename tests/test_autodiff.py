"""Dual arrays and the tape: every local rule by its laws, the passes by lab 1's own functions, refusals, memory."""

import gc
import operator
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
from conftest import NETS, SMALL, trained

from aelib import Autoencoder, autodiff
from aelib.autodiff import RULES, Dual, Node, call, sweep, tape
from aelib.checks import compare, directional_derivative
from aelib.coursework.notebooks.earlier import written
from aelib.labs.lab1 import multiplications
from aelib.labs.lab6 import counted

LABS = Path(__file__).resolve().parent.parent / "labs"
forward, backward, *RP = written("01_derivation", "forward", "backward", "rp_forward", "rp_backward", folder=LABS)


def gradient(f, x):
    x = Node(x)
    return sweep(f(x))[x]


def error(a, b):
    assert np.shape(a) == np.shape(b)
    return compare(a, b).relative_error


# -- local rules ---------------------------------------------------------------------------------------------------

ENTRYWISE = (np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum)
ONE = (np.negative, np.positive, np.real, np.exp, np.log1p, np.tanh)
shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (4,)), ((), (2, 3)), ((1, 4), (3, 1))]
rng = np.random.default_rng(7)


def positive(*shape):
    return rng.uniform(0.5, 2.0, shape)


CASES = [(f, (positive(*a), positive(*b)), {}) for f in ENTRYWISE for a, b in shapes]
CASES += [(f, (positive(*shape),), {}) for f in ONE for shape in ((), (3,), (2, 3))]
CASES += [(np.where, (rng.random((3, 4)) < 0.5, positive(*a), positive(*b)), {}) for a, b in shapes[:3]]
factors = [((2, 3), (3, 4)), ((1, 3), (3, 1)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,))]
CASES += [(np.matmul, (positive(*a), positive(*b)), {}) for a, b in factors]
CASES += [(np.sum, (positive(2, 3, 4),), dict(axis=axis)) for axis in (None, 0, -1, (0, 2))]
CASES += [(np.sum, (positive(2, 3, 4),), dict(axis=1, keepdims=True)), (np.sum, (positive(),), {})]
CASES += [(np.broadcast_to, (positive(*shape), (2, 3)), {}) for shape in ((), (3,), (2, 1))]
CASES += [(np.transpose, (positive(2, 3),), {}), (np.reshape, (positive(2, 3), (3, 2)), {})]
CASES += [(operator.getitem, (positive(3, 4), key), {}) for key in (1, slice(1, 3), (slice(None), 2), slice(3, 0, -2))]
CASES += [(autodiff._put, (positive(2, 4), slice(1, 3), (5, 4)), {})]
CASES += [(autodiff._join, (positive(2, 3), positive(1, 3)), {})]
products = {
    "ij,kj->ik": [(2, 3), (4, 3)],
    "ni->i": [(3, 2)],
    "i,j->": [(2,), (3,)],
    "ij,jk,k->ki": [(2, 3), (3, 4), (4,)],
}
CASES += [(autodiff._einsum, [positive(*s) for s in given], dict(subscripts=of)) for of, given in products.items()]


def test_every_rule_has_a_case():
    assert {f for f, _, _ in CASES} == set(RULES)


@pytest.mark.parametrize("f, arguments, options", CASES, ids=[f"{f.__name__}-{k}" for k, (f, _, _) in enumerate(CASES)])
def test_a_rule_is_the_derivative_and_its_transpose(f, arguments, options, rng):
    """The map is the derivative: central differences. The transpose is it: v . map(t) = transpose(v) . t."""
    z = f(*arguments, **options)
    for k, (push, pull) in enumerate(RULES[f](z, *arguments, **options)):
        if arguments[k].dtype == bool:
            continue
        t, v, eps = rng.standard_normal(arguments[k].shape), rng.standard_normal(np.shape(z)), 1e-6
        plus, minus = (f(*arguments[:k], arguments[k] + e * t, *arguments[k + 1 :], **options) for e in (eps, -eps))
        change = np.broadcast_to(push(t), np.shape(z))
        np.testing.assert_allclose(change, (plus - minus) / (2 * eps), rtol=1e-7, atol=1e-8)
        adjoint = pull(v)
        assert np.shape(adjoint) == t.shape
        assert np.vdot(adjoint, t) == pytest.approx(np.vdot(v, change), rel=1e-13, abs=1e-13)
        dual = [Dual(a, t) if i == k else a for i, a in enumerate(arguments)]
        np.testing.assert_array_equal(call(f, *dual, **options).tangent, change)
        x = Node(arguments[k])
        np.testing.assert_array_equal(sweep(call(f, *arguments[:k], x, *arguments[k + 1 :], **options), v)[x], adjoint)


def test_numpy_and_the_operators_find_the_rules(rng):
    a, t = rng.uniform(0.5, 2, (2, 3, 3)), rng.standard_normal((3, 3))

    def f(x):
        parts = [np.exp(x[0]), (2 / x - x**2 + -x)[1:].reshape(2, 3).reshape(-1), np.sum(a[1] @ x.T, axis=0)]
        y = np.concatenate([*parts, np.where(x.real > 1, x, 3.0)[:, 1]])
        return np.sum(np.log1p(np.tanh(y) ** 2)) + (x - a[1]).sum(axis=1, keepdims=True).sum()

    derivative = directional_derivative(f, a[0], t)
    assert f(Dual(a[0], t)).tangent == pytest.approx(derivative, rel=1e-14)
    assert np.vdot(gradient(f, a[0]), t) == pytest.approx(derivative, rel=1e-14)


AS_IN_LAB_1 = {  # one layer's lines in the forms in which right answers to lab 1 are written
    "product": [
        lambda z, W: z @ W.T,
        lambda z, W: np.dot(z, W.T),
        lambda z, W: z.copy().dot(W.transpose()),
        lambda z, W: np.inner(z, W),
        lambda z, W: np.einsum("ij,kj->ik", z, W),
        lambda z, W: (W @ z.T).T,
        lambda z, W: np.stack([W @ row for row in z]),
        lambda z, W: np.vstack([z[i] @ W.T for i in range(len(z))]),
        lambda z, W: sum(np.outer(z[:, j], W[:, j]) for j in range(z.shape[1])),
    ],
    "sum over images": [
        lambda z, W: z.sum(axis=0),
        lambda z, W: np.sum(z, 0),
        lambda z, W: z.mean(axis=0) * len(z),
        lambda z, W: np.mean(z, axis=0) * z.shape[0],
        lambda z, W: np.ones(len(z)) @ z,
        lambda z, W: np.einsum("ni->i", z),
        lambda z, W: np.squeeze(z.sum(axis=0, keepdims=True)),
    ],
    "flat": [
        lambda z, W: np.concatenate([W.reshape(-1), z.reshape((-1,))]),
        lambda z, W: np.concatenate([W.ravel(), z.flatten()], axis=0),
        lambda z, W: np.concatenate([W, z], axis=None),
        lambda z, W: np.hstack([np.ravel(W), z.reshape(z.size)]),
        lambda z, W: np.append(W, z),
    ],
    "bias": [
        lambda z, W: z + W[0],
        lambda z, W: z + W[0][None, :],
        lambda z, W: z + np.expand_dims(W[0], 0),
        lambda z, W: z + np.ones((len(z), 1)) @ W[:1],
        lambda z, W: z + W[0].reshape((1, -1)),
    ],
}


@pytest.mark.parametrize("what", AS_IN_LAB_1)
def test_right_answers_to_lab_1_run_in_common_forms(what, rng):
    z, W, t, s = rng.standard_normal((4, 3, 3))
    expected = [AS_IN_LAB_1[what][0](z + step * t, W + step * s) for step in (0, 1e-200j)]
    v = rng.standard_normal(expected[0].shape)
    for form in AS_IN_LAB_1[what]:
        dual = form(Dual(z, t), Dual(W, s))
        np.testing.assert_allclose(dual.value, expected[0], rtol=1e-13)
        np.testing.assert_allclose(dual.tangent, expected[1].imag / 1e-200, rtol=1e-11, atol=1e-13)
        a, b = Node(z), Node(W)
        adjoint = sweep(form(a, b), v)
        found = sum(np.vdot(adjoint[x], direction) for x, direction in ((a, t), (b, s)) if x in adjoint)
        assert found == pytest.approx(np.vdot(v, dual.tangent), rel=1e-11)


def test_an_exponent_may_move_too():
    assert (Dual(3.0, 0.0) ** Dual(2.0, 1.0)).tangent == pytest.approx(9 * np.log(3), rel=1e-15)
    assert gradient(lambda x: x**x, 2.0) == pytest.approx(4 * (1 + np.log(2)), rel=1e-15)


def test_a_node_used_many_times_adds_up_its_adjoints():
    x = Node(np.array([1.0, -2.0]))
    y = x + x * x + x * 3
    np.testing.assert_array_equal(sweep((y * y).sum())[x], 2 * y.value * (1 + 2 * x.value + 3))


# -- the passes ----------------------------------------------------------------------------------------------------


def functions(model, X):
    def output(theta):
        return forward(model.with_theta(theta).layers, X)[1][-1]

    def loss(theta):
        r = output(theta) - X
        penalty = 0.5 * model.weight_decay * np.sum(theta * theta) if model.weight_decay else 0.0
        return 0.5 * np.sum(r * r) / len(X) + penalty

    return output, loss


def errors(model, X, rng):
    """Return the relative errors of everything against the passes of the package."""
    at, theta = model.linearize(X), model.theta
    p, V = rng.standard_normal(theta.size), rng.standard_normal(X.shape)
    output, loss = functions(model, X)
    dual, node = Dual(theta, p), Node(theta)
    u, z = forward(model.with_theta(dual).layers, X)
    grad, _, _ = backward(model.with_theta(dual).layers, u, z, (z[-1] - X) / len(X))
    decay = model.weight_decay
    return {
        "Jp, duals through lab 1's forward": error(z[-1].tangent, at.jvp(p)),
        "gradient, lab 1's backward": error(grad.value + decay * theta, at.grad),
        "Hp, duals through lab 1's backward": error(grad.tangent + decay * p, at.hvp(p)),
        "loss": abs(loss(node).value - at.loss) / at.loss,
        "gradient . p, duals": error(loss(dual).tangent, at.grad @ p),
        "gradient, tape": error(gradient(loss, theta), at.grad),
        "JTV, tape": error(sweep(output(node), V)[node], at.vjp(V)),
        "Hp, duals through the tape": error(gradient(loss, dual).tangent, at.hvp(p)),
        "Hp, a tape of duals' tangents": error(gradient(lambda t: loss(Dual(t, p)).tangent, theta), at.hvp(p)),
    }


@pytest.mark.parametrize("name", NETS)
def test_everything_equals_the_passes_on_real_digits(name, mnist, rng):
    X = mnist.train_images[:20].astype(float)
    found = errors(trained(X, **NETS[name]), X, rng)
    assert max(found.values()) < 1e-13, found  # below 1e-15 with most BLAS kernels, 2e-14 with the oldest


@pytest.mark.parametrize("name", SMALL)
def test_everything_equals_the_passes_of_small_nets(name, rng):
    X = rng.random((7, SMALL[name]["sizes"][0]))
    model = trained(X, steps=5, **SMALL[name])
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    found = errors(model, X, rng)
    assert max(found.values()) < 1e-13, found


@pytest.mark.parametrize("hidden", ["relu", "leaky_relu"])
def test_exactly_on_a_kink_the_derivative_is_the_passes_too(hidden, rng):
    X = np.zeros((3, 5))
    X[0] = rng.random(5)
    model = Autoencoder([5, 4, 2, 4, 5], hidden=hidden)  # biases 0: black images stand on every kink
    assert (model.linearize(X).primal.u[1] == 0).any()
    found = errors(model, X, rng)
    assert max(found.values()) < 1e-14, found


def test_complex_arrays_pass_through_duals_and_tape(rng):
    """The third derivative, as the complex step of Hp."""
    X = rng.random((4, 5))
    model = trained(X, steps=5, **SMALL["tanh-tanh-tanh-nobias-decay"])
    p, q = rng.standard_normal((2, model.theta.size))
    _, loss = functions(model, X)
    third = gradient(loss, Dual(model.theta + 1e-200j * q, p + 0j)).tangent.imag / 1e-200
    other = model.with_theta(model.theta + 1e-200j * q).linearize(X).hvp(p).imag / 1e-200
    assert error(third, other) < 1e-13


# -- what lab 6 says ------------------------------------------------------------------------------------------------


def test_lab_6_counts_the_lines_of_the_rp_passes():
    lines = [len({line for *_, line in f.__code__.co_lines() if line}) for f in RP]
    assert 14 <= sum(lines) <= 20


@pytest.mark.parametrize("name", NETS)
def test_products_are_as_counted_in_labs_1_and_6(name, rng):
    """In multiplications a layer and image; the first layer needs fewer."""
    X = rng.random((3, 784))
    model = Autoencoder(**NETS[name] | {"weight_decay": 0.0})
    _, loss = functions(model, X)
    first, *rest = [3 * layer.W.size for layer in model.layers]
    machine = (
        (lambda t, p: loss(t), 1, 1),
        (lambda t, p: gradient(loss, t), 3, 2),
        (lambda t, p: loss(Dual(t, p)), 3, 2),
        (lambda t, p: gradient(loss, Dual(t, p)), 9, 4),
    )
    p, kept = np.ones(model.theta.size), model.linearize(X)
    _ = kept.grad
    for f, each, layer_1 in machine:
        assert counted(f, model.theta, p) == each * sum(rest) + layer_1 * first
    for f, each, layer_1 in (
        (lambda: model.loss(X), 1, 1),
        (lambda: model.loss_and_grad(X), 3, 2),
        (lambda: kept.jvp(p), 2, 1),
        (lambda: kept.hvp(p), 6, 2),
        (lambda: kept.gnvp(p), 4, 2),
        (lambda: model.hvp(X, p), 8, 3),
    ):
        assert multiplications(f) == each * sum(rest) + layer_1 * first


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [lambda a: Dual(a, a), Node], ids=["Dual", "Node"])
@pytest.mark.parametrize(
    "use",
    [
        lambda x: np.asarray(x),
        lambda x: np.array([x, x]),
        lambda x: float(x[0, 0]),
        lambda x: np.zeros((2, 2)).__setitem__(..., x),
        lambda x: operator.setitem(x, 0, 1.0),
        lambda x: np.abs(x),
        lambda x: np.linalg.norm(x),
        lambda x: np.stack([x, x], axis=1),
        lambda x: np.hstack([x, x]),
        lambda x: np.dstack([x, x]),
        lambda x: np.block([x, x]),
        lambda x: np.column_stack([x, x]),
        lambda x: np.einsum("ii->i", x),
        lambda x: np.einsum("ij,jk", x, x),
        lambda x: np.add.reduce(x),
        lambda x: operator.iadd(x, 1.0),
        lambda x: operator.iadd(np.ones((2, 2)), x),
        lambda x: np.add(x, 1.0, out=np.ones((2, 2))),
        lambda x: np.sum(a=x),
        lambda x: np.concatenate([x, x], axis=1),
        lambda x: np.concatenate([x, x], 1),
        lambda x: np.exp(x, dtype=np.float32),
        lambda x: np.transpose(x, (0, 1)),
        lambda x: x[np.array([0, 0])],
        lambda x: x[[0, 0]],
        lambda x: x @ np.ones((2, 2, 2)),
        lambda x: type(x)(*[x] * (1 + isinstance(x, Dual))),
        lambda x: Node(Dual(Node(x.value), np.ones((2, 2)))),
        lambda x: Dual(np.ones((2, 2)), np.ones((2, 2))) * Node(np.ones((2, 2))),
        lambda x: sweep(np.ones(2)),
        lambda x: sweep(Node(np.ones(2)) * 2),
        lambda x: Dual(np.ones(2), np.ones(3)),
        lambda x: np.float64(2.0) @ x,
    ],
)
def test_what_would_lose_the_derivative_is_refused(kind, use):
    x = kind(np.ones((2, 2)))
    with pytest.raises((TypeError, ValueError)):
        y = use(x)
        sweep(y, np.ones(y.shape))  # a Dual is none, and a Node's rule is asked here


def test_refusals_say_what_to_do():
    x = Node(np.ones(2))
    with pytest.raises(TypeError, match=r"no rule for absolute: expected a function in autodiff\.RULES"):
        np.abs(x)
    with pytest.raises(TypeError, match="a Node is no array of numbers: there it would lose its derivative"):
        np.zeros(2)[:] = x
    with pytest.raises(TypeError, match=r"add into an array that is there, as in u \+= b: write u = u \+ b"):
        x += 1
    with pytest.raises(TypeError, match="a Node cannot be changed in place: make a new one"):
        x[0] = 1.0
    with pytest.raises(TypeError, match=r"no rule for np\.dstack: expected a function in autodiff\.RULES"):
        np.dstack([x, x])
    with pytest.raises(TypeError, match="add: expected one kind, Dual or Node, by position"):
        Dual(np.ones(2), np.ones(2)) + x
    with pytest.raises(TypeError, match="Dual of Dual: expected at most one Dual and one Node"):
        Dual(Dual(1.0, 1.0), 1.0)
    with pytest.raises(ValueError, match=r"float64, V of shape \(\): expected a Node and its adjoint V"):
        sweep(np.float64(1.0))


# -- what the tape keeps -------------------------------------------------------------------------------------------


def test_a_later_change_of_an_array_does_not_reach_the_sweep(rng):
    theta, X = rng.random((3, 2)), rng.random((4, 3))
    x = Node(theta)
    loss = np.sum(np.tanh(X @ x))
    before = sweep(loss)[x]
    kept = theta.copy(), X.copy()
    theta[:], X[:] = 7.0, 8.0
    np.testing.assert_array_equal(sweep(loss)[x], before)
    assert theta.flags.writeable and X.flags.writeable and not np.array_equal(kept[0], theta)
    for node in tape(loss):
        with pytest.raises(ValueError, match="read-only"):
            node.value[...] = 0.0
    dual = Node(Dual(theta, theta))
    with pytest.raises(ValueError, match="read-only"):
        dual.value.tangent[...] = 0.0


def test_the_tape_stands_in_the_order_in_which_it_was_made():
    x = Node(2.0)
    y = np.exp(x)
    z = y * x
    unused = x + 1
    assert tape(z) == [x, y, z] and unused not in set(tape(z))


def test_a_tape_of_many_steps_is_freed_with_its_last_node():
    """By reference counts alone: nothing in it points forward."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(2):
            start = tracemalloc.get_traced_memory()[0]
            x = Node(np.ones(10_000))
            y = x
            for _ in range(100):
                y = np.tanh(y * 1.01)
            grown = tracemalloc.get_traced_memory()[0] - start
            refs = [weakref.ref(node) for node in tape(y)]
            loss = y.sum()
            adjoint = sweep(loss)
            assert len(refs) == 201 and grown > 200 * 80_000 and all(np.isfinite(adjoint[x]))
            del x, y, loss, adjoint
            assert not any(ref() for ref in refs)
            assert tracemalloc.get_traced_memory()[0] - start < 100_000
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_long_tape_is_no_deep_recursion():
    y = x = Node(1.0)
    for _ in range(20_000):
        y = y * 1.0
    assert sweep(y)[x] == 1.0
    del x, y


@pytest.mark.parametrize(
    "join",
    [np.stack, np.vstack, np.hstack, np.dstack, np.column_stack, np.block, np.concatenate],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("make", [Node, lambda value: Dual(value, value)], ids=["Node", "Dual"])
def test_pieces_are_joined_or_refused_in_a_sentence(join, make, rng):
    pieces = [rng.random(3), rng.random(3)]
    try:
        found = join([make(piece) for piece in pieces])
    except TypeError as error:
        assert "\n" not in str(error) and join.__name__ in str(error)
    else:
        np.testing.assert_array_equal(found.value, join(pieces))
