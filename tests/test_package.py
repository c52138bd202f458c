"""The house rules: light import, imports run one way, labs in form."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MACHINE = sorted(path for path in (ROOT / "aelib").glob("*.py") if path.stem != "__init__")
LONG = {  # to be trimmed
    "01_derivation": 196,
    "02_finite_difference_checks": 188,
    "04_hyperparameter_grids": 173,
}
LABS = sorted((ROOT / "labs").glob("*.ipynb"))


def test_import_is_light():
    code = "import sys, aelib; print([m for m in ('matplotlib', 'ipywidgets', 'scipy', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_imports_run_one_way():
    """The contracts stand in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("path", MACHINE, ids=lambda path: path.stem)
def test_the_machine_needs_numpy_alone(path):
    """Other libraries are imported where they are used, so that ``import aelib`` stays light."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            roots = {name.split(".")[0] for name in names}
            assert roots <= sys.stdlib_module_names | {"numpy", "aelib"}, f"{path.stem} imports {roots}"


def test_the_machine_stays_small():
    lines = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in MACHINE}
    assert len(lines) <= 18 and sum(lines.values()) <= 3000 and max(lines.values()) <= 300, lines


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_lab_is_in_form(path):
    """Length, size and stored outputs, as a reader on a code host will see them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = sum(1 for source in code for line in source.splitlines() if line.strip())
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    assert lines <= LONG.get(path.stem, 170) and 700 <= words <= 2000, f"{lines} lines of code, {words} words"
    assert path.stat().st_size < 500_000
    stored = json.dumps([cell.get("outputs", []) for cell in cells])
    assert "widget-view" not in stored and "stderr" not in stored and "image/png" in stored
    assert not re.search(r"object at 0x|/home/|/tmp/|/root/", stored)
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]))
    assert any("assert" in source or "check_" in source for source in code)
