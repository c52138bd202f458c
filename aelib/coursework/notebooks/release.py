"""The student edition: a pure function of the notebooks in labs/; nothing that it makes is kept in the repository."""

import copy
import json
import shutil
from pathlib import Path

from aelib.coursework.notebooks import cells as slices
from aelib.coursework.notebooks import form as notebooks
from aelib.files import save_text


def student(notebook):
    """Return the student edition of a source notebook.

    Solutions become stubs, model answers an empty place for one. Outputs are kept, but for those of answers, of tests,
    and of cells that use, directly or not, what an answer defines.
    """
    made = copy.deepcopy(notebook)
    found = {task.answer: task for task in notebooks.tasks(notebook)}
    tests = {task.test for task in found.values()}
    told = {"written"}  # names whose values come from a solution; written: the answers to an earlier lab
    for i, cell in enumerate(made["cells"]):
        if i in found:
            task = found[i]
            if task.kind == "Question":
                cell["source"] = notebooks.REGION.sub(notebooks.YOUR_ANSWER, cell["source"])
                continue
            told |= bound(cell["source"])
            cell["source"] = notebooks.stub(cell["source"], task.names)
            del cell["metadata"]["jupyter"]
        elif cell["cell_type"] != "code" or (i not in tests and not depends(cell["source"], told)):
            continue
        elif i not in tests:
            told |= bound(cell["source"])
        cell["outputs"], cell["execution_count"] = [], None
    return made


def bound(source):
    """Return the names that a cell binds at its top level."""
    return set().union(*(s.binds for s in slices.statements(source)))


def depends(source, names):
    """Return whether a cell uses one of the names."""
    return any(s.uses & names for s in slices.statements(source))


def write(notebook, path):
    """Write a notebook, atomically, in the layout that Jupyter writes."""
    stored = copy.deepcopy(notebook)
    for cell in stored["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    save_text(path, json.dumps(stored, ensure_ascii=False, indent=1) + "\n")


def release(folder):
    """Write the student edition of every lab into a folder, and what the labs show beside them.

    Returns:
        list of the paths written.

    Raises:
        FileExistsError: the folder holds one of the labs: a student's answers might be lost.
    """
    folder, sources = Path(folder), notebooks.labs()
    present = [path.name for path in sources.values() if (folder / path.name).exists()]
    if present:
        raise FileExistsError(
            f"{folder} already holds {', '.join(present)}: answers might be lost; choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    made = {folder / path.name: student(notebooks.read(path)) for path in sources.values()}
    for path, notebook in made.items():
        write(notebook, path)
    for pictures in {path.parent / "pictures" for path in sources.values()}:
        if pictures.is_dir():
            shutil.copytree(pictures, folder / "pictures", dirs_exist_ok=True)
    return list(made)
