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
