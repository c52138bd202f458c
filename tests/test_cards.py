"""Predictions are kept, the first one counts, a card opens with one and not before, and what cannot be kept is said."""

import asyncio
import io
from types import SimpleNamespace

import pytest
from matplotlib.image import imread

from aelib.trial.claims import CLAIMS, Verdict
from aelib.trial.claims import WORDS as ANSWERS
from aelib.widgets.cards import MEANINGS, WORDS, Card, predict, predictions, scores

drawn = []
VERDICT = Verdict("does not hold", "no", "It moves by more than 0.1.", "It moved by 0.02 < 0.1 in ten epochs.")


def draw(ax, *values):
    drawn.append(values)
    ax.plot(values, label="loss")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "predictions.json"


def card(path, *panels, verdict=VERDICT, number=6):
    drawn.clear()
    return Card(CLAIMS[number], verdict, *(panels or ((draw, 0, 1, 2), (draw, 2))), size=(6, 4), path=path)


def seen(shown):
    """Return the text of what is displayed of a card."""
    visible = [part for part in shown.children if part.layout.display != "none"]
    return " ".join(str(getattr(part, "value", "")) for part in visible if part is not shown.image)


def test_the_words_are_the_trials_and_each_is_explained():
    assert WORDS == ANSWERS and set(MEANINGS) == set(WORDS)


def test_a_closed_card_asks_and_tells_nothing(path):
    shown = card(path)
    assert drawn == [(0, 1, 2), (2,)]  # so that errors are the cell's
    assert CLAIMS[6].english in seen(shown) and CLAIMS[6].russian in seen(shown)
    assert all(MEANINGS[word] in seen(shown) for word in WORDS)
    assert VERDICT.because[:9] not in seen(shown) and "You predicted" not in seen(shown)
    assert shown.image.layout.display == "none" and not shown.image.value and shown.choice.value is None


@pytest.mark.parametrize("word, mark", [("holds", "✗"), ("does not hold", "✓ right")])
def test_a_choice_opens_the_card(path, word, mark):
    shown = card(path)
    shown.choice.value = word
    text = seen(shown)
    for part in (f"You predicted: <b>{word}</b>", mark, VERDICT.rule, "It moved by 0.02 &lt; 0.1", "<b>no</b>"):
        assert part in text
    assert shown.image.layout.display == "" and shown.image.value[:4] == b"\x89PNG" and shown.image.alt
    assert shown.error is None and predictions(path) == {6: word}


def test_the_first_prediction_counts_is_shown_and_opens_the_card_at_once_next_time(path):
    shown, twin = card(path), card(path)
    shown.choice.value = "open"
    shown.choice.value = "holds"  # cannot be changed
    assert shown.choice.value == shown.prediction == "open" and not shown.choice.disabled  # the focus stays there
    twin.choice.value = "holds"  # another card of the same claim, open since before
    assert twin.choice.value == twin.prediction == "open" and "You predicted: <b>open</b>" in seen(twin)
    again = card(path)
    assert again.choice.value == again.prediction == "open" and "✗" in seen(again)
    assert predictions(path) == {6: "open"}


def break_folder(path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("aelib.widgets.cards.save_text", refuse)


def damage(path, monkeypatch):
    path.write_text("{", encoding="utf-8")


@pytest.mark.parametrize("fault, word", [(break_folder, "Permission denied"), (damage, "delete it to predict anew")])
def test_a_prediction_that_cannot_be_kept_goes_back_and_says_why(path, monkeypatch, fault, word):
    shown = card(path)
    with monkeypatch.context() as patch:
        fault(path, patch)
        shown.choice.value = "holds"
    assert shown.choice.value is None and not shown.choice.disabled and shown.prediction is None
    assert word in seen(shown) and "--jp-error-color1" in seen(shown) and VERDICT.rule not in seen(shown)
    path.unlink(missing_ok=True)
    shown.choice.value = "holds"
    assert predictions(path) == {6: "holds"} and shown.error is None and word not in seen(shown)


def test_a_card_beside_a_damaged_file_says_so_when_it_is_made(path):
    path.write_text("{", encoding="utf-8")
    shown = card(path)
    assert "delete it to predict anew" in seen(shown) and shown.prediction is None


def test_a_saved_notebook_shows_claim_answers_and_evidence_whatever_was_predicted(path):
    def still():
        png, width, alt, text = card(path).still()
        assert png[:4] == b"\x89PNG" and width == 600 and "loss" in alt
        for part in (CLAIMS[6].english, "does not hold", VERDICT.rule, "<b>no</b>"):
            assert part in text
        return text

    before = still()
    predict(6, "holds", path)
    assert still() == before


def test_errors_are_the_cells(path):
    with pytest.raises(ZeroDivisionError):
        card(path, (lambda ax: 1 / 0,))
    with pytest.raises(
        ValueError, match="the verdict is 'stands': expected one of holds, holds in part, does not hold"
    ):
        card(path, verdict=Verdict("stands", "no", "", ""))


def test_a_card_may_have_no_picture(path):
    claim = SimpleNamespace(number=1, english="It is <so>.", russian="Это так.", section="2", evidence="One run.")
    shown = Card(claim, VERDICT, path=path)
    shown.choice.value = "holds"
    assert "It is &lt;so&gt;." in seen(shown) and shown.still()[0] is None


@pytest.mark.parametrize("text", ["", "[]", '{"x": "holds"}', "{"])
def test_a_damaged_file_is_named(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"predictions\.json holds no predictions .*: delete it to predict anew"):
        predictions(path)


def test_scores_count_predictions_that_were_right(path):
    claims, verdicts = [CLAIMS[6], CLAIMS[7]], {6: VERDICT, 7: Verdict("open", "yes", "", "")}
    assert scores(claims, verdicts, path).caption == "Predicted: 0 of 2 claims; right: 0."
    predict(6, "does not hold", path)
    predict(7, "holds", path)
    table = scores(claims, verdicts, path)
    assert table.caption == "Predicted: 2 of 2 claims; right: 1."
    assert list(table.frame["right"]) == ["✓", "✗"] and list(table.frame["shown by the report?"]) == ["no", "yes"]


def test_the_evidence_is_drawn_for_the_browser(path):
    """Before the choice or after it: the picture has the density of the screen and the width there is."""

    async def scenario():
        shown = card(path)
        for density, room in ((1.0, 2000), (1.5, 500)):
            with shown.front.hold_trait_notifications():
                shown.front.density, shown.front.room = density, room
            shown.choice.value = "open"
            await asyncio.sleep(0.1)
            assert shown.image.width == min(600, room)
            assert imread(io.BytesIO(shown.image.value)).shape[1] == density * min(600, room)

    asyncio.run(scenario())
