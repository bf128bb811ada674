"""The height of a page's letters, measured by classical image processing, without a network."""

from __future__ import annotations

import cv2
import numpy as np

from ocrkit.image import histogram


def letter_height(page: np.ndarray) -> float:
    """The typical height in pixels of the letters of a grey page (H, W) uint8; 0 if there are none.

    It is the median height of connected components with a letter's proportions. It is weighted by
    height, because there are many specks.
    """
    pieces = cv2.connectedComponentsWithStats(_ink(page), connectivity=8)[2][1:]
    width, height = pieces[:, cv2.CC_STAT_WIDTH], pieces[:, cv2.CC_STAT_HEIGHT]
    letters = (height >= 5) & (height <= 120) & (width >= 0.2 * height) & (width <= 4 * height)
    heights = np.sort(height[letters])
    if not len(heights):
        return 0.0
    weight = np.cumsum(heights)
    return float(heights[np.searchsorted(weight, weight[-1] / 2)])


def _ink(page: np.ndarray) -> np.ndarray:
    """How much darker than the paper each pixel is, uint8 (H, W); 0 for paper.

    The paper is estimated by a morphological closing, which removes letters but keeps shadows and
    stains. Ink is at least half as dark as the darkest pixel nearby. Both use a window of about 50
    pixels, so that faded text is found even on a page with black borders.
    """
    height, width = page.shape
    small = max(1, width // 4), max(1, height // 4)
    window = np.ones((13, 13), np.uint8)
    coarse = cv2.resize(page, small, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, window)
    paper = cv2.resize(cv2.GaussianBlur(paper, (0, 0), 3), (width, height))
    depth = cv2.subtract(paper, cv2.GaussianBlur(page, (0, 0), 0.8))
    coarse = cv2.resize(depth, small, interpolation=cv2.INTER_AREA)
    darkest = cv2.GaussianBlur(cv2.dilate(coarse, window), (0, 0), 6)
    # Leather, cloth and rough paper are dark all over; text has light paper between its strokes.
    grain = cv2.medianBlur(cv2.erode(coarse, np.ones((3, 3), np.uint8)), 51)
    counts = histogram(depth)
    levels = np.arange(256)
    deviation = np.bincount(np.abs(levels - int(_quantile(counts, 0.5))), counts, 256)
    noise = _quantile(deviation, 0.5)  # the median absolute deviation
    floor = 2.0 * grain + max(10.0, 6.0 * noise, 0.12 * _quantile(counts, 0.995))
    level = cv2.resize(np.maximum(0.5 * darkest, floor).astype(np.float32), (width, height))
    return np.where(depth > level, depth, 0).astype(np.uint8)


def _quantile(counts: np.ndarray, share: float) -> float:
    """A quantile of grey levels, from how often each occurs (256,); much faster than sorting."""
    below = np.cumsum(counts)
    position = share * (below[-1] - 1)
    low, high = np.searchsorted(below, [np.floor(position), np.ceil(position)], side="right")
    return float(low + (high - low) * (position % 1))
