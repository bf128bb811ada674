"""What stands where on a made page: letters, books, newspapers, receipts, forms, tables and more.

Each kind of page has a function that sets its lines on a `Desk`, upright and in pixels. The desk
refuses what would stand too near to another line to be told from it, so that a gap within a line
is always one between words, and a gap between two lines of the same row is at least CLEAR em.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator

from ocrkit.synth import marks
from ocrkit.synth.degrade import Scan
from ocrkit.synth.fonts import KIND_WEIGHTS, Font, choose
from ocrkit.synth.text import line

T = TypeVar("T")
Box = tuple[float, float, float, float]  # x0, y0, x1, y1

CLEAR = 1.8  # em; text that is further apart is two lines
WORD_GAP = 0.85  # em; the widest space that justified text may have

# Kinds of type and their weights.
TYPED = {"typewriter": 5.0, "mono": 1.0}
LETTERS = {"typewriter": 4.0, "serif": 2.0, "mono": 1.0}
BOOKISH = {"serif": 8.0, "slab": 1.0}
OFFICE = {"sans": 4.0, "serif": 3.0, "slab": 0.5, "mono": 0.3}
TILL = {"mono": 4.0, "sans": 3.0, "dotmatrix": 3.0}
HEADS = {"serif": 4.0, "sans": 2.0, "slab": 1.5, "display": 2.0}


@dataclass(frozen=True)
class Face:
    """A font of a size (px per em): letters `tracking` px further apart.

    wear: 0 is print; typed letters stand about this many em off their places.
    """

    font: Font
    em: int
    tracking: float = 0.0
    wear: float = 0.0

    def width(self, text: str) -> float:
        return sum(self.font.glyph(self.em, c).advance for c in text) + self.tracking * len(text)

    def larger(self, factor: float) -> Face:
        return replace(self, em=int(np.clip(round(self.em * factor), 11, 100)))

    def write(self, page: Scan, text: str, x: float, y: float, gap: float, rng: Generator) -> Box:
        """Draw text from x on the baseline y, its spaces `gap` px wider; the box of its ink.

        The box is at least as high as an x.
        """
        boxes = [(np.inf, y + self.font.glyph(self.em, "x").top, -np.inf, y)]
        habit: dict[str, float] = {}
        for char in text:
            ink, left, top, advance = self.font.glyph(self.em, char)
            left, top = max(0, round(x) + left), round(y) + top
            if self.wear:
                # A worn typewriter sets the same letter off its line every time.
                lift = habit.setdefault(char, rng.normal(0, self.wear * self.em))
                top += round(lift + rng.normal(0, 0.3 * self.wear * self.em))
                ink = (ink * max(0.4, 1 - abs(rng.normal(0, 5 * self.wear)))).astype(np.uint8)
            ink, top = ink[max(0, -top) :], max(0, top)
            here = page[top : top + ink.shape[0], left : left + ink.shape[1]]
            if here.size:
                np.maximum(here, ink[: here.shape[0], : here.shape[1]], out=here)
                boxes.append((left, top, left + here.shape[1], top + here.shape[0]))
            x += advance + self.tracking + (gap if char == " " else 0.0)
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return min(x0), min(y0), max(x1), max(y1)


@dataclass(frozen=True)
class Column:
    """Where text stands, from x0 to x1, and how: its face, and its leading in em.

    indent: px that the first line of a paragraph stands in, or, below 0, that the others do.
    clear: em beside each line that are kept free of others.
    """

    face: Face
    x0: float
    x1: float
    leading: float
    indent: float = 0.0
    justify: bool = False
    underline: bool = False
    clear: float = CLEAR

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2


@dataclass(frozen=True)
class Layout:
    """A kind of page: its share of all, what sets it, its kinds of type, and ranges.

    aspect: height over width; area in megapixels; em in px; margin: share of the width.
    """

    share: float
    fill: Callable[[Desk], None]
    types: Mapping[str, float]
    aspect: tuple[float, float] = (1.15, 1.5)
    area: tuple[float, float] = (0.45, 1.4)
    em: tuple[int, int] = (14, 30)
    margin: tuple[float, float] = (0.04, 0.15)


class Desk:
    """A page while it is being set: its ink, 0..255, and the boxes and texts of its lines.

    page: the column between the margins, in the face of the body; top and bottom: where the first
    baseline may stand and the last.
    """

    def __init__(self, rng: Generator, fonts: tuple[Font, ...] | None, form: Layout) -> None:
        self.rng, self.fonts = rng, fonts
        area = 1e6 * float(np.clip(0.8 * np.exp(rng.normal(0, 0.3)), *form.area))
        width = (area / self.between(*form.aspect)) ** 0.5
        self.width = int(np.clip(width, min(500, (1e6 * form.area[0]) ** 0.5), 1500))
        self.height = int(np.clip(area / self.width, 200, 2000))
        self.ink: Scan = np.zeros((self.height, self.width), np.uint8)
        self.boxes: list[Box] = []
        self.texts: list[str] = []
        self.taken: list[Box] = []
        middle = (form.em[0] * form.em[1]) ** 0.5
        em = float(np.clip(middle * np.exp(rng.normal(0, 0.22)), *form.em))
        left, right, top, bottom = np.maximum(6, rng.uniform(*form.margin, 4) * self.width)
        face = self.face(form.types, em)
        self.page = Column(face, left, self.width - right, self.between(1.0, 1.5))
        self.top, self.bottom = top + em, self.height - bottom - 0.3 * em
        self.tone = self.count(90, 255)  # of rules

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def of(self, options: Sequence[T]) -> T:
        return options[self.count(0, len(options) - 1)]

    def face(self, types: Mapping[str, float], em: float) -> Face:
        font = choose(types, self.fonts, self.rng)
        worn = font.kind in ("typewriter", "dotmatrix") and self.chance(0.7)
        return Face(font, min(100, round(em)), wear=self.between(0, 0.035) * worn)

    def say(self, style: str, chars: float) -> str:
        return line(self.rng, style, max(2, int(chars)))[1]

    def put(self, text: str, column: Column, y: float, at: float = 0.0, gap: float = 0.0) -> float:
        """Set a line on the baseline y, left (`at` 0) to right (1) in the column, if it is free.

        Words too many for the column are left away; `gap` px go between words beside their spaces.
        Returns the line's right end, or the column's left one if there was no room.
        """
        face, em = column.face, column.face.em
        words = face.font.drawable(text).split()
        while words and face.width(" ".join(words)) + gap * (len(words) - 1) > column.width + 1:
            words.pop()
        text = " ".join(words)
        width = face.width(text) + gap * text.count(" ")
        x = column.x0 + at * (column.width - width)
        box = (x, y - 0.62 * em, x + width, y)
        inside = 0.8 * em < y < self.height - 0.25 * em
        left, right = x - column.clear * em, x + width + column.clear * em
        taken = any(left < c and a < right and box[1] < d and b < y for a, b, c, d in self.taken)
        if not text or not inside or taken:
            return column.x0
        x0, y0, x1, y1 = face.write(self.ink, text, x, y, gap, self.rng)
        if column.underline:
            self.rule(x0, y + 0.14 * em + 1, x1, y + 0.14 * em + 1, max(1, em // 18))
        self.taken.append(box)
        self.boxes.append((x0, y0, x1, y1))
        self.texts.append(text)
        return x + width

    def mark(self, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a mark into a box. Text stays off it, but where it is a scribble."""
        marks.draw(self.ink, kind, (x0, y0, x1, y1), self.rng)
        if kind != "scribble":
            self.taken.append((x0, y0, x1, y1))

    def rule(self, x0: float, y0: float, x1: float, y1: float, weight: int = 1) -> None:
        cv2.line(self.ink, (round(x0), round(y0)), (round(x1), round(y1)), self.tone, weight)

    def frame(self, x0: float, y0: float, x1: float, y1: float) -> None:
        cv2.rectangle(self.ink, (round(x0), round(y0)), (round(x1), round(y1)), self.tone)

    def row(self, char: str, column: Column, y: float) -> None:
        """A row of hyphens or dots across the column; it is none of the lines to be found."""
        count = int(column.width / column.face.width(char))
        column.face.write(self.ink, char * count, column.x0, y, 0.0, self.rng)

    def columns(self, count: int, gutter: float) -> list[Column]:
        """The page in equal columns, `gutter` px apart."""
        step = (self.page.width + gutter) / count
        starts = [self.page.x0 + i * step for i in range(count)]
        return [replace(self.page, x0=x, x1=x + step - gutter) for x in starts]

    def block(self, column: Column, y: float, lines: int, text: str = "", at: float = 0.0) -> float:
        """Set up to `lines` lines of a paragraph from the baseline y; the next free baseline."""
        face, space = column.face, column.face.width(" ")
        text = text or self.say("prose", 2.2 * lines * column.width / face.em)
        words, inset = face.font.drawable(text).split(), max(0.0, column.indent)
        while words and lines and y < self.bottom:
            place = replace(column, x0=column.x0 + inset)
            row, room = [], place.width + space
            while words and face.width(words[0]) + space <= room:
                room -= face.width(words[0]) + space
                row.append(words.pop(0))
            if words and words[0].isalpha() and at == 0:  # broken where the line is full
                ends = (face.width(words[0][:n] + "-") for n in range(2, len(words[0]) - 1))
                cut = 1 + sum(end + space <= room for end in ends)
                if cut > 1:
                    row.append(words[0][:cut] + "-")
                    words[0], room = words[0][cut:], room - face.width(row[-1]) - space
            if not row:  # a word longer than the line
                words.pop(0)
                continue
            gap = room / max(1, len(row) - 1) if column.justify and words else 0.0
            gap = gap if space + gap <= WORD_GAP * face.em else 0.0
            self.put(" ".join(row), place, y, at, gap)
            y, lines, inset = y + column.leading * face.em, lines - 1, max(0.0, -column.indent)
        return y

    def heading(self, face: Face, over: Column, y: float, at: float = 0.5, lines: int = 1) -> float:
        """A head of a few lines, the baseline of its first a little below y; the next free."""
        chars = lines * over.width / face.em * self.between(0.6, 1.7)
        text = self.say(self.of(("title", "capitals", "prose", "title")), max(4, chars))
        head = Column(face, over.x0, over.x1, 1.15, underline=self.chance(0.12), clear=over.clear)
        return self.block(head, y + 0.35 * face.em, lines, text, at)

    def prose(self, column: Column, y: float, bottom: float) -> float:
        """Paragraphs down to `bottom`; the next free baseline."""
        em = column.face.em
        column = replace(column, indent=self.between(0, 3.5) * em * self.chance(0.8))
        apart = self.between(0.3, 1.0) * em * self.chance(0.35)
        while y < bottom:
            room = int((bottom - y) / (column.leading * em)) + 1
            y = apart + self.block(column, y, min(room, self.count(1, 9)))
        return y


