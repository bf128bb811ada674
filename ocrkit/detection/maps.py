"""The maps that the detector's network is trained on and predicts, and the lines in them.

A map has one cell for every 4 x 4 pixels of the page. The first map marks the *core* of each line:
a strip along its middle, narrower than the line, so that the cores of two lines never touch. The
other two give, inside the core, the line's height and the distance to its middle.

DBNet (Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", 2020) grows a
line from its core by a fixed factor. The two extra maps measure each line instead, as in EAST (Zhou
et al., "EAST: An Efficient and Accurate Scene Text Detector", 2017), and follow bent lines.

Lines are polygons (2k, 2) in pixels, as in `ocrkit.detection.Detector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.polynomial import Polynomial

STRIDE = 4  # px per cell
UNIT = 16.0  # px; the height map holds the natural logarithm of height / UNIT
# Lengths in heights of the line:
CORE_REACH = 0.3  # the core extends this far above and below the line's middle
END_INSET = 0.3  # the core is this much shorter than the line at each end
STRAIGHTNESS = 0.2  # a line whose middle deviates less than this from a straight line is straight
SIDE_MARGIN = 3  # times the margin above and below: final commas are easily missed
POINTS = 8  # along each edge of a bent line; a straight one has two

IGNORED = -1.0  # core of a cell that is not learned from

CORE_THRESHOLD = 0.4  # probability of each cell of a core
MEAN_THRESHOLD = 0.55  # mean probability of the cells of a core
# Two cores are parts of one line up to these limits, in heights of the lower one: how much they
# overlap, the gap between them, how much higher or lower the second is; and the ratio of heights.
MAX_OVERLAP, MAX_GAP, MAX_OFFSET, MAX_HEIGHT_RATIO = 1.5, 0.4, 0.5, 2.5


def encode(
    polygons: Sequence[np.ndarray], shape: tuple[int, int], ignored: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """The maps of a page of `shape` (H, W) with these lines: float32 (3, h, w).

    h and w are H and W in cells, rounded up. The maps are: the core, 1 or 0; log(height / UNIT);
    and the distance from the cell down to the line's middle, in heights of the line. The last two
    are 0 outside of cores. In the polygons of `ignored` the core is IGNORED, where it is not 1.
    """
    rows, columns = (-(-side // STRIDE) for side in shape)
    maps = np.zeros((3, rows, columns), np.float32)
    for polygon in ignored:
        cells = np.round(polygon / STRIDE - 0.5).astype(np.int32)
        cv2.fillPoly(maps[0], [cells], IGNORED)
    x, y = ((np.arange(n) + 0.5) * STRIDE for n in (columns, rows))
    for polygon in polygons:
        half = len(polygon) // 2
        top, bottom = polygon[:half], polygon[: half - 1 : -1]
        ends = (top[[0, -1], 0] + bottom[[0, -1], 0]) / 2
        height = float(np.mean(bottom[:, 1] - top[:, 1]))
        inset = min(END_INSET * height, (ends[1] - ends[0]) / 3)
        # Even the smallest line gets one cell.
        reach = max((ends[1] - ends[0]) / 2 - inset, STRIDE / 2)
        inside = np.flatnonzero(np.abs(x - ends.mean()) <= reach)
        if not len(inside) or height <= 0:
            continue
        above = np.interp(x[inside], top[:, 0], top[:, 1])
        below = np.interp(x[inside], bottom[:, 0], bottom[:, 1])
        heights = np.maximum(below - above, 1.0)
        low, high = np.searchsorted(y, [above.min(), below.max()])
        distance = ((above + below) / 2 - y[low:high, None]) / heights
        core = np.abs(distance) <= np.maximum(CORE_REACH, 0.5 * STRIDE / heights)
        area = maps[:, low:high, inside[0] : inside[-1] + 1]
        area[0][core] = 1.0
        area[1][core] = np.broadcast_to(np.log(heights / UNIT), core.shape)[core]
        area[2][core] = distance[core]
    return maps


@dataclass(frozen=True)
class LineShape:
    """Where a line runs and how high it is, from the core that the network marked.

    left, right: its ends in pixels. height: the usual one, in pixels. centre, size: the y of its
    middle and its height at each x. bent: as centre, for a line that is not straight.
    """

    left: float
    right: float
    height: float
    centre: Polynomial
    size: Polynomial
    bent: Polynomial | None

    def outline(self, margin: float = 0) -> np.ndarray:
        """Its polygon (2k, 2), float32.

        margin: extra space above and below, in heights of the line; SIDE_MARGIN times that at the
        ends.
        """
        side = SIDE_MARGIN * margin * self.height
        at, centre = np.linspace(self.left - side, self.right + side, POINTS), self.centre
        limit = STRAIGHTNESS * self.height
        if self.bent is not None and np.abs(self.bent(at) - centre(at)).max() > limit:
            centre = self.bent
        else:
            at = at[[0, -1]]
        reach = (0.5 + margin) * np.maximum(self.size(at), 0.5 * self.height)
        middle = centre(at)
        top, bottom = (np.stack([at, middle + sign * reach], axis=1) for sign in (-1, 1))
        return np.concatenate([top, bottom[::-1]]).astype(np.float32)


def decode(maps: np.ndarray, margin: float = 0) -> list[np.ndarray]:
    """The polygons of all lines in maps (3, h, w), whose first is a probability.

    They are the outlines of `find_lines`, in no particular order.
    """
    return [line.outline(margin) for line in find_lines(maps)]


def find_lines(maps: np.ndarray) -> list[LineShape]:
    """The lines in maps (3, h, w), whose first is a probability.

    Their cores are connected components; components of one line are joined.
    """
    mask = (maps[0] > CORE_THRESHOLD).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    rows, columns = np.nonzero(mask)
    order = np.argsort(labels[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    x, y = (columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE
    cells = np.stack([x, y, *maps[:, rows, columns]]).astype(np.float64)
    pieces = np.split(cells, np.cumsum(stats[1:, cv2.CC_STAT_AREA]), axis=1)[:-1]
    pieces = [piece for piece in pieces if piece[2].mean() >= MEAN_THRESHOLD]
    shapes = [line_shape(piece) for piece in pieces]
    return [
        shapes[group[0]]
        if len(group) == 1
        else line_shape(np.concatenate([pieces[i] for i in group], axis=1))
        for group in _group_by_line([shape.outline() for shape in shapes])
    ]


def _group_by_line(pieces: Sequence[np.ndarray]) -> list[list[int]]:
    """Indices of the polygons (2k, 2) that are parts of one line; a faint letter can split a core.

    Parts of one line have about the same height, are level, and touch or nearly touch.
    """
    if not pieces:
        return []
    halves = [np.split(piece, 2) for piece in pieces]  # along the top, and back along the bottom
    start = np.array([(top[0] + bottom[-1]) / 2 for top, bottom in halves])
    end = np.array([(top[-1] + bottom[0]) / 2 for top, bottom in halves])
    height = np.array([np.mean(bottom[:, 1] - top[:, 1]) for top, bottom in halves])
    lower, higher = np.minimum.outer(height, height), np.maximum.outer(height, height)
    # [i, j]: from the end of piece i to the start of piece j.
    across, down = (start[None] - end[:, None]).transpose(2, 0, 1) / lower
    near = (across > -MAX_OVERLAP) & (across < MAX_GAP) & (start[:, None, 0] <= start[None, :, 0])
    same = near & (np.abs(down) < MAX_OFFSET) & (higher < MAX_HEIGHT_RATIO * lower)
    same |= same.T | np.eye(len(pieces), dtype=bool)
    # Connected components: take the smallest label of all neighbours until no label changes.
    label = np.arange(len(pieces))
    while (smallest := np.where(same, label, len(pieces)).min(axis=1)).tolist() != label.tolist():
        label = smallest
    return [np.flatnonzero(label == i).tolist() for i in np.unique(label)]


def line_shape(core: np.ndarray) -> LineShape:
    """The shape of a line from its core (5, cells): x, y of each cell in pixels, and its maps."""
    x, y, weight, height, middle = core
    heights = UNIT * np.exp(np.clip(height, -3, 4))
    usual = float(np.average(heights, weights=weight))
    left, right = x.min() - STRIDE / 2 - END_INSET * usual, x.max() + STRIDE / 2 + END_INSET * usual
    aspect = (right - left) / usual
    columns, centre_y = len(np.unique(x)), y + middle * heights
    centre = _fit_curve(x, centre_y, weight, 0 if aspect < 1.5 else 1, columns)
    # The height of a line is constant, or changes linearly on a page photographed from one side.
    size = _fit_curve(x, heights, weight, 0 if aspect < 12 else 1, columns)
    bent = _fit_curve(x, centre_y, weight, 3, columns) if aspect > 8 else None
    return LineShape(left, right, usual, centre, size, bent)


def _fit_curve(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, degree: int, columns: int
) -> Polynomial:
    """The least-squares polynomial of at most `degree`, lower if x has only a few `columns`."""
    degree = min(degree, columns - 1)
    if not degree:
        return Polynomial([np.average(y, weights=weight)])
    return Polynomial.fit(x, y, degree, w=weight)
