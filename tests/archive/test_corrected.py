from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrkit import files, load_document, save, search
from ocrkit.archive import folder as folder_module
from ocrkit.archive.catalogue import Catalogue, Content
from ocrkit.archive.corrected import index_corrections, keep_corrections
from ocrkit.archive.results import write_results
from ocrkit.document import Document, LeftOut, Line, Page
from ocrkit.notebook.corrections import Corrections
from ocrkit.pipeline import ReadOptions
from ocrkit.recognition.reading import Reading
from tests.archive.helpers import HeightReader, OneLine, page_of, read_into, scan


def corrected(page: Page, number: int, text: str) -> Page:
    lines = list(page.lines)
    lines[number] = replace(lines[number], correction=text)
    return replace(page, lines=tuple(lines))


def moved(line: Line, x: float, y: float) -> Line:
    return replace(line, polygon=tuple((a + x, b + y) for a, b in line.polygon))


@pytest.mark.parametrize("again", [{"again": True}, {"formats": ("json", "txt", "alto")}])
def test_corrections_stay_when_a_file_is_read_again(tmp_path: Path, again: dict) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "txt"))
    document = load_document(out / "a.json")
    save(replace(document, pages=(corrected(document.pages[0], 0, "sixty rows"),)), out / "a.json")
    read_into(out, [source], **{"formats": ("json", "txt"), **again})
    (line,) = load_document(out / "a.json").pages[0].lines
    assert (line.text, line.correction) == ("page of 60 rows", "sixty rows")
    assert (out / "a.txt").read_text() == "sixty rows\n"


def test_a_correction_goes_with_its_outline_and_not_with_its_number(tmp_path: Path) -> None:
    old = corrected(page_of("first", "second", "third"), 1, "2nd")
    old = corrected(old, 2, "")
    save(Document("a.png", (old,)), tmp_path / "a.json")
    # Read again, the first line is missing, and the outlines are a little different.
    lines = tuple(moved(line, 2, 1) for line in old.lines[1:])
    new = replace(old, lines=tuple(replace(line, text="x", correction=None) for line in lines))
    kept = keep_corrections(Document("a.png", (new,)), tmp_path / "a.json").pages[0]
    assert [line.correction for line in kept.lines] == ["2nd", ""]
    assert [line.text for line in kept.lines] == ["x", "x"]


def test_a_corrected_line_that_is_found_no_more_is_added_at_its_height(tmp_path: Path) -> None:
    old = corrected(page_of("first", "second", "third"), 1, "2nd")
    save(Document("a.png", (old,)), tmp_path / "a.json")
    new = replace(page_of("first", "second", "third"), lines=(old.lines[0], old.lines[2]))
    kept = keep_corrections(Document("a.png", (new,)), tmp_path / "a.json").pages[0]
    assert [line.final for line in kept.lines] == ["first", "2nd", "third"]


def test_a_line_that_was_deleted_stays_without_text(tmp_path: Path) -> None:
    page = page_of("first", "speck")
    speck = replace(page.lines[1], correction="")
    old = replace(page, lines=page.lines[:1], left_out=(LeftOut(speck, "no text"),))
    save(Document("a.png", (old,)), tmp_path / "a.json")
    kept = keep_corrections(Document("a.png", (page,)), tmp_path / "a.json")
    assert kept.text == "first"


