"""Averages of theta along a run: what a constant step reaches when its noise is averaged away."""

import numpy as np

HORIZONS = (0.02, 0.04, 0.08)  # over how much of the run an average reaches back, about
_EVERY = 10  # updates


class Averaged:
    """An optimizer that makes the steps of another and keeps running averages of theta.

    After every tenth update each average moves by mean <- mean + k (theta - mean). k is 1 / (number of theta seen), so
    that the mean is a plain one, until it would fall below 10 / (horizon updates); from there it forgets exponentially.
    Source: Polyak and Juditsky, 1992; for networks, Izmailov et al., 2018 (arXiv:1803.05407).

    Attributes:
        means: (len(HORIZONS), n_params); theta as it was at first, before the tenth update.
    """

    def __init__(self, optimizer, theta, updates):
        self.optimizer, self.updates, self.means = optimizer, 0, np.tile(theta, (len(HORIZONS), 1))
        self._least = [_EVERY / (horizon * updates) for horizon in HORIZONS]

    def step(self, theta, grad):
        """Make one update of theta in place."""
        self.optimizer.step(theta, grad)
        self.updates += 1
        if self.updates % _EVERY == 0:
            for mean, least in zip(self.means, self._least, strict=True):
                mean += theta.dtype.type(max(_EVERY / self.updates, min(least, 1.0))) * (theta - mean)
