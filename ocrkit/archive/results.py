"""The results of a file: in which formats, and where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ocrkit.archive.formats import FORMATS
from ocrkit.document import Document
from ocrkit.files import write

OVERLAY = "overlay"  # what the pictures of --overlay are called among the formats


@dataclass(frozen=True)
class Output:
    """What is written of each file, and how the work is done.

    formats: names of FORMATS. overlay: also a picture of each page. jobs: worker processes; None
    reads in this process. cluster: the address of a Dask scheduler, instead of `jobs`. again: read
    also what has been read before.
    """

    formats: tuple[str, ...] = ("txt",)
    overlay: bool = False
    jobs: int | None = None
    cluster: str | None = None
    again: bool = False


def write_results(document: Document, stem: Path, output: Output) -> Iterator[tuple[Path, str]]:
    """Write a document in all formats; yields each path and its format when it is in its place.

    Raises OutputError if a file cannot be written, and ImageError if a picture of a page is asked
    for and the scan cannot be read.
    """
    for name in output.formats:
        for path, data in FORMATS[name].files(document, stem):
            yield write(path, data), name
    if output.overlay:
        for path in _write_overlays(document, stem):
            yield path, OVERLAY


def _write_overlays(document: Document, stem: Path) -> Iterator[Path]:
    from ocrkit.archive.overlay import overlay
    from ocrkit.image import load_pages

    pages = {page.number: page for page in document.pages}
    # Pages after the last may be damaged, and pages between may have been skipped.
    arrays = islice(load_pages(document.source), max(pages, default=0))
    for number, array in enumerate(arrays, start=1):
        if page := pages.get(number):
            # The number comes last, because x.1.overlay.jpg belongs to a file x.1.png.
            ending = f".{number}" if len(pages) > 1 else ""
            path = Path(f"{stem}.overlay{ending}.jpg")
            overlay(array, page, path)
            yield path
