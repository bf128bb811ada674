"""Stacked words: capitals below each other that are read downwards, as on the sign of a shop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FEWEST = 3  # letters
# Distances in heights of a letter's box:
CENTRED, NEAREST, FURTHEST = 0.35, 0.7, 3.5  # sideways; and from one letter to the next
SPACE = 1.5  # times the smallest distance; further apart are two words
ALIKE = 1.5  # ratio of the heights of two letters


@dataclass(frozen=True)
class Stack:
    """A stacked text: the indices of its letters from top to bottom, and its words' letters."""

    letters: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]

    def polygon(self, polygons: Sequence[np.ndarray]) -> np.ndarray:
        """The polygon (4, 2) of the text, which begins at its top right and goes down."""
        points = np.concatenate([polygons[i] for i in self.letters])
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return np.array([(x1, y0), (x1, y1), (x0, y1), (x0, y0)], points.dtype)


def stacks(polygons: Sequence[np.ndarray], texts: Sequence[str]) -> list[Stack]:
    """The stacked texts among the lines of an upright page: single capitals with nothing beside.

    polygons: (2k, 2) of x, y. texts: what the lines say.
    """
    if not len(polygons):
        return []
    low, high = (np.array([end(p, axis=0) for p in polygons]) for end in (np.min, np.max))
    middle, height = (low + high) / 2, (high - low)[:, 1]
    # [i, j]: the middle of i is within j
    level = (low[:, 1] < middle[:, 1:]) & (middle[:, 1:] < high[:, 1])
    alone = level.sum(axis=1) == 1
    letters = [i for i, t in enumerate(texts) if alone[i] and len(t) == 1 and _is_capital(t)]
    letters.sort(key=lambda i: middle[i, 1])
    runs: list[list[int]] = []
    for i in letters:
        last = runs[-1][-1] if runs else i
        down, across = middle[i, 1] - middle[last, 1], abs(middle[i, 0] - middle[last, 0])
        size = max(height[i], height[last])
        near = NEAREST * size < down < FURTHEST * size and across < CENTRED * size
        if near and size < ALIKE * min(height[i], height[last]):
            runs[-1].append(i)
        else:
            runs.append([i])
    return [
        Stack(tuple(run), tuple(_words(run, middle[:, 1])))
        for run in runs
        if len(run) >= FEWEST and any(texts[i] != "0" for i in run)
    ]


def _is_capital(text: str) -> bool:
    return text.isupper() or text == "0"  # a letter O alone is read as a zero


def _words(run: Sequence[int], y: np.ndarray) -> Iterator[tuple[int, ...]]:
    steps = [float(y[b] - y[a]) for a, b in pairwise(run)]
    ends = [n + 1 for n, step in enumerate(steps) if step > SPACE * min(steps)]
    for start, end in pairwise([0, *ends, len(run)]):
        yield tuple(run[start:end])
