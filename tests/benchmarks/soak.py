"""Use the widgets for long in real JupyterLab in headless Chromium: python tests/benchmarks/soak.py [MINUTES [log]]

One page with the training console, the latent explorer and an Explorer is dragged, started, paused, stepped, stopped
and reset, round after round (30 minutes by default). Every button and slider must have its effect within 30 s, every
round; no error may show. Prints once a minute the memory of kernel and page, and at the end their growth since the
second minute: resident memory of the kernel, of the page's process, and its heap (JavaScript's and the page's own)
after a collection.

Two things that grow by themselves are set aside. JupyterLab's toolbar in the active cell, which it makes anew whenever
another cell is clicked and never lets go, is off: ``soak.py toolbar`` measures it on two cells that print a word. And
Playwright lets Chromium keep a log, in the page's process, of all that the page loads, every picture of ours among it:
a copy of Playwright that does not ask for the log is used; ``soak.py MINUTES log`` uses Playwright as it is.
"""

import contextlib
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser.conftest import CHROMIUM, FLAGS, lab_server, run_all

CELLS = [
    """\
import os
import ipywidgets
import numpy as np
from aelib import Adam, Autoencoder, fit, load_mnist
from aelib.common import plots
from aelib.widgets.console import Console
from aelib.widgets.latent import LatentExplorer
from aelib.widgets import Explorer, start_lab

start_lab()
mnist = load_mnist()
print("kernel", os.getpid())
Console(mnist, epochs=33, images=60_000, pace="fast")""",
    """\
net = Autoencoder([784, 30, 2, 30, 784], dtype="float32").start_output_bias(mnist.train_images[:2000])
fit(net, mnist.train_images[:2000], Adam(3e-3), epochs=3, progress=False)
LatentExplorer(net, mnist)""",
    """\
def compute(a):
    return {"sin": (np.linspace(0, 9, 300), np.sin(a * np.linspace(0, 9, 300)))}

def draw(figure, lines):
    plots.curves(figure.subplots(), lines, "x", "y")

Explorer(compute, draw, a=ipywidgets.FloatSlider(1, min=0, max=5))""",
]

TOOLBAR = "@jupyterlab/cell-toolbar-extension"


def until(page, condition, what):
    """Wait for a condition, at most 30 s."""
    for _ in range(1500):
        if condition():
            return
        page.wait_for_timeout(20)
    raise SystemExit(f"not within 30 s: {what}")


def drag(page, handle, to):
    """Drag a slider's handle to a share of its track."""
    handle.scroll_into_view_if_needed()
    box, track = handle.bounding_box(), handle.locator("xpath=../..").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + to * track["width"], box["y"] + box["height"] / 2, steps=12)
    page.mouse.up()


def console_round(page, root, k):
    """Press every button, drag two sliders while it trains; each must show."""
    words = lambda: root.locator("progress").locator("xpath=..").inner_text()  # noqa: E731
    updates = lambda: int(re.search(r"(\d+) of", words())[1])  # noqa: E731
    step_size = lambda: re.search(r"step (\S+)", words())[1]  # noqa: E731

    def press(name, expected):
        root.locator("button", has_text=re.compile(f"^{name}$")).click()
        until(page, expected, f"{name}: {words()}")

    press("Start", lambda: "running" in words())
    until(page, lambda: updates() > 5, "the run goes on")
    for share in (0.2, 0.45) if k % 2 else (0.5, 0.1):
        before = step_size()
        drag(page, root.locator(".aelib-step .noUi-handle"), share)
        until(page, lambda before=before: step_size() != before, "the step size changes")
    seen = updates()
    drag(page, root.locator(".aelib-batch .noUi-handle"), 0.3 + 0.4 * (k % 2))
    until(page, lambda: updates() > seen, "the run goes on after a change of the batch")
    press("Pause", lambda: "paused" in words())
    seen = updates()
    press("Step", lambda: updates() == seen + 1)
    press("Start", lambda: "running" in words())
    press("Stop", lambda: "ended" in words())
    if not root.locator("button", has_text="New seed").is_visible():
        root.locator("button", has_text="More").click()
    root.locator("button", has_text="New seed").click()
    press("Reset", lambda: "ready" in words() and updates() == 0)
    press("Copy as code", lambda: root.locator("textarea").input_value() != "")
    press("Export history", lambda: root.locator("a[download]").count() == 1)


def latent_round(page, root, k):
    """Drag the point over the plane, draw a stroke, clear it; each must show."""
    tile = lambda i: root.locator("figure canvas").nth(i).evaluate("c => c.toDataURL()")  # noqa: E731
    plane, pad = root.locator(".aelib-plane"), root.locator(".aelib-pad")
    for part, i, stroke in ((plane, 0, [(0.3, 0.3), (0.6, 0.7), (0.8, 0.4)]), (pad, 7, [(0.4, 0.2), (0.6, 0.8)])):
        part.scroll_into_view_if_needed()
        box, before = part.bounding_box(), tile(i)
        for down, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + (x + 0.01 * (k % 9)) * box["width"], box["y"] + y * box["height"], steps=12)
            if not down:
                page.mouse.down()
        page.mouse.up()
        until(page, lambda i=i, before=before: tile(i) != before, f"tile {i} changes")
    before = tile(7)
    root.locator(".aelib-clear").click()
    until(page, lambda: tile(7) != before, "the drawing is cleared")


