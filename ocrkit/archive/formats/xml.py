"""Reading XML and HTML safely: no entities, no network, limits on sizes and numbers."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lxml import etree

from ocrkit.archive.formats.placing import Point
from ocrkit.document import Block, BlockKind, Box, Line, Page, Word

_KINDS: dict[str, BlockKind] = {
    "paragraph": "paragraph",
    "heading": "heading",
    "marginalia": "margin note",
    "margin note": "margin note",
    "margintextzone": "margin note",
    "page number": "page number",
    "numberingzone": "page number",
}
LARGEST = 10_000_000  # pixels; a coordinate beyond is a mistake


def parse_xml(data: bytes) -> etree._Element:
    """The root of an XML document; raises ValueError if it is not well-formed."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"the XML is not well-formed: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        _without_entities(root)
    return root


def parse_html(data: bytes) -> etree._Element:
    """The root of an HTML document; raises ValueError if there is none."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        encoding = None  # what the document says
    else:
        encoding = "utf-8"
    parser = etree.HTMLParser(
        no_network=True, remove_comments=True, remove_pis=True, encoding=encoding
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"the HTML cannot be read: {error.msg}") from error
    if root is None:
        raise ValueError("the HTML is empty")
    return root


def _without_entities(root: etree._Element) -> None:
    """Raises ValueError if the text uses entities of its own, which could be of any size."""
    for node in root.iter(etree.Entity):
        raise ValueError(f"the XML has an entity of its own, {node.text}: write its text instead")


def name_of(element: etree._Element) -> str:
    """The name of an element, whatever its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The elements of these names directly within an element."""
    return (child for child in element if name_of(child) in names)


def descendants(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The elements of these names anywhere within an element, in the order of the document."""
    return (node for node in element.iter() if name_of(node) in names)


def first_text(element: etree._Element, *names: str) -> str:
    """The text of the first element of these names within an element; "" without one."""
    node = next(descendants(element, *names), None)
    return "" if node is None else " ".join("".join(node.itertext()).split())


def number(text: str | None) -> float | None:
    """The number in an attribute; None if there is none.

    Raises ValueError if it is no number, or too large to be a place on a page.
    """
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise ValueError(f"{text[:40]!r} is not a number of pixels")
    return value


def points(text: str | None) -> list[Point]:
    """The points of "x,y x,y" or "x y x y"; raises ValueError if there is anything else."""
    if text is None:
        return []
    parts = text.replace(",", " ").split()
    values = [number(part) for part in parts]
    if len(values) % 2:
        raise ValueError(f"{text[:40]!r} is not a list of points")
    flat = [value for value in values if value is not None]
    return list(zip(flat[::2], flat[1::2], strict=True))


def share(text: str | None, whole: float = 1.0) -> float | None:
    """A confidence as a share of 1; None if it is missing or makes no sense."""
    try:
        value = float(text or "nan") / whole
    except ValueError:
        return None
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else None


def corners(box: Box) -> tuple[Point, ...]:
    """The corners of a box, clockwise from the top left."""
    return (box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)


def box_around(boundary: Sequence[Point]) -> Box | None:
    return Box.around(boundary) if boundary else None


def mean(confidences: Sequence[float | None]) -> float:
    """The mean of those that are known; 1 where none is, as for text that a person wrote."""
    known = [value for value in confidences if value is not None]
    return sum(known) / len(known) if known else 1.0


def whole_words(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words if each has text without spaces, which `Line` wants; else none."""
    whole = all(word.text and not any(map(str.isspace, word.text)) for word in words)
    return tuple(words) if whole else ()


def block_kind(name: str) -> BlockKind | None:
    """The kind of block that a type of region or a label stands for; None if it is no special one.

    The names are those of PAGE, of SegmOnto (used with eScriptorium) and of this kit.
    """
    return _KINDS.get(name.lower().replace("-", " ").partition("#")[0].partition(":")[0])


def page_of(
    size: tuple[float | None, float | None],
    lines: Sequence[Line],
    page_number: int,
    dpi: float | None = None,
    blocks: Sequence[Block] = (),
) -> Page:
    """A page; where its size is missing, it is as large as its lines need."""
    reach = [Box.around(line.polygon) for line in lines]
    least = max((box.x1 for box in reach), default=1), max((box.y1 for box in reach), default=1)
    width, height = (
        max(round(stated) if stated else math.ceil(needed), 1)
        for stated, needed in zip(size, least, strict=True)
    )
    return Page(width, height, tuple(lines), page_number, dpi=dpi, blocks=tuple(blocks))


def image_path(name: str, file: Path) -> str:
    """The path of the image that a file names.

    It is looked for where the file says, seen from the file's folder, then beside the file and in
    the folder above, where exports often have it. If it is nowhere, the path is as the file says.
    """
    name = name.removeprefix("file://")
    base = re.split(r"[/\\]", name)[-1]
    if not base:
        return name
    folder = file.parent
    stated = os.path.normpath(folder / name) if "://" not in name else name
    for candidate in (stated, str(folder / base), os.path.normpath(folder / ".." / base)):
        if os.path.isfile(candidate):
            return candidate
    return stated
