"""Which damage lines and pages get, how often and how strong: the recipes over degrade.py.

Ink is worn before it is printed; then it is printed on paper, and the paper is scanned. `em` is the
text size in pixels; `severity` scales the probability of each step (0: none, 1: the full range).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink, Scan, Steps


def wear_line(ink: Ink, em: float, machine: bool, rng: Generator, severity: float) -> Ink:
    """The ink of a line after the defects of printing.

    machine: typed, or printed by needles or a thermal head.
    """
    u, max_uneven = rng.uniform, 0.5 if machine else 0.35
    steps: Steps = [
        (0.5, lambda ink: degrade.thicken(ink, u(-0.45, 1.0))),
        (0.25 if machine else 0.1, lambda ink: degrade.carbon(ink, u(0.02, 0.075) * em, u(1, 2.2))),
        (0.5 if machine else 0.25, lambda ink: degrade.uneven(ink, em, u(0.05, max_uneven), rng)),
        (0.08, lambda ink: degrade.fade(ink, *rng.permutation([1.0, u(0.15, 0.7)]))),
        (0.2, lambda ink: degrade.broken(ink, em, u(0.02, 0.2), rng)),
    ]
    if machine:
        steps += [
            (0.12, lambda ink: degrade.dots(ink, em / u(7, 12), (rng.random(), rng.random()))),
            (0.08, lambda ink: degrade.stripes(ink, em * u(0.08, 0.3), 0.5, rng)),
            (0.08, lambda ink: degrade.gaps(ink, em, int(rng.integers(1, 4)), rng)),
        ]
    return degrade.apply_randomly(ink, steps, rng, severity)


def scan_line(ink: Ink, em: float, rng: Generator, severity: float) -> Scan:
    """The ink of a line on paper and scanned: paper tone, stains, optics, noise, compression."""
    u, clean = rng.uniform, rng.random() > 0.75 * severity
    paper = u(235, 255) if clean else u(110, 250)
    contrast = u(0.6, 1.0) if clean else u(0.22, 0.95)
    grain = 0.0 if clean else u(0, 8) * severity
    steps: Steps = [
        (0.08, lambda scan: degrade.show_through(scan, ink[::-1], u(8, 40))),
        (0.08, lambda scan: degrade.stain(scan, 3 * em, u(20, 70), rng)),
        (0.15, lambda scan: degrade.light(scan, u(0.05, 0.4), rng)),
        (0.45, lambda scan: degrade.blur(scan, u(0.015, 0.055) * em)),
        # As if scanned at an em of 10 to 24 px.
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
    return degrade.apply_randomly(scan, steps, rng, severity)


def print_page(ink: Ink, em: float, machine: bool, rng: Generator, severity: float) -> Scan:
    """The ink of a page, worn and on paper: paper tone, bleed-through, stains, creases."""
    worn = _wear_page(ink, em, machine, rng, severity)
    u, clean = rng.uniform, rng.random() > 0.75 * severity
    paper = u(235, 255) if clean else 250 - 155 * rng.random() ** 1.7
    contrast = u(0.65, 1.0) if clean else u(0.35, 0.95)
    grain = 0.0 if clean else u(0, 6) * severity * contrast
    scan = degrade.print_on_paper(worn, rng, paper, paper * (1 - contrast), grain)

    def other_side() -> Ink:
        return np.roll(ink, int(rng.integers(1, 60)), axis=0)

    def bleed_through(scan: Scan) -> Scan:
        return degrade.show_through(scan, other_side(), u(0.04, 0.2) * paper * contrast)

    steps: Steps = [
        (0.12, bleed_through),
        (0.15, lambda scan: degrade.stain(scan, rng.choice([2, 8, 20]) * em, u(10, 45), rng)),
    ]
    scan = degrade.apply_randomly(scan, steps, rng, severity)
    while rng.random() < 0.2 * severity:
        scan = _creased(scan, int(rng.integers(2)), u(8, 50), rng)
    return scan


def _wear_page(ink: Ink, em: float, machine: bool, rng: Generator, severity: float) -> Ink:
    u = rng.uniform
    steps: Steps = [
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
    return degrade.apply_randomly(ink, steps, rng, severity)


def _creased(scan: Scan, axis: int, depth: float, rng: Generator) -> Scan:
    """A crease across the page (axis 0: at a row, 1: at a column), or a book's shadow at an edge.

    depth: how much darker the crease is, in grey levels.
    """
    size = scan.shape[axis]
    if rng.random() < 0.6:
        distance = np.arange(size, dtype=np.float32) - rng.uniform(0.1, 0.9) * size
        shade = depth * (np.exp(-(distance**2) / 6) - 0.4 * np.exp(-((distance - 3) ** 2) / 8))
    else:
        reach = rng.uniform(0.02, 0.1) * size
        shade = 2.5 * depth * np.exp(-np.arange(size, dtype=np.float32) / reach)
        shade = shade[::-1] if rng.random() < 0.5 else shade
    shade = shade[:, None] if axis == 0 else shade[None]
    return np.clip(scan - shade, 0, 255).astype(np.uint8)


def scan_page(scan: Scan, em: float, rng: Generator, severity: float) -> Scan:
    """A page after the defects of scanning: light, blur, resolution, noise, compression."""
    u = rng.uniform
    steps: Steps = [
        (0.2, lambda scan: degrade.light(scan, u(0.05, 0.4), rng)),
        (0.4, lambda scan: degrade.blur(scan, u(0.015, 0.06) * em)),
        (0.3, lambda scan: degrade.low_resolution(scan, max(1.0, em / u(9, 22)))),
        (0.35, lambda scan: degrade.noise(scan, u(1, 12), rng)),
        (0.1, lambda scan: degrade.black_and_white(scan, 0.5, rng)),
        (0.3, lambda scan: degrade.jpeg(scan, int(rng.integers(20, 85)))),
        (0.03, lambda scan: 255 - scan),
    ]
    return degrade.apply_randomly(scan, steps, rng, severity)
