import pytest

from aelib.widgets.cards import VERDICTS, Card, scores

drawn = []


def draw(ax, *values):
    drawn.append(values)
    ax.plot(values)


@pytest.fixture
def card():
    drawn.clear()
    return Card(
        4, "a net has not converged", "falls", "It moved by 0.02 in ten epochs.", (draw, 0, 1), (draw, 2), size=(6, 3)
    )


def texts(card):
    return " ".join(t.get_text() for t in [card._picture.figure._suptitle, *card._picture.figure.texts]).split()


def test_the_evidence_is_drawn_when_made_and_shown_when_predicted(card):
    assert drawn == [(0, 1), (2,)]  # for the stored notebook, and so that errors are the cell's
    assert not card._picture.figure.axes and "Verdict:" not in texts(card)
    closed = card.image.value
    card.controls["choice"].value = "holds"
    assert card.image.value != closed and card._picture.figure.axes
    assert " ".join(texts(card)).endswith("Verdict: falls. It moved by 0.02 in ten epochs. You predicted: holds.")


def test_the_first_prediction_stays_recorded_and_every_choice_changes_the_picture(card):
    seen, menu = {card.image.value}, card.controls["choice"]
    for word in VERDICTS:
        menu.value = word
        seen.add(card.image.value)
        assert card.prediction == VERDICTS[0] and card.error is None
    assert len(seen) == 1 + len(VERDICTS)
    menu.value = ""
    assert card._picture.figure.axes  # what is open stays open


def test_a_stored_notebook_shows_the_card_open_and_without_prediction(card):
    bundle = card._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    stored = data["image/png"]
    card.controls["choice"].value = "falls"
    again = card._repr_mimebundle_()
    assert stored == (again[0] if isinstance(again, tuple) else again)["image/png"]


def test_errors_are_the_cells():
    with pytest.raises(ZeroDivisionError):
        Card(1, "a", "holds", "b", (lambda ax: 1 / 0,))
    with pytest.raises(ValueError, match="the verdict is 'stands': expected one of holds, falls, holds in part"):
        Card(1, "a", "stands", "b", (draw,))


def test_scores_count_predictions_that_were_right(card):
    other = Card(5, "a claim much longer than the fifty-eight characters that a line of it has", "holds", "c", (draw,))
    assert scores([card, other]).endswith("predicted: 0 of 2, right: 0")
    card.controls["choice"].value, other.controls["choice"].value = "falls", "falls"
    table = scores([card, other])
    assert table.endswith("predicted: 2 of 2, right: 1") and max(map(len, table.splitlines())) < 90
