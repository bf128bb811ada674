"""Synthetic pages: whole documents, aged and scanned, with the exact outline of every line.

`PageGenerator` is an endless seeded stream like `LineGenerator`, but of pages that teach a detector
of text lines. A page is set (layouts.py), drawn, worn, laid on the glass and scanned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator

from ocrkit.synth import degrade, marks
from ocrkit.synth.degrade import Ink, Scan
from ocrkit.synth.fonts import MACHINES, Font
from ocrkit.synth.layouts import LAYOUTS, lay_out

POINTS = 8  # along each edge of a line's polygon

KINDS = {kind: layout.share for kind, layout in LAYOUTS.items()}  # of page
# mark -> (chance that a page has it, its size as a share of the page's width, height over width)
_CLUTTER = {
    "scribble": (0.16, 0.3, 0.4),
    "note": (0.25, 0.15, 0.2),  # a date or a figure in writing, about as high as the text
    "stamp": (0.1, 0.25, 0.8),
    "ring": (0.05, 0.25, 1.0),
    "staple": (0.05, 0.03, 1.0),
    "hole": (0.07, 0.04, 1.0),
    "ruler": (0.03, 0.6, 0.08),
}


@dataclass(frozen=True)
class Sheet:
    """A page, uint8 grey (H, W), and its lines.

    polygons: float32 (2 * POINTS, 2) of x, y each, along the top in reading direction and back
    along the bottom; texts: what each line says.
    """

    scan: Scan
    polygons: list[np.ndarray]
    texts: list[str]
    kind: str


@dataclass(frozen=True)
class PageGenerator:
    """Makes page `index` of the stream `seed`.

    severity: 0 gives clean, level pages, 1 the whole range of damage. kind: one of KINDS; None
    draws one for each page. fonts: those to draw with; None takes all that are found
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
        # The papers of today's offices are kept clean.
        severity = self.severity * (0.35 if kind == "office" else 1.0)
        desk = lay_out(kind, rng, self.fonts)
        if severity > 0:
            _clutter(desk.ink, rng, severity)
        polygons = [_outline(*box) for box in desk.boxes]
        face = desk.page.face
        mask = desk.ink.astype(np.float32) / np.float32(255)
        scan = _paper(mask, face.em, face.font.kind, rng, severity)
        if severity > 0:
            scan, polygons = _laid(scan, polygons, kind == "receipt", rng, severity)
            scan = _scanned(scan, face.em, rng, severity)
        return Sheet(scan, polygons, desk.texts, kind)


