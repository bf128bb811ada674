"""hOCR 1.2: XHTML with the places of lines and words; written here, and read from many programs.

Specification: http://kba.github.io/hocr-spec/1.2/
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats import placing, xml
from ocrkit.archive.formats.placing import Point
from ocrkit.archive.formats.xml import number
from ocrkit.document import Box, Document, Line, Page, Word

_XHTML = "http://www.w3.org/1999/xhtml"
E = ElementMaker(namespace=_XHTML, nsmap={None: _XHTML})
_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
)
_LINES = {
    *("ocr_line", "ocrx_line", "ocr_header", "ocr_footer", "ocr_caption", "ocr_textfloat"),
    *("ocr_title", "ocr_author", "ocr_pageno"),
}
_WORDS = {"ocrx_word", "ocr_word"}
# A property of a title: a name, then values, in quotes or not.
_PROPERTY = re.compile(r"""([a-z_]\w*)((?:\s*"(?:[^"\\]|\\.)*"|\s*'[^']*'|[^;"'])*)""")
_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_poly ocrp_wconf"


def to_hocr(document: Document) -> bytes:
    """XHTML in UTF-8. Boxes are in pixels of the page; `x_wconf` of a word is from 0 to 100."""
    meta = {
        "ocr-system": document.reader or "ocrkit",
        "ocr-capabilities": _CAPABILITIES,
        "ocr-number-of-pages": str(len(document.pages)),
    }
    html = E.html(
        E.head(
            E.title(placing.xml_text(document.source)),
            # The specification wants the type of the content said in this way.
            E.meta({"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"}),
            *(E.meta(name=name, content=placing.xml_text(value)) for name, value in meta.items()),
        ),
        E.body(*(_page(page, document.source) for page in document.pages)),
    )
    return etree.tostring(
        html, xml_declaration=True, encoding="UTF-8", doctype=_DOCTYPE, pretty_print=True
    )


def _page(page: Page, source: str) -> etree._Element:
    image = placing.xml_text(source).replace("\\", "\\\\").replace('"', '\\"')
    title = f'image "{image}"; bbox 0 0 {page.width} {page.height}; ppageno {page.number - 1}'
    if page.dpi:
        title += f"; scan_res {round(page.dpi)} {round(page.dpi)}"
    element = E.div({"class": "ocr_page", "id": f"page_{page.number}", "title": title})
    lines = 0
    for i, block in enumerate(placing.blocks_of(page), start=1):
        if box := placing.box_of(block, page):
            name, around = f"{page.number}_{i}", _bbox(box)
            elements = [
                _line(page.lines[number], f"{page.number}_{lines + k}")
                for k, number in enumerate(block.lines, start=1)
            ]
            lines += len(elements)
            paragraph = {"class": "ocr_par", "id": f"par_{name}", "title": around}
            area = {"class": "ocr_carea", "id": f"block_{name}", "title": around}
            element.append(E.div(E.p(*elements, paragraph), area))
    return element


def _line(line: Line, name: str) -> etree._Element:
    points = " ".join(f"{round(x)} {round(y)}" for x, y in line.polygon)
    title = f"{_bbox(line.box)}; poly {points}"
    (x0, y0), *_, (x1, y1) = placing.baseline(line)
    turns = -round(math.degrees(math.atan2(y1 - y0, x1 - x0)) / 90) % 4
    if turns:
        title += f"; textangle {90 * turns}"  # hOCR has baselines for upright text only
    elif x1 > x0:
        slope = (y1 - y0) / (x1 - x0)
        # The offset is that of the baseline at the left side of the box, from the box's bottom.
        offset = y0 + slope * (line.box.x0 - x0) - line.box.y1
        title += f"; baseline {slope:.4f} {offset:.1f}"
    words = []
    for k, word in enumerate(placing.words_of(line), start=1):
        place = f"{_bbox(word.box)}; x_wconf {round(100 * word.confidence)}"
        words.append(
            E.span(
                placing.xml_text(word.text),
                {"class": "ocrx_word", "id": f"word_{name}_{k}", "title": place},
            )
        )
        words[-1].tail = " "
    return E.span(*words, {"class": "ocr_line", "id": f"line_{name}", "title": title})


