"""Which way up a page lies, and how skewed: found by reading a few of its lines, turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ocrkit.detection import Detector
from ocrkit.detection.curl import curl, flattened, is_curled, on_curled
from ocrkit.detection.second_look import few_letters
from ocrkit.document import mean_confidence
from ocrkit.image import crop_polygon, page_ink, scaled
from ocrkit.recognition.parts import Recognize, read_in_parts
from ocrkit.recognition.reading import Reading

# A page whose longest lines are read with less confidence may lie on its side or upside down. Pages
# turned the wrong way had at most 0.88, and upright pages are rarely below this value.
UPRIGHT_CONFIDENCE = 0.92
SHORT = 60  # characters; a page with fewer is tried upside down however well it is read
FEW, FEW_CONFIDENCE = (1, 2), 0.75  # characters of a page that is not turned: a 6 is not a 9
TRIED_LINES = 12  # how many of the longest lines are read to decide that
LEVEL_LINES, LEVEL_ASPECT = 5, 8.0  # so many lines so long for their height do not stand upright
# Pages with a larger slope (px down for 1 px across) are straightened; the detector follows less.
SKEW, STEEPEST = 0.07, 46  # degrees; the largest skew that is looked for
SKEW_SIDE = 600  # px; the longer side of the page on which it is looked for
WINDOW = 600  # px; the least side of the part of a page that is tried on its side

Lap = Callable[[str], None]


STRAIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class View:
    """A page after it was turned, its lines, and readings of some of them.

    matrix: (2, 3), from (x, y, 1) in the view to (x, y) on the page, after its curl was removed.
    shifts: the curl that was removed, as in `curl`; empty for a page that was flat.
    """

    page: np.ndarray
    matrix: np.ndarray
    polygons: list[np.ndarray]
    readings: dict[int, Reading] = field(default_factory=dict)
    shifts: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def on_page(self, polygon: np.ndarray) -> np.ndarray:
        """A polygon (2k, 2) of the view in the pixels of the page as given."""
        if self.matrix is not STRAIGHT:
            polygon = self._turned(polygon)
        return on_curled(polygon, self.shifts) if len(self.shifts) else polygon

    def _turned(self, polygon: np.ndarray) -> np.ndarray:
        return (polygon @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(polygon.dtype)

    @property
    def confidence(self) -> float:
        """Of the words in the readings; dots of a leader are read with little confidence."""
        words = [word for reading in self.readings.values() for word in reading.words or [reading]]
        return mean_confidence([word for word in words if any(map(str.isalnum, word.text))])

    @property
    def characters(self) -> int:
        return sum(len(reading.text) for reading in self.readings.values())


def upright_view(
    page: np.ndarray, detector: Detector, recognize: Recognize, quick: Recognize, lap: Lap
) -> View:
    """A grey page (H, W) uint8 turned so that its text is upright, its lines, the longest read.

    Only a part of the page is tried on its side, so that a page that is hard to read, but lies the
    right way up, does not cost much more than another. quick: reads the lines of other directions,
    which are mostly no text. lap: is told each stage that ends.
    """
    view = _tried(View(page, STRAIGHT, detector(page) or few_letters(page)), recognize, lap)
    if view.confidence < UPRIGHT_CONFIDENCE or abs(_slope(view)) > SKEW:
        angle = skew(page)
        if abs(np.tan(np.radians(angle))) > SKEW:
            straight, matrix = straightened(page, angle)
            other = _tried(View(straight, matrix, detector(straight)), recognize, lap)
            view = _better(view, other)
    if is_curled(view.polygons):
        shifts = curl(page)
        flat = flattened(page, shifts)
        other = _tried(View(flat, STRAIGHT, detector(flat), shifts=shifts), recognize, lap)
        view = _better(view, other)
    if view.confidence >= UPRIGHT_CONFIDENCE and view.characters >= SHORT:
        return view
    if view.characters in FEW and view.confidence >= FEW_CONFIDENCE:
        return view
    return _turned(view, detector, recognize, quick, lap)


def _better(view: View, other: View) -> View:
    """The view in whose longest lines more is read."""
    return max(view, other, key=lambda v: (v.confidence > 0.5, v.confidence * v.characters))


def _turned(
    view: View, detector: Detector, recognize: Recognize, quick: Recognize, lap: Lap
) -> View:
    """A view turned by quarters so that its text is upright."""
    views = {0: view, 2: _tried(_upside_down(view), quick, lap)}
    if view.confidence < UPRIGHT_CONFIDENCE and not _is_level(view):
        part = np.ascontiguousarray(np.rot90(_window(view)))
        aside = _tried(View(part, STRAIGHT, detector(part)), quick, lap)
        views |= {1: aside, 3: _tried(_upside_down(aside), quick, lap)}
    # A page of text is not turned for the few strokes that look like letters from the side.
    likely = {n: v for n, v in views.items() if 4 * v.characters >= view.characters}
    turns = max(likely, key=lambda n: likely[n].confidence)
    if not turns:
        return view
    page = np.ascontiguousarray(np.rot90(view.page, turns))
    matrix = _chained(view.matrix, _quarter_turns(view.page.shape, turns))
    return _tried(View(page, matrix, detector(page), shifts=view.shifts), recognize, lap)


def skew(page: np.ndarray) -> float:
    """The angle in degrees by which the lines of a grey page (H, W) fall to the right.

    It is the angle with the sharpest projection profile (Postl, 1986); 0 if none is sharper.
    """
    small = scaled(page, min(1.0, SKEW_SIDE / max(page.shape)))
    ink = np.abs(page_ink(small)).clip(0, 1)
    ink[ink < 0.4] = 0
    side = int(np.hypot(*ink.shape)) + 2

    def sharpness(angle: float) -> float:
        matrix = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), angle, 1)
        matrix[:, 2] += ((side - ink.shape[1]) / 2, (side - ink.shape[0]) / 2)
        profile = cv2.warpAffine(ink, matrix, (side, side)).sum(axis=1)
        return float((np.diff(profile) ** 2).sum())

    best = max(np.arange(-STEEPEST, STEEPEST + 1, 2.0).tolist(), key=sharpness)
    best = max(np.arange(best - 1.5, best + 1.6, 0.5).tolist(), key=sharpness)
    return best if sharpness(best) > 1.2 * sharpness(0) else 0.0


def straightened(page: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A page turned so that lines that fall by an angle (degrees) are level, and its matrix."""
    height, width = page.shape
    turn = np.radians(angle)
    sides = np.array(
        [[abs(np.cos(turn)), abs(np.sin(turn))], [abs(np.sin(turn)), abs(np.cos(turn))]]
    )
    new = np.ceil(sides @ (width, height)).astype(int)
    forward = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    forward[:, 2] += ((new[0] - width) / 2, (new[1] - height) / 2)
    paper = int(np.median(page[::8, ::8]))
    turned = cv2.warpAffine(page, forward, new.tolist(), flags=cv2.INTER_CUBIC, borderValue=paper)
    return turned, cv2.invertAffineTransform(forward)


