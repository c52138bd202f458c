"""Labs in real JupyterLab in real Chromium: they run without an error, and every control changes the picture.

Those with each kind of widget (an Explorer, cards and the console, the latent explorer); all with AELIB_BROWSER=all, as
in CI. A screenshot of each is left in tests/artifacts/.
"""

import os

import pytest

from .conftest import ARTIFACTS, ROOT, run_all, settle, until

LABS = sorted(path.stem for path in (ROOT / "labs").glob("*.ipynb"))
if os.environ.get("AELIB_BROWSER") != "all":
    LABS = [lab for lab in LABS if lab.startswith(("01", "03", "05"))]


@pytest.mark.parametrize("lab", LABS)
def test_lab_runs_and_its_controls_change_the_picture(lab, page, server):
    run_all(page, server, f"labs/{lab}.ipynb")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{lab}.png")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator(".jp-Notebook .aelib-still").filter(visible=True).count() == 0  # no copy beside a widget
    explorers, cards = page.locator(".jp-Notebook .aelib-explorer"), page.locator(".jp-Notebook .aelib-card")
    source = (ROOT / "labs" / f"{lab}.ipynb").read_text(encoding="utf-8")
    assert explorers.count() >= ("Explorer(" in source.replace("LatentExplorer(", ""))
    assert cards.count() >= ("Card(" in source)
    for k in range(explorers.count()):
        _move_every_control(page, explorers.nth(k), ARTIFACTS / f"{lab}-{k + 1}.png")
    for k in range(cards.count()):
        _predict(page, cards.nth(k), ARTIFACTS / f"{lab}-card-{k + 1}.png")


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
    for group in explorer.locator(".widget-toggle-buttons").all():
        buttons = group.locator("button").all()
        pressed = [button.get_attribute("aria-pressed") == "true" for button in buttons].index(True)
        others = [button for k, button in enumerate(buttons) if k != pressed]
        for button in others + [buttons[pressed]] * (len(buttons) > 1):
            before = image.get_attribute("src")
            button.click()
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
    settle(page)
    explorer.screenshot(path=screenshot)


def _changed(page, image, before):
    until(page, lambda: image.get_attribute("src") != before, "a control moved, and another picture")


def _predict(page, card, screenshot):
    """Choose an answer: the verdict opens, unless another card of the claim has been answered before."""
    card.scroll_into_view_if_needed()
    if not card.locator("text=You predicted").count():
        assert card.bounding_box()["height"] <= 140
        card.locator("button", has_text="open").last.click()
    card.locator("text=You predicted").wait_for(timeout=30_000)
    settle(page)
    card.screenshot(path=screenshot)
