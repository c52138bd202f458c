"""Automatic differentiation: dual arrays (forward mode), a tape (reverse mode), one table of local rules for both.

A rule gives, for each argument of a function, the linear map from its change to the value's, and the map's transpose.

    forward mode   tangent(z) = sum over the arguments a of map(tangent(a)), along with the value: ``Dual``
    reverse mode   adjoint(a) = sum over the uses z of a of transpose(adjoint(z)), backwards: ``Node``, ``sweep``

NumPy hands its functions over to the arrays it is given, so one code runs on arrays, Duals and Nodes, if it makes new
arrays (u = u + b) where it might change old ones (u += b), and calls functions that have a rule: else one sentence says
so. A Node may hold a Dual, a Dual may hold Nodes: both give H p. No rule conjugates: complex arrays pass.

Sources: R. E. Wengert, A simple automatic derivative evaluation program, 1964 (forward mode); S. Linnainmaa, The
representation of the cumulative rounding error of an algorithm as a Taylor expansion of the local rounding errors,
1970 (reverse mode).
"""

import copy
import functools
import itertools
import operator

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


def times(d, a):
    """Return the rule of an entry-by-entry function with derivative d by a: a diagonal matrix, its own transpose."""
    same = isinstance(d, int) and d == 1
    return lambda t: t if same else d * t, lambda v: unbroadcast(v if same else d * v, a)


def unbroadcast(v, a):
    """Return v summed over the axes along which a was broadcast: the transpose of that broadcast."""
    new = v.ndim - np.ndim(a)
    axes = tuple(k for k, length in enumerate(v.shape) if k < new or np.shape(a)[k - new] == 1 != length)
    return np.reshape(np.sum(v, axis=axes), np.shape(a)) if axes else v


def placed(key, z):
    """Return the rule of an argument that becomes z[key]; reversed, it is the rule of taking z[key]."""
    return lambda t: call(_put, t, key, z.shape), lambda v: v[key]


def _put(a, key, shape):
    z = np.zeros(shape, a.dtype)
    z[key] = a
    return z


def _join(a, b):
    return np.concatenate([a, b])


def _einsum(*factors, subscripts):
    return np.einsum(subscripts, *factors)


def _einsum_rule(z, *factors, subscripts):
    """Return the rule of a sum of products: the adjoint of a factor is another one, of z's adjoint and the others."""
    inputs, output = subscripts.split("->")
    inputs, rule = inputs.split(","), []
    for k, (letters, a) in enumerate(zip(inputs, factors, strict=True)):
        others = [*factors[:k], *factors[k + 1 :]]
        alone = [letter for letter in letters if letter not in output + "".join(inputs[:k] + inputs[k + 1 :])]
        ones = np.ones([np.shape(a)[letters.index(letter)] for letter in alone])  # what was summed is repeated
        back = ",".join([output, *inputs[:k], *inputs[k + 1 :], "".join(alone)]) + "->" + letters

        def push(t, k=k):
            return call(_einsum, *factors[:k], t, *factors[k + 1 :], subscripts=subscripts)

        def pull(v, others=others, ones=ones, back=back):
            return call(_einsum, v, *others, ones, subscripts=back)

        rule.append((push, pull))
    return rule


def _matmul(z, a, b):
    if not {np.ndim(a), np.ndim(b)} <= {1, 2}:
        raise ValueError(f"{np.shape(a)} @ {np.shape(b)}: expected matrices or vectors")
    rows = a if np.ndim(a) == 2 else (1, -1)
    columns = b if np.ndim(b) == 2 else (-1, 1)
    A, B = (x if x is whole else np.reshape(x, whole) for x, whole in ((a, rows), (b, columns)))

    def as_matrix(v):
        return v if np.ndim(v) == 2 else np.reshape(v, (A.shape[0], B.shape[1]))

    return [
        (lambda t: t @ b, lambda v: np.reshape(as_matrix(v) @ B.T, a.shape)),
        (lambda t: a @ t, lambda v: np.reshape(A.T @ as_matrix(v), b.shape)),
    ]


def _sum(z, a, axis=None, keepdims=False):
    kept = np.sum(np.empty(a.shape, bool), axis, keepdims=True).shape
    return [(lambda t: np.sum(t, axis, keepdims=keepdims), lambda v: np.broadcast_to(np.reshape(v, kept), a.shape))]


