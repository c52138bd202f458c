"""What the study measures while a net trains: functions of the model for ``trace``."""

import numpy as np
from scipy.sparse.linalg import eigsh

from aelib.checks import compare
from aelib.curvature import adam_metric, hessian, preconditioned

PROBED = 1000  # images on which cosines, and the largest eigenvalue, are measured
SEGMENT = ("start", "middle", "end")


def cosines(model, X):
    """Return the measure of the signed cosines of H p and G p, (6,), in float64.

    For p the gradient, then five random directions; without weight decay, which would be a part of both.
    """
    X = X[:PROBED].astype(np.float64)
    directions = np.random.default_rng(0).standard_normal((5, model.theta.size))

    def measure(model):
        model = model.with_theta(model.theta.astype(np.float64))
        model.weight_decay = 0.0
        at = model.linearize(X)
        return np.array([compare(at.hvp(p), at.gnvp(p)).cosine for p in (at.grad, *directions)])

    return measure


def bound(settings):
    """Return 2 (1 + beta1) / ((1 - beta1) step), above which Adam with a fixed P diverges on a quadratic.

    Source: Cohen et al., 2022 (arXiv:2207.14484), section 2.

    >>> from aelib.settings import Settings
    >>> round(bound(Settings(step=0.5, momentum=0.9)))
    76
    """
    return 2 * (1 + settings.momentum) / (1 - settings.momentum) / settings.step


def segments(model, X, optimizer, settings, largest=True):
    """Return the measure of the update just made by Adam, along the segment from where it started, (10,) or (9,).

    Loss on its batch at start, middle and end; loss on the first ``PROBED`` images there; curvature d^T H d / d^T P d
    along the update d there, H of its batch, P the metric of this very update, as a fraction of ``bound``; and the
    largest eigenvalue of P^-1 H at the start, H of the first ``PROBED`` images, as the same fraction, to 5 %, unless
    ``largest`` is False. To be taken after every update. Up to 2,000 images of the batch serve H.
    """
    before, batches, limit = model.theta.copy(), _batches(X, settings), bound(settings)

    def measure(model):
        batch, P, d = next(batches), adam_metric(optimizer), model.theta - before
        places = [model.with_theta(before + np.float32(t) * d) for t in (0, 0.5, 1)]
        losses = [[place.loss(images) for place in places] for images in (batch, X[:PROBED])]
        bend = [_bend(place, batch[:2000], d) / (d @ (P * d)) / limit for place in places]
        before[...] = model.theta
        if not largest:
            return np.concatenate([*losses, bend]).astype(np.float64)
        A = preconditioned(hessian(places[0], X[:PROBED]), P)
        top = eigsh(A, k=1, which="LA", ncv=10, tol=0.05, return_eigenvectors=False) / limit
        return np.concatenate([*losses, bend, top]).astype(np.float64)

    return measure


def _batches(X, settings):
    """Yield the batches that ``train`` uses, in its order."""
    rng = np.random.default_rng(settings.seed)
    while True:
        order = rng.permutation(len(X))
        for first in range(0, len(X), settings.batch):
            yield X[order[first : first + settings.batch]]


def _bend(model, X, d):
    """Return d^T H d, by parts of the images that stay in the cache."""
    parts = [X[i : i + 1000] for i in range(0, len(X), 1000)]
    return sum(len(part) * float(d @ model.hvp(part, d)) for part in parts) / len(X)
