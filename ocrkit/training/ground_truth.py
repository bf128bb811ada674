"""Public ground truth made fit for training a detector.

Projects outline lines in many ways: cut off below the baseline, with a whole row of a table as one
line, or without page numbers and stamps. Here a line that is marked gets the height that the kit's
detector gives it, and is split where the kit's own pages have two lines. What the detector finds
and nobody marked is ignored in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrkit.detection.complete import complete
from ocrkit.detection.lines import LineDetector
from ocrkit.image import crop_polygon
from ocrkit.synth.pages import Sheet

POINTS = 8  # along each edge of a line
# Lengths in heights of a line:
GAP = 1.5  # texts on one baseline that are further apart are two lines
END = 1.5  # how far the end of a line that was found may be from the marked one
# Shares:
INK = 0.35  # of the way from paper to the darkest ink
UNMARKED = 0.3  # a line of which less is marked is unmarked
BAND = 0.15  # of a line's height above and below, where other lines may reach into it


@dataclass(frozen=True)
class Edges:
    """A line as its top and bottom edge, (k, 2) each, from left to right."""

    top: np.ndarray
    bottom: np.ndarray

    @classmethod
    def of(cls, polygon: np.ndarray) -> Edges:
        half = len(polygon) // 2
        return cls(polygon[:half], polygon[half:][::-1])

    @property
    def ends(self) -> tuple[float, float]:
        return float(self.top[0, 0]), float(self.top[-1, 0])

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The y of both edges at each x (n,)."""
        return np.interp(x, *self.top.T), np.interp(x, *self.bottom.T)

    def middle_and_height(self, x: float) -> tuple[float, float]:
        (top,), (bottom,) = self.at(np.array([x]))
        return float(top + bottom) / 2, float(bottom - top)


def fitted_lines(
    page: np.ndarray, marked: Sequence[np.ndarray], found: Sequence[np.ndarray]
) -> tuple[list[list[np.ndarray]], list[int]]:
    """Marked lines with the detector's heights, and the numbers of found lines that nobody marked.

    page: grey (H, W). marked, found: polygons (2k, 2) on it. Returns for each marked line its
    parts, polygons (2 * POINTS, 2): none without ink, several where gaps split it.
    """
    marks, lines = [Edges.of(p) for p in marked], [Edges.of(p) for p in found]
    pairs = [[line for line in lines if _share(line, mark) > 0.5] for mark in marks]
    usual = _usual_offsets(marks, pairs)
    parts = [
        _parts(page, _with_height(mark, own, usual)) for mark, own in zip(marks, pairs, strict=True)
    ]
    covered = [sum(_share(line, mark) for mark in marks) for line in lines]
    return parts, [i for i, share in enumerate(covered) if share < UNMARKED]


def _share(line: Edges, mark: Edges) -> float:
    """How much of a line's length lies in a mark, 0 to 1."""
    left, right = max(line.ends[0], mark.ends[0]), min(line.ends[1], mark.ends[1])
    if right <= left:
        return 0.0
    middle, _ = line.middle_and_height((left + right) / 2)
    other, height = mark.middle_and_height((left + right) / 2)
    if abs(middle - other) > height / 2:
        return 0.0
    return (right - left) / max(line.ends[1] - line.ends[0], 1e-6)


def _offsets(mark: Edges, line: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, and there how much lower the line's edges are than the mark's."""
    x = np.clip(np.linspace(*line.ends, POINTS), *mark.ends)
    top, bottom = line.at(x)
    mark_top, mark_bottom = mark.at(x)
    return x, top - mark_top, bottom - mark_bottom


def _usual_offsets(marks: Sequence[Edges], pairs: Sequence[Sequence[Edges]]) -> np.ndarray:
    """Medians of the offsets of both edges (2,), in heights of the marks."""
    rows = [
        np.mean(_offsets(mark, line)[1:], axis=1) / max(mark.middle_and_height(line.ends[0])[1], 1)
        for mark, lines in zip(marks, pairs, strict=True)
        for line in lines
    ]
    return np.median(rows, axis=0) if rows else np.zeros(2)


def _with_height(mark: Edges, lines: Sequence[Edges], usual: np.ndarray) -> np.ndarray:
    """The polygon of a mark with the heights of the lines found in it, and their ends if near."""
    height = mark.middle_and_height(sum(mark.ends) / 2)[1]
    left, right = mark.ends
    if lines:
        ends = np.array([line.ends for line in lines])
        first, last = float(ends[:, 0].min()), float(ends[:, 1].max())
        left = first if abs(first - left) < END * height else left
        right = last if abs(last - right) < END * height else right
        x, *offsets = np.concatenate(
            [_offsets(mark, line) for line in sorted(lines, key=lambda line: line.ends)], axis=1
        )
    else:
        x, offsets = np.array(mark.ends), [np.full(2, o * height) for o in usual]
    at = np.linspace(left, right, POINTS)
    top, bottom = (
        edge + np.interp(at, x, offset) for edge, offset in zip(mark.at(at), offsets, strict=True)
    )
    return np.concatenate([np.c_[at, top], np.c_[at, bottom][::-1]]).astype(np.float32)


def _parts(page: np.ndarray, polygon: np.ndarray) -> list[np.ndarray]:
    """A line cut at its gaps, and at its ends where there is no ink."""
    edges = Edges.of(polygon)
    left, right = edges.ends
    height = float(np.mean(edges.bottom[:, 1] - edges.top[:, 1]))
    if height < 2 or right - left < 2:
        return []
    crop = crop_polygon(page, polygon)
    rows = round(BAND * len(crop))
    band = crop[rows : len(crop) - rows]
    if not band.size:
        return []
    paper, dark = np.quantile(band, 0.75), np.quantile(band, 0.01)
    inked = np.flatnonzero((band < paper - INK * (paper - dark)).sum(axis=0) > 0.08 * len(band))
    if paper - dark < 24 or not len(inked):
        return []
    x = left + (inked + 0.5) / crop.shape[1] * (right - left)
    step = (right - left) / crop.shape[1]
    cuts = np.flatnonzero(np.diff(x) > GAP * height)
    starts, ends = x[np.r_[0, cuts + 1]] - step, x[np.r_[cuts, len(x) - 1]] + step
    parts = []
    for start, end in zip(starts, ends, strict=True):
        at = np.linspace(start, end, POINTS)
        top, bottom = edges.at(at)
        parts.append(np.concatenate([np.c_[at, top], np.c_[at, bottom][::-1]]).astype(np.float32))
    return parts


def fitted_sheet(sheet: Sheet, detector: LineDetector) -> Sheet:
    """A page with its lines fitted, in which all else that the detector finds is ignored.

    A line that is split loses its text.
    """
    found = [
        np.asarray(line.polygon, np.float32)
        for line in complete(sheet.scan, detector.at_scale(sheet.scan), detector)[0]
    ]
    parts, unmarked = fitted_lines(sheet.scan, sheet.polygons, found)
    lines = [
        (part, text if len(own) == 1 else "")
        for text, own in zip(sheet.texts, parts, strict=True)
        for part in own
    ]
    rest = [p for p, own in zip(sheet.polygons, parts, strict=True) if not own]
    ignored = [*sheet.ignored, *(found[i] for i in unmarked), *rest]
    return replace(
        sheet, polygons=[p for p, _ in lines], texts=[t for _, t in lines], ignored=ignored
    )
