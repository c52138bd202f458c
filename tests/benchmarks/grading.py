"""How long grading takes: python tests/benchmarks/grading.py [--students 30] [--jobs 2].

Makes submissions of all labs in a temporary folder: of the answers a half are right, a quarter are not written, and a
quarter are right but for one number or sign. Prints the time, and the states of all answers.
"""

import argparse
import ast
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from aelib.coursework.grading import grade as grading
from aelib.coursework.notebooks import form, release


class Slip(ast.NodeTransformer):
    """Change the first sign or number after the given place."""

    def __init__(self, place):
        self.left = place

    def visit(self, node):
        """Count down, and change one node."""
        if isinstance(node, ast.BinOp) or (isinstance(node, ast.Constant) and isinstance(node.value, (int, float))):
            self.left -= 1
            if self.left == 0 and isinstance(node, ast.Constant):
                return ast.Constant(node.value + 1)
            if self.left == 0:
                node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return self.generic_visit(node)


def main():
    """Make the submissions, grade them, print the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--each-in", default="none")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        sources = {lab: form.read(path) for lab, path in form.labs().items()}
        for number in range(given.students):
            (course / "submissions" / f"student {number}").mkdir(parents=True)
            for lab, source in sources.items():
                made = release.student(source)
                for task in form.tasks(source):
                    kind, solution = rng.choice(4), source["cells"][task.answer]["source"]
                    if task.kind == "Exercise" and kind:
                        tree = ast.parse(solution)
                        tree = Slip(int(rng.integers(1, 6))).visit(tree) if kind == 1 else tree
                        made["cells"][task.answer]["source"] = ast.unparse(ast.fix_missing_locations(tree))
                release.write(made, course / "submissions" / f"student {number}" / f"{lab}.ipynb")
        start, before = time.perf_counter(), os.times()
        rows = grading.grade(course / "submissions", course / "grades", "benchmark", given.jobs, each_in=given.each_in)
        seconds, after = time.perf_counter() - start, os.times()
        busy = sum(after[:4]) - sum(before[:4])
        print(
            f"{given.students} students, {len(sources)} labs, {len(rows)} answers, {given.jobs} jobs: {seconds:.0f} s, "
        )
        print(f"{busy:.0f} s of processors; {grading.summary(rows)}")


if __name__ == "__main__":
    main()
