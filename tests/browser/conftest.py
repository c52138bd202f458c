"""A real JupyterLab on copies of the labs, and a page of real Chromium, for the tests of this folder.

They are skipped where there is no Chromium, unless AELIB_BROWSER is set: to "required", or to "all" (as in CI), by
which every lab is opened and not only those with each kind of widget. Screenshots go to tests/artifacts/.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "tests" / "artifacts"
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser_of():
    """A Chromium."""
    if CHROMIUM is None:
        if wanted := os.environ.get("AELIB_BROWSER"):
            pytest.fail(f"there is no Chromium, and AELIB_BROWSER={wanted}")
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser_of):
    """Its page."""
    return browser_of.new_page(viewport={"width": 1280, "height": 800})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder that the server shows."""
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="module")
def server(home):
    """A JupyterLab on copies of the labs."""
    shutil.copytree(ROOT / "labs", home / "labs", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with lab_server(home) as url:
        yield url


@contextlib.contextmanager
def lab_server(home):
    """Run a JupyterLab on a folder, with settings of its own; yields its address."""
    settings = {
        "apputils-extension/notification": '{"fetchNews": "false"}',
        "notebook-extension/tracker": '{"windowingMode": "none"}',  # keep cells out of view in the page too
    }
    for name, text in settings.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    arguments = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0"]
    arguments += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={home}"]
    with open(home / "server.log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process, home / "server.log")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(url, process, log):
    for _ in range(120):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{url}/api", timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


def run_all(page, server, path):
    """Open a notebook in a fresh workspace, run all its cells and wait for them."""
    open_notebook(page, server, path)
    start_all(page)
    page.wait_for_selector("text=/\\| Busy/", timeout=60_000)
    page.wait_for_selector("text=/\\| Idle/", timeout=180_000)
    wait_until_all_ran(page)


def open_notebook(page, server, path):
    """Open a notebook in a fresh workspace and wait for its kernel."""
    page.goto(f"{server}/lab/workspaces/{Path(path).stem}/tree/{path}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=/\\| Idle/", timeout=60_000)  # the kernel, in the status bar


def stop_kernels(server):
    """End all kernels of a server."""
    for kernel in json.load(urllib.request.urlopen(f"{server}/api/kernels")):
        urllib.request.urlopen(urllib.request.Request(f"{server}/api/kernels/{kernel['id']}", method="DELETE")).close()


def start_all(page):
    """Choose Run All Cells from the menu."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")


def wait_until_all_ran(page):
    """Wait until every code cell that is not empty has a number: [ ] and [*] stand beside the others."""
    page.wait_for_function(
        """() => ![...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].some(
            cell => /\\[[ *]\\]/.test(cell.querySelector('.jp-InputPrompt').textContent)
                && cell.querySelector('.cm-content').textContent.trim())""",
        timeout=180_000,
    )


def until(page, condition, what):
    """Wait for up to 30 s until ``condition()`` is true of the page."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not within 30 s: {what}")


STATE = """() => {
    const places = [...document.images].map(image => [image.src, JSON.stringify(image.getBoundingClientRect())]);
    const kernel = document.querySelector('.jp-Notebook-ExecutionIndicator');
    return [places, kernel?.dataset.status === 'busy' && Math.random()];
}"""


def settle(page):
    """Wait until no picture of the page has changed or moved for half a second, and the kernel, where seen, is idle."""
    seen, still = None, 0
    for _ in range(600):
        now = page.evaluate(STATE)
        seen, still = now, still + 1 if now == seen else 0
        if still == 10:
            return
        page.wait_for_timeout(50)
    pytest.fail("the pictures of the page change without end")
