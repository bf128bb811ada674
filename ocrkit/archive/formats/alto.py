"""ALTO 4.4, the format of libraries; written here, and read in versions 2 to 4.

Specification: https://www.loc.gov/standards/alto/
"""

from __future__ import annotations

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats.placing import Point, baseline, words_of, xml_text
from ocrkit.document import Box, Document, Line, Page, Word

_ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"


def to_alto(document: Document) -> bytes:
    """XML in UTF-8, in whole pixels; the pages should be of one image."""
    make = ElementMaker(namespace=_ALTO, nsmap={None: _ALTO, "xsi": _XSI})
    name, _, version = (document.reader or "ocrkit").partition(" ")
    software = make.processingSoftware(make.softwareName(xml_text(name)))
    if version:
        software.append(make.softwareVersion(xml_text(version)))
    root = make.alto(
        {f"{{{_XSI}}}schemaLocation": f"{_ALTO} {_SCHEMA}", "SCHEMAVERSION": "4.4"},
        make.Description(
            make.MeasurementUnit("pixel"),
            make.sourceImageInformation(make.fileName(xml_text(document.source))),
            make.Processing(make.processingCategory("contentGeneration"), software, ID="ocr"),
        ),
        make.Layout(*(_page(make, page) for page in document.pages)),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _page(make: ElementMaker, page: Page) -> etree._Element:
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    name = f"page_{page.number}"
    space = make.PrintSpace({"HPOS": "0", "VPOS": "0", **size})
    if page.lines:
        around = Box.around(point for line in page.lines for point in line.polygon)
        lines = [_line(make, line, f"{name}_line_{i}") for i, line in enumerate(page.lines, 1)]
        space.append(make.TextBlock(*lines, {"ID": f"{name}_block_1", **_place(around)}))
    attributes = {"ID": name, "PHYSICAL_IMG_NR": str(page.number), **size}
    if page.lines:
        attributes["PC"] = f"{page.confidence:.4f}"
    return make.Page(space, attributes)


def _line(make: ElementMaker, line: Line, name: str) -> etree._Element:
    shape = make.Shape(make.Polygon(POINTS=_points(line.polygon)))
    attributes = {"ID": name, **_place(line.box), "BASELINE": _points(baseline(line))}
    element = make.TextLine(shape, attributes)
    before: Word | None = None
    # A line must have a String, with text or without.
    words = words_of(line) or (Word("", line.confidence, line.box),)
    for k, word in enumerate(words, start=1):
        if before is not None:
            gap = max(round(word.box.x0) - round(before.box.x1), 0)
            space = {"WIDTH": gap, "HPOS": round(before.box.x1), "VPOS": round(word.box.y0)}
            element.append(make.SP({key: str(value) for key, value in space.items()}))
        text = {"ID": f"{name}_string_{k}", "CONTENT": xml_text(word.text), **_place(word.box)}
        element.append(make.String({**text, "WC": f"{word.confidence:.4f}"}))
        before = word
    return element


def _place(box: Box) -> dict[str, str]:
    left, top = round(box.x0), round(box.y0)
    sides = {"HPOS": left, "VPOS": top, "WIDTH": round(box.x1) - left}
    sides["HEIGHT"] = round(box.y1) - top
    return {name: str(value) for name, value in sides.items()}


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{round(x)},{round(y)}" for x, y in points)
