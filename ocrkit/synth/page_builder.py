"""Builds a page line by line: fonts with a size, columns, and the builder that draws on the page.

All lengths are pixels unless they are said to be in em.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator

from ocrkit.synth import marks
from ocrkit.synth.degrade import Scan
from ocrkit.synth.fonts import Font, choose
from ocrkit.synth.text import line

T = TypeVar("T")
Box = tuple[float, float, float, float]  # x0, y0, x1, y1

CLEARANCE = 1.8  # em; texts on one baseline that are further apart are two lines
MAX_WORD_SPACE = 0.85  # em; the widest space in justified text


@dataclass(frozen=True)
class SizedFont:
    """A font at a size in px per em, with `tracking` px added after each letter.

    wear: 0 is print; a typewriter's letters are moved off the baseline by about this many em.
    """

    face: Font
    em: int
    tracking: float = 0.0
    wear: float = 0.0

    def width(self, text: str) -> float:
        return sum(self.face.glyph(self.em, c).advance for c in text) + self.tracking * len(text)

    def scaled(self, factor: float) -> SizedFont:
        return replace(self, em=int(np.clip(round(self.em * factor), 11, 100)))

    def draw(self, ink: Scan, text: str, x: float, y: float, gap: float, rng: Generator) -> Box:
        """Draw text from x on the baseline y, its spaces `gap` px wider; returns the ink's box.

        The box is at least as high as a letter x.
        """
        boxes = [(np.inf, y + self.face.glyph(self.em, "x").top, -np.inf, y)]
        lifts: dict[str, float] = {}
        for char in text:
            glyph, left, top, advance = self.face.glyph(self.em, char)
            left, top = max(0, round(x) + left), round(y) + top
            if self.wear:
                # A worn typewriter moves the same letter by the same distance every time.
                lift = lifts.setdefault(char, rng.normal(0, self.wear * self.em))
                top += round(lift + rng.normal(0, 0.3 * self.wear * self.em))
                glyph = (glyph * max(0.4, 1 - abs(rng.normal(0, 5 * self.wear)))).astype(np.uint8)
            glyph, top = glyph[max(0, -top) :], max(0, top)
            target = ink[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            if target.size:
                np.maximum(target, glyph[: target.shape[0], : target.shape[1]], out=target)
                boxes.append((left, top, left + target.shape[1], top + target.shape[0]))
            x += advance + self.tracking + (gap if char == " " else 0.0)
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return min(x0), min(y0), max(x1), max(y1)


@dataclass(frozen=True)
class Column:
    """A column of text from x0 to x1, its font, and its leading (distance of baselines) in em.

    indent: of the first line of a paragraph; a negative one is of all other lines.
    clearance: em to the left and right of each line that must be free of other lines.
    """

    font: SizedFont
    x0: float
    x1: float
    leading: float
    indent: float = 0.0
    justify: bool = False
    underline: bool = False
    clearance: float = CLEARANCE

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2


@dataclass(frozen=True)
class PageFormat:
    """The ranges that a page's size, text size and margins are drawn from, and its fonts.

    aspect: height over width. area: megapixels. em: px. margin: share of the width.
    """

    fonts: Mapping[str, float]  # kind of font -> weight
    aspect: tuple[float, float] = (1.15, 1.5)
    area: tuple[float, float] = (0.45, 1.4)
    em: tuple[int, int] = (14, 30)
    margin: tuple[float, float] = (0.04, 0.15)


class PageBuilder:
    """A page that is being laid out: its ink, uint8 (H, W), and the boxes and texts of its lines.

    body: the column between the margins, in the font of the running text. top, bottom: where the
    first and the last baseline may be.
    """

    def __init__(self, rng: Generator, fonts: tuple[Font, ...] | None, format: PageFormat) -> None:
        self.rng, self.fonts = rng, fonts
        area = 1e6 * float(np.clip(0.8 * np.exp(rng.normal(0, 0.3)), *format.area))
        width = (area / self.uniform(*format.aspect)) ** 0.5
        self.width = int(np.clip(width, min(500, (1e6 * format.area[0]) ** 0.5), 1500))
        self.height = int(np.clip(area / self.width, 200, 2000))
        self.ink: Scan = np.zeros((self.height, self.width), np.uint8)
        self.boxes: list[Box] = []
        self.texts: list[str] = []
        self.occupied: list[Box] = []
        middle = (format.em[0] * format.em[1]) ** 0.5
        em = float(np.clip(middle * np.exp(rng.normal(0, 0.22)), *format.em))
        left, right, top, bottom = np.maximum(6, rng.uniform(*format.margin, 4) * self.width)
        font = self.choose_font(format.fonts, em)
        self.body = Column(font, left, self.width - right, self.uniform(1.0, 1.5))
        self.top, self.bottom = top + em, self.height - bottom - 0.3 * em
        self.rule_tone = self.integer(90, 255)

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def choose_font(self, kinds: Mapping[str, float], em: float) -> SizedFont:
        """A font of one of the kinds (kind -> weight) at `em` px, worn if it is typed."""
        font = choose(kinds, self.fonts, self.rng)
        worn = font.kind in ("typewriter", "dotmatrix") and self.chance(0.7)
        return SizedFont(font, min(100, round(em)), wear=self.uniform(0, 0.035) * worn)

    def text(self, style: str, chars: float) -> str:
        """A text of a style of `text.STYLE_WEIGHTS`, at most `chars` characters long."""
        return line(self.rng, style, max(2, int(chars)))[1]

    def columns(self, count: int, gutter: float) -> list[Column]:
        """The body split into equal columns, `gutter` px apart."""
        step = (self.body.width + gutter) / count
        starts = [self.body.x0 + i * step for i in range(count)]
        return [replace(self.body, x0=x, x1=x + step - gutter) for x in starts]

    # --- lines of text

    def add_line(
        self, text: str, column: Column, y: float, align: float = 0.0, gap: float = 0.0
    ) -> float:
        """Draw a line on the baseline y, from left (`align` 0) to right (1) in the column.

        Last words that do not fit are left out; spaces are `gap` px wider. Nothing is drawn if the
        place is occupied or off the page. Returns the line's right end, or else the column's left.
        """
        font, em = column.font, column.font.em
        words = font.face.drawable(text).split()
        while words and font.width(" ".join(words)) + gap * (len(words) - 1) > column.width + 1:
            words.pop()
        text = " ".join(words)
        width = font.width(text) + gap * text.count(" ")
        x = column.x0 + align * (column.width - width)
        box = (x, y - 0.62 * em, x + width, y)
        inside = 0.8 * em < y < self.height - 0.25 * em
        left, right = x - column.clearance * em, x + width + column.clearance * em
        occupied = any(
            left < x1 and x0 < right and box[1] < y1 and y0 < y for x0, y0, x1, y1 in self.occupied
        )
        if not text or not inside or occupied:
            return column.x0
        x0, y0, x1, y1 = font.draw(self.ink, text, x, y, gap, self.rng)
        if column.underline:
            self.draw_rule(x0, y + 0.14 * em + 1, x1, y + 0.14 * em + 1, max(1, em // 18))
        self.occupied.append(box)
        self.boxes.append((x0, y0, x1, y1))
        self.texts.append(text)
        return x + width

    def add_paragraph(
        self, column: Column, y: float, max_lines: int, text: str = "", align: float = 0.0
    ) -> float:
        """Draw a paragraph from the baseline y down; returns the next free baseline.

        Without a text it is random prose. Words are hyphenated if the text is aligned left.
        """
        font, space = column.font, column.font.width(" ")
        text = text or self.text("prose", 2.2 * max_lines * column.width / font.em)
        words, inset = font.face.drawable(text).split(), max(0.0, column.indent)
        while words and max_lines and y < self.bottom:
            place = replace(column, x0=column.x0 + inset)
            row, room = _take_line(words, font, place.width + space, hyphenate=align == 0)
            if not row:  # the word is longer than the line
                words.pop(0)
                continue
            gap = room / max(1, len(row) - 1) if column.justify and words else 0.0
            gap = gap if space + gap <= MAX_WORD_SPACE * font.em else 0.0
            self.add_line(" ".join(row), place, y, align, gap)
            y, max_lines = y + column.leading * font.em, max_lines - 1
            inset = max(0.0, -column.indent)
        return y

    def add_heading(
        self, font: SizedFont, column: Column, y: float, align: float = 0.5, max_lines: int = 1
    ) -> float:
        """Draw a heading a little below y; returns the next free baseline."""
        chars = max_lines * column.width / font.em * self.uniform(0.6, 1.7)
        text = self.text(self.choice(("title", "capitals", "prose", "title")), max(4, chars))
        underline = self.chance(0.12)
        place = Column(
            font, column.x0, column.x1, 1.15, underline=underline, clearance=column.clearance
        )
        return self.add_paragraph(place, y + 0.35 * font.em, max_lines, text, align)

    def add_prose(self, column: Column, y: float, bottom: float) -> float:
        """Draw paragraphs from y to `bottom`; returns the next free baseline."""
        em = column.font.em
        column = replace(column, indent=self.uniform(0, 3.5) * em * self.chance(0.8))
        space_after = self.uniform(0.3, 1.0) * em * self.chance(0.35)
        while y < bottom:
            room = int((bottom - y) / (column.leading * em)) + 1
            y = space_after + self.add_paragraph(column, y, min(room, self.integer(1, 9)))
        return y

    # --- what is not text

    def add_mark(self, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a mark of marks.py into a box. Text may be drawn over scribbles only."""
        marks.draw(self.ink, kind, (x0, y0, x1, y1), self.rng)
        if kind != "scribble":
            self.occupied.append((x0, y0, x1, y1))

    def draw_rule(self, x0: float, y0: float, x1: float, y1: float, weight: int = 1) -> None:
        start, end = (round(x0), round(y0)), (round(x1), round(y1))
        cv2.line(self.ink, start, end, self.rule_tone, weight)

    def draw_frame(self, x0: float, y0: float, x1: float, y1: float) -> None:
        cv2.rectangle(self.ink, (round(x0), round(y0)), (round(x1), round(y1)), self.rule_tone)

    def draw_separator(self, char: str, column: Column, y: float) -> None:
        """Repeat a character across the column. This is not a line that a detector should find."""
        count = int(column.width / column.font.width(char))
        column.font.draw(self.ink, char * count, column.x0, y, 0.0, self.rng)


def _take_line(
    words: list[str], font: SizedFont, room: float, hyphenate: bool
) -> tuple[list[str], float]:
    """Take the words of one line off the front of `words`; returns them and the px left over."""
    space = font.width(" ")
    row: list[str] = []
    while words and font.width(words[0]) + space <= room:
        room -= font.width(words[0]) + space
        row.append(words.pop(0))
    if words and words[0].isalpha() and hyphenate:
        ends = (font.width(words[0][:n] + "-") for n in range(2, len(words[0]) - 1))
        cut = 1 + sum(end + space <= room for end in ends)
        if cut > 1:
            row.append(words[0][:cut] + "-")
            words[0], room = words[0][cut:], room - font.width(row[-1]) - space
    return row, room
