"""Claims on trial: predictions, asked for before anything is measured and kept in a file, and the cards they open."""

import html
import json
import textwrap
from pathlib import Path

import ipywidgets
from matplotlib.figure import Figure

from aelib.files import save_text
from aelib.widgets.explorer import Explorer
from aelib.widgets.pictures import Picture

PREDICTIONS = "predictions.json"  # in the folder of the notebook; a student's own, ignored by git


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
    """Record a prediction, unless there is one for this claim; return the one that counts, the first."""
    known = predictions(path)
    if word and number not in known:
        known[number] = word
        save_text(path, json.dumps({str(k): known[k] for k in sorted(known)}, indent=1) + "\n")
    return known.get(number)


def _menu(words, chosen, description="I predict it"):
    options = [("choose", ""), *((word, word) for word in words)]
    return ipywidgets.Dropdown(options=options, value=chosen if chosen in words else "", description=description)


class Ballot(ipywidgets.VBox):
    """All claims in a list with a menu each: the student predicts before measuring; the first choices are kept.

    Args:
        claims: list of objects with ``number``, ``russian``, ``english``, ``section``, ``lab``.
        words: the verdicts to choose from.
        path: the student's file.

    Attributes:
        menus: dict, number of the claim -> its menu.
    """

    def __init__(self, claims, words, path=PREDICTIONS):
        self.path, known = path, predictions(path)
        self.menus = {claim.number: _menu(words, known.get(claim.number), "") for claim in claims}
        self._claims, rows = claims, []
        for claim in claims:
            menu = self.menus[claim.number]
            menu.layout, menu.disabled = ipywidgets.Layout(width="13em"), bool(menu.value)
            menu.observe(lambda change, number=claim.number: self._choose(number, change["new"]), names="value")
            text = ipywidgets.HTML(_sentence(claim), layout=ipywidgets.Layout(width="60em"))
            rows.append(ipywidgets.HBox([menu, text]))
        self.count = ipywidgets.HTML()
        super().__init__([*rows, self.count])
        self.add_class("aelib-ballot")
        self._say()

    def _choose(self, number, word):
        if word:
            self.menus[number].value = predict(number, word, self.path)
            self.menus[number].disabled = True  # a prediction that can be changed predicts nothing
            self._say()

    def _say(self):
        made = sum(bool(menu.value) for menu in self.menus.values())
        self.count.value = f"{made} of {len(self.menus)} predicted; kept in {html.escape(str(self.path))}"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/html"] = "".join(f"<p>{_sentence(claim)}</p>" for claim in self._claims)
        return bundle


def _sentence(claim):
    words = f"<b>{claim.number}.</b> «{html.escape(claim.russian)}» <i>{html.escape(claim.english)}</i>"
    return f'<span style="line-height: 1.3">{words} (§ {claim.section}; lab {claim.lab})</span>'


class Card(Explorer):
    """A claim, and its evidence as soon as there is a prediction; a menu asks for one that is not in the file yet.

    The verdict, and the prediction beside it, stand above the evidence in the picture. The panels are drawn when the
    card is made, so that an error is the cell's; the picture, which takes longer, waits for the choice. A stored
    notebook shows the card closed.

    Args:
        claim: an object with ``number``, ``russian``, ``english``.
        verdict: an object with ``word`` and ``because``, the sentence with the numbers measured.
        panels: the evidence, from left to right: tuples (function, *arguments); ``function(ax, *arguments)`` draws.
        words: the verdicts to choose from.
        size: of the picture in inches.
        path: the student's file.

    Raises:
        ValueError: the verdict's word is none of ``words``.
    """

    def __init__(self, claim, verdict, *panels, words, size=(9.5, 4.6), path=PREDICTIONS):
        if verdict.word not in words:
            raise ValueError(f"the verdict is {verdict.word!r}: expected one of {', '.join(words)}")
        self.claim, self.verdict, self.panels, self.path = claim, verdict, panels, path
        self._width = round(11.5 * size[0])  # characters a line
        known = self.prediction
        self._closed = Picture(self._draw, size).png(None)
        super().__init__(self._choose, self._draw, size, choice=_menu(words, known))
        if not known:
            self._draw(Figure(figsize=size), verdict.word)

    @property
    def prediction(self):
        """The first choice, or None."""
        return predict(self.claim.number, "", self.path)

    def _choose(self, choice):
        return predict(self.claim.number, choice, self.path)

    def _draw(self, figure, prediction):
        title = f"Claim {self.claim.number}. «{self.claim.russian}» {self.claim.english}"
        if not prediction:
            figure.suptitle(textwrap.fill(title, self._width), fontsize="medium")
            words = "Predict first: the evidence opens with your choice."
            figure.text(0.5, 0.35, words, ha="center", fontsize="large")
            return
        verdict = f"Verdict: {self.verdict.word}. {self.verdict.because} You predicted: {prediction}."
        lines = [textwrap.fill(part, self._width) for part in (title, verdict)]
        figure.suptitle("\n".join(lines), fontsize="medium")
        axes = figure.subplots(1, len(self.panels), squeeze=False)[0]
        for ax, (function, *arguments) in zip(axes, self.panels, strict=True):
            function(ax, *arguments)
            ax.title.set_fontsize("medium")

    def still(self):
        """Return the card closed."""
        return self._closed, self._picture.width, f"Claim {self.claim.number}", "<i>Run the cell to predict.</i>"


def scores(claims, verdicts, path=PREDICTIONS):
    """Return a table, as text, of the claims with their verdicts and what was predicted first.

    Args:
        claims: list of claims.
        verdicts: dict, number of the claim -> its verdict.
        path: the student's file.
    """
    known = predictions(path)
    lines = [f"{'claim':<58} {'verdict':<26} predicted"]
    for claim in claims:
        text = textwrap.shorten(f"{claim.number}. {claim.english}", 58, placeholder=" ...")
        lines.append(f"{text:<58} {verdicts[claim.number].word:<26} {known.get(claim.number, '-')}")
    given = [claim for claim in claims if claim.number in known]
    right = sum(known[claim.number] == verdicts[claim.number].word for claim in given)
    return "\n".join([*lines, f"predicted: {len(given)} of {len(claims)}, right: {right}"])
