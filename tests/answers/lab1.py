"""Lab 1, the passes and what is made of them: right variants, and bugs planted in the text of a right one."""

import linecache

import numpy as np

from aelib import passes
from aelib.activations import Activation

SOURCE = {}
SOURCE["forward"] = """
def forward(layers, X):
    u, z = [None], [X]
    for layer in layers:
        a = z[-1] @ layer.W.T
        if layer.b is not None:
            a = a + layer.b
        u.append(a)
        z.append(layer.activation.g(a))
    return u, z
"""
SOURCE["backward"] = """
def backward(layers, u, z, V):
    grad, grad_u, grad_z = np.zeros(layers[-1].b_slice.stop), [None] * len(z), [None] * len(z)
    grad_z[-1] = V
    for l in range(len(layers), 0, -1):
        layer = layers[l - 1]
        grad_u[l] = grad_z[l] * layer.activation.dg(u[l])
        grad_W, grad_b = layer.split(grad)
        grad_W[...] = grad_u[l].T @ z[l - 1]
        if grad_b is not None:
            grad_b[...] = grad_u[l].sum(axis=0)
        grad_z[l - 1] = grad_u[l] @ layer.W
    return grad, grad_u, grad_z
"""
SOURCE["rp_forward"] = """
def rp_forward(layers, p, u, z):
    R_u, R_z = [None], [np.zeros_like(z[0])]
    for l, layer in enumerate(layers, start=1):
        P, q = layer.split(p)
        R_u.append(z[l - 1] @ P.T + R_z[l - 1] @ layer.W.T)
        if q is not None:
            R_u[l] = R_u[l] + q
        R_z.append(layer.activation.dg(u[l]) * R_u[l])
    return R_u, R_z
"""
SOURCE["rp_backward"] = """
def rp_backward(layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V):
    R_grad, R_grad_u, R_grad_z = np.zeros_like(p), [None] * len(z), [None] * len(z)
    R_grad_z[-1] = R_V
    for l in range(len(layers), 0, -1):
        layer, (P, _) = layers[l - 1], layers[l - 1].split(p)
        g = layer.activation
        R_grad_u[l] = R_grad_z[l] * g.dg(u[l]) + grad_z[l] * g.d2g(u[l]) * R_u[l]
        R_grad_W, R_grad_b = layer.split(R_grad)
        R_grad_W[...] = R_grad_u[l].T @ z[l - 1] + grad_u[l].T @ R_z[l - 1]
        if R_grad_b is not None:
            R_grad_b[...] = R_grad_u[l].sum(axis=0)
        R_grad_z[l - 1] = R_grad_u[l] @ layer.W + grad_u[l] @ P
    return R_grad, R_grad_u, R_grad_z
"""
SOURCE["rp_backward, alone"] = SOURCE["rp_backward"].replace("return R_grad, R_grad_u, R_grad_z", "return R_grad")
SOURCE["gauss_newton"] = """
def gauss_newton(layers, p, u, z):
    R_u, R_z = rp_forward(layers, p, u, z)
    return backward(layers, u, z, R_z[-1] / len(z[0]))[0]
"""
SOURCE["loss_and_gradient"] = """
def loss_and_gradient(layers, X):
    u, z = forward(layers, X)
    r, n = z[-1] - X, len(X)
    loss = 0.5 * np.sum(r**2) / n
    return loss, backward(layers, u, z, r / n)[0]
"""


def written(name, source, **known):
    """Return the function that a source defines, as a notebook's cell would: with lines that a traceback can show."""
    file = f"<{name} {hash(source) & 0xFFFFFF:06x}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace = {"np": np, **known}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name.split(",")[0]]


PASSES = {name: written(name, SOURCE[name]) for name in ("forward", "backward", "rp_forward")}


def planted(name, old, new):
    """Return the right function with one piece of its text replaced."""
    assert old in SOURCE[name], f"{old!r} is not in {name}"
    return written(name, SOURCE[name].replace(old, new), **PASSES)


