"""Damage, modelled on what scans of old paper show.

Two kinds of functions, all pure in (array, rng): those on *ink*, a float32 mask (H, W) in 0..1 that
says how much ink lies on a pixel, and those on a *scan*, a uint8 grey image (H, W). They work on a
line of text and on a whole page alike. Lengths are in pixels, or in units of the text size `em`
(pixels) where a defect scales with the type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Ink = NDArray[np.float32]
Scan = NDArray[np.uint8]
Steps = list[tuple[float, Callable[[NDArray[Any]], NDArray[Any]]]]  # chance, damage

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def sometimes(image: NDArray[Any], steps: Steps, rng: Generator, severity: float) -> NDArray[Any]:
    """The image after the steps in turn, each by its chance times `severity`."""
    for chance, damage in steps:
        if rng.random() < chance * severity:
            image = damage(image)
    return image


def clouds(shape: tuple[int, int], cell: float, rng: Generator) -> NDArray[np.float32]:
    """Smooth noise (H, W), about N(0, 1), whose blotches are `cell` pixels across."""
    grid = [max(2, int(size / cell) + 2) for size in shape]
    noise = rng.standard_normal(grid, dtype=np.float32)
    return np.asarray(cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


# --- ink -----------------------------------------------------------------------------------------


def thicken(ink: Ink, amount: float) -> Ink:
    """Grow (amount > 0) or shrink (amount < 0) strokes by up to a pixel, as inking does."""
    moved = cv2.dilate(ink, CROSS) if amount > 0 else cv2.erode(ink, CROSS)
    share = min(abs(amount), 1.0)
    return (1 - share) * ink + share * moved


def carbon(ink: Ink, spread: float, gain: float) -> Ink:
    """A carbon copy, or type full of fluff: ink runs `spread` px, and counters fill as it gains."""
    run = np.asarray(cv2.GaussianBlur(ink, (0, 0), spread), np.float32)
    return np.clip(gain * run, 0, 1)


def uneven(ink: Ink, em: float, strength: float, rng: Generator) -> Ink:
    """Patches that took more or less ink, a few letters wide."""
    return np.clip(ink * (1 + strength * clouds(ink.shape, 1.5 * em, rng)), 0, 1)


def broken(ink: Ink, em: float, share: float, rng: Generator) -> Ink:
    """Strokes with gaps: about `share` of the ink is gone, in spots a stroke wide."""
    noise = clouds(ink.shape, max(1.5, em / 12), rng)
    threshold = float(np.quantile(noise.ravel()[::7], share))
    return ink * np.clip((noise - threshold) * 3 + 0.5, 0, 1)


def dots(ink: Ink, pitch: float, phase: tuple[float, float] = (0, 0)) -> Ink:
    """Print by needles or by the elements of a thermal head: ink on a lattice `pitch` px wide."""
    y, x = (
        np.cos(2 * np.pi * (np.arange(size, dtype=np.float32) / pitch + start))
        for size, start in zip(ink.shape, phase, strict=True)
    )
    return ink * np.clip(0.75 + 0.45 * (y[:, None] + x), 0, 1)


def stripes(ink: Ink, pitch: float, strength: float, rng: Generator) -> Ink:
    """Horizontal bands printed paler, as a worn print head or ribbon leaves them."""
    rows = np.arange(ink.shape[0], dtype=np.float32) / pitch + rng.random()
    return ink * (1 - strength * (0.5 + 0.5 * np.sin(2 * np.pi * rows)))[:, None].astype(np.float32)


def gaps(ink: Ink, em: float, count: int, rng: Generator) -> Ink:
    """Upright streaks without ink, up to a quarter of an em wide, by dead parts of a print head."""
    ink = ink.copy()
    for _ in range(count):
        left, width = rng.integers(ink.shape[1]), round(float(rng.uniform(0.04, 0.25)) * em)
        ink[:, left : left + max(1, width)] *= rng.uniform(0, 0.3)
    return ink


def fade(ink: Ink, left: float, right: float) -> Ink:
    """Ink that weakens along the line: shares `left` and `right` (0..1) are left at its ends."""
    return ink * np.linspace(left, right, ink.shape[1], dtype=np.float32)


# --- geometry ------------------------------------------------------------------------------------


def shear(ink: Ink, slant: float, slope: float) -> Ink:
    """Slant upright strokes by `slant` and tilt the baseline by `slope` (both dx/dy, dy/dx)."""
    height, width = ink.shape
    matrix = [[1, -slant, slant * height / 2], [slope, 1, -slope * width / 2]]
    sheared = cv2.warpAffine(ink, np.array(matrix, np.float32), (width, height))
    return np.asarray(sheared, np.float32)


def stretch(ink: Ink, factor: float) -> Ink:
    """Letters `factor` times as wide: condensed and expanded type, printers' narrow modes."""
    height, width = ink.shape
    return np.asarray(cv2.resize(ink, (max(4, round(width * factor)), height)), np.float32)


