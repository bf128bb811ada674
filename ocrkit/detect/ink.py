"""How high the letters of a page are, by classical image processing: no weights, no training."""

from __future__ import annotations

import cv2
import numpy as np

Boxes = np.ndarray  # (n, 4): left, top, right, bottom, the last two exclusive
Ink = np.ndarray  # (H, W): 0 for paper, else by how much darker than the paper


def threshold(page: np.ndarray, reach: int = 48) -> Ink:
    """The ink of a grey page: darker than its paper by half of what the darkest nearby are.

    The paper is what a closing over `reach` pixels leaves: letters vanish, shadows and stains stay.
    Nearby is within the same reach, so that faded text lives beside black borders.
    """
    height, width = page.shape
    small = max(1, width // 4), max(1, height // 4)
    window = np.ones((reach // 4 + 1,) * 2, np.uint8)
    paper = cv2.morphologyEx(
        cv2.resize(page, small, interpolation=cv2.INTER_AREA), cv2.MORPH_CLOSE, window
    )
    paper = cv2.resize(cv2.GaussianBlur(paper, (0, 0), 3), (width, height))
    depth = cv2.subtract(paper, cv2.GaussianBlur(page, (0, 0), 0.8))
    coarse = cv2.resize(depth, small, interpolation=cv2.INTER_AREA)
    darkest = cv2.GaussianBlur(cv2.dilate(coarse, window), (0, 0), reach / 8)
    # Leather, cloth and rough paper are dark between their threads as well; text is not.
    grain = cv2.medianBlur(cv2.erode(coarse, np.ones((3, 3), np.uint8)), 51)
    noise = np.median(cv2.absdiff(depth, np.full_like(depth, np.median(depth))))
    floor = 2.0 * grain + max(10.0, 6.0 * noise, 0.12 * np.percentile(depth, 99.5))
    level = cv2.resize(np.maximum(0.5 * darkest, floor).astype(np.float32), (width, height))
    return np.where(depth > level, depth, 0).astype(np.uint8)


def pieces(ink: Ink) -> Boxes:
    """Boxes of the connected pieces of ink."""
    x, y, width, height = cv2.connectedComponentsWithStats(ink, connectivity=8)[2][1:, :4].T
    return np.stack([x, y, x + width, y + height], axis=1).astype(np.float64)


def letter_height(boxes: Boxes) -> float:
    """The typical height of letters, 0 if there are none: the median over pieces of their shape,
    weighted by height, for specks are many."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    like = (height >= 5) & (height <= 120) & (width >= 0.2 * height) & (width <= 4 * height)
    tall = np.sort(height[like])
    if not len(tall):
        return 0.0
    weight = np.cumsum(tall)
    return float(tall[np.searchsorted(weight, weight[-1] / 2)])
