"""The start page in real JupyterLab: what moves, and how soon after Run All Cells."""

import re
import time

from .conftest import ARTIFACTS, open_notebook, start_all, until

SCREEN = 647  # pixels of a notebook that are seen at 1366 x 768


def test_a_net_learns_ten_seconds_after_run_all_and_obeys_the_sliders(page, server):
    page.set_viewport_size({"width": 1366, "height": 768})
    open_notebook(page, server, "labs/00_start_here.ipynb")
    start_all(page)
    begin = time.monotonic()
    status = page.locator(".jp-Notebook .aelib-console progress").locator("xpath=..")
    updates = lambda: int(re.search(r"(\d+) of", status.inner_text())[1])  # noqa: E731
    status.wait_for(timeout=60_000)
    until(page, lambda: updates() >= 2, "the net learns")
    took = time.monotonic() - begin
    step = page.locator(".aelib-step .noUi-handle")
    step.focus()
    page.keyboard.press("ArrowRight")
    until(page, lambda: "step 0.005" in status.inner_text(), "the new step is in force")
    console = page.locator(".jp-Notebook .aelib-console")
    assert console.bounding_box()["height"] <= SCREEN
    image = console.locator("img")
    before = image.get_attribute("src")
    until(page, lambda: image.get_attribute("src") != before, "the picture moves")
    ARTIFACTS.mkdir(exist_ok=True)
    console.evaluate("console => console.scrollIntoView()")
    page.screenshot(path=ARTIFACTS / "start.png")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert took < 10, f"it took {took:.1f} s"
