"""hOCR 1.2: XHTML with the places of lines and words; written here, and read from many programs.

Specification: http://kba.github.io/hocr-spec/1.2/
"""

from __future__ import annotations

import math

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats.placing import baseline, words_of, xml_text
from ocrkit.document import Box, Document, Line, Page

_XHTML = "http://www.w3.org/1999/xhtml"
E = ElementMaker(namespace=_XHTML, nsmap={None: _XHTML})
_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
)
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
            E.title(xml_text(document.source)),
            # The specification wants the type of the content said in this way.
            E.meta({"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"}),
            *(E.meta(name=name, content=xml_text(value)) for name, value in meta.items()),
        ),
        E.body(*(_page(page, document.source) for page in document.pages)),
    )
    return etree.tostring(
        html, xml_declaration=True, encoding="UTF-8", doctype=_DOCTYPE, pretty_print=True
    )


def _page(page: Page, source: str) -> etree._Element:
    image = xml_text(source).replace("\\", "\\\\").replace('"', '\\"')
    title = f'image "{image}"; bbox 0 0 {page.width} {page.height}; ppageno {page.number - 1}'
    if page.dpi:
        title += f"; scan_res {round(page.dpi)} {round(page.dpi)}"
    element = E.div({"class": "ocr_page", "id": f"page_{page.number}", "title": title})
    if page.lines:
        around = _bbox(Box.around(point for line in page.lines for point in line.polygon))
        area = {"class": "ocr_carea", "id": f"block_{page.number}_1", "title": around}
        paragraph = {"class": "ocr_par", "id": f"par_{page.number}_1", "title": around}
        lines = [_line(line, f"{page.number}_{i}") for i, line in enumerate(page.lines, start=1)]
        element.append(E.div(E.p(*lines, **paragraph), **area))
    return element


def _line(line: Line, name: str) -> etree._Element:
    points = " ".join(f"{round(x)} {round(y)}" for x, y in line.polygon)
    title = f"{_bbox(line.box)}; poly {points}"
    (x0, y0), *_, (x1, y1) = baseline(line)
    if abs(y1 - y0) < abs(x1 - x0) and x1 > x0:  # hOCR has no baseline for text from top to bottom
        slope = (y1 - y0) / (x1 - x0)
        # The offset is that of the baseline at the left side of the box, from the box's bottom.
        offset = y0 + slope * (line.box.x0 - x0) - line.box.y1
        title += f"; baseline {slope:.4f} {offset:.1f}"
    words = []
    for k, word in enumerate(words_of(line), start=1):
        place = f"{_bbox(word.box)}; x_wconf {round(100 * word.confidence)}"
        words.append(
            E.span(
                xml_text(word.text),
                {"class": "ocrx_word", "id": f"word_{name}_{k}", "title": place},
            )
        )
        words[-1].tail = " "
    return E.span(*words, {"class": "ocr_line", "id": f"line_{name}", "title": title})


def _bbox(box: Box) -> str:
    sides = math.floor(box.x0), math.floor(box.y0), math.ceil(box.x1), math.ceil(box.y1)
    return "bbox " + " ".join(str(max(side, 0)) for side in sides)
