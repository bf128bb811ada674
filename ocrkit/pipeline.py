"""From a file to a Document: load the pages, find the lines, read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from time import perf_counter

import numpy as np

from ocrkit.detection import Detector, load_detector
from ocrkit.document import MIN_CONFIDENCE, Box, Document, Line, Page, Word, mean_confidence
from ocrkit.image import along, crop_polygon, load_pages
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.weights import default_weights, weights_path

# A page whose longest lines are read with less confidence may lie on its side or its head. Turned
# the wrong way, pages were read with 0.88 at most; the right way seldom with less than this.
UPRIGHT = 0.92
TRIED = 12  # lines read to see that


def read_page(
    page: np.ndarray,
    detector: Detector,
    recognizer: Recognizer,
    number: int = 1,
    min_confidence: float = MIN_CONFIDENCE,
) -> Page:
    """Find and read the lines of a grey page (H, W) uint8, which may lie on its side or its head.

    Lines without text, or read with less than `min_confidence` (0 to 1), are left out, and so are,
    unless it is 0, those of a mark or two without a letter or a figure. Polygons are in the pixels
    of the page as given, and begin at the top left of the text.
    """
    clock = _Clock()
    view = _look(page, 0, detector, recognizer, clock)
    if view.confidence < UPRIGHT:
        turned = [_look(page, turns, detector, recognizer, clock) for turns in (1, 2, 3)]
        # A stroke or two that look like letters from the side are no reason to turn a page of text.
        telling = [other for other in turned if 4 * other.characters >= view.characters]
        view = max([view, *telling], key=lambda view: view.confidence)
    rest = [i for i in range(len(view.polygons)) if i not in view.readings]
    readings = view.readings | _readings(view, rest, recognizer, clock)
    height, width = page.shape
    limit = np.array([width, height])
    lines = []
    for i, polygon in enumerate(view.polygons):
        confidence = 0.0 if _is_speck(readings[i].text) else readings[i].confidence
        if readings[i].text and confidence >= min_confidence:
            polygon = _turned_back(polygon, page.shape, view.turns) if view.turns else polygon
            lines.append(_line(np.clip(polygon, 0, limit), readings[i]))
    clock.lap("other")
    return Page(width, height, tuple(lines), number, clock.seconds)


def _is_speck(text: str) -> bool:
    """Whether a line says no more than a speck on the paper would."""
    return len(text.replace(" ", "")) < 3 and not any(map(str.isalnum, text))


class _Clock:
    """Seconds spent in each stage; a lap goes from the end of the one before it."""

    def __init__(self) -> None:
        self.seconds = {"detect": 0.0, "recognize": 0.0, "other": 0.0}
        self.last = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


@dataclass(frozen=True)
class _View:
    """A page after some quarter turns against the clock, its lines, and readings of some."""

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


def _look(
    page: np.ndarray, turns: int, detector: Detector, recognizer: Recognizer, clock: _Clock
) -> _View:
    """The lines of a page so turned, the longest of them read."""
    page = np.ascontiguousarray(np.rot90(page, turns))
    view = _View(page, turns, detector(page))
    clock.lap("detect")
    lengths = [np.linalg.norm(p[len(p) // 2 - 1] - p[0]) for p in view.polygons]
    longest = np.argsort(lengths)[::-1][:TRIED].tolist()
    return replace(view, readings=_readings(view, longest, recognizer, clock))


def _readings(
    view: _View, numbers: Sequence[int], recognizer: Recognizer, clock: _Clock
) -> dict[int, Reading]:
    """The lines of these numbers, read."""
    crops = [crop_polygon(view.page, view.polygons[i]) for i in numbers]
    clock.lap("other")
    readings = dict(zip(numbers, recognizer(crops), strict=True))
    clock.lap("recognize")
    return readings


def _turned_back(polygon: np.ndarray, shape: tuple[int, ...], turns: int) -> np.ndarray:
    """A polygon of `np.rot90(page, turns)` in the pixels of the page (H, W)."""
    height, width = shape
    x, y = polygon.T
    places = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(places[turns], axis=1)


def read_document(
    path: str | Path,
    detector: Detector | str = "lines",
    recognizer: Recognizer | str | Path | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    decoder: str = "language",
) -> Document:
    """Read all pages of a PNG, JPEG or TIFF file.

    The detector and the recogniser are objects, or what `load_detector` and `Recognizer.load` load
    them by, the latter with a `decoder` of its own; `min_confidence` is as in `read_page`.

    Raises ImageError for a file that cannot be read, CheckpointError for a recogniser that cannot
    be loaded.
    """
    detector, recognizer = load_readers(detector, recognizer, decoder)
    return Document(str(path), tuple(read_pages(path, detector, recognizer, min_confidence)))


def read_pages(
    path: str | Path, detector: Detector, recognizer: Recognizer, min_confidence: float
) -> Iterator[Page]:
    start = perf_counter()
    for number, array in enumerate(load_pages(path), start=1):
        loaded = perf_counter() - start
        page = read_page(array, detector, recognizer, number, min_confidence)
        yield replace(page, seconds={**page.seconds, "other": page.seconds["other"] + loaded})
        start = perf_counter()


def load_readers(
    detector: Detector | str, recognizer: Recognizer | str | Path | None, decoder: str
) -> tuple[Detector, Recognizer]:
    if recognizer is None or isinstance(recognizer, str | Path):
        path = weights_path(recognizer or default_weights("ocrkit-fast"))
        recognizer = _recognizer(path, path.stat().st_mtime_ns, decoder)
    return _detector(detector) if isinstance(detector, str) else detector, recognizer


# Once in each process, not once for each file; but again where the weights have changed.
_detector = cache(load_detector)


@lru_cache(maxsize=4)
def _recognizer(path: Path, changed: int, decoder: str) -> Recognizer:
    return Recognizer.load(path, decoder=decoder)


def _line(polygon: np.ndarray, reading: Reading) -> Line:
    words = tuple(
        Word(word.text, word.confidence, _between(polygon, word.start, word.end))
        for word in reading.words
    )
    corners = tuple((round(float(x), 1), round(float(y), 1)) for x, y in polygon)
    return Line(corners, reading.text, reading.confidence, words)


def _between(polygon: np.ndarray, start: float, end: float) -> Box:
    """The box around the part of a line between two shares (0..1) of its width."""
    half = len(polygon) // 2
    shares = np.linspace(start, end, half)
    points = [*along(polygon[:half], shares), *along(polygon[half:][::-1], shares)]
    return Box.around((round(float(x), 1), round(float(y), 1)) for x, y in points)
