"""Marks on a page that are not text: pictures, ornaments, bar codes, stamps, scribbles, staples."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ocrkit.synth.degrade import Scan, smooth_noise


def draw(ink: Scan, kind: str, box: tuple[float, float, float, float], rng: Generator) -> None:
    """Draw a mark into a box (x0, y0, x1, y1) on the page's ink, uint8 (H, W).

    kind: picture, barcode, scribble, note, ornament, stamp, ring, staple, hole or ruler. The box is
    cut at the page's edges; nothing is drawn if less than 4 px of it remain.
    """
    height, width = ink.shape
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height]).astype(int)
    area = ink[y0:y1, x0:x1]
    h, w = area.shape
    if min(h, w) < 4:
        return
    tone, weight = int(rng.integers(120, 255)), int(rng.integers(1, 4))
    centre, radius = (w // 2, h // 2), max(1, min(w, h) // 2 - 3)
    match kind:
        case "picture":
            np.maximum(area, _picture((h, w), rng), out=area)
        case "barcode":
            area[:] = np.repeat(rng.choice([0, 255], w // 2 + 1), 2)[:w]
        case "scribble" | "note":
            n = int(np.clip(w / h * rng.uniform(3, 7), 4, 40))
            x = np.linspace(0.05, 0.95, n) * w + rng.normal(0, 0.25 * min(h, w / 4), n)
            y = h * np.clip(rng.normal(0.5, 0.22, n), 0, 1)
            _curve(area, np.stack([x, y], axis=1), tone, weight)
        case "ornament":
            for _ in range(int(rng.integers(2, 7))):  # the right half mirrors the left
                half = rng.uniform(0, [w / 2, h], (int(rng.integers(4, 9)), 2))
                _curve(area, half, 255, weight)
                _curve(area, [w, 0] + half * [-1, 1], 255, weight)
        case "stamp":
            _stamp(area, tone, weight, rng)
        case "ring":
            ring = np.zeros_like(area)
            cv2.circle(ring, centre, radius, tone // 3, max(2, radius // 12), cv2.LINE_AA)
            np.maximum(area, ring, out=area)
        case "staple":
            cv2.line(area, (0, h // 2), (w, h // 3), tone, weight, cv2.LINE_AA)
        case "hole":
            cv2.circle(area, centre, radius, 255, -1, cv2.LINE_AA)
        case "ruler":
            np.maximum(area, 60, out=area)
            step = max(4, w // 60)
            area[: h // 4, ::step] = 255
            area[: h // 2, :: 5 * step] = 255


def _curve(area: Scan, control: NDArray[np.float64], tone: int, weight: int) -> None:
    """A smooth curve near the control points (n, 2)."""
    size = (2, 10 * len(control))
    curve = cv2.resize(control.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    points = np.round(curve * 16).astype(np.int32)[:, None]  # in 1/16 px: 4 binary digits
    cv2.polylines(area, [points], False, tone, weight, cv2.LINE_AA, 4)


def _stamp(area: Scan, tone: int, weight: int, rng: Generator) -> None:
    """A rotated rubber stamp: two rings or a box, with a date too faint to be read."""
    h, w = area.shape
    centre, radius = (w / 2, h / 2), max(1, min(w, h) // 2 - 3)
    stamp, angle = np.zeros_like(area), float(rng.uniform(-20, 20))
    text, font = f"{rng.integers(1, 29)} {rng.integers(1, 13)} 19{rng.integers(10, 99)}", 2
    if rng.random() < 0.5:
        cv2.circle(stamp, (w // 2, h // 2), radius, tone, weight, cv2.LINE_AA)
        cv2.circle(stamp, (w // 2, h // 2), int(radius * 0.7), tone, 1, cv2.LINE_AA)
    else:
        corners = cv2.boxPoints((centre, (0.9 * w, 0.35 * h), 0)).astype(np.int32)
        cv2.polylines(stamp, [corners], True, tone, weight, cv2.LINE_AA)
    start = (int(centre[0] - 0.6 * radius), int(centre[1] + 0.1 * radius))
    cv2.putText(stamp, text, start, font, 0.007 * radius, tone // 2, 1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D(centre, angle, 1.0)
    np.maximum(area, cv2.warpAffine(stamp, turn, (w, h)), out=area)


def _picture(shape: tuple[int, int], rng: Generator) -> Scan:
    """The ink of a photograph, a halftone or an engraving: random tones and ellipses."""
    h, w = shape
    size = min(h, w)
    cell = size / float(rng.choice([2, 3, 8, 20, 50]))  # down to the size of letters
    tones = smooth_noise(shape, cell, rng) + 0.5 * smooth_noise(shape, cell / 4, rng)
    for _ in range(int(rng.integers(0, 6))):  # objects with sharp edges
        centre, axes = rng.uniform(0, [w, h]), rng.uniform(0.05, 0.4, 2) * size + 1
        ellipse = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
        cv2.ellipse(tones, ellipse, float(rng.normal(0, 1.2)), -1)
    tones = np.clip(0.5 + 0.3 * tones, 0, 1)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    turn, wave = float(rng.uniform(0, np.pi)), 2 * np.pi / float(rng.uniform(3, 8))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    style = rng.integers(3)
    if style == 1:  # halftone dots
        screen = 0.5 + 0.25 * (np.cos(wave * u) + np.cos(wave * v))
        tones = np.clip((tones - screen) * 4 + 0.5, 0, 1)
    elif style == 2:  # engraved strokes that follow the shapes
        strokes = 0.5 + 0.5 * np.cos(wave * (u + 4 * smooth_noise(shape, size / 4, rng)))
        tones = np.clip((tones - strokes) * 3 + 0.5, 0, 1)
    return (255 * tones).astype(np.uint8)
