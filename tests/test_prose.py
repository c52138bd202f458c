"""Every decimal number that a lab's prose reports is printed by a cell of that lab."""

import json
from pathlib import Path

import prose
import pytest
from prose import unprinted

LABS = sorted((Path(__file__).parent.parent / "labs").glob("*.ipynb"))


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_prose_says_only_what_is_printed(path):
    messages = unprinted(json.loads(path.read_text(encoding="utf-8")))
    assert not messages, "\n".join([path.name, *messages])


def cell(kind, source, **outputs):
    made = dict(cell_type=kind, source=source.splitlines(keepends=True))
    data = {f"text/{name}": text for name, text in outputs.items() if name != "stream"}
    stream = [dict(output_type="stream", text=outputs["stream"])] if "stream" in outputs else []
    return made | (dict(outputs=stream + [dict(data=data)] * bool(data)) if kind == "code" else {})


def lab(prose, *below, verdict="", **outputs):
    """The messages on a lab that prints, then says something."""
    cells = [cell("code", "table(losses)", **outputs), cell("markdown", prose), *below]
    return unprinted(dict(cells=cells), verdict=lambda number: verdict)


@pytest.mark.parametrize(
    "outputs", [dict(stream="loss 16.8731\n"), dict(plain="16.8731"), dict(html="<tr><td>16.8731</td></tr>")]
)
def test_a_number_is_found_to_its_digits_in_any_output(outputs):
    assert lab("**What you saw.** It ends at 16.87, or 16.9.", **outputs) == []
    (message,) = lab("**What you saw.** It ends at 16.88.", **outputs)
    assert message.startswith("cell 1, **What you saw**: 16.88 is printed by no cell above") and "ends at" in message


@pytest.mark.parametrize(("said", "printed", "right"), [
    ("3e-16", "2.9e-16", True), ("3e-16", "2.4e-16", False), ("1,234.5", "1234.46", True), ("0.3", "-0.31", True),
    ("0.30", "0.31", False), ("2.0", "2", True), ("0.5", "10.5", False), ("1.5e-3", "0.0015", True),
])  # fmt: skip
def test_what_agrees(said, printed, right):
    assert (lab(f"**Verdict.** It is {said}.", stream=printed) == []) is right


@pytest.mark.parametrize(
    "exempt", ["`0.123`", "$x = 0.123$", "$$x = 0.123$$", "«0.123»", "[here](https://x.org/0.123)", "Exercise 5.2"]
)
def test_settings_formulas_quotations_and_names_are_marked(exempt):
    assert lab(f"**What you saw.** With {exempt} it falls.", stream="nothing") == []


def test_of_a_sum_of_plain_numbers_the_result_alone_is_exempt():
    assert lab("**What you saw.** It falls by $16.87-16.57=0.30$.", stream="16.874 16.571") == []
    assert len(lab("**What you saw.** It falls by $16.87-16.57=0.30$, to $16.57$.", stream="16.874")) == 2
    assert len(lab("**What you saw.** It falls by $16.87-16.57=0.90$.", stream="16.874 16.571")) == 1


def test_a_picture_prints_nothing():
    cells = [cell("code", "picture(losses)"), cell("markdown", "**What you saw.** And, **Expect** 16.87.")]
    cells[0]["outputs"] = [dict(data={"image/png": "", "text/plain": "loss: from 30 to 16.87 at 1 to 33"})]
    assert len(unprinted(dict(cells=cells))) == 2  # it stands after either mark


def test_only_what_reports_is_checked():
    assert lab("The step is 0.123.", stream="") == []
    assert lab("**What you saw.** 33 epochs, 60,000 images.", stream="") == []
    assert lab("**What you saw.** Nothing.\n\n**Your turn.** Try 0.123.", stream="") == []
    assert lab("**What you saw.** Much.\n\nThen 0.123.", stream="") != []


def test_what_is_printed_below_counts_for_an_expectation_alone():
    below = cell("code", "run()", stream="0.123"), cell("markdown", "## Next"), cell("code", "run()", stream="0.456")
    assert lab("**Expect.** About 0.123.", *below, stream="") == []
    assert len(lab("**Expect.** About 0.456.", *below, stream="")) == 1
    assert len(lab("**What you saw.** It is 0.123.", *below, stream="")) == 1


def test_a_card_prints_its_verdict():
    cells = [cell("code", "card(4)"), cell("markdown", "**What you saw.** It rises by 0.53.")]
    assert unprinted(dict(cells=cells), verdict={4: "rises by 0.53"}.get) == []
    assert unprinted(dict(cells=cells), verdict={4: "rises by 0.54"}.get) != []


def test_a_planted_wrong_number_is_found_in_a_real_lab():
    notebook = json.loads(LABS[2].read_text(encoding="utf-8"))
    before = unprinted(notebook)
    notebook["cells"].append(cell("markdown", "**What you saw.** The loss ends at 16.8765."))
    (new,) = set(unprinted(notebook)) - set(before)
    assert "16.8765" in new


def planted(path, other):
    """How many messages there are if each decimal number of a lab's prose is replaced by another."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for one in notebook["cells"]:
        if one["cell_type"] == "markdown":
            plain = " ".join(prose._EXEMPT.split("".join(one["source"])))
            one["source"] = prose._NUMBER.sub(lambda match: other(match[0]), plain)
    return len(unprinted(notebook))


def next_to(word):
    """A number moved by one in its last digit: 13.26 -> 13.27, 2e-09 -> 3e-09."""
    mantissa, mark, exponent = word.partition("e")
    digits = mantissa.replace(",", "")
    places = len(digits.partition(".")[2])
    return f"{float(digits) + 10.0**-places:.{places}f}{mark}{exponent}" if "." in word or mark else word


def test_most_numbers_moved_by_one_in_their_last_digit_are_found():
    """Not all: another number that is printed may happen to agree."""
    every = [planted(path, lambda word: "98765.4321" if prose._is_decimal(word) else word) for path in LABS]
    found = [planted(path, next_to) for path in LABS]
    assert sum(every) > 100 and sum(found) > sum(every) / 2, (found, every)
    assert all(some for some, whole in zip(found, every, strict=True) if whole), (found, every)
