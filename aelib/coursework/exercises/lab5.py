"""Exercises of lab 5, embeddings."""

import math
from itertools import pairwise

import numpy as np

from aelib.coursework.exercises import exercise
from aelib.coursework.exercises.laws import array, close, number, several, unchanged

LAB = "05_embeddings"
NAMES = ("W", "b", "W_next", "A")  # of the arguments of ``redrawn``


@exercise("metric", lab=LAB, points=1, own=("aelib.common.geometry.metric",))
def metric(answer, rng):
    """dz^T M dz is the squared length of J dz, and M is symmetric; one code, several, three numbers."""
    for n, D, d in ((1, 3, 2), (4, 7, 2), (3, 2, 2), (2, 6, 3)):
        J = rng.standard_normal((n, D, d))
        kept = J.copy()
        M = array(answer(J), (n, d, d), f"the metrics of Jacobians {J.shape}")
        unchanged(kept, J, "J")
        for k in range(n):
            close(M[k], M[k].T, f"metric {k} of {n}, transposed")
            for _ in range(d):
                dz = rng.standard_normal(d)
                change = sum(math.fsum(J[k, i, j] * dz[j] for j in range(d)) ** 2 for i in range(D))
                close(dz @ M[k] @ dz, change, f"dz^T M dz of code {k} of {n}")


@exercise("length", lab=LAB, points=2)
def length(answer, rng):
    """Of a straight path under a linear decoder; of bent ones, step by step; two paths, one after the other."""
    A = rng.standard_normal((5, 2))
    start, end = rng.standard_normal((2, 2))
    straight = start + np.linspace(0, 1, 8)[:, None] * (end - start)
    linear = number(answer(straight, lambda Z: np.repeat(A[None], len(Z), axis=0)), "the length of a straight path")
    close(linear, np.linalg.norm(A @ (end - start)), "a straight path under a linear decoder: its length")
    B = rng.standard_normal((5, 2))

    def jacobian(Z):  # of the decoder sin(2 B z): it is bent, so that it matters where J is taken
        return 2 * np.cos(2 * np.asarray(Z) @ B.T)[:, :, None] * B

    for m in (2, 3, 9):
        path = rng.standard_normal((m, 2))
        kept = path.copy()
        found = number(answer(path, jacobian), f"the length of a path of {m} codes")
        unchanged(kept, path, "path")
        steps = [(b - a, jacobian(((a + b) / 2)[None])[0]) for a, b in pairwise(path)]
        close(found, sum(math.sqrt(np.sum((J @ dz) ** 2)) for dz, J in steps), f"the length of a path of {m} codes")


@exercise("trust", lab=LAB, points=2)
def trust(answer, rng):
    """Trustworthiness, image by image and neighbour by neighbour; 1 for a map that keeps all distances."""
    for n, k in ((12, 1), (20, 3), (31, 5), (9, 4)):
        X, Z = rng.standard_normal((n, 6)), rng.standard_normal((n, 2))
        kept = X.copy(), Z.copy()
        close(answer(X, Z, k), _trust(X, Z, k), f"the trustworthiness of a random map, n = {n}, k = {k}")
        unchanged(kept[0], X, "X")
        unchanged(kept[1], Z, "Z")
        turned = Z @ np.linalg.qr(rng.standard_normal((2, 2)))[0]
        what = f"all distances are kept, n = {n}, k = {k}: the trustworthiness"
        close(answer(Z @ np.eye(2, 6), turned, k), 1.0, what)


def _trust(X, Z, k):
    n, penalty = len(X), 0
    for i in range(n):
        by = [sorted((j for j in range(n) if j != i), key=lambda j, a=a: math.dist(a[i], a[j])) for a in (X, Z)]
        ranks = [by[0].index(j) + 1 for j in by[1][:k]]
        penalty += sum(rank - k for rank in ranks if rank > k)
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


@exercise("redrawn", lab=LAB, points=2)
def redrawn(answer, rng):
    """The codes become A z, and what the decoder's first layer makes of them stays; no argument is changed."""
    for case, (h, q) in enumerate(((3, 4), (5, 2), (1, 6), (4, 4))):
        W, b, W_next = (rng.standard_normal(shape) for shape in ((2, h), 2, (q, 2)))
        A = np.diag([100.0, 1.0]) if case == 2 else rng.standard_normal((2, 2)) + 2 * np.eye(2)
        kept = [a.copy() for a in (W, b, W_next, A)]
        parts = several(answer(W, b, W_next, A), 3, "redrawn(W, b, W_next, A)")
        for name, before, after in zip(NAMES, kept, (W, b, W_next, A), strict=True):
            unchanged(before, after, name)
        new = [array(parts[k], kept[k].shape, f"the new {NAMES[k]}") for k in range(3)]
        z = rng.standard_normal((7, h))
        old_codes, codes = z @ kept[0].T + kept[1], z @ new[0].T + new[1]
        close(codes, old_codes @ kept[3].T, "the new codes, against A z")
        close(codes @ new[2].T, old_codes @ kept[2].T, "what the next layer makes of the new codes")
