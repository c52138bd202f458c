"""Every lab in real JupyterLab in real Chromium: it runs without an error, and every control changes the picture.

A screenshot of each lab is left in tests/artifacts/.
"""

import pytest

from .conftest import ARTIFACTS, ROOT, run_all

LABS = sorted(path.stem for path in (ROOT / "labs").glob("*.ipynb"))


@pytest.mark.parametrize("lab", LABS)
def test_lab_runs_and_its_controls_change_the_picture(lab, page, server):
    run_all(page, server, f"labs/{lab}.ipynb")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{lab}.png")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    explorers = page.locator(".jp-Notebook .aelib-explorer")
    source = (ROOT / "labs" / f"{lab}.ipynb").read_text(encoding="utf-8")
    assert explorers.count() >= sum(source.count(f"{name}(") > 0 for name in ("Explorer", "Card"))
    for k in range(explorers.count()):
        _move_every_control(page, explorers.nth(k), ARTIFACTS / f"{lab}-{k + 1}.png")


def _move_every_control(page, explorer, screenshot):
    """Choose every option of every menu, then send every slider to both ends, each from where the others began."""
    explorer.scroll_into_view_if_needed()
    image = explorer.locator("img").first
    for menu in explorer.locator("select").all():
        first = menu.input_value()
        values = menu.locator("option").evaluate_all("options => options.map(o => o.value)")
        for value in [value for value in values if value != first] + [first] * (len(values) > 1):
            before = image.get_attribute("src")
            menu.select_option(value)
            _changed(page, image, before)
    for slider in explorer.locator(".noUi-handle").all():
        for key, end in (("Home", "aria-valuemin"), ("End", "aria-valuemax")):
            if float(slider.get_attribute("aria-valuenow")) == float(slider.get_attribute(end)):
                continue
            before = image.get_attribute("src")
            slider.focus()
            page.keyboard.press(key)
            _changed(page, image, before)
    assert explorer.locator("text=Error").count() == 0
    explorer.screenshot(path=screenshot)


def _changed(page, image, before):
    for _ in range(300):
        page.wait_for_timeout(100)
        if image.get_attribute("src") != before:
            return
    pytest.fail("the control moved, but the picture did not change within 30 s")
