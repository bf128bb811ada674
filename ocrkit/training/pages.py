"""Your own pages, as training data for a detector: documents saved as JSON, and their scans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ocrkit.detection.lines import page_scale
from ocrkit.document import Document, Line, Page
from ocrkit.errors import ImageError, OcrkitError
from ocrkit.image import load_pages, scaled
from ocrkit.synth.pages import Sheet

# How far a polygon may reach beyond its page, as a share of the page's longer side.
_TOLERANCE = 0.05


def own_sheets(folder: str | Path) -> list[Sheet]:
    """The pages of all documents (.json, as `ocrkit.save` writes them) in a folder.

    Each page is scaled as a detector sees it. What a page has left out is ignored: it may be text
    or not. The scan is the document's `source`, or a file of the same name in the folder. Raises
    OcrkitError, with the file and the problem, if there is no document, one of them cannot be read
    or does not fit its scan, or a page is not upright, as the synthetic pages are. Raises
    ImageError for a scan that cannot be read.
    """
    sheets = [sheet for path in sorted(Path(folder).glob("*.json")) for sheet in _sheets(path)]
    if not sheets:
        raise OcrkitError(f"{folder} has no documents; `ocrkit read --format json` writes them")
    return sheets


def _sheets(path: Path) -> Iterator[Sheet]:
    """The pages of one document."""
    document = _read_document(path)
    source = scan_of(document, path)
    scans = list(load_pages(source))
    if len(scans) != len(document.pages):
        raise OcrkitError(
            f"{path} has {len(document.pages)} pages, but {source} has {len(scans)}; read the "
            "scan again, or give the one that the document was read from"
        )
    for number, (page, scan) in enumerate(zip(document.pages, scans, strict=True), 1):
        if problem := _problem(page, number, scan.shape):
            raise OcrkitError(f"{path}, page {number}: {problem}")
        scale = page_scale(scan)
        polygons = [np.array(line.polygon, np.float32) * scale for line in page.lines]
        ignored = [np.array(rest.line.polygon, np.float32) * scale for rest in page.left_out]
        texts = [line.text for line in page.lines]
        yield Sheet(scaled(scan, scale), polygons, texts, "own", ignored)


def _read_document(path: Path) -> Document:
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        return Document.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OcrkitError(f"{path} is not a document that ocrkit saved: {error}") from error


def scan_of(document: Document, path: Path) -> Path:
    """The file that a document was read from, where it was or beside the document."""
    name = Path(document.source).name
    for scan in (Path(document.source), path.parent / name):
        try:
            if name and scan.is_file():
                return scan
        except (OSError, ValueError):  # no file can have this name
            continue
    shown = document.source if len(document.source) <= 200 else f"{document.source[:200]}..."
    raise ImageError(f"{path}: its scan {shown!r} is neither there nor in the same folder")


def _problem(page: Page, number: int, shape: tuple[int, ...]) -> str:
    """Why a page cannot be used with its scan (H, W), or ""."""
    if page.number != number:
        return f"it says that it is page {page.number}; number the pages 1, 2, 3 ..."
    if (page.height, page.width) != shape:
        return (
            f"it has {page.width} x {page.height} pixels, but its scan {shape[1]} x {shape[0]}; "
            "read the scan again"
        )
    tolerance = _TOLERANCE * max(shape)
    for line in page.lines:
        box = line.box
        if min(box.x0, box.y0) < -tolerance or not (
            box.x1 <= page.width + tolerance and box.y1 <= page.height + tolerance
        ):
            return f"a line lies outside of the page, at {line.polygon[0]}"
        if not _is_upright(line):
            return (
                "its lines do not run from left to right; turn the scan upright and read it again"
            )
    return ""


def _is_upright(line: Line) -> bool:
    (x0, y0), (x1, y1) = line.polygon[0], line.polygon[len(line.polygon) // 2 - 1]
    return x1 - x0 > abs(y1 - y0)
