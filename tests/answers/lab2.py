"""Lab 2, the checks."""

import numpy as np


def central(f, theta, p, eps):
    return f(theta + eps * p) / (2 * eps) - f(theta - eps * p) / (2 * eps)


def weighted(a, b, c):
    """A rule a (f(2e) - f(-2e)) + b (f(e) - f(-e)), over c e."""

    def rule(f, theta, p, eps):
        values = [f(theta + k * eps * p) for k in (-2, -1, 1, 2)]
        return (a * (values[3] - values[0]) + b * (values[2] - values[1])) / (c * eps)

    return rule


def extrapolated(f, theta, p, eps):
    return (4 * central(f, theta, p, eps) - central(f, theta, p, 2 * eps)) / 3


def in_place(f, theta, p, eps):
    theta += eps * p
    plus = f(theta)
    theta -= 2 * eps * p
    return (plus - f(theta)) / (2 * eps)


def complex_step(f, theta, p, eps):
    return np.imag(f(theta + 1j * eps * p)) / eps


def asymmetry(product, draw, same=False, scaled=True, signed=False):
    p, q = draw(), draw()
    q = p if same else q
    Ap, Aq = product(p), product(q)
    difference = q @ Ap - p @ Aq
    difference = difference if signed else abs(difference)
    return difference / (np.linalg.norm(q) * np.linalg.norm(Ap)) if scaled else difference


def by_pairs(product, draw):
    pair = [draw(), draw()]
    images = [product(v) for v in pair]
    numbers = pair @ np.transpose(images)
    return abs(numbers[0, 1] - numbers[1, 0]) / np.linalg.norm(pair[1]) / np.linalg.norm(images[0])


def one_draw(product, draw):
    p = draw()
    return abs(p[::-1] @ product(p) - p @ product(p[::-1])) / (np.linalg.norm(p) * np.linalg.norm(product(p)))


def wrong_norms(product, draw):
    p, q = draw(), draw()
    return abs(q @ product(p) - p @ product(q)) / (np.linalg.norm(q) * np.linalg.norm(p))


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def nearest_kink(u, R_u):
    a, R = flat(u), flat(R_u)
    return np.min(np.abs(a[R != 0] / R[R != 0]), initial=np.inf)


def nearest_loop(u, R_u):
    best = float("inf")
    for a, R in zip(u, R_u, strict=True):
        for x, y in zip(a.flat, R.flat, strict=True):
            if y and abs(x) / abs(y) < best:
                best = abs(x) / abs(y)
    return best


def one_sided(u, R_u):
    with np.errstate(all="ignore"):
        e = -flat(u) / flat(R_u)
    return np.min(e[np.isfinite(e) & (e > 0)], initial=np.inf)


def quotient(fold, upside=False, absolute=True):
    def answer(u, R_u):
        a, R = flat(u), flat(R_u)
        with np.errstate(all="ignore"):
            e = R / a if upside else a / R
        e = e[np.isfinite(e)]
        return fold(np.abs(e) if absolute else e) if e.size else np.inf

    return answer


def sigmoid(a):
    return 0.5 * (1 + np.tanh(a / 2))


def logistic_loop(w, X, y):
    total = np.zeros(len(w))
    for x, label in zip(X, y, strict=True):
        total += (sigmoid(x @ w) - label) * x
    return total / len(X)


RIGHT = {
    "central": {"in two parts": central, "one line": lambda f, t, p, e: (f(t + e * p) - f(t - e * p)) / (2 * e)},
    "five_points": {"weights": weighted(-1, 8, 12), "two central differences": extrapolated},
    "asymmetry": {"written out": asymmetry, "a matrix of pairs": by_pairs},
    "nearest_kink": {"flat": nearest_kink, "a loop": nearest_loop},
    "logistic_grad": {"a loop": logistic_loop, "matrices": lambda w, X, y: X.T @ (sigmoid(X @ w) - y) / len(y)},
}
WRONG = {
    "central": {
        "forward": lambda f, t, p, e: (f(t + e * p) - f(t)) / e,
        "without the 2": lambda f, t, p, e: 2 * central(f, t, p, e),
        "wrong sign": lambda f, t, p, e: -central(f, t, p, e),
        "without p": lambda f, t, p, e: central(f, t, np.ones_like(p), e),
        "theta is changed": in_place,
        "complex step": complex_step,
        "not divided by eps": lambda f, t, p, e: e * central(f, t, p, e),
        "five points": extrapolated,
    },
    "five_points": {
        "central": central,
        "weights swapped": weighted(8, -1, 12),
        "signs swapped": weighted(1, -8, 12),
        "over 6": weighted(-1, 8, 6),
        "plus": weighted(1, 8, 12),
        "central with 2 eps": lambda f, t, p, e: central(f, t, p, 2 * e),
        "complex step": complex_step,
    },
    "asymmetry": {
        "one direction": lambda *a: asymmetry(*a, same=True),
        "not scaled": lambda *a: asymmetry(*a, scaled=False),
        "signed": lambda *a: asymmetry(*a, signed=True),
        "one draw": one_draw,
        "norms of p and q": wrong_norms,
        "a verdict": lambda *a: asymmetry(*a) < 1e-12,
        "twice": lambda *a: 2 * asymmetry(*a),
        "always 0": lambda *a: 0.0,
    },
    "nearest_kink": {
        "one side": one_sided,
        "signed": quotient(np.min, absolute=False),
        "farthest": quotient(np.max),
        "mean": quotient(np.mean),
        "upside down": quotient(np.min, upside=True),
        "first array alone": lambda u, R_u: nearest_kink([np.ones(1)], [np.zeros(1)]) if len(u) > 1 else 1.0,
        "what is still counts": lambda u, R_u: np.min(np.abs(flat(u) / (np.abs(flat(R_u)) + 1e-3))),
        "0 where nothing moves": lambda u, R_u: nearest_kink(u, R_u) if flat(R_u).any() else 0.0,
    },
    "logistic_grad": {
        "sum": lambda w, X, y: len(y) * logistic_loop(w, X, y),
        "sign": lambda w, X, y: -logistic_loop(w, X, y),
        "brackets as they were": lambda w, X, y: X.T @ (sigmoid(X @ w) / len(y) - y),
        "no sigmoid": lambda w, X, y: X.T @ (X @ w - y) / len(y),
        "no labels": lambda w, X, y: X.T @ sigmoid(X @ w) / len(y),
        "mean over pixels": lambda w, X, y: X.T @ (sigmoid(X @ w) - y) / len(w),
        "squares": lambda w, X, y: X.T @ ((sigmoid(X @ w) - y) * sigmoid(X @ w) * (1 - sigmoid(X @ w))) / len(y),
    },
}