dg, bias = "layer.activation.dg(u[l])", "        if layer.b is not None:\n            a = a + layer.b"
head, carry = "layers, u, z, V):", "grad_z[l - 1] = grad_u[l] @ layer.W"
cut = "np.column_stack([layer.b, layer.W])[:, :-1]"
E = f"E = layer.W if layer.b is None else {cut}\n        grad_z[l - 1] = grad_u[l] @ E"
more = "grad_z[l - 1] = grad_u[l] @ np.column_stack([layer.W, np.zeros(layer.n_out)])"
BUGS = [  # function, right text, wrong text, the quantity to be located (None: of the whole), a word of the cause
    ("forward", "a + layer.b", "a - layer.b", "u", "sign"),
    ("forward", "a = a + layer.b", "pass", "u", "missing"),
    ("forward", "layer.W.T", "layer.W", "u", "transposed"),
    ("forward", "layer.activation.g(a)", "a", "z", "u[l]"),
    ("forward", "layer.activation.g(a)", "np.tanh(a)", "z", "tanh"),
    ("forward", "layer.activation.g(a)", "layer.activation.dg(a)", "z", "g'"),
    ("forward", "z[-1] @", "X @", "u", "x[l-1]"),
    ("forward", "    a = a + layer.b", "    a += layer.b * 2", "u", "2"),
    ("forward", "[None], [X]", "[], []", None, ""),
    ("forward", "u.append(a)", "u.append(a.astype(np.float32))", "u", "float32"),
    ("forward", bias, "        a = a + layer.b", None, "without bias"),
    ("forward", "return u, z", "return z", None, ""),
    ("backward", " * " + dg, "", "grad_u", "g' is missing"),
    ("backward", dg, "layer.activation.dg(z[l])", "grad_u", "g'(z)"),
    ("backward", dg, "layer.activation.g(u[l])", "grad_u", "z[l]"),
    ("backward", dg, "(1 - z[l] ** 2)", "grad_u", "1 - z^2"),
    ("backward", dg, "(z[l] * (1 - z[l]))", "grad_u", "z (1 - z)"),
    ("backward", "u[l].sum(axis=0)", "u[l].mean(axis=0)", "grad_b", "mean"),
    ("backward", "u[l].sum(axis=0)", "u[l][0]", "grad_b", "first image"),
    ("backward", "u[l].sum(axis=0)", "u[l].sum(axis=1)", "grad_b", "axis"),
    ("backward", "grad_b[...] = ", "pass; grad_b = ", "grad_b", "missing"),
    ("backward", "grad_u[l] @ layer.W\n", "grad_u[l] @ layer.W.T\n", "grad_z", "transposed"),
    ("backward", "grad_u[l] @ layer.W\n", "grad_z[l] @ layer.W\n", "grad_z", "grad_z"),
    ("backward", "@ z[l - 1]", "@ z[l - 1] / len(V)", "grad_W", "mean"),
    ("backward", "@ z[l - 1]", "@ u[l - 1]", None, ""),
    ("backward", "grad_u[l].T @", "grad_z[l].T @", "grad_W", "grad_z"),
    ("backward", "z[-1] = V", "z[-1] = V / len(V)", "grad_z", "mean"),
    ("backward", "z[-1] = V", "z[-1] = -V", "grad_z", "sign"),
    ("backward", "z[-1] = V", "z[-1] = (z[-1] - z[0]) / len(V)", "grad_z", "(z - x)/n"),
    ("backward", "range(len(layers), 0, -1)", "range(len(layers), 1, -1)", None, ""),
    ("backward", "grad_u[l] = grad_z[l] * ", "grad_u[l] = grad_z[l]\n        grad_u[l] *= ", "V", "in place"),
    ("backward", "np.zeros(layers[-1].b_slice.stop)", "np.zeros(layers[-1].b_slice.stop, np.float32)", None, "float32"),
    ("backward", "    return grad, grad_u, grad_z", "", None, "return"),
    ("backward", head, head + "\n    u, z = backward.__dict__.setdefault('kept', (u, z))", None, "stale"),
    ("backward", head, "layers, u, z, V, kept=[]):\n    kept.append(V); V = kept[0]", None, "stale"),
    ("backward", carry, more, None, "bias row"),
    ("backward", carry, E, "grad_z", "bias row"),
    ("rp_forward", "@ P.T", "@ layer.W.T", "R_u", "W"),
    ("rp_forward", "R_u[l] + q", "R_u[l] + q + layer.b", "R_u", "1 for 0"),
    ("rp_forward", "R_u[l] + q", "R_u[l] + layer.b", "R_u", "b[l]"),
    ("rp_forward", "R_u[l] + q", "R_u[l]", "R_u", "missing"),
    ("rp_forward", " + R_z[l - 1] @ layer.W.T", "", "R_u", "missing"),
    ("rp_forward", "z[l - 1] @ P.T + ", "", "R_u", "missing"),
    ("rp_forward", "R_z[l - 1] @ layer.W.T", "R_z[l - 1] @ P.T", "R_u", "P"),
    ("rp_forward", "np.zeros_like(z[0])", "np.ones_like(z[0])", "R_z", ""),
    ("rp_forward", "np.zeros_like(z[0])", "z[0]", "R_z", ""),
    ("rp_forward", dg + " * ", "", "R_z", "g' is missing"),
    ("rp_forward", dg, "layer.activation.d2g(u[l])", "R_z", "g''"),
    ("rp_forward", "R_z[l - 1] @", "z[l - 1] @", "R_u", "z[l-1]"),
    ("rp_forward", "u[l]) * R_u[l]", "u[l]) * R_u[l] + u[l]", "R_z", ""),
    ("rp_backward", " + grad_z[l] * g.d2g(u[l]) * R_u[l]", "", "R_grad_u", "g''"),
    ("rp_backward", "grad_z[l] * g.d2g(u[l]) * R_u[l]", "grad_u[l] * g.d2g(u[l]) * R_u[l]", "R_grad_u", " or "),
    ("rp_backward", "g.d2g(u[l]) * R_u[l]", "g.d2g(u[l]) * R_z[l]", "R_grad_u", " or "),
    ("rp_backward", "R_grad_z[l] * g.dg(u[l]) + ", "", "R_grad_u", "missing"),
    ("rp_backward", "R_grad_z[l] * g.dg(u[l])", "R_grad_z[l]", "R_grad_u", "g' is missing"),
    ("rp_backward", "g.dg(u[l]) + grad_z[l]", "g.dg(u[l]) - grad_z[l]", "R_grad_u", "sign"),
    ("rp_backward", "g.dg(u[l]) + grad_z[l]", "g.dg(u[l]) + 0.5 * grad_z[l]", "R_grad_u", "1/2"),
    ("rp_backward", " + grad_u[l].T @ R_z[l - 1]", "", "R_grad_W", "missing"),
    ("rp_backward", "grad_u[l].T @ R_z[l - 1]", "R_grad_u[l].T @ R_z[l - 1]", "R_grad_W", "R_grad_u"),
    ("rp_backward", "grad_u[l].T @ R_z[l - 1]", "grad_u[l].T @ z[l - 1]", "R_grad_W", "z[l-1]"),
    ("rp_backward", "u[l].sum(axis=0)", "u[l].mean(axis=0)", "R_grad_b", "mean"),
    ("rp_backward", "R_grad_b[...] = R_grad_u", "R_grad_b[...] = grad_u", "R_grad_b", "grad_u"),
    ("rp_backward", " + grad_u[l] @ P\n", "\n", "R_grad_z", "missing"),
    ("rp_backward", "grad_u[l] @ P\n", "grad_u[l] @ layer.W\n", "R_grad_z", "W"),
    ("rp_backward", "R_grad_u[l] @ layer.W + grad_u[l] @ P", "R_grad_u[l] @ P + grad_u[l] @ layer.W", "R_grad_z", ""),
    ("rp_backward", "R_grad_z[-1] = R_V", "R_grad_z[-1] = R_z[-1]", "R_grad_z", "R_z"),
    ("rp_backward", "R_grad_z[-1] = R_V", "R_grad_z[-1] = R_V / len(R_V)", "R_grad_z", "mean"),
    ("rp_backward", "np.zeros_like(p)", "p", "p", "in place"),
    ("rp_backward, alone", " + grad_z[l] * g.d2g(u[l]) * R_u[l]", "", "R_grad_u", "g''"),
    ("rp_backward, alone", "g.d2g(u[l]) * R_u[l]", "g.d2g(u[l]) * R_z[l]", "R_grad_u", "R_z"),
    ("rp_backward, alone", " + grad_u[l] @ P\n", "\n", "R_grad_z", "missing"),
    ("rp_backward, alone", " + grad_u[l].T @ R_z[l - 1]", "", "R_grad_W", "missing"),
    ("rp_backward, alone", "R_V\n", "R_V * len(R_V)\n", "R_grad_z", "n"),
    ("gauss_newton", " / len(z[0])", "", None, "1/n is missing"),
    ("gauss_newton", "len(z[0])", "z[0].size", "JpV", "pixels"),
    ("gauss_newton", "R_z[-1] /", "-R_z[-1] /", None, "sign"),
    ("gauss_newton", "R_z[-1] /", "R_u[-1] /", None, "R_u"),
    ("gauss_newton", "R_z[-1] /", "(R_z[-1] + z[-1] - z[0]) /", None, ""),
    ("gauss_newton", "[0]\n", "\n", None, ""),
    ("loss_and_gradient", "z[-1] - X,", "X - z[-1],", None, "sign"),
    ("loss_and_gradient", "r / n", "r", None, "1/n is missing"),
    ("loss_and_gradient", "r / n", "2 * r / n", None, "2"),
    ("loss_and_gradient", "0.5 * np.sum(r**2) / n", "np.sum(r**2) / n", "loss", "1/2"),
    ("loss_and_gradient", "0.5 * np.sum(r**2) / n", "0.5 * np.sum(r**2)", "loss", "1/n"),
    ("loss_and_gradient", "0.5 * np.sum(r**2) / n", "0.5 * np.mean(r**2)", "loss", "pixels"),
    ("loss_and_gradient", "0.5 * np.sum(r**2) / n", "0.5 * np.sum(abs(r)) / n", "loss", ""),
    ("loss_and_gradient", "return loss, backward", "return backward", None, ""),
]  # fmt: skip


