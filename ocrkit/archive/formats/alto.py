"""ALTO 4.4, the format of libraries; written here, and read in versions 2 to 4.

Specification: https://www.loc.gov/standards/alto/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats import placing, xml
from ocrkit.archive.formats.placing import Point
from ocrkit.archive.formats.xml import number, points
from ocrkit.document import BLOCK_KINDS, Block, BlockKind, Box, Document, Line, Page, Word
from ocrkit.errors import ImageError

_ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
Tags = Mapping[str, BlockKind]  # ID of a tag -> the kind of block that it names

_UNITS = {"mm10": 254, "mm": 25.4, "inch1200": 1200}  # units to the inch, where not pixels
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"


def to_alto(document: Document) -> bytes:
    """XML in UTF-8, in whole pixels; the pages should be of one image."""
    make = ElementMaker(namespace=_ALTO, nsmap={None: _ALTO, "xsi": _XSI})
    name, _, version = (document.reader or "ocrkit").partition(" ")
    software = make.processingSoftware(make.softwareName(placing.xml_text(name)))
    if version:
        software.append(make.softwareVersion(placing.xml_text(version)))
    root = make.alto(
        {f"{{{_XSI}}}schemaLocation": f"{_ALTO} {_SCHEMA}", "SCHEMAVERSION": "4.4"},
        make.Description(
            make.MeasurementUnit("pixel"),
            make.sourceImageInformation(make.fileName(placing.xml_text(document.source))),
            make.Processing(make.processingCategory("contentGeneration"), software, ID="ocr"),
        ),
        make.Tags(*(make.LayoutTag(ID=_tag(kind), LABEL=kind) for kind in BLOCK_KINDS)),
        make.Layout(*(_page(make, page) for page in document.pages)),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _page(make: ElementMaker, page: Page) -> etree._Element:
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    name = f"page_{page.number}"
    space = make.PrintSpace({"HPOS": "0", "VPOS": "0", **size})
    for i, block in enumerate(placing.blocks_of(page), start=1):
        space.extend(_block(make, block, page, f"{name}_block_{i}"))
    attributes = {"ID": name, "PHYSICAL_IMG_NR": str(page.number), **size}
    if page.lines:
        attributes["PC"] = f"{page.confidence:.4f}"
    return make.Page(space, attributes)


def _block(make: ElementMaker, block: Block, page: Page, name: str) -> list[etree._Element]:
    """A block of text or, for a table, a block of blocks: one for each cell."""
    box = placing.box_of(block, page)
    if box is None:
        return []
    attributes = {"ID": name, "TAGREFS": _tag(block.kind), **_place(box)}
    if block.kind != "table":
        return [make.TextBlock(*_lines(make, block.lines, page, name), attributes)]
    cells = []
    for r, row in enumerate(block.rows, start=1):
        for c, cell in enumerate(row, start=1):
            if around := placing.box_of(Block("table", ((cell,),)), page):
                own = f"{name}_cell_{r}_{c}"
                lines = _lines(make, cell, page, own)
                cells.append(make.TextBlock(*lines, {"ID": own, **_place(around)}))
    return [make.ComposedBlock(*cells, {**attributes, "TYPE": "table"})]


def _tag(kind: str) -> str:
    return f"kind_{kind.replace(' ', '_')}"


def _lines(
    make: ElementMaker, numbers: Iterable[int], page: Page, name: str
) -> list[etree._Element]:
    return [_line(make, page.lines[number], f"{name}_line_{number + 1}") for number in numbers]


def _line(make: ElementMaker, line: Line, name: str) -> etree._Element:
    shape = make.Shape(make.Polygon(POINTS=_points(line.polygon)))
    attributes = {"ID": name, **_place(line.box), "BASELINE": _points(placing.baseline(line))}
    element = make.TextLine(shape, attributes)
    before: Word | None = None
    # A line must have a String, with text or without.
    words = placing.words_of(line) or (Word("", line.confidence, line.box),)
    for k, word in enumerate(words, start=1):
        if before is not None:
            gap = max(round(word.box.x0) - round(before.box.x1), 0)
            space = {"WIDTH": gap, "HPOS": round(before.box.x1), "VPOS": round(word.box.y0)}
            element.append(make.SP({key: str(value) for key, value in space.items()}))
        text = {
            "ID": f"{name}_string_{k}",
            "CONTENT": placing.xml_text(word.text),
            **_place(word.box),
        }
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


def from_alto(root: etree._Element, file: Path) -> Document:
    """The document in the root element of an ALTO file, of version 2, 3 or 4.

    The polygon of a line follows its baseline, or else its shape, its box or its words. Lines with
    none of these are left out. Raises ValueError for what cannot be a place on a page.
    """
    source = xml.image_path(xml.first_text(root, "fileName"), file)
    parts = xml.first_text(root, "softwareName"), xml.first_text(root, "softwareVersion")
    reader = " ".join(part for part in parts if part)
    unit = xml.first_text(root, "MeasurementUnit").lower()
    tags = {
        tag.get("ID") or "": kind
        for tag in xml.descendants(root, "LayoutTag", "StructureTag", "OtherTag")
        if (kind := xml.block_kind(tag.get("LABEL") or ""))
    }
    pages = []
    for i, element in enumerate(xml.descendants(root, "Page"), start=1):
        # Other programs count images, or from 0; here it is the page within the image file.
        own = reader.startswith("ocrkit") and number(element.get("PHYSICAL_IMG_NR"))
        scale = _pixels_per_unit(unit, element, source)
        pages.append(_read_page(element, int(own) if own and own >= 1 else i, scale, tags))
    return Document(source, tuple(pages), reader)


def _pixels_per_unit(unit: str, page: etree._Element, source: str) -> float:
    """By what the numbers of a page are multiplied to be pixels."""
    if unit not in _UNITS:
        return 1.0
    from ocrkit.image import ASSUMED_DPI, frames, is_pdf, open_image

    try:
        width = number(page.get("WIDTH"))
        with open_image(source) as (opened, head):
            if width and not is_pdf(head):
                return next(frames(opened, head)).size[0] / width
    except ImageError:
        pass  # the image is not there: its resolution is not known
    return ASSUMED_DPI / _UNITS[unit]


def _read_page(page: etree._Element, page_number: int, scale: float, tags: Tags) -> Page:
    lines: list[Line] = []
    blocks = []
    for element in xml.descendants(page, "TextBlock"):
        start = len(lines)
        read = (_read_line(line, scale) for line in xml.children(element, "TextLine"))
        lines += [line for line in read if line]
        if len(lines) > start:
            rows = tuple(((number,),) for number in range(start, len(lines)))
            blocks.append(Block(_kind(element, tags), rows))
    width, height = (number(page.get(name)) for name in ("WIDTH", "HEIGHT"))
    size = (width * scale if width else None, height * scale if height else None)
    return xml.page_of(size, lines, page_number, blocks=blocks)


def _kind(block: etree._Element, tags: Tags) -> BlockKind:
    """The kind that a tag of the block names; tables of ALTO have no rows, so their cells have."""
    kinds = (tags.get(name) for name in (block.get("TAGREFS") or "").split())
    return next((kind for kind in kinds if kind and kind != "table"), "paragraph")


def _read_line(element: etree._Element, scale: float) -> Line | None:
    from ocrkit.archive.formats.outlines import line_polygon  # needs NumPy

    text, words, confidences = "", [], []
    spaced = any(True for _ in xml.children(element, "SP"))
    for part in xml.children(element, "String", "SP", "HYP"):
        if xml.name_of(part) == "SP":
            text += " "
            continue
        content = part.get("CONTENT") or ""
        separate = not spaced and text and xml.name_of(part) == "String"
        text += f" {content}" if separate else content
        confidence = xml.share(part.get("WC"))
        confidences.append(confidence)
        if box := _box(part, scale):
            words.append(Word(content, 1.0 if confidence is None else confidence, box))
    text = " ".join(text.split())
    outline = [p for shape in xml.children(element, "Shape") for p in _shape(shape, scale)]
    box = _box(element, scale)
    if len(outline) < 3:
        places = [box] if box else [word.box for word in words]
        outline = list(xml.corners(_union(places))) if places else []
    polygon = line_polygon(outline, _scaled(points(element.get("BASELINE")), scale), text)
    if polygon is None:
        return None
    return Line(polygon, text, xml.mean(confidences), xml.whole_words(words))


def _union(boxes: list[Box]) -> Box:
    return Box.around(point for box in boxes for point in xml.corners(box))


def _shape(shape: etree._Element, scale: float) -> list[Point]:
    return [
        point
        for polygon in xml.descendants(shape, "Polygon")
        for point in _scaled(points(polygon.get("POINTS")), scale)
    ]


def _scaled(values: list[Point], scale: float) -> list[Point]:
    return [(x * scale, y * scale) for x, y in values]


def _box(element: etree._Element, scale: float) -> Box | None:
    names = ("HPOS", "VPOS", "WIDTH", "HEIGHT")
    left, top, width, height = (number(element.get(name)) for name in names)
    if left is None or top is None or width is None or height is None:
        return None
    right, bottom = left + max(width, 0), top + max(height, 0)
    return Box(left * scale, top * scale, right * scale, bottom * scale)
