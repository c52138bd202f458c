"""How fast the widgets answer, in real JupyterLab in headless Chromium: python tests/benchmarks/latency.py [03 A]

Prints from the key press on a slider to the new pixels (median, 95th percentile), for every Explorer of the labs, or
of those named; where a run grows, until its first picture. Without names, also the same for an Explorer of its own
beside a plain ``interact`` of the same figure, for the latent explorer and the training console: for the console the
pictures a second, the share of the time that is not spent in ``train``'s updates (how much slower than ``train``
alone), and how soon Pause, Stop and a new step size show; and for labs 1 to 5 the time from Run All to the first
slider's answer, and until all cells have run. Other work on the machine shows too.
"""

import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser.conftest import CHROMIUM, FLAGS, ROOT, lab_server, open_notebook, run_all, start_all, wait_until_all_ran

KEYS, SECONDS = 50, 5
LABS = sorted((ROOT / "labs").glob("*.ipynb"))
CELLS = [
    """\
import asyncio
import time
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from aelib import Autoencoder, load_mnist
from aelib.common import plots
from aelib.widgets.console import Console
from aelib.widgets.latent import LatentExplorer
from aelib.widgets import Explorer, start_lab

start_lab()
mnist = load_mnist()
model = Autoencoder([784, 200, 2, 200, 784], dtype="float32").start_output_bias(mnist.train_images[:5000])

def compute(x, y):
    return model.decode(np.array([[x, y]], dtype="float32")), np.sin(x * np.linspace(0, 9, 300)) * y

def draw(figure, result):
    left, right = figure.subplots(1, 2)
    plots.images(left, result[0], 1, "decoded")
    plots.curves(right, {"sin": (np.linspace(0, 9, 300), result[1])}, "x", "y")

def sliders():
    return {name: ipywidgets.FloatSlider(1, min=-5, max=5, step=0.05, description=name) for name in "xy"}""",
    "Explorer(compute, draw, **sliders()).add_class('bench-explorer')",
    """\
def show(x, y):
    figure = plt.figure(figsize=(9, 4), layout="constrained")
    draw(figure, compute(x, y))
    plt.show()

plain = ipywidgets.interactive(show, **sliders())
plain.add_class('bench-interact')""",
    "LatentExplorer(model, mnist).add_class('bench-latent')",
    """\
async def share(console, seconds):
    console.buttons["start"].click()
    await asyncio.sleep(2)
    start, first, frames = time.perf_counter(), console.run.history.rows[-1], console.frames
    await asyncio.sleep(seconds)
    wall, last = time.perf_counter() - start, console.run.history.rows[-1]
    console.buttons["pause"].click()
    other = 100 * (1 - (last.seconds - first.seconds) / wall)
    frames, speed = (console.frames - frames) / wall, (last.update - first.update) / wall
    await asyncio.sleep(1)
    return f"{frames:.1f} pictures a second, {speed:.0f} updates a second, {other:.0f} % not updates"

async def shares(seconds):  # a task, not an awaited cell: while a cell awaits, sliders get no answer
    for net, console in consoles.items():
        words.value += f"console {net}: {await share(console, seconds)}<br>"
    words.value += "done"

words, consoles, begin = ipywidgets.HTML(), {}, ipywidgets.Button(description="Measure the consoles")
begin.on_click(lambda _: globals().update(task=asyncio.get_running_loop().create_task(shares(SECONDS))))""",
]
NETS = ("784-2", "784-200-2", "784-400-200-2")
WATCH = """root => {
    window.shown = []; window.frames = 0; window.words = []; window.seen = () => {};
    window.last = root.querySelector('img').src;
    if (window.watcher) window.watcher.disconnect();
    if (!window.watcher) for (const kind of ['keydown', 'click'])
        addEventListener(kind, () => { window.pressed = performance.now() }, true);
    window.watcher = new MutationObserver(() => {
        const image = root.querySelector('img'), status = root.querySelector('progress');
        if (status) window.words.push([performance.now(), status.parentElement.innerText]);
        if (!image || image.src === window.last) return;
        window.last = image.src; window.frames += 1;
        image.decode().then(() => requestAnimationFrame(() => {
            window.shown.push(performance.now());
            window.seen();
        }), () => {});
    });
    window.watcher.observe(root, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
}"""


