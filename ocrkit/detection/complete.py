"""What a detector of lines leaves over, found among the pieces of ink outside of its lines.

Networks find lines of text well and lone signs badly. Here the page is completed: single figures,
dashes and ditto marks of tables, capitals at the head of a chapter that are several lines high,
text that is turned by 90 degrees, headlines many times larger than the text; and lines end where
the dots begin that lead to a page number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocrkit.detection import Detector
from ocrkit.detection.check_boxes import without_check_boxes
from ocrkit.detection.found import Found, between, box_of, boxes_of
from ocrkit.detection.leaders import without_leaders
from ocrkit.detection.ornaments import is_specks, ornaments
from ocrkit.detection.pieces import Pieces, box_around, find_pieces, groups_across
from ocrkit.detection.rules import Rules, find_rules
from ocrkit.detection.second_look import headlines, turned_lines
from ocrkit.image import scaled

HEIGHT = 24.0  # px; pieces are looked for on a page whose lines are at most so high

# Lengths in heights of a line.
WORD = 2.0  # the least of a word; lone signs may be lower than letters
MARK_GAP = 0.45  # parts of one mark are nearer to each other
MARK_WIDTH = 4.0  # of the widest mark
MOST_MARKS = 3  # for each line; a page with more is full of specks
EDGE = 0.8  # of the page, where no marks are
MARK_MARGIN = 0.35
LETTER = 0.5, 1.3  # height of letters and figures
CUT = 0.15, 0.4  # a line from which so much of a letter sticks out is too low
ROOM = 0.1  # above and below the letters of such a line
COLUMN_MARKS, COLUMN_SIGNS = 2, 3  # others in the same column that confirm a mark, or a dash
TURNED_PART = 2.5  # a longer line is no part of a turned one
SHORT = 5.0  # lines that may be the cells of a column
SIGN_WIDTH = 2.5  # of a line that is only a sign
ALIGNED = 0.6  # marks of one column differ by less than this
FLAT_ALIGNED = 0.35  # the same for dashes and ditto marks
DASH, LONG_DASH = 0.25, 0.8  # the least length of a dash and of a long one
INITIAL = 1.6  # height of a capital that reaches over two lines
INITIAL_LINES = 5.0  # the least length of the lines beside it


def complete(
    page: np.ndarray, polygons: Sequence[np.ndarray], detector: Detector
) -> tuple[list[Found], Rules]:
    """The lines of an upright grey page (H, W) uint8 completed, and the page's rules.

    polygons: the lines that `detector` found on it.
    """
    if not len(polygons):
        return [], Rules()
    usual = _usual_height(polygons)
    scale = min(1.0, HEIGHT / max(usual, 1.0))
    small = scaled(page, scale)
    lines = [Found(np.asarray(p, np.float64) * scale, i) for i, p in enumerate(polygons)]
    height = usual * scale
    rules = find_rules(small, height)
    pieces = find_pieces(small, [line.polygon for line in lines], rules, height)
    found = boxes_of(lines)
    long = np.append(found[:, 2] - found[:, 0] > TURNED_PART * height, False)[pieces.line]
    lines = _with_initials(lines, pieces, small, detector)
    lines = without_check_boxes(lines, pieces, small)
    lines, rest = without_leaders(lines, pieces, rules, small)
    lines = [_whole(line, pieces) for line in lines]
    turned, parts = turned_lines(boxes_of(lines), pieces, long)
    lines = [line for line, part in zip(lines, parts.tolist(), strict=True) if not part]
    rest = _outside(rest, turned)
    large = headlines(small, boxes_of(lines), rest, detector)
    rest = _outside(rest, large)
    lines = [replace(n, specks=is_specks(box_of(n.polygon), pieces)) for n in lines]
    marks = _marks(lines, rest, small.shape[1])
    lines = _with_signs(lines, marks, pieces) + marks
    for polygon, sign, spaced in ornaments(boxes_of(lines), rest):
        lines.append(Found(polygon, mark=True, sign=sign, spaced=spaced))
    lines += [Found(polygon) for polygon in large]
    lines += [Found(polygon, turned=True) for polygon in turned]
    lines = [line.scaled(1 / scale) for line in lines]
    # Those that kept their place keep it exactly.
    lines = [n if n.number is None else replace(n, polygon=polygons[n.number]) for n in lines]
    return lines, rules.scaled(1 / scale)


def _usual_height(polygons: Sequence[np.ndarray]) -> float:
    """The median height of lines, in px; of words alone, where most lines are lone signs."""
    height = np.array([np.linalg.norm(p[0] - p[-1]) for p in polygons])
    length = np.array([np.linalg.norm(p[len(p) // 2 - 1] - p[0]) for p in polygons])
    words = length > WORD * height
    return float(np.median(height[words] if 0 < words.sum() < len(words) / 2 else height))


def _whole(line: Found, pieces: Pieces) -> Found:
    """A short line as high as its letters; the dots of a leader may have made it too low."""
    left, top, right, bottom = box_of(line.polygon)
    if right - left > SHORT * pieces.height or len(line.polygon) > 4:
        return line
    tall = pieces.size[:, 1] / pieces.height
    inside = pieces.inside(box_of(line.polygon)) & (tall > LETTER[0]) & (tall < LETTER[1])
    if not inside.any():
        return line
    _, first, _, last = box_around(pieces.boxes[inside])
    up, down = top - first, last - bottom
    if not CUT[0] * pieces.height < max(up, down) < CUT[1] * pieces.height:
        return line
    room = ROOM * pieces.height
    polygon = line.polygon.copy()
    polygon[:2, 1] -= max(0.0, up + room)
    polygon[2:, 1] += max(0.0, down + room)
    return replace(line, polygon=polygon, number=None)


def _outside(pieces: Pieces, polygons: Sequence[np.ndarray]) -> Pieces:
    """The pieces outside of the boxes of some polygons."""
    free = np.ones(len(pieces.boxes), bool)
    for polygon in polygons:
        free &= ~pieces.inside(box_of(polygon))
    return pieces.only(free)


# --- large capitals


def _with_initials(
    lines: Sequence[Found], pieces: Pieces, page: np.ndarray, detector: Detector
) -> list[Found]:
    """The lines, the first of those beside a large capital with this capital."""
    lines, height = list(lines), pieces.height
    width, tall = pieces.size.T
    large = (tall >= INITIAL * height) & (tall < 8 * height)
    large &= (width > 0.12 * tall) & (width < 1.6 * tall)
    large &= pieces.area > 0.15 * width * tall  # not a ring around a word
    for capital in pieces.boxes[large]:
        lines = _without_capital(capital, lines, page, height, detector)
        x0, y0, x1, y1 = capital.tolist()
        boxes = boxes_of(lines)
        beside = _beside_capital(capital, boxes, height, 0.25 * (x0 - x1))
        level = _level(capital, boxes)
        if beside.sum() < 2 or (level & (boxes[:, 0] < x0) & (boxes[:, 2] > x1)).any():
            continue
        first = int(np.flatnonzero(beside)[boxes[beside][:, [1, 3]].mean(axis=1).argmin()])
        if abs(boxes[first, 1] - y0) > 0.9 * height:
            continue
        for i in np.flatnonzero(beside).tolist():
            part = between(lines[i].polygon, x1 + 1, np.inf)
            lines[i] = replace(lines[i], polygon=part, number=None)
        # A piece of the capital that was taken for a line is none.
        inside = (boxes[:, 0] > x0 - height) & (boxes[:, 2] < x1 + 0.4 * height) & level
        lines[first] = replace(lines[first], initial=(x0, y0, x1, y1))
        kept = np.flatnonzero(~inside | (np.arange(len(lines)) == first)).tolist()
        lines = [lines[i] for i in kept]
    return lines


def _level(capital: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which of the boxes have their middle between the top and the bottom of a capital."""
    middle = boxes[:, [1, 3]].mean(axis=1)
    return (middle > capital[1]) & (middle < capital[3])