# --- the kinds of pages --------------------------------------------------------------------------


def _folio(d: Desk) -> None:
    """A page number, and perhaps a running head beside it, above the text."""
    if d.chance(0.7):
        number = d.say("codes", 5) if d.chance(0.3) else f"- {d.count(1, 99)} -"
        d.put(number, d.page, d.top, d.of((0, 0.5, 1)))
    if d.chance(0.5):
        d.put(d.say("title", 30), d.page, d.top, 0.5)
    d.top += d.between(1.6, 3.5) * d.page.face.em


def _stories(d: Desk, column: Column, y: float, foot: float, heads: float, art: float = 0) -> float:
    """Running text down to `foot`; chances of `heads` and lists, and of `art`: pictures, rules."""
    face, em = column.face, column.face.em
    while y < foot:
        if d.chance(2 * art):
            d.rule(column.middle - 2 * em, y - 0.4 * em, column.middle + 2 * em, y - 0.4 * em)
            y += 0.9 * em
        if d.chance(heads):
            head = d.face({face.font.kind: 1} if d.chance(0.5) else HEADS, em * d.between(0.9, 2))
            y = d.heading(head, column, y + 0.4 * head.em, d.of((0, 0.5)), 3) + 0.2 * em
        if d.chance(art) and foot - y > 9 * em:
            end = y + d.between(5, 9) * em
            d.mark("picture", column.x0, y - 0.7 * em, column.x1, end - 0.7 * em)
            y = end + 0.7 * em
        if d.chance(heads / 2):
            bullet, x = d.of("•-*–") + " ", column.x0 + d.between(1, 3) * em
            item = replace(column, x0=x, indent=-face.width(bullet))
            for _ in range(d.count(2, 5)):
                y = d.block(item, y, 3, bullet + d.say("prose", d.count(20, 120)))
        y = d.prose(column, y, min(foot, y + d.between(4, 30) * em)) + 0.2 * em
    return y


