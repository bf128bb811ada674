"""A picture to check a reading: the page with a box around each line, beside it the text."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrkit.document import Line, Page
from ocrkit.errors import OutputError
from ocrkit.files import write

# Colours of a line's box: high confidence and low confidence.
HIGH, LOW = (20, 125, 60), (205, 45, 30)
TEXT = (15, 45, 120)
# DejaVu Sans 2.35, cut down to Latin characters and historical signs. Its licence (Bitstream Vera)
# allows this; the licence text is in the font's name table. The small e above a letter (U+0364) and
# the round r (U+A75B) were added: they are the font's own e and 2, made smaller.
FONT = Path(__file__).with_name("DejaVuSans-subset.ttf")


def overlay(
    array: np.ndarray, page: Page, path: str | Path | None = None, longest: int = 1600
) -> Image.Image:
    """Draw the boxes of the lines on a grey page (H, W) uint8, and each word beside the page.

    A box is green where the confidence is high and red where it is low. A page whose longer side
    has more than `longest` pixels is made smaller. With a path, the picture is also written there;
    the suffix of the path chooses the format. Raises OutputError if the format is unknown or the
    file cannot be written.
    """
    scale = min(1.0, longest / max(array.shape))
    size = [max(1, round(side * scale)) for side in array.shape[::-1]]
    scan = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    picture = Image.fromarray(np.hstack([scan, np.full_like(scan, 255)])).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for line in page.lines:
        corners = [(x * scale, y * scale) for x, y in line.polygon]
        draw.polygon(corners, outline=_color(line.confidence), width=2)
        _write_words(draw, line, scale, size[0])
    if path is not None:
        _save(picture, Path(path))
    return picture


def _color(confidence: float) -> tuple[int, ...]:
    # Lines below 0.5 are rarely kept, so the scale of colours starts there.
    share = max(0.0, 2 * confidence - 1)
    return tuple(round(low + share * (high - low)) for high, low in zip(HIGH, LOW, strict=True))


def _write_words(draw: ImageDraw.ImageDraw, line: Line, scale: float, left: int) -> None:
    """Write the words at their places on the white page, which starts at x = `left`."""
    half = len(line.polygon) // 2
    height = sum(y for _, y in line.polygon[half:]) - sum(y for _, y in line.polygon[:half])
    height *= 0.8 * scale / half
    room = sum(word.box.width for word in line.words) * scale
    width = sum(_font(100).getlength(word.text) for word in line.words) / 100
    # At least a third of the line's height: the width of a single character is only an estimate.
    font = _font(max(6, round(min(height, max(0.35 * height, room / max(width, 1e-6))))))
    for word in line.words:
        middle = (word.box.y0 + word.box.y1) / 2
        draw.text((left + scale * word.box.x0, scale * middle), word.text, TEXT, font, anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size)


def _save(picture: Image.Image, path: Path) -> None:
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise OutputError(
            f"{path}: pictures cannot be written with this suffix; use .jpg or .png, for example"
        )
    picture.save(data := BytesIO(), kind, quality=85)
    write(path, data.getvalue())
