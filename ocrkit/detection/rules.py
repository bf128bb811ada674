"""Rules: the printed lines between columns, under headings and in tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from ocrkit.image import page_ink

LENGTH = 3.0  # of the shortest rule, in heights of a line of text
THICKNESS = 0.4  # of the thickest rule, in heights of a line
BESIDE = 0.2  # the most ink beside a rule, as a share of its length
_INK = 0.4  # of the darkest ink; a rule is at least so dark

_NONE = np.zeros((0, 4))


@dataclass(frozen=True)
class Rules:
    """The rules of a page, (n, 4) each: left, top, right, bottom in pixels."""

    vertical: np.ndarray = field(default_factory=_NONE.copy)
    horizontal: np.ndarray = field(default_factory=_NONE.copy)

    def scaled(self, scale: float) -> Rules:
        return Rules(self.vertical * scale, self.horizontal * scale)


def find_rules(page: np.ndarray, height: float) -> Rules:
    """The rules of a grey page (H, W) uint8 whose lines of text are `height` pixels high."""
    if min(page.shape) < 2 or height <= 0:
        return Rules()
    ink = (np.abs(page_ink(page)) > _INK).astype(np.uint8)
    return Rules(_upright(ink, height), _upright(ink.T, height)[:, [1, 0, 3, 2]])


def _upright(ink: np.ndarray, height: float) -> np.ndarray:
    """Vertical rules (n, 4) of ink (H, W), 0 or 1."""
    length, wide = max(3, round(LENGTH * height)), max(2, round(THICKNESS * height))
    ink = np.ascontiguousarray(ink)
    # The pieces of a leaning rule stand side by side; made wider, they form one run.
    runs = cv2.dilate(ink, np.ones((1, 3), np.uint8))
    runs = cv2.morphologyEx(runs, cv2.MORPH_OPEN, np.ones((length // 2, 1), np.uint8))
    if not runs.any():
        return _NONE
    reach = max(1, length // 8)
    joined = cv2.dilate(runs, np.ones((2 * reach + 1, 3), np.uint8))
    outlines = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    x, y, w, h = np.array([cv2.boundingRect(outline) for outline in outlines]).T
    keep = (h - 2 * reach >= length) & (w <= np.maximum(wide, 0.05 * h) + 4)
    boxes = np.stack([x + 2, y + reach, x + w - 2, y + h - reach], axis=1)[keep]
    return np.array([box for box in boxes if _is_apart(ink, box)], np.float64).reshape(-1, 4)


def _is_apart(ink: np.ndarray, box: np.ndarray) -> bool:
    """Whether there is paper on both sides of a rule; the edge of a row of letters has some ink."""
    x0, y0, x1, y1 = box.tolist()
    sides = ink[y0:y1, max(0, x0 - 5) : max(0, x0 - 1)], ink[y0:y1, x1 + 1 : x1 + 5]
    return all(not side.size or side.mean() < BESIDE for side in sides)
