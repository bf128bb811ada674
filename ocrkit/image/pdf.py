"""PDF files by PDFium: pages as pixels, and the text that they already have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ocrkit.document import Box, Line, Word
from ocrkit.errors import ImageError
from ocrkit.image.scan import (
    ASSUMED_DPI,
    MAX_PIXELS,
    PagesWithText,
    Scan,
    check_size,
    known_dpi,
    reason,
)

_PDFIUM = threading.RLock()  # PDFium must not be called by two threads at once
_POINTS = 72  # to the inch
_HAIR = 1e-3  # pixels
_FILLED = 0.85  # a picture that covers this share of its page is a scan of the page
_STAMP = 300  # characters; a scan has no longer text printed over it
_INVISIBLE = 3  # text render mode
_SOFT_HYPHEN = 2  # what PDFium returns for a hyphen at the end of a line


def pdf_scans(file: BinaryIO, pages_with_text: PagesWithText, first: int = 1) -> Iterator[Scan]:
    """Yield the pages of an open PDF file from number `first`; see `load_scans`.

    Raises ImageError if the file or a page is encrypted, damaged or too large.
    """
    pdf = _open(file)
    try:
        for number in range(first, len(pdf) + 1):
            with _PDFIUM:
                scan = _scan(pdf, number, pages_with_text)
            if scan is not None:
                yield scan
    finally:
        with _PDFIUM:
            pdf.close()


def count_pdf_pages(file: BinaryIO) -> int:
    """The number of pages of an open PDF file; raises ImageError as `pdf_scans` does."""
    pdf = _open(file)
    with _PDFIUM, closing(pdf):
        return len(pdf)


def pdf_texts(file: BinaryIO, numbers: set[int]) -> dict[int, str]:
    """The text of those of some pages of an open PDF that have text; raises as `pdf_scans` does."""
    texts = {}
    pdf = _open(file)
    with _PDFIUM, closing(pdf):
        for number in sorted(numbers & {*range(1, len(pdf) + 1)}):
            with closing(pdf[number - 1]) as page:
                if _content(page).has_text:
                    texts[number] = " ".join(line.text for line in _lines(page, 1000, 1000))
    return texts


def page_matrix(
    box: tuple[float, float, float, float], turn: int, width: float, height: float
) -> np.ndarray:
    """From points of a PDF page (y up) to pixels of its picture (y down): matrix (3, 3).

    box: the visible part of the page (left, bottom, right, top), in points. turn: the clockwise
    rotation of the page when it is shown: 0, 90, 180 or 270 degrees. width, height: of the picture,
    in pixels.
    """
    left, bottom, right, top = box
    across, up = 1 / max(right - left, 1e-6), 1 / max(top - bottom, 1e-6)
    x = np.array([across, 0, -left * across])  # 0 at the left of the page, 1 at its right
    y = np.array([0, up, -bottom * up])  # 0 at its bottom, 1 at its top
    one = np.array([0, 0, 1])
    rows = {0: (x, one - y), 90: (y, x), 180: (one - x, y), 270: (one - y, one - x)}[turn % 360]
    return np.stack([rows[0] * width, rows[1] * height, one])


def _open(file: BinaryIO) -> Any:
    import pypdfium2

    with _PDFIUM:
        try:
            pdf = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD:
                raise ImageError(
                    "the PDF is encrypted; open it with its password and save a copy without one"
                ) from error
            raise ImageError(f"the PDF is damaged or cut short: {reason(error)}") from error
        if not len(pdf):
            pdf.close()
            raise ImageError("the PDF has no pages")
        return pdf


def _scan(pdf: Any, number: int, pages_with_text: PagesWithText) -> Scan | None:
    """A page of an open PDF; None if it is to be skipped."""
    import pypdfium2

    try:
        with closing(pdf[number - 1]) as page:
            content = _content(page)
            with_text = content.has_text and pages_with_text != "redo"
            if with_text and pages_with_text == "skip" and _lines(page, 1000, 1000):
                return None
            pixels, scale = _pixels(page, content)
            # Text may be no more than spaces; the page is then read.
            lines = (with_text and _lines(page, *pixels.shape[::-1])) or None
            return Scan(pixels, number, known_dpi(scale * _POINTS), lines)
    except pypdfium2.PdfiumError as error:
        raise ImageError(f"page {number} is damaged: {reason(error)}") from error
    except ImageError as error:
        raise ImageError(f"page {number}: {error}") from error


@dataclass
class _Content:
    """What is on a page.

    scale: pixels per point of a scan that fills the page; None if the page is no scan.
    size: width and height of the scan in pixels, as it lies on the page, if it is the whole page.
    has_text: whether the page has text, other than what is printed over a scan.
    """

    scale: float | None = None
    size: tuple[int, int] | None = None
    has_text: bool = False


def _content(page: Any) -> _Content:
    from pypdfium2 import raw

    content, over_scan = _Content(), False
    for item in page.get_objects([raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_TEXT]):
        if item.type == raw.FPDF_PAGEOBJ_IMAGE:
            _add_image(content, item, page.get_bbox())
        elif content.scale is None or raw.FPDFTextObj_GetTextRenderMode(item) == _INVISIBLE:
            content.has_text = True  # also if a scan covers it, as the layer of some OCR programs
        else:
            over_scan = True
    if over_scan and not content.has_text:
        with closing(page.get_textpage()) as text:
            content.has_text = text.count_chars() > _STAMP
    return content


def _add_image(content: _Content, image: Any, bounds: tuple[float, ...]) -> None:
    """Note an image that fills its page; raises ImageError if an image has too many pixels."""
    size, matrix = image.get_px_size(), _matrix(image)
    check_size(*(max(side, 2) for side in size))
    scale = _pixels_per_point(size, matrix)
    if _overlap(_image_bounds(matrix), bounds) > _FILLED and scale > (content.scale or 0):
        content.scale, content.size = scale, _size_if_whole(size, matrix, bounds)


def _overlap(inner: tuple[float, ...], page: tuple[float, ...]) -> float:
    """The share of a page (left, bottom, right, top) that a rectangle covers."""
    width = min(inner[2], page[2]) - max(inner[0], page[0])
    height = min(inner[3], page[3]) - max(inner[1], page[1])
    area = max((page[2] - page[0]) * (page[3] - page[1]), 1e-6)
    return max(width, 0) * max(height, 0) / area


def _matrix(image: Any) -> tuple[float, ...]:
    """From the unit square to where the image is on the page, through the forms that hold it."""
    matrix, form = image.get_matrix(), image.container
    while form is not None:
        matrix, form = matrix.multiply(form.get_matrix()), form.container
    return tuple(matrix.get())


def _image_bounds(matrix: tuple[float, ...]) -> tuple[float, ...]:
    """Left, bottom, right and top of an image, from its matrix."""
    a, b, c, d, e, f = matrix
    xs, ys = (e, e + a, e + c, e + a + c), (f, f + b, f + d, f + b + d)
    return min(xs), min(ys), max(xs), max(ys)


def _pixels_per_point(size: tuple[int, int], matrix: tuple[float, ...]) -> float:
    """The larger of a placed image's two resolutions."""
    a, b, c, d, *_ = matrix
    across, down = np.hypot(a, b), np.hypot(c, d)
    return float(max(size[0] / max(across, 1e-6), size[1] / max(down, 1e-6)))


