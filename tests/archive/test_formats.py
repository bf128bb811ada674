from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ocrkit.archive.formats import FORMATS, save
from ocrkit.archive.formats.placing import words_of
from ocrkit.document import Block, Box, Document, LeftOut, Line, Page, Word
from ocrkit.errors import OutputError

GOLDEN = Path(__file__).parents[1] / "golden"


lengths = st.floats(0, 1e4)
lines = st.builds(
    Line,
    st.lists(st.tuples(lengths, lengths), min_size=2, max_size=5).map(lambda edge: (*edge, *edge)),
    st.text(),
    st.floats(0, 1),
)


def line(text: str, x: float, y: float) -> Line:
    x, y, width = float(x), float(y), 10.0 * len(text)
    words = []
    for word in text.split():
        start = x + 10.0 * text.index(word)
        words.append(Word(word, 0.875, Box(start, y, start + 10.0 * len(word), y + 20.5)))
    corners = ((x, y), (x + width, y), (x + width, y + 20.5), (x, y + 20.5))
    return Line(corners, text, 0.9375, tuple(words))


DOCUMENT = Document(
    "scans/Blatt 1.tif",
    (
        Page(
            400,
            300,
            (line("Le 15 août 1962, “Bagnères”", 20, 30), line("ſo far & <no> farther", 20, 60)),
            1,
            {"detect": 0.25, "recognize": 0.5, "other": 0.125},
            150.0,
        ),
        Page(400, 280, (), 2),
        Page(
            380,
            280,
            (line("№ 3 — 4½ d.", 15.5, 40),),
            3,
            blocks=(Block("table", (((0,), ()),)),),
            left_out=(LeftOut(line("·", 5, 5), "only marks"),),
        ),
    ),
    "ocrkit 0.2.0, ocrkit-fast-int8",
)


@pytest.fixture(autouse=True)
def a_fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def agreed() -> list[str]:
    return sorted(path.name for path in GOLDEN.glob("document.*"))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pdf"])
def test_the_bytes_are_those_agreed_on(name: str, tmp_path: Path) -> None:
    written = save(DOCUMENT, tmp_path / f"document{FORMATS[name].suffix}")
    files = sorted(tmp_path.iterdir())
    assert written == files[0]
    assert files
    for file in files:
        # The path of the image is that from the folder of the file, here from a temporary one.
        data = file.read_text("utf-8").replace(os.path.relpath("scans", tmp_path), "scans")
        assert data == (GOLDEN / file.name).read_text("utf-8")


def test_every_format_has_its_golden_files() -> None:
    kinds = {name.removeprefix("document").replace(".1.", ".") for name in agreed()}
    kinds -= {".alto.2.xml", ".alto.3.xml", ".page.2.xml", ".page.3.xml"}
    assert kinds | {".pdf"} == {kind.suffix for kind in FORMATS.values()}


@pytest.mark.parametrize("name", ["alto", "page"])
def test_several_pages_are_a_file_each_and_one_page_is_one_file(name: str, tmp_path: Path) -> None:
    save(DOCUMENT, tmp_path / f"d.{name}.xml")
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"d.{name}.{number}.xml" for number in (1, 2, 3)
    ]
    one = replace(DOCUMENT, pages=DOCUMENT.pages[2:])
    assert save(one, tmp_path / f"e.{name}.xml") == tmp_path / f"e.{name}.xml"


@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_the_image_is_named_by_its_path_from_the_file(name: str, tmp_path: Path) -> None:
    one = replace(DOCUMENT, source=str(tmp_path / "scans" / "a.tif"), pages=DOCUMENT.pages[:1])
    file = save(one, tmp_path / "out" / f"d{FORMATS[name].suffix}")
    assert "../scans/a.tif" in file.read_text("utf-8")


ODD_PAGE = Page(90, 90, (line("a\x00b \ud800 \ufffe 😀", 5, 5),))
ODD = Document("a\x01\udce9.png", (ODD_PAGE,), "k\x02")


