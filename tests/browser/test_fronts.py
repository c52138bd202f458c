"""Each kind of widget in every theme and front: text can be read, controls move, nothing is scaled; a screenshot each.

JupyterLab light and dark, Notebook 7, Voila (the last two where they are installed), 1366 and 1024 pixels wide.
"""

import json

import pytest

from . import toys
from .conftest import ARTIFACTS, run_all, settle, start_all, until

# The contrast of each text with the ground behind it, by computed colours; below 4.5 it is returned with its text.
FAINT = """root => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    const rgba = colour => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const light = colour => rgba(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
    const ground = node => {
        for (; node; node = node.parentElement) {
            const colour = getComputedStyle(node).backgroundColor;
            if (rgba(colour)[3] > 250) return colour;
        }
        return 'white';
    };
    const faint = [];
    for (const node of root.querySelectorAll('*')) {
        const own = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join(' ').trim();
        if (!own || !node.getClientRects().length || node.closest('style, option, [disabled]')) continue;
        const [high, low] = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < 4.5) faint.push([own, contrast.toFixed(2), getComputedStyle(node).color, ground(node)]);
    }
    return faint;
}"""
NARROW = """root => [...root.querySelectorAll('img')].filter(i => i.getBoundingClientRect().width).map(
    i => [i.getBoundingClientRect().width, parseFloat(i.style.width), i.naturalWidth])"""


@pytest.fixture(scope="module")
def notebook(home):
    toys.write(home / "fronts.ipynb")
    return "fronts.ipynb"


def use(page, where, name):
    """Move an Explorer to an error and back, predict on a card; assert that all is seen, readable, and in its size."""
    explorer, card = page.locator(f"{where} .aelib-explorer"), page.locator(f"{where} .aelib-card")
    explorer.locator("img").wait_for(timeout=60_000)
    until(page, lambda: page.locator(f"{where} .aelib-live").count() == len(toys.CELLS), "all widgets")
    settle(page)
    assert card.bounding_box()["height"] <= 140
    assert page.locator(".aelib-still").filter(visible=True).count() == 0  # no copy beside a living widget
    handle = explorer.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("End")
    explorer.locator("text=no wave is as fast as that").wait_for(timeout=30_000)
    card.locator("button", has_text="open").click()
    card.locator("text=You predicted").wait_for(timeout=30_000)
    settle(page)
    for kind in toys.CELLS:
        page.locator(f"{where} .aelib-{kind}").screenshot(path=ARTIFACTS / f"front-{name}-{kind}.png")
    for kind in toys.CELLS:
        assert page.locator(f"{where} .aelib-{kind}").evaluate(FAINT) == []
    before = explorer.locator("img").get_attribute("src")
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "([image, before]) => image.src !== before", arg=[explorer.locator("img").element_handle(), before]
    )
    settle(page)
    density = page.evaluate("devicePixelRatio")
    sharp = lambda root: all(  # noqa: E731
        abs(pixels - density * asked) <= 1 for _, asked, pixels in root.evaluate(NARROW)
    )
    for root in (explorer, card):
        until(page, lambda root=root: sharp(root), "pictures with the screen's density")
        for wide, asked, pixels in root.evaluate(NARROW):
            assert abs(wide - asked) < 1, "a picture is scaled"
            assert abs(pixels - density * asked) <= 1, "a picture has not the screen's density"


@pytest.fixture
def fresh(page, home):
    """No predictions; afterwards the page is as it was."""
    (home / "predictions.json").unlink(missing_ok=True)
    ARTIFACTS.mkdir(exist_ok=True)
    yield
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [1366, 1024])
def test_jupyterlab(page, server, home, notebook, fresh, theme, width):
    themes = home / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.write_text(json.dumps({"theme": theme}))
    page.set_viewport_size({"width": width, "height": 768})
    try:
        run_all(page, server, notebook)
        use(page, ".jp-Notebook", f"lab-{theme[11:].lower()}-{width}")
    finally:
        themes.unlink()


def test_jupyterlab_on_a_dense_screen(browser_of, server, notebook, fresh):
    page = browser_of.new_page(viewport={"width": 1366, "height": 768}, device_scale_factor=2)
    try:
        run_all(page, server, notebook)
        use(page, ".jp-Notebook", "lab-scale-2")
    finally:
        page.close()


def test_notebook_7(page, server, notebook, fresh):
    pytest.importorskip("notebook")
    page.goto(f"{server}/notebooks/{notebook}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_timeout(3000)
    start_all(page)
    use(page, ".jp-Notebook", "notebook-7")


def test_voila(page, server, notebook, fresh):
    pytest.importorskip("voila")
    page.goto(f"{server}/voila/render/{notebook}", timeout=90_000)
    use(page, "body", "voila")