def _letter(d: Desk) -> None:
    page, em, y, at = d.page, d.page.face.em, d.top, d.of((0, 0.5, 1))
    head = d.face(HEADS, em * d.between(0.8, 1.8))
    for _ in range(d.count(0, 4)):
        d.put(d.say(d.of(("title", "letter", "capitals")), 34), replace(page, face=head), y, at)
        y, head = y + 1.3 * head.em, head.larger(d.between(0.7, 1.0))
    for number in range(d.count(1, 5)):  # the date at the right, then an address
        y += page.leading * em
        d.put(d.say("letter", 30), page, y, float(number == 0))
    y = d.prose(page, y + d.between(1.5, 4) * em, d.bottom - d.between(2, 9) * em)
    x = d.between(page.x0, page.middle)
    d.mark("scribble", x, y - 0.5 * em, x + d.between(6, 14) * em, y + 3 * em)
    d.put(d.say("letter", 24), replace(page, x0=x), y + d.between(2.5, 4) * em)


def _typescript(d: Desk) -> None:
    face = d.page.face
    face = replace(face, tracking=d.between(0, 0.2) * face.em * d.chance(0.25))
    leading = d.between(1.0, 1.2) if d.chance(0.5) else d.between(1.6, 2.4)
    d.page = replace(d.page, face=face, leading=leading)
    _folio(d)
    _stories(d, d.page, d.top, d.bottom, 0.3)
    for x0, _, x1, y in d.taken:  # struck out
        strike = d.of("xX-/") * d.count(2, 8)
        room = x1 - x0 - face.width(strike)
        if room > 0 and d.chance(0.04):
            face.write(d.ink, strike, x0 + d.between(0, room), y, 0.0, d.rng)


