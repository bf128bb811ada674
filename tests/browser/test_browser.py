"""Notebook 07 in JupyterLab in a real browser: the widget reads a page and reports a bad upload.

To make the picture for the README:
OCRKIT_SCREENSHOT=data/widget.png python -m pytest tests/browser
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
NOTEBOOK = "07_end_to_end.ipynb"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SECOND = 1000  # Playwright's times are in milliseconds
OFF = ("gpu", "quic", "background-networking", "component-update", "sync")
FLAGS = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in OFF)]
# Cells that are out of view stay in the page, and JupyterLab does not ask for news.
SETTINGS = {
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium"
)


@dataclass(frozen=True)
class Lab:
    """The address of the notebook, and the root folder of the server."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with notebook 07 in its quick form, apart from the user's files and settings."""
    import nbformat

    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.read(ROOT / "notebooks" / NOTEBOOK, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []  # so that all outputs on the page come from this run
            cell.source = cell.source.replace('PRESET = "full"', 'PRESET = "quick"')
    notebook.metadata.pop("widgets", None)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
    shutil.copytree(ROOT / "data" / "samples", folder / "data" / "samples")
    for name, setting in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(setting)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.extension_manager=readonly"]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(folder / name.lower()) for name in places}
    # Several threads are very slow on a machine that is busy with other programs.
    environment["OMP_NUM_THREADS"] = "1"
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
    with (folder / "log").open("w") as log:
        # In its own process group, so that its kernels end with it.
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(server, f"http://127.0.0.1:{port}/api?token={token}", folder / "log")
        address = f"http://127.0.0.1:{port}/lab/tree/notebooks/{NOTEBOOK}?token={token}"
        yield Lab(address, folder)
    finally:
        server.terminate()
        try:
            server.wait(20)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)


def wait_for(server: subprocess.Popen[bytes], address: str, log: Path, limit: float = 120) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            urllib.request.urlopen(address, timeout=10).close()
            return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)


@pytest.fixture
def browser_page(lab: Lab, tmp_path: Path) -> Iterator[Page]:
    """The notebook in JupyterLab. The last view is saved as a picture, for a test that fails."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1600})
        page.set_default_timeout(120 * SECOND)
        sync_api.expect.set_options(timeout=120 * SECOND)
        try:
            page.goto(lab.address)
            yield page
        finally:
            page.screenshot(path=tmp_path / "last.png")
            browser.close()


def test_the_widget_reads_a_page_and_reports_a_broken_upload(
    lab: Lab, browser_page: Page, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    page = browser_page
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    reader = page.locator(".ocrkit")
    error = page.locator(".jp-OutputArea-output").filter(has_text="Traceback (most recent call")
    expect(reader.or_(error).first).to_be_visible(timeout=600 * SECOND)
    assert error.all_inner_texts() == []

    reader.scroll_into_view_if_needed()
    lines, status = reader.get_by_label("Lines"), reader.get_by_role("status")
    reader.get_by_label("Document").select_option("receipt.png")
    expect(status).to_contain_text("Press Read")
    reader.get_by_role("button", name="Read").press("Enter")
    expect(status).to_contain_text("receipt.png:")
    expect(lines).to_contain_text("SUBTOTAL")
    with page.expect_download() as download:
        reader.get_by_role("link", name="txt").click()
    assert download.value.suggested_filename == "receipt.txt"
    assert "SUBTOTAL" in Path(download.value.path()).read_text(encoding="utf-8")

    reader.get_by_title("SUBTOTAL").first.click()
    expect(reader.locator(".ocrkit-line")).to_contain_text("SUBTOTAL")
    expect(reader.get_by_alt_text("SUBTOTAL")).to_be_visible()
    if picture := os.environ.get("OCRKIT_SCREENSHOT"):
        page.mouse.move(0, 0)
        shot = Image.open(BytesIO(reader.screenshot()))
        shot.quantize(256).save(picture, optimize=True)

    broken = tmp_path / "broken.png"
    broken.write_bytes((ROOT / "data" / "samples" / "receipt.png").read_bytes()[:2000])
    with page.expect_file_chooser() as chooser:
        reader.get_by_role("button", name="Upload").click()
    chooser.value.set_files(broken)
    alert = reader.get_by_role("alert")
    expect(alert).to_contain_text("broken.png: damaged or cut short")
    assert "Traceback" not in alert.inner_text()
    expect(lines).not_to_contain_text("SUBTOTAL")
    reader.get_by_label("Document").select_option("receipt.png")
    expect(alert).to_have_count(0)
    assert (lab.folder / "output" / "07_end_to_end.json").is_file()  # the notebook ran to its end