@pytest.mark.parametrize("data", [b"", b"{", b'{"pages": 1}'])
def test_a_damaged_json_is_replaced(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    document = Document("a.png", (page_of("first"),))
    assert keep_corrections(document, tmp_path / "a.json") == document
    assert keep_corrections(document, tmp_path / "none.json") == document


def test_another_scan_under_the_same_name_gets_no_corrections(tmp_path: Path) -> None:
    old = corrected(page_of("first", width=500), 0, "1st")
    save(Document("a.png", (old,)), tmp_path / "a.json")
    document = Document("a.png", (page_of("first", width=600),))
    assert keep_corrections(document, tmp_path / "a.json") == document


# --- and the catalogue


def correct(out: Path, text: str) -> None:
    """Correct the first line of a.json as a person does with an editor."""
    document = load_document(out / "a.json")
    first, *others = document.pages
    save(replace(document, pages=(corrected(first, 0, text), *others)), out / "a.json")


def found(query: str, out: Path) -> list[str]:
    return [hit.snippet for hit in search(query, out)]


def test_the_next_run_finds_what_was_corrected_and_writes_it_in_all_formats(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "txt"))
    correct(out, "page of sixty roses")
    plan, _ = read_into(out, [source], formats=("json", "txt"))
    assert plan == "1 whose JSON was changed, for example by corrections"
    assert found("roses", out) == ["page of sixty roses"]
    assert found("rows", out) == []
    (hit,) = search("roses", out)
    assert hit.box.x0 == 150  # the fourth of four words on a page of 200 pixels
    assert (out / "a.txt").read_text() == "page of sixty roses\n"
    # Taken back, the reading is found again.
    correct(out, "page of 60 rows")
    read_into(out, [source], formats=("json", "txt"))
    assert found("rows", out) == ["page of 60 rows"] and found("roses", out) == []


def test_a_run_after_one_that_wrote_corrections_finds_nothing_to_do(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    correct(out, "roses")
    read_into(out, [source], formats=("json",))
    plan, _ = read_into(out, [source], formats=("json",))
    assert plan == "1 unchanged"


def test_what_was_corrected_is_found_when_the_file_was_read_again(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.tif", 60, 70), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    correct(out, "sixty roses")
    read_into(out, [source], formats=("json",), again=True)
    assert found("roses", out) == ["sixty roses"]
    assert found("rows", out) == ["page of 70 rows"]


def test_a_line_that_was_deleted_costs_the_one_below_it_nothing(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    document = load_document(out / "a.json")
    (line,) = document.pages[0].lines
    twice = moved(line, 0, 1)
    with_both = replace(document.pages[0], lines=(line,), left_out=(LeftOut(twice, "no text"),))
    gone = replace(with_both, left_out=(LeftOut(replace(twice, correction=""), "no text"),))
    with Catalogue.open_to_correct(out) as catalogue:
        catalogue.replace_pages(1, [with_both])
    save(replace(document, pages=(gone,)), out / "a.json")
    correct(out, "roses")
    read_into(out, [source], formats=("json",))
    assert load_document(out / "a.json").text == "roses"


def test_all_formats_have_a_correction_after_a_run_that_asks_for_another(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "alto"))
    correct(out, "page of sixty roses")
    plan, _ = read_into(out, [source])
    assert plan == "1 read, but without these results"
    assert (out / "a.txt").read_text() == "page of sixty roses\n"
    assert load_document(out / "a.alto.xml").text == "page of sixty roses"
    assert load_document(out / "a.json").pages[0].lines[0].text == "page of 60 rows"
    assert read_into(out, [source], formats=("json", "alto"))[0] == "1 unchanged"


def test_a_format_that_was_removed_is_not_written_again(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "alto", "tsv"), overlay=True)
    (out / "a.alto.xml").unlink()
    correct(out, "roses")
    drawn = (out / "a.overlay.jpg").stat().st_mtime_ns
    read_into(out, [source])
    assert not (out / "a.alto.xml").exists()
    assert "roses" in (out / "a.tsv").read_text()
    assert (out / "a.overlay.jpg").stat().st_mtime_ns > drawn


def test_a_format_that_could_not_be_written_has_the_correction_after_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "alto"))
    correct(out, "roses")
    move = os.replace

    def full(part: Path, path: Path) -> None:
        if path.name == "a.alto.xml":
            raise OSError(28, "No space left on device")
        move(part, path)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        _, (step,) = read_into(out, [source])
    assert step.error and not step.written
    read_into(out, [source])
    assert load_document(out / "a.alto.xml").text == "roses"


def test_a_correction_before_the_json_is_replaced_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json", "alto"))
    texts = ["page of sixty lilies", "page of sixty roses"]

    def then_corrected(document: Document, path: Path) -> Document:
        kept = keep_corrections(document, path)
        if texts:
            correct(out, texts.pop(0))
        return kept

    monkeypatch.setattr(folder_module, "keep_corrections", then_corrected)
    _, (step,) = read_into(out, [source], formats=("txt", "json"), again=True)
    assert step.document and step.document.text == "page of sixty roses"
    assert load_document(out / "a.json").text == "page of sixty roses"
    assert load_document(out / "a.alto.xml").text == "page of sixty roses"
    assert (out / "a.txt").read_text() == "page of sixty roses\n"
    assert found("roses", out) == ["page of sixty roses"] and found("lilies", out) == []
    assert read_into(out, [source], formats=("txt", "json"))[0] == "1 unchanged"


