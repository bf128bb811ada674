"""What the detector's network is taught and what it answers: maps of a page, and lines from them.

The maps have a cell for every 4 x 4 pixels. One says where the *core* of a line is: the middle
strip of it, so that the cores of two lines never touch. Two more say, in the core, how high
the line is and how far its middle is. From the core alone DBNet (Liao et al., "Real-time Scene Text
Detection with Differentiable Binarization", 2020) grows a line back by a fixed factor; the two
other maps measure each line instead, as EAST does (Zhou et al., 2017), and follow it where it
bends.

Lines are polygons (2k, 2) in pixels, as `ocrkit.detect.Detector` has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.polynomial import Polynomial

STRIDE = 4
UNIT = 16.0  # px; heights are learned as the natural logarithm of their ratio to this
CORE = 0.3  # of its height the core reaches up and down from a line's middle
ENDS = 0.3  # of its height the core stops before a line's ends
ABOVE, SURE = 0.4, 0.55  # probability of each cell of a core, and of its cells on average
BEND = 0.2  # a line that is nowhere further from straight, in heights, is straight
ASIDE = 3  # times as much margin is left at a line's ends: a comma there is easily missed
POINTS = 8  # along each edge of a line that is not
# Pieces of one line, in the height of the lower one: how far the next may start before the one
# before it ends, or after; how far it may lie above or below; how much higher it may be.
OVERLAP, APART, LEVEL, ALIKE = 1.5, 0.4, 0.5, 2.5


def encode(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Maps float32 (3, h, w) of a page (H, W) with these lines: core 0 or 1, height, middle.

    h and w are H and W in cells, rounded up. Height is log(px / UNIT); the middle is how many
    heights a cell lies above the line's middle. Both are 0 outside of cores.
    """
    rows, columns = (-(-side // STRIDE) for side in shape)
    maps = np.zeros((3, rows, columns), np.float32)
    x, y = ((np.arange(n) + 0.5) * STRIDE for n in (columns, rows))
    for polygon in polygons:
        half = len(polygon) // 2
        top, bottom = polygon[:half], polygon[: half - 1 : -1]
        ends = (top[[0, -1], 0] + bottom[[0, -1], 0]) / 2
        height = float(np.mean(bottom[:, 1] - top[:, 1]))
        inset = min(ENDS * height, (ends[1] - ends[0]) / 3)
        # However narrow or low a line is, it gets the cell in its middle.
        reach = max((ends[1] - ends[0]) / 2 - inset, STRIDE / 2)
        inside = np.flatnonzero(np.abs(x - ends.mean()) <= reach)
        if not len(inside) or height <= 0:
            continue
        above = np.interp(x[inside], top[:, 0], top[:, 1])
        below = np.interp(x[inside], bottom[:, 0], bottom[:, 1])
        tall = np.maximum(below - above, 1.0)
        low, high = np.searchsorted(y, [above.min(), below.max()])
        off = ((above + below) / 2 - y[low:high, None]) / tall
        core = np.abs(off) <= np.maximum(CORE, 0.5 * STRIDE / tall)
        here = maps[:, low:high, inside[0] : inside[-1] + 1]
        here[0][core] = 1.0
        here[1][core] = np.broadcast_to(np.log(tall / UNIT), core.shape)[core]
        here[2][core] = off[core]
    return maps


def decode(maps: np.ndarray, margin: float = 0) -> list[np.ndarray]:
    """The outlines of all lines in maps (3, h, w): `find_cores`, then `outline`."""
    return [outline(core, margin) for core in find_cores(maps)]


def find_cores(maps: np.ndarray) -> list[np.ndarray]:
    """The lines of maps (3, h, w) whose core is a probability, (5, cells) float64 each.

    A cell has its x and y in pixels, and what the maps say there.
    """
    mask = (maps[0] > ABOVE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    rows, columns = np.nonzero(mask)
    order = np.argsort(labels[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    x, y = (columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE
    cells = np.stack([x, y, *maps[:, rows, columns]]).astype(np.float64)
    pieces = np.split(cells, np.cumsum(stats[1:, cv2.CC_STAT_AREA]), axis=1)[:-1]
    pieces = [piece for piece in pieces if piece[2].mean() >= SURE]
    lines = _parts_of_lines([outline(piece) for piece in pieces])
    return [np.concatenate([pieces[i] for i in parts], axis=1) for parts in lines]


def _parts_of_lines(pieces: Sequence[np.ndarray]) -> list[list[int]]:
    """Which outlines (2k, 2) belong to one line, as a faint letter breaks a core in two.

    They are level, of about one size, and touch or nearly do.
    """
    if not pieces:
        return []
    halves = [np.split(piece, 2) for piece in pieces]  # along the top, and back along the bottom
    start = np.array([(top[0] + bottom[-1]) / 2 for top, bottom in halves])
    end = np.array([(top[-1] + bottom[0]) / 2 for top, bottom in halves])
    height = np.array([np.mean(bottom[:, 1] - top[:, 1]) for top, bottom in halves])
    lower, higher = np.minimum.outer(height, height), np.maximum.outer(height, height)
    # [i, j]: from where i ends to where j starts, so that j is what goes on.
    across, down = (start[None] - end[:, None]).transpose(2, 0, 1) / lower
    near = (across > -OVERLAP) & (across < APART) & (start[:, None, 0] <= start[None, :, 0])
    one = near & (np.abs(down) < LEVEL) & (higher < ALIKE * lower)
    one |= one.T | np.eye(len(pieces), dtype=bool)
    first = np.arange(len(pieces))
    while (joined := np.where(one, first, len(pieces)).min(axis=1)).tolist() != first.tolist():
        first = joined
    return [np.flatnonzero(first == i).tolist() for i in np.unique(first)]


def outline(core: np.ndarray, margin: float = 0) -> np.ndarray:
    """The polygon (2k, 2) float32 of a core that `find_cores` found.

    margin: the paper left around it, in its height.
    """
    x, y, weight, height, middle = core
    tall = UNIT * np.exp(np.clip(height, -3, 4))
    usual = float(np.average(tall, weights=weight))
    left, right = x.min() - STRIDE / 2 - ENDS * usual, x.max() + STRIDE / 2 + ENDS * usual
    wide = (right - left) / usual
    centre = _curve(x, y + middle * tall, weight, 0 if wide < 1.5 else 1)
    # Within a line letters are of one size, but a page may be photographed from one side.
    size = _curve(x, tall, weight, 0 if wide < 12 else 1)
    left, right = left - ASIDE * margin * usual, right + ASIDE * margin * usual
    at = np.linspace(left, right, POINTS)
    bent = _curve(x, y + middle * tall, weight, 3) if wide > 8 else centre
    if np.abs(bent(at) - centre(at)).max() > BEND * usual:
        centre = bent
    else:
        at = at[[0, -1]]
    reach = (0.5 + margin) * np.maximum(size(at), 0.5 * usual)
    top, bottom = (np.stack([at, centre(at) + side * reach], axis=1) for side in (-1, 1))
    return np.concatenate([top, bottom[::-1]]).astype(np.float32)


def _curve(x: np.ndarray, y: np.ndarray, weight: np.ndarray, degree: int) -> Polynomial:
    degree = min(degree, len(np.unique(x)) - 1)  # a core of a column or two says no more
    if not degree:
        return Polynomial([np.average(y, weights=weight)])
    return Polynomial.fit(x, y, degree, w=weight)
