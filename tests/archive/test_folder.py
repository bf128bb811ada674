from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ocrkit import files
from ocrkit.archive import catalogue as catalogue_module
from ocrkit.archive import tasks
from ocrkit.archive.catalogue import Catalogue
from ocrkit.archive.folder import OWN, FolderRun
from ocrkit.archive.results import Output
from ocrkit.archive.search import search
from ocrkit.errors import CatalogueError
from ocrkit.pipeline import ReadOptions
from tests.archive.helpers import OPTIONS, HeightReader, OneLine, read_into, scan


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read_pages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The pages that are read, and not taken from the catalogue."""
    seen: list[tuple[str, int]] = []
    page = tasks.PageReader._page

    def watched(self: tasks.PageReader, source: Path, number: int) -> Any:
        seen.append((source.name, number))
        return page(self, source, number)

    monkeypatch.setattr(tasks.PageReader, "_page", watched)
    return seen


def results(folder: str = "out") -> dict[str, str]:
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.name not in OWN)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def test_a_second_run_reads_what_is_new_changed_or_failed(
    read_pages: list[tuple[str, int]],
) -> None:
    sources = [scan("a.png", 50), scan("b.png", 60), Path("c.png")]
    Path("c.png").write_text("no image")
    assert read_into("out", sources)[0] == "3 new"
    read_pages.clear()
    scan("b.png", 70)
    scan("c.png", 80)
    plan, steps = read_into("out", [*sources, scan("d.png", 90)])
    assert plan == "1 new, 1 changed, 1 failed before, 1 unchanged"
    assert sorted(read_pages) == [("b.png", 1), ("c.png", 1), ("d.png", 1)]
    assert all(step.written and not step.error for step in steps)
    assert results() == {
        f"{name}.txt": f"page of {rows} rows\n"
        for name, rows in (("a", 50), ("b", 70), ("c", 80), ("d", 90))
    }


def test_a_touched_file_of_the_same_content_is_not_read(read_pages: list[tuple[str, int]]) -> None:
    sources = [scan("a.png")]
    read_into("out", sources)
    read_pages.clear()
    os.utime("a.png", (1, 1))
    assert read_into("out", sources)[0] == "1 changed"
    assert read_pages == []
    assert read_into("out", sources)[0] == "1 unchanged"


def test_a_copy_of_a_file_takes_its_pages(read_pages: list[tuple[str, int]]) -> None:
    read_into("out", [scan("a.tif", 50, 60)])
    read_pages.clear()
    Path("b.tif").write_bytes(Path("a.tif").read_bytes())
    read_into("out", [Path("b.tif")])
    assert read_pages == []
    assert results()["b.txt"] == "page of 50 rows\fpage of 60 rows\n"
    assert {hit.file for hit in search("rows", "out")} == {"a.tif", "b.tif"}


def test_other_settings_and_again_read_everything(read_pages: list[tuple[str, int]]) -> None:
    sources = [scan("a.tif", 50, 60)]
    read_into("out", sources)
    other = ReadOptions(detector=OneLine(), recognizer=HeightReader(confidence=0.7))
    assert read_into("out", sources, options=other)[0] == "1 read with other settings or weights"
    assert read_into("out", sources, options=other, again=True)[0] == "1 to be read again"
    assert len(read_pages) == 6
    assert len(search("page", "out")) == 2


def test_changed_weights_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "w.xml").write_text("1")
    monkeypatch.setattr(catalogue_module, "WEIGHTS", weights)
    sources = [scan("a.png")]
    read_into("out", sources)
    (weights / "w.xml").write_text("2")
    assert "other settings or weights" in read_into("out", sources)[0]
    own = tmp_path / "mine.xml"
    own.write_text("3")
    before = catalogue_module.fingerprint(ReadOptions(recognizer=own))
    own.with_suffix(".bin").write_text("4")
    assert catalogue_module.fingerprint(ReadOptions(recognizer=own)) != before


def test_another_format_and_lost_results_are_written_without_reading(
    read_pages: list[tuple[str, int]],
) -> None:
    sources = [scan("a.png")]
    read_into("out", sources)
    read_pages.clear()
    assert "without these results" in read_into("out", sources, formats=("txt", "json"))[0]
    assert sorted(results()) == ["a.json", "a.txt"]
    Path("out/a.txt").unlink()
    assert "without these results" in read_into("out", sources)[0]
    assert sorted(results()) == ["a.json", "a.txt"]
    assert read_pages == []


def test_a_run_that_was_stopped_goes_on_with_the_next_page(
    read_pages: list[tuple[str, int]],
) -> None:
    sources = [scan("a.tif", 50, 60, 70)]
    page = tasks.PageReader.__call__

    def stopped(self: tasks.PageReader, task: tasks.Task) -> tasks.Outcome:
        if task.number == 3:
            raise KeyboardInterrupt
        return page(self, task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.PageReader, "__call__", stopped)
        with pytest.raises(KeyboardInterrupt):
            read_into("out", sources)
    assert results() == {}
    Path("out/.a.txt.123-456.part").write_text("half of a resu")
    read_pages.clear()
    assert read_into("out", sources)[0] == "1 begun before"
    assert read_pages == [("a.tif", 3)]
    assert results() == {"a.txt": "page of 50 rows\fpage of 60 rows\fpage of 70 rows\n"}


def test_only_the_failed_pages_of_a_file_are_read_again(read_pages: list[tuple[str, int]]) -> None:
    sources = [scan("a.tif", 50, 60, 70)]

    class Detector(OneLine):
        def __call__(self, page: Any) -> Any:
            if page.shape[0] == 60:
                raise ZeroDivisionError("by zero")
            return super().__call__(page)

    broken = ReadOptions(detector=Detector(), recognizer=HeightReader())
    whole = ReadOptions(detector=OneLine(), recognizer=HeightReader())
    _, (step,) = read_into("out", sources, options=broken)
    error = "a.tif: cannot be read: ZeroDivisionError by zero (pages read: 2, not read: 2)"
    assert step.error == error
    assert step.written and step.document and len(step.document.pages) == 2
    read_pages.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Detector, "__call__", OneLine.__call__)
        plan, (step,) = read_into("out", sources, options=broken)
    assert (plan, step.error, read_pages) == ("1 failed before", None, [("a.tif", 2)])
    assert results()["a.txt"].count("rows") == 3
    assert read_into("out", sources, options=whole)[0].startswith("1 read with other settings")


def test_results_of_two_runs_never_have_the_same_name() -> None:
    read_into("out", [scan("a.png", 50)])
    read_into("out", [scan("a.jpg", 60)])
    read_into("out", [scan("deeper/a.png", 70)], [Path("deeper/a.png")])
    read_into("out", [scan("A.PNG", 80)])
    assert sorted(results().values()) == [f"page of {rows} rows\n" for rows in (50, 60, 70, 80)]
    assert results()["a.txt"] == "page of 50 rows\n"
    read_into("out", [scan("a.png", 90)])
    assert results()["a.txt"] == "page of 90 rows\n"


@pytest.mark.parametrize("name", ["..png", "...png", ".. .png", "-.png", "....jpg"])
def test_nothing_is_written_outside_of_the_folder(name: str) -> None:
    read_into("x/o" if Path("x").mkdir() else "x/o", [scan(name)])
    assert [path for path in Path(".").rglob("*.txt") if Path("x/o") not in path.parents] == []
    assert len(results("x/o")) == 1


def test_no_result_takes_the_place_of_a_scan() -> None:
    scans = [scan("s/a.tif", 50), scan("s/a.txt", 60)]  # a PNG with a wrong suffix
    read_into("s", scans, [Path("s")])
    assert Path("s/a.txt").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.read_text() for p in Path("s").glob("*.txt") if p.name != "a.txt") == [
        "page of 50 rows\n",
        "page of 60 rows\n",
    ]


def test_results_beside_the_scans_are_not_read_in_the_next_run() -> None:
    sources = [scan("s/a.png")]
    read_into("s", sources, [Path("s")], overlay=True)
    found = [Path("s/a.png"), Path("s/a.overlay.jpg")]
    assert read_into("s", found, [Path("s")], overlay=True)[0] == "1 unchanged"


def test_a_second_run_into_the_same_folder_at_once_is_told_so() -> None:
    Path("out").mkdir()
    with (
        Catalogue.open_for_run(Path("out")),
        pytest.raises(CatalogueError, match="out: another run is at work in this folder"),
    ):
        read_into("out", [scan("a.png")])
    assert read_into("out", [scan("a.png")])[0] == "1 new"


def test_a_vanished_file_is_one_line_and_its_old_results_stay() -> None:
    sources = [scan("a.png", 50), scan("b.png", 60)]
    read_into("out", sources)
    Path("a.png").unlink()
    _, (step,) = read_into("out", sources)
    assert step.error == "a.png: No such file or directory"
    assert results()["a.txt"] == "page of 50 rows\n"
    assert [hit.file for hit in search("50", "out")] == ["a.png"]


def test_files_that_vanish_in_the_middle_of_a_run_are_one_line_each() -> None:
    sources = [scan("a.png", 50), scan("b.png", 60), scan("c.tif", 70, 80), scan("d.png", 90)]
    Path("out").mkdir()
    errors = []
    with FolderRun.into(Path("out"), sources, sources, OPTIONS, Output()) as run:
        for step in run.steps():
            Path("b.png").unlink(missing_ok=True)
            if step.file and step.file.name == "c.tif":
                Path("d.png").unlink(missing_ok=True)
            errors += [step.error] if step.error else []
    assert errors == ["b.png: No such file or directory", "d.png: No such file or directory"]
    assert sorted(results()) == ["a.txt", "c.txt"]


def test_a_result_that_cannot_be_written_is_one_line_and_written_by_the_next_run(
    read_pages: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [scan("a.png", 50), scan("b.png", 60)]
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == "a.txt":
            raise OSError(28, "No space left on device")
        replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        _, steps = read_into("out", sources)
    assert [step.error for step in steps] == [
        "out/a.txt: cannot be written: No space left on device",
        None,
    ]
    assert [step.written for step in steps] == [False, True]
    read_pages.clear()
    assert read_into("out", sources)[0] == "1 failed before, 1 unchanged"
    assert sorted(results()) == ["a.txt", "b.txt"]
    assert read_pages == []


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_damaged_catalogue_is_one_line_with_what_to_do(content: bytes) -> None:
    Path("out").mkdir()
    Path("out/ocrkit.db").write_bytes(content)
    with pytest.raises(CatalogueError, match=r"out/ocrkit.db: .*move it away") as error:
        read_into("out", [scan("a.png")])
    assert len(str(error.value).splitlines()) == 1


def test_the_catalogue_of_a_later_version_is_left_alone() -> None:
    read_into("out", [scan("a.png")])
    with sqlite3.connect("out/ocrkit.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = Path("out/ocrkit.db").read_bytes()
    with pytest.raises(CatalogueError, match="not a catalogue of this version"):
        read_into("out", [scan("a.png")])
    assert Path("out/ocrkit.db").read_bytes() == before


def test_a_name_that_is_no_utf_8_has_results_and_is_found() -> None:
    name = os.fsdecode(b"m\xe9.png")
    read_into("out", [scan(name, 50)])
    assert read_into("out", [Path(name)])[0] == "1 unchanged"
    assert list(results()) == [os.fsdecode(b"m\xe9.txt")]
    assert [hit.file for hit in search("50", "out")] == [name]


def test_the_file_is_as_sure_as_its_lines() -> None:
    read_into("out", [scan("a.tif", 50, 60)], options=OPTIONS)
    with Catalogue.open_to_read(Path("out")) as catalogue:
        (file,) = catalogue.files()
    assert (file.state, file.count, file.pages, file.error) == ("read", 2, 2, None)
    assert file.confidence == pytest.approx(0.95)
    assert file.seconds is not None and file.seconds > 0
    assert file.reader and file.reader.startswith("ocrkit ")


def pdf_with_text(path: str, *texts: str) -> Path:
    from fpdf import FPDF

    pdf = FPDF(unit="pt", format=(200, 100))
    pdf.set_font("helvetica", size=12)
    for text in texts:
        pdf.add_page()
        if text:
            pdf.text(20, 50, text)
    pdf.output(path)
    return Path(path)


def test_pages_that_are_to_be_skipped_are_neither_read_nor_missing(
    read_pages: list[tuple[str, int]],
) -> None:
    source = pdf_with_text("a.pdf", "", "text", "text", "", "text")
    options = ReadOptions(
        detector=OneLine(), recognizer=HeightReader(), pages_with_text="skip", decoder="greedy"
    )
    _, (step,) = read_into("out", [source], options=options)
    assert step.error is None and step.document
    assert [page.number for page in step.document.pages] == [1, 4]
    assert read_into("out", [source], options=options)[0] == "1 unchanged"
    with Catalogue.open_to_read(Path("out")) as catalogue:
        assert [row.state for row in catalogue.page_rows()].count("skipped") == 3


def test_a_pdf_that_has_text_on_every_page_is_an_empty_document_when_that_is_skipped() -> None:
    options = ReadOptions(detector=OneLine(), recognizer=HeightReader(), pages_with_text="skip")
    _, (step,) = read_into("out", [pdf_with_text("a.pdf", "text")], options=options)
    assert (step.error, step.written) == (None, True)
    assert results() == {"a.txt": "\n"}
