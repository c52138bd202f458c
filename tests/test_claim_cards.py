"""Each claim of the report has a card: both answers, the rule, and evidence that is drawn from what is stored."""

import pytest
from matplotlib.figure import Figure

from aelib import load_mnist
from aelib.datasets import on_mnist
from aelib.labs import cards
from aelib.trial.claims import CLAIMS, WORDS

pytestmark = pytest.mark.skipif(not on_mnist(load_mnist()), reason="the stored results are of MNIST")


@pytest.mark.parametrize("number", CLAIMS)
def test_the_evidence_is_drawn_with_titles_and_labels(number):
    panels = cards.panels(number)
    figure = Figure(figsize=(11.5, 4.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (function, *arguments) in zip(axes, panels, strict=True):
        function(ax, *arguments)
    figure.canvas.draw()
    assert all(ax.get_title() and (ax.get_xlabel() or ax.get_ylabel() or ax.images) for ax in axes)
    assert all(ax.has_data() for ax in axes)


def test_a_card_has_the_claim_and_its_verdict(tmp_path):
    shown = cards.card(3, tmp_path / "predictions.json")
    assert shown.claim is CLAIMS[3] and shown.verdict.so in WORDS and shown.verdict.shown in ("yes", "no")
    assert shown.verdict.rule and shown.verdict.because
