"""Drawings take what people have, or say what they expect."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from aelib.common import plots


def words(labels, Z=None):
    ax = Figure().subplots()
    plots.codes(ax, np.random.default_rng(0).random((6, 2)) if Z is None else Z, labels)
    return [text.get_text() for text in ax.texts]


DIGITS = np.array([3, 5, 3, 5, 3, 5], "uint8")
TAKEN = {
    "bytes": DIGITS,
    "a column": DIGITS[:, None],
    "a list": DIGITS.tolist(),
    "whole floats": DIGITS.astype(float),
    "words": DIGITS.astype(str),
}


@pytest.mark.parametrize("labels", TAKEN.values(), ids=TAKEN)
def test_labels_as_people_have_them(labels):
    assert words(labels) == ["3", "5"]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.eye(10)[DIGITS], r"labels has shape \(6, 10\): expected one an image, such as labels.argmax\(axis=1\)"),
        (DIGITS[:5], r"labels has shape \(5,\): expected one label an image, \(6,\)"),
        (DIGITS + 0.5, r"labels is float64\(6,\): expected whole numbers or words"),
        (None, "labels has shape"),
    ],
)
def test_labels_that_are_none(labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        words(labels)


@pytest.mark.parametrize("shape", [(6, 1), (6, 3), (6,)])
def test_codes_are_drawn_in_two_dimensions(shape, rng):
    with pytest.raises(ValueError, match="expected codes of two numbers"):
        words(DIGITS, rng.random(shape))
