"""Uploads to the reading widget in a real browser: good files, damaged ones, too large ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import NEEDS_CHROMIUM, ROOT, Lab, open_notebook, run_all_cells, serve

NOTEBOOK = "uploads.ipynb"
CODE = "from ocrkit.notebook.widgets import Reader\nReader('../scans', '../output')"
SAMPLES = ROOT / "data" / "samples"

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A notebook with the widget, and one scan."""
    import nbformat

    folder = tmp_path_factory.mktemp("uploads")
    cell = nbformat.v4.new_code_cell(CODE)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
    (folder / "scans").mkdir()
    shutil.copy(SAMPLES / "receipt.png", folder / "scans")
    with serve(folder, NOTEBOOK) as lab:
        yield lab


def test_every_upload_is_answered(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    broken, large = tmp_path / "broken.png", tmp_path / "large.png"
    broken.write_bytes((SAMPLES / "receipt.png").read_bytes()[:2000])
    large.write_bytes(bytes(10_600_000))  # more than the connection to the kernel takes
    with open_notebook(lab, tmp_path) as page:
        run_all_cells(page)
        reader = page.locator(".ocrkit")
        alert, document = reader.get_by_role("alert"), reader.get_by_label("Document")

        def upload(path: Path) -> None:
            with page.expect_file_chooser() as chooser:
                reader.get_by_role("button", name="Upload").click()
            chooser.value.set_files(path)

        expect(reader.get_by_alt_text("receipt.png, 0 lines marked")).to_be_visible()
        upload(broken)
        expect(alert).to_contain_text("broken.png: damaged or cut short")
        expect(document.locator("option")).to_have_text(["receipt.png"])
        upload(large)
        expect(alert).to_contain_text("large.png has 10.6 MB; Jupyter uploads up to 10 MB")
        upload(large)  # and again
        upload(SAMPLES / "form.png")
        expect(document.locator("option")).to_have_text(["form.png (uploaded)", "receipt.png"])
        expect(alert).to_have_count(0)
