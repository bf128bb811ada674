"""A made-up hand: pages in a cursive that training never draws, for lessons about new documents.

The letters are the script letters of STIX, a font for mathematics in matplotlib's package, where
they stand at code points of their own (Unicode's Mathematical Alphanumeric Symbols). They are moved
together until they join, and no line is quite level.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.random import Generator
from PIL import ImageFont

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink
from ocrkit.synth.fonts import load_font, package_folder
from ocrkit.synth.pages import Sheet
from ocrkit.synth.recipes import print_page, scan_page
from ocrkit.synth.text import line

EM = 44  # px
_TRACKING = 0.78  # of a letter's own width: its strokes reach the next letter
_WORD_SPACE = 0.42  # em
_FILE = "STIXGeneralItalic.ttf"
_OTHERS = "0123456789.,;:-'!?()&"  # they are drawn in the italic of the same font
_MARGIN, _PITCH = 60, 1.75  # px; and the distance of the lines in em


@cache
def _script(character: str) -> str:
    """The script letter for a letter of English."""
    size = "CAPITAL" if character.isupper() else "SMALL"
    for name in ("MATHEMATICAL SCRIPT", "SCRIPT"):
        try:
            return unicodedata.lookup(f"{name} {size} {character.upper()}")
        except KeyError:  # Unicode had some of them before the others
            continue
    return character


def writable(text: str) -> str:
    """A text as this hand writes it: without accents and rare characters, single spaces."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    kept = (c for c in plain if c == " " or c in _OTHERS or (c.isascii() and c.isalpha()))
    return " ".join("".join(kept).split())


def written(text: str, rng: Generator) -> Ink:
    """A line in this hand, float32 (h, w), without paper around it. text: as `writable`."""
    font = load_font(str(package_folder("matplotlib", "mpl-data", "fonts", "ttf", _FILE)), EM)
    placed, x = [], float(EM)
    for character in text:
        if character == " ":
            x += _WORD_SPACE * EM * float(rng.uniform(0.8, 1.25))
            continue
        letter = _script(character) if character.isalpha() else character
        placed.append((letter, round(x), round(float(rng.normal(0, 0.012)) * EM)))
        x += _TRACKING * font.getlength(letter) * float(rng.uniform(0.94, 1.06))
    ink = np.zeros((2 * EM, round(x) + EM), np.float32)
    for letter, left, drop in placed:
        _add_glyph(ink, font, letter, left, round(1.3 * EM) + drop)
    ink = degrade.shear(ink, slant=float(rng.uniform(0.0, 0.12)), slope=0.0)
    ink = degrade.elastic(ink, 0.03 * EM, 0.8 * EM, rng)
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 0.1) for axis in (1, 0))
    return np.asarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.float32)


def _add_glyph(ink: Ink, font: ImageFont.FreeTypeFont, letter: str, x: int, y: int) -> None:
    """Draw a glyph with its origin at (x, y)."""
    mask, (left, top) = font.getmask2(letter, anchor="ls")
    glyph = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[::-1]).astype(np.float32) / 255
    x, y = max(0, x + left), max(0, y + top)
    part = ink[y : y + glyph.shape[0], x : x + glyph.shape[1]]
    np.maximum(part, glyph[: part.shape[0], : part.shape[1]], out=part)


def hand_page(seed: int, number: int, lines: int = 12, max_chars: int = 32) -> Sheet:
    """Page `number` of a book in this hand, with the outlines and the texts of its lines.

    The page depends only on the arguments. Raises OSError without matplotlib.
    """
    rng = np.random.default_rng((seed, number))
    texts: list[str] = []
    while len(texts) < lines:
        text = writable(line(rng, "prose", max_chars)[1])
        if len(text) > max_chars // 2:
            texts.append(text)
    inks = [written(text, rng) for text in texts]
    pitch = round(_PITCH * EM)
    width = max(ink.shape[1] for ink in inks) + 3 * _MARGIN
    page = np.zeros((lines * pitch + 2 * _MARGIN, width), np.float32)
    polygons = []
    for row, ink in enumerate(inks):
        left = _MARGIN + int(rng.integers(_MARGIN))
        top = _MARGIN + row * pitch + max(0, round(0.5 * (pitch - ink.shape[0])))
        part = page[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(part, ink[: part.shape[0]], out=part)
        x0, y0, x1, y1 = left - 6, top - 3, left + ink.shape[1] + 6, top + ink.shape[0] + 3
        polygons.append(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32))
    scan = scan_page(print_page(page, EM, False, rng, 0.3), EM, rng, 0.3)
    return Sheet(scan, polygons, texts, "hand")
