"""A picture of a page with its lines boxed and its text beside it."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrkit.document import Line, Page
from ocrkit.errors import OutputError
from ocrkit.files import write
from ocrkit.synth.fonts import package_folder

if TYPE_CHECKING:
    pass

SURE, UNSURE = (20, 125, 60), (205, 45, 30)  # of a box, by the line's confidence
TEXT = (15, 45, 120)


def overlay(
    array: np.ndarray, page: Page, path: str | Path | None = None, longest: int = 1600
) -> Image.Image:
    """A grey page (H, W) uint8 with the boxes of its lines, and beside it each word in its place.

    A box is green where the reading is sure of itself and red where it is not. Pages are shrunk to
    `longest` pixels on their longer side. With a path the picture is written there as well, whole
    or not at all; its suffix chooses the format. Raises OutputError if there is no such format, or
    it cannot be written.
    """
    scale = min(1.0, longest / max(array.shape))
    size = [max(1, round(side * scale)) for side in array.shape[::-1]]
    scan = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    picture = Image.fromarray(np.hstack([scan, np.full_like(scan, 255)])).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for line in page.lines:
        corners = [(x * scale, y * scale) for x, y in line.polygon]
        # What is below the middle is rarely kept, and all that is kept would look green.
        sure = max(0.0, 2 * line.confidence - 1)
        color = tuple(
            round(bad + sure * (good - bad)) for good, bad in zip(SURE, UNSURE, strict=True)
        )
        draw.polygon(corners, outline=color, width=2)
        _write_text(draw, line, scale, size[0])
    if path is not None:
        path, data = Path(path), BytesIO()
        kind = Image.registered_extensions().get(path.suffix.lower())
        if kind is None:
            raise OutputError(f"{path}: no picture is written under this suffix; .jpg or .png is")
        picture.save(data, kind, quality=85)
        write(path, data.getvalue())
    return picture


def _write_text(draw: ImageDraw.ImageDraw, line: Line, scale: float, right: int) -> None:
    """The line's words where they stand, on the page that begins at `right`, all of one size."""
    half = len(line.polygon) // 2
    tall = sum(y for _, y in line.polygon[half:]) - sum(y for _, y in line.polygon[:half])
    tall *= 0.8 * scale / half
    room = sum(word.box.width for word in line.words) * scale
    width = sum(_font(100).getlength(word.text) for word in line.words) / 100
    # Not below a third of the line, as the extent of a lone character is only guessed.
    font = _font(max(6, round(min(tall, max(0.35 * tall, room / max(width, 1e-6))))))
    for word in line.words:
        middle = (word.box.y0 + word.box.y1) / 2
        draw.text((right + scale * word.box.x0, scale * middle), word.text, TEXT, font, anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow's own font has no accents; matplotlib brings one along that has all that is read.
    folder = package_folder("matplotlib", "mpl-data", "fonts", "ttf")
    for font in (folder / "DejaVuSans.ttf", "DejaVuSans.ttf"):
        try:
            return ImageFont.truetype(font, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
