"""What a student handed in, lab by lab: which notebook is which lab, what is run for an answer, what was written."""

import ast
import re
from dataclasses import dataclass, field

from aelib.coursework.exercises import EXERCISES
from aelib.coursework.findings import one_line
from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.cells import statements_if_any
from aelib.coursework.notebooks.programs import Lab, Piece, answer_of, meaning
from aelib.coursework.notebooks.saved import told


@dataclass
class Submission:
    """What one student handed in.

    Attributes:
        student: a ``downloads.Student``.
        labs: list of (``downloads.File``, notebook) by lab.
        notes: what is to be known beside the points, one line each.
    """

    student: object
    labs: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def sources():
    """Return the labs by name, looked at once: dict of ``Lab``."""
    return {lab: Lab(form.read(path)) for lab, path in form.labs().items()}


def read(student, labs):
    """Return the ``Submission`` of a student.

    Args:
        student: a ``downloads.Student``.
        labs: what ``sources`` returns.
    """
    found = Submission(student, notes=[one_line(note) for note in student.notes])
    marks = {lab: {task.name for task in each.tasks} for lab, each in labs.items()}
    for file in student.files:
        try:
            notebook = form.parse(file.data, file.name)
        except ValueError as error:
            found.notes.append(one_line(f"{file.name} cannot be read: {error}"))
            continue
        seen = set()
        for cell in notebook["cells"]:
            nbgrader = cell["metadata"].get("nbgrader")
            seen.add(str(nbgrader.get("grade_id")) if isinstance(nbgrader, dict) else "")
            seen.update(defined(cell))
        stem = file.name.split("/")[-1]
        likeness = {lab: (len(names & seen), stem.startswith(lab)) for lab, names in marks.items()}
        best = max(likeness, key=likeness.get, default=None)
        if best is None or likeness[best] == (0, False):
            found.notes.append(f"{file.name} is none of the labs")
        else:
            found.labs.setdefault(best, []).append((file, notebook))
    for lab, several in found.labs.items():
        if len(several) > 1:
            names = ", ".join(file.name for file, _ in several)
            found.notes.append(f"{lab}: {len(several)} notebooks ({names}); the best answer of each counts")
    return found


def defined(cell):
    """Return the names that a cell defines at its top level; of a cell that is no Python, as far as can be seen."""
    if cell.get("cell_type") != "code":
        return set()
    return set().union(*(s.binds for s in statements_if_any(cell["source"]))) or set(
        re.findall(r"^(?:def |class )?[ \t]*(\w+)[ \t]*[(:=]", cell["source"][:100_000], re.MULTILINE)
    )


def order(lab, task, handed_in, merged=None):
    """Return what the judge needs of one answer, as JSON: the programs to try, or the state where there is none.

    Args:
        lab: the ``Lab``.
        task: the exercise.
        handed_in: list of (file, notebook) of this lab.
        merged: what ``lab.merged`` makes of each of them, where that is there already.
    """
    merged = merged or [lab.merged(notebook["cells"]) for _, notebook in handed_in]
    plain, hidden, broken, touched = [], [], "", False
    given = meaning(form.stub(lab.cells[task.answer]["source"], task.names))
    for (_, notebook), cells in zip(handed_in, merged, strict=True):
        programs = lab.programs(cells, task)
        for pieces in programs:
            code = answer_of(pieces, task.names)
            if code:
                plain += [pieces] if pieces not in plain else []
            elif any(piece.own for piece in pieces) and any(name in str(pieces) for name in task.names):
                hidden += [pieces] if pieces not in hidden else []
        broken = broken or lab.broken(notebook["cells"], task)
        touched |= any(cell["cell_type"] == "code" and meaning(cell["source"]) == given for cell in notebook["cells"])
    found = dict(programs=[], examined=task.examined, plain=len(plain), state="", reason="")
    if plain or (hidden and not touched):
        return found | dict(programs=[[[p.source, p.take, p.own] for p in pieces] for pieces in plain + hidden])
    if broken:
        return found | dict(state="crash", reason=broken)
    if touched:
        return found | dict(state="not written")
    return found | dict(state="not found", reason=f"no cell defines {', '.join(task.names)}")


