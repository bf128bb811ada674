"""Draws the ink of one line: how it is cut, neighbouring lines, ruled lines, slant and slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink
from ocrkit.synth.fonts import MACHINES, Font
from ocrkit.synth.letters import LetterStyle

EM_SIZES = (22, 40)  # px, from the first up to, not including, the second

# How a crop is cut: close to the ink, at the font's ascender and descender, or with space around it
# in which neighbouring lines show. Each has its probability, and the least and most space above and
# below in em.
_CROPS = {"ink": (0.35, -0.02, 0.15), "font": (0.35, 0.0, 0.2), "loose": (0.3, 0.1, 0.7)}
# Lines of few letters may have far more space, because `tighten` leaves them as they are.
_FEW, _FAR_CHANCE, _FAR = 8, 0.2, (0.3, 1.8)  # width of the line in em; space in em
_PADDING = 8  # px around the crop while it is drawn and distorted


def typeset(
    text: str, font: Font, rng: Generator, severity: float, other: str, clipped: bool = False
) -> tuple[Ink, float]:
    """The ink (H, W) of a line, cut as a detector or a person cuts it, and its text size in px.

    other: a text for neighbouring lines, "" for none. clipped: without the parts of slanted letters
    that reach beyond the text's ends.
    """
    em = int(rng.integers(*EM_SIZES))
    crop = _Crop.draw(text, font, em, rng)
    style = LetterStyle.draw(text, font, em, severity, rng)
    ink = _draw_line(text, style, crop, rng, severity, other, clipped)
    ink = _distort(ink, em, rng, severity)[_PADDING:-_PADDING, _PADDING:-_PADDING]
    if font.kind in MACHINES and rng.random() < 0.1 * severity:  # receipt printers' double height
        ink = degrade.stretch(ink, rng.uniform(0.5, 0.75))
    elif severity > 0 and rng.random() < 0.25:
        ink = degrade.stretch(ink, float(np.clip(np.exp(severity * rng.normal(0, 0.18)), 0.6, 1.6)))
    return np.ascontiguousarray(ink), float(em)


@dataclass(frozen=True)
class _Crop:
    """Where a line is cut, in px.

    left, right: of the ink, from the start of the text. above, below: the crop's edges, from the
    baseline down. margins: space before and after the text.
    """

    kind: str
    left: float
    right: float
    above: float
    below: float
    margins: np.ndarray

    @classmethod
    def draw(cls, text: str, font: Font, em: int, rng: Generator) -> _Crop:
        left, top, right, bottom = font.at(em).getbbox(text, anchor="ls")
        kind = str(rng.choice(list(_CROPS), p=[share for share, _, _ in _CROPS.values()]))
        if kind == "ink" and bottom - top < 0.35 * em:
            kind = "font"  # cut at its ink, a row of dashes looks like a row of any other mark
        _, least, most = _CROPS[kind]
        if right - left < _FEW * em and rng.random() < _FAR_CHANCE:
            kind, (least, most) = "far", _FAR
        if kind != "ink":
            top, bottom = -0.76 * em, 0.24 * em
        above = top - rng.uniform(least, most) * em
        below = max(bottom + rng.uniform(least, most) * em, above + 0.3 * em)
        margins = rng.uniform(-0.04, 0.5, 2) * em * (1 if rng.random() < 0.8 else 3)
        return cls(kind, left, right, above, below, margins)


def _draw_line(
    text: str,
    style: LetterStyle,
    crop: _Crop,
    rng: Generator,
    severity: float,
    other: str,
    clipped: bool,
) -> Ink:
    """The ink (H, W) of the crop with _PADDING around it, before it is distorted."""
    em = style.em
    height = round(crop.below - crop.above) + 2 * _PADDING
    spaces = len(text) * style.tracking + text.count(" ") * style.gap
    room = round(
        (crop.right - crop.left) * 1.15 + spaces + 4 * em + sum(crop.margins) + 2 * _PADDING
    )
    canvas = Image.new("L", (room, height))
    pen = ImageDraw.Draw(canvas)
    x, baseline = _PADDING + crop.margins[0] - min(crop.left, 0), _PADDING - crop.above
    end = style.write(pen, x, baseline, text, rng)
    if clipped:
        pen.rectangle((0, 0, round(x) - 1, height), 0)
        pen.rectangle((round(end), 0, room, height), 0)
    # A tight crop of a single full stop keeps a few columns.
    width = max(round(end + crop.margins[1]) + _PADDING, 2 * _PADDING + 4)

    leading = em * rng.uniform(1.0, 1.35)
    neighbours = {"loose": 0.85, "far": 0.4}
    if crop.kind in neighbours and rng.random() < neighbours[crop.kind] and other:
        start = x - rng.uniform(0, 1) * em
        for y in (baseline - leading, baseline + leading):
            if rng.random() < 0.8:
                style.write(pen, start, y, other, rng)
    if severity > 0 and rng.random() < 0.1:
        _draw_rule(pen, width, height, baseline, em, rng)
    if severity > 0 and rng.random() < 0.10:
        _draw_word_rule(pen, (x, end), baseline, em, rng)
    return np.asarray(canvas, np.float32)[:, :width] / np.float32(255)


def _draw_rule(
    pen: ImageDraw.ImageDraw, width: int, height: int, baseline: float, em: int, rng: Generator
) -> None:
    """An underline, a rule of a form below or above the text, or the side of a table cell."""
    thickness, kind = int(rng.integers(1, 3)), rng.integers(4)
    if kind == 3:
        x = int(rng.choice([9, width - 10]))
        ends: tuple[float, ...] = (x, 0, x, height)
    else:
        direction, low, high = ((1, 0.08, 0.22), (1, 0.25, 0.5), (-1, 0.85, 1.2))[kind]
        y = baseline + direction * rng.uniform(low, high) * em
        ends = (0, y, width, y)
    pen.line(ends, 220 if kind == 0 else int(rng.integers(80, 220)), thickness)


def _draw_word_rule(
    pen: ImageDraw.ImageDraw, ends: tuple[float, float], baseline: float, em: int, rng: Generator
) -> None:
    """Part of the line underlined, by one line, two or dots, or struck through."""
    start, end = np.sort(rng.uniform(*ends, 2)) if rng.random() < 0.6 else ends
    thickness, tone = int(rng.integers(1, 3)), int(rng.integers(120, 255))
    kind = rng.choice(["dots", "two", "one", "struck"], p=[0.1, 0.15, 0.45, 0.3])
    low, high = (-0.28, -0.16) if kind == "struck" else (0.08, 0.2)
    y, tilt = baseline + rng.uniform(low, high) * em, rng.normal(0, 0.02) * em
    if kind == "dots":
        for x in np.arange(start, end, 0.3 * em):
            pen.line((x, y, x + 0.12 * em, y), tone, thickness)
        return
    for offset in (0, 0.1 * em)[: 2 if kind == "two" else 1]:
        pen.line((start, y + offset, end, y + offset + tilt), tone, thickness)


def _distort(ink: Ink, em: int, rng: Generator, severity: float) -> Ink:
    """The ink slanted, sloped and waved."""
    if severity <= 0:
        return ink
    slope = rng.normal(0, 0.08) * em * 2 / max(ink.shape[1], 4 * em)
    slant = rng.normal(0, 0.05) if rng.random() < 0.6 else rng.uniform(-0.1, 0.3)
    ink = degrade.shear(ink, severity * slant, severity * slope)
    if rng.random() < 0.15:
        ink = degrade.wave(ink, 0.04 * em * severity, 6.0 * em, rng)
    return ink