def _beside_capital(
    capital: np.ndarray, boxes: np.ndarray, height: float, before: float
) -> np.ndarray:
    """Which of the boxes are lines that begin beside a capital, or up to `before` px before it."""
    left = boxes[:, 0]
    beside = _level(capital, boxes) & (left > capital[0] - before)
    beside &= left < capital[2] + 1.2 * height
    return beside & (boxes[:, 2] - left > INITIAL_LINES * height)


def _without_capital(
    capital: np.ndarray, lines: list[Found], page: np.ndarray, height: float, detector: Detector
) -> list[Found]:
    """The lines, those that reach into a large capital found once more without it.

    A capital of two lines may seem to belong to both of them, and make them one.
    """
    boxes = boxes_of(lines)
    beside = _beside_capital(capital, boxes, height, 0.6 * height)
    if not (beside & (boxes[:, 0] < capital[2] - 0.1 * height)).any():
        return lines
    x0, y0 = int(capital[2]) + 1, max(0, int(capital[1] - height))
    x1, y1 = int(boxes[beside, 2].max() + height), int(capital[3] + height)
    if x1 - x0 < INITIAL_LINES * height:  # nothing stands beside it
        return lines
    found = [np.asarray(p, np.float64) + (x0, y0) for p in detector(page[y0:y1, x0:x1])]
    found = [p for p in found if _beside_capital(capital, box_of(p)[None], height, 0)[0]]
    if len(found) < 2:
        return lines
    kept = [line for line, near in zip(lines, beside.tolist(), strict=True) if not near]
    return kept + [Found(polygon) for polygon in found]


