"""Claims on trial: a prediction, asked for before the evidence is seen and kept in a file, and the cards it opens."""

import asyncio
import html
import json
from pathlib import Path

import ipywidgets

from aelib.common.tables import table
from aelib.files import save_text
from aelib.widgets.base import LabWidget, PictureView, red
from aelib.widgets.pictures import Picture, fitted

PREDICTIONS = "predictions.json"  # in the folder of the notebook; a student's own, ignored by git
WORDS = ("holds", "holds in part", "does not hold", "open")
MEANINGS = {
    "holds": "the measurements agree",
    "holds in part": "only some of them do",
    "does not hold": "they contradict it",
    "open": "they cannot decide it",
}
_GREEN = "color: color-mix(in srgb, var(--jp-success-color1, #2e7d32) 70%, var(--jp-ui-font-color1, black))"
_TEXT = "color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif)"
_LINES = f"{_TEXT}; font-size: 14px; line-height: 1.4; max-width: 66em; margin: 0 4px"


def predictions(path=PREDICTIONS):
    """Return what was predicted, number of the claim -> the first choice, from the student's file; {} without one.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return {int(number): str(word) for number, word in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} holds no predictions ({error}): delete it to predict anew") from None


def predict(number, word, path=PREDICTIONS):
    """Record a prediction, unless there is one for this claim; return the one that counts, the first.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file is damaged.
    """
    known = predictions(path)
    if word and number not in known:
        known[number] = word
        save_text(path, json.dumps({str(k): known[k] for k in sorted(known)}, indent=1) + "\n")
    return known.get(number)


class Card(LabWidget):
    """A claim, four buttons to predict with, and after the choice both answers of the trial and their evidence.

    The first choice counts, is kept in the student's file, and opens the card at once the next time. What cannot be
    kept opens nothing: the reason stands in red, and the choice goes back. The evidence is drawn when the card is
    made, so that an error is the cell's. A saved notebook, read without a kernel, shows claim, answers and evidence.

    Args:
        claim: an object with ``number``, ``russian``, ``english``, ``section``, ``evidence``.
        verdict: an object with ``so``, one of ``words``: is it so?; ``shown``, "yes" or "no": did the report's evidence
            show it?; ``rule``, by which that was decided; ``because``, the sentence with the numbers.
        panels: the evidence, from left to right: tuples (function, *arguments); ``function(ax, *arguments)`` draws.
        words: the answers to choose from.
        size: of the picture in inches; where the page has less room, it is drawn smaller.
        path: the student's file.

    Attributes:
        choice: the buttons.
        prediction: the first choice, or None.

    Raises:
        ValueError: the verdict is none of ``words``.
    """

    def __init__(self, claim, verdict, *panels, words=WORDS, size=(9.5, 4.6), path=PREDICTIONS):
        if verdict.so not in words:
            raise ValueError(f"the verdict is {verdict.so!r}: expected one of {', '.join(words)}")
        self.claim, self.verdict, self.panels, self.path = claim, verdict, panels, path
        self.prediction, self._size, self._picture = None, size, Picture(self._draw, size)
        self._png = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self.choice = ipywidgets.ToggleButtons(options=list(words), value=None, description="Is it so?")
        self.choice.style.button_width, self.choice.style.description_width = "auto", "5em"
        self.choice.tooltips = [MEANINGS.get(word, word) for word in words]
        meanings = " · ".join(f"<i>{word}</i>: {MEANINGS[word]}" for word in words if word in MEANINGS)
        self.meanings = ipywidgets.HTML(f'<div style="{_LINES}; font-size: 12px">{meanings}</div>')
        self.answer = ipywidgets.HTML()
        self.image = PictureView()
        text = ipywidgets.HTML(f'<div style="{_LINES}">{_quoted(claim)}</div>')
        super().__init__([])
        self._made_for, self._picture.size = None, fitted(size, self.room)
        self._draw_anew()
        self.children = [text, self.choice, self.meanings, self.message, self.answer, self.image, self.front]
        self.layout.border_left = "3px solid var(--jp-border-color1, #bdbdbd)"
        self.add_class("aelib-card")
        for part in (text, self.meanings, self.answer, self.message):
            part.layout.margin = "0"
        self.tell_nothing()
        try:
            known = predictions(path).get(claim.number)
        except (OSError, ValueError) as error:
            self._refuse(error)
            known = None
        self._open(known)
        self.choice.observe(self._chosen, "value")

    def _refuse(self, error):
        """Say why a prediction cannot be kept."""
        self.error, self.message.layout.display = error, ""
        self.message.value = red(f"No prediction can be kept here. {type(error).__name__}: {error}")

    def tell_nothing(self):
        """Take the last message away, with its line."""
        super().tell_nothing()
        self.message.layout.display = "none"

    def _chosen(self, change):
        if self.prediction:  # a prediction that can be changed predicts nothing
            self.choice.value = self.prediction  # not disabled: the focus would leave the button, and keys the card
            return
        if change["new"] is None:
            return
        self.tell_nothing()
        try:
            counts = predict(self.claim.number, change["new"], self.path)
        except Exception as error:  # an observer's error would go to a log that nobody reads
            self._refuse(error)
            self.choice.value = None
            return
        self._open(counts)

    def _open(self, prediction):
        """Show the answers and the evidence beside a prediction; without one, nothing."""
        self.prediction = prediction
        shown = "" if prediction else "none"
        self.meanings.layout.display = "none" if prediction else ""
        self.answer.layout.display = self.image.layout.display = shown
        if prediction:
            if prediction in self.choice.options:
                self.choice.value = prediction
            self.answer.value = (
                f'<div style="{_LINES}">{self._compared(prediction)}{_answers(self.claim, self.verdict)}</div>'
            )
            self._show()

    def _compared(self, prediction):
        right = prediction == self.verdict.so
        mark = f'<b style="{_GREEN}">✓ right</b>' if right else red("✗ not what was found")
        return f"<div>You predicted: <b>{html.escape(prediction)}</b>. {mark}</div>"

    def _draw(self, figure, _):
        axes = figure.subplots(1, len(self.panels), squeeze=False)[0]
        for ax, (function, *arguments) in zip(axes, self.panels, strict=True):
            function(ax, *arguments)
            ax.title.set_fontsize("medium")

    def _show(self):
        if self._png:
            self.image.show(self._png, "png", self._picture.width, self._picture.alt)

    def at_new_size(self):
        """Draw anew for the screen's density and the width there is."""
        size = fitted(self._size, self.room)
        if (size, self.density) == self._made_for:
            return
        self._picture.size = size
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._draw_anew)

    def _draw_anew(self):
        if self.panels:
            self._made_for = self._picture.size, self.density
            self._png = self._picture.png(None, self.density)
            self.keep_still()
        if self.prediction:
            self._show()

    def close(self):
        """Close the card, and let go of what it showed."""
        self.panels = ()
        super().close()

    def still(self):
        """Return the claim, both answers and the evidence."""
        words = f'<div style="{_LINES}">{_quoted(self.claim)}{_answers(self.claim, self.verdict)}</div>'
        return self._png, self._picture.width, self._picture.alt, words


