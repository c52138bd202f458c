"""A student at work in JupyterLab: not written, wrong with the finding alone, right; then the table in the shell."""

import os
import subprocess
import sys

from aelib.coursework.notebooks import form, release

from .conftest import ARTIFACTS, ROOT, run_all, until

WRONG = "    return math.floor(math.log(smallest_normal / moment) / math.log(beta1))"
RIGHT = WRONG.replace("floor", "ceil")


def test_an_answer_is_written(page, server, home):
    """Screenshots of each stage are left in tests/artifacts/."""
    source = form.read(form.labs()["A_what_a_step_costs"])
    (task,) = [task for task in form.tasks(source) if task.name == "updates_until_subnormal"]
    made = release.student(source)
    setup = made["cells"][task.answer] | {
        "id": "setup",
        "source": "import math\n\nfrom aelib.coursework import examine, hint",
    }
    made["cells"] = [setup, *made["cells"][task.answer - 1 : task.test + 1]]
    (home / "course").mkdir(exist_ok=True)
    (home / "course" / "pytest.ini").write_text(release.SETTINGS, encoding="utf-8")
    path = home / "course" / "lab.ipynb"
    release.write(made, path)
    ARTIFACTS.mkdir(exist_ok=True)

    run_all(page, server, "course/lab.ipynb")
    answer, test = page.locator(".jp-Notebook .jp-CodeCell").nth(1), page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    output = test.locator(".jp-Cell-outputArea")
    assert "not written yet" in output.inner_text() and test.locator("[data-mime-type*='error']").count() == 0
    page.screenshot(path=ARTIFACTS / "coursework-1-not-written.png")

    for stage, body, word in ((2, WRONG, "still a normal number"), (3, RIGHT, "right, 1 point")):
        answer.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text("def updates_until_subnormal(moment, smallest_normal, beta1=0.9):\n" + body)
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+Enter")
        output.locator(f"text={word}").wait_for(timeout=60_000)
        page.screenshot(path=ARTIFACTS / f"coursework-{stage}.png")
        if stage == 2:
            text = output.inner_text().strip().splitlines()
            assert len(text) <= 6 and not any("Traceback" in line or "File" in line for line in text), text
    page.keyboard.press("Control+s")
    until(page, lambda: "math.ceil" in path.read_text(encoding="utf-8"), "the saved answer")
    command = [sys.executable, "-m", "pytest", "-n", "0", "course/lab.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0 and "1 of 1   right" in done.stdout, done.stdout
