"""Lab 6, automatic differentiation."""

import numpy as np


def conj(x):
    return np.vdot(x, x).real


def by_abs(x):
    return np.sum(np.abs(x) ** 3)


def positive_part(x):
    return np.sum(np.maximum(np.real(x), 0))


class Forward:
    """A right dual; wrong ones change a method."""

    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def __add__(self, other):
        return type(self)(self.value + other.value, self.tangent + other.tangent)

    def __mul__(self, other):
        return type(self)(self.value * other.value, other.tangent * self.value + self.tangent * other.value)

    def __matmul__(self, other):
        return type(self)(self.value @ other.value, self.tangent @ other.value + self.value @ other.tangent)

    def tanh(self):
        return type(self)(np.tanh(self.value), self.tangent / np.cosh(self.value) ** 2)


def product(value, tangent):
    """Return the methods of an entry-by-entry product."""
    return lambda a, b: type(a)(value(a, b), tangent(a, b))


def dual(**methods):
    return type("Slip", (Forward,), methods)


def values(a, b):
    return a.value * b.value


def add_in_place(a, b):
    a.value += b.value
    a.tangent += b.tangent
    return a


def sweep_by_order(parents, output, V, add=lambda a, b: a + b, order=None, whole=True):
    """Return the adjoints, in an order by depth first; slips replace a part."""
    done, seen = [], set()

    def visit(z):
        if z not in seen:
            seen.add(z)
            for a, _ in parents[z]:
                visit(a)
            done.append(z)

    visit(output)
    adjoint = {output: V}
    for z in order(parents, done) if order else reversed(done):
        for a, back in parents[z] if z in adjoint else ():
            share = back(adjoint[z])
            adjoint[a] = add(adjoint[a], share) if a in adjoint else share
    return adjoint


def sweep_by_counts(parents, output, V):
    """Return the adjoints: a node's turn comes when all its uses have sent their shares (Kahn)."""
    reach, uses = [output], {output: 0}
    for z in reach:
        for a, _ in parents[z]:
            if a not in uses:
                uses[a] = 0
                reach.append(a)
            uses[a] += 1
    adjoint, ready = {z: np.zeros_like(V) for z in reach}, [output]
    adjoint[output] = V.copy()
    while ready:
        z = ready.pop()
        for a, back in parents[z]:
            adjoint[a] = adjoint[a] + back(adjoint[z])
            uses[a] -= 1
            if not uses[a]:
                ready.append(a)
    return adjoint


def sweep_by_paths(parents, output, V):
    """Return the adjoints as sums over all paths: right, but a transpose is used for each path."""
    adjoint = {z: np.zeros_like(V) for z in parents}

    def send(z, v):
        adjoint[z] = adjoint[z] + v
        for a, back in parents[z]:
            send(a, back(v))

    if len(parents) < 15:
        send(output, V)
    return adjoint


def breadth(parents, done):
    """Return the nodes by their distance from the output."""
    order = [done[-1]]
    for z in order:
        order += [a for a, _ in parents[z] if a not in order]
    return order


def add_into(a, b):
    a += b
    return a


PULLS = {
    "matmul": lambda v, a, b: (v @ b.T, a.T @ v),
    "tanh": lambda v, a: v / np.cosh(a) ** 2,
    "sigmoid": lambda v, a: v / (2 + 2 * np.cosh(a)),
    "sum": lambda v, a: v + 0 * a,
    "add": lambda v, a, b: [v, np.ones(len(v)) @ v],
    "maximum": lambda v, a, b: (v * (a > b), v * (a <= b)),
}


def pull(**slips):
    return lambda name, v, a, *b: (PULLS | slips)[name](v, a, *b)


def of(z, forth, back):
    """Return ``own`` of an operation, its derivative along t, and the transpose."""
    return lambda a, t=None, v=None: forth(a, t) if t is not None else back(a, v) if v is not None else z(a)


def cubes(a):
    return a**3 + 0.5 * a[:, ::-1] ** 2


def forth(a, t):
    return 3 * a**2 * t + (a * t)[:, ::-1]


def back(a, v):
    return 3 * a**2 * v + a * v[:, ::-1]


def softmax(a):
    return np.exp(a) / np.sum(np.exp(a), axis=0)


def forth_in_place(a, t):
    t *= 3 * a**2
    return t


TOTAL = (
    lambda a: np.log(np.sum(a * a)),
    lambda a, t: 2 * np.sum(a * t) / np.sum(a * a),
    lambda a, v: 2 * v * a / np.sum(a * a),
)


