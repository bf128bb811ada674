"""PAGE XML of 2019-07-15, the format of OCR-D and Transkribus; read in all its versions.

Specification: https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree
from lxml.builder import ElementMaker

from ocrkit.archive.formats import placing, xml
from ocrkit.archive.formats.placing import Point
from ocrkit.archive.formats.xml import number, points
from ocrkit.document import Block, BlockKind, Box, Document, Line, Page, Word

_PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_TYPES: dict[BlockKind, str] = {
    "paragraph": "paragraph",
    "heading": "heading",
    "margin note": "marginalia",
    "page number": "page-number",
}
_MOST_CELLS = 100_000  # of a table that is read; more is no page
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
            make.Creator(placing.xml_text(document.reader or "ocrkit")),
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
    attributes = {"imageFilename": placing.xml_text(source)}
    attributes |= {"imageWidth": str(page.width), "imageHeight": str(page.height)}
    if page.number > 1:
        attributes["custom"] = f"imagePage {{number:{page.number};}}"
    if page.dpi:
        attributes |= {"imageXResolution": f"{page.dpi:g}", "imageYResolution": f"{page.dpi:g}"}
        attributes |= {"imageResolutionUnit": "PPI"}
    element = make.Page(attributes)
    regions = [
        region
        for i, block in enumerate(placing.blocks_of(page), start=1)
        if (region := _region(make, block, page, f"region_{i}")) is not None
    ]
    if regions:
        references = (
            make.RegionRefIndexed(index=str(i), regionRef=region.get("id"))
            for i, region in enumerate(regions)
        )
        element.append(make.ReadingOrder(make.OrderedGroup(*references, id="order")))
        element.extend(regions)
    return element


def _region(make: ElementMaker, block: Block, page: Page, name: str) -> etree._Element | None:
    """A region of text or, for a table, a region of regions: one for each cell with text."""
    if block.kind != "table":
        return _text_region(make, block.lines, page, name, _TYPES[block.kind])
    box = placing.box_of(block, page)
    if box is None:
        return None
    cells = []
    for r, row in enumerate(block.rows):
        for c, numbers in enumerate(row):
            cell = _text_region(make, numbers, page, f"{name}_cell_{r}_{c}")
            if cell is not None:
                role = make.TableCellRole(rowIndex=str(r), columnIndex=str(c))
                cell.insert(1, make.Roles(role))
                cells.append(cell)
    sizes = {"rows": str(len(block.rows)), "columns": str(max(map(len, block.rows)))}
    return make.TableRegion(
        make.Coords(points=_points(xml.corners(box), page)), *cells, sizes, id=name
    )


def _text_region(
    make: ElementMaker, numbers: Sequence[int], page: Page, name: str, kind: str = ""
) -> etree._Element | None:
    lines = [page.lines[number] for number in numbers]
    if not lines:
        return None
    box = Box.around(point for line in lines for point in line.polygon)
    text = placing.xml_text("\n".join(line.text for line in lines))
    region = make.TextRegion(
        make.Coords(points=_points(xml.corners(box), page)),
        *(_line(make, line, f"{name}_line_{i}", page) for i, line in enumerate(lines, start=1)),
        make.TextEquiv(make.Unicode(text)),
        id=name,
    )
    if kind:
        region.set("type", kind)
    return region


def _line(make: ElementMaker, line: Line, name: str, page: Page) -> etree._Element:
    words = [
        make.Word(
            make.Coords(points=_points(xml.corners(word.box), page)),
            _text(make, word.text, word.confidence),
            id=f"{name}_word_{k}",
        )
        for k, word in enumerate(placing.words_of(line), start=1)
    ]
    return make.TextLine(
        make.Coords(points=_points(line.polygon, page)),
        make.Baseline(points=_points(placing.baseline(line), page)),
        *words,
        _text(make, line.text, line.confidence),
        id=name,
    )


def _text(make: ElementMaker, text: str, confidence: float) -> etree._Element:
    return make.TextEquiv(make.Unicode(placing.xml_text(text)), conf=f"{min(confidence, 1):.4f}")


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
    page = next(xml.descendants(root, "Page"), None)
    if page is None:
        raise ValueError("the PAGE file has no Page")
    listed: dict[str, int] = {}
    for order in xml.children(page, "ReadingOrder"):
        _number_regions(order, listed, 0)
    content = _Content(listed)
    content.add_regions(page)
    size = number(page.get("imageWidth")), number(page.get("imageHeight"))
    own = _IMAGE_PAGE.search(page.get("custom") or "")
    page_number = max(int(own[1]), 1) if own else 1
    result = xml.page_of(size, content.lines, page_number, _dpi(page), content.blocks)
    source = xml.image_path(page.get("imageFilename") or "", file)
    return Document(source, (result,), xml.first_text(root, "Creator"))


def _dpi(page: etree._Element) -> float | None:
    value = xml.share(page.get("imageXResolution"), 1e6)
    inches = {"PPI": 1e6, "PPCM": 2.54e6}.get(page.get("imageResolutionUnit") or "")
    return round(value * inches, 2) if value and inches else None


def _number_regions(group: etree._Element, listed: dict[str, int], depth: int) -> None:
    """Number the regions that a group of the reading order names, and its groups within."""
    entries = list(xml.children(group, *_GROUPS, *_REFERENCES))
    for entry in sorted(entries, key=lambda entry: _index(entry.get("index"))):
        if region := entry.get("regionRef"):
            listed.setdefault(region, len(listed))
        if depth < 50:  # more is no page
            _number_regions(entry, listed, depth + 1)


def _index(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 10**9


class _Content:
    """The lines and blocks of a page, collected region by region."""

    def __init__(self, listed: dict[str, int]) -> None:
        self.listed = listed  # number of a region in the reading order
        self.lines: list[Line] = []
        self.blocks: list[Block] = []

    def add_regions(self, parent: etree._Element) -> None:
        """Add the regions in a page or region, in the reading order that the page gives."""
        regions, last = list(xml.children(parent, *_REGIONS)), len(self.listed)
        for region in sorted(regions, key=lambda r: self.listed.get(r.get("id") or "", last)):
            self._add_region(region)

    def _add_region(self, region: etree._Element) -> None:
        if xml.name_of(region) == "TableRegion" and self._add_table(region):
            return
        numbers = self._add_lines(region)
        if numbers:
            kind = xml.block_kind(region.get("type") or "") or "paragraph"
            self.blocks.append(Block(kind, tuple(((number,),) for number in numbers)))
        self.add_regions(region)

    def _add_lines(self, region: etree._Element) -> list[int]:
        """Add the lines of a region; returns their numbers."""
        start = len(self.lines)
        read = (_read_line(element) for element in _ordered_lines(region))
        self.lines += [line for line in read if line]
        return list(range(start, len(self.lines)))

    def _add_table(self, region: etree._Element) -> bool:
        """Add a table whose cells all say their row and column; False if they do not."""
        cells = list(xml.children(region, "TextRegion"))
        places = [_cell_place(cell) for cell in cells]
        known = [place for place in places if place is not None]
        if not known or len(known) < len(cells):
            return False
        height, width = (max(values) + 1 for values in zip(*known, strict=True))
        if height * width > _MOST_CELLS:
            return False
        grid: list[list[list[int]]] = [[[] for _ in range(width)] for _ in range(height)]
        for (row, column), cell in sorted(zip(known, cells, strict=True), key=lambda pair: pair[0]):
            grid[row][column] += self._add_lines(cell)
        rows = tuple(tuple(tuple(numbers) for numbers in row) for row in grid)
        self.blocks.append(Block("table", rows))
        return True


def _cell_place(cell: etree._Element) -> tuple[int, int] | None:
    """The row and column of a cell, from 0."""
    for role in xml.descendants(cell, "TableCellRole"):
        row, column = _index(role.get("rowIndex")), _index(role.get("columnIndex"))
        return (row, column) if max(row, column) < _MOST_CELLS else None
    return None


def _ordered_lines(region: etree._Element) -> list[etree._Element]:
    """The lines directly in a region, in the order that they say or else that they have."""
    lines = list(xml.children(region, "TextLine"))
    places = [int(found[1]) for line in lines if (found := _INDEX.search(line.get("custom") or ""))]
    if len(places) < len(lines):
        return lines
    pairs = sorted(zip(places, lines, strict=True), key=lambda pair: pair[0])
    return [line for _, line in pairs]  # Transkribus and eScriptorium say it so


def _read_line(element: etree._Element) -> Line | None:
    from ocrkit.archive.formats.outlines import line_polygon  # needs NumPy

    words = []
    for word in xml.children(element, "Word"):
        text, confidence = _read_text(word)
        box = xml.box_around(_coords(word))
        if box:
            words.append(Word(text, 1.0 if confidence is None else confidence, box))
    text, confidence = _read_text(element)
    if not text:
        text = " ".join(word.text for word in words)
    if confidence is None:
        confidence = xml.mean([word.confidence for word in words])
    outline = _coords(element) or [point for word in words for point in xml.corners(word.box)]
    base = [p for node in xml.children(element, "Baseline") for p in _points_of(node)]
    polygon = line_polygon(outline, base, text)
    return Line(polygon, text, confidence, xml.whole_words(words)) if polygon else None


def _read_text(element: etree._Element) -> tuple[str, float | None]:
    """The text of a line or word, and how sure it is."""
    texts = list(xml.children(element, "TextEquiv"))
    for equivalent in sorted(texts, key=lambda equivalent: _index(equivalent.get("index"))):
        for name in ("Unicode", "PlainText"):
            if text := xml.first_text(equivalent, name):
                return text, xml.share(equivalent.get("conf"))
    return "", None


def _coords(element: etree._Element) -> list[Point]:
    return [point for coords in xml.children(element, "Coords") for point in _points_of(coords)]


def _points_of(element: etree._Element) -> list[Point]:
    """Points "x,y x,y" or, in files before 2013, an element for each."""
    if element.get("points") is not None:
        return points(element.get("points"))
    found = []
    for point in xml.children(element, "Point"):
        x, y = number(point.get("x")), number(point.get("y"))
        if x is not None and y is not None:
            found.append((x, y))
    return found
