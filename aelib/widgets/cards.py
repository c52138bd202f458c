"""Cards of claims on trial, for lab 8: a claim, the reader's prediction, and only then evidence and verdict."""

import base64
import textwrap

from ipywidgets import Dropdown

from aelib.widgets.explorer import Explorer
from aelib.widgets.pictures import Picture

VERDICTS = ("holds", "falls", "holds in part")


class Card(Explorer):
    """A claim with a menu for the prediction; the first choice is recorded and opens the evidence.

    The verdict, and the prediction beside it, stand above the evidence in the picture. The evidence is drawn when the
    card is made, so that an error is the cell's; a stored notebook shows the card open, without a prediction.

    Args:
        number: of the claim.
        claim: one sentence, as the report has it.
        verdict: "holds", "falls" or "holds in part".
        because: the verdict's sentence, with the numbers measured.
        panels: the evidence, from left to right: tuples (function, *arguments); ``function(ax, *arguments)`` draws.
        size: of the picture in inches.

    Attributes:
        prediction: the first choice, or None.

    Raises:
        ValueError: the verdict is none of the three.
    """

    def __init__(self, number, claim, verdict, because, *panels, size=(9.5, 4.4)):
        if verdict not in VERDICTS:
            raise ValueError(f"the verdict is {verdict!r}: expected one of {', '.join(VERDICTS)}")
        self.number, self.claim, self.verdict, self.because = number, claim, verdict, because
        self.prediction, self.panels = None, panels
        self._width = round(11.8 * size[0])  # characters a line
        self._open = Picture(self._draw, size).png(dict(opened=True, choice=""))
        menu = Dropdown(options=[("choose", ""), *((word, word) for word in VERDICTS)], description="I predict it")
        super().__init__(self._choose, self._draw, size, choice=menu)

    def _choose(self, choice):
        self.prediction = self.prediction or choice or None
        return dict(opened=self.prediction is not None, choice=choice)

    def _draw(self, figure, result):
        title = f"Claim {self.number}: {self.claim}"
        if not result["opened"]:
            figure.suptitle(textwrap.fill(title, self._width), fontweight="bold")
            figure.text(0.5, 0.4, "Predict first: the evidence opens with your choice.", ha="center", fontsize="large")
            return
        verdict = f"Verdict: {self.verdict}. {self.because}"
        if self.prediction:
            verdict += f" You predicted: {self.prediction}" + (
                "." if result["choice"] in ("", self.prediction) else f"; now you choose: {result['choice']}."
            )
        figure.suptitle("\n".join(textwrap.fill(part, self._width) for part in (title, verdict)), fontsize="medium")
        axes = figure.subplots(1, len(self.panels), squeeze=False)[0]
        for ax, (function, *arguments) in zip(axes, self.panels, strict=True):
            function(ax, *arguments)
            ax.title.set_fontsize("medium")

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["image/png"] = base64.b64encode(self._open).decode()
        return bundle


def scores(cards):
    """Return a table, as text, of the claims with their verdicts and what was predicted first."""
    lines = [f"{'claim':<58} {'verdict':<14} predicted"]
    for card in cards:
        claim = textwrap.shorten(f"{card.number}. {card.claim}", 58, placeholder=" ...")
        lines.append(f"{claim:<58} {card.verdict:<14} {card.prediction or '-'}")
    given = [card for card in cards if card.prediction]
    right = sum(card.prediction == card.verdict for card in given)
    return "\n".join([*lines, f"predicted: {len(given)} of {len(cards)}, right: {right}"])
