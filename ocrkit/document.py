"""The result of reading: documents, pages, blocks, lines, words and boxes, and their JSON form.

Coordinates are pixels of the page, x to the right and y down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from itertools import chain
from typing import Any, Literal, get_args

BlockKind = Literal["paragraph", "heading", "table", "margin note", "page number"]
Reason = Literal["low confidence", "no text", "only marks", "not print"]
BLOCK_KINDS: tuple[str, ...] = get_args(BlockKind)
REASONS: tuple[str, ...] = get_args(Reason)
# The hyphens of a word that is broken at the end of a line; ¬ ⸗ and = are those of old print.
HYPHENS = "-\u2010\u00ad¬⸗="

# By default lines with a lower confidence are left out. The detector sometimes takes specks, stamps
# and the edges of pictures for lines; the text read there has a low confidence.
MIN_CONFIDENCE = 0.6


def mean_confidence(lines: Collection[Any]) -> float:
    """Mean confidence of lines or `Reading`s, weighted by their characters; 0 without text."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / max(characters, 1)


@dataclass(frozen=True)
class Box:
    """A rectangle with horizontal and vertical sides: (x0, y0) top left, (x1, y1) bottom right."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def around(cls, points: Iterable[Iterable[float]]) -> Box:
        """The smallest box that contains all (x, y) points; ValueError if there are no points."""
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
    """A word: characters without a space. The confidence is from 0 to 1."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Line:
    """A line of text; the confidence is from 0 to 1.

    The polygon has 2k points (x, y): k along the top edge in reading direction, then k back along
    the bottom edge. A straight line has four: its corners, clockwise from the top left.
    correction: what a person says the text is; "" if there is no text here, None if nobody looked.
    """

    polygon: tuple[tuple[float, float], ...]
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    correction: str | None = None

    @property
    def box(self) -> Box:
        return Box.around(self.polygon)

    @property
    def final(self) -> str:
        """The correction if there is one, else the reading."""
        return self.text if self.correction is None else self.correction

    @property
    def corrected(self) -> Line:
        """The line with its correction as its text, and a confidence of 1.

        If the number of words is the same, they keep their boxes; else the line has no words.
        """
        if self.correction is None:
            return self
        texts = self.correction.split()
        same = len(texts) == len(self.words)
        words = (
            Word(text, 1.0, word.box) for text, word in zip(texts, self.words, strict=False) if same
        )
        return Line(self.polygon, self.correction, 1.0, tuple(words))


