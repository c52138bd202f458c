"""Every lab in real JupyterLab in real Chromium: it runs without an error, and every control changes the picture.

Skipped where there is no Chromium, unless AELIB_BROWSER=required (as in CI). A screenshot of each lab is left in
tests/artifacts/.
"""

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
LABS = sorted(path.stem for path in (ROOT / "labs").glob("*.ipynb"))
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def page():
    if CHROMIUM is None:
        if os.environ.get("AELIB_BROWSER") == "required":
            pytest.fail("there is no Chromium, and AELIB_BROWSER=required")
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A JupyterLab on copies of the labs, with settings of its own."""
    home = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "labs", home / "labs", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
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
    arguments += ["--IdentityProvider.token=", f"--ServerApp.root_dir={home}"]
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


def wait_until_all_ran(page):
    """Wait until every code cell that is not empty has a number: [ ] and [*] stand beside the others."""
    page.wait_for_function(
        """() => ![...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].some(
            cell => /\\[[ *]\\]/.test(cell.querySelector('.jp-InputPrompt').textContent)
                && cell.querySelector('.cm-content').textContent.trim())""",
        timeout=180_000,
    )


@pytest.mark.parametrize("lab", LABS)
def test_lab_runs_and_its_controls_change_the_picture(lab, page, server):
    page.goto(f"{server}/lab/workspaces/{lab}/tree/labs/{lab}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=/\\| Idle/", timeout=60_000)  # the kernel, in the status bar
    page.click("text=Run >> nth=0")
    page.click("text=Run All Cells >> nth=0")
    page.wait_for_selector("text=/\\| Busy/", timeout=60_000)
    page.wait_for_selector("text=/\\| Idle/", timeout=180_000)
    wait_until_all_ran(page)
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{lab}.png")
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    explorers = page.locator(".jp-Notebook .aelib-explorer")
    assert explorers.count() >= 1
    for k in range(explorers.count()):
        _move_every_control(page, explorers.nth(k), ARTIFACTS / f"{lab}-{k + 1}.png")


def _move_every_control(page, explorer, screenshot):
    explorer.scroll_into_view_if_needed()
    image = explorer.locator("img").first
    for slider in explorer.locator(".noUi-handle").all():
        for key in ("Home", "End"):
            before = image.get_attribute("src")
            slider.focus()
            if int(float(slider.get_attribute("aria-valuenow"))) == _end(slider, key):
                continue
            page.keyboard.press(key)
            _changed(page, image, before)
    for menu in explorer.locator("select").all():
        for value in menu.locator("option").evaluate_all("options => options.map(o => o.value)"):
            if value != menu.input_value():
                before = image.get_attribute("src")
                menu.select_option(value)
                _changed(page, image, before)
    assert explorer.locator("text=Error").count() == 0
    explorer.screenshot(path=screenshot)


def _end(slider, key):
    return int(float(slider.get_attribute("aria-valuemin" if key == "Home" else "aria-valuemax")))


def _changed(page, image, before):
    for _ in range(300):
        page.wait_for_timeout(100)
        if image.get_attribute("src") != before:
            return
    pytest.fail("the control moved, but the picture did not change within 30 s")
