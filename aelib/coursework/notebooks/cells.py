"""Cells as IPython reads them, their statements, and what one answer needs of a notebook."""

import ast
import builtins
import re
import symtable
from dataclasses import dataclass
from functools import cache, lru_cache

TIMED = re.compile(r"\s*%%(time|timeit|capture|prun)\b[^\n]*")  # cell magics that run the cell as it stands


class Unreadable(ValueError):
    """A cell is no Python, or none that can be looked at."""


@dataclass(frozen=True)
class Statement:
    """One statement at the top level of a notebook.

    Attributes:
        code: its source, without comments.
        binds: the names that it binds.
        uses: the names from outside that it uses, now or when a function that it defines is called.
        changes: the names whose values it may change in place, as ``fit(model, X)`` changes ``model``.
        place: its place among the statements of its cell.
        defines: whether it is an import, a function or a class.
        star: whether it is an import of everything.
        replaces: the names that it binds whatever happens, so that what they were before is gone.
    """

    code: str
    binds: frozenset
    uses: frozenset
    changes: frozenset = frozenset()
    place: int = 0
    defines: bool = False
    star: bool = False
    replaces: frozenset = frozenset()


@cache
def _transformer():
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager()


def python_of(source):
    r"""Return a cell as the Python that IPython makes of it: magics, shell commands and ``name?`` are calls.

    >>> python_of("files = !ls\nx = (1\n     % 2)\n")
    "files = get_ipython().getoutput('ls')\nx = (1\n     % 2)\n"
    """
    if timed := TIMED.match(source):
        source = source[timed.end() :]
    return _transformer().transform_cell(source)


def parsed(source):
    """Return the statements of a cell as nodes of a syntax tree.

    Raises:
        SyntaxError: it is no Python.
        Unreadable: it is nested too deeply, or holds what the compiler refuses to read.
    """
    try:
        return ast.parse(python_of(source)).body
    except SyntaxError:
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None


@lru_cache(4096)
def _statements(source):
    found = []
    for place, node in enumerate(parsed(source)):
        try:
            code = ast.unparse(node)
            table = symtable.symtable(code, "cell", "exec")
        except (ValueError, RecursionError, MemoryError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from None
        symbols = table.get_symbols()
        binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        uses = {s.get_name() for s in symbols if s.is_referenced()}
        inner = table.get_children()
        while inner:
            scope = inner.pop()
            inner += scope.get_children()
            uses |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
        defines = isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
        if isinstance(node, ast.For):  # what it runs over is bound before it is used
            uses -= {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)} - {
                part.id for part in ast.walk(node.iter) if isinstance(part, ast.Name)
            }
        uses = frozenset(uses - set(dir(builtins)))
        found.append(
            Statement(
                code, frozenset(binds), uses, frozenset(_changed(node)), place, defines, star, _replaced(node, binds)
            )
        )
    return found


def statements(source):
    r"""Return the statements of a cell.

    Raises:
        SyntaxError: it is no Python.
        Unreadable: it is nested too deeply, or holds what the compiler refuses to read.

    >>> [(sorted(s.binds), sorted(s.uses)) for s in statements("def f(x):\n    return a * x\nb = f(2)")]
    [(['f'], ['a']), (['b'], ['f'])]
    """
    return list(_statements(source))


def statements_if_any(source):
    """Return the same; none of a cell that cannot be read, which IPython does not run either."""
    try:
        return statements(source)
    except (SyntaxError, Unreadable):
        return []


def _replaced(node, binds):
    """Return the names that a statement binds in every case."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return frozenset(binds)
    if not isinstance(node, ast.Assign):
        return frozenset()
    targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
    return frozenset(target.id for target in targets if isinstance(target, ast.Name))


LOOKING = ("check_", "examine", "picture", "print", "display", "hint")  # calls of such names change nothing


def _changed(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            call = part.value
            if isinstance(call.func, ast.Name) and call.func.id.startswith(LOOKING):
                continue
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            yield from (argument.id for argument in arguments if isinstance(argument, ast.Name))
            yield from _base(call.func)
        elif isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store):
            yield from _base(part)


def _base(node):
    below = node
    while isinstance(below, ast.Subscript | ast.Attribute):
        below = below.value
    if below is not node and isinstance(below, ast.Name):
        yield below.id


def needed(above, names):
    """Return those of the statements above that the names need, in their order.

    Args:
        above: list of ``Statement``.
        names: what is used.
    """
    return [above[i] for i in places_needed(above, names)]


def places_needed(above, names):
    """Return the places in the list of those that are needed.

    A binding that is replaced before anything that is needed uses the name is left out.
    """
    wanted, taken = set(names), set()
    fixed = {name for s in above if s.defines for name in s.binds}
    replaced = {}
    for place, statement in enumerate(above):
        for name in statement.replaces:
            replaced.setdefault(name, []).append(place)

    def alive(place, name):
        later = next((j for j in replaced.get(name, ()) if j > place), None)
        return later is None or any(place < k <= later and name in above[k].uses for k in taken)

    while True:
        more = [
            i
            for i, s in enumerate(above)
            if i not in taken and any(alive(i, name) for name in (s.binds & wanted) | (s.changes & (wanted - fixed)))
        ]
        if not more:
            return sorted(taken)
        taken.update(more)
        wanted.update(*(above[i].uses for i in more))
