"""Corrections by hand: they stay when a file is read again, and are found by a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    pages = [
        _carried_over(page, before[page.number]) if page.number in before else page
        for page in document.pages
    ]
    return replace(document, pages=tuple(pages))


def index_corrections(path: Path, pages: Sequence[Page]) -> None:
    """Let a search find the text of pages that were corrected in the JSON file at this path.

    The catalogue is that of the output folder in which the file is. Without one nothing is done.

    Raises CatalogueError if the catalogue cannot be written.
    """
    path = path.absolute()
    folder = next((parent for parent in path.parents if (parent / NAME).is_file()), None)
    if folder is None or not path.name.endswith(SUFFIX):
        return
    with Catalogue.to_correct(folder) as catalogue:
        stem = path.relative_to(folder).with_name(path.name.removesuffix(SUFFIX))
        if (file := catalogue.file_of(stem)) is not None:
            catalogue.replace_pages(file, pages)


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


def _carried_over(page: Page, old: Page) -> Page:
    """The page with the corrections of its old reading, in lines with about the same outline.

    A line that is found no more is added if it was given a text.
    """
    if (page.width, page.height) != (old.width, old.height):
        return page
    # The JSON is where people correct: what is no longer corrected there, is so nowhere.
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
    page = replace(page, lines=tuple(lines))
    for line in lost:
        page = with_line(page, line)
    return page


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
