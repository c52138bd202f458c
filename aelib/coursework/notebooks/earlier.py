"""What a student wrote in an earlier lab, for a later one to use."""

from pathlib import Path

from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.cells import needed, statements_if_any


def written(lab, *names, folder="."):
    """Return functions as they stand in a lab of this folder, with what they need of it: its own cells are not run.

    Args:
        lab: the notebook's name without its ending; it must have been saved.
        names: of the functions.
        folder: where it is; by default beside the notebook that asks.

    Raises:
        ValueError: there is no such lab here, or no function of this name in it.
    """
    path = Path(folder) / f"{lab}.ipynb"
    if not path.exists():
        raise ValueError(f"no {path.name} here: expected it, saved, in the folder of this notebook")
    cells = [cell["source"] for cell in form.read(path)["cells"] if cell["cell_type"] == "code"]
    above = [statement for source in cells for statement in statements_if_any(source)]  # none of an unfinished cell
    namespace = {}
    for statement in needed(above, set(names)):
        exec(compile(statement.code, path.name, "exec"), namespace)
    for name in names:
        if not callable(namespace.get(name)):
            raise ValueError(f"{path.name} defines no function {name}: write it there first, and save")
    return [namespace[name] for name in names]
