"""Synthetic line crops: a text set in a font, damaged as old scans are, cut as detectors cut.

`LineGenerator` is an endless seeded stream: crop number i is a function of (seed, i) alone, so
training can stop and go on, and several workers can share one stream.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink, Scan
from ocrkit.synth.fonts import KIND_WEIGHTS, MACHINES, Font, choose, find_fonts
from ocrkit.synth.text import line

# Kinds of type that each style of text was set in; absent styles take any kind by KIND_WEIGHTS.
STYLE_KINDS: dict[str, dict[str, float]] = {
    "receipt": {"mono": 4, "sans": 4, "dotmatrix": 2, "typewriter": 1},
    "codes": {"mono": 4, "sans": 4, "dotmatrix": 2, "typewriter": 3, "serif": 1},
    "letter": {"typewriter": 6, "serif": 2, "mono": 1},
    "ledger": {"typewriter": 3, "serif": 3, "mono": 2, "slab": 1},
    "longs": {"serif": 1},
    "rows": {"typewriter": 4, "mono": 3, "serif": 2, "sans": 2, "dotmatrix": 1},
}
# How crops are cut, and how many em above and below what they are cut by.
_CUTS = {"ink": (-0.02, 0.15), "font": (0.0, 0.2), "loose": (0.1, 0.7)}


@dataclass(frozen=True)
class Crop:
    """A line image, uint8 grey (h, w), and what it says."""

    image: Scan
    text: str


@dataclass(frozen=True)
class LineGenerator:
    """Makes crop `index` of the stream `seed`.

    max_chars: longest text. severity: 0 gives clean print, 1 the whole range of damage.
    style: of the text (see `text.STYLE_WEIGHTS`); None draws one for each crop.
    fonts: those to draw with; None takes all that are found
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
            return Crop(render(text, font, rng, self.severity, other), text)
        # trdg cuts off what of its slanted letters leans out of a word.
        clipped = rng.random() < 0.7
        return Crop(render(text, font, rng, 0.4 * self.severity, other, clipped), text)

    def choose_font(self, style: str, text: str, rng: Generator) -> tuple[Font, str]:
        """A font for the style that has every character; else the text without what it lacks."""
        if style == "reference" and (families := _reference_fonts(self.fonts)):
            family = families[int(rng.integers(len(families)))]
            return family[int(rng.integers(len(family)))], text
        for _ in range(12):
            font = choose(STYLE_KINDS.get(style, KIND_WEIGHTS), self.fonts, rng)
            if font.characters.issuperset(text):
                return font, text
        return font, font.drawable(text) or min(font.characters - {" "})


# Of trdg's families those least like type that anything else is set in take the most practice.
_HARD = {"pacifico": 8, "amatic": 6, "walkway": 7, "capture": 6, "allerdisplay": 2}


@lru_cache(maxsize=4)
def _reference_fonts(fonts: tuple[Font, ...] | None) -> tuple[tuple[Font, ...], ...]:
    """The families of trdg, each as often as it is to be drawn.

    The reference data set sets its words in them, in small letters. Some draw capitals for these;
    that can be learned where the face is like no other. Bebas is like any narrow grotesque, and
    would teach that capitals in one are small letters.
    """
    families: defaultdict[str, list[Font]] = defaultdict(list)
    for font in fonts or find_fonts():
        source, _, pattern = font.family.split()
        if source == "trdg" and pattern != "bebas*":
            families[pattern.rstrip("_-*")].append(font)
    names = (name for name in sorted(families) for _ in range(_HARD.get(name, 1)))
    return tuple(tuple(families[name]) for name in names)


def render(
    text: str,
    font: Font,
    rng: Generator,
    severity: float = 1.0,
    other: str = "",
    clipped: bool = False,
) -> Scan:
    """One line crop, uint8 grey (h, w).

    other: a text for neighbouring lines. clipped: without what leans out at the line's ends.
    """
    ink, em = typeset(text, font, rng, severity, other, clipped)
    if severity > 0:
        ink = _damage_ink(ink, em, font.kind in MACHINES, rng, severity)
    return _scan(ink, em, rng, severity)