@pytest.mark.parametrize("name", ["hocr", "alto", "page"])
def test_what_xml_cannot_hold_is_marked_and_does_not_stop_the_export(name: str, tmp_path) -> None:
    text = save(ODD, tmp_path / f"d{FORMATS[name].suffix}").read_text("utf-8")
    etree.fromstring(text.encode())
    assert "a\N{REPLACEMENT CHARACTER}b" in text
    assert "😀" in text


def test_words_are_cut_from_the_text_where_it_was_corrected() -> None:
    read = line("one twa three", 0, 0)
    assert words_of(read) == read.words
    same_count = replace(read, text="one two three")
    assert [(w.text, w.box) for w in words_of(same_count)] == [
        (text, word.box) for text, word in zip(["one", "two", "three"], read.words, strict=True)
    ]
    # 130 px for "one two three": of 4 words each character has 130 / 14 px.
    other = words_of(replace(read, text="one two th ree"))
    assert [word.text for word in other] == ["one", "two", "th", "ree"]
    assert other[1].box == Box(
        pytest.approx(4 / 14 * 130), 0, pytest.approx(7 / 14 * 130), pytest.approx(20.5)
    )
    assert words_of(replace(read, text="", words=())) == ()


@given(lines)
def test_the_words_of_a_line_are_its_text(line: Line) -> None:
    assert [word.text for word in words_of(line)] == line.text.split()


def test_the_rows_of_tsv_are_those_of_tesseract(tmp_path: Path) -> None:
    rows = save(DOCUMENT, tmp_path / "d.tsv").read_text("utf-8").splitlines()
    assert rows[0].split("\t")[:3] == ["level", "page_num", "block_num"]
    assert rows[1] == "1\t1\t0\t0\t0\t0\t0\t0\t400\t300\t-1\t"
    assert rows[5] == "5\t1\t1\t1\t1\t1\t20\t30\t20\t20\t87.50\tLe"


def test_csv_has_the_rows_of_all_tables_after_their_page_and_number(tmp_path: Path) -> None:
    entries = ("1", "Eggs, fresh", '2"', "ink\npens")
    first = Page(
        9,
        9,
        tuple(line(text, 0, 0) for text in entries),
        4,
        blocks=(
            Block("table", (((0,), (1,)), ((), (2,)))),
            Block("table", (((3,),),)),
        ),
    )
    path = save(Document("a.png", (first, Page(9, 9, (), 5))), tmp_path / "a.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["page", "table", "1", "2"],
        ["4", "1", "1", "Eggs, fresh"],
        ["4", "1", "", '2"'],
        ["4", "2", "ink\npens", ""],
    ]


def test_json_reads_back_to_the_same_document(tmp_path: Path) -> None:
    path = save(DOCUMENT, tmp_path / "d.json")
    back = Document.from_dict(json.loads(path.read_text("utf-8")))
    assert back == DOCUMENT
    assert back.pages[0].seconds == DOCUMENT.pages[0].seconds


def test_numbers_of_numpy_are_written_too(tmp_path: Path) -> None:
    lines = (Line(((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)), "a", np.float32(0.5)),)  # type: ignore[arg-type]
    path = save(Document("a.png", (Page(9, 9, lines),)), tmp_path / "a.json")
    assert json.loads(path.read_text())["pages"][0]["lines"][0]["confidence"] == 0.5


def test_folders_are_made_and_suffixes_may_be_capital(tmp_path: Path) -> None:
    path = save(DOCUMENT, str(tmp_path / "a" / "b" / "D.TXT"))
    assert path.read_text("utf-8").startswith("Le 15 août")


@pytest.mark.parametrize("name", ["d.docx", "d", "d.xml", ".txt"])
def test_an_unknown_format_is_answered_with_the_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is one of .txt, .json, .tsv"):
        save(DOCUMENT, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written") as error:
        save(DOCUMENT, tmp_path / "out" / "d.txt")
    assert str(tmp_path / "out") in str(error.value)


@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    end: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "d.txt"
    path.write_text("old")

    def stop(*args: object) -> None:
        raise end

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(OutputError if isinstance(end, OSError) else KeyboardInterrupt):
        save(DOCUMENT, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
