"""The start page: what it says of labs agrees with the README, and where the student stands is read right."""

import json
import re
from pathlib import Path

import pytest

from aelib.labs import lab0

ROOT = Path(__file__).resolve().parent.parent


def test_the_map_of_questions_is_that_of_the_readme_and_names_every_lab():
    cells = json.loads((ROOT / "labs" / "00_start_here.ipynb").read_text(encoding="utf-8"))["cells"]
    page = "\n".join("".join(cell["source"]) for cell in cells)
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("(labs/", "(")
    row = re.compile(r"^\| \[([^]]*)\]\((\w+\.ipynb)\) \| ([^|]*) \|", re.MULTILINE)
    assert row.findall(page) == row.findall(readme)
    labs = {path.name for path in (ROOT / "labs").glob("*.ipynb")}
    assert {name for _, name, _ in row.findall(page)} | {"00_start_here.ipynb"} == labs


def test_minutes_are_those_of_the_labs_heads():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^]]*\]\(labs/(\w+\.ipynb)\) .*\| (\d+) \| (\d*) *\|$", readme, re.MULTILINE)
    assert len(rows) == len(list((ROOT / "labs").glob("*.ipynb"))) - 1
    for name, reading, both in rows:
        head = re.search(r"\*Minutes\*:([^.]*)\.", (ROOT / "labs" / name).read_text(encoding="utf-8"))[1]
        numbers = [int(number) for number in re.findall(r"\d+", head)]
        assert [int(reading), int(both or reading)] == [numbers[0], sum(numbers[:2])], name


def test_where_you_are_counts_points_and_predictions(tmp_path):
    (tmp_path / "predictions.json").write_text(json.dumps({"1": "holds", "3": "open", "4": "holds"}))
    points = [
        dict(lab="01_derivation", got=3, of=14, by_hand=6),
        dict(lab="02_finite_difference_checks", got=0, of=8, by_hand=0),
    ]
    frame = lab0.where_you_are(points, tmp_path).frame
    assert frame["points"].tolist() == ["3 of 14", "0 of 8"]
    assert frame["predicted"].tolist() == ["", "2 of 3"]  # claims 1 and 3 are lab 2's, 4 is not
    assert "No lab" in lab0.where_you_are([], tmp_path)


def test_the_net_of_the_start_page_has_two_sliders_and_waits_until_it_is_shown():
    net = lab0.learning_net(images=1000)
    assert list(net.controls) == ["step", "batch"] and net.state == "ready"
    net.close()


@pytest.mark.parametrize("sizes", [[784, 2, 784], [784, 30, 20, 2, 20, 30, 784]])
def test_the_picture_of_a_net_tells_its_layers(mnist, sizes):
    from aelib import Autoencoder

    shown = lab0.show_net(Autoencoder(sizes, dtype="float32"), mnist.test_images[0])
    assert all(str(n) in repr(shown) for n in sizes) and "the code of this image" in repr(shown)
