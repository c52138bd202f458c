"""Lab 6, automatic differentiation."""

import numpy as np


def conj(x):
    return np.vdot(x, x).real


def by_abs(x):
    return np.sum(np.abs(x) ** 3)


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
    "breaker": {"conjugate": conj, "cube of abs": by_abs, "real part": lambda x: np.sum(x.real * x)},
    "pull": {"other forms": pull()},
    "own": {"mixes neighbours": of(cubes, forth, back), "log of a sum": of(*TOTAL)},
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
        "a vector": np.abs,
        "complex on reals": lambda x: np.sum(x) * 1j,
        "constant": lambda x: 1.0,
        "only for one entry": lambda x: np.abs(x[0]) ** 2 + 1000 * np.sum(x[1:] ** 2) if len(x) > 1 else x[0] ** 2,
        "nan for complex vectors": lambda x: np.nan if np.iscomplexobj(x) else np.sum(x**2),
        "raises for complex vectors": lambda x: float(x[0]) if not np.iscomplexobj(x) else x.sort(1),
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
