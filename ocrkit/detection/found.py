"""A line or a mark that was found on a page, and the box and the parts of its polygon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Found:
    """A line or a mark on a page.

    polygon: as in `Detector`.
    number: the index of the detector's line whose place it has kept, or None.
    initial: the box (left, top, right, bottom) of a large capital that its first word begins with.
    leader: whether dots follow it that lead to a number.
    led_to: whether such dots were cut off before it.
    mark: whether it is a lone sign that others on the page confirm.
    sign: what a mark is, if its shape tells.
    turned: whether it may also be read in the other direction.
    spaced: whether it is a row of marks with spaces between them.
    specks: whether its ink is a few small pieces that are no row of equal marks; then marks that
    are read in it are specks.
    """

    polygon: np.ndarray
    number: int | None = None
    initial: tuple[float, ...] | None = None
    leader: bool = False
    led_to: bool = False
    mark: bool = False
    sign: str = ""
    turned: bool = False
    spaced: bool = False
    specks: bool = False

    def scaled(self, scale: float) -> Found:
        initial = tuple(scale * side for side in self.initial) if self.initial else None
        return replace(self, polygon=(self.polygon * scale).astype(np.float32), initial=initial)


def box_of(polygon: np.ndarray) -> np.ndarray:
    """The box (4,) around a polygon (2k, 2): left, top, right, bottom."""
    return np.concatenate([polygon.min(axis=0), polygon.max(axis=0)])


def boxes_of(lines: Sequence[Found]) -> np.ndarray:
    """The boxes (n, 4) of lines: left, top, right, bottom."""
    return np.array([box_of(line.polygon) for line in lines]).reshape(-1, 4)


def edges_at(polygon: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The y (n,) of the top and of the bottom of a line's polygon (2k, 2) at some x (n,).

    Beyond its ends they are those of the nearer end.
    """
    top, bottom = np.split(polygon, 2)
    return np.interp(x, *top.T), np.interp(x, *bottom[::-1].T)


def contains(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points (n, 2) are in a line's polygon (2k, 2), which may be bent."""
    x, y = points.T
    top, bottom = edges_at(polygon, x)
    left, _, right, _ = box_of(polygon)
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def between(polygon: np.ndarray, left: float, right: float) -> np.ndarray:
    """The part of a line's polygon (2k, 2) between two x."""
    half = len(polygon) // 2
    x = np.linspace(max(left, polygon[0, 0]), min(right, polygon[half - 1, 0]), half)
    y0, y1 = edges_at(polygon, x)
    return np.concatenate([np.stack([x, y0], 1), np.stack([x, y1], 1)[::-1]])
