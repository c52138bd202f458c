"""Are the exercises sound? Right answers pass, wrong ones fail, and nothing that a student is given is an answer."""

import ast
import importlib
import inspect
import itertools
import pkgutil
import sys
from pathlib import Path

import numpy as np

import aelib
from aelib.coursework.exercises import exercises
from aelib.coursework.grading.answers import Answer
from aelib.coursework.judge import judge
from aelib.coursework.notebooks import cells as slices
from aelib.coursework.notebooks import form as notebooks
from aelib.coursework.notebooks import release

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


def listed():
    """Return the right and the wrong answers that tests/answers lists: two dicts, by exercise and kind.

    Raises:
        FileNotFoundError: the package was installed without its tests.
    """
    tests = Path(__file__).resolve().parents[2] / "tests"
    if not (tests / "answers").is_dir():
        raise FileNotFoundError(
            f"no answers in {tests}: this command needs the whole repository; run it from a checkout"
        )
    if str(tests) not in sys.path:
        sys.path.insert(0, str(tests))
    package = importlib.import_module("answers")
    modules = [importlib.import_module(f"answers.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return [{name: by for m in modules for name, by in getattr(m, which, {}).items()} for which in ("RIGHT", "WRONG")]


def solved(exercise, notebook):
    """Yield what is wrong with an exercise's solution, run in a process of its own."""
    found = [task for task in notebooks.tasks(notebook) if task.name == exercise.name]
    if len(found) != 1:
        yield f"it stands {len(found)} times in {exercise.lab}"
        return
    for seed in SEEDS:
        with Answer(*slices.program(notebook, found[0]), found[0].examined, exercise.seconds) as answer:
            verdict = judge(exercise.name, answer, seed)
        if verdict.state != "right":
            yield f"its solution is {verdict.state} under seed {seed!r}: {verdict.reason}"


def accepted(exercise, wrong):
    """Yield the listed wrong answers, and those that do nothing, that are not found wrong."""
    if len(wrong) < 5:
        yield f"it lists {len(wrong)} wrong answers: five are due"
    for kind, answer in (wrong | {f"returns {kind}": answer for kind, answer in EMPTY.items()}).items():
        verdict = judge(exercise.name, answer, seed=kind)
        if verdict.state not in ("wrong", "crash") or not verdict.reason:
            yield f"the wrong answer {kind!r} is {verdict.state}"
        elif "\n" in verdict.reason or len(verdict.text.splitlines()) > 6:
            yield f"what is said of the wrong answer {kind!r} takes more than six lines"
    if judge(exercise.name, ...).state != "not written" or judge(exercise.name, unwritten).state != "not written":
        yield "a stub is not found to be not written"


def unwritten(*args, **kwargs):
    """Do what a stub does."""
    raise NotImplementedError("not written yet")


def refused(exercise, right):
    """Yield the listed right answers that are not found right, and those that pass by repeating what they returned."""
    for kind, answer in right.items():
        for seed in SEEDS:
            verdict = judge(exercise.name, answer, seed)
            if verdict.state != "right":
                yield f"the right answer {kind!r} is {verdict.state} under seed {seed!r}: {verdict.reason}"
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


def given_by_the_package():
    """Yield (dotted name, code that imports it, name, itself) of each function and class that the package defines."""
    for info in pkgutil.walk_packages(aelib.__path__, "aelib."):
        if info.name.endswith("__main__") or ".exercises." in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == info.name:
                yield f"{info.name}.{name}", [f"from {info.name} import {name}"], name, value


def given_by_the_labs(sources):
    """Yield (lab and name, the code that makes it, name, an empty twin) of all that the student edition defines.

    They are made without the labs' data: an answer must do with the inputs that a test draws.
    """
    for lab, notebook in sources.items():
        above = []
        for cell in release.student(notebook)["cells"]:
            if cell["cell_type"] != "code" or cell["source"].startswith("examine("):
                continue
            for statement in slices.statements(cell["source"]):
                defines = statement.code.startswith(("def ", "class ", "@"))
                if defines or not statement.uses:
                    above.append(statement)
                if defines and "not written yet" not in statement.code:
                    for name in statement.binds:
                        code = [s.code for s in slices.needed(above, {name})]
                        yield f"{name} of {lab}", code, name, _called_alike(statement.code)


def _called_alike(code):
    """Return an empty function with the arguments of the one that a statement defines, None for a class."""
    (node,) = ast.parse(code).body
    if not isinstance(node, ast.FunctionDef):
        return None
    node.args.defaults = [ast.Constant(None)] * len(node.args.defaults)
    node.args.kw_defaults = [default and ast.Constant(None) for default in node.args.kw_defaults]
    empty = ast.FunctionDef("empty", node.args, [ast.Pass()], [], None, None, type_params=[])
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    names = {}
    exec(compile(ast.fix_missing_locations(ast.Module([empty], [])), "empty", "exec"), names)
    return names["empty"]


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


def leaks(given, wanted, seconds=20):
    """Yield what of the things given is an answer to one of the exercises, found by trying it.

    Args:
        given: as the two functions above yield it.
        wanted: list of ``Exercise``.
        seconds: limit of time for one of them, with all exercises.
    """
    calls = {exercise.name: first_call(exercise) for exercise in wanted}
    everything = wanted
    for what, code, name, like in given:
        wanted = [e for e in everything if like is None or not calls[e.name] or takes(like, calls[e.name])]
        if not wanted:
            continue
        with Answer(code, [], name, seconds) as answer:
            try:
                value = answer.obtain()
            except Exception:  # it cannot be made without what takes long, or without a student's answer
                continue
            for exercise in wanted:
                if what not in exercise.own and judge(exercise.name, value, 1).state == "right":
                    yield f"{exercise.name}: {what} is an answer"


def told(exercise, notebook):
    """Yield the expressions of a solution that stand in the words of its test or its task."""
    (task,) = [task for task in notebooks.tasks(notebook) if task.name == exercise.name]
    tree = ast.parse(inspect.getsource(inspect.getmodule(exercise.test)))
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    below = 0 if task.answer == 0 else task.answer - 1
    words.append(notebook["cells"][below]["source"])
    whole = notebook["cells"][task.answer]["source"]
    given = slices.plain(notebooks.stub(whole, task.names))
    solution, skeleton = (_expressions(slices.plain(source)) for source in (whole, given))
    text = "\n".join("".join(word.split()) for word in words)
    for expression in sorted(solution - skeleton):
        if "".join(expression.split()) in text:
            yield f"{exercise.name}: its task or test says {expression!r}, which stands in the solution"


def _expressions(source):
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.BinOp, ast.Call, ast.Compare))]
    texts = {ast.unparse(node) for node in nodes}
    return {text for text in texts if len("".join(text.split())) >= 12}


