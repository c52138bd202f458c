"""Tables: what is rounded, what is marked, what a browser and a terminal get."""

import numpy as np
import pandas as pd
import pytest

from aelib.common.tables import table

METHODS = [
    dict(method="SGD", loss=16.04, updates=1200, best=True),
    dict(method="a <b> & c", loss=15.874, updates=3, best=False),
    dict(method="lost", loss=np.nan, updates=3, best=None),
]


def marked(shown):
    return [(row, column) for row in range(shown.best.shape[0]) for column in np.flatnonzero(shown.best.iloc[row])]


def test_numbers_are_rounded_and_words_stay():
    shown = table(METHODS, "Losses", digits=dict(loss=1)).shown
    assert shown["loss"].tolist() == ["16.0", "15.9", "-"]
    assert shown["updates"].tolist() == ["1,200", "3", "3"]
    assert shown["method"].tolist() == [row["method"] for row in METHODS]


def test_a_format_may_stand_for_a_count():
    assert table(dict(error=[1.234e-8]), "Errors", digits=dict(error=".1e")).shown["error"].tolist() == ["1.2e-08"]


def test_the_frame_is_kept_as_it_was():
    frame = pd.DataFrame(METHODS)
    shown = table(frame, "Losses", digits=0, best=dict(loss="min"))
    pd.testing.assert_frame_equal(shown.frame, frame)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(METHODS))


@pytest.mark.parametrize("way, choose", [("min", np.nanmin), ("max", np.nanmax)])
@pytest.mark.parametrize("by, axis", [("column", 0), ("row", 1)])
def test_the_best_of_each_line_is_marked_and_nothing_else(way, choose, by, axis):
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = rng.integers(0, 5, (4, 6)).astype(float)  # with ties
        values[rng.random(values.shape) < 0.2] = np.nan
        values[0], values[:, 0] = 2, 2  # no line without a number
        best = table(pd.DataFrame(values), "Grid", best=way, by=by).best.to_numpy()
        np.testing.assert_array_equal(best, values == choose(values, axis=axis, keepdims=True))


def test_only_columns_of_numbers_compete():
    assert marked(table(METHODS, "Losses", best="min")) == [(1, 1), (1, 2), (2, 2)]
    assert marked(table(METHODS, "Losses", best=dict(updates="max"))) == [(0, 2)]
    assert marked(table(METHODS, "Losses")) == []


def test_html_holds_each_cell_and_escapes_it():
    page = table(METHODS, "Losses & more", best=dict(loss="min"))._repr_html_()
    assert "Losses &amp; more" in page and "a &lt;b&gt; &amp; c" in page and "<b>" not in page
    assert all(f">{word}<" in page for word in ("16.04", "15.87", "1,200", "-"))
    assert page == table(METHODS, "Losses & more", best=dict(loss="min"))._repr_html_()


def test_text_holds_caption_cells_and_marks():
    text = str(table(METHODS, "Losses", best=dict(loss="min")))
    assert text.startswith("Losses\n") and "15.87 *" in text and text.endswith("* best")
    assert "* best" not in str(table(METHODS, "Losses"))


def test_an_index_with_a_meaning_is_shown():
    frame = pd.DataFrame(
        [[1.5, 2.5]], index=pd.Index([1000], name="batch"), columns=pd.Index([0.01, 1e-5], name="step")
    )
    for form in (str(table(frame, "Grid")), table(frame, "Grid")._repr_html_()):
        assert all(word in form for word in ("batch", "step", "1000", "0.01", "1e-05")) and "0.010000" not in form


def test_what_cannot_be_made_is_said():
    with pytest.raises(ValueError, match="no column 'los'"):
        table(METHODS, "Losses", digits=dict(los=1))
    with pytest.raises(ValueError, match="no column 'los'"):
        table(METHODS, "Losses", best=dict(los="min"))
    with pytest.raises(ValueError, match="least"):
        table(METHODS, "Losses", best="least")
    with pytest.raises(ValueError, match="by is 'rows'"):
        table(METHODS, "Losses", by="rows")
