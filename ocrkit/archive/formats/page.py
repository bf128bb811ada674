"""PAGE XML of 2019-07-15, the format of OCR-D and Transkribus; read in all its versions.

Specification: https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats.placing import Point, baseline, words_of, xml_text
from ocrkit.document import Box, Document, Line, Page

_PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
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
    around = _corners(Box.around(point for line in page.lines for point in line.polygon))
    lines = [_line(make, line, f"line_{i}", page) for i, line in enumerate(page.lines, start=1)]
    text = make.TextEquiv(make.Unicode(xml_text(page.text)))
    region = make.TextRegion(make.Coords(points=_points(around, page)), *lines, text, id="region_1")
    element.append(region)
    return element


def _line(make: ElementMaker, line: Line, name: str, page: Page) -> etree._Element:
    words = [
        make.Word(
            make.Coords(points=_points(_corners(word.box), page)),
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


def _corners(box: Box) -> tuple[Point, ...]:
    return (box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)


def _points(points: Iterable[Point], page: Page) -> str:
    """Points "x,y x,y"; the schema has no negative numbers."""
    inside = ((min(max(x, 0), page.width), min(max(y, 0), page.height)) for x, y in points)
    return " ".join(f"{round(x)},{round(y)}" for x, y in inside)