def audit(names=(), labs=None):
    """Return a list of what is wrong with the exercises, one line each.

    Args:
        names: of the exercises; all by default.
        labs: the source notebooks, by lab, of the exercises to look at; all by default.

    Raises:
        FileNotFoundError: the package stands alone, without labs and tests.
        ValueError: there is no such exercise.
    """
    from tqdm.auto import tqdm

    sources = labs or {lab: notebooks.read(path) for lab, path in notebooks.labs().items()}
    right, wrong = listed()
    if unknown := set(names) - set(exercises()):
        raise ValueError(f"no exercise is called {', '.join(sorted(unknown))}; there are: {', '.join(exercises())}")
    wanted = [e for e in exercises().values() if e.lab in sources and (not names or e.name in names)]
    found = []
    for exercise in tqdm(wanted, unit="exercise", disable=None):
        notebook = sources[exercise.lab]
        for check in (
            solved(exercise, notebook),
            accepted(exercise, wrong.get(exercise.name, {})),
            refused(exercise, right.get(exercise.name, {})),
        ):
            found += [f"{exercise.name}: {problem}" for problem in check]
        found += told(exercise, notebook)
    given = [*given_by_the_package(), *given_by_the_labs(sources)]
    found += leaks(tqdm(given, unit="function", disable=None), wanted)
    return found
