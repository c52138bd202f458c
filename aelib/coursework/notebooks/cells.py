"""What one answer needs of its lab: the statements above it that bind the names it uses, and those that these need."""

import ast
import builtins
import contextlib
import symtable
from dataclasses import dataclass

from aelib.coursework.notebooks.form import BEGIN


@dataclass(frozen=True)
class Statement:
    """One statement at the top level of a notebook.

    Attributes:
        code: its source.
        binds: the names that it binds.
        uses: the names from outside that it uses, now or when a function that it defines is called.
        changes: the names whose values it may change in place, as ``fit(model, X)`` changes ``model``.
    """

    code: str
    binds: frozenset
    uses: frozenset
    changes: frozenset = frozenset()


def plain(source):
    """Return a cell's source without IPython's magics and shell commands."""
    lines = source.split("\n")
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


def statements(source):
    r"""Return the statements of a cell.

    Raises:
        SyntaxError: it is no Python.

    >>> [(sorted(s.binds), sorted(s.uses)) for s in statements("def f(x):\n    return a * x\nb = f(2)")]
    [(['f'], ['a']), (['b'], ['f'])]
    """
    source = plain(source)
    found = []
    for node in ast.parse(source).body:
        code = ast.unparse(node)
        table = symtable.symtable(code, "cell", "exec")
        symbols = table.get_symbols()
        binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        uses = {s.get_name() for s in symbols if s.is_referenced()}
        inner = table.get_children()
        while inner:
            scope = inner.pop()
            inner += scope.get_children()
            uses |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
        found.append(Statement(code, frozenset(binds), frozenset(uses - set(dir(builtins))), frozenset(_changed(node))))
    return found


def _changed(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            call = part.value
            if isinstance(call.func, ast.Name) and call.func.id.startswith(("check_", "examine", "picture", "print")):
                continue  # these only look
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            yield from (argument.id for argument in arguments if isinstance(argument, ast.Name))
            yield from _base(call.func)
        elif isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, ast.Store):
            yield from _base(part)


def _base(node):
    below = node
    while isinstance(below, (ast.Subscript, ast.Attribute)):
        below = below.value
    if below is not node and isinstance(below, ast.Name):
        yield below.id


def needed(above, names):
    """Return those of the statements above that the names need, in their order.

    Args:
        above: list of ``Statement``.
        names: what is used.
    """
    wanted, taken = set(names), set()
    fixed = {name for s in above if s.code.startswith(("import ", "from ", "def ", "class ", "@")) for name in s.binds}
    while True:
        more = [i for i, s in enumerate(above) if i not in taken and (s.binds & wanted or s.changes & (wanted - fixed))]
        if not more:
            return [above[i] for i in sorted(taken)]
        taken.update(more)
        wanted.update(*(above[i].uses for i in more))


def program(notebook, task, answer=None, helpers=(), own_passes=False):
    """Return the code to run before an answer can be examined: (the lab's statements, the student's), in order.

    Args:
        notebook: the source of the lab.
        task: an ``aelib.coursework.notebooks.form.Task`` of it.
        answer: source of the cell that holds the answer; by default the solution.
        helpers: sources of cells of the student's own, for names that the lab does not define.
        own_passes: take the answers to earlier exercises from ``helpers``, in place of the lab's solutions.

    Raises:
        SyntaxError: the answer is no Python.
    """
    answer = notebook["cells"][task.answer]["source"] if answer is None else answer
    own, above = statements(answer), []
    for cell in notebook["cells"][: task.answer]:
        solved = BEGIN in cell["source"]
        if cell["cell_type"] == "code" and not cell["source"].startswith("examine(") and not (solved and own_passes):
            above += statements(cell["source"])
    known = set().union(*(s.binds for s in above))
    theirs = []
    for source in helpers:
        with contextlib.suppress(SyntaxError):  # some other cell's fault
            theirs += [s for s in statements(source) if s.binds and not s.binds & known]
    names = set().union(*(s.uses for s in own))
    taken = needed(above + theirs, names)
    known = {id(s) for s in theirs}
    return [s.code for s in taken if id(s) not in known], [s.code for s in taken if id(s) in known] + [plain(answer)]
