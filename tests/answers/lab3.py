"""Lab 3, optimizers."""

import numpy as np


def sgd(form=lambda v, g, m: m * v + g, use=lambda v, g: v, sign=-1):
    def answer(theta, g, t, v, step, momentum=0.9):
        v = form(v, g, momentum)
        return theta + sign * step * use(v, g), v

    return answer


def rmsprop(root=lambda s, e: np.sqrt(s) + e, mean=lambda s, g, d: d * s + (1 - d) * g**2, correct=False, late=False):
    def answer(theta, g, t, s, step, decay=0.99, epsilon=1e-8):
        old, s = s, mean(s, g, decay)
        used = s / (1 - decay**t) if correct else old if late else s
        return theta - step * g / (root(used, epsilon) + (1e-12 if late else 0)), s

    return answer


def adam(m_fix=True, s_fix=True, inside=False, stored=False, sums=False, t0=0, swap=False, nesterov=False):
    def answer(theta, g, t, m, s, step, beta1=0.9, beta2=0.999, epsilon=1e-8):
        if swap:
            beta1, beta2 = beta2, beta1
        m = beta1 * m + (1 if sums else 1 - beta1) * g
        s = beta2 * s + (1 if sums else 1 - beta2) * g**2
        m_hat = m / (1 - beta1 ** (t + t0)) if m_fix else m
        s_hat = s / (1 - beta2 ** (t + t0)) if s_fix else s
        if nesterov:
            m_hat = beta1 * m_hat + (1 - beta1) * g
        divisor = np.sqrt(s_hat + epsilon) if inside else np.sqrt(s_hat) + epsilon
        return theta - step * m_hat / divisor, *((m_hat, s_hat) if stored else (m, s))

    return answer


def in_place(theta, g, t, v, step, momentum=0.9):
    v *= momentum
    v += g
    theta -= step * v
    return theta, v


def adamw(factor=lambda step, decay: 1 - step * decay, after=False, coupled=False, seen=False, **options):
    def answer(theta, g, t, m, s, step, weight_decay):
        if coupled:
            g = g + weight_decay * theta
        start = theta if after or coupled else theta * factor(step, weight_decay)
        theta, m, s = adam(**options)(start, g + seen * weight_decay * start, t, m, s, step)
        return theta * factor(step, weight_decay) if after else theta, m, s

    return answer


RIGHT = {
    "sgd": {"step taken last": sgd()},
    "rmsprop": {"root first": rmsprop(), "power": rmsprop(root=lambda s, e: s**0.5 + e)},
    "adam": {"as in the table": adam()},
    "adamw": {"shrunk first": adamw()},
}
WRONG = {
    "sgd": {
        "average": sgd(lambda v, g, m: m * v + (1 - m) * g),
        "no momentum": sgd(lambda v, g, m: g),
        "old velocity": sgd(lambda v, g, m: m * v + g, lambda v, g: v - g),
        "uphill": sgd(sign=1),
        "momentum of 0.9 always": sgd(lambda v, g, m: 0.9 * v + g),
        "nesterov": sgd(use=lambda v, g: 0.9 * v + g),
        "in place": in_place,
        "theta only": lambda theta, g, t, v, step, momentum=0.9: theta - step * (momentum * v + g),
    },
    "rmsprop": {
        "epsilon inside": rmsprop(root=lambda s, e: np.sqrt(s + e)),
        "no root": rmsprop(root=lambda s, e: s + e),
        "sum": rmsprop(mean=lambda s, g, d: d * s + g**2),
        "corrected": rmsprop(correct=True),
        "of the gradient": rmsprop(mean=lambda s, g, d: d * s + (1 - d) * np.abs(g)),
        "decay on the wrong side": rmsprop(mean=lambda s, g, d: (1 - d) * s + d * g**2),
        "no epsilon": rmsprop(root=lambda s, e: np.sqrt(s) + 1e-300),
        "old s": rmsprop(late=True),
    },
    "adam": {
        "no correction": adam(m_fix=False, s_fix=False),
        "m not corrected": adam(m_fix=False),
        "s not corrected": adam(s_fix=False),
        "epsilon inside": adam(inside=True),
        "corrected moments stored": adam(stored=True),
        "sums": adam(sums=True),
        "t from 0": adam(t0=1),
        "betas swapped": adam(swap=True),
        "nadam": adam(nesterov=True),
    },
    "adamw": {
        "coupled": adamw(coupled=True),
        "both": adamw(seen=True),
        "no decay": adamw(lambda step, decay: 1.0),
        "decay without the step": adamw(lambda step, decay: 1 - decay),
        "after the step": adamw(after=True),
        "grown": adamw(lambda step, decay: 1 + step * decay),
        "a fixed step": adamw(lambda step, decay: 1 - 0.01 * decay),
        "moments not corrected": adamw(m_fix=False, s_fix=False),
        "only shrunk": lambda theta, g, t, m, s, step, weight_decay: (theta * (1 - step * weight_decay), m, s),
    },
}