def _bbox(box: Box) -> str:
    sides = math.floor(box.x0), math.floor(box.y0), math.ceil(box.x1), math.ceil(box.y1)
    return "bbox " + " ".join(str(max(side, 0)) for side in sides)


def from_hocr(root: etree._Element, file: Path) -> Document:
    """The document in the root element of an hOCR file, parsed as HTML.

    The source is the image of the first page. The polygon of a line is its `poly`, or its box.
    Raises ValueError if there is no page, or for what cannot be a place on a page.
    """
    elements = [node for node in root.iter(etree.Element) if "ocr_page" in _classes(node)]
    if not elements:
        raise ValueError("the HTML is not hOCR: it has no element of class ocr_page")
    pages, numbers = [], []
    for i, element in enumerate(elements, start=1):
        properties = _properties(element)
        stated = number(properties.get("ppageno"))
        numbers.append(i if stated is None or stated < 0 else int(stated) + 1)
        box = _box_of(properties)
        size = (box.x1, box.y1) if box else (None, None)
        resolution = number(properties.get("scan_res", "").partition(" ")[0])
        pages.append((size, _lines_within(element), resolution or None))
    if len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(pages) + 1))
    image = _unquoted(_properties(elements[0]).get("image", ""))
    system = root.xpath("string(//meta[@name='ocr-system']/@content)")
    return Document(
        xml.image_path(image, file),
        tuple(
            xml.page_of(size, lines, page_number, dpi if dpi and dpi > 0 else None)
            for (size, lines, dpi), page_number in zip(pages, numbers, strict=True)
        ),
        str(system),
    )


def _classes(element: etree._Element) -> set[str]:
    return set((element.get("class") or "").split())


def _properties(element: etree._Element) -> dict[str, str]:
    """The properties in an element's title: names and values."""
    found = _PROPERTY.finditer(element.get("title") or "")
    return {match[1]: match[2].strip() for match in found}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _lines_within(page: etree._Element) -> list[Line]:
    lines = []
    for element in page.iter(etree.Element):
        if _classes(element) & _LINES and (line := _read_line(element)):
            lines.append(line)
    return lines


def _read_line(element: etree._Element) -> Line | None:
    from ocrkit.archive.formats.outlines import line_polygon, strip, turned  # needs NumPy

    words, confidences = [], []
    for node in element.iter(etree.Element):
        if not _classes(node) & _WORDS:
            continue
        properties = _properties(node)
        text = " ".join("".join(node.itertext()).split())
        confidence = xml.share(properties.get("x_wconf"), 100)
        confidences.append(confidence)
        if text and (box := _box_of(properties)):
            words.append(Word(text, 1.0 if confidence is None else confidence, box))
    properties = _properties(element)
    text = " ".join(word.text for word in words) or " ".join("".join(element.itertext()).split())
    outline = _numbers(properties.get("poly", ""))
    box = _box_of(properties)
    if box is None and words:
        box = Box.around(point for word in words for point in xml.corners(word.box))
    around = list(zip(outline[::2], outline[1::2], strict=False)) or (
        xml.corners(box) if box else []
    )
    turns = round((number(properties.get("textangle")) or 0) / 90)
    base = [] if turns % 4 else _baseline_of(properties, box)
    polygon = strip(around, turns)
    if polygon is None and (straight := line_polygon(around, base, text)):
        polygon = turned(straight, turns)
    return Line(polygon, text, xml.mean(confidences), xml.whole_words(words)) if polygon else None


def _baseline_of(properties: dict[str, str], box: Box | None) -> list[Point]:
    """The ends of the baseline, which hOCR gives from the bottom left of the box."""
    values = _numbers(properties.get("baseline", ""))
    if box is None or len(values) != 2:
        return []
    slope, offset = values
    return [(x, box.y1 + offset + slope * (x - box.x0)) for x in (box.x0, box.x1)]


def _box_of(properties: dict[str, str]) -> Box | None:
    values = _numbers(properties.get("bbox", ""))
    if len(values) != 4:
        return None
    x0, y0, x1, y1 = values
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _numbers(text: str) -> list[float]:
    values = (number(part) for part in text.split())
    return [value for value in values if value is not None]
