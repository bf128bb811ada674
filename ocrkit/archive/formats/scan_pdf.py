"""Image files as PDF: a page for each picture, in the size that its resolution gives."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ocrkit.image import ASSUMED_DPI, check_size, frames, grey, orientation, pictures, resolution

if TYPE_CHECKING:
    import pikepdf
    from fpdf import FPDF

_POINTS = 72  # to the inch
_SMALLEST, _LARGEST = 3, 14_400  # points; PDF allows no other sides of a page
_TURNS = {1: 0, 3: 180, 6: 90, 8: 270}  # EXIF orientation -> clockwise degrees; no reflections


def pictures_to_pdf(file: BinaryIO, head: bytes, count: int) -> pikepdf.Pdf:
    """The first `count` pictures of an open image file as an open PDF; see `to_pdf`.

    Raises ImageError, and many other errors if the file is damaged.
    """
    import pikepdf
    from fpdf import FPDF

    made = FPDF(unit="pt")
    made.set_creation_date(datetime.fromtimestamp(0, UTC))  # stands for none
    first = next(frames(file, head))
    if isinstance(first, JpegImageFile) and orientation(first) in _TURNS:
        turn = _TURNS[orientation(first)]
        check_size(*first.size)
        dpi = resolution(first)
        file.seek(0)
        _add(made, file.read(), first.size, dpi[::-1] if dpi and turn % 180 else dpi)
    else:
        turn, dpi = 0, None
        file.seek(0)
        for image in islice(pictures(file, head), count):
            dpi = resolution(image)
            _add(made, _embeddable(image), image.size, dpi)
    pdf = pikepdf.open(BytesIO(bytes(made.output())))
    if turn:
        pdf.pages[0].Rotate = turn
    if dpi is None:
        pdf.docinfo["/Subject"] = f"The resolution is not known; {ASSUMED_DPI:.0f} dpi are assumed"
    return pdf


def _add(
    made: FPDF,
    picture: bytes | Image.Image,
    size: tuple[int, int],
    dpi: tuple[float, float] | None,
) -> None:
    """Add a page with a picture of a size in pixels."""
    width, height = (
        side * _POINTS / density
        for side, density in zip(size, dpi or (ASSUMED_DPI, ASSUMED_DPI), strict=True)
    )
    fitting = min(1.0, _LARGEST / max(width, height))
    width, height = (max(side * fitting, _SMALLEST) for side in (width, height))
    made.add_page(format=(width, height))
    made.image(picture, 0, 0, width, height)


def _embeddable(image: ImageFile.ImageFile) -> Image.Image:
    """The loaded picture in a mode that PDF has."""
    if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
        return image.copy()
    if image.mode in ("LAB", "F") or image.mode.startswith("I"):
        return Image.fromarray(grey(image))
    return image.convert("RGB")