# Right answers, written otherwise.


def forward_einsum(layers, X):
    u, z = [None], (X,)
    for layer in layers:
        b = 0 if layer.b is None else layer.b
        u += [np.einsum("ik,jk->ij", z[-1], layer.W) + b]
        z += (layer.activation.g(u[-1]),)
    return tuple(u), z


def forward_image_by_image(layers, X):
    u = [None] + [np.empty((len(X), layer.n_out), X.dtype) for layer in layers]
    z = [X] + [np.empty_like(a) for a in u[1:]]
    for i in range(len(X)):
        for l, layer in enumerate(layers, start=1):
            u[l][i] = layer.W @ z[l - 1][i] + (layer.b if layer.bias else 0)
            z[l][i] = layer.activation.g(u[l][i])
    return u, z


def forward_extended(layers, X):
    u, z, ones = [None], [X], np.ones((len(X), 1), X.dtype)
    for layer in layers:
        W = layer.W if layer.b is None else np.hstack([layer.W, layer.b[:, None]])
        extended = z[-1] if layer.b is None else np.hstack([z[-1], ones])
        u.append((W @ extended.T).T)
        z.append(layer.activation.g(u[-1]))
    return u, z


def forward_recursive(layers, X):
    if not layers:
        return [None], [X]
    u, z = forward_recursive(layers[:-1], X)
    a = np.dot(z[-1], layers[-1].W.T)
    a = a if layers[-1].b is None else np.add(a, layers[-1].b)
    return [*u, a], [*z, layers[-1].activation.g(a)]


