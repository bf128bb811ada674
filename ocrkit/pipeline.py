"""From an image file to a Document: load the pages, find the lines, read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ocrkit.detection import Detector, load_detector
from ocrkit.document import MIN_CONFIDENCE, Box, Document, Line, Page, Word, mean_confidence
from ocrkit.image import PagesWithText, Scan, crop_polygon, load_scans, points_along
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.weights import default_weights, weights_path

# A page whose longest lines are read with less confidence may lie on its side or upside down. Pages
# turned the wrong way had at most 0.88, and upright pages are rarely below this value.
UPRIGHT_CONFIDENCE = 0.92
TRIED_LINES = 12  # how many of the longest lines are read to decide that


@dataclass(frozen=True)
class ReadOptions:
    """How documents are read.

    detector: a detector, or the name that `load_detector` knows it by.
    recognizer: a recogniser, or the name or path that `Recognizer.load` takes; None for the kit's.
    min_confidence: lines with a lower confidence (0 to 1) are left out.
    decoder: of a recogniser that is given by name; see `Recognizer`.
    pages_with_text: of PDF pages that have text already: "keep" takes this text instead of reading
    the page, "redo" reads the page, "skip" leaves it out; see `load_scans`.
    """

    detector: Detector | str = "lines"
    recognizer: Recognizer | str | Path | None = None
    min_confidence: float = MIN_CONFIDENCE
    decoder: str = "language"
    pages_with_text: PagesWithText = "keep"

    def load(self) -> tuple[Detector, Recognizer]:
        """The detector and the recogniser; raises what their loaders raise.

        What is given by name is loaded once in a process; a recogniser again if its file changes.
        """
        detector, recognizer = self.detector, self.recognizer
        if recognizer is None or isinstance(recognizer, str | Path):
            path = weights_path(recognizer or default_weights("ocrkit-fast"))
            recognizer = _recognizer(path, path.stat().st_mtime_ns, self.decoder)
        return _detector(detector) if isinstance(detector, str) else detector, recognizer


_detector = cache(load_detector)


@lru_cache(maxsize=4)
def _recognizer(path: Path, changed: int, decoder: str) -> Recognizer:
    return Recognizer.load(path, decoder=decoder)


def read_document(
    path: str | Path, options: ReadOptions | None = None, **settings: Any
) -> Document:
    """Read all pages of an image file.

    settings: fields of ReadOptions, as in `read_document("letter.tif", decoder="greedy")`; they
    come before those of `options`.

    Raises ImageError for a file that cannot be read, CheckpointError for weights that cannot be
    loaded, TypeError for an unknown setting.
    """
    options = replace(options or ReadOptions(), **settings)
    return Document(str(path), tuple(read_pages(path, options)), reader_name(options))


def read_pages(path: str | Path, options: ReadOptions, first: int = 1) -> Iterator[Page]:
    """Read the pages of an image file one by one, from number `first`; raises as `read_document`.

    The pages before `first` are not decoded.
    """
    detector, recognizer = options.load()
    start = perf_counter()
    for scan in load_scans(path, options.pages_with_text, first):
        loaded = perf_counter() - start
        if scan.lines is None:
            number, confidence = scan.number, options.min_confidence
            page = read_page(scan.pixels, detector, recognizer, number, confidence)
        else:
            page = _page_with_text(scan)
        seconds = {**page.seconds, "other": page.seconds["other"] + loaded}
        yield replace(page, seconds=seconds, dpi=scan.dpi)
        start = perf_counter()


def reader_name(options: ReadOptions) -> str:
    """What reads with these options, for `Document.reader`: "ocrkit 0.2.0, ocrkit-fast-int8"."""
    from ocrkit import __version__

    recognizer = options.recognizer or default_weights("ocrkit-fast")
    named = Path(recognizer).stem if isinstance(recognizer, str | Path) else ""
    return f"ocrkit {__version__}{', ' if named else ''}{named}"


def _page_with_text(scan: Scan) -> Page:
    height, width = scan.pixels.shape
    return Page(width, height, scan.lines or (), scan.number, _Clock().seconds)


def read_page(
    page: np.ndarray,
    detector: Detector,
    recognizer: Recognizer,
    number: int = 1,
    min_confidence: float = MIN_CONFIDENCE,
) -> Page:
    """Find and read the lines of a grey page (H, W) uint8, whichever way up it lies.

    Lines without text, or with a confidence (0 to 1) below `min_confidence`, are left out. So are
    lines of one or two marks without a letter or figure, unless `min_confidence` is 0. Polygons are
    in the pixels of the page as given, and begin at the top left of the text.
    """
    clock = _Clock()
    view = _view(page, 0, detector, recognizer, clock)
    if view.confidence < UPRIGHT_CONFIDENCE:
        turned = [_view(page, turns, detector, recognizer, clock) for turns in (1, 2, 3)]
        # A page of text is not turned for the few strokes that look like letters from the side.
        likely = [other for other in turned if 4 * other.characters >= view.characters]
        view = max([view, *likely], key=lambda view: view.confidence)
    rest = [i for i in range(len(view.polygons)) if i not in view.readings]
    readings = view.readings | _read_lines(view, rest, recognizer, clock)
    height, width = page.shape
    lines = []
    for i, polygon in enumerate(view.polygons):
        reading = readings[i]
        confidence = 0.0 if _is_speck(reading.text) else reading.confidence
        if reading.text and confidence >= min_confidence:
            polygon = _turned_back(polygon, page.shape, view.turns) if view.turns else polygon
            lines.append(_line(np.clip(polygon, 0, [width, height]), reading))
    clock.lap("other")
    return Page(width, height, tuple(lines), number, clock.seconds)


def _is_speck(text: str) -> bool:
    """Whether a line has only one or two marks, as a speck on the paper would give."""
    return len(text.replace(" ", "")) < 3 and not any(map(str.isalnum, text))


class _Clock:
    """Seconds spent on each stage; a lap lasts from the end of the lap before it."""

    def __init__(self) -> None:
        self.seconds = {"detect": 0.0, "recognize": 0.0, "other": 0.0}
        self.last = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


@dataclass(frozen=True)
class _View:
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


def _view(
    page: np.ndarray, turns: int, detector: Detector, recognizer: Recognizer, clock: _Clock
) -> _View:
    """The page turned, its lines found and the longest of them read."""
    page = np.ascontiguousarray(np.rot90(page, turns))
    view = _View(page, turns, detector(page))
    clock.lap("detect")
    lengths = [np.linalg.norm(p[len(p) // 2 - 1] - p[0]) for p in view.polygons]
    longest = np.argsort(lengths)[::-1][:TRIED_LINES].tolist()
    return replace(view, readings=_read_lines(view, longest, recognizer, clock))


def _read_lines(
    view: _View, numbers: Sequence[int], recognizer: Recognizer, clock: _Clock
) -> dict[int, Reading]:
    """The readings of some of a view's lines, by their numbers."""
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


def _line(polygon: np.ndarray, reading: Reading) -> Line:
    words = tuple(
        Word(word.text, word.confidence, _word_box(polygon, word.start, word.end))
        for word in reading.words
    )
    corners = tuple((round(float(x), 1), round(float(y), 1)) for x, y in polygon)
    return Line(corners, reading.text, reading.confidence, words)


def _word_box(polygon: np.ndarray, start: float, end: float) -> Box:
    """The box around the part of a line between two shares (0..1) of its width."""
    half = len(polygon) // 2
    shares = np.linspace(start, end, half)
    points = [*points_along(polygon[:half], shares), *points_along(polygon[half:][::-1], shares)]
    return Box.around((round(float(x), 1), round(float(y), 1)) for x, y in points)
