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
MODULES = sorted((ROOT / "aelib").rglob("*.py"))
LABS = sorted((ROOT / "labs").glob("*.ipynb"))


def test_import_is_light():
    code = "import sys, aelib; print([m for m in ('matplotlib', 'ipywidgets', 'scipy', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_check_is_an_assert(path):
    """``python -O`` takes asserts away."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("option", ["-O", "-OO"])
@pytest.mark.parametrize(
    "words", [["study", "list"], ["study", "status"], ["study", "--help"], ["coursework", "--help"]], ids=" ".join
)
def test_commands_need_no_docstrings_and_no_asserts(option, words):
    command = [sys.executable, option, "-m", f"aelib.{words[0]}", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 3, done.stderr


def test_modules_and_models_need_no_docstrings():
    code = """
import importlib, pkgutil
import numpy as np
import aelib
for module in pkgutil.walk_packages(aelib.__path__, "aelib."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from aelib.checks import check_model
from aelib.coursework.zoo.specimens import wrong_species
model = aelib.Autoencoder([6, 3, 6], hidden="tanh")
X = np.random.default_rng(0).random((5, 6))
aelib.fit(model, X, aelib.Adam(), batch_size=5, progress=False)
check_model(model, X)
wrong_species()
"""
    subprocess.run([sys.executable, "-OO", "-W", "error", "-c", code], check=True, cwd=ROOT)


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


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_lab_reads_well(path):
    """What would hurt a reader on a code host: wide lines, warnings, paths of a machine, cells never run."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    wide = [line for source in code for line in source.splitlines() if len(line) > 100]
    assert not wide
    stored = json.dumps([cell.get("outputs", []) for cell in cells])
    assert "stderr" not in stored
    assert not re.search(r"object at 0x|/home/|/tmp/|/root/", stored)
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]))


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_readme_names_every_lab(path):
    assert f"labs/{path.name}" in (ROOT / "README.md").read_text(encoding="utf-8")