RULES = {  # f: with z = f(a, b, ...), a pair (map, transpose) for each argument
    np.add: lambda z, a, b: [times(1, a), times(1, b)],
    np.subtract: lambda z, a, b: [times(1, a), times(-1, b)],
    np.multiply: lambda z, a, b: [times(b, a), times(a, b)],
    np.divide: lambda z, a, b: [times(1 / b, a), times(-z / b, b)],
    np.negative: lambda z, a: [times(-1, a)],
    np.positive: lambda z, a: [times(1, a)],
    np.power: lambda z, a, b: [
        times(b * a ** (b - 1), a),
        (lambda t: z * np.log(a) * t, lambda v: unbroadcast(z * np.log(a) * v, b)),
    ],
    np.exp: lambda z, a: [times(z, a)],
    np.log1p: lambda z, a: [times(1 / (1 + a), a)],
    np.tanh: lambda z, a: [times(1 - z * z, a)],
    np.real: lambda z, a: [times(1, a)],
    np.maximum: lambda z, a, b: [times(a > b, a), times(np.logical_not(a > b), b)],  # where equal: b
    np.where: lambda z, c, a, b: [times(0, c), times(c, a), times(np.logical_not(c), b)],
    np.matmul: _matmul,
    np.sum: _sum,
    np.broadcast_to: lambda z, a, shape: [(lambda t: np.broadcast_to(t, shape), lambda v: unbroadcast(v, a))],
    np.transpose: lambda z, a: [(np.transpose, np.transpose)],
    np.reshape: lambda z, a, shape: [(lambda t: np.reshape(t, shape), lambda v: np.reshape(v, a.shape))],
    operator.getitem: lambda z, a, key: [placed(key, a)[::-1]],
    _put: lambda z, a, key, shape: [placed(key, z)],
    _join: lambda z, a, b: [placed(slice(a.shape[0]), z), placed(slice(a.shape[0], None), z)],
    _einsum: _einsum_rule,
}
CONSTANT = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.shape, np.ndim}
CONSTANT |= {np.iscomplexobj, np.empty_like, np.zeros_like, np.ones_like}  # their derivative is 0, or they have none


def _concatenate(arrays, axis=0):
    if axis is None:
        arrays = [np.reshape(a, -1) for a in arrays]
        axis = 0
    if axis != 0:
        raise TypeError(f"joined along axis {axis}: expected axis 0 for Duals and Nodes")
    return functools.reduce(functools.partial(call, _join), arrays)


def _hstack(arrays):
    if any(np.ndim(a) != 1 for a in arrays):
        raise TypeError("np.hstack: expected flat Duals or Nodes; use np.concatenate, which joins along axis 0")
    return _concatenate(arrays)


def _stack(arrays, axis=0):
    return _concatenate([np.reshape(a, (1, *np.shape(a))) for a in arrays], axis)


def _vstack(arrays):
    return _concatenate([a if np.ndim(a) > 1 else np.reshape(a, (1, -1)) for a in arrays])


def _append(a, b, axis=None):
    return _concatenate([a, b], axis)


def _dot(a, b):
    if np.ndim(a) == np.ndim(b) == 1:
        return np.sum(a * b)
    return a @ b if np.ndim(a) and np.ndim(b) else a * b


def _mean(a, axis=None, keepdims=False):
    total = np.sum(a, axis=axis, keepdims=keepdims)
    return total * (max(total.size, 1) / a.size)


def _einsum_call(subscripts, *factors):
    terms = subscripts.replace(" ", "").split("->")
    if len(terms) != 2 or not all(t.isalpha() and len(set(t)) == len(t) for t in terms[0].split(",") if t):
        raise TypeError(f"np.einsum({subscripts!r}): expected '->', and no letter twice in one factor")
    return call(_einsum, *factors, subscripts="->".join(terms))


COMPOSED = {  # functions of NumPy that others, with rules, make
    np.concatenate: _concatenate,
    np.hstack: _hstack,
    np.stack: _stack,
    np.vstack: _vstack,
    np.append: _append,
    np.dot: _dot,
    np.inner: lambda a, b: _dot(a, np.transpose(b)),
    np.outer: lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, -1),
    np.mean: _mean,
    np.einsum: _einsum_call,
    np.ravel: lambda a, order="C": np.reshape(a, -1),
    np.squeeze: lambda a, axis=None: np.reshape(a, np.squeeze(np.empty(a.shape), axis).shape),
    np.expand_dims: lambda a, axis: np.reshape(a, np.expand_dims(np.empty(a.shape), axis).shape),
    np.copy: lambda a: +a,
    np.square: lambda a: a * a,
}


def call(f, *arguments, **options):
    """Return f(*arguments, **options): an array, or a Dual or Node if an argument is one."""
    if f in COMPOSED and not options.get("out"):
        return COMPOSED[f](*arguments, **options)
    kinds = {type(a) for a in arguments if isinstance(a, Traced)}
    if f in CONSTANT or not (kinds or any(isinstance(a, Traced) for a in options.values())):
        return f(*map(_value, arguments), **options)
    if f not in RULES:
        raise TypeError(f"no rule for {f.__name__}: expected a function in autodiff.RULES, where you may add it")
    if "out" in options:
        raise TypeError(
            f"{f.__name__} into an array that is there, as in u += b: write u = u + b, which makes a new one"
        )
    if len(kinds) != 1:
        raise TypeError(f"{f.__name__}: expected one kind, Dual or Node, by position")
    return kinds.pop()._made(f, arguments, options)


def _value(a):
    return a.value if isinstance(a, Traced) else a


def maps(f, z, arguments, options):
    """Return (argument, map, transpose) for every Dual or Node among the arguments of z = f(*arguments)."""
    pairs = RULES[f](z, *map(_value, arguments), **options)
    return [(a, *pair) for a, pair in zip(arguments, pairs, strict=False) if isinstance(a, Traced)]


