from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrkit.archive.formats import save
from ocrkit.archive.own_lines import lines_of, page_of, pages_of
from ocrkit.document import Document, Line, Page
from ocrkit.errors import OcrkitError


def picture(path: Path, shape: tuple[int, int] = (20, 60), grey: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(shape, grey, np.uint8))
    return path


def box(x: float, y: float) -> tuple[tuple[float, float], ...]:
    return (x, y), (x + 40, y), (x + 40, y + 10), (x, y + 10)


def page_in(folder: Path, name: str = "letter") -> tuple[Path, Document]:
    """A scan with three grey bars, and its document: one line corrected, one not looked at."""
    sheet = np.full((60, 80), 250, np.uint8)
    for i, y in enumerate((5, 25, 45)):
        sheet[y : y + 10, 10:50] = 50 * (i + 1)
    scan = folder / f"{name}.png"
    cv2.imwrite(str(scan), sheet)
    lines = (
        Line(box(10, 5), "fjrst", 0.6, correction="first"),
        Line(box(10, 25), "second", 0.9),
        Line(box(10, 45), "~", 0.2, correction=""),
    )
    return scan, Document(str(scan), (Page(80, 60, lines),))


def texts(*sources: Path) -> list[str]:
    return [sample.text for sample in lines_of(sources).samples]


def test_of_a_page_that_was_read_the_corrected_lines_are_taken_and_cut_out(tmp_path):
    _, document = page_in(tmp_path)
    path = save(document, tmp_path / "letter.json")
    (sample,) = lines_of([path]).samples
    assert (sample.text, sample.line, sample.name) == ("first", 1, f"{path}, line 1")
    assert sample.image.shape == (10, 40)
    assert (sample.image == 50).all()


def test_a_page_without_corrections_is_named_and_not_learned_from(tmp_path):
    _, document = page_in(tmp_path)
    (page,) = document.pages
    unread = replace(page, lines=tuple(replace(line, correction=None) for line in page.lines))
    save(replace(document, pages=(unread,)), tmp_path / "letter.json")
    with pytest.raises(OcrkitError, match="no line is corrected yet"):
        lines_of([tmp_path])


@pytest.mark.parametrize("suffix", [".alto.xml", ".page.xml"])
def test_alto_and_page_give_all_their_lines_with_text(tmp_path, suffix):
    _, document = page_in(tmp_path)
    save(document, tmp_path / f"letter{suffix}")
    samples = lines_of([tmp_path]).samples
    assert [sample.text for sample in samples] == ["first", "second"]
    assert (samples[1].image == 100).all()
    assert len({sample.page for sample in samples}) == 1


def test_a_scan_with_several_documents_is_used_once_with_the_corrections(tmp_path):
    _, document = page_in(tmp_path)
    save(document, tmp_path / "letter.alto.xml")
    save(document, tmp_path / "letter.json")
    found = lines_of([tmp_path])
    assert [sample.text for sample in found.samples] == ["first"]
    assert "is used already" in found.refused[0].reason


def test_a_scan_of_another_size_is_scaled_and_one_of_another_shape_is_refused(tmp_path):
    scan, document = page_in(tmp_path)
    save(document, tmp_path / "letter.json")
    cv2.imwrite(str(scan), cv2.resize(cv2.imread(str(scan), 0), (160, 120)))
    assert lines_of([tmp_path]).samples[0].image.shape == (20, 80)
    cv2.imwrite(str(scan), np.zeros((60, 60), np.uint8))
    with pytest.raises(OcrkitError, match="is it the same scan"):
        lines_of([tmp_path])


def test_line_images_have_their_text_beside_them(tmp_path):
    for name in ("f1-1.png", "f1-2.bin.png", "f2-1.jpg"):
        picture(tmp_path / name)
        stem = name.partition(".")[0]
        (tmp_path / f"{stem}.gt.txt").write_text(f"\ufefftext  of\n{stem}\n", "utf-8")
    (tmp_path / "alone.gt.txt").write_text("no image")
    (tmp_path / "empty.gt.txt").write_text("\n")
    picture(tmp_path / "empty.png")
    found = lines_of([tmp_path])
    assert [sample.text for sample in found.samples] == [
        f"text of {n}" for n in ("f1-1", "f1-2", "f2-1")
    ]
    reasons = {Path(line.name).name: line.reason for line in found.refused}
    assert reasons == {
        "alone.gt.txt": "there is no image alone.png, .jpg or .tif beside it",
        "empty.png": "it has no text",
    }


