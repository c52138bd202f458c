"""The form of an exercise in a notebook: a heading, an answer with its solution between two marks, a test."""

import ast
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # or, in markdown, where no reader sees them: <!-- ... -->
HEADING = re.compile(r"^### (Exercise|Question) (\S+) \((\d+) points?\)\s*$", re.MULTILINE)
_LINES = [rf"(?:{mark}|<!-- {mark[4:]} -->)[ \t]*" for mark in (BEGIN, END)]
REGION = re.compile(rf"^([ \t]*){_LINES[0]}\n(.*?)^[ \t]*{_LINES[1]}(?:\n|\Z)", re.MULTILINE | re.DOTALL)
YOUR_ANSWER = "*Your answer:*"


@dataclass(frozen=True)
class Task:
    """One exercise or written question of a notebook.

    Attributes:
        kind: ``Exercise`` or ``Question``.
        number: as in its heading, for example ``4.1``.
        name: its grade_id.
        points: as in its heading.
        answer: index of the answer's cell.
        test: index of the test's cell; None for a question.
        examined: the expression that the test examines, for example ``(trust_pca, trust_net)``.
    """

    kind: str
    number: str
    name: str
    points: int
    answer: int
    test: int | None = None
    examined: str = ""

    @property
    def names(self):
        """The names in the examined expression."""
        return names_in(self.examined)


def labs():
    """Return the source notebooks, by lab, of the checkout that this package stands in.

    Raises:
        FileNotFoundError: the package was installed without its labs.
    """
    folder = Path(__file__).resolve().parents[3] / "labs"
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        raise FileNotFoundError(
            f"no labs in {folder}: this command needs the whole repository; run it from a checkout, installed with "
            "pip install -r requirements.txt"
        )
    return {path.stem: path for path in paths}


def read(path):
    """Return a notebook, of format 4 whatever it was, whose cells have their source as one string.

    Raises:
        ValueError: the file holds no notebook.
    """
    return parse(Path(path).read_bytes(), Path(path).name)


def parse(data, name):
    """Return the same from the bytes of a file, and its name for the sentence."""
    import nbformat

    try:
        notebook = json.loads(data.decode("utf-8-sig"))
        if not isinstance(notebook, dict) or not isinstance(notebook.get("cells", notebook.get("worksheets")), list):
            raise ValueError("it has no list of cells")
        notebook.setdefault("nbformat", 4 if "cells" in notebook else 3)
        notebook.setdefault("nbformat_minor", 5 if "cells" in notebook else 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ids that are missing are made
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
        for cell in notebook["cells"]:
            source = cell.get("source", "")
            source = "".join(map(str, source)) if isinstance(source, list) else str(source)
            cell["source"] = source.replace("\r\n", "\n")
            cell.setdefault("cell_type", "raw")
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = nbformat.from_dict({})
    except Exception as error:  # nbformat raises many kinds on what is no notebook
        raise ValueError(f"{name} is not a notebook: {error}") from None
    return notebook


def metadata(name, points, cell="answer"):
    """Return the metadata of an exercise's answer, its test, or a written question's answer."""
    written, test = cell == "written", cell == "test"
    nbgrader = {
        "cell_type": "markdown" if written else "code",
        "grade": written or test,
        "grade_id": f"test_{name}" if test else name,
        "locked": test,
        "schema_version": 3,
        "solution": not test,
        "task": False,
    }
    if written or test:
        nbgrader["points"] = points
    folded = {"jupyter": {"source_hidden": True}} if cell == "answer" else {}
    return folded | {"nbgrader": nbgrader}


def names_in(expression):
    """Return the names in an expression, in order.

    >>> names_in("(trust_pca, trust_net)")
    ['trust_pca', 'trust_net']
    """
    nodes = ast.walk(ast.parse(expression or "()", mode="eval"))
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def examined(source):
    """Return (name, expression) of a cell that is one line ``examine("name", expression)``, None of any other."""
    if not source.lstrip().startswith("examine"):
        return None
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "examine" or len(call.args) != 2:
        return None
    name, answer = call.args
    return (name.value, ast.unparse(answer)) if isinstance(getattr(name, "value", None), str) else None


def tasks(notebook):
    """Return the exercises and questions of a source notebook, in order.

    Raises:
        ValueError: one of them is not in form; the message says which, and what is wrong.
    """
    found, problems, heading = [], [], None
    cells = notebook["cells"]
    for i, cell in enumerate(cells):
        if cell["cell_type"] == "markdown" and (headings := HEADING.findall(cell["source"])):
            if heading or len(headings) > 1:
                problems.append(f"cell {i}: two headings of exercises without an answer between them")
            heading = headings[-1]
        if BEGIN[4:] not in cell["source"]:
            continue
        if heading is None:
            problems.append(f"cell {i}: a solution without a heading '### Exercise 1.2 (3 points)' above it")
            continue
        kind, number, points, heading = heading[0], heading[1], int(heading[2]), None
        if not REGION.search(cell["source"]):
            problems.append(f"{kind} {number}: no solution between lines {BEGIN!r} and {END!r}")
        elif kind == "Question":
            if cell["cell_type"] != "markdown":
                problems.append(f"Question {number}: its model answer must be a markdown cell")
            found.append(Task(kind, number, "written_" + number.replace(".", "_"), points, i))
        elif i + 1 == len(cells) or not (call := examined(cells[i + 1]["source"])):
            problems.append(f'Exercise {number}: the cell after its answer must be one line examine("name", answer)')
        else:
            found.append(Task(kind, number, call[0], points, i, i + 1, call[1]))
    if heading:
        problems.append(f"{heading[0]} {heading[1]}: no cell with a solution follows")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def add_metadata(notebook):
    """Give the answers and tests of a source notebook their metadata, in place; return the notebook."""
    for task in tasks(notebook):
        written = task.test is None
        kept = {"tags": tags} if (tags := notebook["cells"][task.answer]["metadata"].get("tags")) else {}
        which = "written" if written else "answer"
        notebook["cells"][task.answer]["metadata"] = kept | metadata(task.name, task.points, which)
        if not written:
            notebook["cells"][task.test]["metadata"] = metadata(task.name, task.points, "test")
    return notebook


def solution(source):
    """Return the lines between the marks, one string a region."""
    return [body for _, body in REGION.findall(source)]


def stub(source, names):
    r"""Return an answer's source with each solution replaced by what says "not written yet".

    >>> print(stub("def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n", ["f"]), end="")
    def f(x):
        raise NotImplementedError("not written yet")
    >>> print(stub("### BEGIN SOLUTION\nstep = 0.15\n### END SOLUTION\n", ["step"]), end="")
    step = ...  # not written yet
    """

    def replaced(match):
        indent = match[1]
        if indent:
            return f'{indent}raise NotImplementedError("not written yet")\n'
        return "".join(f"{name} = ...  # not written yet\n" for name in names)

    text = REGION.sub(replaced, source)
    return text if source.endswith("\n") else text.removesuffix("\n")
