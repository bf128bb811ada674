"""Rows of equal marks with a line to themselves: * * *, ------, = = = =, and rows of dots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ocrkit.detection.pieces import Pieces, box_around, groups_across

# Lengths in heights of a line.
WIDEST, TALLEST, SMALLEST = 1.3, 0.8, 0.08  # of a mark
CLOSE = 5  # so many dashes without spaces; fewer are pieces of a broken rule
STEP = 1.3  # from the end of a mark to the next
FEWEST, MOST = 3, 24  # marks; longer rows of dots are lines to write on
SPACE = 0.19  # a wider gap is a space
HYPHENS = 0.78  # of a hyphen; the same between hyphens
ALIKE = 0.3  # share by which widths and steps may differ
LEVEL = 0.12  # marks of a row are level
DOT, FLAT, LONG = 0.26, 0.4, 0.6  # sides of a dot; height over width of a dash; width of a long one
MARGIN = 0.4
SPECK, SPECKS = 0.3, 3.0  # side of the largest speck; and the most in a length of one height
PLACE = 0.6  # lines of one column begin so near to each other


def ornaments(boxes: np.ndarray, rest: Pieces) -> list[tuple[np.ndarray, str, bool]]:
    """Polygon, text, and whether there are spaces between the marks, of each row of equal marks.

    boxes: (n, 4), those of the lines that were found. rest: the pieces outside of them. The text is
    "" for marks that their shape does not tell.
    """
    if not len(boxes):  # the place of a row is judged by the lines
        return []
    height = rest.height
    width, tall = (rest.size / height).T
    fits = (width <= WIDEST) & (tall <= TALLEST) & (np.maximum(width, tall) >= SMALLEST)
    small = rest.only(fits)
    found = []
    for group in groups_across(small, STEP * height):
        marks = _stacked(small.boxes[group])
        if not FEWEST <= len(marks) <= MOST:
            continue
        row = np.array([box_around(mark) for mark in marks])
        if not _are_equal(row, height) or _beside_text(box_around(row), boxes, rest, height):
            continue
        if not _in_place(box_around(row), boxes, height):
            continue
        char = _char(row, marks, height)
        gap = float(np.median(row[1:, 0] - row[:-1, 2]))
        # The hyphens of a typewriter stand nearly as far apart as they are long.
        long = float(np.median(row[:, 2] - row[:, 0]))
        least = max(SPACE * height, HYPHENS * long if char == "-" else 0)
        spaced = gap > least and char != "."  # dots stand apart in most fonts
        if len(row) < CLOSE and not spaced and char not in ("", "."):
            continue
        text = (" " if spaced else "").join([char] * len(row)) if char else ""
        x0, y0, x1, y1 = box_around(row)
        middle, half = (y0 + y1) / 2, max((y1 - y0) / 2 + MARGIN * height / 2, height / 2)
        side = MARGIN * height
        x0, x1, y0, y1 = x0 - side, x1 + side, middle - half, middle + half
        found.append((np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), text, spaced))
    return found


def is_specks(box: np.ndarray, pieces: Pieces) -> bool:
    """Whether there are only a few small pieces in the box (4,) of a line, and not in a row.

    pieces: all of the page. Faint letters and those of dots are more pieces.
    """
    height = pieces.height
    inside = pieces.inside(box)
    marks = pieces.boxes[inside]
    most = SPECKS * (box[2] - box[0]) / height
    if not len(marks) or len(marks) > most or pieces.size[inside].max() > SPECK * height:
        return False
    marks = marks[np.argsort(marks[:, 0])]
    return len(marks) < FEWEST or not _are_equal(marks, height)


def _stacked(boxes: np.ndarray) -> list[np.ndarray]:
    """The pieces of each mark: those above each other, as the bars of =."""
    marks: list[list[np.ndarray]] = []
    for box in boxes[np.argsort(boxes[:, 0])]:
        if marks and box[0] < marks[-1][0][2] - 0.5 * (box[2] - box[0]):
            marks[-1].append(box)
        else:
            marks.append([box])
    return [np.array(mark) for mark in marks]


def _are_equal(row: np.ndarray, height: float) -> bool:
    """Whether marks (n, 4) are of one size, level, and at equal distances."""
    sizes, middle = row[:, 2:] - row[:, :2], (row[:, 1] + row[:, 3]) / 2
    steps = np.diff(row[:, 0])
    tolerance = 0.05 * height + 1
    for values in (*sizes.T, steps):
        usual = float(np.median(values))
        if (np.abs(values - usual) > ALIKE * usual + tolerance).any():
            return False
    return bool(np.ptp(middle) < LEVEL * height + 1)


def _beside_text(box: np.ndarray, boxes: np.ndarray, rest: Pieces, height: float) -> bool:
    """Whether a line stands on the level of a row of marks, or other ink near above or below it."""
    y = (box[1] + box[3]) / 2
    if ((boxes[:, 1] < y) & (y < boxes[:, 3])).any():
        return True
    others = rest.boxes
    near = (others[:, 2] > box[0]) & (others[:, 0] < box[2])
    near &= (others[:, 3] > box[1] - 0.4 * height) & (others[:, 1] < box[3] + 0.4 * height)
    inside = (others[:, 1] >= box[1]) & (others[:, 3] <= box[3])
    return bool((near & ~inside).any())


def _in_place(box: np.ndarray, boxes: np.ndarray, height: float) -> bool:
    """Whether a row of marks begins below other lines, or stands in the middle of them.

    The pieces of a dashed rule do not.
    """
    begins = (np.abs(boxes[:, 0] - box[0]) < PLACE * height).sum() >= 2
    centre = (np.quantile(boxes[:, 0], 0.1) + np.quantile(boxes[:, 2], 0.9)) / 2
    return bool(begins or abs((box[0] + box[2]) / 2 - centre) < height)


def _char(row: np.ndarray, marks: list[np.ndarray], height: float) -> str:
    width, tall = (float(v) / height for v in np.median(row[:, 2:] - row[:, :2], axis=0))
    bars = [mark for mark in marks if len(mark) == 2]
    if len(bars) == len(marks):
        flat = all((m[:, 3] - m[:, 1] < FLAT * (m[:, 2] - m[:, 0])).all() for m in bars)
        return "=" if flat else ""
    if any(len(mark) > 1 for mark in marks):
        return ""
    if max(width, tall) < DOT and min(width, tall) > 0.6 * max(width, tall):
        return "."
    if tall < FLAT * width and tall < DOT:
        return "—" if width > LONG else "-"
    return ""


def with_spaces(text: str) -> str:
    """A text of one mark again and again with a space between two marks; any other as it is."""
    marks = text.replace(" ", "")
    equal = len(marks) > 1 and all(a == b for a, b in pairwise(marks)) and not marks[0].isalnum()
    return " ".join(marks) if equal else text
