"""Exercises of lab A, what a step costs."""

import numpy as np

from aelib.coursework.exercises import exercise, question
from aelib.coursework.exercises.laws import close, number
from aelib.coursework.findings import Wrong

LAB = "A_what_a_step_costs"


@exercise(
    "intensity",
    lab=LAB,
    points=1,
    hints=(
        "operations over bytes. The operations stand in the task; which three arrays are moved, and how many entries "
        "has each? size turns entries into bytes.",
        "z is (n, p), W is (q, p), and the result z W^T has one entry for each image and each unit.",
        "a smaller case: n = 1, p = 2, q = 3, four bytes: 2 * 6 = 12 operations; 2 + 6 + 3 = 11 entries, 44 bytes; 12 "
        "/ 44 = 0.27.",
    ),
)
def intensity(answer, rng):
    """Times the bytes, counted entry by entry, it is the number of operations; the shapes, and the size, vary."""
    for case in range(8):
        n, p, q = rng.integers(2, 300, 3).tolist()
        size = 8 if case % 2 else 4
        found = number(answer(n, p, q, size) if case % 2 else answer(n, p, q), "the intensity")
        z, W, out = (np.zeros(shape, f"f{size}").nbytes for shape in ((n, p), (q, p), (n, q)))
        work, moved = 2.0 * n * p * q, z + W + out
        slips = (
            ("multiplications alone: an addition goes with each", work / 2 / moved),
            ("operations for each entry, not for each byte", work / moved * size),
            ("an entry has 4 bytes whatever size is", work / moved * size / 4),
            ("the result is not counted: it is moved too", work / (z + W)),
            ("the weights are not counted: they are moved too", work / (z + out)),
            ("the result is counted twice", work / (moved + out)),
            ("bytes for each operation: upside down", moved / work),
        )
        close(found, work / moved, f"n = {n}, p = {p}, q = {q}, {size} bytes an entry", 1e-10, slips)


@exercise(
    "count_hvp",
    lab=LAB,
    points=1,
    hints=(
        "count products of matrices, layer by layer: which does layer 1 need, which a later layer? The images do not "
        "depend on theta, so some of layer 1's are 0 or not needed.",
        "lab 1 lists the products of the R_p passes for each layer; a product of (n, p) and (p, q) takes 2 n p q "
        "operations.",
        "a smaller case: sizes 3-2, n = 1: one product takes 2 * 3 * 2 = 12 operations, and this one layer, which is "
        "layer 1, takes two: 24. Each later layer takes three times as many products as layer 1.",
    ),
)
def count_hvp(answer, rng):
    """Layer 1 costs 2 products, each later one 6; a product with p inputs and q units takes 2 n p q operations."""
    for _ in range(5):
        n, (p, q) = int(rng.integers(2, 200)), rng.integers(2, 50, 2).tolist()
        one = 2.0 * n * p * q
        slips = (
            ("multiplications alone: an addition goes with each", one),
            ("layer 1 is counted like the others", 6 * one),
            ("layer 1 is counted with three products", 3 * one),
            ("the primal passes are counted: they are cached", 4 * one),
            ("n is not used", 2 * one / n),
        )
        close(answer([p, q], n), 2 * one, f"one layer, sizes {p}-{q}, n = {n}", 1e-10, slips)
        sizes = rng.integers(2, 50, int(rng.integers(3, 7))).tolist()
        more = number(answer(list(sizes), n), "the count") - number(answer(sizes[:-1], n), "the count")
        one = 2.0 * n * sizes[-2] * sizes[-1]
        slips = (
            ("three products: those of a gradient", 3 * one),
            ("four products: those of Gp", 4 * one),
            ("nine products: the primal passes are counted, too", 9 * one),
            ("nothing: layer 1 alone is counted", 0.0),
        )
        last = f"what the last layer adds, sizes {'-'.join(map(str, sizes))}, n = {n}"
        close(more, 6 * one, last, 1e-10, slips)


@exercise(
    "updates_until_subnormal",
    lab=LAB,
    points=1,
    hints=(
        "after k updates the moment is moment * beta1^k. The *first* k at which it is below the limit is asked for: a "
        "whole number.",
        "take logarithms of moment * beta1^k < smallest_normal; log(beta1) is negative, and dividing by it turns the "
        "sign.",
        "a smaller case: moment 8, limit 1.5, beta1 0.5: 4, 2, 1: below after 3 updates. The equation 8 * 0.5^k = 1.5 "
        "has k = 2.415.",
    ),
)
def updates_until_subnormal(answer, rng):
    """After k updates moment * beta1^k is below the smallest normal number, after k - 1 it is not."""
    for case in range(20):
        moment, smallest = 10 ** rng.uniform(-6, 2), 10 ** rng.uniform(-300, -30)
        beta1 = rng.uniform(0.5, 0.85) if case else 0.9
        k = number(answer(moment, smallest, beta1) if case else answer(moment, smallest), "the number of updates")
        at = f"moment {moment:.2g}, smallest normal number {smallest:.2g}, beta1 {beta1:.2f}"
        if k != round(k):
            raise Wrong(f"{at}: {k:.6g} is not a whole number of updates")
        if k < 0:
            raise Wrong(f"{at}: {k:.0f} updates: a number of updates is not negative")
        exact = np.log(smallest / moment) / np.log(beta1)  # beta1^k underflows where k is too large
        if not k > exact:
            raise Wrong(f"{at}: after {k:.0f} updates the moment is still a normal number")
        if k - 1 > exact:
            raise Wrong(f"{at}: the moment is subnormal before update {k:.0f}")


question(
    "A.4",
    (
        "split the time of a step into what is done once a step and what is done for each image; then divide by n.",
        "the picture shows the parts of a step; which of its bars grow with the batch, and which stand still?",
        "a smaller case: a step takes 3 ms + 0.02 ms * n. For n = 10 that is 0.32 ms an image, for n = 100 0.05, for "
        "n = 1000 0.023. Where does it level off?",
    ),
)
