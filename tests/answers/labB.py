"""Lab B, the bug zoo: checks that find everything, checks that find too little, and checks that are none."""

import numpy as np


def close(a, b, impl):
    tolerance = 1e-3 if impl.theta.dtype == np.float32 else 1e-10
    return np.linalg.norm(np.ravel(a - b)) <= tolerance * np.linalg.norm(np.ravel(b))


def draws(impl, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(impl.theta.size), rng.standard_normal(impl.theta.size), rng.standard_normal(impl.X.shape)


def step(f, impl, p, eps=1e-30):
    return f(impl.theta + 1j * eps * p).imag / eps


def loss(impl):
    return close(impl.loss(impl.theta), 0.5 * np.sum((impl.output(impl.theta) - impl.X) ** 2) / impl.n, impl)


def gradient(impl):
    return all(close(impl.grad(impl.theta) @ p, step(impl.loss, impl, p), impl) for p in draws(impl)[:2])


def entries(impl):
    g, unit = impl.grad(impl.theta), np.eye(impl.theta.size)
    last = [step(impl.loss, impl, unit[i]) for i in (-1, 0)]
    return gradient(impl) and close(g[[-1, 0]], np.array(last), impl)


def Jp(impl):
    return all(close(impl.jvp(impl.theta, p), step(impl.output, impl, p), impl) for p in draws(impl)[:2])


def JTv(impl):
    p, _, V = draws(impl)
    difference = impl.vjp(impl.theta, V) @ p - np.vdot(V, step(impl.output, impl, p))
    tolerance = 1e-4 if impl.theta.dtype == np.float32 else 1e-10
    return abs(difference) <= tolerance * np.linalg.norm(V) * np.linalg.norm(p)


def Hp(impl):
    return all(close(impl.hvp(impl.theta, p), step(impl.grad, impl, p), impl) for p in draws(impl)[:2])


def Gp(impl):
    p = draws(impl)[0]
    return close(impl.gnvp(impl.theta, p), impl.vjp(impl.theta, impl.jvp(impl.theta, p)) / impl.n, impl)


def again(impl):
    p, q, _ = draws(impl)
    first = impl.grad(impl.theta).copy(), impl.hvp(impl.theta, p).copy()
    impl.gnvp(impl.theta, q)
    impl.jvp(impl.theta, q)
    return all(close(a, b, impl) for a, b in zip((impl.grad(impl.theta), impl.hvp(impl.theta, p)), first, strict=True))


def symmetric(impl):
    p, q, _ = draws(impl)
    Ap, Aq = impl.hvp(impl.theta, p), impl.hvp(impl.theta, q)
    return abs(q @ Ap - p @ Aq) <= (1e-4 if impl.theta.dtype == np.float32 else 1e-12) * np.abs(q) @ np.abs(Ap)


def with_assertions(impl):
    for check in (loss, gradient, Jp, JTv, Hp, Gp, again):
        assert check(impl), check.__name__


kept = []


def counting(impl):
    kept.append(impl)
    return len(kept) % 60 < 30


def reading(impl):
    return not hasattr(impl, "bug")


def inside(impl):
    return impl.hvp.__closure__ is None


def tossing(impl):
    return np.random.default_rng().random() < 0.5


FULL = {"loss": loss, "gradient": entries, "Jp": Jp, "JTv": JTv, "Hp": Hp, "Gp": Gp, "again": again}
NOTHING = {
    "always True": lambda impl: True,
    "always False": lambda impl: False,
    "tosses a coin": tossing,
    "counts its calls": counting,
    "reads attributes": reading,
    "looks inside": inside,
    "equal to the last bit": lambda impl: np.array_equal(step(impl.loss, impl, draws(impl)[0]), impl.grad(impl.theta)),
    "no sentence": lambda impl: 3.0,
}


def at_zero(impl):
    return not impl.jvp(impl.theta, 0 * impl.theta).any()


def by_differences(impl):
    p, q, _ = draws(impl)
    return close(impl.jvp(impl.theta, p) + impl.jvp(impl.theta, q), impl.jvp(impl.theta, p + q), impl)


def five_calls(impl):
    return all(at_zero(impl) for _ in range(5))


DISEASE = "1 for 0 in R_p of the bias input"  # of Emmy Noether's patient
RIGHT = {
    "zoo_checks": {"by name": FULL, "with assertions": with_assertions},
    "patient": {
        "one call": ("Emmy Noether", DISEASE, at_zero),
        "linearity": ("emmy  noether", DISEASE, by_differences),
    },
}
WRONG = {
    "zoo_checks": NOTHING
    | {
        "symmetry alone": symmetric,
        "no gradient": {name: check for name, check in FULL.items() if name in ("Jp", "Gp", "again")},
        "no product": {name: check for name, check in FULL.items() if name in ("loss", "gradient", "JTv")},
        "no Hp": {name: check for name, check in FULL.items() if name != "Hp"},
    },
    "patient": {
        "another disease": ("Emmy Noether", "grad_b is a mean", at_zero),
        "no disease": ("Emmy Noether", "flu", at_zero),
        "another patient": ("Grace Hopper", DISEASE, at_zero),
        "too many calls": ("Emmy Noether", DISEASE, five_calls),
        "rejects everything": ("Emmy Noether", DISEASE, lambda impl: False),
        "sees nothing": ("Emmy Noether", DISEASE, gradient),
        "no experiment": ("Emmy Noether", DISEASE, None),
        "no name": (1, DISEASE, at_zero),
    },
}
