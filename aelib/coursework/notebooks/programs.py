"""What of a student's notebook must be run before an answer can be examined, as a fresh "Run All" would have it.

The lab's own cells come from the source, whatever the student did to them; the student's own cells stand between them
where they stood. Of both only those statements are run that the answer needs.
"""

import ast
from dataclasses import dataclass
from functools import lru_cache

from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.cells import Unreadable, parsed, places_needed, python_of, statements_if_any


@dataclass(frozen=True)
class Piece:
    """A cell, and which of its statements are run.

    Attributes:
        source: of the cell.
        take: places of the statements.
        own: whether the student wrote it.
    """

    source: str
    take: tuple
    own: bool


@dataclass(frozen=True)
class Placed:
    """A code cell of the student's notebook and the lab's, merged.

    Attributes:
        key: its place; keys compare.
        source: of the cell.
        own: whether the student wrote it.
        stub: whether it is an answer as it was given out.
    """

    key: tuple
    source: str
    own: bool
    stub: bool = False


@lru_cache(4096)
def meaning(source):
    """Return what two code cells have in common that differ in comments and blanks alone."""
    try:
        return ast.dump(ast.Module(parsed(source), []))
    except (SyntaxError, Unreadable, RecursionError, MemoryError):
        return source.strip()


class Lab:
    """A source notebook, looked at once for all students."""

    def __init__(self, notebook):
        self.cells, self.tasks = notebook["cells"], form.tasks(notebook)
        self.answers = {task.answer: task for task in self.tasks}
        self.kept, self.given = {}, {}  # places of the lab's cells by what they say; of its stubs
        for place, cell in enumerate(self.cells):
            text, task = cell["source"], self.answers.get(place)
            if task is not None and task.kind == "Exercise":
                text = form.stub(text, task.names)
                self.given[place] = text
            elif task is not None:
                text = form.REGION.sub(form.YOUR_ANSWER, text)
            code = cell["cell_type"] == "code"
            self.kept.setdefault((code, meaning(text) if code else text.strip()), []).append(place)

    def merged(self, cells):
        """Return the code cells of a student's notebook and the lab's, in order, as a list of ``Placed``."""
        placed, seen, anchor = [], set(), -1
        for number, cell in enumerate(cells):
            code = cell["cell_type"] == "code"
            places = self.kept.get((code, meaning(cell["source"]) if code else cell["source"].strip()))
            if places:
                anchor = next((place for place in places if place > anchor), places[0])
                seen.add(anchor)
            elif code:
                placed.append(Placed((anchor, 1, number), cell["source"], True))
        for place, cell in enumerate(self.cells):
            if cell["cell_type"] != "code":
                continue
            if place in self.given:
                if place in seen:
                    placed.append(Placed((place, 0, 0), self.given[place], False, True))
            elif place in seen or form.examined(cell["source"]) is None:
                placed.append(Placed((place, 0, 0), cell["source"], False))
        return sorted(placed, key=lambda one: one.key)

    def programs(self, merged, task):
        """Return the programs to try for one answer, the likeliest first: lists of ``Piece``.

        First what stands when the student's own test is run; then what stands at the end of the notebook; then
        everything that the student wrote, for names that are bound in ways that cannot be seen.

        Args:
            merged: what ``merged`` returns.
            task: the exercise.
        """
        tests = [one.key for one in merged if (call := form.examined(one.source)) and call[0] == task.name]
        last = max(tests, default=None)
        own = [one.key for one in merged if one.own]
        found = []
        for end, everything in ((last, False), (max(own, default=None), False), (max(own, default=None), True)):
            if end is not None:
                pieces = self._pieces([one for one in merged if one.key <= end], task, everything)
                if pieces and pieces not in found:
                    found.append(pieces)
        return found

    def _pieces(self, merged, task, everything):
        names, rows = set(task.names), []
        for number, one in enumerate(merged):
            for statement in statements_if_any(one.source):
                if one.own or one.stub or not statement.binds & names:  # what the lab binds is no answer
                    rows.append((number, statement))
        stated = [statement for _, statement in rows]
        bound = {name for number, s in rows if merged[number].own or merged[number].stub for name in s.binds}
        hidden = any(s.star for number, s in rows if merged[number].own)
        if not (names <= bound or everything or hidden):
            return []
        taken = set(places_needed(stated, names))
        for place, (number, statement) in enumerate(rows):
            if merged[number].own and (everything or statement.star):
                taken |= {place, *places_needed(stated, statement.uses)}
        pieces = {}
        for place in sorted(taken):
            number, statement = rows[place]
            pieces.setdefault(number, []).append(statement.place)
        return [Piece(merged[number].source, tuple(take), merged[number].own) for number, take in pieces.items()]

    def broken(self, cells, task):
        """Return one line on a cell that seems to define the answer and is no Python, or ""."""
        for cell in reversed(cells):
            if cell["cell_type"] != "code" or not any(name in cell["source"] for name in task.names):
                continue
            try:
                parsed(cell["source"])
            except SyntaxError as error:
                return f"SyntaxError: {error.msg}, in line {error.lineno} of its cell"
            except Unreadable as error:
                return str(error)
        return ""

    def solution(self, task):
        """Return the program of the lab's own solution, with those of the exercises before it."""
        cells = [
            {"cell_type": cell["cell_type"], "source": cell["source"]} for cell in self.cells[: (task.test or 0) + 1]
        ]
        return self.programs(self.merged(cells), task)[0]


def answer_of(pieces, names):
    """Return the code of the student's statements in a program that bind one of the names."""
    found = []
    for piece in pieces:
        if piece.own:
            stated = statements_if_any(piece.source)
            found += [stated[place].code for place in piece.take if stated[place].binds & set(names)]
    return "\n".join(found)


def run(pieces, names):
    """Run a program in a namespace; a cell that raises ends there, as in a notebook, and the next one is run.

    Args:
        pieces: list of ``Piece``.
        names: the namespace, a dict.

    Returns:
        The last error raised, or None.
    """
    import asyncio
    import inspect
    import linecache

    raised = None
    for number, piece in enumerate(pieces):
        file, text = f"<cell {number}>", python_of(piece.source)
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        body = ast.parse(text).body
        try:
            for place in piece.take:
                code = compile(ast.Module([body[place]], []), file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                value = eval(code, names)
                if inspect.iscoroutine(value):
                    asyncio.run(value)
        except BaseException as error:  # whatever a student's cell may raise
            raised = error
    return raised