@pytest.mark.parametrize(
    "name, page",
    [
        ("f12-3.png", "f12"),
        ("book-p7_line_12.png", "book-p7"),
        ("page 4 7.tif", "page 4"),
        ("0001.png", ""),
        ("word.png", ""),
    ],
)
def test_the_page_of_a_line_image_is_in_its_name_or_is_its_folder(tmp_path, name, page):
    assert page_of(tmp_path / name) == str(tmp_path / page if page else tmp_path)


QUOTE = 'he said "no", twice'


@pytest.mark.parametrize(
    "data",
    [
        f"a.png\t{QUOTE}\nsub/b.png\tplain\n".encode(),
        '\ufeffa.png\t"he said ""no"", twice"\r\nsub\\b.png\tplain\r\n'.encode(),
        b'"a.png"\t"he said ""no"", twice"\n"sub/b.png"\t"plain"\n',
        b'a.png,"he said ""no"", twice"\nsub/b.png,plain\n',
        b'a.png;"he said ""no"", twice";x\r\n\r\nsub/b.png;plain;\r\n',
        b'Text;Page;Image\n"he said ""no"", twice";1;a.png\nplain;1;sub/b.png\n',
        f"file\ttranscription\na.png\t{QUOTE}\nsub/b.png\tplain\n".encode("utf-16"),
    ],
    ids=["manifest", "excel", "all quoted", "csv", "semicolons", "header", "utf-16"],
)
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, data, suffix):
    picture(tmp_path / "a.png")
    picture(tmp_path / "sub" / "b.png")
    (tmp_path / f"lines{suffix}").write_bytes(data)
    found = lines_of([tmp_path / f"lines{suffix}"])
    assert [(s.path, s.text) for s in found.samples] == [
        (tmp_path / "a.png", QUOTE),
        (tmp_path / "sub" / "b.png", "plain"),
    ]
    assert found.refused == ()


def test_the_page_of_a_line_may_be_a_column(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    (tmp_path / "t.csv").write_text("image,text,page\na.png,one,f1\nb.png,two,f2\n")
    assert [sample.page for sample in lines_of([tmp_path / "t.csv"]).samples] == ["f1", "f2"]


def test_rows_that_cannot_be_used_are_named_with_their_number(tmp_path):
    picture(tmp_path / "a.png")
    rows = "a.png\tone\ngone.png\ttwo\na.png\tthree\n\tfour\n"
    (tmp_path / "t.tsv").write_text(rows)
    found = lines_of([tmp_path / "t.tsv"])
    assert [sample.text for sample in found.samples] == ["one"]
    assert [line.name.removeprefix(f"{tmp_path}/") for line in found.refused] == [
        "t.tsv, row 2",
        "a.png",
        "t.tsv, row 4",
    ]


def test_tables_in_a_folder_count_only_if_there_is_nothing_else(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "t.tsv").write_text("a.png\tfrom the table\n")
    assert texts(tmp_path) == ["from the table"]
    (tmp_path / "a.gt.txt").write_text("from the file")
    assert texts(tmp_path) == ["from the file"]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x80\x81\t\xff\n", b""])
def test_what_is_no_table_is_one_line(tmp_path, data):
    (tmp_path / "t.tsv").write_bytes(data)
    with pytest.raises(OcrkitError, match="no line with its text") as raised:
        lines_of([tmp_path / "t.tsv"])
    assert "\n" not in str(raised.value)


def test_a_path_that_is_missing_is_named(tmp_path):
    with pytest.raises(OcrkitError, match="gone: no such file or folder"):
        lines_of([tmp_path / "gone"])


def test_pages_with_their_text_are_found(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    (tmp_path / "a.txt").write_text("a page")
    assert pages_of([tmp_path]) == [tmp_path / "a.png"]
    assert pages_of([tmp_path / "t.tsv"]) == []
