"""Own pages: what is read of them, and what is refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocrkit.archive.formats import save
from ocrkit.detection.lines import page_scale
from ocrkit.detection.maps import encode
from ocrkit.document import Document, Line, Page
from ocrkit.errors import OcrkitError
from ocrkit.training.pages import own_sheets


def test_own_documents_become_training_pages(tmp_path: Path, bars) -> None:
    sheet = bars()
    Image.fromarray(sheet.scan).save(tmp_path / "scan.png")
    lines = tuple(
        Line(tuple(map(tuple, polygon.tolist())), text, 1.0)
        for polygon, text in zip(sheet.polygons, sheet.texts, strict=True)
    )
    # The document was read in another place, and has moved together with its scan.
    save(Document("elsewhere/scan.png", (Page(128, 96, lines),)), tmp_path / "scan.json")
    (own,) = own_sheets(tmp_path)
    scale = page_scale(sheet.scan)
    assert own.texts == sheet.texts
    assert own.scan.shape == tuple(round(scale * side) for side in sheet.scan.shape)
    for mine, theirs in zip(own.polygons, sheet.polygons, strict=True):
        np.testing.assert_allclose(mine, scale * theirs, atol=0.1)


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OcrkitError, match="--format json"):
        own_sheets(tmp_path)
    (tmp_path / "notes.json").write_text("[1, 2]")
    with pytest.raises(OcrkitError, match="notes.json is not a document"):
        own_sheets(tmp_path)


UPRIGHT = Line(((10, 10), (90, 12), (90, 30), (10, 28)), "upright", 1.0)
TURNED = Line(((10, 90), (12, 10), (30, 10), (28, 90)), "on its side", 1.0)
PAGE = Page(128, 96, (UPRIGHT,))


@pytest.fixture
def scan(tmp_path: Path, bars) -> Path:
    Image.fromarray(bars().scan).save(tmp_path / "scan.png")
    return tmp_path / "scan.png"


def moved(line: Line, x: float, y: float) -> Line:
    return replace(line, polygon=tuple((a + x, b + y) for a, b in line.polygon))


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ((PAGE, replace(PAGE, number=2)), "scan.json has 2 pages, but .*scan.png has 1"),
        ((), "scan.json has 0 pages"),
        ((replace(PAGE, lines=(UPRIGHT, TURNED)),), "page 1: .* turn the scan upright"),
        ((replace(PAGE, number=7),), "page 1: it says that it is page 7"),
        ((replace(PAGE, width=96, height=128),), "page 1: it has 96 x 128 .* scan 128 x 96"),
        ((replace(PAGE, lines=(moved(UPRIGHT, 50, 0),)),), "page 1: a line lies outside"),
        ((replace(PAGE, lines=(moved(UPRIGHT, 0, -20),)),), "page 1: a line lies outside"),
        ((replace(PAGE, lines=(moved(UPRIGHT, 0, 1e300),)),), "page 1: a line lies outside"),
    ],
)
def test_documents_that_do_not_fit_their_scan_are_refused(tmp_path, scan, pages, message) -> None:
    save(Document("scan.png", pages), tmp_path / "scan.json")
    with pytest.raises(OcrkitError, match=message):
        own_sheets(tmp_path)


def test_a_line_may_reach_a_little_beyond_its_page(tmp_path: Path, scan: Path) -> None:
    save(
        Document("scan.png", (replace(PAGE, lines=(moved(UPRIGHT, -14, 0),)),)),
        scan.with_suffix(".json"),
    )
    assert len(own_sheets(tmp_path)) == 1


@pytest.mark.parametrize("source", ["gone.png", "", "/", "..", "a\0b.png", "n" * 5000, "\ud800"])
def test_a_scan_that_is_not_there_is_named(tmp_path: Path, source: str) -> None:
    document = Document(source, (PAGE,)).to_dict()
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(OcrkitError, match="a.json: its scan .* is neither there") as raised:
        own_sheets(tmp_path)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"source": 5, "pages": []}', "source must be a text, not 5"),
        ("[" * 100_000, "nested too deeply"),
        ("", "Expecting value"),
        (b"\xff\xfe\xfd", "can't decode"),
    ],
)
def test_what_is_no_document_is_named_with_the_reason(tmp_path: Path, content, reason) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(OcrkitError, match=f"a.json is not a document.*: .*{reason}") as raised:
        own_sheets(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_folder_and_a_pipe_with_the_name_of_a_document_are_refused(tmp_path: Path) -> None:
    for make in (Path.mkdir, os.mkfifo):
        make(tmp_path / "a.json")
        with pytest.raises(OcrkitError, match="a.json is not a document.*: it is not a file"):
            own_sheets(tmp_path)
        (tmp_path / "a.json").rename(tmp_path / make.__name__)


# --- whatever the JSON is: read, or refused in one line


def read_or_refused(folder: Path, data: bytes) -> None:
    (folder / "a.json").write_bytes(data)
    try:
        sheets = own_sheets(folder)
    except OcrkitError as error:
        assert len(str(error).splitlines()) == 1
        return
    for sheet in sheets:
        assert np.isfinite(encode(sheet.polygons, sheet.scan.shape)).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bars) -> Path:
    folder = tmp_path_factory.mktemp("own")
    Image.fromarray(bars().scan).save(folder / "scan.png")
    return folder


VALID = json.dumps(Document("scan.png", (PAGE,)).to_dict())
numbers = st.integers(-200, 200) | st.floats() | st.sampled_from([0, 1, 10**400, 1e300])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(data=st.binary(max_size=60))
def test_any_bytes(folder: Path, data: bytes) -> None:
    read_or_refused(folder, data)


@given(data=st.data())
def test_any_change_of_the_bytes_of_a_document(folder: Path, data) -> None:
    content = bytearray(VALID.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    read_or_refused(folder, bytes(content))


@given(points=st.lists(st.tuples(numbers, numbers), min_size=3, max_size=8))
def test_any_polygon(folder: Path, points) -> None:
    document = json.loads(VALID)
    document["pages"][0]["lines"][0]["polygon"] = points
    read_or_refused(folder, json.dumps(document).encode())


@given(key=st.sampled_from(["number", "width", "height", "seconds", "lines"]), value=json_values)
def test_any_value_of_a_page(folder: Path, key: str, value: object) -> None:
    document = json.loads(VALID)
    document["pages"][0][key] = value
    read_or_refused(folder, json.dumps(document).encode())


@given(source=st.text(max_size=8))
def test_any_source(folder: Path, source: str) -> None:
    read_or_refused(folder, json.dumps(json.loads(VALID) | {"source": source}).encode())
