"""What the tests of the exercises share: listed answers, and what may not be given away."""

import ast
import importlib
import inspect
import itertools
import pkgutil

import answers
import numpy as np

import aelib
from aelib.coursework.judge import judge
from aelib.coursework.notebooks import form
from aelib.coursework.notebooks.cells import needed, python_of, statements
from aelib.coursework.notebooks.programs import run

NUMBERS = (np.ndarray, np.generic, int, float)
SEEDS = ("practice", 1, "course 2027")
EMPTY = {
    "None": lambda *a, **k: None,
    "0": lambda *a, **k: 0,
    "1.0": lambda *a, **k: 1.0,
    "()": lambda *a, **k: (),
    "an empty array": lambda *a, **k: np.zeros(0),
    "the first argument": lambda *a, **k: a[0] if a else None,
    "the last argument": lambda *a, **k: a[-1] if a else None,
    "zeros": lambda *a, **k: np.zeros_like(a[-1]) if a else None,
    "no function": None,
    "a word": "right",
}
MODULES = [importlib.import_module(f"answers.{module.name}") for module in pkgutil.iter_modules(answers.__path__)]
RIGHT, WRONG = (
    {name: by for module in MODULES for name, by in getattr(module, which, {}).items()} for which in ("RIGHT", "WRONG")
)


def module_of(name):
    """Return the module of tests/answers that lists the answers to an exercise."""
    return next(module.__name__ for module in MODULES if name in module.RIGHT)


def obtained(pieces, examined):
    """Return the value of an expression once a program has run here; None where it cannot be made."""
    names = {"__name__": "__main__"}
    run(pieces, names)
    try:
        return eval(examined, names)
    except NameError:
        return None


def unwritten(*args, **kwargs):
    """Do what a stub does."""
    raise NotImplementedError("not written yet")


def accepted(exercise, wrong):
    """Yield the listed wrong answers, and those that do nothing, that are not found wrong."""
    if len(wrong) < 5:
        yield f"it lists {len(wrong)} wrong answers: five are due"
    for kind, answer in (wrong | {f"returns {kind}": answer for kind, answer in EMPTY.items()}).items():
        outcome = judge(exercise.name, answer, seed=kind)
        if outcome.state not in ("wrong", "crash", "in part") or not outcome.reason:
            yield f"the wrong answer {kind!r} is {outcome.state}"
        elif "\n" in outcome.reason or len(outcome.text.splitlines()) > 6:
            yield f"what is said of the wrong answer {kind!r} takes more than six lines"
    if judge(exercise.name, ...).state != "not written" or judge(exercise.name, unwritten).state != "not written":
        yield "a stub is not found to be not written"


def refused(exercise, right):
    """Yield the listed right answers that are not found right, and those that pass by repeating what they returned."""
    for kind, answer in right.items():
        for seed in SEEDS:
            outcome = judge(exercise.name, answer, seed)
            if outcome.state != "right":
                yield f"the right answer {kind!r} is {outcome.state} under seed {seed!r}: {outcome.reason}"
    functions = [answer for answer in right.values() if callable(answer) and not isinstance(answer, type)]
    if not functions:
        return
    kept = []

    def recorder(*a, **k):
        kept.append(functions[0](*a, **k))
        return kept[-1]

    judge(exercise.name, recorder, 1)
    for constants in (itertools.repeat(kept[0]), itertools.repeat(kept[-1]), iter(kept)):
        if judge(exercise.name, lambda *a, c=constants, **k: next(c), 2).state not in ("wrong", "crash"):
            yield "an answer passes that returns what it returned under another seed"


def spoilt(answer):
    """Return a function that zeroes the arrays among its arguments and returns zeros, in the form of an answer."""

    def changing(*args, **kwargs):
        value = answer(*args, **kwargs)
        for given in (*args, *kwargs.values()):
            for array in given if isinstance(given, list) else [given]:
                if isinstance(array, np.ndarray):
                    array[...] = 0
        if isinstance(value, (tuple, list)):
            return type(value)(0 * part if isinstance(part, NUMBERS) else part for part in value)
        return 0 * value if isinstance(value, NUMBERS) else value

    return changing


def given_by_the_package():
    """Yield (dotted name, itself) of each function and class that the package defines."""
    for info in pkgutil.walk_packages(aelib.__path__, "aelib."):
        if info.name.endswith("__main__") or ".exercises." in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == info.name:
                yield f"{info.name}.{name}", value


def given_by_the_labs(labs):
    """Yield (lab and name, the functions and classes themselves) of all that the student edition defines."""
    for lab, each in labs.items():
        above = []
        for place, cell in enumerate(each.cells):
            if cell["cell_type"] != "code":
                continue
            for statement in statements(each.given.get(place, cell["source"])):
                if statement.defines or not statement.uses:
                    above.append(statement)
                if statement.defines and statement.code.startswith(("def ", "class ", "@")):
                    for name in statement.binds:
                        names = {"__name__": "__main__"}
                        try:
                            for part in needed(above, {name}):
                                exec(compile(part.code, lab, "exec"), names)
                        except Exception:  # it cannot be made without what takes long, or without a student's answer
                            continue
                        yield f"{name} of {lab}", names[name]


def first_call(exercise):
    """Return how a test first calls its answer, (number of arguments, names of keywords), or None if it does not."""
    seen = []

    def probe(*args, **kwargs):
        seen.append((len(args), list(kwargs)))
        raise RuntimeError

    judge(exercise.name, probe, 1)
    return seen[0] if seen else None


def takes(value, call):
    """Return whether a function or class can be called so."""
    try:
        inspect.signature(value).bind(*range(call[0]), **dict.fromkeys(call[1]))
    except TypeError:
        return False
    except ValueError:  # it does not tell
        return True
    return True


def leaks(given, wanted):
    """Yield what of the things given is an answer to one of the exercises, found by trying it."""
    calls = {exercise.name: first_call(exercise) for exercise in wanted}
    for what, value in given:
        for exercise in wanted:
            call = calls[exercise.name]
            if what in exercise.own or (call and not takes(value, call)):
                continue
            if judge(exercise.name, value, 1).state == "right":
                yield f"{exercise.name}: {what} is an answer"


def told(exercise, notebook):
    """Yield the expressions of a solution that stand in the words of its test, its hints or its task."""
    (task,) = [task for task in form.tasks(notebook) if task.name == exercise.name]
    tree = ast.parse(inspect.getsource(inspect.getmodule(exercise.test)))
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words.append(notebook["cells"][max(task.answer - 1, 0)]["source"])
    whole = notebook["cells"][task.answer]["source"]
    given = form.stub(whole, task.names)
    solution, skeleton = (_expressions(python_of(source)) for source in (whole, given))
    text = "\n".join("".join(word.split()) for word in words)
    for expression in sorted(solution - skeleton):
        if "".join(expression.split()) in text:
            yield f"{exercise.name}: its task, test or hint says {expression!r}, which stands in the solution"


def _expressions(source):
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.BinOp, ast.Call, ast.Compare))]
    texts = {ast.unparse(node) for node in nodes}
    return {text for text in texts if len("".join(text.split())) >= 16}  # shorter ones say how an argument is read
