"""PAGE XML of 2019-07-15, the format of OCR-D and Transkribus; read in all its versions.

Specification: https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats.placing import Point, baseline, words_of, xml_text
from ocrkit.archive.formats.xml import (
    box_around,
    children,
    corners,
    descendants,
    first_text,
    image_path,
    mean,
    number,
    page_of,
    points,
    share,
    whole_words,
)
from ocrkit.document import Box, Document, Line, Page, Word

_PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_REGIONS = ("TextRegion", "TableRegion", "AdvertRegion", "CustomRegion", "MapRegion")
_GROUPS = ("OrderedGroup", "UnorderedGroup", "OrderedGroupIndexed", "UnorderedGroupIndexed")
_REFERENCES = ("RegionRef", "RegionRefIndexed")
_INDEX = re.compile(r"readingOrder\s*\{[^}]*?index\s*:\s*(\d{1,9})")
_IMAGE_PAGE = re.compile(r"imagePage\s*\{number:(\d{1,6});")
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def to_page(document: Document) -> bytes:
    """XML in UTF-8, in whole pixels; raises ValueError if the document has not exactly one page.

    The date in it is now, or that of the environment variable SOURCE_DATE_EPOCH.
    """
    (page,) = document.pages
    make = ElementMaker(namespace=_PAGE, nsmap={None: _PAGE, "xsi": _XSI})
    root = make.PcGts(
        {f"{{{_XSI}}}schemaLocation": f"{_PAGE} {_PAGE}/pagecontent.xsd"},
        make.Metadata(
            make.Creator(xml_text(document.reader or "ocrkit")),
            make.Created(_now()),
            make.LastChange(_now()),
        ),
        _page(make, page, document.source),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _now() -> str:
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    time = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else datetime.now(UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(make: ElementMaker, page: Page, source: str) -> etree._Element:
    attributes = {"imageFilename": xml_text(source)}
    attributes |= {"imageWidth": str(page.width), "imageHeight": str(page.height)}
    if page.number > 1:
        attributes["custom"] = f"imagePage {{number:{page.number};}}"
    if page.dpi:
        attributes |= {"imageXResolution": f"{page.dpi:g}", "imageYResolution": f"{page.dpi:g}"}
        attributes |= {"imageResolutionUnit": "PPI"}
    element = make.Page(attributes)
    if not page.lines:
        return element
    element.append(
        make.ReadingOrder(
            make.OrderedGroup(make.RegionRefIndexed(index="0", regionRef="region_1"), id="order")
        )
    )
    around = corners(Box.around(point for line in page.lines for point in line.polygon))
    lines = [_line(make, line, f"line_{i}", page) for i, line in enumerate(page.lines, start=1)]
    text = make.TextEquiv(make.Unicode(xml_text(page.text)))
    region = make.TextRegion(make.Coords(points=_points(around, page)), *lines, text, id="region_1")
    element.append(region)
    return element


def _line(make: ElementMaker, line: Line, name: str, page: Page) -> etree._Element:
    words = [
        make.Word(
            make.Coords(points=_points(corners(word.box), page)),
            _text(make, word.text, word.confidence),
            id=f"{name}_word_{k}",
        )
        for k, word in enumerate(words_of(line), start=1)
    ]
    return make.TextLine(
        make.Coords(points=_points(line.polygon, page)),
        make.Baseline(points=_points(baseline(line), page)),
        *words,
        _text(make, line.text, line.confidence),
        id=name,
    )


def _text(make: ElementMaker, text: str, confidence: float) -> etree._Element:
    return make.TextEquiv(make.Unicode(xml_text(text)), conf=f"{min(confidence, 1):.4f}")


def _points(points: Iterable[Point], page: Page) -> str:
    """Points "x,y x,y"; the schema has no negative numbers."""
    inside = ((min(max(x, 0), page.width), min(max(y, 0), page.height)) for x, y in points)
    return " ".join(f"{round(x)},{round(y)}" for x, y in inside)


def from_page(root: etree._Element, file: Path) -> Document:
    """The document in the root element of a PAGE file, of any version.

    Regions come in the file's reading order. Of several texts of a line the first is taken: that
    with the lowest index, or else the first in the file. The polygon of a line follows its
    baseline, or else its outline or its words; lines with none of these are left out. Raises
    ValueError for what cannot be a place on a page.
    """
    page = next(descendants(root, "Page"), None)
    if page is None:
        raise ValueError("the PAGE file has no Page")
    lines = [line for element in _ordered_lines(page) if (line := _read_line(element))]
    size = number(page.get("imageWidth")), number(page.get("imageHeight"))
    own = _IMAGE_PAGE.search(page.get("custom") or "")
    result = page_of(size, lines, max(int(own[1]), 1) if own else 1, _dpi(page))
    source = image_path(page.get("imageFilename") or "", file)
    return Document(source, (result,), first_text(root, "Creator"))


def _dpi(page: etree._Element) -> float | None:
    value = share(page.get("imageXResolution"), 1e6)
    inches = {"PPI": 1e6, "PPCM": 2.54e6}.get(page.get("imageResolutionUnit") or "")
    return round(value * inches, 2) if value and inches else None


def _ordered_lines(page: etree._Element) -> Iterator[etree._Element]:
    """The lines of a page: region by region, in the reading order that the page gives."""
    listed: dict[str, int] = {}
    for order in children(page, "ReadingOrder"):
        _number_regions(order, listed, 0)
    regions = list(children(page, *_REGIONS))
    last = len(listed)
    for region in sorted(regions, key=lambda region: listed.get(region.get("id") or "", last)):
        yield from _lines_of(region, listed)


def _number_regions(group: etree._Element, listed: dict[str, int], depth: int) -> None:
    """Number the regions that a group of the reading order names, and its groups within."""
    entries = list(children(group, *_GROUPS, *_REFERENCES))
    for entry in sorted(entries, key=lambda entry: _index(entry.get("index"))):
        if region := entry.get("regionRef"):
            listed.setdefault(region, len(listed))
        if depth < 50:  # more is no page
            _number_regions(entry, listed, depth + 1)


def _index(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 10**9


def _lines_of(region: etree._Element, listed: dict[str, int]) -> Iterator[etree._Element]:
    """The lines of a region, then those of the regions within it."""
    lines = list(children(region, "TextLine"))
    places = [int(found[1]) for line in lines if (found := _INDEX.search(line.get("custom") or ""))]
    if len(places) == len(lines):  # Transkribus and eScriptorium say it so
        pairs = sorted(zip(places, lines, strict=True), key=lambda pair: pair[0])
        lines = [line for _, line in pairs]
    yield from lines
    within = list(children(region, *_REGIONS))
    last = len(listed)
    for inner in sorted(within, key=lambda inner: listed.get(inner.get("id") or "", last)):
        yield from _lines_of(inner, listed)


def _read_line(element: etree._Element) -> Line | None:
    from ocrkit.archive.formats.outlines import line_polygon  # needs NumPy

    words = []
    for word in children(element, "Word"):
        text, confidence = _read_text(word)
        box = box_around(_coords(word))
        if box:
            words.append(Word(text, 1.0 if confidence is None else confidence, box))
    text, confidence = _read_text(element)
    if not text:
        text = " ".join(word.text for word in words)
    if confidence is None:
        confidence = mean([word.confidence for word in words])
    outline = _coords(element) or [point for word in words for point in corners(word.box)]
    base = [p for node in children(element, "Baseline") for p in _points_of(node)]
    polygon = line_polygon(outline, base, text)
    return Line(polygon, text, confidence, whole_words(words)) if polygon else None


def _read_text(element: etree._Element) -> tuple[str, float | None]:
    """The text of a line or word, and how sure it is."""
    texts = list(children(element, "TextEquiv"))
    for equivalent in sorted(texts, key=lambda equivalent: _index(equivalent.get("index"))):
        for name in ("Unicode", "PlainText"):
            if text := first_text(equivalent, name):
                return text, share(equivalent.get("conf"))
    return "", None


def _coords(element: etree._Element) -> list[Point]:
    return [point for coords in children(element, "Coords") for point in _points_of(coords)]


def _points_of(element: etree._Element) -> list[Point]:
    """Points "x,y x,y" or, in files before 2013, an element for each."""
    if element.get("points") is not None:
        return points(element.get("points"))
    found = []
    for point in children(element, "Point"):
        x, y = number(point.get("x")), number(point.get("y"))
        if x is not None and y is not None:
            found.append((x, y))
    return found