def failing(bug, L, k):
    names = [kind + str(l) for l in range(1, L + 1) for kind in "Wb"]
    return {"no sum": names[1:], "changed": names[:1], "detached": names[: 2 * k]}[bug]


def blocks(L):
    return {kind + str(l) for l in range(1, L + 1) for kind in "Wb"}


def slip(bug, answer):
    return lambda b, L, k: answer(L, k) if b == bug else failing(b, L, k)


RIGHT = {
    "breaker": {
        "conjugate": conj,
        "cube of abs": by_abs,
        "real part": lambda x: np.sum(x.real * x),
        "sum of real parts": lambda x: np.sum(x.real),
        "variance, 0 for one entry": np.var,
        "positive part, 0 at points without": positive_part,
    },
    "dual": {"as it is": Forward, "derived": dual()},
    "pull": {"other forms": pull()},
    "my_sweep": {"depth first": sweep_by_order, "counted uses": sweep_by_counts},
    "own": {
        "mixes neighbours": of(cubes, forth, back),
        "log of a sum": of(*TOTAL),
        "softmax of each column, 1 for one row": of(
            softmax,
            lambda a, t: softmax(a) * (t - np.sum(softmax(a) * t, axis=0)),
            lambda a, v: softmax(a) * (v - np.sum(softmax(a) * v, axis=0)),
        ),
        "deviation of each column, straight for two rows": of(
            lambda a: np.std(a, axis=0),
            lambda a, t: np.mean((a - a.mean(axis=0)) * t, axis=0) / np.std(a, axis=0),
            lambda a, v: (a - a.mean(axis=0)) / np.std(a, axis=0) * v / len(a),
        ),
    },
    "failing": {"slices of a list": failing},
}
WRONG = {
    "breaker": {
        "norm": np.linalg.norm,
        "twice the sum of abs": lambda x: 2 * np.sum(np.abs(x)),
        "maximum": np.max,
        "analytic": lambda x: np.sum(x**3),
        "not smooth": lambda x: np.floor(20 * np.abs(x)).sum(),
        "jumps": lambda x: np.abs(x).sum() ** 2 + np.floor(1e5 * x[0]),
        "standard deviation: a kink where all are equal": np.std,
        "maximum of real parts, squared: a kink at a tie": lambda x: np.max(np.real(x)) ** 2,
        "a vector": np.abs,
        "complex on reals": lambda x: np.sum(x) * 1j,
        "constant": lambda x: 1.0,
        "only for one entry": lambda x: np.abs(x[0]) ** 2 + 1000 * np.sum(x[1:] ** 2) if len(x) > 1 else x[0] ** 2,
        "nan for complex vectors": lambda x: np.nan if np.iscomplexobj(x) else np.sum(x**2),
        "raises for complex vectors": lambda x: float(x[0]) if not np.iscomplexobj(x) else x.sort(1),
    },
    "dual": {
        "one term of the product": dual(__mul__=product(values, lambda a, b: a.tangent * b.value)),
        "tangents multiplied": dual(__mul__=product(values, lambda a, b: a.tangent * b.tangent)),
        "a minus in the product": dual(__mul__=product(values, lambda a, b: a.tangent * b.value - a.value * b.tangent)),
        "the first tangent alone": dual(__add__=lambda a, b: type(a)(a.value + b.value, a.tangent)),
        "matrices entry by entry": dual(__matmul__=Forward.__mul__),
        "matrices in another order": dual(
            __matmul__=lambda a, b: type(a)(a.value @ b.value, a.tangent @ b.value + b.tangent @ a.value)
        ),
        "tanh without the tangent": dual(tanh=lambda a: type(a)(np.tanh(a.value), 1 - np.tanh(a.value) ** 2)),
        "tanh' of z": dual(tanh=lambda a: type(a)(np.tanh(a.value), (1 - a.value**2) * a.tangent)),
        "tanh of the tangent": dual(tanh=lambda a: type(a)(np.tanh(a.value), np.tanh(a.tangent))),
        "a pair, no dual": dual(__add__=lambda a, b: (a.value + b.value, a.tangent + b.tangent)),
        "changes a": dual(__add__=add_in_place),
    },
    "my_sweep": {
        "no sum": lambda *a: sweep_by_order(*a, add=lambda old, new: new),
        "the first share alone": lambda *a: sweep_by_order(*a, add=lambda old, new: old),
        "a mean": lambda *a: sweep_by_order(*a, add=lambda old, new: (old + new) / 2),
        "order of the dict": lambda *a: sweep_by_order(*a, order=lambda parents, done: list(parents)),
        "reversed order of the dict": lambda *a: sweep_by_order(*a, order=lambda parents, done: list(parents)[::-1]),
        "breadth first": lambda *a: sweep_by_order(*a, order=breadth),
        "forward": lambda *a: sweep_by_order(*a, order=lambda parents, done: done),
        "by paths": sweep_by_paths,
        "adds into shared arrays": lambda *a: sweep_by_order(*a, add=add_into),
        "V is 1": lambda parents, output, V: sweep_by_order(parents, output, np.ones_like(V)),
        "a list": lambda *a: list(sweep_by_order(*a).values()),
    },
    "pull": {
        "factors in the wrong order": pull(matmul=lambda v, a, b: (b.T @ v, v @ a.T)),
        "no transpose": pull(matmul=lambda v, a, b: (v @ b, a @ v)),
        "swapped": pull(matmul=lambda v, a, b: (a.T @ v, v @ b.T)),
        "tanh' of z": pull(tanh=lambda v, a: v * (1 - a**2)),
        "tanh without v": pull(tanh=lambda v, a: 1 - np.tanh(a) ** 2),
        "sigmoid' of z": pull(sigmoid=lambda v, a: v * a * (1 - a)),
        "sum not repeated": pull(sum=lambda v, a: v),
        "sum over columns": pull(sum=lambda v, a: np.broadcast_to(v[: len(a), None], a.shape)),
        "mean for sum": pull(sum=lambda v, a: np.broadcast_to(v, a.shape) / len(a)),
        "broadcast not summed": pull(add=lambda v, a, b: (v, v)),
        "summed over the wrong axis": pull(add=lambda v, a, b: (v, v.sum(axis=1))),
        "mean over the batch": pull(add=lambda v, a, b: (v, v.mean(axis=0))),
        "tie to a": pull(maximum=lambda v, a, b: (v * (a >= b), v * (a < b))),
        "tie to both": pull(maximum=lambda v, a, b: (v * (a >= b), v * (a <= b))),
        "tie halved": pull(maximum=lambda v, a, b: (v * ((a > b) + 0.5 * (a == b)), v * ((a < b) + 0.5 * (a == b)))),
        "the other way": pull(maximum=lambda v, a, b: (v * (a < b), v * (a > b))),
        "changes v": pull(tanh=lambda v, a: v.__imul__(1 - np.tanh(a) ** 2)),
        "one missing": lambda name, v, a, *b: None if name == "add" else PULLS[name](v, a, *b),
    },
    "own": {
        "no transpose": of(cubes, forth, forth),
        "the transpose forgets a part": of(cubes, forth, lambda a, v: 3 * a**2 * v),
        "the derivative forgets a part": of(cubes, lambda a, t: 3 * a**2 * t, lambda a, v: 3 * a**2 * v),
        "half": of(TOTAL[0], lambda a, t: TOTAL[1](a, t) / 2, lambda a, v: TOTAL[2](a, v) / 2),
        "linear": of(lambda a: 2 * a, lambda a, t: 2 * t, lambda a, v: 2 * v),
        "constant": of(np.ones_like, lambda a, t: 0 * t, lambda a, v: 0 * v),
        "tanh": of(np.tanh, lambda a, t: t / np.cosh(a) ** 2, lambda a, v: v / np.cosh(a) ** 2),
        "no derivative": lambda a, t=None, v=None: cubes(a),
        "changes t": of(lambda a: a**3, forth_in_place, lambda a, v: 3 * a**2 * v),
        "one derivative for both": of(cubes, forth, forth),
    },
    "failing": {
        "no sum: nothing": slip("no sum", lambda L, k: set()),
        "no sum: all": slip("no sum", lambda L, k: blocks(L)),
        "no sum: all but the last": slip("no sum", lambda L, k: blocks(L) - {f"b{L}"}),
        "no sum: all but layer 1": slip("no sum", lambda L, k: blocks(L) - {"W1", "b1"}),
        "changed: all": slip("changed", lambda L, k: blocks(L)),
        "changed: layer 1": slip("changed", lambda L, k: {"W1", "b1"}),
        "changed: first and last": slip("changed", lambda L, k: {"W1", f"W{L}", f"b{L}"}),
        "detached: after it": slip("detached", lambda L, k: {b for b in blocks(L) if int(b[1:]) > k}),
        "detached: one too few": slip("detached", lambda L, k: {b for b in blocks(L) if int(b[1:]) < k}),
        "detached: one too many": slip("detached", lambda L, k: {b for b in blocks(L) if int(b[1:]) <= k + 1}),
        "detached: weights alone": slip("detached", lambda L, k: {f"W{l}" for l in range(1, k + 1)}),
        "L fixed": lambda bug, L, k: failing(bug, 4, 2),
    },
}
