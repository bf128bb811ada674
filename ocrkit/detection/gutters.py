"""White gutters through lines of text: two columns whose lines were taken for one.

Word spaces stand below each other by chance in two or three lines, the gutter between two columns
in all. So is a gutter of one em found that neither a rule nor the ends of other lines show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrkit.detection.maps import LineShape

# Lengths in heights of a line:
WIDTH = 0.45  # the least of a gutter within a line
COMMON = 0.25  # what the gutters of two lines have in common, at least
BESIDE = 5.0  # of the line on both sides
WORD = 1.0  # of the text next to a gutter; between the dots of a leader there is less
AROUND = 9.0  # up and down; the lines so near must show the gutter as well
BAND = 0.3  # of a line above and below its middle, where its letters have most of their ink
# Shares:
INK, SPECKS = (
    0.4,
    0.1,
)  # of paper to the darkest ink; and of a column of pixels that specks may fill
AGREED = 0.85  # of the lines around
LINES = 6  # that show a gutter, at least
SURE = 4  # lines around which most others show it; all lines beside them that have it are cut


@dataclass(frozen=True)
class _Row:
    """A line: its y, height and ends, and its white gaps (n, 2), all on a page without skew."""

    y: float
    height: float
    left: float
    right: float
    gaps: np.ndarray
    lean: float  # what was added to x


def white_gutters(
    lines: Sequence[LineShape], page: np.ndarray
) -> dict[int, list[tuple[float, float]]]:
    """The gutters through lines of a grey page (H, W): start and end for the index of each line."""
    if len(lines) < LINES:
        return {}
    slope = _usual_slope(lines)
    rows = [_row(line, page, slope) for line in lines]
    y = np.array([row.y for row in rows])
    near = [np.flatnonzero(np.abs(y - row.y) < AROUND * row.height).tolist() for row in rows]
    shown = [
        replace(row, gaps=np.array([gap for gap in row.gaps if _is_gutter(gap, row, around)]))
        for row, around in zip(rows, ([rows[j] for j in js] for js in near), strict=True)
    ]
    found = {}
    for i, row in enumerate(rows):
        around = [shown[j] for j in near[i]]
        gutters = [gap for gap in row.gaps if _lines_with(gap, row, around)[1] >= SURE]
        if gutters:
            found[i] = [(float(start - row.lean), float(end - row.lean)) for start, end in gutters]
    return found


def _is_gutter(gap: np.ndarray, row: _Row, around: Sequence[_Row]) -> bool:
    """Whether a gap of a line is a gutter: most lines around it have one there."""
    across, shown = _lines_with(gap, row, around)
    return shown >= LINES and shown >= AGREED * across


def _lines_with(gap: np.ndarray, row: _Row, around: Sequence[_Row]) -> tuple[int, int]:
    """How many of the lines around one reach across its gap, and how many have a gap there."""
    (start, end), reach = gap, BESIDE * row.height
    across = [other for other in around if other.left < start - reach and other.right > end + reach]
    common = [
        np.minimum(other.gaps[:, 1], end) - np.maximum(other.gaps[:, 0], start)
        for other in across
        if len(other.gaps)
    ]
    return len(across), sum(bool(c.max() >= COMMON * row.height) for c in common)


def _usual_slope(lines: Sequence[LineShape]) -> float:
    slopes = [
        (float(line.centre(line.right)) - float(line.centre(line.left))) / (line.right - line.left)
        for line in lines
        if line.right - line.left > 2 * BESIDE * line.height
    ]
    return float(np.median(slopes)) if slopes else 0.0


def _row(line: LineShape, page: np.ndarray, slope: float) -> _Row:
    x = np.arange(max(0, round(line.left)), min(page.shape[1], round(line.right)))
    centre = line.bent if line.bent is not None else line.centre
    middle = float(np.mean(line.centre(np.array([line.left, line.right]))))
    lean = slope * middle
    gaps = np.empty((0, 2))
    if len(x) > 2 * BESIDE * line.height:
        reach = np.arange(-round(BAND * line.height), round(BAND * line.height) + 1)
        ys = np.clip(np.round(centre(x)).astype(int) + reach[:, None], 0, page.shape[0] - 1)
        gaps = _gaps(page[ys, x[None]], line.height) + x[0] + lean
    return _Row(middle, line.height, line.left + lean, line.right + lean, gaps, lean)


def _gaps(band: np.ndarray, height: float) -> np.ndarray:
    """First and last column (n, 2) of the white gaps between words in a strip (h, w)."""
    paper, dark = np.quantile(band, 0.75), np.quantile(band, 0.02)
    white = (band < paper - INK * max(float(paper - dark), 24)).mean(axis=0) <= SPECKS
    edges = np.flatnonzero(np.diff(np.concatenate([[0], white.astype(int), [0]])))
    gaps = edges.reshape(-1, 2).astype(float)
    gaps = gaps[gaps[:, 1] - gaps[:, 0] >= WIDTH * height]
    text = np.diff(np.concatenate([[0.0], gaps.ravel(), [band.shape[1]]]))[::2]
    beside = np.minimum(text[:-1], text[1:])
    return gaps[beside >= WORD * height]
