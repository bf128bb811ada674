"""A line finder of classical image processing: no weights, no training, a fraction of a second.

The page is thresholded against its local background, turned upright and cleared of rules, borders
and blots; what is left is linked into lines. Every distance is a multiple of the height of the
letters themselves, so that a receipt 600 pixels wide and a page of 7,000 meet the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocrkit.detect.ink import (
    Boxes,
    Floats,
    connected,
    letter_height,
    letters_and_marks,
    pieces,
    skew,
    threshold,
    turned,
    without_rules,
)
from ocrkit.detect.order import reading_order

# How far a row may reach above and below its typical letter, in the height of that letter.
ASCENT, DESCENT = 1.0, 0.7


@dataclass(frozen=True)
class LineFinder:
    """Finds the lines of text of a page; see the module for how.

    max_pixels: a page of more pixels than this is shrunk to it before anything is measured.
    max_skew: the largest rotation of a whole page that is looked for, degrees either way.
    word_gap, cell_gap: in heights of letters; text closer than the first is one line, text further
        apart than the second is not, and in between it is unless a gutter runs through the gap.
    margin: paper left around a line, as a fraction of its height.
    """

    max_pixels: int = 4_000_000
    max_skew: float = 6.0
    word_gap: float = 1.9
    cell_gap: float = 4.0
    margin: float = 0.06

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        """Line polygons of a grey page (H, W), in reading order.

        Each is (4, 2) x, y in page pixels, clockwise from the top left in reading direction. A
        blank page, a picture and a page of one pixel have none.
        """
        if min(page.shape) < 6:
            return []
        scale = min(1.0, (self.max_pixels / page.size) ** 0.5)
        if scale < 1.0:
            page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ink = threshold(page)
        boxes = pieces(ink)[0]
        height = letter_height(boxes)
        if not height:
            return []
        ink, turned_back = turned(ink, skew(boxes, height, self.max_skew))
        ink, walls = without_rules(ink, height)
        letters, marks = letters_and_marks(ink, height)
        rows = [_row(chain) for chain in self._chains(letters, walls)]
        rows = self._joined(rows, letters, walls)
        rows, specks = _without_specks(rows)
        rows = _with_marks(rows, np.concatenate([marks, specks]))
        rows = [row for row in rows if _is_text(row, height, ink.shape[1])]
        strips = [_strip(row, self.margin) for row in rows]
        polygons = [
            (cv2.transform(strips[i][None] - 0.5, turned_back)[0] + 0.5) / scale
            for i in reading_order(strips)
        ]
        return [polygon.astype(np.float32) for polygon in polygons]

    def _chains(self, letters: Boxes, walls: np.ndarray) -> list[Boxes]:
        """Letters linked to their neighbours left and right."""
        chains = self._linked(letters, walls)
        parts = [_parted(chain) for chain in chains]
        if sum(map(len, parts)) == len(letters):
            return chains
        return self._linked(np.concatenate(parts), walls)

    def _linked(self, letters: Boxes, walls: np.ndarray) -> list[Boxes]:
        """Each letter's middle is stretched by half of the word gap; what then overlaps is one."""
        height, middle = letters[:, 3] - letters[:, 1], letters[:, [1, 3]].mean(axis=1)
        x, y = self.word_gap / 2 * height, 0.2 * height
        stretched = [letters[:, 0] - x, middle - y, letters[:, 2] + x, middle + y]
        return [letters[group] for group in connected(np.stack(stretched, axis=1), walls)]

    def _joined(self, rows: list[_Row], letters: Boxes, walls: np.ndarray) -> list[_Row]:
        """Rows side by side made one where the gap between them is that of words, not of cells."""
        text = np.zeros_like(walls)
        for x0, y0, x1, y1 in letters.astype(int).tolist():
            text[y0:y1, x0:x1] = 1
        rows = sorted(rows, key=lambda row: row.left)
        furthest = self.cell_gap * max((row.height for row in rows), default=0.0)
        i = 0
        while i < len(rows):
            for j in range(i + 1, len(rows)):
                gap = rows[j].left - rows[i].right
                if gap > furthest:
                    i += 1
                    break
                height = max(rows[i].height, rows[j].height)
                if (
                    gap <= self.cell_gap * height
                    and _abreast(rows[i], rows[j])
                    and not _walled(walls, rows[i], rows[j])
                    and (gap < self.word_gap * height or not _gutter(text, rows[i], rows[j]))
                ):
                    rows[i] = _row(np.concatenate([rows[i].letters, rows.pop(j).letters]))
                    break
            else:
                i += 1
        return rows


