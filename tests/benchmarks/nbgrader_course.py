"""The labs through nbgrader instead: python tests/benchmarks/nbgrader_course.py [labs/NN_name.ipynb ...].

Needs ``pip install "nbgrader>=0.9,<0.10"``. In a temporary course it makes the student edition
(``generate_assignment``), hands it in twice, as it is and with the solutions, grades both (``autograde``), and prints
what came of it.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

LABS = Path(__file__).resolve().parents[2] / "labs"
CONFIG = "c = get_config()\nc.CourseDirectory.course_id = 'labs'\nc.ExecutePreprocessor.timeout = 300\n"


def nbgrader(folder, *arguments):
    """Run one of nbgrader's commands in a course; return what it printed."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it calls alembic by name
    environment = os.environ | {"PATH": here}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"nbgrader {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stderr


def outputs(path):
    """Return the number of stored outputs of a notebook."""
    return sum(len(cell.get("outputs", ())) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


def main(paths):
    """Try the notebooks, one assignment each."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        for path in paths:
            lab = path.stem
            (course / "source" / lab).mkdir(parents=True)
            shutil.copy(path, course / "source" / lab)
            nbgrader(course, "generate_assignment", lab)
            for student, origin in (("nothing", course / "release" / lab), ("solutions", path.parent)):
                (course / "submitted" / student / lab).mkdir(parents=True)
                shutil.copy(origin / path.name, course / "submitted" / student / lab)
            nbgrader(course, "autograde", lab)
            kept, stored = outputs(course / "release" / lab / path.name), outputs(path)
            print(f"{lab}: of {stored} stored outputs {kept} are released")
        with sqlite3.connect(course / "gradebook.db") as book:
            rows = book.execute(
                "SELECT submitted_assignment.student_id, assignment.name,"
                " sum(grade.auto_score), sum(grade_cells.max_score)"
                " FROM grade JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id"
                " JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id"
                " JOIN assignment ON submitted_assignment.assignment_id = assignment.id"
                " JOIN grade_cells ON grade.cell_id = grade_cells.id"
                " GROUP BY 1, 2"
            ).fetchall()
        for student, lab, score, most in rows:
            print(f"{lab}, {student} handed in: {score or 0:g} of {most:g} points (written answers count 0 until read)")


if __name__ == "__main__":
    main([Path(name).resolve() for name in sys.argv[1:]] or sorted(LABS.glob("*.ipynb")))
