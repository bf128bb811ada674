from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.archive.helpers import read_into, scan

pytest.importorskip("ipywidgets")
from ocrkit.notebook.search import Search  # noqa: E402


@pytest.fixture
def widget(tmp_path: Path) -> Search:
    sources = [scan(tmp_path / "a.tif", 50, 60), scan(tmp_path / "<b>.png", 70)]
    read_into(tmp_path / "out", sources)
    return Search(tmp_path / "out")


def test_hits_are_listed_and_the_best_is_shown_with_its_words_boxed(widget: Search) -> None:
    widget.query.value = "60 rows"
    assert ">1 page<" in widget.status.value
    ((label, _),) = widget.pages.options
    assert label.endswith("a.tif, p. 2: page of 60 rows")
    assert widget.picture.value.count("<img") == 1
    boxes = re.findall(r'title="(\w+)" style="left:([\d.]+)%;top:([\d.]+)%', widget.picture.value)
    assert [text for text, *_ in boxes] == ["60", "rows"]
    assert [float(left) for _, left, _ in boxes] == [50, 75]


def test_another_page_is_shown_when_it_is_chosen(widget: Search) -> None:
    widget.query.value = "rows"
    assert len(widget.pages.options) == 3
    shown = []
    for i in range(3):
        widget.pages.value = i
        shown.append(widget.picture.value)
    assert len(set(shown)) == 3


@pytest.mark.parametrize("query", ["", "*", "nothing", "*ab*"])
def test_a_query_that_finds_nothing_shows_no_old_page(widget: Search, query: str) -> None:
    widget.query.value = "rows"
    widget.query.value = query
    assert widget.pages.options == () and widget.picture.value == ""
    assert ("Nothing was found" in widget.status.value) == (query == "nothing")
    assert ('role="alert"' in widget.status.value) == (query != "nothing")


def test_a_scan_that_is_gone_is_said(widget: Search, tmp_path: Path) -> None:
    (tmp_path / "a.tif").unlink()
    widget.query.value = "60"
    assert 'role="alert"' in widget.status.value and "a.tif" in widget.status.value
    assert len(widget.pages.options) == 1 and widget.picture.value == ""


def test_a_folder_without_a_catalogue_is_said(tmp_path: Path) -> None:
    widget = Search(tmp_path)
    widget.query.value = "mill"
    assert "there is no catalogue" in widget.status.value


def test_names_are_escaped(widget: Search) -> None:
    widget.query.value = "70"
    assert "&lt;b&gt;.png" in widget.picture.value and "<b>" not in widget.picture.value


def test_every_control_has_a_label_and_the_picture_a_text(widget: Search) -> None:
    widget.query.value = "60"
    assert widget.query.description and widget.pages.description and widget.button.description
    assert 'alt="' in widget.picture.value