def _size_if_whole(
    size: tuple[int, int], matrix: tuple[float, ...], page: tuple[float, ...]
) -> tuple[int, int] | None:
    """The size in pixels of an image that is exactly as large as its page, and not distorted."""
    bounds = _image_bounds(matrix)
    if max(abs(side - edge) for side, edge in zip(bounds, page, strict=True)) > 1:
        return None
    (width, height), (a, b, c, d, *_) = size, matrix
    if abs(b) > abs(a):  # it lies on its side
        a, b, c, d, width, height = b, a, d, c, height, width
    if b or c or abs((width / height) / ((page[2] - page[0]) / (page[3] - page[1])) - 1) > 0.01:
        return None
    return width, height


def _pixels(page: Any, content: _Content) -> tuple[np.ndarray, float]:
    """A page drawn in grey (H, W) uint8, and its pixels per point."""
    from pypdfium2 import PdfBitmap, raw

    across, down = page.get_size()
    scale = content.scale or ASSUMED_DPI / _POINTS
    scale = min(scale, (0.99 * MAX_PIXELS / max(across * down, 1e-6)) ** 0.5)
    width, height = (int(np.ceil(side * scale)) for side in (across, down))
    if content.size:  # exactly as the scan; the rounded size of the page may differ
        width, height = content.size[:: -1 if page.get_rotation() % 180 else 1]
    check_size(width, height)
    with closing(PdfBitmap.new_native(width, height, raw.FPDFBitmap_Gray)) as bitmap:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        # A picture is drawn in the whole pixels that it touches. The page is drawn slightly
        # smaller than the bitmap, because rounding could make a scan touch one row too many.
        x, y = (width - 2 * _HAIR) / across, (height - 2 * _HAIR) / down
        matrix = raw.FS_MATRIX(x, 0, 0, y, _HAIR, _HAIR)
        flags = raw.FPDF_GRAYSCALE | raw.FPDF_ANNOT
        clip = raw.FS_RECTF(0, 0, width, height)
        raw.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, flags)
        return np.array(bitmap.to_numpy()).reshape(height, width), scale


