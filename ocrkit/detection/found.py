"""A line or a mark that was found on a page, and the box and the parts of its polygon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Found:
    """A line or a mark on a page.

    polygon: as in `Detector`. number: the index of the detector's line whose place it has kept, or
    None. initial: the box (left, top, right, bottom) of a large capital that
    its first word begins with. leader: whether dots follow it that lead to a number. mark: whether
    it is a lone sign that others on the page confirm. sign: what a mark is, if its shape tells.
    spaced: whether it is a row of marks with spaces between them.
    turned: whether it may also be read in the other direction.
    specks: whether its ink is a few small pieces that are no row of equal marks; then marks that
    are read in it are specks.
    """

    polygon: np.ndarray
    number: int | None = None
    initial: tuple[float, ...] | None = None
    leader: bool = False
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


def between(polygon: np.ndarray, left: float, right: float) -> np.ndarray:
    """The part of a line's polygon (2k, 2) between two x."""
    top, bottom = np.split(polygon, 2)
    bottom = bottom[::-1]
    x = np.linspace(max(left, top[0, 0]), min(right, top[-1, 0]), len(top))
    y0, y1 = np.interp(x, *top.T), np.interp(x, *bottom.T)
    return np.concatenate([np.stack([x, y0], 1), np.stack([x, y1], 1)[::-1]])