def explorer_round(page, root, k):
    """Drag the slider to both ends; the picture must change."""
    for share in (1.0, 0.0):
        before = root.locator("img").get_attribute("src")
        drag(page, root.locator(".noUi-handle"), share)
        until(page, lambda before=before: root.locator("img").get_attribute("src") != before, "the picture changes")


def megabytes(pid):
    """Return the resident memory of a process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def renderer(browser):
    """Return the process number of the browser's page: the largest of its renderers."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return max((process["id"] for process in processes if process["type"] == "renderer"), key=megabytes)


def heap(page, probe):
    """Return the megabytes in use on the page's heaps: JavaScript's and Blink's."""
    page.request_gc()
    usage = probe.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage["embedderHeapUsedSize"]) / 2**20


def forgo_log(folder):
    """Let ``import playwright`` find a copy, in ``folder``, whose Chromium keeps no log of what a page loads."""
    import playwright

    source, copy = Path(playwright.__file__).parent, Path(folder) / "playwright"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node"))
    (copy / "driver" / "node").symlink_to(source / "driver" / "node")
    asked, n = 'session.send("Network.enable")', 0
    for script in (copy / "driver" / "package" / "lib").rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        n += text.count(asked)
        script.write_text(text.replace(asked, "Promise.resolve()"), encoding="utf-8")
    if not n:
        raise SystemExit(f"this Playwright has no {asked}: use `soak.py MINUTES log`")
    for name in [name for name in sys.modules if name.split(".")[0] == "playwright"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))


@contextlib.contextmanager
def opened(cells, toolbar):
    """Run cells as a notebook in JupyterLab; yields the page."""
    from playwright.sync_api import sync_playwright

    home = Path(tempfile.mkdtemp())
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / "soak.ipynb")
    if not toolbar:
        page_config = home / "config" / "labconfig" / "page_config.json"
        page_config.parent.mkdir(parents=True)
        page_config.write_text(json.dumps({"disabledExtensions": {TOOLBAR: True}}))
    with lab_server(home) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        run_all(page, server, "soak.ipynb")
        yield page
        browser.close()


def toolbars():
    """Print what a click on another cell leaves on the heaps, with JupyterLab's cell toolbar and without."""
    for toolbar in (True, False):
        with opened(["import time", "time.sleep(1)\nprint('one')", "print('two')"], toolbar) as page:
            probe, sizes = page.context.new_cdp_session(page), []
            for clicks in (20, 200):
                for k in range(clicks):
                    page.locator(".jp-OutputArea-output").nth(k % 2).click()
                    page.wait_for_timeout(60)
                sizes.append(heap(page, probe))
            words = "with" if toolbar else "without"
            print(f"{words} the cell toolbar: {1024 * (sizes[1] - sizes[0]) / clicks:.0f} kB for each click")


def main():
    """Run, print, and fail where something has no effect."""
    if sys.argv[1:] == ["toolbar"]:
        return toolbars()
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    if sys.argv[2:] != ["log"]:
        forgo_log(tempfile.mkdtemp())
    with opened(CELLS, toolbar=False) as page:
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.locator(".aelib-plane").wait_for(timeout=60_000)
        pid = re.search(r"kernel (\d+)", page.locator(".jp-Notebook").inner_text())[1]
        own, probe = renderer(page.context.browser), page.context.new_cdp_session(page)
        rounds = [(".aelib-console", console_round), (".aelib-latent", latent_round)]
        rounds.append((".jp-Notebook .aelib-explorer", explorer_round))
        start, rows, k = time.monotonic(), [], 0
        while time.monotonic() - start < 60 * minutes:
            for at, one in rounds:
                one(page, page.locator(at), k)
            k += 1
            if time.monotonic() - start >= 60 * (len(rows) + 1):
                rows.append((megabytes(pid), megabytes(own), heap(page, probe)))
                words = "minute {:2.0f}, {} rounds: kernel {:.0f} MB, page {:.0f} MB, of it heaps {:.1f} MB"
                print(words.format(len(rows), k, *rows[-1]), flush=True)
        shown = page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count()
        red = [text for text in page.locator("[style*='b00020']").all_inner_texts() if "Error" in text]
        print(f"{k} rounds; errors: {shown + len(red) + len(complaints)} {red + complaints}")
        if len(rows) > 2:
            grown = [100 * (max(column[2:]) / column[1] - 1) for column in zip(*rows, strict=True)]
            print("most since minute 2: kernel {:+.0f} %, page {:+.0f} %, heaps {:+.0f} %".format(*grown))
    return None


if __name__ == "__main__":
    main()
