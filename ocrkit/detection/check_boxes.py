"""The empty boxes of forms, beside a word to be ticked; a recogniser would read brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ocrkit.detection.found import Found, between, box_of, contains
from ocrkit.detection.pieces import Pieces
from ocrkit.image import page_ink

# Lengths in heights of a line.
SMALLEST, LARGEST = 0.5, 2.0  # side of a box
APART = 0.25  # from a box to the nearest letter; in a word letters are nearer
PART = 1.0  # a wider part of a line may have text too faint for pieces
# Shares:
SQUARE = 0.75  # of the longer side, the least of the shorter one
OUTLINE = 0.55  # the most of a box that its outline fills
EDGE, CLOSED = 0.22, 0.9  # of a side: how wide its edge is, and how much of it has ink
INK, INSIDE = 0.5, 0.15  # of its darkest ink: at least on the edges, and at most within


def without_check_boxes(lines: Sequence[Found], pieces: Pieces, page: np.ndarray) -> list[Found]:
    """The lines of a grey page (H, W) uint8, cut where empty boxes stand in them.

    pieces: those of the page. A line that is only a box is left out.
    """
    boxes = _check_boxes(pieces, page)
    if not len(boxes):
        return list(lines)
    return [part for line in lines for part in _parts(line, boxes, pieces)]


def _check_boxes(pieces: Pieces, page: np.ndarray) -> np.ndarray:
    sides = pieces.size
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    fits = (shorter > SMALLEST * pieces.height) & (longer < LARGEST * pieces.height)
    fits &= (shorter > SQUARE * longer) & (pieces.area < OUTLINE * sides.prod(axis=1))
    if not fits.any():
        return np.zeros((0, 4))
    ink = page_ink(page)
    found = [box for box in pieces.boxes[fits] if _is_empty_box(ink, box) and _apart(box, pieces)]
    return np.array(found).reshape(-1, 4)


def _is_empty_box(ink: np.ndarray, box: np.ndarray) -> bool:
    """Whether there is ink all along the four edges of a box, to the corners, and none within."""
    x0, y0, x1, y1 = box.astype(int).tolist()
    part = ink[y0:y1, x0:x1]
    reach = max(1, round(EDGE * min(part.shape)))
    edges = [part[:reach].max(axis=0), part[-reach:].max(axis=0)]
    edges += [part[:, :reach].max(axis=1), part[:, -reach:].max(axis=1)]
    dark = float(np.quantile(part, 0.95))
    if any((edge > INK * dark).mean() < CLOSED for edge in edges):
        return False
    within = part[reach:-reach, reach:-reach]
    return bool(within.size) and float(np.quantile(within, 0.98)) < INSIDE * dark


def _apart(box: np.ndarray, pieces: Pieces) -> bool:
    x0, y0, x1, y1 = box.tolist()
    reach = APART * pieces.height
    left, top, right, bottom = pieces.boxes.T
    near = bottom - top < 2 * LARGEST * pieces.height  # not the frame of a page
    near &= (left < x1 + reach) & (right > x0 - reach) & (top < y1) & (bottom > y0)
    return int(near.sum()) == 1  # itself


def _parts(line: Found, boxes: np.ndarray, pieces: Pieces) -> list[Found]:
    """A line without the check boxes in it: what stands before, between and after them."""
    left, _, right, _ = box_of(line.polygon)
    inside = boxes[contains(line.polygon, (boxes[:, :2] + boxes[:, 2:]) / 2)]
    if not len(inside):
        return [line]
    inside = inside[np.argsort(inside[:, 0])]
    parts = []
    edges = [-np.inf, *inside[:, [0, 2]].ravel().tolist(), np.inf]
    for i, (start, end) in enumerate(list(pairwise(edges))[::2]):
        start, end = max(start + 1, left), min(end - 1, right)
        if end <= start:
            continue
        part = between(line.polygon, start, end)
        if end - start > PART * pieces.height or contains(part, pieces.middle).any():
            initial = None if i else line.initial
            parts.append(replace(line, polygon=part, number=None, initial=initial))
    return parts
