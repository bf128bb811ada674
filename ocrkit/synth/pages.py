"""Synthetic pages: whole scanned documents with the exact outline and text of every line.

`PageGenerator` is an endless stream like `LineGenerator`; it trains the detector of text lines. A
page is laid out (layouts.py), printed (recipes.py), placed on the scanner (warp.py) and scanned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from ocrkit.synth import marks
from ocrkit.synth.degrade import Scan
from ocrkit.synth.fonts import MACHINES, Font
from ocrkit.synth.layouts import LAYOUTS, lay_out
from ocrkit.synth.recipes import print_page, scan_page
from ocrkit.synth.tables import read_toml
from ocrkit.synth.warp import place_on_scanner

POINTS = 8  # along each edge of a line's polygon

KINDS = {kind: layout.share for kind, layout in LAYOUTS.items()}  # of page -> its share
_CLUTTER: dict[str, dict[str, float]] = read_toml("pages.toml")["clutter"]


@dataclass(frozen=True)
class Sheet:
    """A page, uint8 grey (H, W), and its lines.

    polygons: float32 (2 * POINTS, 2) of x, y each: along the top in reading direction, back along
    the bottom. texts: the text of each line. ignored: polygons of what may be text or not; a
    detector neither learns nor is measured there.
    """

    scan: Scan
    polygons: list[np.ndarray]
    texts: list[str]
    kind: str
    ignored: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True)
class PageGenerator:
    """Makes page `index` of the stream `seed`.

    severity: 0 gives clean, straight pages, 1 the full range of damage. kind: one of KINDS; None
    draws a kind for each page. fonts: the fonts to use; None uses all installed ones.

    Raises ValueError for an unknown kind.
    """

    seed: int = 0
    severity: float = 1.0
    kind: str | None = None
    fonts: tuple[Font, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; the kinds are {', '.join(KINDS)}")

    def __call__(self, index: int) -> Sheet:
        rng = np.random.default_rng((self.seed, index))
        kind = self.kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
        # Papers of modern offices are in better condition.
        severity = self.severity * (0.35 if kind == "office" else 1.0)
        page = lay_out(kind, rng, self.fonts)
        if severity > 0:
            _add_clutter(page.ink, rng, severity)
        polygons = [_outline(*box) for box in page.boxes]
        body = page.body.font
        ink = page.ink.astype(np.float32) / np.float32(255)
        scan = print_page(ink, body.em, body.face.kind in MACHINES, rng, severity)
        if severity > 0:
            photo = kind == "receipt"
            scan, polygons = place_on_scanner(scan, polygons, photo, rng, severity)
            scan = scan_page(scan, body.em, rng, severity)
        return Sheet(scan, polygons, page.texts, kind)


def _outline(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """The polygon (2 * POINTS, 2) of a box."""
    x = np.linspace(x0, x1, POINTS)
    return np.c_[np.r_[x, x[::-1]], np.repeat([y0, y1], POINTS)].astype(np.float32)


def _add_clutter(ink: Scan, rng: Generator, severity: float) -> None:
    """Draw what is not text of the page: notes, stamps, coffee rings, staples, punched holes."""
    height, width = ink.shape
    for kind, row in _CLUTTER.items():
        while rng.random() < row["chance"] * severity:
            w = row["width"] * width * rng.uniform(0.5, 1.2)
            h = w * row["aspect"] * rng.uniform(0.7, 1.3)
            x, y = rng.uniform(-0.2 * w, width - 0.8 * w), rng.uniform(-0.2 * h, height - 0.8 * h)
            if kind == "hole":  # near an edge
                x = 0.3 * w if rng.random() < 0.8 else width - 1.3 * w
            elif kind == "ruler":
                y = rng.choice([0, height - h])
            marks.draw(ink, kind, (x, y, x + w, y + h), rng)
