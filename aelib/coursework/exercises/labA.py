"""Exercises of lab A, what a step costs."""

import numpy as np

from aelib.coursework.exercises import Wrong, exercise
from aelib.coursework.exercises.laws import close, number

LAB = "A_what_a_step_costs"


@exercise("intensity", lab=LAB, points=1)
def intensity(answer, rng):
    """Times the bytes, counted entry by entry, it is the number of operations; the shapes, and the size, vary."""
    for case in range(8):
        n, p, q = rng.integers(1, 300, 3).tolist()
        size = 8 if case % 2 else 4
        found = number(answer(n, p, q, size) if case % 2 else answer(n, p, q), "the intensity")
        moved = sum(np.zeros(shape, f"f{size}").nbytes for shape in ((n, p), (q, p), (n, q)))
        what = f"n = {n}, p = {p}, q = {q}, {size} bytes an entry: operations, as intensity times bytes moved"
        close(found * moved, float(2 * n * p * q), what)


@exercise("count_hvp", lab=LAB, points=1)
def count_hvp(answer, rng):
    """Layer 1 costs 2 products, each later one 6; a product with p inputs and q units takes 2 n p q operations."""
    for _ in range(5):
        n, (p, q) = int(rng.integers(1, 200)), rng.integers(1, 50, 2).tolist()
        close(answer([p, q], n), 4 * n * p * q, f"one layer, sizes {p}-{q}, n = {n}")
        sizes = rng.integers(1, 50, int(rng.integers(3, 7))).tolist()
        more = number(answer(sizes, n), "the count") - number(answer(sizes[:-1], n), "the count")
        last = f"what the last layer adds, sizes {'-'.join(map(str, sizes))}, n = {n}"
        close(more, 12 * n * sizes[-2] * sizes[-1], last)


@exercise("updates_until_subnormal", lab=LAB, points=1)
def updates_until_subnormal(answer, rng):
    """After k updates moment * beta1^k is below the smallest normal number, after k - 1 it is not."""
    for case in range(20):
        moment, smallest = 10 ** rng.uniform(-6, 2), 10 ** rng.uniform(-300, -30)
        beta1 = rng.uniform(0.5, 0.99) if case else 0.9
        k = number(answer(moment, smallest, beta1) if case else answer(moment, smallest), "the number of updates")
        at = f"moment {moment:.2g}, smallest normal number {smallest:.2g}, beta1 {beta1:.2f}"
        if k != round(k):
            raise Wrong(f"{at}: {k:.6g} is not a whole number of updates")
        if not moment * beta1**k < smallest:
            raise Wrong(f"{at}: after {k:.0f} updates the moment is still a normal number")
        if moment * beta1 ** (k - 1) < smallest:
            raise Wrong(f"{at}: the moment is subnormal before update {k:.0f}")
