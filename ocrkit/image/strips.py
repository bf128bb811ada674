"""Preprocessing: line crops to the recogniser's input, and pages to the detector's.

A strip is a line as the recogniser sees it: of fixed height, with normalised contrast, padded on
the right. Training, calibration and every backend call `fit`, so that all get the same input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from ocrkit.image.crops import scaled

MAX_SIZE = 16_384  # px; the largest value of a setting of `Preprocessing`

# Contrast stretching. Grey levels are quantiles: of all pixels for ink, of the lighter half for
# paper. A smaller contrast is the noise of blank paper and is not stretched any further.
_INK, _PAPER = 0.01, 0.75
_MIN_CONTRAST = 32  # grey levels
_CONTRAST_RANGE = (-0.25, 1.25)

# Finding the text in a crop.
_MAX_ROWS = 192  # higher crops are made smaller; this is still six times the height of a strip
_MIN_ROWS, _MIN_ASPECT = 12, 4  # smaller or narrower crops have too few letters to measure
_MIN_INK = 0.35  # of a pixel (0 paper, 1 ink); less does not count as part of a letter
_ROWS, _COLUMNS = 48, 24  # the crop is reduced to this size for the projection profiles
_MAX_RISE = 0.5  # of a line from its left to its right end, as a share of the crop's height
_X_HEIGHT_INK = 0.3  # rows within the x-height have at least this share of the densest rows' ink
_OFF_CENTRE = 0.18  # standard deviation of a line's place in its crop, as a share of the height
_ASCENDER, _DESCENDER = 0.75, 0.55  # room kept above and below the x-height, in x-heights
_LOST_INK = 0.01  # if a larger share of the ink would be cut away, letters are looked at one by one
_COMPONENT_ROWS = 64  # crops are reduced to this height before that
_RULE_WIDTH, _RULE_HEIGHT = 0.35, 0.2  # least width and largest height of a rule, as shares
_CUT_LETTERS = 0.2  # share of the letters, by width, that may reach beyond the rows kept
# Blank rows of short lines: least ink of a pixel, width of a long line in heights of its crop,
# height of low ink as a share of the crop, width of a single sign in its heights, and the room that
# is left above and below, in heights of the ink.
_DARK, _LONG, _LOW, _SINGLE, _ROOM = 0.5, 8, 0.25, 1.2, 0.15


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes the network's input; every file of weights contains these settings.

    Sizes are in pixels.
    height: of the strip.
    bucket: strips are padded to a multiple of this width, so that batches have few widths.
    normalize: "contrast" stretches the contrast, so that paper is 0 and ink is 1, for dark text on
        light paper as for light text on dark; "reference" maps black to -1 and white to 1.
    trim: whether `tighten` is applied first, which removes parts of neighbouring lines.
    min_width, max_width: of the text in the strip; longer lines are compressed.

    Raises ValueError for values that are out of range.
    """

    height: int = 32
    bucket: int = 32
    normalize: str = "contrast"
    trim: bool = True
    min_width: int = 8
    max_width: int = 2048

    def __post_init__(self) -> None:
        sizes = self.height, self.bucket, self.min_width, self.max_width
        # The settings may come from a file; larger ones would only exhaust the memory.
        if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in sizes):
            raise ValueError(
                f"height, bucket, min_width and max_width are {sizes}; they must be whole numbers "
                f"from 1 to {MAX_SIZE}"
            )
        if self.min_width > self.max_width or self.bucket > self.max_width:
            raise ValueError(
                f"min_width ({self.min_width}) and bucket ({self.bucket}) must be at most "
                f"max_width ({self.max_width})"
            )
        if self.normalize not in ("contrast", "reference"):
            raise ValueError(f"normalize is {self.normalize!r}; choose 'contrast' or 'reference'")
        if type(self.trim) is not bool:
            raise ValueError(f"trim must be true or false, not {self.trim!r}")

    @property
    def paper(self) -> float:
        """The value of blank paper in a strip, and of its padding."""
        return 0.0 if self.normalize == "contrast" else 1.0