class Traced(NDArrayOperatorsMixin):
    """An array with a value, of which NumPy leaves every function to ``call``."""

    def __init__(self, value):
        if isinstance(value, type(self)) or isinstance(_value(value), Traced):
            raise TypeError(f"{type(self).__name__} of {type(value).__name__}: expected at most one Dual and one Node")
        self.value = value if isinstance(value, Traced) else np.asanyarray(value)

    def __array_ufunc__(self, ufunc, method, *arguments, **options):
        return call(ufunc if method == "__call__" else getattr(ufunc, method), *arguments, **options)

    def __array_function__(self, f, types, arguments, options):
        if f not in RULES and f not in CONSTANT and f not in COMPOSED:  # it may hold Traced in a list, as np.stack does
            raise TypeError(f"no rule for np.{f.__name__}: expected a function in autodiff.RULES, where you may add it")
        return call(f, *arguments, **options)

    def __array__(self, *arguments, **options):
        raise TypeError(
            f"a {type(self).__name__} is no array of numbers: there it would lose its derivative (write a @ b for "
            "a.dot(b); join pieces by np.concatenate rather than fill an array with them)"
        )

    def __getitem__(self, key):
        if not all(
            k is None or k is ... or isinstance(k, int | slice) for k in (key if isinstance(key, tuple) else (key,))
        ):
            raise TypeError(f"no entries {key!r} of a {type(self).__name__}: expected integers, slices, None")
        return call(operator.getitem, self, key)

    def __setitem__(self, key, value):
        raise TypeError(
            f"a {type(self).__name__} cannot be changed in place: make a new one (np.concatenate, np.where)"
        )

    def __len__(self):
        return len(self.value)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(repr(part) for part in list(vars(self).values())[:2])})"

    def reshape(self, *shape):
        """Return the entries in another shape, given as one tuple or as numbers."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self):
        """Return the entries as a flat vector."""
        return np.reshape(self, -1)

    flatten = ravel
    shape, ndim, dtype, size = (property(operator.attrgetter(f"value.{a}")) for a in ("shape", "ndim", "dtype", "size"))
    T, real = (property(lambda self, f=f: f(self)) for f in (np.transpose, np.real))
    sum = np.sum
    mean = np.mean
    dot = np.dot
    copy = np.copy
    transpose = np.transpose
    squeeze = np.squeeze


class Dual(Traced):
    """value + e tangent, with e^2 = 0: a value and its derivative along one direction, of one shape."""

    def __init__(self, value, tangent):
        super().__init__(value)
        self.tangent = tangent if isinstance(tangent, Traced) else np.asanyarray(tangent)
        if self.tangent.shape != self.shape:
            raise ValueError(f"tangent has shape {self.tangent.shape}: expected that of the value, {self.shape}")

    @classmethod
    def _made(cls, f, arguments, options):
        z = call(f, *map(_value, arguments), **options)
        tangent = functools.reduce(operator.add, [push(a.tangent) for a, push, _ in maps(f, z, arguments, options)])
        return cls(z, tangent if tangent.shape == z.shape else np.broadcast_to(tangent, z.shape))


class Node(Traced):
    """An array that remembers its function f and the arguments of f: copies, which no later change can reach."""

    numbers = itertools.count()
    __hash__ = object.__hash__

    def __init__(self, value, f=None, arguments=(), options=None):
        super().__init__(value if f else copy.deepcopy(value))
        for part in vars(self.value).values() if isinstance(self.value, Dual) else [self.value]:
            part.flags.writeable = False
        self.f = f
        self.arguments = arguments
        self.options = options
        self.number = next(self.numbers)

    @classmethod
    def _made(cls, f, arguments, options):
        arguments = [a if isinstance(a, Node) else copy.deepcopy(a) for a in arguments]
        return cls(call(f, *map(_value, arguments), **options), f, arguments, options)


def tape(output):
    """Return the nodes that output was made of, in the order in which they were made; output is the last."""
    nodes, found = [output], {output}
    for node in nodes:  # which grow on the way
        new = {a for a in node.arguments if isinstance(a, Node)} - found
        nodes += new
        found |= new
    return sorted(nodes, key=lambda node: node.number)


def sweep(output, V=1.0):
    """Return the adjoint of every node of the tape, {node: array of its shape}, from V, the adjoint of its output.

    >>> x = Node(Dual(3.0, 1.0))  # the first derivative of x^2, and the second
    >>> sweep(x * x)[x]
    Dual(array(6.), array(2.))
    """
    if not isinstance(output, Node) or np.shape(V) != output.shape:
        raise ValueError(f"{type(output).__name__}, V of shape {np.shape(V)}: expected a Node and its adjoint V")
    adjoint = {output: np.asarray(V)}
    for z in reversed(tape(output)):
        for a, _, pull in maps(z.f, z.value, z.arguments, z.options) if z.f else ():
            adjoint[a] = adjoint[a] + pull(adjoint[z]) if a in adjoint else pull(adjoint[z])
    return adjoint