def _outline(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    x = np.linspace(x0, x1, POINTS)
    return np.c_[np.r_[x, x[::-1]], np.repeat([y0, y1], POINTS)].astype(np.float32)


def _clutter(ink: Scan, rng: Generator, severity: float) -> None:
    """What people and desks left on the paper."""
    height, width = ink.shape
    for kind, (chance, share, high) in _CLUTTER.items():
        while rng.random() < chance * severity:
            w = share * width * rng.uniform(0.5, 1.2)
            h = w * high * rng.uniform(0.7, 1.3)
            x, y = rng.uniform(-0.2 * w, width - 0.8 * w), rng.uniform(-0.2 * h, height - 0.8 * h)
            if kind == "hole":  # near an edge, as punched
                x = 0.3 * w if rng.random() < 0.8 else width - 1.3 * w
            elif kind == "ruler":
                y = rng.choice([0, height - h])
            marks.draw(ink, kind, (x, y, x + w, y + h), rng)


# --- from ink to a scan --------------------------------------------------------------------------


def _paper(ink: Ink, em: float, type_kind: str, rng: Generator, severity: float) -> Scan:
    """Ink worn by press, ribbon or needles, on paper of some tone with its own stains and folds."""
    u, machine = rng.uniform, type_kind in MACHINES
    steps: degrade.Steps = [
        (0.45, lambda ink: degrade.thicken(ink, u(-0.3, 0.9))),
        (0.2 if machine else 0.05, lambda ink: degrade.carbon(ink, u(0.02, 0.07) * em, u(1, 2))),
        (0.35, lambda ink: degrade.uneven(ink, em, u(0.05, 0.4), rng)),
        (0.1, lambda ink: degrade.uneven(ink, 8 * em, u(0.1, 0.35), rng)),
        (0.15, lambda ink: degrade.broken(ink, em, u(0.02, 0.15), rng)),
    ]
    if machine:
        steps += [
            (0.1, lambda ink: degrade.dots(ink, em / u(7, 12), (rng.random(), rng.random()))),
            (0.07, lambda ink: degrade.stripes(ink, em * u(0.1, 8), 0.4, rng)),
        ]
    worn = degrade.sometimes(ink, steps, rng, severity)

    clean = rng.random() > 0.75 * severity
    paper = u(235, 255) if clean else 250 - 155 * rng.random() ** 1.7
    contrast = u(0.65, 1.0) if clean else u(0.35, 0.95)
    grain = 0.0 if clean else u(0, 6) * severity * contrast
    scan = degrade.print_on_paper(worn, rng, paper, paper * (1 - contrast), grain)

    def other() -> Ink:
        return np.roll(ink, int(rng.integers(1, 60)), axis=0)

    stains: degrade.Steps = [
        (0.12, lambda scan: degrade.show_through(scan, other(), u(0.04, 0.2) * paper * contrast)),
        (0.15, lambda scan: degrade.stain(scan, rng.choice([2, 8, 20]) * em, u(10, 45), rng)),
    ]
    scan = degrade.sometimes(scan, stains, rng, severity)
    while rng.random() < 0.2 * severity:
        scan = _folded(scan, int(rng.integers(2)), u(8, 50), rng)
    return scan


def _folded(scan: Scan, axis: int, depth: float, rng: Generator) -> Scan:
    """A crease across or down the sheet, or at its edge the shadow of a book's fold."""
    size = scan.shape[axis]
    if rng.random() < 0.6:
        away = np.arange(size, dtype=np.float32) - rng.uniform(0.1, 0.9) * size
        shade = depth * (np.exp(-(away**2) / 6) - 0.4 * np.exp(-((away - 3) ** 2) / 8))
    else:
        reach = rng.uniform(0.02, 0.1) * size
        shade = 2.5 * depth * np.exp(-np.arange(size, dtype=np.float32) / reach)
        shade = shade[::-1] if rng.random() < 0.5 else shade
    shade = shade[:, None] if axis == 0 else shade[None]
    return np.clip(scan - shade, 0, 255).astype(np.uint8)


def _laid(
    scan: Scan, polygons: list[np.ndarray], photo: bool, rng: Generator, severity: float
) -> tuple[Scan, list[np.ndarray]]:
    """The sheet on the glass or the table: askew, bent, seen aslant; its lines likewise."""
    height, width = scan.shape
    photo = photo and rng.random() < 0.4 * severity
    bare = photo or rng.random() < 0.35 * severity  # more in view than the sheet
    margins = rng.uniform(0, 0.12 if photo else 0.06, 4) * bare * severity * width
    size = (round(width + margins[0] + margins[1]), round(height + margins[2] + margins[3]))

    tilt = rng.normal(0, 1) if rng.random() < 0.92 else rng.uniform(-8, 8)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), severity * tilt, 1.0)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners @ turn[:, :2].T + turn[:, 2] + margins[[0, 2]]
    moved += rng.normal(0, severity * (0.025 if photo else 0.004), (4, 2)) * width
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))

    # Where a pixel's paper lies off the flat sheet: curled paper, a lens, a book near its fold.
    bend = np.zeros((size[1], size[0], 2), np.float32)
    most = 0.0
    if rng.random() < 0.5 * severity:
        cell, most = rng.uniform(0.35, 1.0) * width, rng.uniform(0, 0.008) * severity * width
        for axis in (0, 1):
            bend[..., axis] = most * degrade.clouds(bend.shape[:2], cell, rng)
        most *= 3
    if rng.random() < 0.1 * severity:
        rise, reach = rng.uniform(-0.02, 0.02) * width, rng.uniform(0.1, 0.25) * width
        fold = np.exp(-np.arange(size[0], dtype=np.float32) / reach) * rise
        bend[..., 1] += fold if rng.random() < 0.5 else fold[::-1]
        most += abs(rise)
    points = np.concatenate([*polygons, corners] if bare else polygons or [corners])
    fitted = _fitted(matrix, points, size, 3 + most)

    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size)), axis=-1)
    source = cv2.perspectiveTransform(grid, np.linalg.inv(fitted)) + bend
    ground = _ground(size, photo, rng) if bare else np.zeros(size[::-1], np.uint8)
    border = cv2.BORDER_TRANSPARENT if bare else cv2.BORDER_REPLICATE
    x, y = cv2.split(source)
    laid = cv2.remap(scan, x, y, cv2.INTER_LINEAR, dst=ground, borderMode=border)
    if polygons:
        flat = np.concatenate(polygons)[:, None]
        there = cv2.perspectiveTransform(flat, fitted)
        for _ in range(6):  # the bend is gentle, so that going back and forth settles
            at = np.clip(np.round(there[:, 0]).astype(int), 0, np.array(size) - 1)
            there = cv2.perspectiveTransform(flat - bend[at[:, 1], at[:, 0]][:, None], fitted)
        there = np.clip(there[:, 0], 0, np.array(size)).astype(np.float32)
        polygons = list(there.reshape(-1, 2 * POINTS, 2))
    return np.asarray(laid, np.uint8), polygons