def backward_two_loops(layers, u, z, V):
    """The adjoints first, the parameters upward; stored transposes and slopes; the input's adjoint left out."""
    slopes = {l: layer.activation.dg(u[l], z[l]) for l, layer in enumerate(layers, start=1)}
    columns = [V.T]
    grad_u = []
    for l in range(len(layers), 0, -1):
        grad_u.insert(0, columns[0].T * slopes[l])
        if l > 1:
            columns.insert(0, layers[l - 1].W.T @ grad_u[0].T)
    parts = []
    for l, layer in enumerate(layers, start=1):
        parts.append(np.einsum("ij,ik->jk", grad_u[l - 1], z[l - 1]).ravel())
        if layer.b is not None:
            parts.append(np.ones(len(V), V.dtype) @ grad_u[l - 1])
    return np.concatenate(parts), [None, *grad_u], [None, *(c.T for c in columns)]


def backward_image_by_image(layers, u, z, V):
    size, L = layers[-1].b_slice.stop, len(layers)
    grad = np.zeros(size, V.dtype)
    grad_u = [np.zeros_like(a) for a in z]
    grad_z = [np.zeros_like(a) for a in z]
    for i, v in enumerate(V):
        grad_z[L][i] = v
        for l in range(L, 0, -1):
            layer = layers[l - 1]
            grad_u[l][i] = grad_z[l][i] * layer.activation.dg(u[l][i])
            grad_W, grad_b = layer.split(grad)
            grad_W += np.outer(grad_u[l][i], z[l - 1][i])
            if layer.bias:
                grad_b += grad_u[l][i]
            grad_z[l - 1][i] = layer.W.T @ grad_u[l][i]
    return grad, grad_u, grad_z


