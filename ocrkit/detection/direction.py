"""Which way up a page lies: found by reading a few of its lines, turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ocrkit.detection import Detector
from ocrkit.document import mean_confidence
from ocrkit.image import crop_polygon
from ocrkit.recognition.reading import Reading

# A page whose longest lines are read with less confidence may lie on its side or upside down. Pages
# turned the wrong way had at most 0.88, and upright pages are rarely below this value.
UPRIGHT_CONFIDENCE = 0.92
SHORT = 60  # characters; a page with fewer is tried upside down however well it is read
TRIED_LINES = 12  # how many of the longest lines are read to decide that
LEVEL_LINES, LEVEL_ASPECT = 5, 8.0  # so many lines so long for their height do not stand upright
WINDOW = 600  # px; the least side of the part of a page that is tried on its side

Recognize = Callable[[Sequence[np.ndarray]], list[Reading]]
Lap = Callable[[str], None]


@dataclass(frozen=True)
class View:
    """A page after some quarter turns anticlockwise, its lines, and readings of some of them."""

    page: np.ndarray
    turns: int
    polygons: list[np.ndarray]
    readings: dict[int, Reading] = field(default_factory=dict)

    @property
    def confidence(self) -> float:
        return mean_confidence(list(self.readings.values()))

    @property
    def characters(self) -> int:
        return sum(len(reading.text) for reading in self.readings.values())


def upright_view(page: np.ndarray, detector: Detector, recognize: Recognize, lap: Lap) -> View:
    """A grey page (H, W) uint8 turned so that its text is upright, its lines, the longest read.

    Only a part of the page is tried on its side, so that a page that is hard to read, but lies the
    right way up, does not cost much more than another. lap: is told each stage that ends.
    """
    view = _tried(View(page, 0, detector(page)), recognize, lap)
    if view.confidence >= UPRIGHT_CONFIDENCE and view.characters >= SHORT:
        return view
    views = [view, _tried(_upside_down(view), recognize, lap)]
    if view.confidence < UPRIGHT_CONFIDENCE and not _is_level(view):
        part = np.ascontiguousarray(np.rot90(_window(view)))
        aside = _tried(View(part, 1, detector(part)), recognize, lap)
        views += [aside, _tried(_upside_down(aside), recognize, lap)]
    # A page of text is not turned for the few strokes that look like letters from the side.
    likely = [other for other in views if 4 * other.characters >= view.characters]
    best = max(likely, key=lambda other: other.confidence)
    if best is view:
        return view
    turned = np.ascontiguousarray(np.rot90(page, best.turns))
    return _tried(View(turned, best.turns, detector(turned)), recognize, lap)


def read_lines(view: View, numbers: Sequence[int], recognize: Recognize, lap: Lap) -> View:
    """The view with readings of some of its lines, by their numbers."""
    crops = [crop_polygon(view.page, view.polygons[i]) for i in numbers]
    lap("other")
    readings = dict(zip(numbers, recognize(crops), strict=True))
    lap("recognize")
    return replace(view, readings=view.readings | readings)


def _tried(view: View, recognize: Recognize, lap: Lap) -> View:
    """The view with its longest lines read."""
    lap("detect")
    longest = np.argsort(_sides(view)[:, 0])[::-1][:TRIED_LINES].tolist()
    return read_lines(view, longest, recognize, lap)


def _sides(view: View) -> np.ndarray:
    """Length and height of each line (n, 2)."""
    sides = [
        (np.linalg.norm(p[len(p) // 2 - 1] - p[0]), np.linalg.norm(p[-1] - p[0]))
        for p in view.polygons
    ]
    return np.array(sides, np.float64).reshape(-1, 2)


def _is_level(view: View) -> bool:
    length, height = _sides(view).T
    return bool((length > LEVEL_ASPECT * height).sum() >= LEVEL_LINES)


def _upside_down(view: View) -> View:
    """The same lines on the page turned by 180 degrees; none of them is read yet."""
    size = np.array(view.page.shape[::-1], np.float32)
    polygons = [(size - np.roll(p, len(p) // 2, axis=0)).astype(np.float32) for p in view.polygons]
    page = np.ascontiguousarray(np.rot90(view.page, 2))
    return View(page, (view.turns + 2) % 4, polygons)


def _window(view: View) -> np.ndarray:
    """The part of a page around the middle of what was found on it, half as wide and as high."""
    page = view.page
    middle = [side / 2 for side in page.shape[::-1]]
    if view.polygons:
        middle = np.median([p.mean(axis=0) for p in view.polygons], axis=0).tolist()
    parts = []
    for at, side in zip(middle[::-1], page.shape, strict=True):
        size = min(side, max(WINDOW, side // 2))
        first = int(np.clip(at - size / 2, 0, side - size))
        parts.append(slice(first, first + size))
    return page[parts[0], parts[1]]
