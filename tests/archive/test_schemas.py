"""Exports of every sample against the schemas of their formats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from ocrkit import load_document, read_document, save
from ocrkit.archive.formats import FORMATS
from ocrkit.document import Document

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(p for p in (ROOT / "data" / "samples").iterdir() if p.suffix != ".txt")
SCHEMAS = ROOT.parent / "shared" / "schemas"


@cache
def read(sample: Path) -> Document:
    return read_document(sample)


def matches(schema: str) -> Callable[[Path], None]:
    if not SCHEMAS.is_dir():
        pytest.skip(f"the schemas of ALTO and PAGE are not ours to ship, and not in {SCHEMAS}")
    checker = etree.XMLSchema(etree.parse(SCHEMAS / schema))
    return lambda path: checker.assertValid(etree.parse(path))


def is_hocr(path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # the package is from 2020
        from hocr_spec.validate import HocrValidator

        report = HocrValidator("standard").validate(str(path))
    assert [str(item) for item in report.items if item.level in ("ERROR", "FATAL")] == []


CHECKS: dict[str, Callable[[], Callable[[Path], None]]] = {
    "alto": lambda: matches("alto-4-4.xsd"),
    "page": lambda: matches("page-2019-07-15.xsd"),
    "hocr": lambda: is_hocr,
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_valid_and_comes_back(name: str, sample: Path, tmp_path: Path) -> None:
    check, document = CHECKS[name](), read(sample)
    file = save(document, tmp_path / f"a{FORMATS[name].suffix}")
    check(file)
    # Only PAGE holds which lines are in one row of a table.
    assert load_document(file).text.split() == document.text.split()
    if name == "page":
        tables = [page.tables for page in document.pages]
        assert [page.tables for page in load_document(file).pages] == tables


@pytest.mark.parametrize("name", CHECKS)
def test_a_blank_page_is_valid(name: str, tmp_path: Path) -> None:
    check, document = CHECKS[name](), read(SAMPLES[0])
    blank = Document(document.source, (type(document.pages[0])(100, 100, ()),))
    file = save(blank, tmp_path / f"a{FORMATS[name].suffix}")
    check(file)
    assert load_document(file).pages == blank.pages


def test_the_check_of_hocr_finds_faults(tmp_path: Path) -> None:
    file = save(read(SAMPLES[0]), tmp_path / "a.hocr")
    file.write_text(file.read_text("utf-8").replace("bbox ", "box "), "utf-8")
    with pytest.raises(AssertionError):
        is_hocr(file)