def _book(d: Desk) -> None:
    em = d.page.face.em
    _folio(d)
    d.page = replace(d.page, justify=d.chance(0.85))
    columns = d.columns(d.count(1, 3) if d.page.width > 26 * em else 1, d.between(CLEAR, 3) * em)
    start, foot = d.top, d.bottom - d.between(3, 9) * em * d.chance(0.35)
    if d.chance(0.35):
        head = d.face(HEADS, em * d.between(1, 2))
        start = d.heading(head, d.page, start, lines=2) + d.between(0.5, 2) * em
    for column in columns:
        y = start
        if d.chance(0.15):  # an initial, two lines high
            large = replace(column, face=column.face.larger(d.between(2.2, 3.2)), clear=0)
            x = d.put(d.say("capitals", 8)[:1], large, y + column.leading * em)
            y = d.block(replace(column, x0=x + CLEAR * em, clear=0), y, 2)
        y = _stories(d, column, y, foot, 0.12, 0.04)
        if foot < d.bottom:
            y = max(y, foot) + em
            d.rule(column.x0, y - 1.2 * em, d.between(column.x0, column.x1), y - 1.2 * em)
            d.block(replace(column, face=column.face.larger(0.8), indent=em), y, 9)


def _newspaper(d: Desk) -> None:
    em, ruled = d.page.face.em, d.chance(0.7)
    # A rule between columns tells them apart where the gap alone would not.
    clear, gutter = (0.6, d.between(0.9, 1.8)) if ruled else (CLEAR, d.between(CLEAR, 2.4))
    d.page = replace(d.page, leading=d.between(1.0, 1.2), justify=True, clear=clear)
    count = int(np.clip(d.page.width / (em * d.between(11, 19)), 2, 6))
    columns = d.columns(count, gutter * em)
    y = d.top
    if d.chance(0.3):
        head = d.face(HEADS, em * d.between(2, 5))
        y = d.heading(head, d.page, y + 0.5 * head.em) - 0.3 * head.em
        d.put(d.say("title", 26), d.page, y, 0.5)
        d.rule(d.page.x0, y + 0.5 * em, d.page.x1, y + 0.5 * em, d.count(1, 3))
        y += 1.9 * em
    tops: list[float] = []
    while len(tops) < count:  # heads over several columns
        below = columns[len(tops) :][: d.count(1, 3)]
        head = d.face(HEADS, em * d.between(1.2, 1.5 + len(below)))
        over = replace(below[0], x1=below[-1].x1)
        top = d.heading(head, over, y + 0.5 * head.em, d.of((0, 0.5)), 2) + 0.3 * em
        tops += [top] * len(below)
    for column, top in zip(columns, tops, strict=True):
        if ruled and column.x0 > d.page.x0:
            x = column.x0 - gutter * em / 2
            d.rule(x, top - em, x, d.bottom, d.count(1, 2))
        _stories(d, column, top, d.bottom, 0.35, 0.12)


