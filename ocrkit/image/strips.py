"""Crops to the recogniser's input, and pages to the detector's.

Training, calibration and every backend call `fit`, so that all of them see the same input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocrkit.image.crops import scaled

_INK, _PAPER = 0.01, 0.75  # shares of the pixels, and of the lighter pixels, that lie below
_MIN_CONTRAST = 32  # grey levels; paper without text varies by less, and is not to become text
_CONTRAST_RANGE = (-0.25, 1.25)
_FAINT = 0.35  # less ink than this on a pixel is not counted as a letter's
_BODY = 0.3  # rows of letters' bodies have this share of the ink of the densest rows
_TALLEST = 192  # rows of a crop; six times what a strip has leaves all that can be seen in it
_ROWS, _BLOCKS = 48, 24  # a line's ink is looked at in this detail to find its slope and rows
_STEEPEST = 0.5  # largest rise of a line over its width, as a share of the crop's height
_CENTRED = 0.18  # how far from the middle the text of a crop may lie, as a share of its height
_ASCENT, _DESCENT = 0.75, 0.55  # room above and below the bodies, in their height


MAX_SIZE = 16_384  # of any setting of `Preprocessing` in pixels


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes the model's input; it travels with the model's weights.

    height: of the strip, in pixels, as are the others.
    bucket: strips are padded to a multiple of this, so that few widths are to be batched.
    normalize: "contrast" maps the crop's paper to 0 and its ink to 1, whichever of them is darker;
        "reference" maps black to -1 and white to 1.
    trim: `tighten` first, so that a loose crop, its neighbours in view, is shown as a tight one.
    min_width, max_width: of the text in the strip; beyond the latter it is squeezed.
    """

    height: int = 32
    bucket: int = 32
    normalize: str = "contrast"
    trim: bool = True
    min_width: int = 8
    max_width: int = 2048

    def __post_init__(self) -> None:
        sizes = self.height, self.bucket, self.min_width, self.max_width
        # Larger ones would only ask for more memory than any strip needs.
        if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in sizes):
            raise ValueError(
                f"height, bucket, min_width and max_width must be from 1 to {MAX_SIZE}, not {sizes}"
            )
        if self.min_width > self.max_width or self.bucket > self.max_width:
            raise ValueError("min_width and bucket must be no larger than max_width")
        if self.normalize not in ("contrast", "reference"):
            raise ValueError(f"normalize is {self.normalize!r}; choose 'contrast' or 'reference'")
        if type(self.trim) is not bool:
            raise ValueError(f"trim must be true or false, not {self.trim!r}")

    @property
    def paper(self) -> float:
        """The value of blank paper in a strip, and of its padding."""
        return 0.0 if self.normalize == "contrast" else 1.0


