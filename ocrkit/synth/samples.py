"""The documents in data/samples: eleven scans with their texts, made by the kit itself.

samples.tsv has their contents. They use only fonts of the locked packages, so that they are the
same on every machine. The page with the long s is from Gibbon (1776), the title page follows
Diderot (1751-1772); the other texts are the kit's own.

`python -m ocrkit.synth.samples FOLDER` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink, Scan
from ocrkit.synth.sample_pages import draw_page


def render_sample(name: str) -> tuple[Scan, str]:
    """The scan, uint8 grey (H, W), and the text of a sample, before the image is compressed."""
    page, scanner = _SAMPLES[name]
    rng = default_rng((0, list(_SAMPLES).index(name)))
    ink, text = draw_page(page, rng)
    return scanner(ink, rng), text


def write_samples(folder: str | Path) -> None:
    """Write all samples, each with its text (.txt), into `folder`."""
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


# --- ageing and scanning -------------------------------------------------------------------------


def _rotated(scan: Scan, degrees: float) -> Scan:
    """The page rotated about its middle; the new corners repeat the paper at the edge."""
    size = scan.shape[::-1]
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
    border = cv2.BORDER_REPLICATE
    rotated = cv2.warpAffine(scan, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(rotated, np.uint8)


def _creased(scan: Scan, y: int, depth: float) -> Scan:
    """A horizontal crease at row y: `depth` greys darker below, lighter above."""
    rows = np.arange(scan.shape[0], dtype=np.float32)[:, None] - y
    shade = depth * rows / 3 * np.exp(-(rows**2) / 18)
    return np.clip(scan - shade, 0, 255).astype(np.uint8)


def _typed(ink: Ink, rng: Generator) -> Ink:
    """The uneven ink of a typewriter's cloth ribbon."""
    return degrade.uneven(degrade.thicken(ink, 0.35), 24, 0.22, rng)


def _clean_letter(ink: Ink, rng: Generator) -> Scan:
    scan = degrade.print_on_paper(_typed(ink, rng), rng, paper=228, tone=48, grain=2.5)
    return degrade.noise(degrade.blur(degrade.light(scan, 0.12, rng), 0.7), 2.0, rng)


def _stained_letter(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.wave(_typed(ink, rng), 1.5, 500, rng)
    scan = degrade.print_on_paper(ink, rng, paper=218, tone=52, grain=4)
    scan = degrade.stain(degrade.stain(scan, 220, 40, rng), 40, 22, rng)
    scan = _creased(_creased(scan, 547, 26), 1093, 22)
    return degrade.noise(degrade.blur(_rotated(degrade.light(scan, 0.2, rng), 1.6), 0.8), 2.5, rng)


def _old_book(ink: Ink, rng: Generator) -> Scan:
    """Letterpress on thin paper: broken strokes, stains, bleed-through."""
    other = np.roll(ink, 23, axis=0)
    ink = degrade.broken(degrade.uneven(degrade.thicken(ink, 0.5), 33, 0.15, rng), 33, 0.02, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 2, 400, rng), rng, 218, 52, 3.5)
    scan = degrade.show_through(degrade.stain(scan, 90, 18, rng), other, 14)
    return degrade.noise(degrade.blur(_rotated(scan, -0.4), 0.8), 2.0, rng)


def _thermal_print(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.stripes(degrade.uneven(ink, 60, 0.1, rng), 210, 0.3, rng)
    scan = degrade.print_on_paper(degrade.dots(ink, 4.0), rng, paper=238, tone=70, grain=1.0)
    scan = degrade.blur(_rotated(scan, 0.5), 0.9)
    return (np.round(scan / 17) * 17).astype(np.uint8)  # 16 grey levels keep the PNG small


def _photocopy(ink: Ink, rng: Generator) -> Scan:
    """Microfilm or an office copier: black and white, with specks."""
    ink = degrade.broken(degrade.thicken(ink, 0.3), 30, 0.015, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 1.5, 600, rng), rng, 205, 60, 5)
    scan = degrade.noise(degrade.blur(_rotated(scan, 0.3), 0.9), 5, rng)
    specks = rng.random(scan.shape) < 0.00006
    scan[cv2.dilate(specks.astype(np.uint8), degrade.CROSS) > 0] = 40
    return degrade.otsu(scan)


# file name -> (page of samples.tsv, how it is aged and scanned)
_SAMPLES: dict[str, tuple[str, Callable[[Ink, Generator], Scan]]] = {
    "letter.jpg": ("letter", _clean_letter),
    "letter-stained.jpg": ("letter", _stained_letter),
    "long-s.jpg": ("long-s", _old_book),
    "receipt.png": ("receipt", _thermal_print),
    "ledger.jpg": ("ledger", _old_book),
    "newspaper.tif": ("newspaper", _photocopy),
    "title-page.jpg": ("title-page", _old_book),
    "form.png": ("form", _photocopy),
    "contents.jpg": ("contents", _old_book),
    "columns.jpg": ("columns", _old_book),
    "chapter.jpg": ("chapter", _old_book),
}


if __name__ == "__main__":
    write_samples(sys.argv[1])