def _receipt(d: Desk) -> None:
    page, face, em, y = d.page, d.page.face, d.page.face.em, d.top
    step = page.leading * em
    stops = page.x0 + np.sort(d.rng.uniform(0.4, 0.85, 3)) * page.width
    if d.chance(0.2):
        d.mark("ornament", page.middle - 4 * em, y - em, page.middle + 4 * em, y + 3 * em)
        y += 4.5 * em
    head = d.face(TILL, em * d.between(1, 2.2))
    for _ in range(d.count(1, 3)):
        y = d.heading(head, page, y, lines=2)
        head = face.larger(d.between(0.9, 1.2))
    for _ in range(d.count(0, 6)):
        d.put(d.say("receipt", 40), page, y, 0.5)
        y += step
    while y < d.bottom - 3 * em:
        match d.count(0, 8):
            case 0:
                d.row(d.of("-=*._"), page, y)
            case 1:
                d.put(d.say("receipt", 30), page, y)
                d.put(d.say("codes", 12), page, y, 1)
            case 2 if d.chance(0.5):
                large = replace(page, face=d.face(TILL, em * d.between(1.3, 2.4)))
                y += 0.8 * large.face.em
                d.put(d.of(("TOTAL", "Total", "NET TOTAL")), large, y)
                d.put(f"{d.between(1, 999):.2f}", large, y, 1)
            case 3 if d.chance(0.3):
                d.mark("barcode", page.x0 + 2 * em, y - 0.7 * em, page.x1 - 2 * em, y + 2.2 * em)
                y += 2.6 * em
            case 4 | 5:
                d.put(d.say("receipt", 40), page, y, d.of((0, 0.5)))
            case _:
                d.put(f"{d.between(0.5, 99):.2f}", page, y, 1)
                d.put(d.say("receipt", 26), replace(page, x1=page.x1 - 7 * em), y)
                for x in stops[: d.count(0, 3)]:
                    d.put(f"{d.between(1, 20):.{d.count(0, 2)}f}", replace(page, x1=x), y, 1)
        y += step * d.of((1, 1, 1, 1.5))


def _form(d: Desk) -> None:
    page, face, em = d.page, d.page.face, d.page.face.em
    hand, gutter = d.face(TYPED, em * d.between(0.9, 1.25)), (CLEAR + 0.1) * em
    y = d.heading(d.face(HEADS, em * d.between(1, 2)), page, d.top, lines=2) + em
    while y < d.bottom - em:
        boxed, dotted = d.chance(0.3), d.chance(0.3)
        for cell in d.columns(d.count(1, 2 if d.width < 30 * em else 3), gutter):
            if boxed:  # with the label in its corner
                d.frame(cell.x0 - 0.4 * em, y - 1.3 * em, cell.x1 + 1.5 * em, y + 1.6 * em)
                d.put(d.say("letter", 18), replace(cell, face=face.larger(0.75)), y - 0.4 * em)
                start, base = cell.x0, y + 1.1 * em
            else:
                end = d.put(d.say("letter", 16) + " :", cell, y) + 0.3 * em
                if dotted:
                    d.row(".", replace(cell, x0=end), y)
                else:
                    d.rule(end, y + 0.1 * em, cell.x1, y + 0.1 * em)
                start, base = max(end + CLEAR * hand.em, cell.x0 + 0.35 * cell.width), y
            if d.chance(0.7):
                answer = replace(cell, face=hand, x0=start)
                text = d.say(d.of(("letter", "codes")), 24)
                d.put(text, answer, base + d.between(-0.12, 0.25) * em)
        y += (2.9 if boxed else d.between(1.5, 2.2)) * em
        if d.chance(0.12):
            y = d.block(replace(page, face=face.larger(0.85)), y, 3) + em


