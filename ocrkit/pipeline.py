"""From an image file to a Document: load the pages, find the lines, read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, cast
from unicodedata import category

import numpy as np

from ocrkit.detection import Detector, load_detector
from ocrkit.detection.complete import complete
from ocrkit.detection.direction import View, upright_view
from ocrkit.detection.found import Found
from ocrkit.detection.layout import find_blocks
from ocrkit.detection.ornaments import with_spaces
from ocrkit.detection.screens import screens
from ocrkit.detection.stacks import stacks
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
from ocrkit.image import (
    INITIAL_HEIGHT,
    PagesWithText,
    Scan,
    crop_polygon,
    load_scans,
    points_along,
    with_initial,
)
from ocrkit.recognition.figures import with_figures
from ocrkit.recognition.initials import with_joined_capital, with_width_of_capital
from ocrkit.recognition.leaders import with_short_leader, without_first_dots
from ocrkit.recognition.parts import read_in_parts
from ocrkit.recognition.reading import Reading, WordReading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.weights import default_weights, weights_path

SIGN_CONFIDENCE = 0.9  # of a dash or a ditto mark that is known by its shape
# If a page has at least PRINT_LINES lines, and more than the share PRINT_LOST of them (by length)
# cannot be read, it is handwriting or a picture. Then only lines of at least PRINT_CONFIDENCE count
# as print.
PRINT_LINES, PRINT_LOST, PRINT_CONFIDENCE = 5, 0.6, 0.75
_SIGNS = ("-", "–", "—", "=", '"', "”", "“", "„", "»", "«", "''", ",,")  # in the columns of tables


@dataclass(frozen=True)
class ReadOptions:
    """How documents are read.

    detector: a detector, or the name that `load_detector` knows it by.
    recognizer: a recogniser, or the name or path that `Recognizer.load` takes; None for the kit's.
    min_confidence: lines with a lower confidence (0 to 1) are left out.
    decoder: of a recogniser that is given by name; see `Recognizer`.
    pages_with_text: of PDF pages that have text already: "keep" takes this text instead of reading
    the page, "redo" reads the page, "skip" leaves it out; see `load_scans`.
    dehyphenate: whether words that are broken at the end of a line are joined in the text.
    backend: what runs a recogniser that is given by name, as in `Recognizer.load`; None is the
    usual one for its file.
    """

    detector: Detector | str = "lines"
    recognizer: Recognizer | str | Path | None = None
    min_confidence: float = MIN_CONFIDENCE
    decoder: str = "language"
    pages_with_text: PagesWithText = "keep"
    dehyphenate: bool = False
    backend: str | None = None

    def weights(self) -> Path | None:
        """The file of weights to read with; None for a recogniser that is given as an object.

        Raises CheckpointError if there is no such file.
        """
        if self.recognizer is None or isinstance(self.recognizer, str | Path):
            return weights_path(self.recognizer or default_weights("ocrkit-fast", self.backend))
        return None

    def load(self) -> tuple[Detector, Recognizer]:
        """The detector and the recogniser; raises what their loaders raise.

        What is given by name is loaded once in a process; a recogniser again if its file changes.
        """
        detector, path = self.detector, self.weights()
        if path is None:
            recognizer = cast(Recognizer, self.recognizer)
        else:
            recognizer = _recognizer(path, path.stat().st_mtime_ns, self.decoder, self.backend)
        return _detector(detector) if isinstance(detector, str) else detector, recognizer


_detector = cache(load_detector)


@lru_cache(maxsize=4)
def _recognizer(path: Path, changed: int, decoder: str, backend: str | None) -> Recognizer:
    return Recognizer.load(path, backend, decoder=decoder)


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
        yield replace(page, seconds=seconds, dpi=scan.dpi, dehyphenate=options.dehyphenate)
        start = perf_counter()


def reader_name(options: ReadOptions) -> str:
    """What reads with these options, for `Document.reader`: "ocrkit 0.2.0, ocrkit-fast-int8"."""
    from ocrkit import __version__

    recognizer = options.recognizer or default_weights("ocrkit-fast", options.backend)
    named = Path(recognizer).stem if isinstance(recognizer, str | Path) else None
    return ", ".join(filter(None, (f"ocrkit {__version__}", named, options.backend)))


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
    # Any function from crops to readings may stand in for a recogniser.
    quick = recognizer.quick() if isinstance(recognizer, Recognizer) else recognizer
    view = upright_view(page, detector, recognizer, quick, clock.lap)
    found, rules = complete(view.page, view.polygons, detector)
    view, readings = _read(view, found, recognizer, clock)
    reasons = _reasons(view, found, readings, min_confidence)
    kept = [i for i in range(len(found)) if i not in reasons]
    view, kept = _with_stacks(view, kept, readings)
    left_out = [LeftOut(_line(page, view, i, readings[i]), why) for i, why in reasons.items()]
    texts = [readings[i].text for i in kept]
    blocks = find_blocks([view.polygons[i] for i in kept], texts, rules)
    order = [number for block in blocks for number in block.lines]
    for block in blocks:
        if block.kind == "table":
            _correct_columns(block, kept, readings)
    lines = tuple(_line(page, view, kept[n], readings[kept[n]]) for n in order)
    clock.lap("other")
    height, width = page.shape
    return Page(
        width,
        height,
        lines,
        number,
        clock.seconds,
        blocks=_renumbered(blocks),
        left_out=tuple(left_out),
    )


def _read(
    view: View, found: Sequence[Found], recognizer: Recognizer, clock: _Clock
) -> tuple[View, dict[int, Reading]]:
    """The view with the lines that were found, and a reading of each of them."""
    readings: dict[int, Reading] = {}
    for i, line in enumerate(found):
        reading = None if line.number is None else view.readings.get(line.number)
        if line.sign:
            readings[i] = Reading(
                line.sign, SIGN_CONFIDENCE, (WordReading(line.sign, SIGN_CONFIDENCE, 0, 1),)
            )
        elif reading is not None and line.initial is None:
            readings[i] = reading
    rest = [i for i in range(len(found)) if i not in readings]
    crops = [_crop(view.page, found[i]) for i in rest]
    clock.lap("other")
    readings |= zip(rest, read_in_parts(recognizer, crops), strict=True)
    clock.lap("recognize")
    found = list(found)
    for i in [i for i, line in enumerate(found) if line.turned]:
        # It reads upwards or downwards: what is read with more confidence is right.
        other = replace(found[i], polygon=np.roll(found[i].polygon, 2, axis=0))
        (reading,) = recognizer([_crop(view.page, other)])
        if reading.confidence > readings[i].confidence:
            found[i], readings[i] = other, reading
    polygons = []
    for i, line in enumerate(found):
        polygon, readings[i] = _with_initial(line, readings[i])
        if line.led_to:
            readings[i] = without_first_dots(readings[i])
        if line.spaced:
            readings[i] = replace(readings[i], text=with_spaces(readings[i].text))
        elif not line.sign:
            readings[i] = with_short_leader(readings[i], line.leader)
        polygons.append(polygon)
    return replace(view, polygons=polygons), readings


def _crop(page: np.ndarray, line: Found) -> np.ndarray:
    crop = crop_polygon(page, line.polygon)
    if line.initial is None:
        return crop
    x0, y0, x1, y1 = line.initial
    return with_initial(
        crop, crop_polygon(page, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    )


def _with_initial(line: Found, reading: Reading) -> tuple[np.ndarray, Reading]:
    """The polygon of a line from its large capital on, and the reading with its words' places."""
    if line.initial is None:
        return line.polygon, reading
    polygon = line.polygon.copy()
    x0, y0, x1, y1 = line.initial
    old, right = float(polygon[0, 0]), float(polygon[len(polygon) // 2 - 1, 0])
    height = float(polygon[-1, 1] - polygon[0, 1])
    # In the crop the capital had this width; on the page it reaches from x0 to `old`.
    width = (x1 - x0) * INITIAL_HEIGHT * height / (y1 - y0)
    read, printed = width / (width + right - old), (old - x0) / (right - x0)
    polygon[[0, -1], 0] = x0
    return polygon, with_width_of_capital(with_joined_capital(reading), read, printed)


def _reasons(
    view: View, found: Sequence[Found], readings: Mapping[int, Reading], min_confidence: float
) -> dict[int, Reason]:
    """Which lines are left out, and why.

    Lines are judged together as well: where most of a page cannot be read, as in handwriting, the
    rest of it is read by chance, except for lines of high confidence.
    """
    reasons = {
        i: reason
        for i, line in enumerate(found)
        if (reason := _reason(readings[i], line, min_confidence))
    }
    lengths = np.array([np.linalg.norm(np.ptp(p, axis=0)) for p in view.polygons])
    # Specks on the paper say nothing about the text.
    specks = [i for i, reason in reasons.items() if reason == "only marks"]
    lengths[specks] = 0
    lost = sum(lengths[i] for i in reasons)
    if min_confidence:
        texts = [readings[i].text for i in range(len(found))]
        # Letters that are left out were read by chance.
        texts = ["" if i in reasons and _has_letters(t) else t for i, t in enumerate(texts)]
        for i in screens(view.polygons, texts):
            if not found[i].mark:
                reasons.setdefault(i, "only marks")
    if min_confidence and len(found) >= PRINT_LINES and lost > PRINT_LOST * lengths.sum():
        for i, reading in readings.items():
            sure = (
                reading.confidence >= PRINT_CONFIDENCE and sum(map(str.isalnum, reading.text)) > 2
            )
            if i not in reasons and not sure:
                reasons[i] = "not print"
    return dict(sorted(reasons.items()))


def _reason(reading: Reading, line: Found, min_confidence: float) -> Reason | None:
    """Why a line is left out by itself; None if it is not."""
    if not reading.text:
        return "no text"
    confirmed = line.sign or (line.mark and reading.text in _SIGNS)
    speck = _is_speck(reading.text) or (line.specks and not _has_letters(reading.text))
    if min_confidence and not confirmed and speck:
        return "only marks"
    return "low confidence" if reading.confidence < min_confidence else None


def _with_stacks(
    view: View, kept: Sequence[int], readings: dict[int, Reading]
) -> tuple[View, list[int]]:
    """The view and the numbers of its lines, with the letters of each stacked text in one line.

    The line has the number of its first letter; its reading replaces that letter's in `readings`.
    """
    polygons, parts = list(view.polygons), set[int]()
    chosen = [view.polygons[i] for i in kept]
    for stack in stacks(chosen, [readings[i].text for i in kept]):
        first, *others = (kept[n] for n in stack.letters)
        polygon = stack.polygon(chosen)
        top, bottom = polygon[:, 1].min(), polygon[:, 1].max()
        words = []
        for word in stack.words:
            letters = [readings[kept[n]] for n in word]
            confidences = tuple(letter.confidence for letter in letters)
            text = "".join(letter.text for letter in letters).replace("0", "O")
            start, end = chosen[word[0]][:, 1].min(), chosen[word[-1]][:, 1].max()
            start, end = ((float(y) - top) / (bottom - top) for y in (start, end))
            mean = sum(confidences) / len(word)
            words.append(WordReading(text, mean, start, end, confidences))
        text = " ".join(word.text for word in words)
        readings[first] = Reading(text, mean_confidence(words), tuple(words))
        polygons[first] = polygon
        parts |= set(others)
    return replace(view, polygons=polygons), [i for i in kept if i not in parts]


def _correct_columns(table: Block, kept: Sequence[int], readings: dict[int, Reading]) -> None:
    """Replace readings of cells in which letters are figures; see `with_figures`."""
    for column in zip(*table.rows, strict=True):
        cells = [kept[cell[0]] for cell in column if len(cell) == 1]
        texts = [readings[i].text for i in cells]
        for i, old, new in zip(cells, texts, with_figures(texts), strict=True):
            if new != old and len(new.split()) == len(readings[i].words):
                pairs = zip(readings[i].words, new.split(), strict=True)
                words = tuple(replace(word, text=text) for word, text in pairs)
                readings[i] = replace(readings[i], text=new, words=words)


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
    return len(text.replace(" ", "")) < 3 and not _has_letters(text)


def _has_letters(text: str) -> bool:
    """Whether a text has a letter, a figure, or a sign that stands for a word, as of a currency."""
    return any(c.isalnum() or category(c) in ("Sc", "So") for c in text)


class _Clock:
    """Seconds spent on each stage; a lap lasts from the end of the lap before it."""

    def __init__(self) -> None:
        self.seconds = {"detect": 0.0, "recognize": 0.0, "other": 0.0}
        self.last = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


def _line(page: np.ndarray, view: View, number: int, reading: Reading) -> Line:
    """A line of a view, in the pixels of the page (H, W)."""
    polygon = np.clip(view.on_page(view.polygons[number]), 0, page.shape[::-1])
    boxes = _word_boxes(polygon, reading.words)
    words = tuple(
        Word(word.text, word.confidence, box)
        for word, box in zip(reading.words, boxes, strict=True)
    )
    corners = tuple((round(float(x), 1), round(float(y), 1)) for x, y in polygon)
    return Line(corners, reading.text, reading.confidence, words)


def _word_boxes(polygon: np.ndarray, words: Sequence[WordReading]) -> list[Box]:
    """The boxes around the parts of a line between the sides of its words."""
    half = len(polygon) // 2
    # All points of all words at once: (words, points of an edge).
    shares = np.linspace([w.start for w in words], [w.end for w in words], half, axis=-1)
    edges = polygon[:half], polygon[half:][::-1]
    points = [points_along(edge, shares.ravel()).reshape(-1, half, 2) for edge in edges]
    both = np.concatenate(points, axis=1)
    sides = np.concatenate([both.min(axis=1), both.max(axis=1)], axis=1).tolist()
    return [Box(*(round(side, 1) for side in box)) for box in sides]
