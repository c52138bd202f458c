"""Exercises of lab 6, automatic differentiation."""

import numpy as np

from aelib.autodiff import RULES
from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import array, ask, ask_unchanged, close, number, several, unchanged
from aelib.coursework.findings import Wrong

LAB = "06_automatic_differentiation"


def _central(f, x, p, eps):
    plus, minus = (number(f(x + e * p), "breaker of a real vector") for e in (eps, -eps))
    return (plus - minus) / (2 * eps)


@exercise(
    "breaker",
    lab=LAB,
    points=2,
    hints=(
        "the complex step reads the derivative from the imaginary part. Which operations on x + i eps p are not what "
        "they are on real numbers: which drop the imaginary part, turn its sign, or square it away?",
        "the section on what breaks the complex step names three such operations; mix one of them with a smooth "
        "function of x, for each entry.",
        "a smaller case: x -> x Re(x) of one number. Its derivative at 3 is 6; at 3 + i eps it is 9 + 3 i eps, so the "
        "complex step gives 3: wrong by a factor of 2.",
    ),
)
def breaker(answer, rng):
    """Real and smooth on real vectors, and at most points its complex step is not its central difference."""
    known = {"the norm": np.linalg.norm, "the sum of absolute values": lambda x: np.abs(x).sum(), "the maximum": np.max}
    known["the largest absolute value"] = lambda x: np.abs(x).max()
    missed, draws = 0, 24  # of each length; shorter vectors are not judged: a variance of one entry is 0
    for n in (3, 6):
        ratios = {name: [] for name in known}
        for _ in range(draws):
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
        for name, ratio in ratios.items():
            if np.ptp(ratio) <= 1e-9 * np.abs(ratio).max():
                raise Wrong(f"this is a multiple of {name}, which the lab has shown: find another")
        _smooth_at_ties(answer, rng, n)
    if missed <= draws / 2:  # a quarter of all: an answer that is right for some signs of x is above it on every draw
        raise Wrong(f"at {2 * draws - missed} points of {2 * draws}, one direction each, the complex step is right")


def _smooth_at_ties(answer, rng, n):
    """Where entries are equal, or equal in size, the slopes to both sides agree: the task asks for a derivative there.

    From a straight line a kink departs like the step, a bend like its square or nearly so.
    """
    for signs in (rng.choice([-1.0, 1.0], n), rng.choice([-1.0, 1.0]) * np.ones(n)):
        x, p = rng.uniform(0.5, 1.5) * signs, rng.uniform(0.5, 1.0, n) * rng.choice([-1.0, 1.0], n)
        here, gaps = number(answer(x.copy()), "breaker"), []
        for step in (1e-3, 1e-4):
            plus, minus = (number(answer(x + e * p), "breaker") for e in (step, -step))
            gaps.append(abs(plus + minus - 2 * here))
        if gaps[1] > 0.05 * gaps[0] + 1e-11 * (abs(here) + abs(plus - minus) / step):
            raise Wrong(f"n = {n}: where entries are equal in size it has a kink; it is to be differentiable there")


@exercise(
    "dual",
    lab=LAB,
    points=3,
    hints=(
        "each operation makes a new Dual of two arrays: the value, computed from the values as usual, and the "
        "tangent, the derivative of that value along the tangents that came in.",
        "the formula of the section on forward mode holds for each: it is the sum rule for a + b, the product rule for "
        "a * b and for a @ b (where the order of the factors stays), and the chain rule for tanh.",
        "a smaller case: a = 3 with tangent 1, b = 2 with tangent 5: a + b is 5 with 6, a * b is 6 with 1 * 2 + 3 * 5 "
        "= 17. tanh at 0 with tangent 7 is 0 with 7.",
    ),
)
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
            given = [x.copy() for x in (a, b, s, t)]
            z = f(answer(given[0], given[2]), answer(given[1], given[3]))
            what = f"{name}, shapes {shapes[0]} and {shapes[1]}"
            for before, after in zip((a, b, s, t), given, strict=True):
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