def test_a_correction_while_the_other_formats_are_written_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"

    def then_corrected(*args: Any) -> Any:
        yield from write_results(*args)
        correct(out, "roses")

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_results", then_corrected)
        read_into(out, [source], formats=("txt", "json"))
    assert load_document(out / "a.json").text == "roses"
    plan, _ = read_into(out, [source])
    assert plan == "1 whose JSON was changed, for example by corrections"
    assert (out / "a.txt").read_text() == "roses\n"


@pytest.mark.parametrize("time", [1, 4_000_000_000])
def test_a_json_that_only_has_another_time_is_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: int
) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    os.utime(out / "a.json", (time, time))
    assert read_into(out, [source], formats=("json",))[0] == "1 unchanged"
    with monkeypatch.context() as patch:  # the next run does not even look into it
        patch.delattr(Content, "of")
        assert read_into(out, [source], formats=("json",))[0] == "1 unchanged"
    correct(out, "roses")
    os.utime(out / "a.json", (time + 1, time + 1))
    assert "corrections" in read_into(out, [source], formats=("json",))[0]


def test_a_catalogue_without_the_table_of_json_files_gets_it(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    with closing(sqlite3.connect(out / "ocrkit.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE json_files")
    assert "corrections" in read_into(out, [source], formats=("json",))[0]
    assert read_into(out, [source], formats=("json",))[0] == "1 unchanged"


def test_a_json_outside_of_an_output_folder_is_in_no_catalogue(tmp_path: Path) -> None:
    index_corrections(tmp_path / "a.json", [(page_of("first"), page_of("second"))])
    assert list(tmp_path.iterdir()) == []


# --- one by one, with the review


SURE = ReadOptions(detector=OneLine(), recognizer=HeightReader(confidence=1.0))


def test_a_correction_of_an_old_reading_goes_into_the_new_one(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    read_into(out, [source], options=SURE)  # the JSON keeps the old reading
    Corrections(out / "a.json").correct("sixty roses")
    assert found("roses", out) == ["sixty roses"] and found("rows", out) == []
    read_into(out, [source], options=SURE)
    (line,) = load_document(out / "a.json").pages[0].lines
    assert (line.text, line.correction, line.confidence) == ("page of 60 rows", "sixty roses", 1.0)
    assert (out / "a.txt").read_text() == "sixty roses\n"


def test_a_correction_during_a_run_does_not_count_as_a_reading(tmp_path: Path) -> None:
    source, out = scan(tmp_path / "a.tif", 60, 70), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    with Catalogue.open_for_run(out) as catalogue:
        catalogue.forget_pages(1)
        catalogue.add_failed_page(1, 2, "damaged")
    review = Corrections(out / "a.json")
    review.correct("sixty roses")
    review.correct("seventy roses")
    with Catalogue.open_to_read(out) as catalogue:
        assert catalogue.known_pages(1) == frozenset()
        assert catalogue.page_errors(1) == {2: "damaged"}


def test_an_outline_that_was_drawn_again_stays_when_other_formats_are_written(
    tmp_path: Path,
) -> None:
    source, out = scan(tmp_path / "a.png", 60), tmp_path / "out"
    read_into(out, [source], formats=("json",))
    review = Corrections(out / "a.json")
    outline = ((0.0, 0.0), (150.0, 0.0), (150.0, 20.0), (0.0, 20.0))
    review.redraw(outline, Reading("twenty rosse", 0.5))
    review.correct("twenty roses")
    assert found("roses", out) == ["twenty roses"]
    read_into(out, [source], formats=("json", "txt"))
    (line,) = load_document(out / "a.json").pages[0].lines
    assert (line.text, line.correction, line.polygon) == ("twenty rosse", "twenty roses", outline)
    assert (out / "a.txt").read_text() == "twenty roses\n"
