"""The walk along a tape, as lab 6 shows it."""

import numpy as np
from matplotlib.figure import Figure

from aelib.autodiff import Node
from aelib.labs.lab6 import draw_walk, walk

NAMES = ["x", "r", "square", "sum", "F"]
PLACES = {name: (k, 0) for k, name in enumerate(NAMES)}


def half_square(step):
    r = Node([[3.0, -1.0]]) - np.array([[1.0, 1.0]])
    return walk(0.5 * np.sum(r * r), NAMES, step)


def test_values_come_forward_and_shares_of_adjoints_back():
    for step in range(9):
        arrows, now = half_square(step)
        assert [arrow[:2] for arrow in arrows] == [
            ("x", "r"), ("r", "square"), ("r", "square"), ("square", "sum"), ("sum", "F"), ("F", ""),
        ]  # fmt: skip
        assert [value is not None for _, _, value, _ in arrows] == [step > k for k in (0, 1, 1, 2, 3, 3)]
        assert [share is not None for _, _, _, share in arrows] == [step > k for k in (7, 6, 6, 5, 4, 4)]
        assert now == [None, "r", "square", "sum", "F", "F", "sum", "square", "r"][step]
    shares = [share for _, _, _, share in arrows]
    np.testing.assert_array_equal(shares[0], shares[1] + shares[2])
    np.testing.assert_array_equal(shares[0], [[2.0, -2.0]])
    assert arrows[-1][2] == 4.0 and shares[-1] == 1.0


def test_the_drawing_shows_every_number_of_the_step():
    for step, texts in ((0, 0), (4, 6), (8, 12)):
        figure = Figure()
        draw_walk(figure, half_square(step), PLACES)
        numbers = [text for text in figure.axes[0].texts if any(c.isdigit() for c in text.get_text())]
        assert len(numbers) == texts