# --- lone marks


def _marks(lines: Sequence[Found], rest: Pieces, width: int) -> list[Found]:
    """Signs outside of the lines, where others stand in the same row and in the same column.

    width: of the page, whose edges often have a shadow that looks like a column of marks.
    """
    height, boxes = rest.height, boxes_of(lines)
    rest = rest.only((rest.size[:, 1] <= 1.3 * height) & (rest.size.max(axis=1) >= 0.12 * height))
    groups = groups_across(rest, MARK_GAP * height)
    if not groups or len(groups) > MOST_MARKS * len(lines) + 20:
        return []
    marks = np.array([box_around(rest.boxes[group]) for group in groups])
    size = marks[:, 2:] - marks[:, :2]
    middle = marks[:, [1, 3]].mean(axis=1)
    fits = (size[:, 1] <= 1.3 * height) & (size[:, 0] <= MARK_WIDTH * height)
    fits &= size.max(axis=1) >= DASH * height
    fits &= (marks[:, 0] > EDGE * height) & (marks[:, 2] < width - EDGE * height)
    row = np.array([_row_of(mark, boxes, height) for mark in marks])
    fits &= row >= 0
    short = boxes[boxes[:, 2] - boxes[:, 0] < SHORT * height]
    others = np.concatenate([marks[fits], short])
    found = []
    for i in np.flatnonzero(fits).tolist():
        apart = np.abs(others[:, [1, 3]].mean(axis=1) - middle[i]) > 0.8 * height
        # More must confirm a dash or a ditto mark, which specks look like.
        flat = size[i, 1] < 0.35 * height
        tolerance, needed = (FLAT_ALIGNED, COLUMN_SIGNS) if flat else (ALIGNED, COLUMN_MARKS)
        same = _aligned(marks[i], others, tolerance * height) & apart
        if same.sum() >= needed:
            sign = _sign(rest.only(np.array(groups[i])), marks[i], boxes[row[i]])
            found.append(Found(_place(marks[i], boxes[row[i]], height), mark=True, sign=sign))
    return found


def _with_signs(lines: Sequence[Found], marks: Sequence[Found], pieces: Pieces) -> list[Found]:
    """The lines, those that are a dash or a ditto mark with what their shape tells."""
    boxes = boxes_of([*lines, *marks])
    wide = boxes[:, 2] - boxes[:, 0]
    short = boxes[wide < SHORT * pieces.height]
    return [
        _with_sign(line, box, boxes, short, pieces) if small else line
        for line, box, small in zip(lines, boxes, wide <= SIGN_WIDTH * pieces.height, strict=False)
    ]