def tighten(crop: np.ndarray) -> np.ndarray:
    """A grey crop (H, W) uint8 of a line, with its baseline level and cut to the rows of its text.

    The slope of the line is the one whose projection profile (the ink of each row) has the largest
    sum of squares (Postl, 1986); the crop is sheared by it. In this profile the densest run of rows
    near the middle is the x-height. It is kept with room for ascenders and descenders. The bars of
    figures and underlines can be denser than the x-height: where ink would be cut away, the
    letters themselves (connected components) show how far they reach.

    A crop of more than 192 rows is made smaller first. A crop of less than 12 rows, or less than 4
    times as wide as high, has too few letters to measure, and keeps all its rows.
    """
    if crop.shape[0] > _MAX_ROWS and crop.size:
        crop = scaled(crop, _MAX_ROWS / crop.shape[0])
    height, width = crop.shape
    if height < _MIN_ROWS or width < _MIN_ASPECT * height:
        return crop
    ink = cv2.LUT(crop, (_contrast(crop) * 255).clip(0, 255).astype(np.uint8))
    ink[ink < _MIN_INK * 255] = 0
    small = cv2.resize(ink, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    rises, profiles = _projection_profiles(small)
    best = int((profiles**2).sum(axis=1).argmax())
    profile = profiles[best]
    rows: tuple[float, float] = _with_room(_x_height(profile))
    rise = rises[best] * height / _ROWS
    if rise:
        matrix = np.array([[1, 0, 0], [rise / width, 1, -rise / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        crop = cv2.warpAffine(crop, matrix, (width, height), flags=flags, borderMode=border)
    if profile[int(rows[0]) : int(rows[1])].sum() < (1 - _LOST_INK) * profile.sum():
        if rise:
            ink = cv2.warpAffine(ink, matrix, (width, height), flags=flags)
        rows = _rows_of_letters(ink)
    top, bottom = rows
    return crop[int(top * height / _ROWS) : -int(-bottom * height // _ROWS)]


def _rows_of_letters(ink: np.ndarray) -> tuple[float, float]:
    """As `_with_room(_x_height(profile))`, without rules, and so that few letters are cut.

    ink: a level crop (H, W) uint8, 0 where there is none.
    """
    if ink.shape[0] > _COMPONENT_ROWS:
        ink = scaled(ink, _COMPONENT_ROWS / ink.shape[0])
    height, width = ink.shape
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((ink > 0).astype(np.uint8))
    _, tops, widths, heights, _ = boxes[1:].T
    rules = (widths > _RULE_WIDTH * width) & (heights < _RULE_HEIGHT * height)
    if rules.any():
        ink = np.where(np.isin(labels, np.flatnonzero(rules) + 1), 0, ink).astype(np.uint8)
    profile = cv2.resize(ink, (1, _ROWS), interpolation=cv2.INTER_AREA)[:, 0].astype(np.float32)
    x_height = _x_height(profile)
    top, bottom = map(float, _with_room(x_height))
    scale = _ROWS / height
    starts, ends = tops * scale, (tops + heights) * scale
    letters = ~rules & (starts < x_height[1]) & (ends > x_height[0])
    if letters.any():
        weights = widths[letters]
        top = min(top, _weighted_quantile(starts[letters], weights, _CUT_LETTERS))
        bottom = max(bottom, _weighted_quantile(ends[letters], weights, 1 - _CUT_LETTERS))
    return top, bottom


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The smallest value such that it and smaller ones have at least this share of the weights."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])


def _projection_profiles(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (S,), and for each of them the projection profile (S, rows) of ink (rows, columns).

    A slope is the number of rows by which a line falls from its left to its right end. A profile
    is the mean ink along lines of that slope. The smallest slopes come first.
    """
    rises, source = _sheared_indices(*ink.shape)
    # One more value, of no ink, for what lies outside.
    sheared = np.append(ink, np.float32(0)).take(source)
    return rises, sheared.mean(axis=2)


@cache
def _sheared_indices(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (S,), and where the ink sheared by each comes from: indices (S, rows, columns).

    They count the values of ink (rows, columns) row by row, then one more for what lies outside.
    """
    limit = int(_MAX_RISE * rows)
    rises = np.array(sorted(range(-limit, limit + 1), key=abs))
    across = np.arange(columns)
    shift = np.rint(rises[:, None] * (across + 0.5 - columns / 2) / columns).astype(int)
    row = np.arange(rows)[None, :, None] + shift[:, None, :]
    inside = (row >= 0) & (row < rows)
    return rises, np.where(inside, row * columns + across, rows * columns)


def _x_height(profile: np.ndarray) -> tuple[int, int]:
    """The first row of the x-height and the first row after it, of a projection profile (rows,)."""
    rows = len(profile)
    profile = cv2.blur(profile[:, None], (1, 3))[:, 0]
    densest = float(np.sort(profile)[-rows // 8 :].mean())
    edges = np.diff(profile > _X_HEIGHT_INK * densest, prepend=False, append=False).nonzero()[0]
    if not densest or not len(edges):
        return 0, rows

    def weight(run: tuple[int, int]) -> float:
        """The ink of a run of rows; less counts the further the run is from the middle."""
        off_centre = (sum(run) / 2 / rows - 0.5) / _OFF_CENTRE
        return float(profile[slice(*run)].sum() * np.exp(-(off_centre**2) / 2))

    return max(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True), key=weight)


def _with_room(x_height: tuple[int, int]) -> tuple[int, int]:
    """The rows of an x-height (out of _ROWS) with room for ascenders and descenders."""
    start, end = x_height
    rows = end - start
    top, bottom = start - _ASCENDER * rows, end + _DESCENDER * rows
    return max(0, round(top)), min(_ROWS, round(bottom))


def fitted_width(crop: np.ndarray, prep: Preprocessing) -> tuple[int, int]:
    """Widths in pixels of the text, and of the padded strip, that `fit` makes of a crop (H, W)."""
    height, width = (tighten(crop) if prep.trim else crop).shape
    content = round(width * prep.height / height) if height else 0
    content = min(max(content, prep.min_width), prep.max_width)
    return content, -(-content // prep.bucket) * prep.bucket


def fit(crop: np.ndarray, prep: Preprocessing) -> np.ndarray:
    """The recogniser's input for a grey crop (H, W) uint8: float32 (1, prep.height, padded width).

    The crop is cut to its text (if prep.trim), scaled to the height with its aspect ratio kept,
    normalised, and padded with blank paper on the right. A crop without pixels is a blank strip.
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


def without_blank_rows(crop: np.ndarray) -> np.ndarray:
    """A grey crop (H, W) of a short line, cut to the rows of its ink and a little room.

    `tighten` leaves short lines as they are, and their letters may be small in a high crop. The
    crop comes back whole if it is long, or if its ink is a single sign or low: without the paper
    around them, a small o would look like a capital one, and a dash like a bar.
    """
    height, width = crop.shape
    ink = cv2.LUT(crop, _contrast(crop)) > _DARK
    rows = np.flatnonzero(ink.sum(axis=1) > 1)
    columns = np.flatnonzero(ink.any(axis=0))
    if not len(rows) or width >= _LONG * height:
        return crop
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    inked = bottom - top
    if inked < _LOW * height or columns[-1] + 1 - columns[0] < _SINGLE * inked:
        return crop
    room = _ROOM * inked
    return crop[max(0, int(top - room)) : math.ceil(bottom + room)]


def page_ink(page: np.ndarray) -> np.ndarray:
    """A grey page (H, W) uint8 as float32 (H, W): 0 for paper and 1 for ink.

    Paper is the median of the page, so light text on a dark page is below 0.
    """
    every = max(1, page.size // 1_000_000)
    counts = histogram(np.ascontiguousarray(page.ravel()[::every]))
    paper, ink = _quantile(counts, 0.5), _quantile(counts, 2 * _INK)
    levels = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    return cv2.LUT(page, np.clip(levels, -2, 2).astype(np.float32))


def _contrast(strip: np.ndarray) -> np.ndarray:
    """Contrast stretching as a look-up table (256,) float32: paper is 0 and ink is 1."""
    counts = histogram(strip)
    dark, middle, light = (_quantile(counts, share) for share in (_INK, 0.5, 1 - _INK))
    # Most pixels of a line are paper, so the median is closer to the paper than to the ink.
    light_on_dark = light - middle > middle - dark
    if light_on_dark:
        counts = counts[::-1]
    ink, light = _quantile(counts, _INK), _quantile(counts, 1 - _INK)
    middle = (ink + light) // 2
    paper = middle + _quantile(counts[middle:], _PAPER)
    values = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    values = np.clip(values, *_CONTRAST_RANGE).astype(np.float32)
    return values[::-1] if light_on_dark else values


def histogram(picture: np.ndarray) -> np.ndarray:
    """How many pixels of a uint8 array have each grey level: int (256,)."""
    return cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel().astype(int)


def _quantile(counts: np.ndarray, share: float) -> int:
    """The lowest grey level that at least this share of the pixels does not exceed.

    counts: how many pixels have each level (256,).
    """
    below = np.cumsum(counts)
    return int(np.searchsorted(below, share * below[-1]))
