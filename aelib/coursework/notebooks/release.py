"""The student edition: a pure function of the notebooks in labs/; nothing that it makes is kept in the repository."""

import copy
import shutil
import time
from pathlib import Path

from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.cells import statements, statements_if_any
from aelib.coursework.notebooks.programs import meaning
from aelib.files import save_text

SETTINGS = """# So that "pytest" in this folder, or on one of its notebooks, ends with a table of exercises.
[pytest]
addopts = -p aelib.coursework.plugin --nbval-lax --nbval-cell-timeout=120 -p no:cacheprovider
"""


def student(notebook):
    """Return the student edition of a source notebook.

    Solutions become stubs, model answers an empty place for one. Outputs are kept, but for those of answers, of tests,
    and of cells that show what an answer made, directly or not.
    """
    made = copy.deepcopy(notebook)
    found = {task.answer: task for task in form.tasks(notebook)}
    tests = {task.test for task in found.values()}
    told = {"written"}  # names whose values come from a solution now; written: the answers to an earlier lab
    for i, cell in enumerate(made["cells"]):
        if i in found and found[i].kind == "Question":
            cell["source"] = form.REGION.sub(form.YOUR_ANSWER, cell["source"])
            continue
        if cell["cell_type"] != "code":
            continue
        stated = statements(cell["source"])
        shows = any(statement.uses & told for statement in stated)
        if i in found:
            told |= set().union(*(statement.binds for statement in stated))
            cell["source"] = form.stub(cell["source"], found[i].names)
            cell["metadata"].pop("jupyter", None)
        elif i not in tests:
            for statement in stated:
                told = told | statement.binds if statement.uses & told else told - statement.binds
        if i in found or i in tests or shows:
            cell["outputs"], cell["execution_count"] = [], None
    return made


def write(notebook, path):
    """Write a notebook whole or not at all, in the layout that Jupyter writes."""
    import nbformat

    save_text(path, nbformat.writes(nbformat.from_dict(notebook)) + "\n")


def release(folder, labs=()):
    """Write the student edition into a folder: what is missing there, and anew the labs that are named.

    A lab that is made anew takes over the answers of the one that was there, which is kept beside it.

    Args:
        folder: where to; it is made if there is none.
        labs: names of labs to be made anew.

    Returns:
        (paths of labs written, paths of labs that were there and are kept as they are).

    Raises:
        ValueError: there is no such lab.
    """
    folder, sources = Path(folder), form.labs()
    if unknown := set(labs) - set(sources):
        raise ValueError(f"no lab is called {', '.join(sorted(unknown))}: expected some of {', '.join(sources)}")
    folder.mkdir(parents=True, exist_ok=True)
    written, kept = [], []
    for lab, source in sources.items():
        path = folder / source.name
        if path.exists() and lab not in labs:
            kept.append(path)
            continue
        notebook = form.read(source)
        made = student(notebook)
        if path.exists():
            take_over(made, form.read(path), notebook)
            path.rename(_free(path))
        write(made, path)
        written.append(path)
    for pictures in {source.parent / "pictures" for source in sources.values()}:
        if pictures.is_dir():
            shutil.copytree(pictures, folder / "pictures", dirs_exist_ok=True)
    if not (folder / "pytest.ini").exists():
        save_text(folder / "pytest.ini", SETTINGS)
    return written, kept


def _free(path):
    """Return a name beside a notebook under which it can be kept."""
    stem = f"{path.stem} before {time.strftime('%Y-%m-%d')}"
    names = [f"{stem}.ipynb", *(f"{stem} {k}.ipynb" for k in range(2, 1000))]
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def take_over(made, before, source):
    """Put the answers of a notebook into a new student edition, in place.

    Args:
        made: the new edition.
        before: the notebook with the answers.
        source: the new edition's source.
    """
    answers = {}
    for cell in before["cells"]:
        nbgrader = cell["metadata"].get("nbgrader")
        if isinstance(nbgrader, dict):
            answers.setdefault(str(nbgrader.get("grade_id")), cell["source"])
    for task in form.tasks(source):
        cell, answer = made["cells"][task.answer], answers.get(task.name, "")
        if task.kind == "Question":
            empty = answer.strip() in ("", form.YOUR_ANSWER)
        else:
            bound = set().union(*(statement.binds for statement in statements_if_any(answer)))
            empty = meaning(answer) == meaning(cell["source"]) or (not bound and not answer.strip())
        if answer and not empty:
            cell["source"] = answer
