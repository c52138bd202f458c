"""What the study measures while a net trains: functions of the model for ``trace``."""

import numpy as np
from scipy.sparse.linalg import eigsh

from aelib.checks import compare
from aelib.curvature import adam_metric, hessian, preconditioned
from aelib.train import trace

PROBED = 1000  # images on which cosines, and the largest eigenvalue, are measured


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
    """Return the curvature, in the metric of the method, above which it diverges on a quadratic.

    SGD with momentum mu: 2 (1 + mu) / step. Adam with a fixed P: 2 (1 + beta1) / ((1 - beta1) step), for its momentum
    is an average. RMSprop has no momentum: 2 / step.

    Raises:
        ValueError: it is another method, whose bound nobody has written down here.

    Source: Cohen et al., 2021 (arXiv:2103.00065), section 2; 2022 (arXiv:2207.14484), section 2.

    >>> from aelib.common.settings import Settings
    >>> round(bound(Settings(step=0.5, momentum=0.9))), round(bound(Settings(method="SGD", step=0.5, momentum=0.0)))
    (76, 4)
    """
    mu = settings.momentum
    factor = {"SGD": 1 + mu, "Adam": (1 + mu) / (1 - mu), "RMSprop": 1.0}
    if settings.method not in factor:
        raise ValueError(f"no bound is known for {settings.method}: expected one of {', '.join(factor)}")
    return 2 * factor[settings.method] / settings.step


def segments(model, X, optimizer, settings, largest=True):
    """Return the measure of the update just made by Adam, along the segment from where it started, (10,) or (11,).

    Loss on its batch at start, middle and end; loss on the first ``PROBED`` images there; curvature d^T H d / d^T P d
    along the update d there, H of its batch, P the metric of this very update, as a fraction of ``bound``; the loss on
    the batch after a step without momentum from the same start, against P^-1 grad, as long as this one in the metric P.
    Then, if ``largest``: the largest eigenvalue of P^-1 H at the start, H of the first ``PROBED`` images, as the same
    fraction, to 5 %. To be taken after every update. Up to 2,000 images of the batch serve H.
    """
    before, batches, limit = model.theta.copy(), _batches(X, settings), bound(settings)

    def measure(model):
        batch, P, d = next(batches), adam_metric(optimizer), model.theta - before
        places = [model.with_theta(before + np.float32(t) * d) for t in (0, 0.5, 1)]
        losses = [[place.loss(images) for place in places] for images in (batch, X[:PROBED])]
        length = d @ (P * d)  # squared, in the metric P
        bend = [_bend(place, batch[:2000], d) / length / limit for place in places]
        before[...] = model.theta
        step = -places[0].loss_and_grad(batch)[1] / P
        step *= np.sqrt(length / (step @ (P * step)))
        bend.append(places[0].with_theta(places[0].theta + step.astype(d.dtype)).loss(batch))
        if largest:
            A = preconditioned(hessian(places[0], X[:PROBED]), P)
            bend.append(eigsh(A, k=1, which="LA", ncv=10, tol=0.05, return_eigenvectors=False)[0] / limit)
        return np.concatenate([*losses, bend]).astype(np.float64)

    return measure


def sharpness(X):
    """Return the measure of the loss on the first ``PROBED`` images, and of H's lowest and highest eigenvalue, (3,).

    The eigenvalues to 1 %.
    """
    X = X[:PROBED]

    def measure(model):
        low, high = eigsh(hessian(model, X), k=2, which="BE", tol=0.01, return_eigenvectors=False)
        return np.array([model.loss(X), low, high])

    return measure


WAYS = ("along v", "against the gradient", "along a random direction")  # from a plateau
FACTORS = (2, 4, 8)  # by which the small layers' weights are multiplied there
_SMALL = 0.75  # a layer is small if the largest singular value of its weights is below


def small_layers(norms):
    """Return the places of the small layers, whose weights make whatever comes in shorter by a quarter or more."""
    return [k for k, norm in enumerate(norms) if norm < _SMALL]


def saddle(model, X, settings):
    """Return what there is around this model, on the first ``PROBED`` images, and how SGD goes on from there.

    ``WAYS`` are three unit directions: the eigenvector v of H's lowest eigenvalue, minus the gradient, a random one.
    Each is searched alike: both signs, distances 0.01 to 30 in 24 equal ratios; the least loss is its best place.

    Returns:
        dict of

        - ``ends``, (4,): the loss; H's lowest and highest eigenvalue, to 1 %; the spread of the outputs, the root mean
          square distance of an image's output from the mean output;
        - ``layers``, (3, layers): the largest singular value of W_l; the shares of |v|^2 in W_l and in b_l;
        - ``ways``, (ways, 4): slope and curvature of the loss along each; the distance of its best place; the spread of
          the outputs there;
        - ``walks``, (ways, 2, 25): distances, up to twice that of the best place to either side, and the changes of the
          loss there;
        - ``escapes``, (8, moments): every 10 updates of SGD, eight times as many as the run made, their number and the
          loss of seven that start here; at the best place of each way; with the weights of the small layers multiplied
          by each of ``FACTORS``. Their momentum starts at 0.
    """
    seen = X[:PROBED]
    at = model.with_theta(model.theta.astype(np.float64))  # all but SGD's own updates is measured in double precision
    (low, high), vectors = eigsh(hessian(at, seen), k=2, which="BE", tol=0.01)
    v, (loss, grad) = vectors[:, 0], at.loss_and_grad(seen)
    drawn = np.random.default_rng(settings.seed).standard_normal(v.size)

    def change(d, distances):
        """Return the changes of the loss at these distances along d."""
        return np.array([at.with_theta(at.theta + t * d).loss(seen) - loss for t in distances])

    def spread(model):
        return np.sqrt(model.reconstruct(seen).var(axis=0).sum())

    distances = np.geomspace(0.01, 30, 24)
    distances = np.concatenate([-distances[::-1], distances])
    starts, ways, walks = [at.theta], [], []
    for d in (v, -grad, drawn):
        d = d / np.linalg.norm(d)
        best = distances[change(d, distances).argmin()]
        starts.append(at.theta + best * d)
        ways.append([grad @ d, _bend(at, seen, d), best, spread(at.with_theta(starts[-1]))])
        walks.append([t := abs(best) * np.linspace(-2, 2, 25), change(d, t)])
    parts = [(layer.split(at.theta), layer.split(v)) for layer in at.layers]
    norms = [np.linalg.norm(W, 2) for (W, _), _ in parts]
    shares = [[np.sum(np.square(0 if part is None else part)) for part in own] for _, own in parts]
    few = small_layers(norms)
    for factor in FACTORS:
        starts.append(at.theta.copy())
        for k in few:
            at.layers[k].split(starts[-1])[0][...] *= factor
    moments, measure = range(0, 8 * settings.updates + 1, 10), dict(loss=lambda model: model.loss(seen))
    escapes = [moments]
    for theta in starts:
        sgd, twin = settings.optimizer(), model.with_theta(theta.astype(model.theta.dtype))
        escapes.append(trace(twin, X, sgd, None, settings.batch, settings.seed, moments, measure).loss)
    return dict(
        ends=np.array([loss, low, high, spread(at)]),
        layers=np.array([norms, *np.transpose(shares)]),
        ways=np.array(ways),
        walks=np.array(walks),
        escapes=np.array(escapes),
    )


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
