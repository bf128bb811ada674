"""Pages to crops: a line is cut out along its polygon and straightened."""

from __future__ import annotations

import cv2
import numpy as np

_CV2_MAX_SIDE = 32_766  # the largest side that cv2.warpPerspective accepts


def crop_polygon(page: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Cut a line out of a grey page (H, W), straightened to uint8 (h, w).

    The polygon (2k, 2) is x, y in pixels: k points along the top edge in reading direction, then k
    back along the bottom, so that k = 2 is four corners, and more follow a bent line. Pixel (0, 0)
    covers the square from (0, 0) to (1, 1): upright whole-numbered corners give the pixels
    unchanged. The longer edge and the higher end win. What lies outside the page gets the colour of
    its nearest edge.
    """
    points = np.asarray(polygon, np.float64)
    half = len(points) // 2
    edges = np.stack([points[:half], points[half:][::-1]])  # top and bottom, left to right
    length = np.linalg.norm(np.diff(edges, axis=1), axis=2).sum(axis=1).max()
    tallest = np.linalg.norm(edges[1] - edges[0], axis=1).max()
    width, height = (min(max(round(side), 1), _CV2_MAX_SIDE) for side in (length, tallest))

    # The part around the polygon is enough, and keeps a wide page within cv2's limit.
    limit = np.array(page.shape[::-1])
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, limit - 1)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 2, low + 1, limit)
    part = page[low[1] : high[1], low[0] : high[0]]

    # cv2 counts from the centres of pixels, polygons from their corners.
    if half == 2:
        source = (points - low - 0.5).astype(np.float32)
        target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(source, target)
        return cv2.warpPerspective(part, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    edges = (edges - low - 0.5).astype(np.float32)
    shares = (np.arange(width) + 0.5) / width
    top, bottom = (along(edge, shares).T[:, None] for edge in edges)  # (2, 1, width) each
    down = ((np.arange(height) + 0.5) / height)[:, None]
    x, y = (top * (1 - down) + bottom * down).astype(np.float32)
    return cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    """A grey picture (H, W) made so many times as wide and high."""
    if scale == 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def along(edge: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points (n, 2) at shares (n,) from 0 to 1 of the length of an edge through points (k, 2)."""
    steps = np.linalg.norm(np.diff(edge, axis=0), axis=1)
    stops = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-6)
    return np.stack([np.interp(shares, stops, edge[:, axis]) for axis in (0, 1)], axis=1)