@dataclass(frozen=True)
class Block:
    """Lines of a page that belong together, by their numbers: 0 is the first of `Page.lines`.

    rows: each is the cells on one baseline, from left to right; a cell has the numbers of its
    lines. All rows of a table have as many cells as it has columns, and a cell without text
    is empty. In other blocks most rows have one cell with one line.
    """

    kind: BlockKind
    rows: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The numbers of all lines, in reading order."""
        return tuple(number for row in self.rows for cell in row for number in cell)


@dataclass(frozen=True)
class LeftOut:
    """A line that was found on a page but is not part of its text, and why.

    reason: "low confidence", below the lowest confidence that was asked for; "no text", nothing
    could be read; "only marks", one or two marks without a letter or figure; "not print", a page
    or a part of it on which nothing was read well, such as handwriting or a picture.
    """

    line: Line
    reason: Reason


@dataclass(frozen=True)
class Page:
    """A page of `width` x `height` pixels, with its lines in reading order.

    number: of the page in its document, from 1.
    dpi: pixels per inch across the page; None if its file does not say it.
    seconds: time spent in each stage ("detect", "recognize", "other"); not part of a comparison.
    blocks: the lines in blocks, in reading order; no line is in two. Empty if they are not known.
    left_out: lines that were found but are not in the text.
    dehyphenate: whether `text` joins words that are broken at the end of a line.

    Raises ValueError if the blocks have a number that no line has, or have a line twice.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    number: int = 1
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    dpi: float | None = None
    blocks: tuple[Block, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    dehyphenate: bool = False

    def __post_init__(self) -> None:
        numbers = [number for block in self.blocks for number in block.lines]
        if wrong := [n for n in numbers if not 0 <= n < len(self.lines)]:
            count = f"{len(self.lines)}, numbered from 0"
            raise ValueError(f"a block has line {wrong[0]}, but the page has {count}")
        if len(set(numbers)) < len(numbers):
            raise ValueError("a line is in two places of the blocks; it can be in one only")

    @property
    def corrected(self) -> Page:
        """The page with the corrections of its lines as their text.

        Lines that were corrected to no text are left out, as "no text".
        """
        if all(line.correction is None for line in self.lines):
            return self
        kept = [i for i, line in enumerate(self.lines) if line.final or line.correction is None]
        number = {old: new for new, old in enumerate(kept)}
        empty = [line for i, line in enumerate(self.lines) if i not in number]
        return replace(
            self,
            lines=tuple(self.lines[i].corrected for i in kept),
            blocks=tuple(renumbered(self.blocks, number)),
            left_out=(*self.left_out, *(LeftOut(line, "no text") for line in empty)),
        )

    @property
    def text(self) -> str:
        """A line of text for each row, with a tab between two cells; lines of no block are last.

        Lines that were corrected have their correction.
        """
        return self.corrected._text()

    def _text(self) -> str:
        rows = [row for block in self.blocks for row in self._rows(block)]
        placed = {number for block in self.blocks for number in block.lines}
        rows += [line.text for i, line in enumerate(self.lines) if i not in placed]
        return "\n".join(_without_hyphens(rows) if self.dehyphenate else rows)

    def _rows(self, block: Block) -> list[str]:
        return ["\t".join(self._cell(cell) for cell in row).rstrip("\t") for row in block.rows]

    def _cell(self, cell: Iterable[int]) -> str:
        return " ".join(self.lines[number].text for number in cell)

    @property
    def tables(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """The text of each table: rows of cells, all rows of a table of one length."""
        page = self.corrected
        return tuple(
            tuple(tuple(page._cell(cell) for cell in row) for row in block.rows)
            for block in page.blocks
            if block.kind == "table"
        )

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for line in self.lines for word in line.words)

    @property
    def confidence(self) -> float:
        """Mean confidence of the lines, weighted by their characters; 0 without text."""
        return mean_confidence(self.lines)

    @property
    def expected_cer(self) -> float | None:
        """The character error rate to expect, from the calibrated confidences; None without text.

        It is the mean probability of a character to be wrong; characters and lines that were not
        found at all are not in it. On the test sets of the model card it was 1 to 5 times as high
        as the true rate of the lines, and twice as high on average.
        """
        return 1 - self.confidence if any(line.text for line in self.lines) else None


@dataclass(frozen=True)
class Document:
    """The pages of one file.

    source: the path of the file, as it was given.
    reader: the program that read it, with its version; "" if unknown.
    """

    source: str
    pages: tuple[Page, ...]
    reader: str = ""

    @property
    def text(self) -> str:
        """The text of all pages, with a form feed between two pages."""
        return "\f".join(page.text for page in self.pages)

    @property
    def corrected(self) -> Document:
        """The document with the corrections of its lines as their text; see `Page.corrected`."""
        return replace(self, pages=tuple(page.corrected for page in self.pages))

    @property
    def confidence(self) -> float:
        """Mean confidence of the lines, weighted by their characters; 0 without text."""
        return mean_confidence([line for page in self.pages for line in page.lines])

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, tuples, strings and numbers that JSON can hold; see `from_dict`."""
        pages = [_page_to_dict(page) for page in self.pages]
        return {"source": self.source, "reader": self.reader, "pages": pages}

    @classmethod
    def from_dict(cls, data: Any) -> Document:
        """The document that `to_dict` made `data` from; unknown keys are ignored.

        Raises ValueError with the place and the problem, such as "pages[0].width must be a whole
        number from 1, not 'wide'".
        """
        entries = _Entries(data, "")
        pages = tuple(_page(page) for page in entries.objects("pages"))
        # Files of version 0.2 have neither a reader nor a resolution.
        reader = entries.text("reader") if "reader" in entries.data else ""
        return cls(entries.text("source"), pages, reader)

    @classmethod
    def from_json(cls, data: str | bytes) -> Document:
        """The document in a JSON text (`to_dict` written as JSON).

        Raises ValueError if it is not JSON, is nested too deeply, or is not a document.
        """
        try:
            return cls.from_dict(json.loads(data))
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error


def _without_hyphens(rows: Iterable[str]) -> list[str]:
    """The rows with words joined that are broken at the end of a row; the first row gets them."""
    joined: list[str] = []
    for row in rows:
        before = joined[-1] if joined else ""
        head, space, rest = row.partition(" ")
        if before[-1:] in HYPHENS and before[-2:-1].isalpha() and head[:1].islower():
            joined[-1] = before[:-1] + head
            joined += [rest] if space else []
        else:
            joined.append(row)
    return joined


def renumbered(blocks: Iterable[Block], number: Mapping[int, int]) -> Iterable[Block]:
    """The blocks with new numbers of their lines; lines without one, and empty rows, are left out.

    An empty cell of a table stays, because the others would otherwise change their columns.
    """
    for block in blocks:
        rows = tuple(
            tuple(tuple(number[i] for i in cell if i in number) for cell in row)
            for row in block.rows
        )
        rows = tuple(row for row in rows if any(row))
        if rows:
            yield Block(block.kind, rows)


def _page_to_dict(page: Page) -> dict[str, Any]:
    return {
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "seconds": dict(page.seconds),
        "lines": [_line_to_dict(line) for line in page.lines],
        "blocks": [vars(block) for block in page.blocks],
        "left_out": [{"reason": left.reason, **_line_to_dict(left.line)} for left in page.left_out],
        "dehyphenate": page.dehyphenate,
    }


def _line_to_dict(line: Line) -> dict[str, Any]:
    corrected = {} if line.correction is None else {"correction": line.correction}
    return {
        "text": line.text,
        **corrected,
        "confidence": line.confidence,
        "polygon": line.polygon,
        "words": [{**vars(word), "box": astuple(word.box)} for word in line.words],
    }


class _Entries:
    """The entries of a JSON object, each read with a check; `place` says where the object is."""

    def __init__(self, data: Any, place: str) -> None:
        if not isinstance(data, Mapping):
            raise ValueError(f"{place or 'the document'} must be an object, not {_shown(data)}")
        self.data, self.place = data, place

    def text(self, key: str) -> str:
        return self._checked(key, lambda value: isinstance(value, str), "a text")

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if self.data.get(key) is not None else None

    def count(self, key: str) -> int:
        return self._checked(key, _is_count, "a whole number from 1")

    def share(self, key: str) -> float:
        return self._checked(
            key, lambda v: _is_number(v) and 0 <= v <= 1 + 1e-6, "a number from 0 to 1"
        )

    def one_of(self, key: str, values: tuple[str, ...]) -> Any:
        return self._checked(key, lambda value: value in values, f"one of {', '.join(values)}")

    def flag(self, key: str) -> bool:
        return self._checked(key, lambda value: isinstance(value, bool), "true or false")

    def rows(self, key: str) -> tuple[tuple[tuple[int, ...], ...], ...]:
        rows = self._checked(key, _are_rows, "a list of rows of cells of line numbers from 0")
        return tuple(tuple(tuple(cell) for cell in row) for row in rows)

    def objects(self, key: str) -> list[_Entries]:
        values = self._checked(key, lambda value: isinstance(value, list | tuple), "a list")
        return [_Entries(value, f"{self._at(key)}[{i}]") for i, value in enumerate(values)]

    def polygon(self, key: str) -> tuple[tuple[float, float], ...]:
        points = self._checked(key, _is_polygon, "a list of 4, 6, 8 ... points [x, y]")
        return tuple((x, y) for x, y in points)

    def box(self, key: str) -> Box:
        return Box(*self._checked(key, _is_box, "[x0, y0, x1, y1], with x0 <= x1 and y0 <= y1"))

    def dpi(self, key: str) -> float | None:
        if self.data.get(key) is None:
            return None
        return self._checked(key, lambda v: _is_number(v) and v > 0, "a number above 0, or null")

    def seconds(self, key: str) -> dict[str, float]:
        return dict(self._checked(key, _is_seconds, "an object of numbers from 0"))

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _checked(self, key: str, valid: Any, wanted: str) -> Any:
        if key not in self.data:
            raise ValueError(f"{self._at(key)} is missing; it must be {wanted}")
        if not valid(self.data[key]):
            raise ValueError(f"{self._at(key)} must be {wanted}, not {_shown(self.data[key])}")
        return self.data[key]


def _page(page: _Entries) -> Page:
    lines = tuple(_line(line) for line in page.objects("lines"))
    size = page.count("width"), page.count("height")
    number, seconds = page.count("number"), page.seconds("seconds")
    # Files of the first versions have neither blocks nor lines that were left out.
    blocks = tuple(
        Block(block.one_of("kind", BLOCK_KINDS), block.rows("rows"))
        for block in (page.objects("blocks") if "blocks" in page else ())
    )
    left_out = tuple(
        LeftOut(_line(left), left.one_of("reason", REASONS))
        for left in (page.objects("left_out") if "left_out" in page else ())
    )
    dehyphenate = "dehyphenate" in page and page.flag("dehyphenate")
    dpi = page.dpi("dpi")
    try:
        return Page(*size, lines, number, seconds, dpi, blocks, left_out, dehyphenate)
    except ValueError as error:
        raise ValueError(f"{page.place}: {error}") from error


def _line(line: _Entries) -> Line:
    words = tuple(
        Word(word.text("text"), word.share("confidence"), word.box("box"))
        for word in line.objects("words")
    )
    return Line(
        line.polygon("polygon"),
        line.text("text"),
        line.share("confidence"),
        words,
        line.optional_text("correction"),
    )


def _is_number(value: Any) -> bool:
    """Whether this is a finite number that a float can hold (True and False are not numbers)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value) and value >= 1


def _are_numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list | tuple) and len(values) == count and all(map(_is_number, values))
    )


def _are_rows(rows: Any) -> bool:
    if not _are_lists(rows) or not _are_lists(cells := list(chain.from_iterable(rows))):
        return False
    return all(type(number) is int for number in chain.from_iterable(cells))


def _are_lists(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(v, list | tuple) for v in values)


def _is_polygon(value: Any) -> bool:
    even = isinstance(value, list | tuple) and len(value) >= 4 and len(value) % 2 == 0
    return even and all(_are_numbers(point, 2) for point in value)


def _is_box(value: Any) -> bool:
    return _are_numbers(value, 4) and value[0] <= value[2] and value[1] <= value[3]


def _is_seconds(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(stage, str) and _is_number(number) and number >= 0
        for stage, number in value.items()
    )


def _shown(value: Any) -> str:
    """A value in an error message: one short line, whatever the value is."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}...")
    if value is None or isinstance(value, bool | float):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a very large number"
    return "an object" if isinstance(value, Mapping) else "this list"
