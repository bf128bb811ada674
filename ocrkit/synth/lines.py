"""Synthetic line crops: a text set in a font, damaged as old scans are, cut as detectors cut.

`LineGenerator` is an endless seeded stream: crop number i is a function of (seed, i) alone, so
training can stop and go on, and several workers can share one stream.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

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
    "fraktur": {"blackletter": 1},
    "early": {"blackletter": 4, "serif": 1},
    "amounts": {"serif": 5, "typewriter": 3, "mono": 2, "sans": 2, "slab": 1, "dotmatrix": 1},
    "rows": {"typewriter": 4, "mono": 3, "serif": 2, "sans": 2, "dotmatrix": 1},
}
# How crops are cut, and how many em above and below what they are cut by.
_CUTS = {"ink": (-0.02, 0.15), "font": (0.0, 0.2), "loose": (0.1, 0.7), "far": (0.3, 1.8)}


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
            if font.can_draw(text):
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
    cut = str(rng.choice(["ink", "font", "loose"], p=[0.35, 0.35, 0.3]))
    if right - left < 8 * em and rng.random() < 0.12:
        cut = "far"  # `tighten` leaves such short lines as they are
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
    if cut in ("loose", "far") and rng.random() < (0.85 if cut == "loose" else 0.4) and other:
        start = x - rng.uniform(0, 1) * em
        for y in (baseline - leading, baseline + leading):
            if rng.random() < 0.8:
                setting.write(pen, start, y, other, rng)
    if severity > 0 and rng.random() < 0.1:
        _rule(pen, width, height, baseline, em, rng)
    if severity > 0 and rng.random() < 0.06:
        _word_rule(pen, (x, end), baseline, em, rng)
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
    space: float = 1.0  # the width of a space, of the font's own
    raised: tuple[int, ...] = ()  # indices of small letters above the line, as in 4th
    small: tuple[int, ...] = ()  # indices of small capitals
    clogged: str = ""  # letters whose type is full of fluff
    worn: str = ""  # letters whose type prints too little ink
    round_r: bool = False  # ꝛ for r after round letters, as black letter and old print have it

    @classmethod
    def drawn(cls, font: Font, em: int, text: str, severity: float, rng: Generator) -> _Setting:
        spaced = font.kind in ("typewriter", "dotmatrix") or rng.random() < 0.15
        tracking = em * max(0.0, rng.normal(0, 0.08)) if spaced or text.isupper() else 0.0
        # The cells of a table's row: far apart on paper, one space apart in the text.
        gap = em * rng.uniform(0.3, 5.0) if rng.random() < 0.12 * severity else 0.0
        setting = cls(font, em, tracking, gap, severity if spaced else 0.0)
        if rng.random() < 0.2 * severity:  # justified lines, and tightly set ones
            narrowest = 0.7 if len(text) > 3 * text.count(" ") else 1.0  # not between l e t t e r s
            space = float(np.exp(rng.normal(0.1, 0.3)).clip(narrowest, 2.5))
            setting = replace(setting, space=space)
        if rng.random() < 0.35:
            setting = replace(setting, raised=_matches(_RAISED, text))
        if rng.random() < 0.25 and font.kind in ("serif", "sans", "slab"):
            setting = replace(setting, small=_matches(_SMALL_CAPITALS, text))
        if font.kind == "typewriter" and rng.random() < 0.45 * severity:
            clogged = "".join(c for c in "aeocsgbdpn" if rng.random() < 0.35)
            worn = "".join(c for c in sorted(set(text)) if rng.random() < 0.08)
            setting = replace(setting, clogged=clogged, worn=worn)
        if rng.random() < (0.6 if font.kind == "blackletter" else 0.3 * ("ſ" in text)):
            setting = replace(setting, round_r=font.has_round_r)
        return setting

    def write(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """Draw text from (x, baseline); returns where it ends. Letter by letter if it is typed."""
        face, em = self.font.at(self.em), self.em
        if self.raised or self.small:
            return self._write_sizes(pen, x, baseline, text, rng)
        if self.gap and " " in text:
            whole, narrow = replace(self, gap=0.0), self.space * face.getlength(" ")
            for word in text.split(" "):
                x = whole.write(pen, x, baseline, word, rng) + narrow
                x += self.gap if rng.random() < 0.4 else 0.0
            return x - narrow
        plain = self.space == 1 and not self.round_r and self.font.characters.issuperset(text)
        if plain and not self.tracking and not self.jitter:
            pen.text((x, baseline), text, 255, face, anchor="ls")
            return x + face.getlength(text)
        loose, unequal = rng.uniform(0, 0.03) * self.jitter * em, rng.uniform(0, 60) * self.jitter
        twice = rng.random() < 0.1 * self.jitter
        # A worn typewriter sets the same letter off its line every time.
        habit = {char: rng.normal(0, loose) for char in sorted(set(text))}
        for before, char in zip(" " + text, text, strict=False):
            y = baseline + habit[char] + rng.normal(0, 0.3 * loose)
            tone = max(90, int(255 - abs(rng.normal(0, 1)) * unequal))
            if char in self.worn:
                tone = int(0.6 * tone)
            if char not in self.font.characters:
                x += self._compose(pen, x, y, char, face) + self.tracking
                continue
            thick = int(char in self.clogged)
            if self.round_r and char == "r" and before in "bdhopvw":
                char = "ꝛ"
            pen.text(
                (x + rng.normal(0, 0.5 * loose), y), char, tone, face, anchor="ls",
                stroke_width=thick, stroke_fill=int(0.75 * tone),
            )  # fmt: skip
            if twice:
                pen.text((x + 0.05 * em, y), char, tone, face, anchor="ls")
            x += face.getlength(char) * (self.space if char == " " else 1) + self.tracking
        return x

    def _compose(
        self, pen: ImageDraw.ImageDraw, x: float, y: float, char: str, face: FreeTypeFont
    ) -> float:
        """Draw a letter that the font lacks: its plain letter and a stroke above it; its width."""
        letter = unicodedata.normalize("NFD", char)[0]
        pen.text((x, y), letter, 255, face, anchor="ls")
        left, top, right, _ = face.getbbox(letter, anchor="ls")
        lift = y + top - 0.1 * self.em
        pen.line((x + left, lift + 1, x + right, lift - 1), 255, max(1, round(0.06 * self.em)))
        return face.getlength(letter)

    def _write_sizes(
        self, pen: ImageDraw.ImageDraw, x: float, baseline: float, text: str, rng: Generator
    ) -> float:
        """As `write`, a run of letters of one size after the other."""
        sizes = [1 if i in self.raised else 2 if i in self.small else 0 for i in range(len(text))]
        start = 0
        for size, run in groupby(sizes):
            count = len(list(run))
            part, em = text[start : start + count], self.em
            em = round(em * (1.0, 0.62, 0.8)[size])
            setting = replace(self, em=em, raised=(), small=())
            x = setting.write(pen, x, baseline - (0.34 * self.em if size == 1 else 0), part, rng)
            start += count
        return x


# What may be set small and raised, and words in capitals of which the first letter alone is large.
_RAISED = re.compile(
    r"(?<=\d)(?:th|st|nd|rd|er|re|me|e|ème|o|ᵉ)\b|\b(?<=M)(?:rs|r|me|lle|gr)\b|(?<=[^\W\d])\(?\d\)"
    r"|(?<=[DS])r\b|(?<=\bN)o\b|(?<=\bn)o\b|(?<=[XVI])e\b|(?<=[^\W\d])\*+\)?"
)
_SMALL_CAPITALS = re.compile(r"(?<=[A-ZÀ-Þ])[A-ZÀ-Þ]+")


def _matches(pattern: re.Pattern[str], text: str) -> tuple[int, ...]:
    """The indices of all characters that a pattern finds in a text."""
    return tuple(i for match in pattern.finditer(text) for i in range(*match.span()))


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


def _word_rule(
    pen: ImageDraw.ImageDraw, ends: tuple[float, float], baseline: float, em: int, rng: Generator
) -> None:
    """Part of the line underlined, once or twice or in dots, or struck through."""
    start, end = np.sort(rng.uniform(*ends, 2)) if rng.random() < 0.6 else ends
    thickness, tone = int(rng.integers(1, 3)), int(rng.integers(120, 255))
    kind = rng.random()
    y = baseline + (rng.uniform(0.08, 0.2) if kind < 0.7 else rng.uniform(-0.28, -0.16)) * em
    tilt = rng.normal(0, 0.02) * em
    if kind < 0.1:
        for x in np.arange(start, end, 0.3 * em):
            pen.line((x, y, x + 0.12 * em, y), tone, thickness)
        return
    pen.line((start, y, end, y + tilt), tone, thickness)
    if 0.1 < kind < 0.25:
        pen.line((start, y + 0.1 * em, end, y + 0.1 * em + tilt), tone, thickness)


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
        (0.06, lambda scan: degrade.sharpen(scan, u(0.02, 0.06) * em, u(1, 4))),
    ]
    if contrast > 0.5:
        steps.append((0.12, lambda scan: degrade.black_and_white(scan, 0.6, rng)))
        steps.append((0.05, lambda scan: degrade.pepper(scan, u(0.002, 0.03), rng)))
    steps += [
        (0.3, lambda scan: degrade.jpeg(scan, int(rng.integers(15, 85)))),
        (0.04, lambda scan: 255 - scan),
    ]
    scan = degrade.print_on_paper(ink, rng, paper, paper * (1 - contrast), grain)
    return degrade.sometimes(scan, steps, rng, severity)
