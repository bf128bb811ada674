"""Line crops: a line is cut out of its page along its polygon, and straightened."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np

_LONGEST = 56  # times the height; the longest crop that is read in one part
INITIAL_HEIGHT = 0.56  # of a capital, as a share of the height of a line's crop
_INITIAL_TOP = 0.16  # what is above it, likewise
_CV2_MAX_SIDE = 32_766  # the largest side that cv2.warpPerspective accepts


def crop_polygon(page: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Cut a line out of a grey page (H, W) uint8; returns the straightened line, uint8 (h, w).

    polygon: (2k, 2), points x, y in pixels: k along the top edge in reading direction, then k back
    along the bottom edge. Two along each edge are the corners of a straight line; more follow a
    curved one. Pixel (0, 0) covers the square from (0, 0) to (1, 1), so a rectangle of whole
    numbers returns the page's pixels unchanged.

    The crop is as wide as the longer edge and as high as the largest distance between the edges.
    Outside the page the nearest pixel of the page is repeated.
    """
    points = np.asarray(polygon, np.float64)
    half = len(points) // 2
    edges = np.stack([points[:half], points[half:][::-1]])  # top and bottom, left to right
    length = np.linalg.norm(np.diff(edges, axis=1), axis=2).sum(axis=1).max()
    tallest = np.linalg.norm(edges[1] - edges[0], axis=1).max()
    width, height = (min(max(round(side), 1), _CV2_MAX_SIDE) for side in (length, tallest))

    # Only the part around the polygon is passed to cv2, which has a limit on a page's width.
    limit = np.array(page.shape[::-1])
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, limit - 1)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 2, low + 1, limit)
    part = page[low[1] : high[1], low[0] : high[0]]

    # In cv2 (0, 0) is the centre of a pixel, in polygons its corner.
    if half == 2:
        source = (points - low - 0.5).astype(np.float32)
        target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(source, target)
        return cv2.warpPerspective(part, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    edges = (edges - low - 0.5).astype(np.float32)
    shares = (np.arange(width) + 0.5) / width
    top, bottom = (points_along(edge, shares).T[:, None] for edge in edges)  # (2, 1, width)
    down = ((np.arange(height) + 0.5) / height)[:, None]
    x, y = (top * (1 - down) + bottom * down).astype(np.float32)
    return cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def with_initial(crop: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """A line's crop with a large capital before it, made as high as the line's own capitals."""
    height = crop.shape[0]
    tall = max(1, round(INITIAL_HEIGHT * height))
    wide = max(1, round(initial.shape[1] * tall / initial.shape[0]))
    letter = cv2.resize(initial, (wide, tall), interpolation=cv2.INTER_AREA)
    paper = _paper(crop)
    before = np.full((height, wide), paper, crop.dtype)
    top = round(_INITIAL_TOP * height)
    before[top : top + tall] = np.clip(letter + (paper - float(np.quantile(letter, 0.9))), 0, 255)
    return np.hstack([before, crop])


def parts_of(crop: np.ndarray) -> list[np.ndarray]:
    """A line's crop, cut between words into parts if it is too long for the recogniser."""
    height, width = crop.shape
    count = -(-width // max(1, round(_LONGEST * height)))
    if count < 2:
        return [crop]
    # The darkest pixel of each column; between two words there are columns without ink.
    light = crop.min(axis=0) if np.median(crop) > 127 else 255 - crop.max(axis=0)
    light = cv2.blur(light.astype(np.float32)[None], (max(1, height // 4), 1))[0]
    cuts = [0]
    for n in range(1, count):
        at, reach = n * width // count, 3 * height
        cuts.append(at - reach + int(light[at - reach : at + reach].argmax()))
    return [crop[:, a:b] for a, b in pairwise([*cuts, width])]


def magnified(crop: np.ndarray, cut: float, stretch: float) -> np.ndarray:
    """A grey crop (H, W) with fewer rows and more columns: its letters are larger after `fit`.

    cut: the share of the rows that is removed at the top, and again at the bottom. stretch: the
    factor for the width.
    """
    height, width = crop.shape
    rows = round(cut * height)
    size = max(1, round(stretch * width)), height - 2 * rows
    return cv2.resize(crop[rows : height - rows], size)


def moved(crop: np.ndarray, share: float) -> np.ndarray:
    """A grey crop (H, W), moved down by a share of its height; what comes in is paper."""
    down = round(share * crop.shape[0])
    return _warped(crop, np.array([[1, 0, 0], [0, 1, down]], np.float32))


def slanted(crop: np.ndarray, slant: float) -> np.ndarray:
    """A grey crop (H, W) whose letters lean to the right by `slant` pixels for each pixel up.

    It is wider by |slant| * H, so that nothing is cut off.
    """
    height = crop.shape[0]
    room = math.ceil(abs(slant) * height / 2)
    wide = np.pad(crop, ((0, 0), (room, room)), constant_values=_paper(crop))
    middle = (height - 1) / 2
    return _warped(wide, np.array([[1, -slant, slant * middle], [0, 1, 0]], np.float32))


def _warped(crop: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A crop after an affine map, of the same size."""
    size = crop.shape[::-1]
    return cv2.warpAffine(crop, matrix, size, borderValue=(_paper(crop),))


def _paper(crop: np.ndarray) -> int:
    """The grey level of most pixels, which is the paper's."""
    return int(np.median(crop))


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """A grey image (H, W), resized by a factor; area averaging to shrink it, bicubic to enlarge."""
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def points_along(edge: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points (n, 2) on a polyline through points (k, 2), at shares (n,) of its length, 0 to 1."""
    lengths = np.linalg.norm(np.diff(edge, axis=0), axis=1)
    corners = np.concatenate([[0.0], np.cumsum(lengths)]) / max(lengths.sum(), 1e-6)
    return np.stack([np.interp(shares, corners, edge[:, axis]) for axis in (0, 1)], axis=1)