def _fitted(
    matrix: np.ndarray, points: np.ndarray, size: tuple[int, int], margin: float
) -> np.ndarray:
    """`matrix`, made smaller and moved so that it keeps all points on the page."""
    moved = cv2.perspectiveTransform(points[:, None].astype(np.float32), matrix)[:, 0]
    low, extent, end = moved.min(axis=0), np.ptp(moved, axis=0), np.array(size) - margin
    scale = float(min(1.0, *((end - margin) / np.maximum(extent, 1))))
    x, y = np.clip(low, margin, np.maximum(margin, end - scale * extent)) - scale * low
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]]) @ matrix


def _ground(size: tuple[int, int], photo: bool, rng: Generator) -> Scan:
    """What lies beneath the sheet: the scanner's lid, black or grey; a table or cloth."""
    tone = rng.choice([rng.uniform(0, 40), rng.uniform(40, 180), rng.uniform(200, 255)])
    ground = np.full(size[::-1], tone, np.float32)
    if photo or rng.random() < 0.3:
        for cell in (4.0, 60.0):
            ground += rng.uniform(2, 18) * degrade.clouds(ground.shape, cell, rng)
    return np.clip(ground, 0, 255).astype(np.uint8)


def _scanned(scan: Scan, em: float, rng: Generator, severity: float) -> Scan:
    """What light, lens, sensor and coding do."""
    u = rng.uniform
    steps: degrade.Steps = [
        (0.2, lambda scan: degrade.light(scan, u(0.05, 0.4), rng)),
        (0.4, lambda scan: degrade.blur(scan, u(0.015, 0.06) * em)),
        (0.3, lambda scan: degrade.low_resolution(scan, max(1.0, em / u(9, 22)))),
        (0.35, lambda scan: degrade.noise(scan, u(1, 12), rng)),
        (0.1, lambda scan: degrade.black_and_white(scan, 0.5, rng)),
        (0.3, lambda scan: degrade.jpeg(scan, int(rng.integers(20, 85)))),
        (0.03, lambda scan: 255 - scan),
    ]
    return degrade.sometimes(scan, steps, rng, severity)
