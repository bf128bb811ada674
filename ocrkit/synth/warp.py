"""Places a page on the scanner or table: rotation, perspective, bent paper, what lies around it.

The outlines of the lines move with the page.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from ocrkit.synth.degrade import Scan, smooth_noise

BENT_POINTS = 16  # along each edge of a polygon on a bent page

Size = tuple[int, int]  # width, height


def place_on_scanner(
    page: Scan, polygons: list[np.ndarray], photo: bool, rng: Generator, severity: float
) -> tuple[Scan, list[np.ndarray]]:
    """The page (H, W) as the camera sees it, and its polygons, float32 (k, 2) each, moved with it.

    photo: may be photographed, with more perspective and more of the table in view.
    """
    height, width = page.shape
    photo = photo and rng.random() < 0.4 * severity
    background = photo or rng.random() < 0.35 * severity  # more in view than the page
    margins = rng.uniform(0, 0.12 if photo else 0.06, 4) * background * severity * width
    size = (round(width + margins[0] + margins[1]), round(height + margins[2] + margins[3]))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)

    perspective = _perspective(corners, margins[[0, 2]], photo, rng, severity)
    bend, reach = _bend(size, width, rng, severity)
    visible = np.concatenate([*polygons, corners] if background else polygons or [corners])
    perspective = _keep_in_view(perspective, visible, size, 3 + reach)

    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size)), axis=-1)
    x, y = cv2.split(cv2.perspectiveTransform(grid, np.linalg.inv(perspective)) + bend)
    behind = _background(size, photo, rng) if background else np.zeros(size[::-1], np.uint8)
    border = cv2.BORDER_TRANSPARENT if background else cv2.BORDER_REPLICATE
    placed = cv2.remap(page, x, y, cv2.INTER_LINEAR, dst=behind, borderMode=border)
    return np.asarray(placed, np.uint8), _move_polygons(polygons, perspective, bend)


def bent(
    page: Scan, polygons: list[np.ndarray], shift: np.ndarray
) -> tuple[Scan, list[np.ndarray]]:
    """A page (H, W) whose columns are moved down by `shift` (W,) px, and its polygons (2k, 2).

    Lines look like this near the spine of a thick book. What moves out of the page is lost.
    """
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_y = (y - shift).astype(np.float32)
    moved = cv2.remap(page, x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8), [_bent_polygon(polygon, shift) for polygon in polygons]


def _bent_polygon(polygon: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The polygon with BENT_POINTS along each edge, moved down as the page is."""
    share = np.linspace(0, 1, BENT_POINTS)
    edges = []
    for edge in np.split(polygon, 2):
        at = np.linspace(0, 1, len(edge))
        x, y = (np.interp(share, at, edge[:, axis]) for axis in (0, 1))
        edges.append(np.c_[x, y + np.interp(x, np.arange(len(shift)), shift)])
    return np.concatenate(edges).astype(np.float32)


def _perspective(
    corners: np.ndarray, offset: np.ndarray, photo: bool, rng: Generator, severity: float
) -> np.ndarray:
    """A transform (3, 3) that rotates the page, moves it by `offset` and moves its corners."""
    width, height = corners[2]
    degrees = rng.normal(0, 1) if rng.random() < 0.92 else rng.uniform(-8, 8)
    rotation = cv2.getRotationMatrix2D(
        (float(width) / 2, float(height) / 2), severity * degrees, 1.0
    )
    moved = corners @ rotation[:, :2].T + rotation[:, 2] + offset
    moved += rng.normal(0, severity * (0.025 if photo else 0.004), (4, 2)) * float(width)
    return cv2.getPerspectiveTransform(corners, moved.astype(np.float32))


def _bend(size: Size, width: int, rng: Generator, severity: float) -> tuple[np.ndarray, float]:
    """How far each pixel's paper is from its place on a flat page: (H, W, 2), and at most, in px.

    The causes are curled paper, the camera's lens, and a book near its spine.
    """
    bend = np.zeros((size[1], size[0], 2), np.float32)
    reach = 0.0
    if rng.random() < 0.5 * severity:
        cell, reach = rng.uniform(0.35, 1.0) * width, rng.uniform(0, 0.008) * severity * width
        for axis in (0, 1):
            bend[..., axis] = reach * smooth_noise(bend.shape[:2], cell, rng)
        reach *= 3
    if rng.random() < 0.1 * severity:
        rise, spine = rng.uniform(-0.02, 0.02) * width, rng.uniform(0.1, 0.25) * width
        fold = np.exp(-np.arange(size[0], dtype=np.float32) / spine) * rise
        bend[..., 1] += fold if rng.random() < 0.5 else fold[::-1]
        reach += abs(rise)
    return bend, reach


def _keep_in_view(
    perspective: np.ndarray, points: np.ndarray, size: Size, margin: float
) -> np.ndarray:
    """`perspective`, shrunk and moved so that all points are `margin` px inside the image."""
    moved = cv2.perspectiveTransform(points[:, None].astype(np.float32), perspective)[:, 0]
    low, extent, end = moved.min(axis=0), np.ptp(moved, axis=0), np.array(size) - margin
    scale = float(min(1.0, *((end - margin) / np.maximum(extent, 1))))
    x, y = np.clip(low, margin, np.maximum(margin, end - scale * extent)) - scale * low
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]]) @ perspective


def _background(size: Size, photo: bool, rng: Generator) -> Scan:
    """What is behind the page: the scanner's lid, black, grey or white; a table or cloth."""
    tone = rng.choice([rng.uniform(0, 40), rng.uniform(40, 180), rng.uniform(200, 255)])
    surface = np.full(size[::-1], tone, np.float32)
    if photo or rng.random() < 0.3:
        for cell in (4.0, 60.0):
            surface += rng.uniform(2, 18) * smooth_noise(surface.shape, cell, rng)
    return np.clip(surface, 0, 255).astype(np.uint8)


def _move_polygons(
    polygons: list[np.ndarray], perspective: np.ndarray, bend: np.ndarray
) -> list[np.ndarray]:
    """The polygons in the image: through the perspective, and through the bend backwards."""
    if not polygons:
        return polygons
    size = np.array(bend.shape[1::-1])
    flat = np.concatenate(polygons)[:, None]
    moved = cv2.perspectiveTransform(flat, perspective)
    # The bend is given at the moved point, which is to be found: a fixed-point iteration. It
    # converges because the bend changes slowly.
    for _ in range(6):
        at = np.clip(np.round(moved[:, 0]).astype(int), 0, size - 1)
        moved = cv2.perspectiveTransform(flat - bend[at[:, 1], at[:, 0]][:, None], perspective)
    points = np.clip(moved[:, 0], 0, size).astype(np.float32)
    return np.split(points, np.cumsum([len(polygon) for polygon in polygons])[:-1])
