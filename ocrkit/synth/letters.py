"""Draws the letters of a line: spacing, wear of the type, raised letters, small capitals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.random import Generator
from PIL import ImageDraw
from PIL.ImageFont import FreeTypeFont

from ocrkit.synth.fonts import Font

# What may be small and raised: the endings of ordinals and abbreviations (4th, 1er, Mrs, No, XVIe),
# and the figures and stars of notes.
_RAISED = re.compile(
    r"(?<=\d)(?:th|st|nd|rd|er|re|me|e|ème|o|ᵉ)\b|(?<=\bM)(?:rs|r|me|lle|gr)\b|(?<=[^\W\d])\(?\d\)"
    r"|(?<=[DS])r\b|(?<=\bN)o\b|(?<=\bn)o\b|(?<=[XVI])e\b|(?<=[^\W\d])\*+\)?"
)
_SMALL_CAPITALS = re.compile(r"(?<=[A-ZÀ-Þ])[A-ZÀ-Þ]+")  # all capitals of a word but the first
_RAISED_SIZE, _RAISE, _SMALL_CAPITAL_SIZE = 0.62, 0.34, 0.8  # of the em

_CLOG = "aeocsgbdpn"  # letters with a space inside that fills with dirt
_ROUND = "bdhopvw"  # letters after which old print has ꝛ, not r


@dataclass(frozen=True)
class LetterStyle:
    """How the letters of a line are drawn, lengths in px.

    tracking: space added after each letter. gap: space added after some of the words. space: width
    of a space, as a multiple of the font's. wear: 0 draws a line as a whole; above 0, letters vary
    in place and darkness, as typed ones do. raised, small_capitals: indices of these characters.
    clogged, worn: letters whose type prints too much ink, or too little. round_r: whether r is
    drawn as ꝛ after round letters.
    """

    font: Font
    em: int
    tracking: float
    gap: float
    wear: float
    space: float = 1.0
    raised: tuple[int, ...] = ()
    small_capitals: tuple[int, ...] = ()
    clogged: str = ""
    worn: str = ""
    round_r: bool = False

    @classmethod
    def draw(cls, text: str, font: Font, em: int, severity: float, rng: Generator) -> LetterStyle:
        """A random style for a text."""
        typed = font.kind in ("typewriter", "dotmatrix") or rng.random() < 0.15
        tracking = em * max(0.0, rng.normal(0, 0.08)) if typed or text.isupper() else 0.0
        # The cells of a table row: wide spaces on paper, one space in the text.
        gap = em * rng.uniform(0.3, 5.0) if rng.random() < 0.12 * severity else 0.0
        style = cls(font, em, tracking, gap, severity if typed else 0.0)
        if rng.random() < 0.2 * severity:  # justified lines
            # A narrow space would be lost between the letters of l e t t e r s p a c e d words.
            narrowest = 0.7 if len(text) > 3 * text.count(" ") else 1.0
            space = float(np.exp(rng.normal(0.1, 0.3)).clip(narrowest, 2.5))
            style = replace(style, space=space)
        if rng.random() < 0.35:
            style = replace(style, raised=_indices(_RAISED, text))
        if rng.random() < 0.25 and font.kind in ("serif", "sans", "slab"):
            style = replace(style, small_capitals=_indices(_SMALL_CAPITALS, text))
        if font.kind == "typewriter" and rng.random() < 0.45 * severity:
            clogged = "".join(c for c in _CLOG if rng.random() < 0.35)
            worn = "".join(c for c in sorted(set(text)) if rng.random() < 0.08)
            style = replace(style, clogged=clogged, worn=worn)
        if rng.random() < (0.6 if font.kind == "blackletter" else 0.3 * ("ſ" in text)):
            style = replace(style, round_r=font.has_round_r)
        return style

    def write(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """Draw text from (x, baseline); returns the x where it ends."""
        if self.raised or self.small_capitals:
            return self._write_sizes(pen, x, baseline, text, rng)
        face = self.font.at(self.em)
        if self.gap and " " in text:
            closed, space = replace(self, gap=0.0), self.space * face.getlength(" ")
            for word in text.split(" "):
                x = closed.write(pen, x, baseline, word, rng) + space
                x += self.gap if rng.random() < 0.4 else 0.0
            return x - space
        even = self.space == 1 and not (self.tracking or self.wear or self.round_r)
        if even and self.font.characters.issuperset(text):
            pen.text((x, baseline), text, 255, face, anchor="ls")
            return x + face.getlength(text)
        return self._write_letters(pen, x, baseline, text, rng)

    def _write_letters(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """As `write`, one letter after the other."""
        face, em = self.font.at(self.em), self.em
        shift, tone_range = rng.uniform(0, 0.03) * self.wear * em, rng.uniform(0, 60) * self.wear
        twice = rng.random() < 0.1 * self.wear
        # A worn typewriter sets the same letter off the baseline by the same distance every time.
        lift = {char: rng.normal(0, shift) for char in sorted(set(text))}
        for before, char in zip(" " + text, text, strict=False):
            y = baseline + lift[char] + rng.normal(0, 0.3 * shift)
            tone = max(90, int(255 - abs(rng.normal(0, 1)) * tone_range))
            tone = int(0.6 * tone) if char in self.worn else tone
            if char not in self.font.characters:
                x += self._write_tilde(pen, x, y, char, face) + self.tracking
                continue
            glyph = "ꝛ" if self.round_r and char == "r" and before in _ROUND else char
            at, stroke = (x + rng.normal(0, 0.5 * shift), y), int(char in self.clogged)
            pen.text(at, glyph, tone, face, "ls", stroke_width=stroke, stroke_fill=int(0.75 * tone))
            if twice:
                pen.text((x + 0.05 * em, y), glyph, tone, face, anchor="ls")
            x += face.getlength(glyph) * (self.space if char == " " else 1) + self.tracking
        return x

    def _write_tilde(
        self, pen: ImageDraw.ImageDraw, x: float, y: float, char: str, face: FreeTypeFont
    ) -> float:
        """Draw a letter with a tilde that the font lacks, as printers did; returns its width."""
        letter = unicodedata.normalize("NFD", char)[0]
        pen.text((x, y), letter, 255, face, anchor="ls")
        left, top, right, _ = face.getbbox(letter, anchor="ls")
        above = y + top - 0.1 * self.em
        pen.line((x + left, above + 1, x + right, above - 1), 255, max(1, round(0.06 * self.em)))
        return face.getlength(letter)

    def _write_sizes(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """As `write`, one run of letters of the same size after the other."""
        style = replace(self, raised=(), small_capitals=())
        raised = replace(style, em=round(_RAISED_SIZE * self.em))
        small = replace(style, em=round(_SMALL_CAPITAL_SIZE * self.em))

        def size_of(index: int) -> str:
            return (
                "raised" if index in self.raised
                else "small" if index in self.small_capitals
                else "normal"
            )  # fmt: skip

        for size, run in groupby(range(len(text)), size_of):
            part = "".join(text[i] for i in run)
            letters = {"raised": raised, "small": small, "normal": style}[size]
            y = baseline - (_RAISE * self.em if size == "raised" else 0)
            x = letters.write(pen, x, y, part, rng)
        return x


def _indices(pattern: re.Pattern[str], text: str) -> tuple[int, ...]:
    """The indices of all characters of a text that belong to a match."""
    return tuple(i for match in pattern.finditer(text) for i in range(*match.span()))
