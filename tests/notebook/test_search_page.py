from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocrkit.errors import CatalogueError
from ocrkit.notebook.search_page import notebook, serve


def test_the_page_shows_the_widget_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "l'été *1* <2>"
    cells = json.loads(notebook(folder))["cells"]
    assert ["".join(cell["source"]) for cell in cells] == [
        "<h1>Search in l&#x27;été *1* &lt;2&gt;</h1>",
        f"from ocrkit.notebook.search import Search\nSearch({str(folder)!r})",
    ]


def test_a_folder_without_a_catalogue_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there is no catalogue"):
        serve(tmp_path)
