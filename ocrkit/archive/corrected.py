"""Corrections by hand: they stay when a file is read again, and are found by a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ocrkit.archive.catalogue import NAME, Catalogue
from ocrkit.archive.formats import FORMATS
from ocrkit.archive.formats.loading import load_document
from ocrkit.document import Box, Document, Line, Page, renumbered
from ocrkit.errors import DocumentError

SUFFIX = FORMATS["json"].suffix
SAME = 0.5  # intersection over union from which two outlines are of the same line


def keep_corrections(document: Document, path: Path) -> Document:
    """The document with the corrections of the JSON file that it replaces, if there are any."""
    if not path.is_file():
        return document
    try:
        old = load_document(path)
    except DocumentError:  # a damaged file; it is replaced by one that is whole
        return document
    before = {page.number: page for page in old.pages}
    pages = []
    for page in document.pages:
        if page.number in before:
            page, lost = _carried_over(page, before[page.number])
            for line in lost:
                page = with_line(page, line)
        pages.append(page)
    return replace(document, pages=tuple(pages))


def index_corrections(path: Path, changed: Iterable[tuple[Page, Page]]) -> None:
    """Let a search find the text of pages that were corrected in the JSON file at this path.

    changed: pages of the file before and after the change. The catalogue is that of the output
    folder in which the file is; without one nothing is done. It may have another reading of a page
    than the file: then it keeps its own, with the corrections. Pages that it lacks are left out.

    Raises CatalogueError if the catalogue cannot be written.
    """
    path = path.absolute()
    folder = next((parent for parent in path.parents if (parent / NAME).is_file()), None)
    if folder is None or not path.name.endswith(SUFFIX):
        return
    with Catalogue.open_to_correct(folder) as catalogue:
        stem = path.relative_to(folder).with_name(path.name.removesuffix(SUFFIX))
        if (file := catalogue.file_of(stem)) is not None:
            for old, new in changed:
                catalogue.change_page(file, new.number, partial(_indexed, old=old, new=new))


def with_line(page: Page, line: Line) -> Page:
    """The page with one more line, at its height among the others; it is in no block."""
    centre = _centre(line)
    at = next((i for i, old in enumerate(page.lines) if _centre(old) > centre), len(page.lines))
    numbers = {number: number + (number >= at) for number in range(len(page.lines))}
    return replace(
        page,
        lines=(*page.lines[:at], line, *page.lines[at:]),
        blocks=tuple(renumbered(page.blocks, numbers)),
    )


def _indexed(page: Page, old: Page, new: Page) -> Page:
    """A page of the catalogue after `old` became `new` in the JSON."""
    # A corrected line that the page lacks is added by the next run.
    return new if page == old else _carried_over(page, new)[0]


def _carried_over(page: Page, old: Page) -> tuple[Page, list[Line]]:
    """The page with the corrections of its old reading, in lines with about the same outline.

    Also returned: corrected lines with a text for which the page has no line.
    """
    if (page.width, page.height) != (old.width, old.height):
        return page, []
    # The JSON is where people correct. A line without a correction in the JSON has none.
    lines = [replace(line, correction=None) for line in page.lines]
    lost = []
    deleted = {left.line.polygon for left in page.left_out}
    for corrected in _corrected(old):
        if not corrected.correction and corrected.polygon in deleted:
            continue  # or a line below a deleted one would lose its text
        shares = [_overlap(corrected.box, line.box) for line in lines]
        best = max(range(len(lines)), key=shares.__getitem__, default=None)
        if best is not None and shares[best] >= SAME:
            lines[best] = replace(lines[best], correction=corrected.correction)
        elif corrected.correction:
            lost.append(corrected)
    return replace(page, lines=tuple(lines)), lost


def _corrected(page: Page) -> Iterator[Line]:
    every = (*page.lines, *(left.line for left in page.left_out))
    return (line for line in every if line.correction is not None)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    shared = max(width, 0) * max(height, 0)
    return shared / max(a.width * a.height + b.width * b.height - shared, 1e-9)


def _centre(line: Line) -> float:
    return (line.box.y0 + line.box.y1) / 2
