"""Predictions are kept, a card opens with one and not before, and nothing that is stored tells a verdict."""

import pytest

from aelib.trial.claims import CLAIMS, VERDICTS
from aelib.trial.verdicts import Verdict
from aelib.widgets import cards
from aelib.widgets.cards import Ballot, predict, predictions, scores

drawn = []
FALLS = Verdict("falls", "It moved by 0.02 in ten epochs.")


def draw(ax, *values):
    drawn.append(values)
    ax.plot(values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "predictions.json"


def card(path, verdict=FALLS, *panels):
    drawn.clear()
    return cards.Card(
        CLAIMS[6], verdict, *(panels or ((draw, 0, 1), (draw, 2))), words=VERDICTS, size=(6, 4), path=path
    )


def texts(shown):
    return shown.image.alt.split()


def test_claims_are_numbered_and_quoted():
    assert list(CLAIMS) == list(range(1, 17))
    assert all(claim.russian and claim.english and claim.lab in (2, 3, 4, 5) for claim in CLAIMS.values())


def test_the_evidence_is_drawn_when_made_and_shown_when_predicted(path):
    shown = card(path)
    assert drawn == [(0, 1), (2,)]  # so that errors are the cell's
    assert "Verdict:" not in texts(shown)
    closed = shown.image.value
    shown.controls["choice"].value = "holds"
    assert shown.image.value != closed and shown.error is None
    assert "Verdict: falls. It moved by 0.02 in ten epochs. You predicted: holds." in " ".join(texts(shown))


def test_the_first_prediction_counts_and_opens_the_card_at_once_next_time(path):
    shown = card(path)
    for word in VERDICTS:
        shown.controls["choice"].value = word
        assert shown.prediction == VERDICTS[0]
    assert "Verdict:" in texts(card(path)) and predictions(path) == {6: VERDICTS[0]}


def test_a_stored_notebook_shows_the_card_closed(path):
    def stored(shown):
        return shown.still()[0]

    closed = stored(card(path))
    predict(6, "falls", path)
    assert stored(card(path)) == closed


def test_errors_are_the_cells(path):
    with pytest.raises(ZeroDivisionError):
        card(path, FALLS, (lambda ax: 1 / 0,))
    with pytest.raises(ValueError, match="the verdict is 'stands': expected one of holds, holds in part, falls"):
        card(path, Verdict("stands", ""))


def test_a_ballot_records_each_first_choice(path):
    ballot = Ballot(list(CLAIMS.values()), VERDICTS, path)
    ballot.menus[3].value, ballot.menus[9].value = "falls", "holds"
    assert predictions(path) == {3: "falls", 9: "holds"} and "2 of 16 predicted" in ballot.count.value
    again = Ballot(list(CLAIMS.values()), VERDICTS, path)
    assert again.menus[3].value == "falls" and again.menus[3].disabled and not again.menus[1].disabled
    bundle = ballot._repr_mimebundle_()
    stored = (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]
    assert all(claim.russian[:40] in stored for claim in CLAIMS.values())


@pytest.mark.parametrize("text", ["", "[]", '{"x": "falls"}', "{"])
def test_a_damaged_file_is_named(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"predictions\.json holds no predictions .*: delete it to predict anew"):
        predictions(path)


def test_scores_count_predictions_that_were_right(path):
    claims, verdicts = [CLAIMS[6], CLAIMS[7]], {6: FALLS, 7: Verdict("not shown by its evidence", "")}
    assert scores(claims, verdicts, path).endswith("predicted: 0 of 2, right: 0")
    predict(6, "falls", path)
    predict(7, "falls", path)
    table = scores(claims, verdicts, path)
    assert table.endswith("predicted: 2 of 2, right: 1") and max(map(len, table.splitlines())) < 112
