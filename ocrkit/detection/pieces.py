"""Pieces of ink: the connected parts of letters, marks and pictures on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ocrkit.detection.rules import Rules
from ocrkit.image import page_ink

WINDOW = 3.0  # heights of a line; ink is darker than the mean of so large a square around it
DARKER = 0.3  # by so much of the darkest ink
NOISE = 5.0  # and by so many standard deviations of the paper
BLACK = 0.7  # of the darkest ink; what is so dark is ink whatever is around it
DOUBLE, MOST_DOUBLE = (0.18, 0.6), 2000  # heights of a line; and of so many pieces
NARROWEST = 5  # px; less does not show two strokes
VALLEY = 0.55  # of the ink of both halves, between them
SMALLEST = 0.06  # side of the smallest piece, in heights of a line


@dataclass(frozen=True)
class Pieces:
    """The pieces of a page whose lines are `height` pixels high.

    boxes: (n, 4) left, top, right, bottom in pixels. area: (n,) pixels of ink. line: (n,) the
    index of the line that a piece is in, or -1. double: (n,) whether a piece is two equal strokes
    side by side, joined only by paler ink; empty if it is not known.
    """

    boxes: np.ndarray
    area: np.ndarray
    line: np.ndarray
    height: float
    double: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def size(self) -> np.ndarray:
        """Widths and heights (n, 2)."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    @property
    def middle(self) -> np.ndarray:
        """The middle of each piece (n, 2)."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    def inside(self, box: np.ndarray) -> np.ndarray:
        """Which pieces (n,) have their middle in a box (4,): left, top, right, bottom."""
        x, y = self.middle.T
        return (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])

    def only(self, chosen: np.ndarray) -> Pieces:
        """Some of the pieces, by a mask (n,) or by their indices."""
        double = self.double[chosen] if len(self.double) else self.double
        return Pieces(self.boxes[chosen], self.area[chosen], self.line[chosen], self.height, double)


def find_pieces(
    page: np.ndarray, polygons: Sequence[np.ndarray], rules: Rules, height: float
) -> Pieces:
    """The pieces of a grey page (H, W) uint8 with lines at `polygons`, without its rules."""
    side = int(WINDOW * height) // 2 * 2 + 1
    ink = page_ink(page)
    depth = ink - cv2.blur(ink, (side, side))
    # Most of a page is paper, so that the usual difference of near pixels is its noise.
    noise = float(np.median(np.abs(ink[::3, 3::3] - ink[::3, :-3:3]))) if page.shape[1] > 6 else 0.0
    dark = (depth > max(DARKER, NOISE * noise)) & (ink > DARKER)
    # The strokes of large letters are wider than the square.
    picture = (dark | (ink > BLACK)).astype(np.uint8)
    for x0, y0, x1, y1 in np.concatenate([rules.vertical, rules.horizontal]).round().astype(int):
        picture[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = 0
    stats = cv2.connectedComponentsWithStats(picture, connectivity=8)[2][1:]
    x, y, w, h, area = stats[stats[:, 4] >= max(2, (SMALLEST * height) ** 2)].T
    boxes = np.stack([x, y, x + w, y + h], axis=1).astype(np.float64)
    cover = np.zeros(page.shape, np.int32)
    for i, polygon in enumerate(polygons, start=1):
        cv2.fillPoly(cover, [np.round(polygon).astype(np.int32)], i)
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int)
    line = cover[middle[:, 1], middle[:, 0]] - 1
    double = _double(boxes, ink, height)
    return Pieces(boxes, area.astype(np.float64), line, height, double)


def _double(boxes: np.ndarray, ink: np.ndarray, height: float) -> np.ndarray:
    """Which pieces are two strokes side by side: ditto marks whose halves run together."""
    sides = (boxes[:, 2:] - boxes[:, :2]) / height
    small = (sides > DOUBLE[0]).all(axis=1) & (sides < DOUBLE[1]).all(axis=1)
    small &= sides[:, 0] * height >= NARROWEST
    double = np.zeros(len(boxes), bool)
    for i in np.flatnonzero(small)[:MOST_DOUBLE].tolist():
        x0, y0, x1, y1 = boxes[i].astype(int)
        across = (ink[y0:y1, x0:x1] - DARKER).clip(0).mean(axis=0)
        third = max(1, len(across) // 3)
        left, right = across[: third + 1].max(), across[-third - 1 :].max()
        double[i] = across[third:-third].min() < VALLEY * min(left, right)
    return double


def box_around(boxes: np.ndarray) -> np.ndarray:
    """The box (4,) around boxes (n, 4)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def groups_across(pieces: Pieces, gap: float) -> list[list[int]]:
    """The indices of pieces that stand beside each other with at most `gap` px between them."""
    groups: list[list[int]] = []
    right: list[float] = []
    near: list[int] = []  # groups that end a short way to the left
    reach = 0.3 * pieces.height
    for i in np.argsort(pieces.boxes[:, 0]).tolist():
        x0, y0, x1, y1 = pieces.boxes[i].tolist()
        near = [g for g in near if right[g] > x0 - gap]
        for g in near:
            last = pieces.boxes[groups[g]]
            if y0 < last[:, 3].max() + reach and y1 > last[:, 1].min() - reach:
                groups[g].append(i)
                right[g] = max(right[g], x1)
                break
        else:
            near.append(len(groups))
            groups.append([i])
            right.append(x1)
    return groups