@exercise(
    "pull",
    lab=LAB,
    points=3,
    hints=(
        "v has the shape of z, what is returned for a has the shape of a. A number that was used several times on the "
        "way forward collects a share from each use on the way back.",
        "the table in the task gives z; the transpose of a map takes v to the array whose product with any move of a "
        "is that of v with the move of z.",
        "a smaller case: add of a = [[1, 2], [3, 4]] and b = (5, 6): b is used in both rows, so with v = [[1, 10], "
        "[100, 1000]] its share is (101, 1010), and that of a is v. maximum of (3, 3) and (1, 3), v = (7, 8): at the "
        "tie b takes all: (7, 0) and (0, 8).",
    ),
)
def pull(answer, rng):
    """Entry by entry: v times the complex step of z along that entry."""
    for name, (f, cases) in PULLED.items():
        for shapes in cases:
            arguments = [rng.standard_normal(shape) for shape in shapes]
            if name == "maximum":  # half of it a tie
                arguments[1].flat[::2] = arguments[0].flat[::2]
            v = rng.standard_normal(np.shape(f(*arguments)))
            what = f"{name}, shapes {' and '.join(map(str, shapes))}"
            names = [f"{what}: {letter}" for letter in ("its name", "v", "a", "b")[: 2 + len(arguments)]]
            found = ask_unchanged(answer, names, name, v, *arguments)
            found = several(found, 2, what) if len(arguments) == 2 else [found]
            for k, (a, adjoint, letter) in enumerate(zip(arguments, found, "ab", strict=False)):
                adjoint = array(adjoint, a.shape, f"{what}: the adjoint of {letter}")
                expected = [np.vdot(v, _along(f, arguments, k, unit)) for unit in np.eye(a.size)]
                expected = np.reshape(expected, a.shape)
                slips = []
                if name == "maximum":
                    tie, first = arguments[0] == arguments[1], arguments[0] > arguments[1]
                    mine = first if letter == "a" else ~first & ~tie
                    slips += [
                        ("at a tie each gets all", v * (mine | tie)),
                        ("at a tie each gets half", v * (mine + tie / 2)),
                    ]
                    slips += [("at a tie a takes all: it is b", v * mine if letter == "b" else v * (mine | tie))]
                if name in ("tanh", "sigmoid"):
                    slope = 1 - a**2 if name == "tanh" else a * (1 - a)
                    slips += [("the formula for the slope takes z, not a", v * slope), ("v is not used", expected / v)]
                if name == "sum":
                    slips += [("a mean over the rows where their sum is meant", expected / len(a))]
                if name == "add" and letter == "b":
                    slips += [("a mean over the rows where their sum is meant", v.mean(axis=0))]
                close(adjoint, expected, f"{what}: the adjoint of {letter}", 1e-10, slips)


def _graph(rng, n, size):
    """Return a random tape: names in the order of their making, {name: [(argument, matrix), ...]}, at most two each."""
    names = [f"node {k}" for k in rng.permutation(n)]
    made = {names[0]: []}
    for k, name in enumerate(names[1:], start=1):
        earlier = [names[k - 1], names[int(rng.integers(0, k))]]  # the last one, and any: perhaps the same one twice
        made[name] = [(a, rng.standard_normal((size, size)) if rng.random() < 0.7 else None) for a in earlier]
    return names, made


@exercise(
    "my_sweep",
    lab=LAB,
    points=3,
    hints=(
        "an adjoint is complete when all nodes that use this one have sent their share. In which order must nodes be "
        "visited, so that each transpose is used once?",
        "the task says what parents holds: for each node its arguments and the transposes that take the node's "
        "adjoint to their shares. Shares that reach the same node are added; the output starts with V.",
        "a smaller case: y = 2x, z = 3y, w = y + z, so w is 8x. The adjoints from w = 1: z gets 1, y gets 1 from w "
        "and 3 from z, together 4, and x gets 2 * 4 = 8. Had y been handed on before z spoke, x would have 2.",
    ),
)
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
        given, what = V.copy(), f"a tape of {n} nodes"
        found = answer(parents, output, given)
        unchanged(V, given, f"{what}: V")
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


