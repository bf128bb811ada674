"""Notebook 07 in JupyterLab in a real browser: the widget reads a page.

To make the picture for the README:
OCRKIT_SCREENSHOT=data/widget.png python -m pytest tests/browser
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.browser.lab import NEEDS_CHROMIUM, ROOT, SECOND, Lab, open_notebook, run_all_cells, serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOTEBOOK = "07_end_to_end.ipynb"

pytestmark = NEEDS_CHROMIUM


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
    with serve(folder, NOTEBOOK) as lab:
        yield lab


@pytest.fixture
def browser_page(lab: Lab, tmp_path: Path) -> Iterator[Page]:
    with open_notebook(lab, tmp_path) as page:
        yield page


def test_the_widget_of_the_notebook_reads_a_page(lab: Lab, browser_page: Page) -> None:
    from playwright.sync_api import expect

    page = browser_page
    run_all_cells(page)
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
    assert (lab.folder / "output" / "07_end_to_end.json").is_file()  # the notebook ran to its end
