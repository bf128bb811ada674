"""Curled pages: lines that rise and fall across the page, as near the fold of a thick book."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.polynomial import Polynomial

from ocrkit.image import page_ink, scaled

STEEP, STEEP_LINES, STEEP_SHARE = 0.13, 3, 0.2  # slope, number and share of lines of a curled page
SIDE = 700  # px; the width of the page on which the curl is measured
STRIPS = 32  # that the page is cut into
REACH = 0.5  # the largest slope, px down for 1 px across
DEGREE = 6  # of the polynomial that the slopes follow
ROUNDS = 3  # the first measures the curl, the others what is left of it
POINTS = 12  # along each edge of a line on a curled page
LONGEST = 32_000  # px; OpenCV moves the pixels of no larger picture
BAND = 1024  # rows whose pixels are moved at a time, because their coordinates take much memory


def is_curled(polygons: Sequence[np.ndarray]) -> bool:
    """Whether lines (2k, 2) or parts of them rise and fall too much for a flat page."""
    slopes = []
    for polygon in polygons:
        top = polygon[: len(polygon) // 2].astype(np.float64)
        along = np.diff(top, axis=0)
        level = along[:, 0] > np.abs(along[:, 1])
        if level.any():
            slopes.append(np.abs(along[level, 1] / along[level, 0]).max())
    steep = np.array(slopes) > STEEP
    return bool(steep.sum() >= max(STEEP_LINES, STEEP_SHARE * len(polygons)))


def curl(page: np.ndarray) -> np.ndarray:
    """How far down the lines of a grey page (H, W) uint8 lie in each column: px, float64 (W,).

    In narrow strips from top to bottom a curved line is nearly straight. The shift between the
    projection profiles of neighbouring strips is the slope of the lines there. 0 for a page that is
    too narrow or too large to measure.
    """
    scale = min(1.0, SIDE / page.shape[1])
    small = scaled(page, scale)
    if small.shape[1] < 2 * STRIPS or max(page.shape) > LONGEST:
        return np.zeros(page.shape[1])
    ink = page_ink(small).clip(0, 1)
    ink[ink < 0.4] = 0
    x = np.arange(small.shape[1]) + 0.5
    total = np.zeros(len(x))
    for _ in range(ROUNDS):
        slopes, weights = _slopes(flattened(ink, total))
        degree = min(DEGREE, int((weights > 0).sum()) // 3)
        if not degree:
            break
        at = (np.arange(len(slopes)) + 1) * len(x) / STRIPS
        fitted = Polynomial.fit(at, slopes, degree, w=weights, domain=[0, len(x)])
        inked = at[weights > 0]
        slope = fitted(np.clip(x, inked.min(), inked.max()))
        total += np.cumsum(np.clip(slope, -REACH, REACH))
    total -= total.mean()
    return np.interp((np.arange(page.shape[1]) + 0.5) * scale, x, total) / scale


def flattened(page: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """A page (H, W) with each column moved up by its shift in px."""
    height, width = page.shape
    columns, moved = np.arange(width, dtype=np.float32), np.empty_like(page)
    for start in range(0, height, BAND):
        band = moved[start : start + BAND]
        x, y = np.meshgrid(columns, np.arange(start, start + len(band), dtype=np.float32))
        y += shifts.astype(np.float32)
        band[:] = cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def on_curled(polygon: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """A polygon (2k, 2) of a flattened page on the page as it was, with more points."""
    shares = np.linspace(0, 1, POINTS)
    edges = []
    for edge in np.split(polygon.astype(np.float64), 2):
        known = np.linspace(0, 1, len(edge))
        points = np.stack([np.interp(shares, known, side) for side in edge.T], axis=1)
        points[:, 1] += np.interp(points[:, 0], np.arange(len(shifts)) + 0.5, shifts)
        edges.append(points)
    return np.concatenate(edges).astype(polygon.dtype)


def _slopes(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The slope between neighbouring strips of ink (H, W), and how sure it is: (STRIPS - 1,)."""
    height, width = ink.shape
    edges = np.linspace(0, width, STRIPS + 1).astype(int)
    profiles = np.stack([ink[:, a:b].mean(axis=1) for a, b in zip(edges, edges[1:], strict=False)])
    profiles = cv2.GaussianBlur(profiles.astype(np.float32), (5, 1), 0)
    step = width / STRIPS
    reach = max(1, min(round(REACH * step), height // 4))
    padded = np.pad(profiles, ((0, 0), (reach, reach)))
    # [i, s]: how well strip i + 1, moved up by s - reach rows, fits strip i.
    match = np.stack(
        [(profiles[:-1] * padded[1:, s : s + height]).sum(axis=1) for s in range(2 * reach + 1)],
        axis=1,
    )
    norm = np.sqrt((profiles[:-1] ** 2).sum(axis=1) * (profiles[1:] ** 2).sum(axis=1))
    best = match.argmax(axis=1)
    weights = np.where(norm > 0, match.max(axis=1) / np.maximum(norm, 1e-6), 0)
    enough = profiles.sum(axis=1)
    enough = np.minimum(enough[:-1], enough[1:]) > 0.2 * np.median(
        enough[enough > 0] if enough.any() else [1]
    )
    return (best - reach) / step, np.where(enough, weights, 0)
