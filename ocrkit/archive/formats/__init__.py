"""Documents to files and back, a module for each format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ocrkit.archive.formats.alto import to_alto
from ocrkit.archive.formats.csv import to_csv
from ocrkit.archive.formats.hocr import to_hocr
from ocrkit.archive.formats.json import to_json
from ocrkit.archive.formats.loading import load_document
from ocrkit.archive.formats.page import to_page
from ocrkit.archive.formats.pdf import to_pdf
from ocrkit.archive.formats.text import to_text
from ocrkit.archive.formats.tsv import to_tsv
from ocrkit.document import Document
from ocrkit.errors import OutputError
from ocrkit.files import write

__all__ = ["FORMATS", "Format", "load_document", "save"]


@dataclass(frozen=True)
class Format:
    """A format that documents are written in.

    suffix: of its files, such as ".alto.xml".
    writer: from a document to the contents of a file.
    page_by_page: whether a file holds one page only.
    names_the_image: whether the file names the image by a path, which is then relative to the file.
    needs_the_image: whether the image is read again, from `Document.source`.
    keeps_readings: whether a file holds the reading of a corrected line beside its correction;
        the others hold the correction as the text of the line.
    """

    suffix: str
    writer: Callable[[Document], bytes]
    page_by_page: bool = False
    names_the_image: bool = False
    needs_the_image: bool = False
    keeps_readings: bool = False

    def files(self, document: Document, stem: str | Path) -> Iterator[tuple[Path, bytes]]:
        """Paths and contents of the files that hold a document; none of them is written.

        stem: path of the files without the suffix. If the format is page by page and the document
        has several pages, the number of the page comes before the last part of the suffix:
        "letter.alto.2.xml".
        """
        document = document if self.keeps_readings else document.corrected
        several = self.page_by_page and len(document.pages) != 1
        for part in _pages(document) if several else [document]:
            kind, dot, last = self.suffix.rpartition(".")
            ending = f"{kind}.{part.pages[0].number}{dot}{last}" if several else self.suffix
            path = Path(f"{stem}{ending}")
            if self.names_the_image:
                part = replace(part, source=_relative(part.source, path.parent))
            yield path, self.writer(part)


FORMATS = {
    "txt": Format(".txt", to_text),
    "json": Format(".json", to_json, keeps_readings=True),
    "tsv": Format(".tsv", to_tsv),
    "csv": Format(".csv", to_csv),
    "hocr": Format(".hocr", to_hocr, names_the_image=True),
    "alto": Format(".alto.xml", to_alto, page_by_page=True, names_the_image=True),
    "page": Format(".page.xml", to_page, page_by_page=True, names_the_image=True),
    "pdf": Format(".pdf", to_pdf, needs_the_image=True),
}


def save(document: Document, path: str | Path) -> Path:
    """Write a document in the format that the suffix of the path names; returns the path.

    The suffix is one of those in FORMATS, such as .txt, .json, .alto.xml or .pdf.
    ALTO and PAGE hold one page, so several pages make several files, letter.alto.1.xml and so on;
    the path of the first is returned.
    A PDF needs the scan, which is read from `document.source`.

    Folders are made as needed. Raises OutputError if the suffix names no format, or if a file
    cannot be written; what was there before is then still there. For PDF, raises ImageError if the
    scan cannot be read.
    """
    name = Path(path).name.lower()
    for kind in FORMATS.values():
        if name.endswith(kind.suffix) and len(name) > len(kind.suffix):
            stem = str(path)[: -len(kind.suffix)]
            written = [write(file, data) for file, data in kind.files(document, stem)]
            return written[0] if written else Path(path)
    known = ", ".join(kind.suffix for kind in FORMATS.values())
    raise OutputError(f"{path}: no format has this suffix; it is one of {known}")


def _pages(document: Document) -> Iterator[Document]:
    for page in document.pages:
        yield replace(document, pages=(page,))


def _relative(source: str, folder: Path) -> str:
    """The path of the source, seen from a folder."""
    try:
        return Path(os.path.relpath(source, folder)).as_posix() if source else ""
    except ValueError:  # on Windows: another drive
        return source
