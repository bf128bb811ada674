"""The search widget in JupyterLab in a real browser: words are found and boxed on their page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.helpers import page_of
from tests.archive.test_search import catalogue_of
from tests.browser.lab import NEEDS_CHROMIUM, Lab, open_notebook, run_all_cells, serve

NOTEBOOK = "search.ipynb"
CODE = "from ocrkit.notebook.search import Search\nSearch('../out')"

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A notebook with the widget, and two pages to search."""
    import nbformat

    folder = tmp_path_factory.mktemp("search")
    cell = nbformat.v4.new_code_cell(CODE)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
    (folder / "out").mkdir()
    pages = {"mill": page_of("the old mill", width=200), "mine": page_of("a mine", width=200)}
    catalogue_of(folder / "out", pages)
    with serve(folder, NOTEBOOK) as lab:
        yield lab


def test_words_are_found_and_boxed_where_they_are(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with open_notebook(lab, tmp_path) as page:
        run_all_cells(page)
        widget = page.locator(".ocrkit")
        expect(widget).to_be_visible()
        field, pages = widget.get_by_label("Search").first, widget.get_by_label("Pages")
        status = widget.get_by_role("status")
        field.fill("mi*")
        field.press("Enter")
        expect(status).to_have_text("2 pages")
        pages.select_option(label="mine.png, p. 1: a mine")
        expect(widget.get_by_alt_text("mine.png, page 1")).to_be_visible()

        field.fill("old")
        widget.get_by_role("button", name="Search").click()
        expect(status).to_have_text("1 page")
        picture = widget.get_by_alt_text("mill.png, page 1")
        expect(picture).to_be_visible()
        box, scan = widget.get_by_title("old").bounding_box(), picture.bounding_box()
        assert box and scan
        # "old" is 40 to 70 of 200 pixels across.
        assert (box["x"] - scan["x"]) / scan["width"] == pytest.approx(40 / 200, abs=0.02)
        assert box["width"] / scan["width"] == pytest.approx(30 / 200, abs=0.03)

        field.fill("*")
        field.press("Enter")
        expect(widget.get_by_role("alert")).to_contain_text("there is no word to search for")
        expect(picture).to_have_count(0)
