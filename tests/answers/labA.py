"""Lab A, what a step costs."""

import math
from itertools import pairwise


def loop(moment, smallest_normal, beta1=0.9):
    k = 0
    while moment >= smallest_normal:
        moment, k = moment * beta1, k + 1
    return k


def exact(moment, smallest_normal, beta1=0.9):
    return math.log(smallest_normal / moment) / math.log(beta1)


def counted(first, rest, per=2):
    """Return a count with these numbers of products for layer 1 and for each later one."""

    def count_hvp(sizes, n):
        return sum(per * n * p * q * (rest if l else first) for l, (p, q) in enumerate(pairwise(sizes)))

    return count_hvp


def by_products(sizes, n):
    products = [p * q for p, q in pairwise(sizes)]
    return 2 * n * (6 * sum(products) - 4 * products[0])


def intense(n, p, q, size=4, each=2, z=1, W=1, out=1):
    return each * n * p * q / (size * (z * n * p + W * q * p + out * n * q))


def by_reuse(n, p, q, size=4):
    return 2 / size / (1 / q + 1 / n + 1 / p)


RIGHT = {
    "intensity": {"by how often an entry is used": by_reuse},
    "count_hvp": {"sum less the first layer's four": by_products},
    "updates_until_subnormal": {"loop": loop},
}
WRONG = {
    "intensity": {
        "multiplications only": lambda n, p, q, size=4: intense(n, p, q, size, each=1),
        "per entry, not per byte": lambda n, p, q, size=4: intense(n, p, q, 1),
        "float32 always": lambda n, p, q, size=4: intense(n, p, q, 4),
        "the result not moved": lambda n, p, q, size=4: intense(n, p, q, size, out=0),
        "the weights not moved": lambda n, p, q, size=4: intense(n, p, q, size, W=0),
        "the result moved twice": lambda n, p, q, size=4: intense(n, p, q, size, out=2),
        "bytes per operation": lambda n, p, q, size=4: 1 / intense(n, p, q, size),
        "rounded": lambda n, p, q, size=4: round(intense(n, p, q, size)),
        "no default": lambda n, p, q, size: intense(n, p, q, size),
        "z's width for its height": lambda n, p, q, size=4: 2 * n * p * q / (size * (n * q + q * p + p * n * q)),
    },
    "count_hvp": {
        "gradient": counted(2, 3),
        "Gp": counted(2, 4),
        "layer 1 as the others": counted(6, 6),
        "layer 1 with three": counted(3, 6),
        "with the primal passes": counted(4, 9),
        "multiplications only": counted(2, 6, per=1),
        "n forgotten": lambda sizes, n: counted(2, 6)(sizes, 1),
        "first layer only": counted(2, 0),
        "last layer as first": lambda sizes, n: counted(2, 6)(sizes[::-1], n),
    },
    "updates_until_subnormal": {
        "rounded down": lambda moment, smallest, beta1=0.9: math.floor(exact(moment, smallest, beta1)),
        "rounded": lambda moment, smallest, beta1=0.9: round(exact(moment, smallest, beta1)),
        "not rounded": exact,
        "one more": lambda moment, smallest, beta1=0.9: math.ceil(exact(moment, smallest, beta1)) + 1,
        "beta1 fixed": lambda moment, smallest, beta1=0.9: math.ceil(exact(moment, smallest)),
        "moment ignored": lambda moment, smallest, beta1=0.9: math.ceil(exact(1.0, smallest, beta1)),
        "no default": lambda moment, smallest, beta1: math.ceil(exact(moment, smallest, beta1)),
        "log of 1 - beta1": lambda moment, smallest, beta1=0.9: math.ceil(exact(moment, smallest, 1 - beta1)),
        "wrong sign": lambda moment, smallest, beta1=0.9: -math.ceil(exact(moment, smallest, beta1)),
    },
}
