"""The walk along a tape, as lab 6 shows it."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib.autodiff import Node
from aelib.labs.lab6 import NAMES, PLACES, draw_walk, one_number, walk

MADE = ("wx", "u", "z", "r", "r²", "F")
w, b, x = 0.5, 0.1, 0.8
Z = np.tanh(w * x + b)
VALUES = {"w": w, "b": b, "x": x, "wx": w * x, "u": w * x + b, "z": Z, "r": Z - x}
VALUES |= {"r²": (Z - x) ** 2, "F": (Z - x) ** 2 / 2}
SLOPE = (Z - x) * (1 - Z**2)  # of F by u
ADJOINTS = {"F": 1, "r²": 0.5, "r": Z - x, "z": Z - x, "u": SLOPE, "b": SLOPE, "wx": SLOPE, "w": SLOPE * x}
ADJOINTS["x"] = SLOPE * w - (Z - x)


def test_values_come_forward():
    for step in range(7):
        values, adjoints, arrows, now = one_number(step)
        assert set(values) == {"w", "b", "x", *MADE[:step]} and not adjoints
        assert values == pytest.approx({name: VALUES[name] for name in values})
        assert all(share is None for _, _, share in arrows)
        assert now == [None, *MADE][step]


def test_shares_of_adjoints_come_back_and_add_up():
    for step in range(7, 13):
        values, adjoints, arrows, now = one_number(step)
        assert set(values) == set(NAMES) and now == MADE[12 - step]
        for name, adjoint in adjoints.items():
            shares = [share for a, _, share in arrows if a == name and share is not None]
            assert adjoint == pytest.approx(sum(shares) if name != "F" else 1)
    assert adjoints == pytest.approx(ADJOINTS) and set(adjoints) == set(NAMES)
    assert [share for a, z, share in arrows if (a, z) == ("r", "r²")] == pytest.approx([(Z - x) / 2] * 2)


def test_the_drawing_shows_every_number_of_the_step():
    for step in (0, 4, 6, 7, 12):
        values, adjoints, arrows, _ = one_number(step)
        figure = Figure()
        draw_walk(figure, one_number(step), PLACES)
        numbers = [text for text in figure.axes[0].texts if text.get_text().lstrip("+-")[:2] in ("0.", "1.")]
        assert len(numbers) == len(values) + len(adjoints) + sum(share is not None for _, _, share in arrows)


def test_any_tape_of_numbers_can_be_walked():
    a = Node(3.0)
    _, adjoints, _, now = walk(a * a * a, ["a", "a²", "a³"], 4)
    assert adjoints == pytest.approx({"a³": 1, "a²": 3, "a": 27}) and now == "a²"
