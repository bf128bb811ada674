"""The documents in data/samples: eight pages, set, printed, aged and scanned by the kit itself.

They are set in the fonts that come with the locked packages only, so that anyone makes the same
ones. The long s page is Gibbon (1776), the title page after Diderot (1751-1772); the rest is ours.
What stands where is in samples.tsv. `python -m ocrkit.synth.samples FOLDER` writes them.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageFont

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink, Scan
from ocrkit.synth.fonts import load_font, package_folder

# Knuth's Computer Modern is a type of the 1890s, and its typewriter face the only one in the locked
# packages. Its files keep accents and ligatures in places of TeX's own.
_TEX = str.maketrans(
    "–—“”‘’æœÆŒß\u0300\u0301\u0302\u0308\u0327", '{|\\"`\'½¾ÀÁ¼µ¶^Ä»'
)  # fmt: skip
_TEX_LIGATURES = (("ffi", "±"), ("ffl", "²"), ("ff", "®"), ("fi", "¯"), ("fl", "°"))


@dataclass(frozen=True)
class _Face:
    """A font of a size (px per em), with letters `tracking` px apart or on a fixed `pitch` (px)."""

    name: str
    size: int
    tracking: float = 0.0
    pitch: float = 0.0

    @cached_property
    def font(self) -> ImageFont.FreeTypeFont:
        folder = package_folder("matplotlib", "mpl-data", "fonts", "ttf")
        return load_font(str(folder / f"{self.name}.ttf"), self.size)

    def glyphs(self, text: str) -> list[tuple[str, str, float]]:
        """(letter, accent to strike over it, advance in px) for each letter of `text`."""
        tex = self.name.startswith("cm")
        if tex:
            text = unicodedata.normalize("NFD", text)
            for letters, ligature in _TEX_LIGATURES if self.name == "cmr10" else ():
                text = text.replace(letters, ligature)
        out: list[tuple[str, str, float]] = []
        for character in text:
            glyph = character.translate(_TEX) if tex else character
            if unicodedata.combining(character):
                letter, _, advance = out.pop()
                out.append((letter, glyph, advance))
            else:
                advance = (self.pitch or self.font.getlength(glyph)) + self.tracking
                out.append((glyph, "", advance))
        return out


def _put(
    pen: ImageDraw.ImageDraw, face: _Face, place: str, y: float, text: str, rng: Generator
) -> None:
    """Ink `text` on the baseline y, at a place as samples.tsv has it."""
    glyphs = face.glyphs(text)
    width, stretch = sum(advance for _, _, advance in glyphs) - face.tracking, 0.0
    if "-" in place:
        x, end = map(float, place.split("-"))
        stretch = (end - x - width) / text.count(" ")
    else:
        x = float(place.lstrip("cr")) - {"c": width / 2, "r": width}.get(place[0], 0.0)
    for glyph, accent, advance in glyphs:
        # A typewriter strikes each letter a little higher or lower, and harder or softer.
        dy = rng.normal(0, 0.7) if face.pitch else 0.0
        ink = int(np.clip(rng.normal(225, 28), 120, 255)) if face.pitch else 255
        # Whole pixels, as a fraction would move letters otherwise on other systems.
        pen.text((round(x), round(y + dy)), glyph, ink, face.font, anchor="ls")
        if accent:
            lift = 0.24 * face.size if glyph.isupper() and accent != "»" else 0
            shift = (advance - face.tracking - face.font.getlength(accent)) / 2
            at = (round(x + shift), round(y + dy - lift))
            pen.text(at, accent, ink, face.font, anchor="ls")
        x += advance + (stretch if glyph == " " else 0)


def _set(page: str, rng: Generator) -> tuple[Ink, str]:
    """The ink of a page of samples.tsv, and its text."""
    table = Path(__file__).with_name("samples.tsv").read_text(encoding="utf-8")
    (block,) = (part for part in table.split("\npage\t") if part.startswith(f"{page}\t"))
    size, *rows = [row.split("\t") for row in block.splitlines()]
    width, height = map(int, size[1].split())
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    pieces: list[tuple[str, str]] = []
    for first, where, *more in rows:
        if more:
            y, text = more
            name, em, *spacing = first.split()
            _put(pen, _Face(name, int(em), *map(float, spacing)), where, int(y), text, rng)
            pieces.append((y, text))
        else:
            x0, y0, x1, y1, weight = map(int, where.split())
            if first == "frame":
                pen.rectangle((x0, y0, x1, y1), outline=255, width=weight)
            else:
                length, step = (14, 24) if first == "dashes" else (x1 - x0, x1 - x0 + 1)
                for x in range(x0, x1 + 1, step):
                    pen.line((x, y0, x + length, y1), 255, weight)
    lines = (" ".join(text for _, text in line) for _, line in groupby(pieces, lambda p: p[0]))
    return (np.asarray(image) / 255).astype(np.float32), "\n".join(lines) + "\n"


def _turned(scan: Scan, degrees: float) -> Scan:
    """The sheet laid askew on the glass; beyond its edge is more of the same paper."""
    size = scan.shape[::-1]
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
    beyond = cv2.BORDER_REPLICATE
    turned = cv2.warpAffine(scan, matrix, size, flags=cv2.INTER_CUBIC, borderMode=beyond)
    return np.asarray(turned, np.uint8)


def _folded(scan: Scan, y: int, depth: float) -> Scan:
    """A crease across the sheet, dark beneath and light above."""
    rows = np.arange(scan.shape[0], dtype=np.float32)[:, None] - y
    shade = depth * rows / 3 * np.exp(-(rows**2) / 18)
    return np.clip(scan - shade, 0, 255).astype(np.uint8)


def _ribbon(ink: Ink, rng: Generator) -> Ink:
    """A typewriter's ribbon: cloth and hammer leave patches paler than others."""
    return degrade.uneven(degrade.thicken(ink, 0.35), 24, 0.22, rng)