# Nothing must ask the page again and again meanwhile: that takes time from what is measured.
BEGIN = """() => {
    window.shown = [];
    window.picture = new Promise((seen, late) => { window.seen = seen; setTimeout(late, 30_000, "no picture") });
}"""
TILE = """canvas => {
    const before = canvas.toDataURL();
    window.shown = [];
    addEventListener('keydown', () => { window.pressed = performance.now() }, {capture: true, once: true});
    const look = () => {
        if (canvas.toDataURL() === before) requestAnimationFrame(look); else window.shown.push(performance.now());
    };
    requestAnimationFrame(look);
}"""


def key_to_pixels(page, roots, keys=KEYS):
    """Return for each root, name -> milliseconds from each key press to the first picture after it; by turns."""
    times = {name: [] for name in roots}
    for k in range(keys):
        for name, root in roots.items():
            root.scroll_into_view_if_needed()
            root.evaluate(WATCH)
            handles, menu = root.locator(".noUi-handle"), root.locator("select").first
            buttons = root.locator(".widget-toggle-buttons button")
            page.evaluate(BEGIN)
            if handles.count():
                handles.first.focus()
                at_end = handles.first.get_attribute("aria-valuenow") == handles.first.get_attribute("aria-valuemax")
                page.keyboard.press("ArrowLeft" if k % 2 or at_end else "ArrowRight")
            elif buttons.count():
                buttons.locator("xpath=self::*[not(contains(@class, 'mod-active'))]").first.click()
            else:
                chosen = menu.evaluate("menu => { window.pressed = performance.now(); return menu.selectedIndex }")
                menu.select_option(index=0 if chosen else 1)
            page.evaluate("() => window.picture")
            times[name].append(page.evaluate("window.shown[0] - window.pressed"))
            page.wait_for_timeout(500)
    return times


def key_to_tile(page, root):
    """Return the milliseconds from each arrow key on the plane to the decoded image's change."""
    root.scroll_into_view_if_needed()
    root.locator(".aelib-plane").focus()
    times = []
    for k in range(KEYS):
        root.locator("figure canvas").first.evaluate(TILE)
        page.keyboard.press("Shift+ArrowRight" if k % 2 else "Shift+ArrowLeft")
        page.wait_for_function("window.shown.length > 0", polling=5, timeout=30_000)
        times.append(page.evaluate("window.shown[0] - window.pressed"))
        page.wait_for_timeout(100)
    return times


SEEN = """root => [...root.querySelectorAll('img')].map(image => image.src).concat(
    [...root.querySelectorAll('canvas')].map(canvas => canvas.toDataURL())).join()"""


def first_sliders(browser, paths):
    """Print how long after Run All the first slider of each lab answers, and when all cells have run.

    It is moved as soon as it is there, once. ipykernel 7.4 answers when the cells below have run, as their requests
    wait before the slider's; 7.0 to 7.3 answer in a thread of their own (JupyterLab's "comms over subshells").
    """
    for path in paths:
        home = Path(tempfile.mkdtemp())
        shutil.copytree(ROOT / "labs", home / "labs")
        with lab_server(home) as server:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            open_notebook(page, server, f"labs/{path.name}")
            start = time.monotonic()
            start_all(page)
            root = page.locator(".jp-Notebook :is(.aelib-explorer, .aelib-latent):has(.noUi-handle)").first
            root.wait_for(timeout=180_000)
            root.scroll_into_view_if_needed()
            shown, before = time.monotonic() - start, root.evaluate(SEEN)
            handle = root.locator(".noUi-handle").first
            handle.focus()
            at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
            page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
            while root.evaluate(SEEN) == before:
                page.wait_for_timeout(20)
            answered = time.monotonic() - start
            wait_until_all_ran(page)
            ran = time.monotonic() - start
            words = f"first slider there after {shown:.1f} s, answers after {answered:.1f}, all ran after {ran:.1f}"
            print(f"lab {path.stem}: Run All, {words}", flush=True)
            page.close()


