"""Exercises of lab 5, embeddings."""

import math
from itertools import pairwise

import numpy as np

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import agree, array, ask_unchanged, close, number, several
from aelib.coursework.findings import Wrong

LAB = "05_embeddings"


@exercise(
    "metric",
    lab=LAB,
    points=1,
    own=("aelib.common.geometry.metric",),
    hints=(
        "which axis is summed over? A metric takes two small moves on the plane, (d,), to a number; pixels, D, must "
        "be gone. Each code has a metric of its own.",
        "the metric is J^T J, as the text above the exercise has it; for an array of Jacobians transpose the last two "
        "axes alone.",
        "a smaller case: J = [[1, 2], [0, 1], [1, 0]], three pixels, two numbers a code: columns (1, 0, 1) and (2, 1, "
        "0), M = [[2, 2], [2, 5]], their inner products.",
    ),
)
def metric(answer, rng):
    """dz^T M dz is the squared length of J dz, and M is symmetric; one code, several, three numbers."""
    for n, D, d in ((1, 3, 2), (4, 7, 2), (3, 2, 2), (2, 6, 3)):
        J = rng.standard_normal((n, D, d))
        M = ask_unchanged(answer, "J", J)
        single = getattr(M, "dtype", None) == np.float32
        M = array(M, (n, d, d), f"the metrics of Jacobians {J.shape}")
        tolerance = 1e-4 if single else 1e-10
        for k in range(n):
            close(M[k], M[k].T, f"metric {k} of {n}, transposed", tolerance)
            for _ in range(d):
                dz = rng.standard_normal(d)
                change = sum(math.fsum(J[k, i, j] * dz[j] for j in range(d)) ** 2 for i in range(D))
                slips = [("half of it", change / 2), ("a mean over pixels where their sum is meant", change / D)]
                if D == d:
                    slips.append(("J J^T where J^T J is meant", dz @ J[k] @ J[k].T @ dz))
                slips.append(("the metric of the first code", dz @ J[0].T @ J[0] @ dz))
                slips.append(("summed over the codes", dz @ np.einsum("nij,nik->jk", J, J) @ dz))
                close(dz @ M[k] @ dz, change, f"dz^T M dz of code {k} of {n}", tolerance, slips)


@exercise(
    "length",
    lab=LAB,
    points=2,
    hints=(
        "three things for each step of the path: dz from one code to the next, the Jacobian in the middle of the "
        "step, the norm of J dz. m codes make m - 1 steps.",
        "the sum stands in the task. jacobian takes several codes at once, (n, 2), and returns (n, D, 2).",
        "a smaller case: path (0, 0), (1, 0), (1, 2) and J = [[1, 0], [0, 2]] everywhere: J dz is (1, 0), then (0, "
        "4), and the length is 1 + 4 = 5; on the plane itself it would be 3.",
    ),
)
def length(answer, rng):
    """Of a straight path under a linear decoder; of bent ones, step by step; two paths, one after the other."""
    A = rng.standard_normal((5, 2))
    start, end = rng.standard_normal((2, 2))
    straight = start + np.linspace(0, 1, 8)[:, None] * (end - start)
    linear = ask_unchanged(answer, "path jacobian", straight, lambda Z: np.repeat(A[None], len(Z), axis=0))
    plane = np.linalg.norm(end - start)
    slips = (
        ("the length on the plane: the Jacobian is not used", plane),
        ("squared lengths are added", 7 * np.sum((A @ (end - start) / 7) ** 2)),
        ("a mean over the steps where their sum is meant", np.linalg.norm(A @ (end - start)) / 7),
    )
    what = "a straight path under a linear decoder: its length"
    close(number(linear, what), np.linalg.norm(A @ (end - start)), what, 1e-10, slips)
    B = rng.standard_normal((5, 2))

    def jacobian(Z):  # of the decoder sin(2 B z): it is bent, so that it matters where J is taken
        return 2 * np.cos(2 * np.asarray(Z) @ B.T)[:, :, None] * B

    def along(path, at, norm=np.linalg.norm):
        return sum(norm(jacobian(at(a, b)[None])[0] @ (b - a)) for a, b in pairwise(path))

    for m in (2, 3, 9):
        path = rng.standard_normal((m, 2))
        found = number(ask_unchanged(answer, "path jacobian", path, jacobian), f"the length of a path of {m} codes")
        at_start, at_end = along(path, lambda a, b: a), along(path, lambda a, b: b)
        slips = (
            ("the Jacobian is taken at the start of each step, not in its middle", at_start),
            ("the Jacobian is taken at the end of each step, not in its middle", at_end),
            ("the mean of the lengths with J at both ends: J is taken in the middle", (at_start + at_end) / 2),
            ("the steps' squared lengths are added", along(path, lambda a, b: (a + b) / 2, lambda x: np.sum(x**2))),
            (
                "absolute values are added where the norm is meant",
                along(path, lambda a, b: (a + b) / 2, lambda x: np.abs(x).sum()),
            ),
            ("the length on the plane: the Jacobian is not used", np.linalg.norm(np.diff(path, axis=0), axis=1).sum()),
            ("the last step is missing", along(path[:-1], lambda a, b: (a + b) / 2)),
            ("one step from the first code to the last", along(path[[0, -1]], lambda a, b: (a + b) / 2)),
        )
        close(found, along(path, lambda a, b: (a + b) / 2), f"the length of a path of {m} codes", 1e-10, slips)