def _clean(ink: Ink, rng: Generator) -> Scan:
    scan = degrade.print_on_paper(_ribbon(ink, rng), rng, paper=228, tone=48, grain=2.5)
    return degrade.noise(degrade.blur(degrade.light(scan, 0.12, rng), 0.7), 2.0, rng)


def _stained(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.wave(_ribbon(ink, rng), 1.5, 500, rng)
    scan = degrade.print_on_paper(ink, rng, paper=218, tone=52, grain=4)
    scan = degrade.stain(degrade.stain(scan, 220, 40, rng), 40, 22, rng)
    scan = _folded(_folded(scan, 547, 26), 1093, 22)
    return degrade.noise(degrade.blur(_turned(degrade.light(scan, 0.2, rng), 1.6), 0.8), 2.5, rng)


def _book(ink: Ink, rng: Generator) -> Scan:
    other = np.roll(ink, 23, axis=0)
    ink = degrade.broken(degrade.uneven(degrade.thicken(ink, 0.5), 33, 0.15, rng), 33, 0.02, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 2, 400, rng), rng, 218, 52, 3.5)
    scan = degrade.show_through(degrade.stain(scan, 90, 18, rng), other, 14)
    return degrade.noise(degrade.blur(_turned(scan, -0.4), 0.8), 2.0, rng)


def _thermal(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.stripes(degrade.uneven(ink, 60, 0.1, rng), 210, 0.3, rng)
    scan = degrade.print_on_paper(degrade.dots(ink, 4.0), rng, paper=238, tone=70, grain=1.0)
    scan = degrade.blur(_turned(scan, 0.5), 0.9)
    return (np.round(scan / 17) * 17).astype(np.uint8)  # 16 greys, so that its PNG is small


def _copied(ink: Ink, rng: Generator) -> Scan:
    """A microfilm or an office copier: black and white, with specks."""
    ink = degrade.broken(degrade.thicken(ink, 0.3), 30, 0.015, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 1.5, 600, rng), rng, 205, 60, 5)
    scan = degrade.noise(degrade.blur(_turned(scan, 0.3), 0.9), 5, rng)
    specks = rng.random(scan.shape) < 0.00006
    scan[cv2.dilate(specks.astype(np.uint8), degrade.CROSS) > 0] = 40
    return degrade.otsu(scan)


# file name -> (its page in samples.tsv, what ages and scans it)
_SAMPLES: dict[str, tuple[str, Callable[[Ink, Generator], Scan]]] = {
    "letter.jpg": ("letter", _clean),
    "letter-stained.jpg": ("letter", _stained),
    "long-s.jpg": ("long-s", _book),
    "receipt.png": ("receipt", _thermal),
    "ledger.jpg": ("ledger", _book),
    "newspaper.tif": ("newspaper", _copied),
    "title-page.jpg": ("title-page", _book),
    "form.png": ("form", _copied),
}


def render_sample(name: str) -> tuple[Scan, str]:
    """The scan, uint8 grey (H, W), and the text of one of the samples, before it is compressed."""
    page, scanner = _SAMPLES[name]
    rng = default_rng((0, list(_SAMPLES).index(name)))
    ink, text = _set(page, rng)
    return scanner(ink, rng), text


def write_samples(folder: str | Path) -> None:
    """Write the samples, each with its text beside it (.txt), into `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _SAMPLES:
        scan, text = render_sample(name)
        path, image = folder / name, Image.fromarray(scan)
        if path.suffix == ".jpg":
            image.save(path, quality=42, optimize=True, dpi=(150, 150))
        elif path.suffix == ".tif":
            image.convert("1").save(path, compression="group4", dpi=(200, 200))
        else:
            few = len(np.unique(scan)) <= 2
            image = image.convert("1") if few else image.quantize(16, dither=Image.Dither.NONE)
            image.save(path, optimize=True, dpi=(150, 150))
        path.with_suffix(".txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_samples(sys.argv[1])