def with_any_entry_0(function, entry):
    """Return a pass whose lists hold this at index 0, where the task asks for nothing."""

    def changed(*arguments):
        grad, *lists = function(*arguments)
        return grad, *([entry, *parts[1:]] for parts in lists)

    return changed


def backward_of_the_package(layers, u, z, V):
    adjoint = passes.backward(layers, passes.Primal(u, z), V)
    return adjoint.grad, adjoint.grad_u, adjoint.grad_z


def backward_with_a_harmless_cache(layers, u, z, V, cache={}):  # noqa: B006
    cache["last"] = SOURCE, V.shape
    return PASSES["backward"](layers, u, z, V)


def rp_forward_of_the_package(layers, p, u, z):
    return passes.rp_forward(layers, p, passes.Primal(u, z))


def rp_forward_extended(layers, p, u, z):
    """With R_p{[z 1]} = [R_p{z} 0]."""
    R_u, R_z, one = [None], [0 * z[0]], np.ones((len(z[0]), 1), z[0].dtype)
    for l, layer in enumerate(layers, start=1):
        (W, b), (P, q) = (layer.W, layer.b), layer.split(p)
        b, q = (np.zeros(layer.n_out, W.dtype) if a is None else a for a in (b, q))
        R = np.hstack([z[l - 1], one]) @ np.column_stack([P, q]).T
        R += np.hstack([R_z[-1], 0 * one]) @ np.column_stack([W, b]).T
        R_u.append(R)
        R_z.append(R * layer.activation.dg(u[l]))
    return R_u, R_z


def rp_backward_of_the_package(layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V):
    adjoint, tangent = passes.Adjoint(grad_u, grad_z, None), passes.Tangent(R_u, R_z)
    R = passes.rp_backward(layers, p, passes.Primal(u, z), adjoint, tangent, R_V)
    return R.grad, R.grad_u, R.grad_z


def rp_backward_other_order(layers, p, u, z, grad_u, grad_z, R_u, R_z, R_V):
    """All carries first; grad_u g'' R_z / g'^2 nowhere; R_grad alone."""
    R, carries = [None] * len(z), [None] * len(z)
    carry = R_V.copy()
    for l, layer in reversed(list(enumerate(layers, start=1))):
        carries[l] = carry
        bend = np.multiply(grad_z[l], layer.activation.d2g(u[l], z[l]))
        R[l] = bend * R_u[l] + layer.activation.dg(u[l], z[l]) * carry
        carry = np.einsum("ij,jk->ik", grad_u[l], layer.split(p)[0]) + np.dot(R[l], layer.W)
    parts = []
    for l, layer in enumerate(layers, start=1):
        parts.append((R[l].T @ z[l - 1] + (R_z[l - 1].T @ grad_u[l]).T).ravel())
        parts.append(R[l].sum(axis=0)[: layer.n_out * layer.bias])
    return np.concatenate(parts)


def gauss_newton_written_out(layers, p, u, z):
    n, (_, R_z) = len(z[0]), rp_forward_extended(layers, p, u, z)
    return backward_two_loops(layers, u, z, R_z[-1])[0] / n


def gauss_newton_image_by_image(layers, p, u, z):
    total, n = np.zeros_like(p), len(z[0])
    for i in range(n):
        u_i, z_i = [None, *(a[i : i + 1] for a in u[1:])], [a[i : i + 1] for a in z]
        total += backward_two_loops(layers, u_i, z_i, rp_forward_extended(layers, p, u_i, z_i)[1][-1])[0]
    return total / n


def loss_and_gradient_written_out(layers, X):
    u, z = forward_extended(layers, X)
    r = z[-1] - X
    return sum(0.5 * (row @ row) for row in r) / len(X), backward_image_by_image(layers, u, z, r / len(X))[0]


