"""Image defects modelled on scans of old documents.

There are two kinds of functions: those on *ink*, a float32 mask (H, W) with the amount of ink on
each pixel (0 to 1), and those on a *scan*, a uint8 grey image (H, W). Both work on a line and on a
whole page. None changes its input, and the result depends only on the arguments and the random
generator. Lengths are in pixels; `em` is the text size in pixels.
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
Steps = list[tuple[float, Callable[[NDArray[Any]], NDArray[Any]]]]  # probability, defect

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def apply_randomly(
    image: NDArray[Any], steps: Steps, rng: Generator, severity: float
) -> NDArray[Any]:
    """The image after the steps, in order, each with its probability times `severity`."""
    for probability, defect in steps:
        if rng.random() < probability * severity:
            image = defect(image)
    return image


def smooth_noise(shape: tuple[int, int], cell: float, rng: Generator) -> NDArray[np.float32]:
    """Random values (H, W), roughly N(0, 1), that change smoothly over `cell` px."""
    grid = [max(2, int(size / cell) + 2) for size in shape]
    noise = rng.standard_normal(grid, dtype=np.float32)
    return np.asarray(cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


# --- ink -----------------------------------------------------------------------------------------


def thicken(ink: Ink, amount: float) -> Ink:
    """Too much or too little ink: strokes grow (amount > 0) or shrink (amount < 0).

    Morphological dilation or erosion by up to one pixel (amount 1 or -1).
    """
    moved = cv2.dilate(ink, CROSS) if amount > 0 else cv2.erode(ink, CROSS)
    share = min(abs(amount), 1.0)
    return (1 - share) * ink + share * moved


def carbon(ink: Ink, spread: float, gain: float) -> Ink:
    """A carbon copy or dirty type: a Gaussian blur of sigma `spread` px, times `gain`, clipped.

    A gain above 1 thickens the strokes and fills the holes of letters.
    """
    run = np.asarray(cv2.GaussianBlur(ink, (0, 0), spread), np.float32)
    return np.clip(gain * run, 0, 1)


def uneven(ink: Ink, em: float, strength: float, rng: Generator) -> Ink:
    """Patches, a few letters wide, with more or less ink.

    strength: standard deviation of the change, as a share of the ink (0 to 1).
    """
    return np.clip(ink * (1 + strength * smooth_noise(ink.shape, 1.5 * em, rng)), 0, 1)


def broken(ink: Ink, em: float, share: float, rng: Generator) -> Ink:
    """Broken strokes: about `share` of the ink is missing, in spots as wide as a stroke."""
    noise = smooth_noise(ink.shape, max(1.5, em / 12), rng)
    threshold = float(np.quantile(noise.ravel()[::7], share))
    return ink * np.clip((noise - threshold) * 3 + 0.5, 0, 1)


def dots(ink: Ink, pitch: float, phase: tuple[float, float] = (0, 0)) -> Ink:
    """Dot-matrix or thermal print: the ink becomes dots, `pitch` px apart.

    phase: where the grid starts, vertically and horizontally, as shares of the pitch.
    """
    y, x = (
        np.cos(2 * np.pi * (np.arange(size, dtype=np.float32) / pitch + start))
        for size, start in zip(ink.shape, phase, strict=True)
    )
    return ink * np.clip(0.75 + 0.45 * (y[:, None] + x), 0, 1)


def stripes(ink: Ink, pitch: float, strength: float, rng: Generator) -> Ink:
    """Horizontal pale bands, `pitch` px apart, from a worn print head or ribbon.

    strength: the share of the ink that is missing in the middle of a band.
    """
    rows = np.arange(ink.shape[0], dtype=np.float32) / pitch + rng.random()
    return ink * (1 - strength * (0.5 + 0.5 * np.sin(2 * np.pi * rows)))[:, None].astype(np.float32)


def gaps(ink: Ink, em: float, count: int, rng: Generator) -> Ink:
    """Vertical streaks almost without ink, up to em / 4 wide, from a defective print head."""
    ink = ink.copy()
    for _ in range(count):
        left, width = rng.integers(ink.shape[1]), round(float(rng.uniform(0.04, 0.25)) * em)
        ink[:, left : left + max(1, width)] *= rng.uniform(0, 0.3)
    return ink


def fade(ink: Ink, left: float, right: float) -> Ink:
    """Ink that gets weaker or stronger along the line: the shares of it (0 to 1) at both ends."""
    return ink * np.linspace(left, right, ink.shape[1], dtype=np.float32)


# --- geometry ------------------------------------------------------------------------------------


def shear(ink: Ink, slant: float, slope: float) -> Ink:
    """Slant vertical strokes by `slant` (dx / dy) and tilt the baseline by `slope` (dy / dx)."""
    height, width = ink.shape
    matrix = [[1, -slant, slant * height / 2], [slope, 1, -slope * width / 2]]
    sheared = cv2.warpAffine(ink, np.array(matrix, np.float32), (width, height))
    return np.asarray(sheared, np.float32)


def stretch(ink: Ink, factor: float) -> Ink:
    """Condensed or expanded letters: `factor` times as wide, and so is the image."""
    height, width = ink.shape
    return np.asarray(cv2.resize(ink, (max(4, round(width * factor)), height)), np.float32)


def wave(ink: Ink, amplitude: float, length: float, rng: Generator) -> Ink:
    """Wavy paper: the baseline goes up and down by about `amplitude` px over `length` px."""
    x, y = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in ink.shape[::-1]))
    drift = amplitude * smooth_noise((1, ink.shape[1]), length, rng)
    return np.asarray(cv2.remap(ink, x, y + drift, cv2.INTER_LINEAR), np.float32)


def elastic(ink: Ink, amplitude: float, cell: float, rng: Generator) -> Ink:
    """An unsteady hand, or worn type: each point moves by about `amplitude` px, and points that are
    less than `cell` px apart move alike.

    Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", 2003.
    """
    x, y = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in ink.shape[::-1]))
    dx, dy = (amplitude * smooth_noise(ink.shape, cell, rng) for _ in range(2))
    return np.asarray(cv2.remap(ink, x + dx, y + dy, cv2.INTER_LINEAR), np.float32)


# --- from ink to a scan --------------------------------------------------------------------------


def print_on_paper(
    ink: Ink, rng: Generator, paper: float = 235.0, tone: float = 40.0, grain: float = 4.0
) -> Scan:
    """Ink of grey level `tone` on paper of grey level `paper` (0 to 255).

    grain: strength of the paper's texture in grey levels.
    """
    coarse, fine = (smooth_noise(ink.shape, cell, rng) for cell in (24.0, 3.0))
    sheet = paper + grain * coarse + 0.5 * grain * fine
    return np.clip(sheet * (1 - ink) + tone * ink, 0, 255).astype(np.uint8)


def stain(scan: Scan, size: float, depth: float, rng: Generator) -> Scan:
    """Stains about `size` px wide that darken the paper by up to `depth` grey levels."""
    blotches = np.clip(smooth_noise(scan.shape, size, rng) - 0.8, 0, 1)
    return np.clip(scan - depth * blotches, 0, 255).astype(np.uint8)


def show_through(scan: Scan, other: Ink, depth: float) -> Scan:
    """Bleed-through: the ink of the page's other side, mirrored and blurred.

    other: that ink (H, W), not yet mirrored. depth: how dark it shows, in grey levels.
    """
    ghost = cv2.GaussianBlur(np.ascontiguousarray(other[:, ::-1]), (0, 0), 1.2)
    return np.clip(scan - depth * ghost, 0, 255).astype(np.uint8)


def light(scan: Scan, strength: float, rng: Generator) -> Scan:
    """Uneven illumination: a linear gradient; a corner loses up to 2 * `strength` of the light."""
    height, width = scan.shape
    gx, gy = rng.uniform(-1, 1, 2)
    ramp = gx * np.linspace(-1, 1, width, dtype=np.float32)
    ramp = ramp + gy * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.clip(scan * (1 + strength * (ramp - np.abs(ramp).max()) / 2), 0, 255).astype(np.uint8)


def blur(scan: Scan, sigma: float) -> Scan:
    """An unsharp lens: a Gaussian blur of `sigma` px."""
    return np.asarray(cv2.GaussianBlur(scan, (0, 0), sigma), np.uint8)


def noise(scan: Scan, sigma: float, rng: Generator) -> Scan:
    """Sensor noise: Gaussian, `sigma` grey levels."""
    grains = rng.standard_normal(scan.shape, dtype=np.float32)
    return np.clip(scan + sigma * grains, 0, 255).astype(np.uint8)


def sharpen(scan: Scan, sigma: float, gain: float) -> Scan:
    """An unsharp mask, as scanning software applies it: light halos around the ink.

    sigma: of the Gaussian blur, px. gain: how much of the difference to the blurred scan is added.
    """
    grey = scan.astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.clip(grey + gain * (grey - blurred), 0, 255).astype(np.uint8)


def pepper(scan: Scan, share: float, rng: Generator) -> Scan:
    """Dark specks on the paper and, fewer, light ones in the ink, as in black-and-white scans.

    share: of the pixels that are dark specks; a speck is 1 or 2 px wide.
    """
    height, width = scan.shape
    size = int(rng.integers(1, 3))
    coarse = rng.random((-(-height // size), -(-width // size)))
    values = coarse.repeat(size, axis=0).repeat(size, axis=1)[:height, :width]
    specked = np.where(values < share, scan.min(), scan)
    return np.where(values > 1 - 0.3 * share, scan.max(), specked).astype(np.uint8)


def low_resolution(scan: Scan, factor: float) -> Scan:
    """A scan at 1 / `factor` of the resolution, enlarged to the same size."""
    height, width = scan.shape
    size = (max(4, round(width / factor)), max(4, round(height / factor)))
    small = cv2.resize(scan, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


def jpeg(scan: Scan, quality: int) -> Scan:
    """The scan after JPEG compression at `quality` (1 to 100)."""
    data = cv2.imencode(".jpg", scan, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def otsu(scan: Scan) -> Scan:
    """Black and white by one threshold for the whole image.

    Otsu, "A Threshold Selection Method from Gray-Level Histograms", 1979.
    """
    return cv2.threshold(scan, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1].astype(np.uint8)


def sauvola(scan: Scan) -> Scan:
    """Black and white by a local threshold, from the mean and deviation in a 31 x 31 px window.

    Sauvola and Pietikäinen, "Adaptive Document Image Binarization", 2000.
    """
    grey, window = scan.astype(np.float32), (31, 31)
    mean = cv2.blur(grey, window)
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, window) - mean * mean, 0))
    return np.where(grey > mean * (1 + 0.2 * (deviation / 128 - 1)), 255, 0).astype(np.uint8)


def black_and_white(scan: Scan, share: float, rng: Generator) -> Scan:
    """Black and white, by Otsu's method with probability `share`, else by Sauvola's."""
    return otsu(scan) if rng.random() < share else sauvola(scan)