def _with_sign(
    line: Found, box: np.ndarray, boxes: np.ndarray, short: np.ndarray, pieces: Pieces
) -> Found:
    """A line with the box (4,) that is as small as a sign, confirmed by its column and its row.

    boxes, short: (n, 4) and (m, 4), those of all lines and of the cells of columns.
    """
    row = _row_of(box, boxes, pieces.height)
    column = _aligned(box, short, ALIGNED * pieces.height).sum() - 1  # without itself
    if row < 0 or column < COLUMN_SIGNS:
        return line
    inside = pieces.inside(box)
    if not 0 < inside.sum() < 3:
        return replace(line, mark=True)
    mark = box_around(pieces.boxes[inside])
    sign = _sign(pieces.only(inside), mark, boxes[row])
    return replace(line, mark=True, sign=sign)


def _row_of(mark: np.ndarray, boxes: np.ndarray, height: float) -> int:
    """The nearest line that stands beside a mark, or -1."""
    y = (mark[1] + mark[3]) / 2
    inset = 0.1 * (boxes[:, 3] - boxes[:, 1])
    level = (boxes[:, 1] + inset < y) & (y < boxes[:, 3] - inset)
    tall = boxes[:, 3] - boxes[:, 1]
    level &= (tall > 0.6 * height) & (tall < 2 * height)  # another sign does not show the row
    away = np.maximum(boxes[:, 0] - mark[2], mark[0] - boxes[:, 2])
    away = np.where(level & (away > 0.2 * height), away, np.inf)
    return int(away.argmin()) if np.isfinite(away).any() else -1


def _aligned(mark: np.ndarray, others: np.ndarray, tolerance: float) -> np.ndarray:
    """Which of the boxes stand in the column of a mark: at its left, its right, or its middle."""
    left, right = mark[0] - others[:, 0], mark[2] - others[:, 2]
    return np.abs(np.stack([left, right, (left + right) / 2])).min(axis=0) < tolerance


def _place(mark: np.ndarray, row: np.ndarray, height: float) -> np.ndarray:
    """The polygon of a mark: as high as the line beside it."""
    x0, x1 = mark[0] - MARK_MARGIN * height, mark[2] + MARK_MARGIN * height
    y0, y1 = min(row[1], mark[1]), max(row[3], mark[3])
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _sign(pieces: Pieces, mark: np.ndarray, row: np.ndarray) -> str:
    """What a mark is if its shape tells: a dash or a ditto mark."""
    width, tall = mark[2:] - mark[:2]
    height = pieces.height
    at = ((mark[1] + mark[3]) / 2 - row[1]) / max(row[3] - row[1], 1e-6)
    solid = pieces.area[0] > 0.5 * width * tall
    flat = tall <= 0.22 * height and width >= max(DASH * height, 1.8 * tall)
    if len(pieces.boxes) == 1 and solid and flat and 0.35 < at < 0.75:
        return "—" if width >= LONG_DASH * height else "-"
    joined = 0.2 < tall / height < 0.38 and 1.15 * tall < width < 0.7 * height and at < 0.55
    joined |= bool(pieces.double[:1].any()) and tall < 0.55 * height and at < 0.45
    if (len(pieces.boxes) == 1 and joined) or (len(pieces.boxes) == 2 and _are_commas(pieces)):
        return "”" if at < 0.55 else "„"
    return ""


def _are_commas(pieces: Pieces) -> bool:
    """Whether two pieces are the halves of a ditto mark: small, alike, and side by side."""
    (w0, h0), (w1, h1) = (pieces.size / pieces.height).tolist()
    (x0, y0), (x1, y1) = (pieces.middle / pieces.height).tolist()
    alike = max(h0, h1) < 1.6 * min(h0, h1) and max(w0, w1) < 2 * min(w0, w1)
    small = min(h0, h1) > 0.15 and max(h0, h1) < 0.5 and max(w0, w1) < 0.35
    return alike and small and abs(y0 - y1) < 0.12 and abs(x0 - x1) < 0.5