RIGHT = {
    "forward": {
        "as in the lab": PASSES["forward"],
        "einsum": forward_einsum,
        "image by image": forward_image_by_image,
        "extended matrices": forward_extended,
        "recursive": forward_recursive,
        "of the package": lambda layers, X: passes.forward(layers, X),
    },
    "backward": {
        "as in the lab": PASSES["backward"],
        "two loops": backward_two_loops,
        "image by image": backward_image_by_image,
        "of the package": backward_of_the_package,
        "a harmless cache": backward_with_a_harmless_cache,
        "entry 0 is None": with_any_entry_0(PASSES["backward"], None),
        "entry 0 is 0": with_any_entry_0(PASSES["backward"], 0),
        "entry 0 is of another shape": with_any_entry_0(PASSES["backward"], np.zeros((2, 3))),
        "entry 0 is not a number": with_any_entry_0(PASSES["backward"], "nothing"),
    },
    "rp_forward": {
        "as in the lab": PASSES["rp_forward"],
        "extended matrices": rp_forward_extended,
        "of the package": rp_forward_of_the_package,
    },
    "rp_backward": {
        "as in the lab": written("rp_backward", SOURCE["rp_backward"]),
        "R_grad alone": written("rp_backward", SOURCE["rp_backward, alone"]),
        "other order": rp_backward_other_order,
        "entry 0 is None": with_any_entry_0(written("rp_backward", SOURCE["rp_backward"]), None),
        "entry 0 is 0": with_any_entry_0(written("rp_backward", SOURCE["rp_backward"]), 0),
        "of the package": rp_backward_of_the_package,
    },
    "gauss_newton": {
        "as in the lab": written("gauss_newton", SOURCE["gauss_newton"], **PASSES),
        "written out": gauss_newton_written_out,
        "image by image": gauss_newton_image_by_image,
    },
    "loss_and_gradient": {
        "as in the lab": written("loss_and_gradient", SOURCE["loss_and_gradient"], **PASSES),
        "written out": loss_and_gradient_written_out,
    },
}
WRONG = {name: {} for name in RIGHT}


def own_activation(dg, d2g):
    """Return a class of an activation arctan with these derivatives."""

    class Arctan(Activation):
        def g(self, u, z=None, out=None):
            return np.arctan(u, out=out)

        def dg(self, u, z=None, out=None):
            return dg(u, out)

        def d2g(self, u, z=None, out=None):
            return d2g(u, out)

    return Arctan


def slope(u, out):
    return np.divide(1, 1 + u**2, out=out)


def bend(u, out):
    return -2 * u / (1 + u**2) ** 2


def slope_in_steps(u, out):
    out = np.empty_like(u) if out is None else out
    out[...] = np.cos(np.arctan(u)) ** 2
    return out


def bend_in_steps(u, out):
    out = np.empty_like(u) if out is None else out
    out[...] = -2 * u * slope(u, None) ** 2
    return out


def slope_of_real_u(u, out):
    out = np.empty(u.shape) if out is None else out
    out[...] = 1 / (1 + u**2)
    return out


RIGHT["arctan"] = {
    "as in the lab": own_activation(slope, bend),
    "by cos": own_activation(slope_in_steps, bend),
    "out in both": own_activation(slope, bend_in_steps),
}
WRONG["arctan"] = {
    "out is not written": own_activation(lambda u, out: slope(u, None), bend),
    "g'' without its sign": own_activation(slope, lambda u, out: -bend(u, out)),
    "g'' without the 2": own_activation(slope, lambda u, out: bend(u, out) / 2),
    "g'' not squared": own_activation(slope, lambda u, out: -2 * u / (1 + u**2)),
    "g'' = 0": own_activation(slope, lambda u, out: np.zeros_like(u)),
    "no complex u": own_activation(slope_of_real_u, bend),
    "g' of arcsin": own_activation(lambda u, out: np.divide(1, 1 + np.sqrt(abs(u)), out=out), bend),
    "1 - u^2": own_activation(lambda u, out: np.subtract(1, u**2, out=out), lambda u, out: -2 * u),
}
for name, old, new, *_ in BUGS:
    WRONG[name.split(",")[0]][f"{old} -> {new}"] = planted(name, old, new)