def _table(d: Desk) -> None:
    page, em = d.page, d.page.face.em
    step = max(1.15, 1.2 * page.leading) * em
    y = d.heading(page.face.larger(d.between(1, 1.6)), page, d.top) + 0.5 * em
    shares = d.rng.uniform(0.7, 1.3, int(np.clip(page.width / (em * d.between(5.5, 10)), 2, 8)))
    shares[d.count(0, 1)] *= d.between(1.5, 3)
    edges = page.x0 + np.cumsum([0, *shares]) / shares.sum() * page.width
    kinds = ("number", "number", "figure", "figure", "codes", "prose", "ledger")
    styles = ["prose", *(d.of(kinds) for _ in shares)]
    pad, top, across = (CLEAR / 2 + 0.05) * em, y - 1.2 * em, d.chance(0.35)
    last = int((d.bottom - y) / step)
    for row in range(last + 1):
        for style, x0, x1 in zip(styles, edges, edges[1:], strict=False):
            cell = replace(page, x0=x0 + pad, x1=x1 - pad, underline=row == last)
            if row == 0:
                text = d.say("ledger", 9)
            elif d.chance(0.1):
                text = d.of(("", "", "", '"', "do.", "»", "-"))
            elif style == "number":
                text = f"{np.exp(d.between(0, 9)):,.{d.of((0, 2))}f}"
            elif style == "figure":  # as of pounds, shillings and pence
                text = d.of(("£", "s.", "d.", "½", "—", *"01234567890123456789", "10", "12¼", "4½"))
            else:
                text = d.say(style, 24)
            d.put(text, cell, y, float(style in ("number", "figure", "codes")))
        if across or row == 0:
            d.rule(edges[0], y + 0.35 * step, edges[-1], y + 0.35 * step)
        y += step
    for x in edges if d.chance(0.5) else ():
        d.rule(x, top, x, y - 0.6 * step)


def _title(d: Desk) -> None:
    page, em, y = d.page, d.page.face.em, d.top
    faces = (page.face, page.face, d.face(HEADS, em))
    while y < d.bottom - 2 * em:
        face = d.of(faces).larger(float(np.exp(d.between(-0.4, 1.4))))
        half = d.between(1, 8) * em
        y += 0.8 * face.em
        if d.chance(0.08):
            d.mark("ornament", page.middle - half, y - em, page.middle + half, y + 3 * em)
            y += 4 * em
        else:
            face = replace(face, tracking=d.between(0, 0.3) * face.em * d.chance(0.3))
            text = d.say(d.of(("title", "capitals", "prose")), 1.3 * page.width / face.em)
            text = text.upper() if d.chance(0.7) else text
            d.put(text, replace(page, face=face), y, 0.5)
        y += d.between(0.5, 1.6) * max(em, 0.7 * face.em)


def _office(d: Desk) -> None:
    page, em = d.page, d.page.face.em
    head = d.face(OFFICE, em * d.between(1, 2.2))
    y = d.heading(head, page, d.top, d.of((0, 0.5)), 2) + em
    for _ in range(d.count(0, 4)):
        d.put(d.say("letter", 12) + ":", page, y)
        d.put(d.say("letter", 34), replace(page, x0=page.x0 + 10 * em), y)
        y += page.leading * em
    _stories(d, replace(page, justify=d.chance(0.3)), y + em, d.bottom, 0.4)


