"""Image files and PDF to pages, safely, whatever is in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ocrkit.errors import ImageError, OcrkitError
from ocrkit.image.grey import grey
from ocrkit.image.kinds import HEAD, is_pdf
from ocrkit.image.pdf import count_pdf_pages, pdf_scans
from ocrkit.image.pictures import frames, pictures, resolution
from ocrkit.image.scan import PagesWithText, Scan, reason

_KINDS_OF_FILE = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def load_pages(path: str | Path) -> Iterator[np.ndarray]:
    """Yield the pages of an image file or PDF as grey arrays (H, W) uint8; 255 is white.

    The same pages as those of `load_scans`, with PDF pages that have text already.
    """
    for scan in load_scans(path, "redo"):
        yield scan.pixels


def load_scans(
    path: str | Path, pages_with_text: PagesWithText = "keep", first: int = 1
) -> Iterator[Scan]:
    """Yield the pages of a PDF, PNG, JPEG, TIFF, JPEG 2000, WebP, AVIF, BMP, GIF or PNM file.

    PDF and TIFF files have one or more pages; thumbnails in TIFF are skipped. Of an animation the
    first picture is read. EXIF rotation and colour profiles are applied, transparent parts become
    white, and pixels of 16 or 32 bits are converted to 8. A PDF page that is one scan has the
    pixels of this scan; other PDF pages are drawn at 300 dpi.

    pages_with_text: what to do with a PDF page that has text already, as a born-digital page or a
    scan with a text layer: "keep" gives this text in `Scan.lines`, "redo" ignores it, and "skip"
    leaves out the page. Short text that is printed over a scan, as a stamp, does not count.
    first: the number of the first page that is yielded.

    Raises ImageError, a message of one line that begins with the path, if the file is missing,
    empty, encrypted, no image, or damaged, or if a page is less than 2 pixels wide or high or has
    more than MAX_PIXELS. The size is checked before pixels are decoded. The pages before a damaged
    page are still yielded.
    """
    with open_image(path) as (file, head):
        if is_pdf(head):
            yield from pdf_scans(file, pages_with_text, first)
            return
        for number, image in enumerate(pictures(file, head, first), start=first):
            dpi = resolution(image)
            yield Scan(grey(image), number, dpi[0] if dpi else None)


def count_pages(path: str | Path) -> int:
    """How many pages `load_scans` would yield if none of them has text; no pixels are decoded.

    Where the header of a page is damaged, this page is the last that counts: loading it raises the
    reason. Raises ImageError as `load_scans` does if there is no page before it.
    """
    with open_image(path) as (file, head):
        return count_pdf_pages(file) if is_pdf(head) else _count(frames(file, head))


def _count(images: Iterator[object]) -> int:
    next(images)
    count = 1
    try:
        for _ in images:
            count += 1
    except Exception:  # Pillow raises many kinds of error for damaged headers
        count += 1
    return count


@contextmanager
def open_image(path: str | Path) -> Iterator[tuple[BinaryIO, bytes]]:
    """An open file and its first bytes.

    Errors of the block become ImageError, a message of one line that begins with the path.
    """
    with _open(path) as file:
        try:
            head = file.read(HEAD)
            file.seek(0)
            if not head:
                raise ImageError("the file is empty")
            yield file, head
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        except OcrkitError:
            raise
        except MemoryError as error:
            raise ImageError(f"{path}: there is not enough memory to read it") from error
        except Exception as error:  # Pillow raises many kinds of error for damaged files
            raise ImageError(f"{path}: damaged or cut short: {reason(error)}") from error


def _open(path: str | Path) -> BinaryIO:
    """An open file; raises ImageError if there is none, or something else than a file."""
    try:
        # Opening a pipe would wait for somebody to write into it.
        kind = _KINDS_OF_FILE.get(stat.S_IFMT(os.stat(path).st_mode))
        if kind:
            raise ImageError(f"{path}: is {kind}, not a file")
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{path}: {reason(error)}") from error