@dataclass(frozen=True)
class _Row:
    """A line of an upright page: letters, and the straight strip that holds them.

    Tops and bottoms are those at x = 0 of a strip of this slope. Those of the body are a typical
    letter's, whose height is `height`; the outer ones take in ascenders, descenders, and the
    dots and accents that have been given to the row.
    """

    letters: Boxes
    height: float
    slope: float
    left: float
    right: float
    top: float
    body_top: float
    body_bottom: float
    bottom: float

    def middle(self, x: float) -> float:
        return (self.body_top + self.body_bottom) / 2 + self.slope * x


def _row(letters: Boxes) -> _Row:
    height = float(np.median(letters[:, 3] - letters[:, 1]))
    left, right = float(letters[:, 0].min()), float(letters[:, 2].max())
    x, feet = letters[:, [0, 2]].mean(axis=1), letters[:, 3]
    slope = 0.0
    if len(letters) >= 5 and right - left > 6 * height:
        # Theil-Sen: the median over pairs that stand well apart minds no descenders.
        run, rise = x[None] - x[:, None], feet[None] - feet[:, None]
        apart = run > 0.3 * (right - left)
        if apart.any():
            slope = float(np.clip(np.median(rise[apart] / run[apart]), -0.06, 0.06))
    tops, feet = letters[:, 1] - slope * x, feet - slope * x
    body_top, body_bottom = float(np.median(tops)), float(np.median(feet))
    return _Row(
        letters,
        height,
        slope,
        left,
        right,
        max(float(tops.min()), body_top - ASCENT * height),
        body_top,
        body_bottom,
        min(float(feet.max()), body_bottom + DESCENT * height),
    )


def _parted(chain: Boxes) -> Boxes:
    """A chain's letters, those that reach over several lines cut into a piece for each."""
    tall = chain[:, 3] - chain[:, 1]
    usual = np.median(tall)
    if len(chain) < 5:
        return chain
    count = np.where(tall > 2.1 * usual, np.maximum(2, np.round(tall / (1.6 * usual))), 1)
    count = count.astype(int)
    parts = np.repeat(chain, count, axis=0)
    number = np.concatenate([np.arange(n) for n in count])
    parts[:, 1] += number * np.repeat(tall / count, count)
    parts[:, 3] = parts[:, 1] + np.repeat(tall / count, count)
    return parts


def _abreast(a: _Row, b: _Row) -> bool:
    """Whether two rows are parts of one line: alike in size, and level where they meet."""
    x = (max(a.left, b.left) + min(a.right, b.right)) / 2
    fall = (b.slope - a.slope) * x
    shared = min(a.body_bottom, b.body_bottom + fall) - max(a.body_top, b.body_top + fall)
    low, high = sorted((a.height, b.height))
    return high < 2 * low and shared > 0.5 * low


def _walled(walls: np.ndarray, a: _Row, b: _Row) -> bool:
    """Whether an upright rule stands between two rows."""
    level = int(np.clip((a.middle(a.right) + b.middle(b.left)) / 2, 0, len(walls) - 1))
    return bool(walls[level, int(a.right) : int(b.left)].any())


def _gutter(text: np.ndarray, a: _Row, b: _Row) -> bool:
    """Whether the gap between two rows goes on between the text above them, or below them."""
    x0, x1, height = int(a.right), int(b.left), max(a.height, b.height)
    middle = (a.middle(x0) + b.middle(x1)) / 2
    top, bottom = int(max(0, middle - height)), int(middle + height)
    beside, beyond = int(4 * height), int(5 * height)
    for part in (text[max(0, top - beyond) : top], text[bottom : bottom + beyond]):
        inked = np.flatnonzero(np.concatenate([[1], part[:, x0:x1].any(axis=0), [1]]))
        if (
            part[:, max(0, x0 - beside) : x0].any()
            and part[:, x1 : x1 + beside].any()
            and np.diff(inked).max() > 0.7 * (x1 - x0)
        ):
            return True
    return False