def _quoted(claim):
    section = f", § {claim.section}" if getattr(claim, "section", "") else ""
    russian = (
        '<details style="display: inline"><summary style="display: inline; cursor: pointer; text-decoration: underline"'
        f'>in Russian</summary><div lang="ru">«{html.escape(claim.russian)}»</div></details>'
    )
    return f"<b>Claim {claim.number}</b> of the report{section}: “{html.escape(claim.english)}” {russian}"


def _answers(claim, verdict):
    """Return both answers of a trial, what the report had, the numbers and the rule, as HTML."""
    lines = [f"<b>Is it so?</b> <b>{html.escape(verdict.so)}</b>. {html.escape(verdict.because)}"]
    if verdict.shown:
        had = html.escape(claim.evidence)
        lines.append(f"<b>Did the report’s evidence show it?</b> <b>{html.escape(verdict.shown)}</b>. {had}".rstrip())
    if verdict.rule:
        lines.append(f"<small>The rule: {html.escape(verdict.rule)}</small>")
    return "".join(f"<div>{line}</div>" for line in lines)


def scores(claims, verdicts, path=PREDICTIONS):
    """Return a table of the claims, both answers on each, and what was predicted first.

    Args:
        claims: list of claims.
        verdicts: dict, number of the claim -> its verdict.
        path: the student's file.
    """
    known, rows = predictions(path), []
    for claim in claims:
        verdict, word = verdicts[claim.number], known.get(claim.number)
        right = "" if word is None else "✓" if word == verdict.so else "✗"
        rows.append(
            {
                "claim": f"{claim.number}. {claim.english}",
                "is it so?": verdict.so,
                "shown by the report?": verdict.shown,
                "predicted": word or "",
                "right": right,
            }
        )
    given = [row for row in rows if row["right"]]
    right = sum(row["right"] == "✓" for row in given)
    return table(rows, f"Predicted: {len(given)} of {len(rows)} claims; right: {right}.")
