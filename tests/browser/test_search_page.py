"""The search page of Voila in a real browser: for a visitor who has no Python."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from ocrkit.notebook.search_page import POLICY
from tests.archive.helpers import page_of
from tests.archive.test_search import catalogue_of
from tests.browser.lab import CHROMIUM, FLAGS, NEEDS_CHROMIUM, SECOND, wait_for

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen, str]]:
    """The page of a folder with two pages to search: the process of its server, its address."""
    home = tmp_path_factory.mktemp("page")
    pages = {"mill": page_of("the old mill", width=200), "mine": page_of("a mine", width=200)}
    (home / "it's <out>").mkdir()
    folder = catalogue_of(home / "it's <out>", pages)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(home / name.lower()) for name in places}
    environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "ocrkit.notebook.search_page", str(folder)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--port={port}"], env=environment, stdout=log, stderr=log
        )
    try:
        # Not the page itself, because each visit of it starts a process.
        wait_for(process, f"http://localhost:{port}/voila/static/voila.js", home / "log")
        yield process, f"http://localhost:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def test_a_visitor_finds_words_on_a_page_that_needs_nothing_from_elsewhere(
    server: tuple[subprocess.Popen, str], tmp_path: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    process, address = server
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(120 * SECOND)
        expect.set_options(timeout=120 * SECOND)
        loaded: list[str] = []
        stopped: list[str] = []
        page.on("requestfailed", lambda request: stopped.append(request.url))
        page.on("request", lambda request: loaded.append(request.url))
        try:
            answer = page.goto(address)
            assert answer and POLICY in answer.headers["content-security-policy"]
            expect(page.get_by_role("heading", name="Search in it's <out>")).to_be_visible()
            widget = page.locator(".ocrkit")
            field = widget.get_by_label("Search").first
            field.fill("old")
            field.press("Enter")
            expect(widget.get_by_role("status")).to_have_text("1 page")
            picture = widget.get_by_alt_text("mill.png, page 1")
            expect(picture).to_be_visible()
            box, scan = widget.get_by_title("old").bounding_box(), picture.bounding_box()
            assert box and scan
            # "old" is 40 to 70 of 200 pixels across.
            assert (box["x"] - scan["x"]) / scan["width"] == pytest.approx(40 / 200, abs=0.02)
            elsewhere = [url for url in loaded if not url.startswith((address, "data:", "blob:"))]
            # What the policy stops does not count: it never leaves the browser.
            assert set(elsewhere) <= set(stopped)
        finally:
            page.screenshot(path=tmp_path / "last.png")
            browser.close()
    listening = psutil.Process(process.pid).net_connections("tcp")
    hosts = {one.laddr.ip for one in listening if one.status == psutil.CONN_LISTEN}
    assert hosts and hosts <= {"127.0.0.1", "::1"}