def typeset(
    text: str, font: Font, rng: Generator, severity: float, other: str, clipped: bool = False
) -> tuple[Ink, float]:
    """Ink of a line within the bounds that a detector or a person would have cut, and its em."""
    em = int(rng.integers(22, 40))
    face = font.at(em)
    left, top, right, bottom = face.getbbox(text, anchor="ls")
    # Cut round the ink, by the font's own lines, or loose with neighbours in view.
    cut = str(rng.choice(list(_CUTS), p=[0.35, 0.35, 0.3]))
    if cut == "ink" and bottom - top < 0.35 * em:
        cut = "font"  # a row of dashes, cut round its ink, could be one of any mark
    if cut != "ink":
        top, bottom = -0.76 * em, 0.24 * em
    above = top - rng.uniform(*_CUTS[cut]) * em
    below = max(bottom + rng.uniform(*_CUTS[cut]) * em, above + 0.3 * em)
    margins = rng.uniform(-0.04, 0.5, 2) * em * (1 if rng.random() < 0.8 else 3)

    setting = _Setting.drawn(font, em, text, severity, rng)
    pad = 8
    height = round(below - above) + 2 * pad
    spread = len(text) * setting.tracking + text.count(" ") * setting.gap
    room = round((right - left) * 1.15 + spread + 4 * em + sum(margins) + 2 * pad)
    canvas = Image.new("L", (room, height))
    pen = ImageDraw.Draw(canvas)
    x, baseline = pad + margins[0] - min(left, 0), pad - above
    end = setting.write(pen, x, baseline, text, rng)
    if clipped:
        pen.rectangle((0, 0, round(x) - 1, height), 0)
        pen.rectangle((round(end), 0, room, height), 0)
    # A crop cut too tight round a lone full stop must keep a few columns.
    width = max(round(end + margins[1]) + pad, 2 * pad + 4)

    leading = em * rng.uniform(1.0, 1.35)
    if cut == "loose" and rng.random() < 0.85 and other:
        start = x - rng.uniform(0, 1) * em
        for y in (baseline - leading, baseline + leading):
            if rng.random() < 0.8:
                setting.write(pen, start, y, other, rng)
    if severity > 0 and rng.random() < 0.1:
        _rule(pen, width, height, baseline, em, rng)
    ink: Ink = np.asarray(canvas, np.float32)[:, :width] / np.float32(255)
    if severity > 0:
        slope = rng.normal(0, 0.08) * em * 2 / max(width, 4 * em)
        slant = rng.normal(0, 0.05) if rng.random() < 0.6 else rng.uniform(-0.1, 0.3)
        ink = degrade.shear(ink, severity * slant, severity * slope)
        if rng.random() < 0.15:
            ink = degrade.wave(ink, 0.04 * em * severity, 6.0 * em, rng)
    ink = ink[pad : height - pad, pad : width - pad]
    if font.kind in MACHINES and rng.random() < 0.1 * severity:  # tills print in double height
        ink = degrade.stretch(ink, rng.uniform(0.5, 0.75))
    elif severity > 0 and rng.random() < 0.25:
        ink = degrade.stretch(ink, float(np.clip(np.exp(severity * rng.normal(0, 0.18)), 0.6, 1.6)))
    return np.ascontiguousarray(ink), float(em)


