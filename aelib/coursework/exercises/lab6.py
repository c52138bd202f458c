"""Exercises of lab 6, automatic differentiation."""

import numpy as np

from aelib.autodiff import RULES
from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import array, close, number, several, unchanged

LAB = "06_automatic_differentiation"


def _central(f, x, p, eps):
    plus, minus = (number(f(x + e * p), "breaker of a real vector") for e in (eps, -eps))
    return (plus - minus) / (2 * eps)


@exercise("breaker", lab=LAB, points=2)
def breaker(answer, rng):
    """Real and smooth on real vectors, and along most directions its complex step is not its central difference."""
    known = {"the norm": np.linalg.norm, "the sum of absolute values": lambda x: np.abs(x).sum(), "the maximum": np.max}
    for n in (1, 3, 6):
        ratios, missed = {name: [] for name in known}, 0
        for _ in range(8):
            x = rng.uniform(0.4, 1.5, n) * rng.choice([-1.0, 1.0], n)
            p = rng.uniform(0.5, 1.0, n) * rng.choice([-1.0, 1.0], n)
            value = number(answer(x.copy()), f"breaker of a real vector of length {n}")
            wide, fine = (_central(answer, x, p, eps) for eps in rng.uniform(1e-4, 4e-4, 2))
            if abs(wide - fine) > 1e-4 * (abs(fine) + abs(value)):
                raise Wrong(
                    f"n = {n}: two central differences, {wide:.6g} and {fine:.6g}, do not agree: no derivative here"
                )
            step = float(np.imag(array(answer(x + 1e-200j * p), (), "breaker of a complex vector"))) / 1e-200
            missed += abs(step - fine) > 1e-2 * abs(fine) + 1e-9 * abs(value)
            for name, f in known.items():
                ratios[name].append(value / f(x))
        if missed < 6:
            raise Wrong(f"n = {n}: along {8 - missed} directions of 8 the complex step is right")
        for name, ratio in ratios.items():
            if n > 1 and np.ptp(ratio) <= 1e-9 * np.abs(ratio).max():
                raise Wrong(f"this is a multiple of {name}, which the lab has shown: find another")


@exercise("dual", lab=LAB, points=3)
def dual(answer, rng):
    """Of a class of dual arrays: values as NumPy's, tangents as the complex step's; nothing is changed in place."""
    functions = {
        "a + b": lambda a, b: a + b,
        "a * b": lambda a, b: a * b,
        "a @ b": lambda a, b: a @ b,
        "a.tanh()": lambda a, b: np.tanh(a) if isinstance(a, np.ndarray | np.generic) else a.tanh(),
        "(a * b + a) * b": lambda a, b: (a * b + a) * b,
    }
    for name, f in functions.items():
        for shapes in (
            (((2, 3), (3, 4)), ((3, 2), (2, 3))) if name == "a @ b" else (((), ()), ((3,), (3,)), ((2, 3),) * 2)
        ):
            a, b, s, t = (np.asarray(rng.standard_normal(shape)) for shape in (*shapes, *shapes))
            kept = [x.copy() for x in (a, b, s, t)]
            z = f(answer(a, s), answer(b, t))
            what = f"{name}, shapes {shapes[0]} and {shapes[1]}"
            for before, after in zip(kept, (a, b, s, t), strict=True):
                unchanged(before, after, f"{what}: a part of a or b")
            close(z.value, f(a, b), f"{what}: the value", 1e-12)
            close(z.tangent, np.imag(f(a + 1e-200j * s, b + 1e-200j * t)) / 1e-200, f"{what}: the tangent")


PULLED = {
    "matmul": (lambda a, b: a @ b, [((2, 3), (3, 4)), ((3, 3), (3, 3)), ((1, 4), (4, 1))]),
    "tanh": (np.tanh, [((2, 3),), ((4,),), ((),)]),
    "sigmoid": (lambda a: 0.5 * (1 + np.tanh(a / 2)), [((2, 3),), ((4,),), ((),)]),
    "sum": (lambda a: a.sum(axis=0), [((2, 3),), ((3, 3),), ((1, 4),)]),
    "add": (lambda a, b: a + b, [((2, 3), (3,)), ((3, 3), (3,)), ((1, 4), (4,))]),
    "maximum": (lambda a, b: np.where(a.real > b.real, a, b), [((2, 3), (2, 3)), ((6,), (6,))]),
}


def _along(f, arguments, k, direction):
    """Return the derivative of f(*arguments) as its k-th argument moves along a flat direction."""
    moved = list(arguments)
    moved[k] = arguments[k] + 1e-200j * direction.reshape(arguments[k].shape)
    return np.imag(f(*moved)) / 1e-200


@exercise("pull", lab=LAB, points=3)
def pull(answer, rng):
    """Entry by entry: v times the complex step of z along that entry."""
    for name, (f, cases) in PULLED.items():
        for shapes in cases:
            arguments = [rng.standard_normal(shape) for shape in shapes]
            if name == "maximum":  # half of it a tie
                arguments[1].flat[::2] = arguments[0].flat[::2]
            v = rng.standard_normal(np.shape(f(*arguments)))
            what = f"{name}, shapes {' and '.join(map(str, shapes))}"
            kept = [a.copy() for a in (v, *arguments)]
            found = answer(name, v, *arguments)
            for before, after in zip(kept, (v, *arguments), strict=True):
                unchanged(before, after, f"{what}: an argument")
            found = several(found, 2, what) if len(arguments) == 2 else [found]
            for k, (a, adjoint, letter) in enumerate(zip(arguments, found, "ab", strict=False)):
                adjoint = array(adjoint, a.shape, f"{what}: the adjoint of {letter}")
                expected = [np.vdot(v, _along(f, arguments, k, unit)) for unit in np.eye(a.size)]
                expected = np.reshape(expected, a.shape)
                close(adjoint, expected, f"{what}: the adjoint of {letter}")


