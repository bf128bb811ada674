from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ocrkit.archive.formats import FORMATS, save
from ocrkit.document import Block, Box, Document, LeftOut, Line, Page, Word
from ocrkit.errors import OutputError

GOLDEN = Path(__file__).parents[1] / "golden"


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
)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_bytes_are_those_agreed_on(name: str, tmp_path: Path) -> None:
    path = save(DOCUMENT, tmp_path / f"document.{name}")
    assert path.read_bytes() == (GOLDEN / f"document.{name}").read_bytes()


def test_every_format_has_its_golden_file() -> None:
    assert {path.suffix[1:] for path in GOLDEN.glob("document.*")} == set(FORMATS)


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


@pytest.mark.parametrize("name", ["d.docx", "d"])
def test_an_unknown_format_is_answered_with_the_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the suffix is one of txt, json"):
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
