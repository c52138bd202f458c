"""By keyboard alone: Tab goes through every kind of control, keys move them, and no key changes the notebook."""

import pytest

from . import toys
from .conftest import ARTIFACTS, run_all, settle, until

FOCUS = """() => {
    const e = document.activeElement;
    const root = e.closest('.aelib-live');
    return root && {kind: root.className.match(/aelib-(explorer|card|console|latent)/)[1], tag: e.tagName,
        role: e.getAttribute('role'), name: e.getAttribute('aria-label') || e.textContent.trim() || e.title
            || (e.id && document.querySelector(`label[for="${e.id}"]`)?.textContent) || '',
        value: e.getAttribute('aria-valuetext')};
}"""
CELLS = "cells => cells.map(cell => cell.querySelector('.cm-content').textContent)"
KEYS = (
    "a",
    "b",
    "x",
    "Space",
    "Enter",
    "ArrowDown",
    "ArrowUp",
    "ArrowLeft",
    "ArrowRight",
    "d",
    "d",
    "m",
    "Home",
    "End",
)


@pytest.fixture(scope="module")
def notebook(page, server, home):
    toys.write(home / "keys.ipynb")
    run_all(page, server, "keys.ipynb")
    page.locator(".aelib-card").wait_for()
    settle(page)
    return page.locator(".jp-Notebook")


def test_each_control_is_reached_by_tab_and_keeps_its_keys(page, notebook):
    cells = notebook.locator(".jp-CodeCell").evaluate_all(CELLS)
    met = []
    for kind in toys.CELLS:
        page.locator(f".aelib-{kind} :is(.noUi-handle, button, select, input, summary, canvas)").first.focus()
        while (found := page.evaluate(FOCUS)) and found["kind"] == kind:
            assert len(met) < 80, [each["name"] for each in met]  # Tab goes round and round
            assert found["role"] == "textbox" or found["name"], found
            if found["role"] == "slider":
                assert found["value"], found
            met.append(found | {"element": page.evaluate_handle("document.activeElement")})
            page.keyboard.press("Tab")
    assert {found["kind"] for found in met} == set(toys.CELLS)
    names = {found["name"] for found in met}
    wanted = {"frequency", "step", "sine", "holds", "holds in part", "does not hold", "open", "in Russian", "784-2"}
    assert wanted <= names, names
    for found in met:
        if found["role"] == "textbox":
            continue  # there keys are text
        element = found["element"]
        if not element.evaluate("e => e.isConnected"):  # an answer of the kernel has made it anew
            parts = page.locator(f".aelib-{found['kind']} button", has_text=found["name"])
            element = parts.first.element_handle()
        if element.evaluate("e => e.disabled"):
            continue  # Pause, while nothing runs
        element.evaluate("e => e.focus()")
        for key in KEYS:
            page.keyboard.press(key)
        now = page.evaluate(FOCUS)
        assert now and now["kind"] == found["kind"], (found["name"], now)
        assert notebook.locator(".jp-CodeCell").evaluate_all(CELLS) == cells, found
        assert notebook.locator(".jp-mod-selected.jp-MarkdownCell, .jp-RawCell").count() == 0
    page.screenshot(path=ARTIFACTS / "keyboard.png")


def test_the_focus_stays_with_the_buttons_that_python_sets(page, notebook):
    """A card takes its first answer only, and sets its buttons back; ipywidgets makes them anew then."""
    buttons = page.locator(".aelib-card .widget-toggle-buttons button")
    buttons.first.click()
    page.locator(".aelib-card").get_by_text("You predicted").wait_for()
    first = [button.get_attribute("aria-pressed") for button in buttons.all()].index("true")
    other = 1 - min(first, 1)
    old = buttons.nth(other).element_handle()
    buttons.nth(other).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("e => !e.isConnected", arg=old)
    assert page.evaluate(FOCUS)["name"] == ("holds", "holds in part")[other]
    page.locator(".aelib-card b").first.click()  # elsewhere: nothing takes the focus back from there
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["name"] == "in Russian"


def test_a_slider_says_its_value_and_not_an_index(page, notebook):
    handle = page.locator(".aelib-explorer .noUi-handle").nth(1)
    assert handle.get_attribute("aria-label") == "step"
    handle.focus()
    for key, value in (("Home", "0.001"), ("ArrowRight", "0.01")):
        page.keyboard.press(key)
        until(page, lambda value=value: handle.get_attribute("aria-valuetext") == value, f"the slider says {value}")


def test_arrows_choose_among_buttons(page, notebook):
    buttons = page.locator(".aelib-explorer .widget-toggle-buttons button")
    pressed = lambda: [button.get_attribute("aria-pressed") for button in buttons.all()]  # noqa: E731
    buttons.first.click()
    until(page, lambda: pressed() == ["true", "false"], "the first is pressed")
    page.keyboard.press("ArrowRight")
    until(page, lambda: pressed() == ["false", "true"], "the second is pressed")
    assert page.evaluate(FOCUS)["name"] == "cosine"


def test_shortcuts_with_control_still_work(page, notebook):
    """Ctrl+S saves, from a control too."""
    page.locator(".aelib-explorer .noUi-handle").first.focus()
    page.keyboard.press("Control+s")
    page.wait_for_selector(".jp-Document:not(.jp-mod-dirty)", state="attached")
    page.wait_for_function(
        "() => !document.querySelector('.lm-TabBar-tab.lm-mod-current.jp-mod-dirty')", timeout=10_000
    )
