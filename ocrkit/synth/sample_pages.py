"""Draws the pages of samples.tsv, whose head describes the format: their ink and their text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from ocrkit.synth.degrade import Ink
from ocrkit.synth.fonts import load_font, package_folder
from ocrkit.synth.tables import read_rows, read_toml

# Computer Modern is a design of the 1890s, and its typewriter font is the only one in the locked
# packages. The table maps characters to the code positions of its files.
_TEX = read_toml("computer_modern.toml")
_TEX_CHARACTERS = str.maketrans(_TEX["characters"])


@dataclass(frozen=True)
class _Font:
    """A font of matplotlib at a size in px per em.

    tracking: px added after each letter. pitch: px that every letter advances by; 0 takes the
    font's own advances.
    """

    name: str
    size: int
    tracking: float = 0.0
    pitch: float = 0.0

    @cached_property
    def face(self) -> ImageFont.FreeTypeFont:
        folder = package_folder("matplotlib", "mpl-data", "fonts", "ttf")
        return load_font(str(folder / f"{self.name}.ttf"), self.size)

    def glyphs(self, text: str) -> list[tuple[str, str, float]]:
        """(letter, accent to draw over it or "", advance in px) for each letter of `text`."""
        tex = self.name.startswith("cm")
        if tex:
            text = unicodedata.normalize("NFD", text)
            for letters, ligature in _TEX["ligatures"].items() if self.name == "cmr10" else ():
                text = text.replace(letters, ligature)
        out: list[tuple[str, str, float]] = []
        for character in text:
            glyph = character.translate(_TEX_CHARACTERS) if tex else character
            if unicodedata.combining(character):
                letter, _, advance = out.pop()
                out.append((letter, glyph, advance))
            else:
                advance = (self.pitch or self.face.getlength(glyph)) + self.tracking
                out.append((glyph, "", advance))
        return out


def draw_page(name: str, rng: Generator) -> tuple[Ink, str]:
    """The ink (H, W) of the page `name` of samples.tsv, and its text, one line a row."""
    (width, height), rows = _page_rows(name)
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    pieces: list[tuple[str, str]] = []  # baseline, text
    capital = ""
    for first, place, *more in rows:
        if more:
            baseline, text = more
            font, size, *spacing = first.split()
            sized = _Font(font, int(size), *map(float, spacing))
            _draw_text(pen, sized, place, int(baseline), text.rstrip("+"), rng)
            if text.endswith("+"):
                capital = text.rstrip("+")
            else:
                pieces.append((baseline, capital + text))
                capital = ""
        elif first == "leader":
            x0, y, x1, step = map(int, place.split())
            for x in range(x0, x1, step):
                pen.ellipse((x, y - 4, x + 3, y - 1), 255)
            pieces.append((str(y), "..."))
        else:
            _draw_rule(pen, first, place)
    lines = (" ".join(text for _, text in line) for _, line in groupby(pieces, lambda p: p[0]))
    return (np.asarray(image) / 255).astype(np.float32), "\n".join(lines) + "\n"


def _page_rows(name: str) -> tuple[tuple[int, int], list[list[str]]]:
    """The size (width, height) of a page of samples.tsv, and its rows."""
    pages: dict[str, tuple[tuple[int, int], list[list[str]]]] = {}
    rows: list[list[str]] = []
    for row in read_rows("samples.tsv"):
        if row[0] == "page":
            width, height = map(int, row[2].split())
            rows = []
            pages[row[1]] = (width, height), rows
        else:
            rows.append(row)
    return pages[name]


def _draw_rule(pen: ImageDraw.ImageDraw, kind: str, place: str) -> None:
    x0, y0, x1, y1, weight = map(int, place.split())
    if kind == "frame":
        pen.rectangle((x0, y0, x1, y1), outline=255, width=weight)
        return
    length, step = (14, 24) if kind == "dashes" else (x1 - x0, x1 - x0 + 1)
    for x in range(x0, x1 + 1, step):
        pen.line((x, y0, x + length, y1), 255, weight)


def _draw_text(
    pen: ImageDraw.ImageDraw, font: _Font, place: str, baseline: float, text: str, rng: Generator
) -> None:
    """Draw `text` on a baseline (px); `place` is the x of samples.tsv, for example "r920"."""
    glyphs = font.glyphs(text)
    width, stretch = sum(advance for _, _, advance in glyphs) - font.tracking, 0.0
    if "-" in place:
        x, end = map(float, place.split("-"))
        stretch = (end - x - width) / text.count(" ")
    else:
        x = float(place.lstrip("cr")) - {"c": width / 2, "r": width}.get(place[0], 0.0)
    for glyph, accent, advance in glyphs:
        # A typewriter's letters vary in height and darkness.
        dy = rng.normal(0, 0.7) if font.pitch else 0.0
        ink = int(np.clip(rng.normal(225, 28), 120, 255)) if font.pitch else 255
        # Whole pixels: fractions are drawn differently on other systems.
        pen.text((round(x), round(baseline + dy)), glyph, ink, font.face, anchor="ls")
        if accent:
            cedilla = accent == _TEX["characters"]["\u0327"]
            lift = 0.24 * font.size if glyph.isupper() and not cedilla else 0
            shift = (advance - font.tracking - font.face.getlength(accent)) / 2
            at = (round(x + shift), round(baseline + dy - lift))
            pen.text(at, accent, ink, font.face, anchor="ls")
        x += advance + (stretch if glyph == " " else 0)