@exercise(
    "own",
    lab=LAB,
    points=2,
    hints=(
        "smooth and bent: neither linear nor piecewise linear. Write own(a) first, then how it moves when a moves by "
        "t: that is linear in t. The transpose takes v back with the same numbers.",
        "for all v and t the sum of own(a, v=v) * t is that of v * own(a, t=t): it defines the transpose. The section "
        "on transposes has three of them.",
        "a smaller case: own(a) = a_1 a_2 of two numbers (2, 3): along t = (5, 7) it moves by 5 * 3 + 2 * 7 = 29. The "
        "transpose of v = 10 is (30, 20), and 30 * 5 + 20 * 7 = 290 = 10 * 29.",
    ),
)
def own(answer, rng):
    """With t the derivative, by central differences; with v its transpose, by products; smooth, bent, not known."""
    for shape in ((3, 4), (3, 3), (5, 3)):  # of fewer rows or columns a right answer may be constant
        of = f"a of shape {shape}"
        for _ in range(4):
            a, t = rng.uniform(0.7, 1.8, shape), rng.uniform(-1, 1, shape)
            z = np.asarray(ask_unchanged(answer, ["a"], a))
            z = array(z, z.shape, f"own(a), {of}")
            if np.iscomplexobj(z) or not z.size:
                raise Wrong(f"own(a), {of}: real numbers were expected")
            near = [np.asarray(ask(answer, a + e * t)) for e in (0.02, -0.02, 1e-5, -1e-5)]
            if np.linalg.norm(near[0] + near[1] - 2 * z) <= 1e-12 * np.linalg.norm(z):
                raise Wrong(
                    f"own(a), {of}: straight along a line: it is to be smooth and bent, not linear, not piecewise so"
                )
            for f in (f for f in RULES if isinstance(f, np.ufunc) and f.nin == 1):
                if z.shape == shape and np.allclose(z, f(a), rtol=1e-9):
                    raise Wrong(f"own is {f.__name__}, which has a rule already: find another")
            change = (near[2] - near[3]) / 2e-5
            forth = ask_unchanged(lambda a, t: answer(a, t=t), "a t", a, t)
            forth = array(forth, z.shape, f"own(a, t=t), {of}")
            if np.linalg.norm(forth) <= 1e-9 * np.linalg.norm(z):
                raise Wrong(f"own(a, t=t), {of}: 0 along a random t: an operation that moves with a is asked for")
            close(forth, change, f"own(a, t=t), {of}, against a central difference", 1e-6)
            v = rng.uniform(-1, 1, z.shape)
            back = array(ask_unchanged(lambda a, v: answer(a, v=v), "a v", a, v), shape, f"own(a, v=v), {of}")
            what = f"{of}: the sum of own(a, v=v) * t, which is that of v * own(a, t=t)"
            scale = np.linalg.norm(v) * np.linalg.norm(forth)
            if abs(np.vdot(back, t) - np.vdot(v, forth)) > 1e-10 * scale:
                close(np.vdot(back, t), np.vdot(v, forth), what, 1e-9)


@exercise(
    "failing",
    lab=LAB,
    points=2,
    hints=(
        "follow one adjoint from the output down to layer 1, for each bug. Where is the wrong number made, and which "
        "blocks are computed from it, directly or through the adjoints below? The others stay right.",
        "the three bugs stand in the text above the exercise; each block takes the adjoint of its layer's u, W_l the "
        "z below it too.",
        "a smaller case: L = 2. If grad_u of layer 2 is right and what layer 2 hands down is wrong, W2 and b2 come "
        "out right, W1 and b1 wrong.",
    ),
)
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
            if found is None or isinstance(found, str) or not hasattr(found, "__iter__"):
                raise Wrong(f"{what}: a set of names was expected")
            found = {str(name) for name in found}
            if found - blocks:
                raise Wrong(f"{what}: there is no block {min(found - blocks)}")
            if found != expected:
                too = "some that come out right" if found - expected else "not all that come out wrong"
                raise Wrong(f"{what}: you name {too}")


question(
    "6.7",
    (
        "count inputs and outputs: one forward pass gives a column of a Jacobian, one reverse sweep a row. Which are "
        "fewer?",
        "the section on two modes has the costs; H is the Jacobian of the gradient, which has N inputs and N outputs.",
        "a smaller case: f from 2 numbers to 784: forward takes 2 passes for the whole Jacobian, reverse 784. From "
        "784 numbers to 1, it is the other way round.",
    ),
)
