"""A curve of bounded length, however long a run is."""

import numpy as np


class Curve:
    """A curve of bounded length: where it is full, neighbours are averaged in pairs.

    Args:
        width: number of values at each x.
        most: the largest number of points, even.

    >>> curve = Curve(most=4)
    >>> for x in range(6):
    ...     curve.add(x, 10.0 * x)
    >>> curve.columns.tolist()
    [[0.5, 2.5, 4.5], [5.0, 25.0, 45.0]]
    """

    def __init__(self, width=1, most=400):
        self._rows, self._n = np.empty((most, 1 + width)), 0
        self._sum, self._count, self._every = np.zeros(1 + width), 0, 1

    def add(self, *row):
        """Append a point: x, then the values there."""
        self._sum += row
        self._count += 1
        if self._count < self._every:
            return
        self._rows[self._n] = self._sum / self._count
        self._n, self._count = self._n + 1, 0
        self._sum[:] = 0
        if self._n == len(self._rows):
            self._rows[: self._n // 2] = (self._rows[::2] + self._rows[1::2]) / 2
            self._n, self._every = self._n // 2, 2 * self._every

    @property
    def columns(self):
        """The points as arrays: x, then each value; (1 + width, n)."""
        return self._rows[: self._n].T
