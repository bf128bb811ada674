"""What has been read: boxes, words, lines, pages and documents. Lengths are page pixels, y down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

# Lines read with less are left out, if nothing else is asked for: specks, stamps, ditto marks and
# the edges of pictures are found as lines now and then, but what is read for them is unsure.
MIN_CONFIDENCE = 0.6


def mean_confidence(read: Collection[Any]) -> float:
    """Mean confidence of lines, or of readings, weighted by their characters; 0 without any."""
    characters = sum(len(line.text) for line in read)
    return sum(line.confidence * len(line.text) for line in read) / max(characters, 1)


@dataclass(frozen=True)
class Box:
    """An upright rectangle from (x0, y0), top left, to (x1, y1), in page pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def around(cls, points: Iterable[Iterable[float]]) -> Box:
        """The smallest box that holds all of the (x, y) points; ValueError if there is none."""
        xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
        return cls(min(xs), min(ys), max(xs), max(ys))

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(frozen=True)
class Word:
    """A run of characters without a space; confidence from 0 to 1."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Line:
    """A line of text.

    Its polygon has k points along the top edge in reading direction, then k back along the bottom:
    four corners clockwise from the top left, and more where the line is bent.
    """

    polygon: tuple[tuple[float, float], ...]
    text: str
    confidence: float
    words: tuple[Word, ...] = ()

    @property
    def box(self) -> Box:
        return Box.around(self.polygon)


@dataclass(frozen=True)
class Page:
    """A page of `width` x `height` pixels with its lines in reading order.

    `number` counts from 1. `seconds` holds the time spent on each stage ("detect", "recognize",
    "other"); two pages that differ only in that are equal.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    number: int = 1
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for line in self.lines for word in line.words)

    @property
    def confidence(self) -> float:
        """Mean confidence, lines weighted by their characters; 0 for a page without text."""
        return mean_confidence(self.lines)


@dataclass(frozen=True)
class Document:
    """The pages of one file; `source` is its path as it was given."""

    source: str
    pages: tuple[Page, ...]

    @property
    def text(self) -> str:
        """The pages' texts, a form feed between them."""
        return "\f".join(page.text for page in self.pages)

    @property
    def confidence(self) -> float:
        """Mean confidence, lines weighted by their characters; 0 for a document without text."""
        return mean_confidence([line for page in self.pages for line in page.lines])

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, tuples, strings and numbers, fit for JSON; `from_dict` brings it back."""
        return {"source": self.source, "pages": [_page_to_dict(page) for page in self.pages]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Document:
        """The document that `to_dict` made `data` of."""
        return cls(data["source"], tuple(_page_from_dict(page) for page in data["pages"]))


def _page_to_dict(page: Page) -> dict[str, Any]:
    return {
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "seconds": dict(page.seconds),
        "lines": [
            {
                "text": line.text,
                "confidence": line.confidence,
                "polygon": line.polygon,
                "words": [{**vars(word), "box": astuple(word.box)} for word in line.words],
            }
            for line in page.lines
        ],
    }


def _page_from_dict(data: Mapping[str, Any]) -> Page:
    lines = tuple(_line_from_dict(line) for line in data["lines"])
    return Page(data["width"], data["height"], lines, data["number"], dict(data["seconds"]))


def _line_from_dict(data: Mapping[str, Any]) -> Line:
    words = tuple(Word(w["text"], w["confidence"], Box(*w["box"])) for w in data["words"])
    polygon = tuple((x, y) for x, y in data["polygon"])
    return Line(polygon, data["text"], data["confidence"], words)
