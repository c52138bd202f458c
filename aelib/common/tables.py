"""Tables with a caption, for the labs in a browser and for a terminal: numbers rounded, the best ones marked."""

import html
import math
import zlib
from numbers import Integral, Real

import numpy as np

_STYLES = [
    {"selector": "caption", "props": "caption-side: top; text-align: left; font-weight: bold; padding: 4px 0"},
    {"selector": "caption", "props": "white-space: nowrap"},  # a table may be narrower than its caption
    {"selector": "td, th", "props": "padding: 2px 10px; text-align: right; white-space: nowrap"},
]
_WORDS = "text-align: left"
_SENTENCES = "text-align: left; white-space: normal"
_SHORT = 32  # characters up to which a cell of words stays on one line
_BEST = "font-weight: bold; text-decoration: underline"
_WAYS = {"min": min, "max": max}


class Table:
    """What ``table`` returns: Jupyter shows it as HTML, a terminal as text.

    Attributes:
        frame: the pandas ``DataFrame``, its numbers not rounded.
        caption: the words above it.
        shown: the same cells as text, as they are read.
        best: whether a cell is marked, a ``DataFrame`` of booleans of the same form.
    """

    def __init__(self, frame, caption, shown, best):
        self.frame, self.caption, self.shown, self.best = frame, caption, shown, best

    def _repr_html_(self):
        styles = list(_STYLES)
        for k, (_, column) in enumerate(self.frame.items()):
            if not _numbers(column):
                longest = self.shown.iloc[:, k].str.len().max()
                styles.append({"selector": f".col{k}", "props": _WORDS if longest <= _SHORT else _SENTENCES})
        styler = self.shown.style.set_caption(html.escape(self.caption)).set_table_styles(styles)
        styler = styler.set_uuid(f"{zlib.crc32(self.caption.encode()):08x}")  # the same in every run of a notebook
        styler = styler.format(escape="html").format_index(escape="html", axis=1)
        styler = styler.apply(lambda _: np.where(self.best, _BEST, ""), axis=None)
        return (styler.hide(axis="index") if _counted(self.shown) else styler).to_html()

    def __repr__(self):
        marked = self.shown.copy()
        for k in range(marked.shape[1]):
            text = [
                f"{word}{' *' * mark}" for word, mark in zip(self.shown.iloc[:, k], self.best.iloc[:, k], strict=True)
            ]
            marked.isetitem(k, text)
        lines = marked.to_string(index=not _counted(self.shown), max_colwidth=None)
        note = "\n* best" if self.best.to_numpy().any() else ""
        return f"{self.caption}\n{lines}{note}"


def table(frame, caption, digits=2, best=None, by="column"):
    """Return a table with a caption, for display as the value of a cell, or to be printed.

    Args:
        frame: a pandas ``DataFrame``; or what makes one: a list of dicts, one a row, or a dict of columns. Its index is
            shown unless it only counts the rows.
        caption: a sentence above the table.
        digits: decimals of the numbers that are not whole: one count for all columns, or a dict, column -> count or
            format, such as ``".1e"`` or ``"+.2f"``; columns that it does not name have 2.
        best: which number of a column is marked: ``"min"``, ``"max"``, a dict column -> one of the two, or None. Equal
            ones are all marked; nan never is.
        by: ``"column"``, or ``"row"``: the best of each row is marked, over the columns of numbers that ``best`` names.

    Raises:
        ValueError: ``best`` or ``by`` is none of these, or a column named is not there.

    >>> table([dict(method="SGD", loss=16.04), dict(method="Adam", loss=15.87)], "Final losses", best="min")
    Final losses
    method    loss
       SGD   16.04
      Adam 15.87 *
    * best
    """
    import pandas

    frame = frame.copy() if isinstance(frame, pandas.DataFrame) else pandas.DataFrame(frame)
    if by not in ("column", "row"):
        raise ValueError(f"by is {by!r}: expected column or row")
    for name in (*(digits if isinstance(digits, dict) else ()), *(best if isinstance(best, dict) else ())):
        if name not in frame.columns:
            raise ValueError(f"there is no column {name!r}: expected one of {', '.join(map(str, frame.columns))}")
    ways = best if isinstance(best, dict) else dict.fromkeys(_of_numbers(frame) if best else (), best)
    for way in ways.values():
        if way not in _WAYS:
            raise ValueError(f"best is {way!r}: expected min or max, or a dict of columns with one of these")
    shown, marks = frame.astype(object).copy(), frame.astype(object).copy()
    for k, name in enumerate(frame.columns):
        form = digits.get(name, 2) if isinstance(digits, dict) else digits
        shown.isetitem(k, [_text(value, form) for value in frame.iloc[:, k]])
        marks.isetitem(k, [False] * len(frame))
    for axis in ("index", "columns"):
        if (labels := getattr(frame, axis)).nlevels == 1:  # 0.01, not 0.010000
            words = [f"{label:g}" if isinstance(label, float) else label for label in labels]
            setattr(shown, axis, pandas.Index(words, name=labels.name))
    _mark(frame, marks, ways, by)
    return Table(frame, caption, shown, marks.astype(bool))


def _mark(frame, marks, ways, by):
    """Set True in ``marks`` where the best cells stand."""
    places = [k for k, name in enumerate(frame.columns) if name in ways]
    if by == "column":
        lines = [[(row, k) for row in range(len(frame))] for k in places]
    else:
        lines = [[(row, k) for k in places] for row in range(len(frame))]
    for line in lines:
        known = [place for place in line if not _missing(frame.iat[place])]
        if known:
            chosen = _WAYS[ways[frame.columns[known[0][1]]]](frame.iat[place] for place in known)
            for place in known:
                marks.iat[place] = bool(frame.iat[place] == chosen)


def _missing(value):
    return value is None or (isinstance(value, Real) and math.isnan(value))


def _text(value, form):
    """Return a cell as it is read: whole numbers with commas, others with so many decimals, a dash for nothing."""
    if _missing(value):
        return "-"
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if isinstance(form, str):
        return format(value, form)
    return f"{value:,}" if isinstance(value, Integral) else f"{value:.{form}f}"


def _numbers(column):
    """Return whether a column holds numbers, or nothing."""
    return all(value is None or (isinstance(value, Real) and not isinstance(value, bool)) for value in column)


def _of_numbers(frame):
    return [name for k, name in enumerate(frame.columns) if _numbers(frame.iloc[:, k])]


def _counted(frame):
    """Return whether an index only counts the rows, and need not be shown."""
    return frame.index.name is None and list(frame.index) == list(range(len(frame)))
