"""From an image file to a Document: load the pages, find the lines, read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ocrkit.detection import Detector, load_detector
from ocrkit.detection.layout import find_blocks
from ocrkit.detection.rules import find_rules
from ocrkit.document import (
    MIN_CONFIDENCE,
    Block,
    Box,
    Document,
    LeftOut,
    Line,
    Page,
    Reason,
    Word,
    mean_confidence,
)
from ocrkit.image import crop_polygon, load_pages, points_along, scaled
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.weights import default_weights, weights_path

# A page whose longest lines are read with less confidence may lie on its side or upside down. Pages
# turned the wrong way had at most 0.88, and upright pages are rarely below this value.
UPRIGHT_CONFIDENCE = 0.92
RULE_LINES = 15.0  # px; rules are looked for on a page whose lines are at most so high
TRIED_LINES = 12  # how many of the longest lines are read to decide that


@dataclass(frozen=True)
class ReadOptions:
    """How documents are read.

    detector: a detector, or the name that `load_detector` knows it by.
    recognizer: a recogniser, or the name or path that `Recognizer.load` takes; None for the kit's.
    min_confidence: lines with a lower confidence (0 to 1) are left out.
    decoder: of a recogniser that is given by name; see `Recognizer`.
    dehyphenate: whether words that are broken at the end of a line are joined in the text.
    """

    detector: Detector | str = "lines"
    recognizer: Recognizer | str | Path | None = None
    min_confidence: float = MIN_CONFIDENCE
    decoder: str = "language"
    dehyphenate: bool = False

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
    return Document(str(path), tuple(read_pages(path, options)))


def read_pages(path: str | Path, options: ReadOptions) -> Iterator[Page]:
    """Read the pages of an image file one by one; raises as `read_document` does."""
    detector, recognizer = options.load()
    start = perf_counter()
    for number, array in enumerate(load_pages(path), start=1):
        loaded = perf_counter() - start
        page = read_page(array, detector, recognizer, number, options.min_confidence)
        seconds = {**page.seconds, "other": page.seconds["other"] + loaded}
        yield replace(page, seconds=seconds, dehyphenate=options.dehyphenate)
        start = perf_counter()


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
    kept: list[int] = []
    left_out: list[LeftOut] = []
    for i, reading in sorted(readings.items()):
        if reason := _reason(reading, min_confidence):
            left_out.append(LeftOut(_line(page, view, i, reading), reason))
        else:
            kept.append(i)
    texts = [readings[i].text for i in kept]
    blocks = _blocks(view, [view.polygons[i] for i in kept], texts)
    order = [number for block in blocks for number in block.lines]
    lines = tuple(_line(page, view, kept[n], readings[kept[n]]) for n in order)
    clock.lap("other")
    height, width = page.shape
    return Page(
        width,
        height,
        lines,
        number,
        clock.seconds,
        _renumbered(blocks),
        tuple(left_out),
    )


def _reason(reading: Reading, min_confidence: float) -> Reason | None:
    """Why a line is left out; None if it is not."""
    if not reading.text:
        return "no text"
    if min_confidence and _is_speck(reading.text):
        return "only marks"
    return "low confidence" if reading.confidence < min_confidence else None


def _blocks(view: _View, polygons: Sequence[np.ndarray], texts: Sequence[str]) -> list[Block]:
    """The blocks of the lines of a view that are kept."""
    if not polygons:
        return []
    heights = [np.linalg.norm(p[0] - p[-1]) for p in polygons]
    scale = min(1.0, RULE_LINES / max(float(np.median(heights)), 1.0))
    rules = find_rules(scaled(view.page, scale), RULE_LINES).scaled(1 / scale)
    return find_blocks(polygons, texts, rules)


def _renumbered(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks with their lines numbered in reading order."""
    number = count()
    return tuple(
        Block(
            block.kind,
            tuple(tuple(tuple(next(number) for _ in c) for c in row) for row in block.rows),
        )
        for block in blocks
    )


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


def _line(page: np.ndarray, view: _View, number: int, reading: Reading) -> Line:
    """A line of a view, in the pixels of the page (H, W)."""
    polygon = view.polygons[number]
    if view.turns:
        polygon = _turned_back(polygon, page.shape, view.turns)
    polygon = np.clip(polygon, 0, page.shape[::-1])
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
