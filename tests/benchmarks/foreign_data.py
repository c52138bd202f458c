"""Run the labs on another data set: python tests/benchmarks/foreign_data.py FOLDER [labs/NN_name.ipynb ...].

FOLDER holds a data set in MNIST's format (``AELIB_DATA``). Each lab runs in a kernel, on after errors. Printed are the
cells that raised: the cell, the exception and its sentence; a NameError after another error is only counted, as a
consequence. Right are MissingResult, StaleResult, and a ValueError in one line that says what was expected; anything
else is marked, and the script exits with 1.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

LABS = Path(__file__).resolve().parents[2] / "labs"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def right(name, sentence):
    """Return whether an error tells a student what to do."""
    return name in ("MissingResult", "StaleResult") or re.fullmatch(r"ValueError: .*expected.*", f"{name}: {sentence}")


def raised(path):
    """Return the errors of one lab, run from a fresh kernel: (cell, exception, sentence), a cell each at most."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return [
        (number, output.ename, COLOURS.sub("", output.evalue))
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]


def main(folder, *labs):
    """Run these labs, or all, and list what they raise."""
    os.environ["AELIB_DATA"] = str(Path(folder).resolve())
    wrong = 0
    for path in [Path(lab).resolve() for lab in labs] or sorted(LABS.glob("*.ipynb")):
        errors = raised(path)
        after = [error for error in errors[1:] if error[1] == "NameError"]
        print(f"{path.stem}: {len(errors)} cells raised, {len(after)} of them as a consequence", flush=True)
        for number, name, sentence in errors:
            if (number, name, sentence) in after:
                continue
            wrong += not right(name, sentence)
            print(f"  {'' if right(name, sentence) else 'WRONG '}cell {number}, {name}: {sentence}", flush=True)
    print(f"{wrong} wrong")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
