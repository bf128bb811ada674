"""A second look at a page: headlines far larger than its text, text turned by 90 degrees, and the
few letters or figures of a page without lines."""

from __future__ import annotations

import cv2
import numpy as np

from ocrkit.detection import Detector
from ocrkit.detection.pieces import Pieces, box_around, groups_across
from ocrkit.image import page_ink, scaled

# Lengths in heights of a line.
LARGE, LARGEST = 2.0, 30.0  # height of the letters of a large headline
LETTER = 30.0  # px; it is looked for on a picture on which they are so high
HEADLINES = 4  # the most places that are looked at
TURNED, TURNED_WIDTH = 3.0, 1.6  # the least length of a turned line, and its largest height
TURNED_LETTERS = 3
# Of a page without lines:
FEW, FEW_SPECKS = 6, 40  # at most so many letters, among at most so many pieces of ink
FEW_INK = 1.2  # what is darker is ink; see `page_ink`
FEW_HEIGHT, FEW_SHARE = 10, 0.4  # px, the least of a letter; and the most of the page
FEW_MARGIN = 0.35  # around a letter, in its heights


def few_letters(page: np.ndarray) -> list[np.ndarray]:
    """The polygons of the letters of a grey page (H, W) uint8 that is blank except for a few.

    A network that marks lines may miss a page's only figure. Specks are lower than letters, and on
    a page with many pieces of ink nothing is looked for.
    """
    if min(page.shape) <= FEW_HEIGHT:
        return []
    ink = (page_ink(page) > FEW_INK).astype(np.uint8)
    x, y, width, tall, area = cv2.connectedComponentsWithStats(ink, connectivity=8)[2][1:].T
    if not len(x) or len(x) > FEW_SPECKS:
        return []
    boxes = np.stack([x, y, x + width, y + tall], axis=1).astype(np.float64)
    letters = (tall > 0.5 * tall.max()) & (width > 0.08 * tall) & (width < 1.6 * tall)
    letters &= (
        (tall >= FEW_HEIGHT) & (tall < FEW_SHARE * page.shape[0]) & (area < 0.9 * tall * width)
    )
    letters &= (boxes[:, :2] > 1).all(axis=1) & (boxes[:, 2:] < np.array(page.shape[::-1]) - 1).all(
        axis=1
    )
    if not 0 < letters.sum() <= FEW:
        return []
    height = float(np.median(tall[letters]))
    pieces = Pieces(boxes, area.astype(np.float64), np.full(len(x), -1), height).only(letters)
    found = []
    for group in groups_across(pieces, 0.6 * height):
        x0, y0, x1, y1 = box_around(pieces.boxes[group])
        margin = FEW_MARGIN * (y1 - y0)
        x0, y0, x1, y1 = x0 - margin, y0 - margin, x1 + margin, y1 + margin
        found.append(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32))
    return found


def headlines(
    page: np.ndarray, boxes: np.ndarray, pieces: Pieces, detector: Detector
) -> list[np.ndarray]:
    """The polygons of lines of large letters on a grey page (H, W) uint8.

    boxes: (n, 4), those of the lines that were found. pieces: those outside of the lines.
    """
    width, tall = (pieces.size / pieces.height).T
    large = (tall > LARGE) & (tall < LARGEST) & (width > 0.15 * tall) & (width < 12 * tall)
    # Frames and rules have little ink for their size.
    large &= pieces.area > 0.12 * np.prod(pieces.size, axis=1)
    letters = pieces.only(large)
    if not len(letters.boxes):
        return []
    usual = float(np.median(letters.size[:, 1]))
    found = []
    for group in groups_across(letters, 1.2 * usual)[:HEADLINES]:
        place = box_around(letters.boxes[group])
        height = float(np.median(letters.size[group, 1]))
        if place[2] - place[0] < 1.2 * height:
            continue
        x0, y0 = np.maximum(place[:2] - 0.5 * height, 0).astype(int)
        x1, y1 = np.ceil(place[2:] + 0.5 * height).astype(int)
        scale = LETTER / height
        for polygon in detector(scaled(page[y0:y1, x0:x1], scale)):
            polygon = polygon / scale + (x0, y0)
            own = box_around(polygon.reshape(-1, 2).repeat(2, axis=1))
            if own[3] - own[1] > 0.6 * height and not _covered(own, boxes):
                found.append(polygon)
    return found


def _covered(box: np.ndarray, boxes: np.ndarray) -> bool:
    """Whether lines that were found fill a part of a box."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return bool(sides.clip(0).prod(axis=1).sum() > 0.3 * np.prod(box[2:] - box[:2]))


def turned_lines(
    boxes: np.ndarray, pieces: Pieces, in_long_line: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """The polygons of lines turned by 90 degrees, and which of the lines found are parts of them.

    boxes: (n, 4), those of the lines that were found. pieces: all of the page; in_long_line: a mask
    of those that are in a line too long to be a part of a turned one. The polygons are those of
    text that reads upwards; the text may read downwards as well.
    """
    height = pieces.height
    width, tall = (pieces.size / height).T
    free = ~in_long_line & (width < 1.5) & (tall < 8)
    letters = pieces.only(free)
    upright = Pieces(letters.boxes[:, [1, 0, 3, 2]], letters.area, letters.line, height)
    found, parts = [], np.zeros(len(boxes), bool)
    for group in groups_across(upright, 0.8 * height):
        x0, y0, x1, y1 = box_around(letters.boxes[group])
        long, across = (y1 - y0) / height, (x1 - x0) / height
        if len(group) < TURNED_LETTERS or long < TURNED or not 0.5 < across < TURNED_WIDTH:
            continue
        if _side_by_side(letters.boxes[group], height) > 0.25:
            continue  # a column of numbers
        edges = np.sort(upright.boxes[group], axis=0)
        gaps = edges[1:, 0] - edges[:-1, 2]
        inside = (boxes[:, 0] > x0 - height) & (boxes[:, 2] < x1 + height)
        inside &= (boxes[:, 1] > y0 - height) & (boxes[:, 3] < y1 + height)
        # The figures of a column stand further apart than the letters of a word.
        if np.median(gaps) > 0.25 * height:
            continue
        parts |= inside
        margin, end = 0.12 * height, 0.25 * height
        x0, y0, x1, y1 = x0 - margin, y0 - end, x1 + margin, y1 + end
        found.append(np.array([(x0, y1), (x0, y0), (x1, y0), (x1, y1)]))
    return found, parts


def _side_by_side(boxes: np.ndarray, height: float) -> float:
    """The share of pieces that have another one on their level; dots do not count."""
    boxes = boxes[np.ptp(boxes.reshape(-1, 2, 2), axis=1).max(axis=1) > 0.3 * height]
    if not len(boxes):
        return 0.0
    x0, y0, x1, y1 = boxes.T
    level = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    level = level > 0.5 * np.minimum.outer(y1 - y0, y1 - y0)
    beside = np.minimum.outer(x1, x1) <= np.maximum.outer(x0, x0) + 1
    return float((level & beside).any(axis=1).mean())