def _index(d: Desk) -> None:
    face, em = d.page.face, d.page.face.em
    _folio(d)
    dot = d.of((".", " .", " . ", "…", "..")) if d.chance(0.6) else ""
    hang = d.between(1, 3) * em
    for column in d.columns(d.count(1, 2) if d.width > 32 * em else 1, d.between(CLEAR, 3) * em):
        y = d.top
        while y < d.bottom:
            if d.chance(0.08):
                y = d.heading(face.larger(d.between(0.9, 1.4)), column, y + 0.6 * em)
            elif dot:
                name, number = d.say("prose", d.count(8, 30)), str(d.count(1, 999))
                room = column.width - face.width(f"{name}  {number}")
                leaders = " ".join((dot * int(room / face.width(dot))).split())
                d.put(f"{name} {leaders} {number}", column, y)
                y += column.leading * em
            else:
                text = d.say(d.of(("ledger", "prose", "prose")), d.count(15, 150))
                y = d.block(replace(column, indent=-hang), y, 5, text)


def _card(d: Desk) -> None:
    page, y, at = d.page, d.top + d.between(0, 2) * d.page.face.em, d.of((0, 0.5, 1))
    if d.chance(0.25):  # but for a word, or a single letter, it is empty
        word = d.say("word", 12)[: d.count(1, 12)]
        d.put(word, page, d.height * d.between(0.3, 0.7), 0.5)
        return
    for _ in range(d.count(1, 6)):
        other = d.face(KIND_WEIGHTS, page.face.em * d.between(0.8, 1.6))
        face = d.of((page.face, page.face, other))
        style = d.of(("letter", "title", "prose", "codes", "word", "receipt"))
        d.put(d.say(style, d.count(4, 40)), replace(page, face=face), y, at)
        y += face.em * d.between(1.2, 2.2)


def _pictures(d: Desk) -> None:
    for _ in range(d.count(1, 4)):
        x0, y0 = d.between(0, 0.6) * d.width, d.between(0, 0.6) * d.height
        x1, y1 = d.between(x0 + 0.2 * d.width, d.width), d.between(y0 + 0.15 * d.height, d.height)
        d.mark(d.of(("picture", "picture", "ornament", "stamp")), x0, y0, x1, y1)


LAYOUTS = {
    "letter": Layout(0.09, _letter, LETTERS),
    "typescript": Layout(0.12, _typescript, TYPED, em=(13, 28), margin=(0.04, 0.25)),
    "book": Layout(0.09, _book, BOOKISH, aspect=(0.9, 1.6)),
    "newspaper": Layout(0.07, _newspaper, BOOKISH, (0.7, 1.6), (0.6, 1.6), (12, 20), (0.01, 0.05)),
    "receipt": Layout(0.14, _receipt, TILL, (1.6, 3.5), (0.4, 1.2), (16, 34), (0.01, 0.12)),
    "form": Layout(0.07, _form, OFFICE, aspect=(0.7, 1.5), em=(14, 24)),
    "table": Layout(0.13, _table, KIND_WEIGHTS, aspect=(0.6, 1.5), em=(13, 24)),
    "title": Layout(0.04, _title, HEADS, area=(0.35, 1.2)),
    "office": Layout(0.06, _office, OFFICE),
    "index": Layout(0.05, _index, {**BOOKISH, "typewriter": 2.0}),
    "card": Layout(0.06, _card, KIND_WEIGHTS, aspect=(0.4, 0.9), area=(0.08, 0.3), em=(16, 44)),
    "blank": Layout(0.02, lambda d: None, KIND_WEIGHTS, aspect=(0.7, 1.5), area=(0.3, 0.9)),
    "pictures": Layout(0.06, _pictures, KIND_WEIGHTS, aspect=(0.7, 1.5), area=(0.3, 0.9)),
}


def lay_out(kind: str, rng: Generator, fonts: tuple[Font, ...] | None = None) -> Desk:
    """A page of a kind with everything set on it."""
    desk = Desk(rng, fonts, LAYOUTS[kind])
    LAYOUTS[kind].fill(desk)
    return desk
