"""The latent explorer in real JupyterLab: mouse and keyboard on the plane and on the drawing pad, without internet.

Nothing is asserted about speed. A screenshot is left in tests/artifacts/.
"""

import nbformat
import pytest

from .conftest import ARTIFACTS, run_all, until

START = """\
from aelib import Adam, Autoencoder, fit, load_mnist
from aelib.widgets.latent import LatentExplorer
from aelib.widgets import start_lab

start_lab()
mnist = load_mnist()
X = mnist.train_images[:2000]
net, early = (Autoencoder([784, 30, 2, 30, 784], dtype="float32").start_output_bias(X) for _ in range(2))
fit(net, X, Adam(3e-3), epochs=3, progress=False)
LatentExplorer(net, mnist, film={"update 0": early})
"""
DECODED, NEAR, START_OF_PATH, FORM = 0, 3, 5, 7  # tiles


@pytest.fixture(scope="module")
def explorer(page, server, home):
    """The explorer of a small net, and the list of addresses outside this machine that the page asked for."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(START)], metadata=kernel)
    nbformat.write(notebook, home / "latent.ipynb")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    run_all(page, server, "latent.ipynb")
    explorer = page.locator(".jp-Notebook .aelib-latent")
    explorer.locator(".aelib-plane").wait_for(timeout=60_000)
    page.wait_for_timeout(2000)  # the film, drawn on a canvas, has come to its end, and nothing moves any more
    explorer.scroll_into_view_if_needed()
    yield explorer
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []


@pytest.fixture
def changes(page, explorer):
    """A function (what, action): does the action and waits until ``what()`` is another."""

    def changes(what, action):
        before = what()
        action()
        until(page, lambda: what() != before, "a change")

    return changes


@pytest.fixture
def tile(explorer):
    return lambda k: explorer.locator("figure canvas").nth(k).evaluate("canvas => canvas.toDataURL()")


@pytest.fixture
def caption(explorer):
    return lambda k: explorer.locator("figcaption").nth(k).inner_text()


def place(canvas, across, down):
    box = canvas.bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_click_and_drag_on_the_plane_change_the_decoded_image(page, explorer, changes, tile, caption):
    plane = explorer.locator(".aelib-plane")
    changes(lambda: caption(NEAR), lambda: page.mouse.move(*place(plane, 0.3, 0.3)))  # hover
    decoded = lambda: tile(DECODED)  # noqa: E731
    changes(decoded, lambda: page.mouse.click(*place(plane, 0.8, 0.5)))
    changes(lambda: tile(START_OF_PATH), lambda: page.mouse.click(*place(plane, 0.3, 0.7)))
    page.mouse.down()
    changes(decoded, lambda: page.mouse.move(*place(plane, 0.5, 0.5), steps=5))
    page.mouse.up()


def test_the_keyboard_does_the_same(page, explorer, changes, tile):
    plane = explorer.locator(".aelib-plane")
    plane.focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowLeft", "Shift+ArrowDown"):
        changes(lambda: tile(DECODED), lambda key=key: page.keyboard.press(key))
    before = tile(START_OF_PATH)
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):  # one image is not the nearest at all four edges
        for _ in range(10):
            page.keyboard.press(f"Shift+{key}")
        page.keyboard.press("Enter")
        for _ in range(100):
            if tile(START_OF_PATH) != before:
                return
            page.wait_for_timeout(50)
    pytest.fail("Enter picked no other image at any edge")


def test_a_drawing_lands_on_the_plane(page, explorer, changes, tile, caption):
    plane, pad = explorer.locator(".aelib-plane"), explorer.locator(".aelib-pad")
    marks = lambda: plane.evaluate("canvas => canvas.toDataURL()")  # noqa: E731
    page.mouse.move(*place(pad, 0.3, 0.2))
    page.mouse.down()
    changes(marks, lambda: page.mouse.move(*place(pad, 0.7, 0.2), steps=5))
    changes(lambda: tile(FORM), lambda: page.mouse.move(*place(pad, 0.4, 0.8), steps=5))
    page.mouse.up()
    assert "near codes" in caption(FORM)
    changes(marks, explorer.locator(".aelib-clear").click)
    pad.focus()
    page.keyboard.press("Space")  # the pen goes down
    changes(lambda: tile(FORM), lambda: [page.keyboard.press("ArrowDown") for _ in range(5)])


def test_controls_change_the_picture_and_nothing_sticks_out(page, explorer, changes, tile):
    picture = lambda: explorer.locator("img").first.get_attribute("src")  # noqa: E731
    for group in explorer.locator(".widget-toggle-buttons").all():
        for k in (1, 2, 0):
            changes(picture, group.locator("button").nth(k).click)
    code_1, code_2, path, film = explorer.locator(".noUi-handle").all()
    for slider, what in ((code_1, lambda: tile(DECODED)), (code_2, lambda: tile(DECODED)), (film, picture)):
        slider.focus()
        changes(what, lambda: page.keyboard.press("Home"))
    changes(picture, lambda: page.keyboard.press("End"))
    changes(lambda: path.get_attribute("aria-valuenow"), explorer.locator(".widget-play button").first.click)
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "latent.png")
    assert explorer.locator("text=Error").count() == 0
    assert explorer.evaluate("e => e.scrollWidth <= e.clientWidth")