@dataclass(frozen=True)
class _Setting:
    """How a line is set: letters `tracking` px apart, some words `gap` px; `jitter` is wear."""

    font: Font
    em: int
    tracking: float
    gap: float
    jitter: float

    @classmethod
    def drawn(cls, font: Font, em: int, text: str, severity: float, rng: Generator) -> _Setting:
        spaced = font.kind in ("typewriter", "dotmatrix") or rng.random() < 0.15
        tracking = em * max(0.0, rng.normal(0, 0.08)) if spaced or text.isupper() else 0.0
        # The cells of a table's row: far apart on paper, one space apart in the text.
        gap = em * rng.uniform(0.3, 5.0) if rng.random() < 0.12 * severity else 0.0
        return cls(font, em, tracking, gap, severity if spaced else 0.0)

    def write(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """Draw text from (x, baseline); returns where it ends. Letter by letter if it is typed."""
        face, em = self.font.at(self.em), self.em
        if self.gap and " " in text:
            whole, narrow = replace(self, gap=0.0), face.getlength(" ")
            for word in text.split(" "):
                x = whole.write(pen, x, baseline, word, rng) + narrow
                x += self.gap if rng.random() < 0.4 else 0.0
            return x - narrow
        if not self.tracking and not self.jitter:
            pen.text((x, baseline), text, 255, face, anchor="ls")
            return x + face.getlength(text)
        loose, unequal = rng.uniform(0, 0.03) * self.jitter * em, rng.uniform(0, 60) * self.jitter
        twice = rng.random() < 0.1 * self.jitter
        # A worn typewriter sets the same letter off its line every time.
        habit = {char: rng.normal(0, loose) for char in sorted(set(text))}
        for char in text:
            y = baseline + habit[char] + rng.normal(0, 0.3 * loose)
            tone = max(90, int(255 - abs(rng.normal(0, 1)) * unequal))
            pen.text((x + rng.normal(0, 0.5 * loose), y), char, tone, face, anchor="ls")
            if twice:
                pen.text((x + 0.05 * em, y), char, tone, face, anchor="ls")
            x += face.getlength(char) + self.tracking
        return x


def _rule(
    pen: ImageDraw.ImageDraw, width: int, height: int, baseline: float, em: int, rng: Generator
) -> None:
    """An underline, a ruled line of the form, one above, or the border of a table cell."""
    thickness, kind = int(rng.integers(1, 3)), rng.integers(4)
    if kind == 3:
        x = int(rng.choice([9, width - 10]))
        ends: tuple[float, ...] = (x, 0, x, height)
    else:
        down, low, high = ((1, 0.08, 0.22), (1, 0.25, 0.5), (-1, 0.85, 1.2))[kind]
        y = baseline + down * rng.uniform(low, high) * em
        ends = (0, y, width, y)
    pen.line(ends, 220 if kind == 0 else int(rng.integers(80, 220)), thickness)


def _damage_ink(ink: Ink, em: float, machine: bool, rng: Generator, severity: float) -> Ink:
    """What happens between type and paper: inking, wear, ribbons, needles."""
    u, most = rng.uniform, 0.5 if machine else 0.35
    steps: degrade.Steps = [
        (0.5, lambda ink: degrade.thicken(ink, u(-0.45, 1.0))),
        (0.25 if machine else 0.1, lambda ink: degrade.carbon(ink, u(0.02, 0.075) * em, u(1, 2.2))),
        (0.5 if machine else 0.25, lambda ink: degrade.uneven(ink, em, u(0.05, most), rng)),
        (0.08, lambda ink: degrade.fade(ink, *rng.permutation([1.0, u(0.15, 0.7)]))),
        (0.2, lambda ink: degrade.broken(ink, em, u(0.02, 0.2), rng)),
    ]
    if machine:
        steps += [
            (0.12, lambda ink: degrade.dots(ink, em / u(7, 12), (rng.random(), rng.random()))),
            (0.08, lambda ink: degrade.stripes(ink, em * u(0.08, 0.3), 0.5, rng)),
            (0.08, lambda ink: degrade.gaps(ink, em, int(rng.integers(1, 4)), rng)),
        ]
    return degrade.sometimes(ink, steps, rng, severity)


def _scan(ink: Ink, em: float, rng: Generator, severity: float) -> Scan:
    """What happens between paper and file: tone, stains, the other side, lens, sensor, coding."""
    u, clean = rng.uniform, rng.random() > 0.75 * severity
    paper = u(235, 255) if clean else u(110, 250)
    contrast = u(0.6, 1.0) if clean else u(0.22, 0.95)
    grain = 0.0 if clean else u(0, 8) * severity
    steps: degrade.Steps = [
        (0.08, lambda scan: degrade.show_through(scan, ink[::-1], u(8, 40))),
        (0.08, lambda scan: degrade.stain(scan, 3 * em, u(20, 70), rng)),
        (0.15, lambda scan: degrade.light(scan, u(0.05, 0.4), rng)),
        (0.45, lambda scan: degrade.blur(scan, u(0.015, 0.055) * em)),
        # An em was 10 to 24 pixels high in the first scan.
        (0.35, lambda scan: degrade.low_resolution(scan, max(1.0, em / u(10, 24)))),
        (0.4, lambda scan: degrade.noise(scan, u(1, 12), rng)),
    ]
    if contrast > 0.5:
        steps.append((0.12, lambda scan: degrade.black_and_white(scan, 0.6, rng)))
    steps += [
        (0.3, lambda scan: degrade.jpeg(scan, int(rng.integers(15, 85)))),
        (0.04, lambda scan: 255 - scan),
    ]
    scan = degrade.print_on_paper(ink, rng, paper, paper * (1 - contrast), grain)
    return degrade.sometimes(scan, steps, rng, severity)
