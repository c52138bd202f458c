"""Functions taken from an earlier lab."""

import json

import pytest

from aelib.coursework.notebooks.cells import needed, statements
from aelib.coursework.notebooks.earlier import written


@pytest.fixture
def folder(tmp_path):
    sources = [
        "import math\nraise RuntimeError('cells are not run')",
        "half = 0.5\ndef unfinished(:",
        "two = 2\ndef double(x):\n    return two * x",
        'def stub(x):\n    raise NotImplementedError("not written yet")\nroot = lambda x: math.sqrt(double(x))',
    ]
    cells = [dict(cell_type="code", metadata={}, outputs=[], source=source) for source in sources]
    (tmp_path / "01_lab.ipynb").write_text(json.dumps(dict(cells=cells)), encoding="utf-8")
    return tmp_path


def test_functions_come_with_what_they_need_and_nothing_else_runs(folder):
    double, root, stub = written("01_lab", "double", "root", "stub", folder=folder)
    assert double(3) == 6 and root(8) == 4
    with pytest.raises(NotImplementedError, match="not written yet"):
        stub(1)


def test_what_is_not_there_is_named(folder):
    with pytest.raises(ValueError, match=r"01_lab\.ipynb defines no function triple: write it there first"):
        written("01_lab", "triple", folder=folder)
    with pytest.raises(ValueError, match=r"no 02_lab\.ipynb here"):
        written("02_lab", "double", folder=folder)


def test_what_is_replaced_before_it_is_used_is_not_run():
    """A helper with a name of the lab's does not make the lab train its network first."""
    source = "import math\nmodel = train()\nused = model\nmodel = 2\nmodel = model + 1\ndef f():\n    return model"
    stated = statements(source)
    assert [s.code.split("\n")[0] for s in needed(stated, {"f"})] == ["model = 2", "model = model + 1", "def f():"]
    codes = [s.code for s in needed(stated, {"used", "model"})]
    assert codes == ["model = train()", "used = model", "model = 2", "model = model + 1"]