def notes_on(lab, task, order, handed_in, outcome):
    """Return what is to be known of one answer beside its outcome, one line each.

    Args:
        lab: the ``Lab``.
        task: the exercise.
        order: what was judged.
        handed_in: list of (file, notebook).
        outcome: dict of an ``Outcome``.
    """
    code = "\n".join(code_of(task, order))
    dotted = [(name, *name.split(".")[-2:]) for name in EXERCISES[task.name].own]
    found = [f"seems to call {d}" for d, m, f in dotted if f"{m}.{f}" in code or f"from aelib.{m} import" in code]
    if outcome["state"] != "right":
        shown = [told(notebook["cells"], task.name) for _, notebook in handed_in]
        if any(state == "right" for state, _ in filter(None, shown)):
            found.append("the saved notebook shows it as right")
    texts = {cell["source"].strip() for _, notebook in handed_in for cell in notebook["cells"]}
    if lab.cells[task.test]["source"].strip() not in texts:
        found.append("its test was changed or is missing; the original was used")
    return found


def code_of(task, order):
    """Return the student's own code of an answer, one string a program."""
    return [answer_of([Piece(*piece) for piece in pieces], task.names) for pieces in order["programs"]]


def written(lab, notebook, task):
    """Return what a student wrote under a question, "" where nothing is found.

    That is the text of all cells from the question to the next heading that are not the lab's own, whatever their kind;
    in the cell of the question itself, what stands below it.
    """
    cells, start = notebook["cells"], None
    for i, cell in enumerate(cells):
        headings = form.HEADING.findall(cell["source"]) if cell["cell_type"] == "markdown" else []
        nbgrader = cell["metadata"].get("nbgrader")
        if any(number == task.number for _, number, _ in headings):
            start = i
        elif start is None and isinstance(nbgrader, dict) and nbgrader.get("grade_id") == task.name:
            start = i
    if start is None:
        return ""
    own = {cell["source"].strip() for place, cell in enumerate(lab.cells) if place not in lab.answers}
    given = form.REGION.sub(form.YOUR_ANSWER, lab.cells[task.answer]["source"]).strip()
    question = next(
        (c["source"].strip() for c in lab.cells[: task.answer][::-1] if form.HEADING.search(c["source"])), ""
    )
    found = []
    for i, cell in enumerate(cells[start:], start):
        text = cell["source"].strip()
        if (
            i > start
            and cell["cell_type"] == "markdown"
            and re.search(r"^#{1,3} ", text, re.MULTILINE)
            and (form.HEADING.search(text) or text in own)
        ):
            break
        if cell["cell_type"] == "code" and (text in own or form.examined(text)):
            continue
        if text in own or text == given:
            continue
        if i == start and question and text.startswith(question):
            text = text[len(question) :]
        elif i == start and form.HEADING.search(text):
            text = _below(text, question)
        found.append(text.replace(form.YOUR_ANSWER, "").strip())
    return "\n\n".join(filter(None, found))


def _below(text, question):
    """Return the lines of a changed question that the question does not have."""
    known = {line.strip() for line in question.splitlines()}
    return "\n".join(line for line in text.splitlines() if line.strip() not in known)


class _Renamed(ast.NodeTransformer):
    """Name everything by the order in which it first stands."""

    def __init__(self):
        self.names = {}

    def _name(self, name):
        return self.names.setdefault(name, f"n{len(self.names)}")

    def visit_Name(self, node):
        return ast.Name(self._name(node.id), node.ctx)

    def visit_arg(self, node):
        return ast.arg(self._name(node.arg), None)

    def visit_FunctionDef(self, node):
        node.name, node.returns = self._name(node.name), None
        if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def shape(code):
    """Return what two answers have in common that differ in names, comments and blanks alone; "" of a short one."""
    try:
        tree = _Renamed().visit(ast.parse(code))
        dumped = ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return dumped if sum(1 for _ in ast.walk(tree)) >= 40 else ""
