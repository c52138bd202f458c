"""A linter of prose: what no cell prints is not said. ``python tests/prose.py labs/03_optimizers.ipynb ...``

In a lab, every decimal number (``16.87``, ``3e-16``) of a paragraph, from **What you saw**, **Expect** or **Verdict**
on, is looked for, to the digits that are written, in what the cells above have printed: their stored text and tables
(not a picture's description, which holds many numbers that nobody sees), and the verdicts of the cards that they show
by ``card(number)``. A number in **Expect** may also be printed below it, before the next heading. The sign does not
count, for one writes "falls by 0.3"; whole numbers are not looked for. A paragraph lasts until the next heading, the
next words in bold that begin a line, or the end of its cell.

For authors: there are three ways to write a number that no cell prints, and each says what it is.

- A *setting* of the lab is code: ``a step of `0.01` ``.
- A *formula*, and a number that follows from one, is mathematics: ``$2 (1 + \\mu) / \\alpha = 38$``. Of a sum of plain
  numbers, ``$13.5 - 13.1 = 0.4$``, the result alone is exempt.
- A *quotation* stands in the report's own marks: ``«... длина шага 0.01 ...»``.

The name of an exercise or a question ("exercise 5.2") is no number. A number that is none of these, and that only a
picture shows, is to be printed by the cell that draws the picture.
"""

import html
import json
import re
import sys
from pathlib import Path

_MARKED = re.compile(r"\*\*(What you saw|Expect|Verdict)\b")
_ENDS = re.compile(r"^(#|\*\*)", re.MULTILINE)
_HEADING = re.compile(r"^#", re.MULTILINE)
_EXEMPT = re.compile(
    r"`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|«[^»]*»|\]\([^)]*\)|https?://\S+|<!--.*?-->|\b(?:exercise|question)\s+\w+\.\d+",
    re.DOTALL | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,^])\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w^]|[.,]\d)", re.IGNORECASE)
_PRINTED = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)
_CARD = re.compile(r"(?<!\w)card\(\s*(\d+)")


def unprinted(notebook, verdict=None):
    """Return a message for each number of a lab's prose that no cell prints.

    Args:
        notebook: the notebook as ``json.load`` or nbformat read it, with its stored outputs.
        verdict: a function of a claim's number that returns the text of its verdict; the stored ones by default.

    Returns:
        A list of sentences: the number of the cell from 0, the paragraph, the number, and the words around it.
    """
    cells, found = notebook["cells"], []
    printed = [_numbers(_shown(cell, verdict or _verdict)) for cell in cells]
    for k, cell in enumerate(cells):
        for name, text in _paragraphs(cell):
            last = _section(cells, k) if name == "Expect" else k
            known = [number for numbers in printed[:last] for number in numbers]
            for match in _NUMBER.finditer(text):
                if _is_decimal(match[0]) and not any(_agrees(match[0], number) for number in known):
                    around = " ".join(text[max(0, match.start() - 40) : match.end() + 25].split())
                    where = "above" if name != "Expect" else "above, nor below in its section"
                    found.append(f'cell {k}, **{name}**: {match[0]} is printed by no cell {where}: "... {around} ..."')
    return found


def _paragraphs(cell):
    """Yield (name, text) of the marked paragraphs of a cell; what is exempt is blank in the text."""
    if cell["cell_type"] != "markdown":
        return
    text = _EXEMPT.sub(_blank, _joined(cell["source"]))
    for mark in _MARKED.finditer(text):
        end = _ENDS.search(text, mark.end())
        yield mark[1], text[mark.end() : end.start() if end else len(text)]


def _blank(match):
    """Return spaces in the place of what is exempt; of a sum of plain numbers, $13.5 - 13.1 = 0.4$, these stay.

    So does a wrong result.
    """
    text = match[0]
    kept = ""
    if text.startswith("$") and not re.search(r"[A-Za-z\\^]", text):
        left, _, result = text.strip("$").partition("=")
        right = not result or _agrees(result.strip().lstrip("-"), abs(_sum(left)))
        kept = text.partition("=")[0] if right else text
    return kept.replace("$", " ") + re.sub(r"\S", " ", text[len(kept) :])


def _sum(text):
    """Return the value of plain numbers that are added and subtracted: 23.46-21.56."""
    return sum(float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace(" ", "").replace(",", "")))


def _section(cells, k):
    """Return the number of the first cell after cell k that begins another section, or how many cells there are."""
    for j in range(k + 1, len(cells)):
        if cells[j]["cell_type"] == "markdown" and _HEADING.search(_joined(cells[j]["source"])):
            return j
    return len(cells)


def _shown(cell, verdict):
    """Return all the text that a cell shows: its stored outputs, and the verdicts of its cards."""
    if cell["cell_type"] != "code":
        return ""
    parts = [verdict(int(number)) for number in _CARD.findall(_joined(cell["source"]))]
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        parts.append(_joined(output.get("text", "")))
        if not any(kind.startswith(("image/", "application/vnd.jupyter.widget")) for kind in data):
            parts.append(_joined(data.get("text/plain", "")))
        markup = re.sub(r"<(style|script).*?</\1>", " ", _joined(data.get("text/html", "")), flags=re.DOTALL)
        parts.append(html.unescape(re.sub(r"<[^>]*>", " ", markup)))
    return "\n".join(parts)


def _verdict(number):
    from aelib.trial.rules import judge

    verdict = judge(number)
    return f"{verdict.rule} {verdict.because}"


def _joined(source):
    return "".join(source)  # a list of lines, or a string already


def _numbers(text):
    """Return the numbers that stand in a text."""
    return [float(match.replace(",", "")) for match in _PRINTED.findall(text.replace("−", "-"))]


def _is_decimal(word):
    return "." in word or "e" in word.lower()


def _agrees(word, number):
    """Return whether a printed number is the written one, rounded to its digits."""
    plain = word.replace(",", "").lower()
    mantissa, _, exponent = plain.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))  # of the last digit written
    return abs(float(plain) - number) <= 0.5 * unit * (1 + 1e-9)


def main(paths):
    """Print what is not printed; return how much."""
    count = 0
    for path in map(Path, paths):
        for message in unprinted(json.loads(path.read_text(encoding="utf-8"))):
            print(f"{path.name}, {message}")
            count += 1
    return count


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
