"""An explorer in JupyterLab in a real browser: keys move its slider, and the picture follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import NEEDS_CHROMIUM, Lab, open_notebook, run_all_cells, serve

NOTEBOOK = "explorer.ipynb"
CODE = """
from ocrkit.notebook import explorers
explorer = explorers.doubt([0.2, 0.6, 0.8, 0.95], [False, True, False, True], 0.7)
explorer.picture
""".strip()

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A notebook with the picture in one cell, and the widget in the next."""
    import nbformat

    folder = tmp_path_factory.mktemp("explorer")
    cells = [nbformat.v4.new_code_cell(source) for source in (CODE, "explorer")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
    with serve(folder, NOTEBOOK) as lab:
        yield lab


def test_a_slider_that_is_moved_by_keys_draws_the_picture_again(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with open_notebook(lab, tmp_path) as page:
        run_all_cells(page)
        widget = page.locator(".ocrkit")
        picture = widget.locator("img")
        still = page.locator(".jp-RenderedHTMLCommon img").first
        alone = "Below 0.70: 2 of 4 lines to review; 1 of 2 wrong lines pass"
        expect(picture).to_have_attribute("alt", f"A limit on the confidence. {alone}.")
        # The picture without a kernel is the same, and its text is there too.
        expect(still).to_have_attribute("alt", f"A limit on the confidence. {alone}.")
        assert still.get_attribute("src") == picture.get_attribute("src")

        handle = widget.get_by_role("slider")
        handle.focus()
        handle.press("End")
        expect(picture).to_have_attribute(
            "alt", "A limit on the confidence. Below 1.00: 4 of 4 lines to review; 0 of 2 wrong "
            "lines pass."
        )  # fmt: skip
        assert picture.bounding_box()["width"] > 300  # type: ignore[index]
