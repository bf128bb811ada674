"""From a file to a Document: load the pages, find the lines, read them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import torch

from ocrkit.detect import Detector, load_detector
from ocrkit.document import MIN_CONFIDENCE, Box, Document, Line, Page, Word, mean_confidence
from ocrkit.errors import OcrkitError
from ocrkit.image import along, crop_polygon, load_pages
from ocrkit.model import fastest_weights, weights_path
from ocrkit.processor import usable_cores
from ocrkit.recognize import Reading, Recognizer


@dataclass(frozen=True)
class Result:
    """What became of one file: a document, or the error, a line that starts with the path.

    A file that is damaged after its first pages has both: the document of those, and the error.
    """

    source: Path
    document: Document | None
    error: str | None = None


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
    detector, recognizer = _loaded(detector, recognizer, decoder)
    return Document(str(path), tuple(_pages(path, detector, recognizer, min_confidence)))


def _pages(
    path: str | Path, detector: Detector, recognizer: Recognizer, min_confidence: float
) -> Iterator[Page]:
    start = perf_counter()
    for number, array in enumerate(load_pages(path), start=1):
        loaded = perf_counter() - start
        page = read_page(array, detector, recognizer, number, min_confidence)
        yield replace(page, seconds={**page.seconds, "other": page.seconds["other"] + loaded})
        start = perf_counter()


def read_documents(
    paths: Iterable[str | Path],
    detector: Detector | str = "lines",
    recognizer: Recognizer | str | Path | None = None,
    jobs: int = 1,
    min_confidence: float = MIN_CONFIDENCE,
    decoder: str = "language",
) -> Iterator[Result]:
    """Read files one after the other, or in `jobs` processes; yields in the order of `paths`.

    A file that cannot be read gives a Result with an error, and the others are read all the same,
    even where it ends the process that reads it, as for lack of memory. With more than one job the
    detector and the recogniser go to the processes by pickle, so names are best. Raises
    CheckpointError or MissingPartError, before the first file, where they cannot be loaded.
    """
    _loaded(detector, recognizer, decoder)
    sources = [Path(path) for path in paths]
    read = partial(
        _attempt,
        detector=detector,
        recognizer=recognizer,
        min_confidence=min_confidence,
        decoder=decoder,
    )
    if jobs <= 1 or len(sources) <= 1:
        yield from map(read, sources)
        return
    while sources:
        done = 0
        for result in _in_processes(read, sources, jobs):
            done += 1
            yield result
        # Where a process has ended, one of the files it and the others were at is to blame. The
        # first of them is read again by itself, so that none is blamed for another.
        for source in sources[done : done + 1]:
            alone = next(_in_processes(read, [source], 1), None)
            yield alone or Result(source, None, f"{source}: ended the process that was reading it")
        sources = sources[done + 1 :]


def _in_processes(
    read: Callable[[Path], Result], sources: Sequence[Path], jobs: int
) -> Iterator[Result]:
    """Results in the order of `sources`, up to the first that a process ended before."""
    # Forking a process in which torch has started its threads may hang, so they are spawned.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_process, (jobs,))
    try:
        with _ctrl_c_ignored():  # by the processes started here, for good: it is the parent's
            pending = [pool.submit(read, source) for source in sources]
        for future in pending:
            yield future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(
    source: Path,
    detector: Detector | str,
    recognizer: Recognizer | str | Path | None,
    min_confidence: float,
    decoder: str,
) -> Result:
    pages: list[Page] = []
    error = None
    try:
        for page in _pages(source, *_loaded(detector, recognizer, decoder), min_confidence):
            pages.append(page)
    except OcrkitError as reason:
        error = str(reason)
    except Exception as reason:  # one odd file must not cost the thousand after it
        error = f"{source}: cannot be read: {_reason(reason)}"
    if pages and error:
        error += f" (what precedes it, {len(pages)} of its pages, is read)"
    return Result(source, Document(str(source), tuple(pages)) if pages else None, error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())}".strip()


def _loaded(
    detector: Detector | str, recognizer: Recognizer | str | Path | None, decoder: str
) -> tuple[Detector, Recognizer]:
    if recognizer is None or isinstance(recognizer, str | Path):
        path = weights_path(recognizer or fastest_weights("ocrkit-fast"))
        recognizer = _recognizer(path, path.stat().st_mtime_ns, decoder)
    return _detector(detector) if isinstance(detector, str) else detector, recognizer


# Once in each process, not once for each file; but again where the weights have changed.
_detector = cache(load_detector)


@lru_cache(maxsize=4)
def _recognizer(path: Path, changed: int, decoder: str) -> Recognizer:
    return Recognizer.load(path, decoder=decoder)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may choose
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _start_process(jobs: int) -> None:
    """Share the cores with the other processes."""
    threads = max(1, usable_cores() // jobs)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


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
