"""Outlines of lines, as other programs draw them, to the polygons of `Line`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocrkit.archive.formats.placing import DESCENT, Point

_MOST_POINTS = 16  # along an edge; baselines of other programs have up to hundreds
_INSIDE = 0.02  # the ends of an outline are measured so far from them, as a share of its length
_EM, _LINE_HEIGHT = 2.0, 1.2  # an em in mean widths of a character, and a line in em


def line_polygon(
    outline: Sequence[Point], baseline: Sequence[Point] = (), text: str = ""
) -> tuple[Point, ...] | None:
    """The polygon of a line: points along its top in reading direction, then back below it.

    outline: around the line, in any order of a closed curve; may be empty. baseline: in reading
    direction; may be empty. The polygon follows the baseline. Without one, the line is taken for
    straight, and for running to the right as far as its outline allows. Without an outline, the
    height is estimated from the number of characters in `text`.

    None if there is neither an outline nor a baseline.
    """
    around, base = np.array(outline, float), np.array(baseline, float)
    if len(base) >= 2 and not np.ptp(base, axis=0).any():
        base = base[:1]
    if len(base) < 2:
        return _straight(around) if len(around) else None
    if len(around) < 3:
        return _around_baseline(base, text)
    if _is_strip(around, base):
        return _points(around)
    return _following(around, base)


def strip(outline: Sequence[Point], turns: int = 0) -> tuple[Point, ...] | None:
    """The outline itself, if it is a polygon as `Line` has them; else None.

    turns: quarter turns anticlockwise of the text; the direction must be within 45 degrees of it.
    """
    around = np.array(outline, float)
    if len(around) < 4 or len(around) % 2:
        return None
    top = around[: len(around) // 2]
    x, y = top[-1] - top[0]
    for _ in range(turns % 4):  # back to the right
        x, y = -y, x
    return _points(around) if x > abs(y) and _is_strip(around, top) else None


def turned(points: Sequence[Point], turns: int) -> tuple[Point, ...]:
    """The corners of an upright box for text that is turned by quarters, anticlockwise."""
    start = -turns % 4
    return tuple(points[start:]) + tuple(points[:start])


def _points(array: np.ndarray) -> tuple[Point, ...]:
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in array)


def _is_strip(around: np.ndarray, base: np.ndarray) -> bool:
    """Whether an outline has the form of a polygon of `Line` already, with this baseline."""
    if len(around) != 2 * len(base):
        return False
    top, bottom = around[: len(base)], around[len(base) :][::-1]
    steps = np.diff(base, axis=0)
    for edge in (top, bottom):
        if ((np.diff(edge, axis=0) * steps).sum(axis=1) <= 0).any():
            return False
    along = base[-1] - base[0]
    down = np.array([-along[1], along[0]])
    return bool(((bottom - top) @ down > 0).all())


def _straight(around: np.ndarray) -> tuple[Point, ...]:
    """A rectangle, for an outline without a baseline: upright if that fits as well as a tilted."""
    import cv2

    low, high = around.min(axis=0), around.max(axis=0)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    if len(around) == 4 and not _same_corners(around, corners):
        corners = around
    elif len(around) > 4:
        tilted = cv2.boxPoints(cv2.minAreaRect(around.astype(np.float32))).astype(float)
        if _area(tilted) < 0.8 * _area(corners):
            corners = tilted
    if _signed_area(corners) < 0:
        corners = corners[::-1]
    # It begins with the side that runs most to the right.
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum(np.linalg.norm(sides, axis=1), 1e-9)
    return _points(np.roll(corners, -int((sides[:, 0] / lengths).argmax()), axis=0))


def _same_corners(a: np.ndarray, b: np.ndarray) -> bool:
    return {tuple(point) for point in a.tolist()} == {tuple(point) for point in b.tolist()}


def _signed_area(corners: np.ndarray) -> float:
    """Positive if the corners go clockwise (y runs down)."""
    x, y = corners.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _area(corners: np.ndarray) -> float:
    return abs(_signed_area(corners))


def _around_baseline(base: np.ndarray, text: str) -> tuple[Point, ...]:
    """A strip around a baseline, as high as the width of its characters lets expect."""
    base = _resampled(base)
    length = float(np.linalg.norm(np.diff(base, axis=0), axis=1).sum())
    height = _LINE_HEIGHT * _EM * length / max(len(text), 10)
    down = _normals(base)
    top, bottom = base - (1 - DESCENT) * height * down, base + DESCENT * height * down
    return _points(np.concatenate([top, bottom[::-1]]))


def _following(around: np.ndarray, base: np.ndarray) -> tuple[Point, ...]:
    """A strip along a baseline, as high at each point as the outline is there."""
    base = _resampled(_as_long(base, around))
    down = _normals(base)
    measured = base.copy()
    measured[0] += _INSIDE * (base[1] - base[0])
    measured[-1] += _INSIDE * (base[-2] - base[-1])
    spans = [_span(around, point, normal) for point, normal in zip(measured, down, strict=True)]
    known = [span for span in spans if span is not None]
    if not known:
        return _straight(around)
    usual = np.median(known, axis=0)
    low, high = np.array([usual if span is None else span for span in spans]).T[:, :, None]
    return _points(np.concatenate([base + low * down, (base + high * down)[::-1]]))


def _as_long(base: np.ndarray, around: np.ndarray) -> np.ndarray:
    """The baseline, with its ends moved along it to where the outline ends."""
    base = base.copy()
    for end, before in ((0, 1), (-1, -2)):
        outwards = base[end] - base[before]
        length = np.linalg.norm(outwards)
        if length:
            outwards /= length
            base[end] += max(((around - base[end]) @ outwards).max(), 1 - length) * outwards
    return base


def _resampled(base: np.ndarray) -> np.ndarray:
    """The baseline with at most so many points; repeated points are left out."""
    steps = np.linalg.norm(np.diff(base, axis=0), axis=1)
    base = base[np.append(True, steps > 1e-6)]
    if len(base) <= _MOST_POINTS:
        return base
    at = np.append(0, np.cumsum(np.linalg.norm(np.diff(base, axis=0), axis=1)))
    places = np.linspace(0, at[-1], _MOST_POINTS)
    return np.stack([np.interp(places, at, base[:, axis]) for axis in (0, 1)], axis=1)


def _normals(base: np.ndarray) -> np.ndarray:
    """At each point the direction away from the letters, (k, 2) of length 1."""
    along = np.gradient(base, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def _span(around: np.ndarray, point: np.ndarray, down: np.ndarray) -> tuple[float, float] | None:
    """How far up (negative) and down from a point of the baseline the outline reaches."""
    along = np.array([down[1], -down[0]])
    start, end = around, np.roll(around, -1, axis=0)
    before, after = (start - point) @ along, (end - point) @ along
    crossing = (before <= 0) != (after <= 0)
    if not crossing.any():
        return None
    before, after = before[crossing], after[crossing]
    share = (before / (before - after))[:, None]
    offsets = (start[crossing] + share * (end - start)[crossing] - point) @ down
    return float(offsets.min()), float(offsets.max())