def _graph(rng, n, size):
    """Return a random tape: names in the order of their making, {name: [(argument, matrix), ...]}, at most two each."""
    names = [f"node {k}" for k in rng.permutation(n)]
    made = {names[0]: []}
    for k, name in enumerate(names[1:], start=1):
        earlier = [names[k - 1], names[int(rng.integers(0, k))]]  # the last one, and any: perhaps the same one twice
        made[name] = [(a, rng.standard_normal((size, size)) if rng.random() < 0.7 else None) for a in earlier]
    return names, made


@exercise("my_sweep", lab=LAB, points=3)
def my_sweep(answer, rng):
    """All adjoints at once, as the solution of their linear equations; each transpose is used once."""
    for n, size in ((2, 1), (5, 2), (12, 3), (40, 2)):
        names, made = _graph(rng, n, size)
        output = names[-1] if n < 40 else names[-4]  # three nodes were made later, of others and of it
        V, used = rng.standard_normal(size), []
        system = np.eye(n * size)
        for z, parts in made.items():
            for a, M in parts:
                i, j = names.index(a) * size, names.index(z) * size
                system[i : i + size, j : j + size] -= np.eye(size) if M is None else M
        alone = [name for name in names if name not in made or names.index(name) > names.index(output)]
        for name in alone:  # they send nothing back
            k = names.index(name) * size
            system[:, k : k + size] = 0
            system[k : k + size, k : k + size] = np.eye(size)
        start = np.zeros(n * size)
        start[names.index(output) * size :][:size] = V
        adjoints = np.linalg.solve(system, start).reshape(n, size)

        def transpose(z, k, M, used=used):
            def back(v):
                used.append((z, k))
                return v if M is None else M @ v

            return back

        order = rng.permutation(n)
        parents = {names[i]: [(a, transpose(names[i], k, M)) for k, (a, M) in enumerate(made[names[i]])] for i in order}
        kept, what = V.copy(), f"a tape of {n} nodes"
        found = answer(parents, output, V)
        unchanged(kept, V, f"{what}: V")
        for k, name in enumerate(names[: names.index(output) + 1]):
            try:
                adjoint = found[name]
            except (KeyError, TypeError, IndexError):
                raise Wrong(f"{what}: a dict was expected with an adjoint for each node, {name} among them") from None
            where = "the output" if name == output else f"a node used {_uses(made, name, names, output)} times"
            close(adjoint, adjoints[k], f"{what}: the adjoint of {where}")
        if len(used) > len(set(used)):
            raise Wrong(f"{what}: a transpose was used more than once; use it when its node's adjoint is complete")


def _uses(made, name, names, output):
    reach = names[: names.index(output) + 1]
    return sum(a == name for z in reach for a, _ in made[z])


@exercise("own", lab=LAB, points=2)
def own(answer, rng):
    """With t the derivative, by central differences; with v its transpose, by products; not linear, not known."""
    for shape in ((2, 3), (3, 3), (4, 2), (1, 5)):
        a, t = rng.uniform(0.7, 1.8, shape), rng.uniform(-1, 1, shape)
        kept, of = a.copy(), f"a of shape {shape}"
        z = np.asarray(answer(a))
        z = array(z, z.shape, f"own(a), {of}")
        if np.iscomplexobj(z) or not z.size:
            raise Wrong(f"own(a), {of}: real numbers were expected")
        bent = answer(a + 0.2 * t) + answer(a - 0.2 * t) - 2 * z
        if np.linalg.norm(bent) <= 1e-6 * np.linalg.norm(z):
            raise Wrong(f"own(a), {of}: straight along a line, so linear or constant")
        for f in (f for f in RULES if isinstance(f, np.ufunc) and f.nin == 1):
            if z.shape == shape and np.allclose(z, f(a), rtol=1e-9):
                raise Wrong(f"own is {f.__name__}, which has a rule already: find another")
        change = (answer(a + 1e-5 * t) - answer(a - 1e-5 * t)) / 2e-5
        forth = answer(a, t=t)
        close(forth, change, f"own(a, t=t), {of}, against a central difference", 1e-6)
        v = rng.uniform(-1, 1, z.shape)
        back = array(answer(a, v=v), shape, f"own(a, v=v), {of}")
        close(
            np.vdot(back, t),
            np.vdot(v, forth),
            f"{of}: the sum of own(a, v=v) * t, which is that of v * own(a, t=t)",
            1e-9,
        )
        unchanged(kept, a, "a")


@exercise("failing", lab=LAB, points=2)
def failing(answer, rng):
    """No sum: all but the slice that is cut first. Changed: the product with the batch. Detached: up to layer k."""
    for L in rng.permutation(np.arange(2, 9)).tolist():
        k = int(rng.integers(1, L))
        blocks = {f"{kind}{l}" for l in range(1, L + 1) for kind in "Wb"}
        for bug, expected in (
            ("no sum", blocks - {"W1"}),
            ("changed", {"W1"}),
            ("detached", {f"{kind}{l}" for l in range(1, k + 1) for kind in "Wb"}),
        ):
            found, what = answer(bug, L, k), f"{bug}, L = {L}, k = {k}"
            if found is None or isinstance(found, str):
                raise Wrong(f"{what}: a set of names was expected")
            found = {str(name) for name in found}
            if found - blocks:
                raise Wrong(f"{what}: there is no block {min(found - blocks)}")
            if found != expected:
                too = "some that come out right" if found - expected else "not all that come out wrong"
                raise Wrong(f"{what}: you name {too}")