def tighten(crop: np.ndarray) -> np.ndarray:
    """A grey crop (H, W) of a line, made level and cut to the rows of its text.

    The line is sheared upright by the slope at which its rows part best into inked and blank ones
    (the projection profile of Postl, 1986). Of these rows the densest run near the middle is taken
    for the letters' bodies, and kept with room for ascenders and descenders.

    One of more than 192 rows is made smaller first. One of less than 12, or less than 4 times as
    wide as high, has too few letters to tell, and is returned with all its rows.
    """
    if crop.shape[0] > _TALLEST and crop.size:
        crop = scaled(crop, _TALLEST / crop.shape[0])
    height, width = crop.shape
    if height < 12 or width < 4 * height:
        return crop
    ink = cv2.LUT(crop, (_contrast(crop) * 255).clip(0, 255).astype(np.uint8))
    ink[ink < _FAINT * 255] = 0
    blocks = cv2.resize(ink, (_BLOCKS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    rises, profiles = _profiles(blocks)
    best = int((profiles**2).sum(axis=1).argmax())
    top, bottom = _text_rows(profiles[best])
    rise = rises[best] * height / _ROWS
    if rise:
        matrix = np.array([[1, 0, 0], [rise / width, 1, -rise / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        crop = cv2.warpAffine(crop, matrix, (width, height), flags=flags, borderMode=border)
    return crop[int(top * height / _ROWS) : -int(-bottom * height // _ROWS)]


def _profiles(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ink of each row (S, rows), for a line that falls by each of S rises, in rows.

    The ink (rows, blocks) is averaged along sloping rows; rises near 0 come first.
    """
    rows, columns = blocks.shape
    limit = int(_STEEPEST * rows)
    rises = np.array(sorted(range(-limit, limit + 1), key=abs))
    shift = np.rint(rises[:, None] * (np.arange(columns) + 0.5 - columns / 2) / columns).astype(int)
    source = np.arange(rows)[None, :, None] + shift[:, None, :]
    inside = (source >= 0) & (source < rows)
    ink = blocks[source.clip(0, rows - 1), np.arange(columns)] * inside
    return rises, ink.mean(axis=2)


def _text_rows(density: np.ndarray) -> tuple[int, int]:
    """The first row of the text and the first after it, given the ink of each row (R,)."""
    rows = len(density)
    density = cv2.blur(density[:, None], (1, 3))[:, 0]
    dense = float(np.sort(density)[-rows // 8 :].mean())
    edges = np.diff(density > _BODY * dense, prepend=False, append=False).nonzero()[0]
    if not dense or not len(edges):
        return 0, rows

    def weight(run: tuple[int, int]) -> float:
        off_centre = (sum(run) / 2 / rows - 0.5) / _CENTRED
        return float(density[slice(*run)].sum() * np.exp(-(off_centre**2) / 2))

    start, end = max(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True), key=weight)
    room = end - start
    return max(0, round(start - _ASCENT * room)), min(rows, round(end + _DESCENT * room))


def fitted_width(crop: np.ndarray, prep: Preprocessing) -> tuple[int, int]:
    """Widths of the text and of the whole strip that `fit` makes of a grey crop (H, W)."""
    height, width = (tighten(crop) if prep.trim else crop).shape
    content = round(width * prep.height / height) if height else 0
    content = min(max(content, prep.min_width), prep.max_width)
    return content, -(-content // prep.bucket) * prep.bucket


def fit(crop: np.ndarray, prep: Preprocessing) -> np.ndarray:
    """The model's input of a grey uint8 crop (H, W): float32 (1, prep.height, padded width).

    Rows, height and aspect are fitted, light and dark normalised, blank paper added on the right.
    Any size is answered; a crop without pixels is a blank strip.
    """
    if prep.trim:
        crop, prep = tighten(crop), replace(prep, trim=False)
    content, padded = fitted_width(crop, prep)
    strip = np.full((1, prep.height, padded), prep.paper, np.float32)
    if crop.size:
        method = cv2.INTER_AREA if crop.shape[0] >= prep.height else cv2.INTER_CUBIC
        resized = cv2.resize(crop, (content, prep.height), interpolation=method)
        reference = np.linspace(-1, 1, 256, dtype=np.float32)
        levels = _contrast(resized) if prep.normalize == "contrast" else reference
        strip[0, :, :content] = cv2.LUT(resized, levels)
    return strip


def magnified(crop: np.ndarray, cut: float, stretch: float) -> np.ndarray:
    """A grey crop (H, W), drawn `stretch` times as wide, for `fit` to make larger letters of.

    cut: the share of its rows that is left out above, and below.
    """
    height, width = crop.shape
    rows = round(cut * height)
    size = max(1, round(stretch * width)), height - 2 * rows
    return cv2.resize(crop[rows : height - rows], size)


def page_ink(page: np.ndarray) -> np.ndarray:
    """A detector's input of a grey page (H, W): float32, 0 for its paper and 1 for its ink.

    The paper is the page's median. A page of light text on dark is below 0 where it has text.
    """
    counts = np.bincount(page.ravel()[:: max(1, page.size // 1_000_000)], minlength=256)
    paper, ink = _level(counts, 0.5), _level(counts, 2 * _INK)
    levels = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    return cv2.LUT(page, np.clip(levels, -2, 2).astype(np.float32))


def _contrast(strip: np.ndarray) -> np.ndarray:
    """The value of each grey level between the strip's own paper, 0, and ink, 1: float32 (256,)."""
    counts = np.bincount(strip.ravel(), minlength=256)
    dark, middle, light = (_level(counts, share) for share in (_INK, 0.5, 1 - _INK))
    # Most pixels of a line are paper, so the side that the median is on is the paper's.
    light_on_dark = light - middle > middle - dark
    if light_on_dark:
        counts = counts[::-1]
    ink, light = _level(counts, _INK), _level(counts, 1 - _INK)
    divide = (ink + light) // 2
    paper = divide + _level(counts[divide:], _PAPER)
    values = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    values = np.clip(values, *_CONTRAST_RANGE).astype(np.float32)
    return values[::-1] if light_on_dark else values


def _level(counts: np.ndarray, share: float) -> int:
    """The lowest level that at least this share of the pixels does not exceed."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, share * below[-1]))
