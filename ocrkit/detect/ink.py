"""From a grey page to the pieces of ink on it: threshold, skew, rules, letters and marks."""

from __future__ import annotations

import cv2
import numpy as np

Floats = np.ndarray
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


def pieces(ink: Ink) -> tuple[Boxes, Floats, Floats]:
    """Boxes of the connected pieces of ink, what share of its box each fills, its mean darkness."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    x, y, width, height, area = stats[1:].astype(np.float64).T
    total = np.bincount(labels[ink > 0], weights=ink[ink > 0], minlength=count)[1:]
    return np.stack([x, y, x + width, y + height], axis=1), area / (width * height), total / area


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


def skew(boxes: Boxes, height: float, limit: float) -> float:
    """Degrees by which the lines of a page fall to the right, up to `limit` either way.

    It is the angle that stacks the feet of the letters into the sharpest profile, after Postl
    ("Detection of linear oblique structures and skew scan in digitized documents", 1986).
    """
    tall = boxes[:, 3] - boxes[:, 1]
    feet = boxes[(tall > 0.5 * height) & (tall < 3 * height)]
    x, y = feet[:, [0, 2]].mean(axis=1), feet[:, 3]
    if len(x) < 10:
        return 0.0

    def sharpness(angle: float) -> float:
        position = (y - x * np.tan(np.radians(angle))) / (0.25 * height)
        return float((np.bincount((position - position.min()).astype(int)) ** 2.0).sum())

    coarse = max(np.arange(-limit, limit + 0.01, 0.25), key=sharpness)
    best = float(max(coarse + np.arange(-0.2, 0.21, 0.05), key=sharpness))
    return best if sharpness(best) > 1.1 * sharpness(0.0) else 0.0


def turned(ink: Ink, angle: float) -> tuple[Ink, Floats]:
    """The page with its lines level, and the 2 x 3 matrix from its pixels to those of `ink`."""
    if abs(angle) < 0.1:
        return ink, np.eye(2, 3)
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    level = cv2.warpAffine(ink, turn, (width, height), flags=cv2.INTER_NEAREST)
    return level.astype(np.uint8), cv2.invertAffineTransform(turn)


def without_rules(ink: Ink, height: float) -> tuple[Ink, np.ndarray]:
    """The ink without straight strokes that are thin and much longer than a letter is high, and a
    0/1 mask (H, W) of the upright ones, gaps closed.

    Shorter strokes go as well where they carry on a long one: rules are worn, and cross each other.
    """
    mask = (ink > 0).astype(np.uint8)
    found = np.zeros_like(mask)
    for across in (0, 1):
        rules = _strokes(mask, 4 * height, 0.35 * height, across)
        reach = cv2.dilate(rules, _bar(8 * height, 3, across))
        rules |= _strokes(mask, 1.3 * height, 0.35 * height, across) & reach
        found |= rules
    walls = cv2.morphologyEx(rules, cv2.MORPH_CLOSE, _bar(4 * height, 3, 1))
    return np.where(cv2.dilate(found, np.ones((3, 3))) > 0, 0, ink), walls


def _strokes(mask: np.ndarray, length: float, thick: float, across: int) -> np.ndarray:
    """Of a 0/1 mask, the level (across = 0) or upright (1) strokes of that length, but thinner."""
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _bar(length, 1, across))
    return strokes - cv2.morphologyEx(strokes, cv2.MORPH_OPEN, _bar(1, max(3, thick), across))


def _bar(length: float, thick: float, across: int) -> np.ndarray:
    shape = (int(thick), int(length))
    return np.ones(shape[::-1] if across else shape, np.uint8)


def letters_and_marks(ink: Ink, height: float) -> tuple[Boxes, Boxes]:
    """Pieces of the size of letters, and smaller ones that may be dots, accents and dashes.

    Pictures, blots, borders and what shines through from the other side are left out; letters
    of two lines that touch are parted; a row of dots or dashes is one mark.
    """
    boxes, fill, darkness = pieces(ink)
    wide, tall = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    rows, columns = ink.shape
    edge = (boxes[:, :2] <= 1).any(axis=1) | (boxes[:, 2:] >= (columns - 1, rows - 1)).any(axis=1)
    usual = (tall > 0.5 * height) & (tall < 3 * height) & (wide < 12 * height)
    odd = (
        (darkness < 0.42 * (np.median(darkness[usual]) if usual.any() else 0.0))
        | (tall > 5 * height)
        | (wide > 25 * height)
        | (edge & ((tall > 1.5 * height) | (wide > 4 * height)))
        | ((fill > 0.7) & (tall > 1.5 * height) & (wide > 0.6 * tall))
    )
    letter = (tall >= 0.42 * height) & (wide < 12 * tall) & ~odd
    mark = ~letter & ~odd & (np.maximum(wide, tall) >= 0.12 * height) & (wide < 3 * height)
    letters = [part for box in boxes[letter] for part in _parted(ink, box, height)]
    return np.reshape(letters, (-1, 4)), _strung(boxes[mark], height)


def connected(boxes: Boxes, walls: np.ndarray | None = None) -> list[np.ndarray]:
    """Indices of boxes in groups of those that overlap, directly or through others.

    They do not overlap across what is marked in the mask `walls` (H, W).
    """
    if not len(boxes):
        return []
    left, top = np.floor(boxes[:, :2].min(axis=0)).astype(int).tolist()
    cells = (boxes - [left, top, left, top]).astype(int)
    canvas = np.zeros(cells[:, :1:-1].max(axis=0) + 1, np.uint8)
    for x0, y0, x1, y1 in cells.tolist():
        cv2.rectangle(canvas, (x0, y0), (x1, y1), 1, -1)
    middle = (cells[:, :2] + cells[:, 2:]) // 2
    if walls is not None:
        y, x = np.subtract(np.nonzero(walls), [[top], [left]])
        inside = (y >= 0) & (x >= 0) & (y < canvas.shape[0]) & (x < canvas.shape[1])
        canvas[y[inside], x[inside]] = 0
        canvas[middle[:, 1], middle[:, 0]] = 1
    labels = cv2.connectedComponents(canvas, connectivity=4)[1][middle[:, 1], middle[:, 0]]
    by_label = np.argsort(labels, kind="stable")
    return np.split(by_label, np.flatnonzero(np.diff(labels[by_label])) + 1)


def _parted(ink: Ink, box: Floats, height: float) -> list[Floats]:
    """A piece as wide as a word and as tall as two lines, cut where it has next to no ink."""
    x0, y0, x1, y1 = box.astype(int).tolist()
    if y1 - y0 < 1.9 * height or x1 - x0 < 0.8 * (y1 - y0):
        return [box]
    profile = (ink[y0:y1, x0:x1] > 0).sum(axis=1)
    edge = int(0.6 * height)
    low = edge + int(profile[edge : len(profile) - edge].argmin())
    if profile[low] > 0.35 * profile.mean():
        return [box]
    upper, lower = np.array([(x0, y0, x1, y0 + low), (x0, y0 + low, x1, y1)], np.float64)
    return _parted(ink, upper, height) + _parted(ink, lower, height)


def _strung(marks: Boxes, height: float) -> Boxes:
    """Marks, those in rows of four and more as one, so that nothing takes a rule for accents."""
    middle = marks[:, [1, 3]].mean(axis=1)
    stretched = np.stack([marks[:, 0], middle, marks[:, 2] + height, middle + 1], axis=1)
    strung = []
    for group in connected(stretched):
        if len(group) > 3:
            strung.append([*marks[group, :2].min(axis=0), *marks[group, 2:].max(axis=0)])
        else:
            strung += marks[group].tolist()
    return np.reshape(strung, (-1, 4)).astype(np.float64)