def _quarter_turns(shape: tuple[int, ...], turns: int) -> np.ndarray:
    """The matrix from `np.rot90(page, turns)` back to the page (H, W)."""
    height, width = shape
    matrices = {
        1: [[0, -1, width], [1, 0, 0]],
        2: [[-1, 0, width], [0, -1, height]],
        3: [[0, 1, 0], [-1, 0, height]],
    }
    return np.array(matrices[turns], np.float64)


def _chained(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The matrix that applies `inner` first."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def read_lines(view: View, numbers: Sequence[int], recognize: Recognize, lap: Lap) -> View:
    """The view with readings of some of its lines, by their numbers."""
    crops = [crop_polygon(view.page, view.polygons[i]) for i in numbers]
    lap("other")
    readings = dict(zip(numbers, read_in_parts(recognize, crops), strict=True))
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


def _slope(view: View) -> float:
    """The slope of the usual line; 0 with fewer than three."""
    along = [p[len(p) // 2 - 1] - p[0] for p in view.polygons]
    slopes = [float(y / x) for x, y in along if x > abs(y)]
    return float(np.median(slopes)) if len(slopes) > 2 else 0.0


def _is_level(view: View) -> bool:
    length, height = _sides(view).T
    return bool((length > LEVEL_ASPECT * height).sum() >= LEVEL_LINES)


def _upside_down(view: View) -> View:
    """The same lines on the page turned by 180 degrees; none of them is read yet."""
    size = np.array(view.page.shape[::-1], np.float32)
    polygons = [(size - np.roll(p, len(p) // 2, axis=0)).astype(np.float32) for p in view.polygons]
    page = np.ascontiguousarray(np.rot90(view.page, 2))
    return View(page, view.matrix, polygons, shifts=view.shifts)


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
