"""Halftone screens: the dots of printed pictures, which are read as line after line of marks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LINES = 5  # of marks alone; fewer are ornaments
STEP = 2.0  # heights of a line from one to the next
MANY = 24  # marks in a row; a page without letters that has so many is paper or a picture


def screens(polygons: Sequence[np.ndarray], texts: Sequence[str]) -> list[int]:
    """The indices of lines of marks alone that have more of them right above or right below.

    On a page without letters and figures, all lines of marks, if one of them is long.

    polygons: (2k, 2) of x, y on an upright page. texts: what they say.
    """
    marks = [i for i, text in enumerate(texts) if text and not any(map(str.isalnum, text))]
    only = not any(any(map(str.isalnum, text)) for text in texts)
    if only and any(len(texts[i].replace(" ", "")) >= MANY for i in marks):
        return marks
    if len(marks) < LINES:
        return []
    low, high = (np.array([end(polygons[i], axis=0) for i in marks]) for end in (np.min, np.max))
    left, right = low[:, 0], high[:, 0]
    middle, height = (low + high)[:, 1] / 2, (high - low)[:, 1]
    below = np.minimum.outer(right, right) > np.maximum.outer(left, left)
    down = middle[None] - middle[:, None]
    below &= (down > 0) & (down < STEP * height[:, None])
    # The innermost have lines on both sides; the outermost are next to one of these.
    inner = below.any(axis=0) & below.any(axis=1)
    beside = (below | below.T) & inner[None]
    return [i for i, near in zip(marks, beside.any(axis=1).tolist(), strict=True) if near]
