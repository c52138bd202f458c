"""What students handed in: which notebook is which lab, and which cells of it define an answer."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from aelib.coursework.judge import one_line
from aelib.coursework.notebooks import cells as slices
from aelib.coursework.notebooks import form as notebooks

MOST = 5  # definitions of one answer that are tried


@dataclass
class Submission:
    """One student's folder.

    Attributes:
        student: the folder's name.
        labs: the notebooks found, as (path, notebook), by lab.
        notes: what is odd, one line each.
    """

    student: str
    labs: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def read(folder, sources):
    """Return the ``Submission`` in a folder and its subfolders.

    Args:
        folder: the student's.
        sources: the source notebooks, by lab.
    """
    folder = Path(folder)
    found = Submission(folder.name)
    marks = {lab: {task.name for task in notebooks.tasks(notebook)} for lab, notebook in sources.items()}
    for path in sorted(folder.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts or not path.is_file():
            continue
        try:
            notebook = notebooks.read(path)
        except (OSError, ValueError) as error:
            found.notes.append(one_line(f"{path.relative_to(folder)} cannot be read: {error}"))
            continue
        seen = set()
        for cell in notebook["cells"]:
            nbgrader = cell["metadata"].get("nbgrader")
            seen.add(str(nbgrader.get("grade_id")) if isinstance(nbgrader, dict) else "")
            seen.update(defined(cell))
        likeness = {lab: (len(names & seen), path.stem.startswith(lab)) for lab, names in marks.items()}
        best = max(likeness, key=likeness.get)
        if likeness[best] == (0, False):
            found.notes.append(f"{path.relative_to(folder)} is none of the labs")
        else:
            found.labs.setdefault(best, []).append((path, notebook))
    for lab, several in found.labs.items():
        if len(several) > 1:
            names = ", ".join(str(path.relative_to(folder)) for path, _ in several)
            found.notes.append(f"{lab}: {len(several)} notebooks ({names}); the best answer of each counts")
    return found


def defined(cell):
    """Return the names that a cell defines at its top level; of a cell that is no Python, as far as can be seen."""
    if cell.get("cell_type") != "code":
        return set()
    try:
        return set().union(*(s.binds for s in slices.statements(cell["source"])))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"^(?:def |class )?[ \t]*(\w+)[ \t]*[(:=]", cell["source"], re.MULTILINE))


def definitions(source, notebook, task):
    """Return the sources of the code cells that define an answer, the last one first; stubs are left out."""
    single, parts, names = [], [], set(task.names)
    for cell in notebook["cells"]:
        hit = names & defined(cell)
        if not hit or is_stub(source, cell, task):
            continue
        (single if hit == names else parts).append(cell["source"])
    if parts and not single and names <= set().union(*(defined({"cell_type": "code", "source": s}) for s in parts)):
        single.append("\n".join(parts))
    return single[::-1][:MOST]


def is_stub(source, cell, task):
    """Return whether a cell is an answer as it was given out, comments aside."""
    try:
        given = ast.parse(notebooks.stub(source["cells"][task.answer]["source"], task.names))
        return ast.dump(ast.parse(slices.plain(cell["source"]))) == ast.dump(given)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def order(source, task, handed_in):
    """Return what the judge needs of one answer, as JSON: the programs to try, or the state where there is none.

    Args:
        source: the lab's notebook.
        task: the exercise.
        handed_in: the student's notebooks of this lab.
    """
    programs, errors, stub = [], [], False
    for _, notebook in handed_in:
        cells = [cell["source"] for cell in notebook["cells"] if cell.get("cell_type") == "code"]
        stub |= any(is_stub(source, cell, task) for cell in notebook["cells"] if cell.get("cell_type") == "code")
        for answer in definitions(source, notebook, task):
            helpers = [cell for cell in cells if cell != answer and "examine(" not in cell]
            for own_passes in (False, True):
                try:
                    made = slices.program(source, task, answer, helpers, own_passes)
                except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                    where = f", in line {error.lineno}" if getattr(error, "lineno", None) else ""
                    errors.append(one_line(f"{type(error).__name__}: {getattr(error, 'msg', error)}{where}"))
                    break
                if made not in programs:
                    programs.append(made)
    found = {"programs": programs, "examined": task.examined, "state": "", "reason": ""}
    if programs:
        return found
    if errors:
        return found | {"state": "crash", "reason": errors[0]}
    if stub:
        return found | {"state": "not written"}
    return found | {"state": "not found", "reason": f"no cell defines {', '.join(task.names)}"}


def changed(source, notebook):
    """Return one line on each test cell that was changed or is missing; the original was used."""
    lines = [c["source"].strip() for c in notebook["cells"] if c.get("cell_type") == "code"]
    missing = [
        task
        for task in notebooks.tasks(source)
        if task.test and source["cells"][task.test]["source"].strip() not in lines
    ]
    return [f"{task.number} {task.name}: its test was changed or is missing; the original was used" for task in missing]


def written(source, notebook, task):
    """Return what a student wrote under a question, "" where nothing is found."""
    heading = f"{task.kind} {task.number} "
    below = None
    for i, cell in enumerate(notebook["cells"]):
        nbgrader = cell["metadata"].get("nbgrader")
        if isinstance(nbgrader, dict) and nbgrader.get("grade_id") == task.name:
            below = i
            break
        if heading in cell["source"] and i + 1 < len(notebook["cells"]) and below is None:
            below = i + 1
    given = notebooks.REGION.sub(notebooks.YOUR_ANSWER, source["cells"][task.answer]["source"])
    text = notebook["cells"][below]["source"] if below is not None else given
    return "" if text.strip() == given.strip() else text.replace(notebooks.YOUR_ANSWER, "").strip()