@exercise(
    "trust",
    lab=LAB,
    points=2,
    hints=(
        "two rankings for each point, one by distances of codes, one by distances of images. Who is among the k "
        "nearest on the map, and at which place does he stand among the images? The point itself stands in neither.",
        "the sum stands in the task; a neighbour at place k or better in pixel space adds nothing.",
        "a smaller case: n = 4, k = 1. If one point's nearest on the map is its second nearest in pixel space, and "
        "the others' are right: the sum is 2 - 1 = 1, n k (2n - 3k - 1) = 4 * 1 * 4 = 16, and T = 1 - 2 * 1 / 16 = "
        "0.875.",
    ),
)
def trust(answer, rng):
    """Trustworthiness, image by image and neighbour by neighbour; 1 for a map that keeps all distances."""
    for n, k in ((12, 1), (20, 3), (31, 5), (9, 4)):
        X, Z = rng.standard_normal((n, 6)), rng.standard_normal((n, 2))
        slips = (
            ("images and codes are exchanged: this is continuity", _trust(Z, X, k)),
            ("places are counted from 0: the nearest has place 1", _trust(X, Z, k, first=0)),
            ("intruders are counted, their places are not", _trust(X, Z, k, count=True)),
            ("the factor 2 is missing", (1 + _trust(X, Z, k)) / 2),
            ("neighbours that belong there count too, with a negative sign", _trust(X, Z, k, everybody=True)),
            ("this is what is lacking to 1", 1 - _trust(X, Z, k)),
        )
        what = f"the trustworthiness of a random map, n = {n}, k = {k}"
        close(ask_unchanged(answer, "X Z k", X, Z, k), _trust(X, Z, k), what, 1e-10, slips)
        turned = Z @ np.linalg.qr(rng.standard_normal((2, 2)))[0]
        what = f"all distances are kept, n = {n}, k = {k}: the trustworthiness"
        close(answer(Z @ np.eye(2, 6), turned, k), 1.0, what)


def _trust(X, Z, k, first=1, count=False, everybody=False):
    n, penalty = len(X), 0
    for i in range(n):
        by = [sorted((j for j in range(n) if j != i), key=lambda j, a=a: math.dist(a[i], a[j])) for a in (X, Z)]
        ranks = [by[0].index(j) + first for j in by[1][:k]]
        penalty += sum(1 if count else rank - k for rank in ranks if rank > k or (everybody and rank <= k))
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


@exercise(
    "redrawn",
    lab=LAB,
    points=2,
    hints=(
        "the codes are z = h W^T + b, in rows: what must W and b become so that each code is A z? And what undoes A "
        "before the next layer reads the code?",
        "the section on a net without curved layers redraws its plane by A; a column A z is a row z A^T.",
        "a smaller case: one number a code, A = 2: W and b are doubled, and W_next is halved. With A = [[0, 1], [1, "
        "0]] the rows of W, the entries of b and the columns of W_next change places.",
    ),
)
def redrawn(answer, rng):
    """The codes become A z, and what the decoder's first layer makes of them stays; no argument is changed."""
    for case, (h, q) in enumerate(((3, 4), (5, 2), (1, 6), (4, 4))):
        W, b, W_next = (rng.standard_normal(shape) for shape in ((2, h), 2, (q, 2)))
        A = np.diag([100.0, 1.0]) if case == 2 else rng.standard_normal((2, 2)) + 2 * np.eye(2)
        parts = several(ask_unchanged(answer, "W b W_next A", W, b, W_next, A), 3, "redrawn(W, b, W_next, A)")
        names = ("W", "b", "W_next")
        new = [
            array(part, old.shape, f"the new {name}")
            for part, old, name in zip(parts, (W, b, W_next), names, strict=True)
        ]
        z = rng.standard_normal((7, h))
        old_codes, codes = z @ W.T + b, z @ new[0].T + new[1]
        slips = (
            ("the bias is as it was: it moves with the codes", z @ W.T @ A.T + b),
            ("the codes are A^T z", old_codes @ A),
            ("the codes are A^-1 z", old_codes @ np.linalg.inv(A).T),
            ("the codes are as they were", old_codes),
        )
        close(codes, old_codes @ A.T, "the new codes, against A z", 1e-10, slips)
        if agree(new[2], W_next @ np.linalg.inv(A), 1e-8):
            continue
        for cause, slip in (
            ("W_next is as it was", W_next),
            ("W_next is multiplied by A where A is to be undone", W_next @ A),
            ("the transpose stands where the inverse is meant", W_next @ A.T),
            ("A^-1 stands on the wrong side, or transposed", W_next @ np.linalg.inv(A).T),
        ):
            if agree(new[2], slip, 1e-9):
                raise Wrong(f"what the next layer makes of the new codes is not what it was: {cause}")
        close(codes @ new[2].T, old_codes @ W_next.T, "what the next layer makes of the new codes")


question(
    "5.5",
    (
        "how noisy is one of these accuracies? With 60,000 codes and an accuracy of 0.87 its standard error is about "
        "0.0014, with 10,000 codes about 0.003.",
        "kNN stands in the section on digits; leave a code out of its own vote by asking for k + 1 neighbours and "
        "dropping the nearest, which is itself.",
        "a smaller case: five coins are thrown a hundred times each, and the best shows 56 heads. Is it a better "
        "coin? What would you expect of it in the next hundred throws?",
    ),
)
question(
    "5.6",
    (
        "k-means knows distances alone. Which distances change when the plane is redrawn by A, and which do not?",
        "the section on clusters has k-means on three papers, which lab.PAPERS holds; decoded images come from "
        "model.decode.",
        "a smaller case: codes 0, 1 and 3 decode to images 0, 5 and 6. On the codes 0 and 1 are near, in the images 1 "
        "and 3 are. Redraw with A = 2: codes 0, 2, 6, the same images.",
    ),
)