def wave(ink: Ink, amplitude: float, length: float, rng: Generator) -> Ink:
    """Paper that is not flat: rows drift up and down by `amplitude` px over `length` px."""
    x, y = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in ink.shape[::-1]))
    drift = amplitude * clouds((1, ink.shape[1]), length, rng)
    return np.asarray(cv2.remap(ink, x, y + drift, cv2.INTER_LINEAR), np.float32)


# --- from ink to a scan --------------------------------------------------------------------------


def print_on_paper(
    ink: Ink, rng: Generator, paper: float = 235.0, tone: float = 40.0, grain: float = 4.0
) -> Scan:
    """Lay ink of grey `tone` on paper of grey `paper` (0..255) with fibres of strength `grain`."""
    sheet = paper + grain * clouds(ink.shape, 24.0, rng) + 0.5 * grain * clouds(ink.shape, 3.0, rng)
    return np.clip(sheet * (1 - ink) + tone * ink, 0, 255).astype(np.uint8)


def stain(scan: Scan, size: float, depth: float, rng: Generator) -> Scan:
    """Foxing and tea: blotches about `size` px across that darken the paper by up to `depth`."""
    blotches = np.clip(clouds(scan.shape, size, rng) - 0.8, 0, 1)
    return np.clip(scan - depth * blotches, 0, 255).astype(np.uint8)


def show_through(scan: Scan, other: Ink, depth: float) -> Scan:
    """The other side's ink (mask of the same shape), mirrored and soft, `depth` greys dark."""
    ghost = cv2.GaussianBlur(np.ascontiguousarray(other[:, ::-1]), (0, 0), 1.2)
    return np.clip(scan - depth * ghost, 0, 255).astype(np.uint8)


def light(scan: Scan, strength: float, rng: Generator) -> Scan:
    """Uneven light: a slow gradient; at most twice the share `strength` is lost in a corner."""
    height, width = scan.shape
    gx, gy = rng.uniform(-1, 1, 2)
    ramp = gx * np.linspace(-1, 1, width, dtype=np.float32)
    ramp = ramp + gy * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.clip(scan * (1 + strength * (ramp - np.abs(ramp).max()) / 2), 0, 255).astype(np.uint8)


def blur(scan: Scan, sigma: float) -> Scan:
    """A lens out of focus."""
    return np.asarray(cv2.GaussianBlur(scan, (0, 0), sigma), np.uint8)


def noise(scan: Scan, sigma: float, rng: Generator) -> Scan:
    """Sensor noise, `sigma` greys."""
    grains = rng.standard_normal(scan.shape, dtype=np.float32)
    return np.clip(scan + sigma * grains, 0, 255).astype(np.uint8)


def sharpen(scan: Scan, sigma: float, gain: float) -> Scan:
    """An unsharp mask, as scanning software applies it: pale halos, dark specks."""
    grey = scan.astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.clip(grey + gain * (grey - soft), 0, 255).astype(np.uint8)


def pepper(scan: Scan, share: float, rng: Generator) -> Scan:
    """Black specks on the paper and white ones in the ink, as in scans turned black and white."""
    height, width = scan.shape
    size = int(rng.integers(1, 3))
    small = rng.random((-(-height // size), -(-width // size)))
    spots = np.repeat(np.repeat(small, size, axis=0), size, axis=1)[:height, :width]
    dark, light = int(scan.min()), int(scan.max())
    scan = np.where(spots < share, dark, scan)
    return np.where(spots > 1 - 0.3 * share, light, scan).astype(np.uint8)


def low_resolution(scan: Scan, factor: float) -> Scan:
    """Scanned at 1/`factor` of the resolution and enlarged again."""
    height, width = scan.shape
    size = (max(4, round(width / factor)), max(4, round(height / factor)))
    small = cv2.resize(scan, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


def jpeg(scan: Scan, quality: int) -> Scan:
    """Through a JPEG of `quality` (1..100) and back."""
    data = cv2.imencode(".jpg", scan, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def otsu(scan: Scan) -> Scan:
    """Black and white by one threshold for the image (Otsu 1979)."""
    return cv2.threshold(scan, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1].astype(np.uint8)


def sauvola(scan: Scan) -> Scan:
    """Black and white by a threshold for each pixel's window (Sauvola and Pietikäinen 2000)."""
    grey, window = scan.astype(np.float32), (31, 31)
    mean = cv2.blur(grey, window)
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, window) - mean * mean, 0))
    return np.where(grey > mean * (1 + 0.2 * (deviation / 128 - 1)), 255, 0).astype(np.uint8)


def black_and_white(scan: Scan, share: float, rng: Generator) -> Scan:
    """By Otsu's threshold for a `share` of the scans, by Sauvola's for the others."""
    return otsu(scan) if rng.random() < share else sauvola(scan)
