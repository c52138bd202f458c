"""What ``examine`` says in a notebook, grading says, word for word, whatever stands around the answer."""

import os

import clothes
import pytest

NAMES = list(clothes.TASKS)
ALL = os.environ.get("AELIB_CLOTHES") == "all"  # every answer in all clothes: some minutes


@pytest.fixture(scope="module")
def shell():
    return clothes.a_shell()


@pytest.mark.parametrize("name", NAMES)
def test_notebook_and_grading_say_the_same(name, shell, capsys):
    """Each listed answer in one kind of clothes, the next in the next; the first right one in all."""
    listed = [answer for answer in clothes.everything() if answer[0] == name]
    assert listed
    slow = name == "zoo_checks"
    found, first = [], NAMES.index(name)
    for number, (_, state, kind) in enumerate(listed):
        worn = [clothes.KINDS[(first + number) % len(clothes.KINDS)]]
        if ALL or (number == 0 and not slow):
            worn = clothes.KINDS
        found += [clothes.differences(shell, name, state, kind, each) for each in worn]
    assert [difference for difference in found if difference] == []


def test_a_cell_that_does_not_parse_is_told_from_the_version_before_it(shell, capsys):
    """In a session an older definition still stands when the cell that was to replace it is no Python."""
    shell.reset(new_session=False)
    for source in (
        "from aelib.coursework import examine",
        "def count_hvp(sizes, n):\n    return 0",
        "def count_hvp(sizes, n):\n    return 0 +",
    ):
        shell.run_cell(source, store_history=True)
    capsys.readouterr()
    shell.run_cell('examine("count_hvp", count_hvp)', store_history=True)
    assert "SyntaxError: invalid syntax, in line 2 of its cell" in capsys.readouterr().out
    shell.run_cell("def count_hvp(sizes, n):\n    return 0 + 0", store_history=True)
    shell.run_cell('examine("count_hvp", count_hvp)', store_history=True)
    assert "0 where" in capsys.readouterr().out
