"""Reading documents back: the kit's JSON, and ALTO, PAGE and hOCR of any program."""

from __future__ import annotations

import warnings
from pathlib import Path

from lxml import etree

from ocrkit.archive.formats.alto import from_alto
from ocrkit.archive.formats.hocr import from_hocr
from ocrkit.archive.formats.page import from_page
from ocrkit.archive.formats.xml import LARGEST, corners, descendants, name_of, parse_html, parse_xml
from ocrkit.document import Document
from ocrkit.errors import DocumentError

_MOST_BYTES = 100_000_000  # bytes; the largest newspaper pages have a tenth of it
_HEAD = 4096


def load_document(path: str | Path) -> Document:
    """Read back a document: JSON of this kit, ALTO (2 to 4), PAGE (all versions) or hOCR.

    The content decides, not the suffix. Files of other programs are read too, such as kraken,
    eScriptorium, Transkribus and Tesseract: where they have no baselines, words or confidences, the
    lines have what can be known from the rest, and a confidence of 1. `Document.source` is the
    image that the file names, as a path that can be opened, if the image is where the file says,
    beside the file or in the folder above. ALTO in millimetres needs the image to be turned into
    pixels; without it, 300 dpi are assumed. Lines of ALTO and PAGE that have no place are left out,
    with a warning.

    Raises DocumentError, a message of one line that begins with the path, if the file is missing,
    too large, damaged, or none of these.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise DocumentError(f"{path}: no such file")
        if path.stat().st_size > _MOST_BYTES:
            raise DocumentError(f"{path}: is larger than {_MOST_BYTES // 1_000_000} MB")
        return _document(path.read_bytes(), path)
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise DocumentError(f"{path}: {message}") from error


def _document(data: bytes, path: Path) -> Document:
    start = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return _with_places(Document.from_json(data))
    if start[:1] != b"<" and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("is neither JSON, ALTO, PAGE nor hOCR")
    if b"<html" in start.lower() or b"<!doctype html" in start.lower():
        return from_hocr(parse_html(data), path)
    root = parse_xml(data)
    if name_of(root) == "alto":
        return _warned(from_alto(root, path), root, path)
    if name_of(root) == "PcGts":
        return _warned(from_page(root, path), root, path)
    if name_of(root) == "html":
        return from_hocr(parse_html(data), path)
    raise ValueError(f"is XML, but neither ALTO, PAGE nor hOCR: its root is {name_of(root)[:40]!r}")


def _warned(document: Document, root: etree._Element, path: Path) -> Document:
    """The document; warns if it has fewer lines than its file."""
    lines = sum(1 for _ in descendants(root, "TextLine"))
    missing = lines - sum(len(page.lines) for page in document.pages)
    if missing:
        warnings.warn(
            f"{path}: {missing} of {lines} lines have no place and are left out", stacklevel=4
        )
    return document


def _with_places(document: Document) -> Document:
    """The document; raises ValueError if a coordinate is beyond every page."""
    for page in document.pages:
        points = [point for line in page.lines for point in line.polygon]
        points += [point for word in page.words for point in corners(word.box)]
        if any(
            abs(value) > LARGEST
            for point in [(page.width, page.height), *points]
            for value in point
        ):
            raise ValueError(f"page {page.number} has a coordinate of more than {LARGEST} pixels")
    return document
