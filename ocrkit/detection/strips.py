"""White text on black strips and boxes, turned into black text on white."""

from __future__ import annotations

import cv2
import numpy as np

# Lengths in pixels of a page whose letters are LETTERS high; see `ocrkit.detection.lines`.
STROKE = 7  # the widest stroke of a white letter
LEAST_HEIGHT, LEAST_WIDTH = 21, 45  # of a strip
DARK = 0.6  # ink of what may be a strip
# Shares of the ink:
FILLED = 0.8  # of the smallest rectangle around it that a strip fills
EDGE = 0.9  # of its edge that is dark; that of a row of bold letters has gaps
LIGHT, CONTRAST = 0.01, 0.4  # so much of it is letters, lighter by at least so much
SHADE = 0.03  # so much may be darker than the rest of it


def dark_on_light(ink: np.ndarray) -> np.ndarray:
    """The ink of a page (H, W) float32, 0 paper and 1 ink, with the ink of dark strips inverted.

    A strip is a dark rectangle, also a skewed one, with lighter letters in it. A photograph, a
    shadow with dark letters and a thick rule are none.
    """
    dark = cv2.threshold(ink, DARK, 1, cv2.THRESH_BINARY)[1].astype(np.uint8)
    if dark.mean() < LEAST_HEIGHT * LEAST_WIDTH / dark.size / 2:
        return ink
    filled = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((STROKE, STROKE), np.uint8))
    core = np.ones((LEAST_HEIGHT, LEAST_HEIGHT), np.uint8)
    filled = cv2.morphologyEx(filled, cv2.MORPH_OPEN, core)
    if not filled.any():
        return ink
    result = ink.copy()
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled, connectivity=4)
    for label, (x, y, w, h, area) in enumerate(stats[1:].tolist(), start=1):
        inside = labels[y : y + h, x : x + w] == label
        if w >= LEAST_WIDTH and _is_strip(ink[y : y + h, x : x + w], inside, area):
            part = result[y : y + h, x : x + w]
            part[inside] = np.median(part[inside]) - part[inside]
    return result


def _is_strip(ink: np.ndarray, inside: np.ndarray, area: int) -> bool:
    """Whether a dark part of a page, `inside` (h, w), is a rectangle with light letters."""
    points = np.argwhere(inside)[:, ::-1].astype(np.float32)
    (_, sides, _) = cv2.minAreaRect(points)
    if area < FILLED * sides[0] * sides[1] or min(sides) < LEAST_HEIGHT - 1:
        return False
    inner = cv2.erode(np.pad(inside.astype(np.uint8), 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    if (ink[inside & (inner == 0)] > DARK).mean() < EDGE:
        return False
    light, middle, dark = np.quantile(ink[inside], [LIGHT, 0.5, 1 - SHADE])
    return bool(middle - light > max(CONTRAST, 2 * (dark - middle)))
