"""A page as it is loaded from a file, and the limits on its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ocrkit.document import Line
from ocrkit.errors import ImageError

MAX_PIXELS = 180_000_000
ASSUMED_DPI = 300.0  # of pages whose file does not say it
PagesWithText = Literal["skip", "keep", "redo"]
PAGES_WITH_TEXT: tuple[PagesWithText, ...] = get_args(PagesWithText)

# Values outside are mistakes, or stand for "unknown" (1 dpi in TIFF).
_LOWEST_DPI, _HIGHEST_DPI = 30, 4800


@dataclass(frozen=True)
class Scan:
    """A page of a file, before it is read.

    pixels: grey (H, W) uint8; 255 is white.
    number: of the page in its file, from 1.
    dpi: pixels per inch across the page, if the file says it; see `known_dpi`.
    lines: the text that a PDF page already has, with its places in `pixels`; None where the page is
    to be read.
    """

    pixels: np.ndarray
    number: int = 1
    dpi: float | None = None
    lines: tuple[Line, ...] | None = None


def known_dpi(value: object) -> float | None:
    """A resolution that a file states, in pixels per inch; None if it cannot be right."""
    try:
        dpi = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return round(dpi, 2) if _LOWEST_DPI <= dpi <= _HIGHEST_DPI else None


def check_size(width: int, height: int) -> None:
    """Raises ImageError if an image of this size is too large or too small to be read."""
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width} x {height} pixels are more than the limit of {MAX_PIXELS // 1_000_000} "
            "megapixels; make the image smaller, or cut it into parts"
        )
    if min(width, height) < 2:
        raise ImageError(f"{width} x {height} pixels are too few to contain text")


def reason(error: Exception) -> str:
    """The message of an error of the system or of a library, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__