def _facts(rows: list[_Row], *names: str) -> Floats:
    """An array (names, rows) of what the rows say."""
    return np.array([[getattr(row, name) for row in rows] for name in names], np.float64)


def _without_specks(rows: list[_Row]) -> tuple[list[_Row], Boxes]:
    """Rows that stand on their own, and the letters of small ones within a larger: commas."""
    height, slope, left, right, top, bottom = _facts(
        rows, "height", "slope", "left", "right", "top", "bottom"
    )
    alone, specks = [], [np.empty((0, 4))]
    for row in rows:
        x = (row.left + row.right) / 2
        level = row.middle(x) - slope * x
        within = (
            (left - height < x)
            & (x < right + height)
            & (top < level)
            & (level < bottom + 0.3 * height)
            & (right - left > 2 * (row.right - row.left))
            & (row.height < 0.9 * height)
        )
        if within.any():
            specks.append(row.letters)
        else:
            alone.append(row)
    return alone, np.concatenate(specks)


def _with_marks(rows: list[_Row], marks: Boxes) -> list[_Row]:
    """Rows stretched around the dots, accents and dashes that belong to them."""
    for _ in range(3):  # a mark may be near enough only to the mark before it
        if not rows or not len(marks):
            break
        height, slope, left, right, top, bottom = _facts(
            rows, "height", "slope", "left", "right", "body_top", "body_bottom"
        )
        x0, y0, x1, y1 = marks.T[:, :, None]
        level = (y0 + y1) / 2 - slope * (x0 + x1) / 2
        off = np.maximum(top - level, level - bottom) / height
        # A line may trail off in dots and dashes; to its left there are more specks than bullets.
        aside = np.maximum(2 * (left - x1), x0 - right) / height
        # What is wide is a dash within the body of the line, or else what is left of a rule.
        room = np.where(x1 - x0 > 0.9 * height, -0.05, 0.55)
        speck = np.maximum(x1 - x0, y1 - y0) < 0.13 * height
        off[(off > room) | (aside > 1.6) | speck] = np.inf
        nearest = np.where(np.isfinite(off.min(axis=1)), off.argmin(axis=1), -1)
        rows = [_stretched(row, marks[nearest == i]) for i, row in enumerate(rows)]
        marks = marks[nearest < 0]
    return rows


def _stretched(row: _Row, marks: Boxes) -> _Row:
    fall = row.slope * marks[:, [0, 2]].mean(axis=1)
    top = min([row.top, *(marks[:, 1] - fall)])
    bottom = max([row.bottom, *(marks[:, 3] - fall)])
    return replace(
        row,
        left=min([row.left, *marks[:, 0]]),
        right=max([row.right, *marks[:, 2]]),
        top=max(top, row.body_top - ASCENT * row.height),
        bottom=min(bottom, row.body_bottom + DESCENT * row.height),
    )


def _is_text(row: _Row, height: float, width: int) -> bool:
    """Whether a row looks like letters, and not like the edge of the paper, a bar code, a blot."""
    wide, tall = row.letters[:, 2] - row.letters[:, 0], row.letters[:, 3] - row.letters[:, 1]
    if len(tall) <= 2:
        return bool(
            0.6 * height <= tall.max() <= 2.2 * height
            and 0.12 * tall.max() <= wide.max() <= 4 * tall.max()
            and height < row.left
            and row.right < width - height
        )
    bars = len(wide) >= 8 and np.median(wide / tall) < 0.2
    feet = row.letters[:, 3] - row.slope * row.letters[:, [0, 2]].mean(axis=1)
    ragged = np.median(np.abs(feet - row.body_bottom)) > 0.4 * row.height
    return not (bars or ragged)


def _strip(row: _Row, margin: float) -> Floats:
    """Corners (4, 2) of a row with its margin."""
    space = margin * (row.bottom - row.top)
    x = np.array([row.left - 3 * space, row.right + 3 * space])[[0, 1, 1, 0]]
    y = np.array([row.top - space, row.bottom + space])[[0, 0, 1, 1]]
    return np.stack([x, y + row.slope * x], axis=1)
