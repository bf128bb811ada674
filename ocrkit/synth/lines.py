"""Synthetic line crops: a text in a font, damaged like an old scan, cut like a detector's crop.

`LineGenerator` is an endless stream. Crop number i depends only on (seed, i): training can stop and
resume, and several workers can share one stream.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from ocrkit.synth.degrade import Scan
from ocrkit.synth.fonts import KIND_WEIGHTS, MACHINES, Font, choose, find_fonts
from ocrkit.synth.recipes import scan_line, wear_line
from ocrkit.synth.tables import read_toml
from ocrkit.synth.text import line
from ocrkit.synth.typesetting import typeset

_STYLES = read_toml("styles.toml")
# style -> kinds of font and their weights; styles that are not here use KIND_WEIGHTS
STYLE_KINDS: dict[str, dict[str, float]] = _STYLES["font_kinds"]


@dataclass(frozen=True)
class Crop:
    """The image of a line, uint8 grey (H, W), and its text."""

    image: Scan
    text: str


@dataclass(frozen=True)
class LineGenerator:
    """Makes crop `index` of the stream `seed`.

    max_chars: longest text. severity: 0 gives clean print, 1 the full range of damage.
    style: one of `text.STYLE_WEIGHTS`; None draws a style for each crop.
    fonts: the fonts to use; None uses all installed ones.
    """

    seed: int = 0
    max_chars: int = 64
    severity: float = 1.0
    style: str | None = None
    fonts: tuple[Font, ...] | None = field(default=None, repr=False)

    def __call__(self, index: int) -> Crop:
        rng = np.random.default_rng((self.seed, index))
        style, text = line(rng, self.style, max_chars=int(rng.integers(1, self.max_chars + 1)))
        font, text = self.choose_font(style, text, rng)
        other = font.drawable(line(rng, style)[1])
        if style != "reference":
            # Points and commas in amounts are small: damage often hides them, so it is milder.
            severity = self.severity * (rng.random() if style == "amounts" else 1.0)
            return Crop(render(text, font, rng, severity, other), text)
        # trdg cuts off the parts of slanted letters that reach beyond a word's ends.
        clipped = rng.random() < 0.7
        return Crop(render(text, font, rng, 0.4 * self.severity, other, clipped), text)

    def choose_font(self, style: str, text: str, rng: Generator) -> tuple[Font, str]:
        """A font for a text of a style, and the text without characters that the font lacks.

        Several fonts are tried to find one that has all characters.
        """
        if style == "reference" and (families := _reference_fonts(self.fonts)):
            family = families[int(rng.integers(len(families)))]
            return family[int(rng.integers(len(family)))], text
        for _ in range(12):
            font = choose(STYLE_KINDS.get(style, KIND_WEIGHTS), self.fonts, rng)
            if font.characters.issuperset(text):
                return font, text
        return font, font.drawable(text) or min(font.characters - {" "})


@lru_cache(maxsize=4)
def _reference_fonts(fonts: tuple[Font, ...] | None) -> tuple[tuple[Font, ...], ...]:
    """trdg's font families; those that need more practice occur several times.

    The words of the reference data set are in small letters, but some of trdg's fonts draw capitals
    for them. A reader can learn this for fonts that look like no others. Bebas is left out: it
    looks like other narrow sans serif fonts, whose capitals would then be read as small letters.
    """
    families: defaultdict[str, list[Font]] = defaultdict(list)
    for font in fonts or find_fonts():
        source, _, pattern = font.family.split()
        if source == "trdg" and pattern != "bebas*":
            families[pattern.rstrip("_-*")].append(font)
    times: dict[str, int] = _STYLES["reference_families"]
    names = (name for name in sorted(families) for _ in range(times.get(name, 1)))
    return tuple(tuple(families[name]) for name in names)


def render(
    text: str,
    font: Font,
    rng: Generator,
    severity: float = 1.0,
    other: str = "",
    clipped: bool = False,
) -> Scan:
    """One line crop, uint8 grey (H, W); `other` and `clipped` as for `typeset`."""
    ink, em = typeset(text, font, rng, severity, other, clipped)
    if severity > 0:
        ink = wear_line(ink, em, font.kind in MACHINES, rng, severity)
    return scan_line(ink, em, rng, severity)