@dataclass
class _Characters:
    """A word that is being put together: its characters and the box (4 numbers) of each."""

    text: str = ""
    boxes: list[tuple[float, ...]] = field(default_factory=list)

    def word(self) -> Word | None:
        if not self.text or not self.boxes:
            return None
        left, top, right, bottom = zip(*self.boxes, strict=True)
        return Word(self.text, 1.0, Box(min(left), min(top), max(right), max(bottom)))


def _lines(page: Any, width: int, height: int) -> tuple[Line, ...]:
    """The text of a page with its places in the picture of the page, of `width` x `height`."""
    from pypdfium2 import raw

    matrix = page_matrix(page.get_bbox(), page.get_rotation(), width, height)
    lines: list[Line] = []
    with closing(page.get_textpage()) as text:
        words: list[Word] = []
        current, angle, half = _Characters(), 0.0, 0
        for index in range(text.count_chars() + 1):
            ended = index == text.count_chars()
            code = 10 if ended else raw.FPDFText_GetUnicode(text, index)
            if 0xD800 <= code < 0xDC00:  # the first half of a character beyond U+FFFF
                half = code - 0xD800
                continue
            if 0xDC00 <= code < 0xE000:
                code = 0x10000 + (half << 10) + code - 0xDC00
            character = "-" if code == _SOFT_HYPHEN else chr(code)
            if not character.isspace():
                if character.isprintable():
                    box = _in_picture(text.get_charbox(index, loose=True), matrix, width, height)
                    current.text += character
                    current.boxes.append(box)
                    angle = raw.FPDFText_GetCharAngle(text, index)
                continue
            if word := current.word():
                words.append(word)
            current = _Characters()
            if character in "\r\n" and words:
                lines.append(_line(words, angle, matrix))
                words = []
    return tuple(lines)


def _in_picture(
    box: tuple[float, ...], matrix: np.ndarray, width: int, height: int
) -> tuple[float, ...]:
    """A box (left, bottom, right, top) on the page: left, top, right, bottom in the picture."""
    left, bottom, right, top = box
    corners = matrix @ np.array([[left, right], [bottom, top], [1, 1]])
    x = np.clip(np.sort(corners[0]), 0, width).round(1)
    y = np.clip(np.sort(corners[1]), 0, height).round(1)
    return float(x[0]), float(y[0]), float(x[1]), float(y[1])


def _line(words: list[Word], angle: float, matrix: np.ndarray) -> Line:
    """A line of words; its polygon begins at the top left of the text, whichever way it runs."""
    box = Box.around(p for w in words for p in ((w.box.x0, w.box.y0), (w.box.x1, w.box.y1)))
    corners = ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
    right, down = matrix[:2, :2] @ np.array([np.cos(angle), -np.sin(angle)])
    turns = int(np.rint(np.arctan2(down, right) / (np.pi / 2))) % 4  # clockwise
    polygon = corners[turns:] + corners[:turns]
    return Line(polygon, " ".join(word.text for word in words), 1.0, tuple(words))