def labs(browser, paths):
    """Open each lab on a server of its own, run its cells and print how fast each of its Explorers answers."""
    for path in paths:
        home = Path(tempfile.mkdtemp())
        shutil.copytree(ROOT / "labs", home / "labs")
        with lab_server(home) as server:
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            run_all(page, server, f"labs/{path.name}")
            for k, root in enumerate(page.locator(".jp-Notebook .aelib-explorer").all(), start=1):
                if not root.locator(".noUi-handle, .widget-toggle-buttons button").count():
                    continue  # nothing to move
                key_to_pixels(page, {"": root}, 2)
                row(f"lab {path.stem[:2].strip('_')}, Explorer {k}", key_to_pixels(page, {"": root}, 15)[""])
            page.close()


def when(page, pattern):
    """Return the milliseconds from the last press or click to the first status line that matches."""
    page.wait_for_function(f"window.words.some(([t, s]) => t > window.pressed && /{pattern}/.test(s))", polling=5)
    found = f"window.words.find(([t, s]) => t > window.pressed && /{pattern}/.test(s))[0] - window.pressed"
    return page.evaluate(found)


def console_figures(page, net):
    """Return the milliseconds until a new step size shows, and until Pause and Stop do."""
    root = page.locator(f".bench-{net}")
    root.scroll_into_view_if_needed()
    root.evaluate(WATCH)
    root.locator("button", has_text=re.compile("^Start$")).click()
    page.wait_for_function("window.frames > 3", timeout=30_000)
    effects = []
    for key in ("ArrowRight", "ArrowLeft") * 4:
        root.locator(".aelib-step .noUi-handle").focus()
        step = re.search(r"step ([\d.]+)", page.evaluate("window.words.at(-1)[1]"))[1]
        page.keyboard.press(key)
        effects.append(when(page, f"step (?!{step} )"))
        page.wait_for_timeout(200)
    root.locator("button", has_text=re.compile("^Pause$")).click()
    stops = {"Pause": [], "Stop": []}
    for name, shown in (("Pause", "paused"), ("Stop", "ended")) * 4:
        root.locator("button", has_text=re.compile("^Start$")).click()
        page.wait_for_timeout(500)
        root.locator("button", has_text=re.compile(f"^{name}$")).click()
        stops[name].append(when(page, shown))
    return effects, stops


def notebook(home):
    """Write the notebook: the two explorers, then for each net a console, driven for a while by the next cell."""
    cells = list(CELLS)
    for net in NETS:
        half = [int(width) for width in net.split("-")]
        sizes = half + half[-2::-1]
        console = (
            f"consoles['{net}'] = Console(mnist, sizes={sizes}, epochs=100000, pace='fast').add_class('bench-{net}')"
        )
        cells.append(f"{console}\nconsoles['{net}']")
    cells.append(f"SECONDS = {SECONDS}\nipywidgets.VBox([begin, words]).add_class('bench-words')")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(written, home / "latency.ipynb")


def row(name, times):
    median, high = statistics.median(times), statistics.quantiles(times, n=20, method="inclusive")[-1]
    print(f"{name:45} median {median:4.0f} ms, 95 % {high:4.0f} ms  ({len(times)} times)", flush=True)


def main():
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    names = sys.argv[1:]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if not names:
            widgets(browser)
            first_sliders(browser, [path for path in LABS if path.stem[:2] in ("01", "02", "03", "04", "05")])
        labs(browser, [path for path in LABS if not names or path.stem.startswith(tuple(names))])
        browser.close()


def widgets(browser):
    """Measure an Explorer of its own, the latent explorer and the console."""
    home = Path(tempfile.mkdtemp())
    notebook(home)
    with lab_server(home) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        run_all(page, server, "latency.ipynb")
        page.wait_for_timeout(1000)
        kinds = {"Explorer": ".bench-explorer", "interact of the same figure": ".bench-interact"}
        for name, times in key_to_pixels(page, {name: page.locator(at) for name, at in kinds.items()}).items():
            row(f"slider to pixels, {name}", times)
        row("arrow key to decoded image, latent explorer", key_to_tile(page, page.locator(".bench-latent")))
        words = page.locator(".bench-words")
        words.locator("button").click()  # only now: nothing else is measured while they train
        words.get_by_text("done").wait_for(timeout=300_000)
        print(words.inner_text(), flush=True)
        for net in NETS:
            effects, stops = console_figures(page, net)
            row(f"console {net}: new step size shows", effects)
            for name, times in stops.items():
                row(f"console {net}: {name} shows", times)
        page.close()


if __name__ == "__main__":
    main()
