from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ocrkit.archive.catalogue import Catalogue
from ocrkit.archive.report import COLUMNS, SHOWN, write_report
from ocrkit.document import LeftOut, Page
from tests.archive.helpers import OPTIONS, page_of, read_into, scan


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def report(left_out: tuple[Path, ...] = ()) -> tuple[Parsed, list[dict[str, str]]]:
    with Catalogue.open_for_run(Path("out")) as catalogue:
        path = write_report(catalogue, "3 written", left_out)
    with open("out/report.csv", encoding="utf-8", newline="") as file:
        return Parsed(path.read_text("utf-8")), list(csv.DictReader(file))


def sure(page: Page, confidence: float) -> Page:
    return replace(page, lines=tuple(replace(x, confidence=confidence) for x in page.lines))


def test_the_worst_pages_come_first_and_pages_without_text_last() -> None:
    read_into("out", [scan("a.tif", 50, 60, 70, 80)])
    with Catalogue.open_for_run(Path("out")) as catalogue:
        catalogue.add_page(1, sure(page_of("good", number=1), 0.99))
        catalogue.add_page(1, page_of(number=2))
        catalogue.add_page(1, sure(page_of("doubtful", number=3), 0.6))
        catalogue.add_failed_page(1, 4, "a.tif: damaged")
    html, rows = report()
    assert [row["page"] for row in rows] == ["4", "3", "1", "2"]
    assert [row["state"] for row in rows] == ["failed", "read", "read", "read"]
    assert rows[1]["confidence"] == "0.6" and rows[0]["error"] == "a.tif: damaged"
    assert tuple(rows[0]) == COLUMNS
    assert html.text.index("page 4") < html.text.index("page 3") < html.text.index("page 1")


def test_lines_that_a_page_left_out_are_counted() -> None:
    read_into("out", [scan("a.png", 50)])
    page = page_of("good", number=1)
    with Catalogue.open_for_run(Path("out")) as catalogue:
        catalogue.add_page(
            1, replace(page, left_out=(LeftOut(page.lines[0], "low confidence"),) * 3)
        )
    html, rows = report()
    assert rows[0]["left_out"] == "3"
    assert "3 left out" in html.text


def test_the_report_needs_no_other_file() -> None:
    read_into("out", [scan("a.png", 50)])
    html, _ = report()
    (picture,) = (attributes for tag, attributes in html.tags if tag == "img")
    assert str(picture["src"]).startswith("data:image/jpeg;base64,")
    assert not [tag for tag, _ in html.tags if tag in ("script", "link", "iframe")]
    assert not re.search(r"https?:", Path("out/report.html").read_text())


def test_what_was_left_out_and_what_failed_is_listed() -> None:
    Path("b.png").write_text("no image")
    read_into("out", [scan("a.png", 50), Path("b.png")])
    html, rows = report((Path("scans/notes.txt"),))
    assert "scans/notes.txt" in html.text and "b.png: the content is not a" in html.text
    assert [(row["file"], row["state"]) for row in rows] == [
        ("a.png", "read"),
        ("b.png", "failed"),
        ("scans/notes.txt", "left out"),
    ]


def test_names_and_errors_are_escaped() -> None:
    name = "<script>alert(1)<\N{DIVISION SLASH}script>\"'&\n\x1b[31m.png"
    Path("bad" + name).write_text("no image")
    read_into("out", [scan(name), Path("bad" + name)])
    html, rows = report((Path("left" + name),))
    assert not [tag for tag, _ in html.tags if tag == "script"]
    assert html.text.count("<script>") >= 3
    assert [row["state"] for row in rows] == ["read", "failed", "left out"]
    assert all("\n" not in row["file"] and "\x1b" not in row["file"] for row in rows)


def test_many_pages_make_no_large_report() -> None:
    read_into("out", [scan("a.tif", *[50] * 40)], options=OPTIONS)
    html, rows = report()
    assert len(rows) == 40
    assert sum(tag == "img" for tag, _ in html.tags) == SHOWN


def test_a_scan_that_is_gone_has_no_picture() -> None:
    read_into("out", [scan("a.png")])
    Path("a.png").unlink()
    html, rows = report()
    assert not [tag for tag, _ in html.tags if tag == "img"]
    assert len(rows) == 1
