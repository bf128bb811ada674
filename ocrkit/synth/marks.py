"""What is no text on a page: pictures, ornaments, bar codes, stamps, scribbles, rings, staples."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ocrkit.synth.degrade import Scan, clouds


def draw(ink: Scan, kind: str, box: tuple[float, float, float, float], rng: Generator) -> None:
    """Draw a mark into what of the box (x0, y0, x1, y1) is on the page, where that has room."""
    height, width = ink.shape
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height]).astype(int)
    here = ink[y0:y1, x0:x1]
    h, w = here.shape
    if min(h, w) < 4:
        return
    tone, weight = int(rng.integers(120, 255)), int(rng.integers(1, 4))
    centre, radius = (w // 2, h // 2), max(1, min(w, h) // 2 - 3)
    match kind:
        case "picture":
            np.maximum(here, _picture((h, w), rng), out=here)
        case "barcode":
            here[:] = np.repeat(rng.choice([0, 255], w // 2 + 1), 2)[:w]
        case "scribble" | "note":
            n = int(np.clip(w / h * rng.uniform(3, 7), 4, 40))
            x = np.linspace(0.05, 0.95, n) * w + rng.normal(0, 0.25 * min(h, w / 4), n)
            y = h * np.clip(rng.normal(0.5, 0.22, n), 0, 1)
            _curve(here, np.stack([x, y], axis=1), tone, weight)
        case "ornament":
            for _ in range(int(rng.integers(2, 7))):  # each half mirrors the other
                half = rng.uniform(0, [w / 2, h], (int(rng.integers(4, 9)), 2))
                _curve(here, half, 255, weight)
                _curve(here, [w, 0] + half * [-1, 1], 255, weight)
        case "stamp":
            _stamp(here, tone, weight, rng)
        case "ring":
            ring = np.zeros_like(here)
            cv2.circle(ring, centre, radius, tone // 3, max(2, radius // 12), cv2.LINE_AA)
            np.maximum(here, ring, out=here)
        case "staple":
            cv2.line(here, (0, h // 2), (w, h // 3), tone, weight, cv2.LINE_AA)
        case "hole":
            cv2.circle(here, centre, radius, 255, -1, cv2.LINE_AA)
        case "ruler":
            np.maximum(here, 60, out=here)
            step = max(4, w // 60)
            here[: h // 4, ::step] = 255
            here[: h // 2, :: 5 * step] = 255


def _curve(here: Scan, control: NDArray[np.float64], tone: int, weight: int) -> None:
    """A smooth curve near points (n, 2)."""
    size = (2, 10 * len(control))
    curve = cv2.resize(control.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    sixteenths = np.round(curve * 16).astype(np.int32)[:, None]  # as OpenCV takes parts of a pixel
    cv2.polylines(here, [sixteenths], False, tone, weight, cv2.LINE_AA, 4)


def _stamp(here: Scan, tone: int, weight: int, rng: Generator) -> None:
    """Two rings or a box askew, and in it letters too faint to be read."""
    h, w = here.shape
    centre, radius = (w / 2, h / 2), max(1, min(w, h) // 2 - 3)
    stamp, angle = np.zeros_like(here), float(rng.uniform(-20, 20))
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
    np.maximum(here, cv2.warpAffine(stamp, turn, (w, h)), out=here)


def _picture(shape: tuple[int, int], rng: Generator) -> Scan:
    """A photograph, its halftone or an engraving, as ink."""
    h, w = shape
    size = min(h, w)
    cell = size / float(rng.choice([2, 3, 8, 20, 50]))  # down to blots of the size of letters
    tones = clouds(shape, cell, rng) + 0.5 * clouds(shape, cell / 4, rng)
    for _ in range(int(rng.integers(0, 6))):  # things with edges
        centre, axes = rng.uniform(0, [w, h]), rng.uniform(0.05, 0.4, 2) * size + 1
        thing = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
        cv2.ellipse(tones, thing, float(rng.normal(0, 1.2)), -1)
    tones = np.clip(0.5 + 0.3 * tones, 0, 1)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    turn, wave = float(rng.uniform(0, np.pi)), 2 * np.pi / float(rng.uniform(3, 8))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    style = rng.integers(3)
    if style == 1:  # dots
        screen = 0.5 + 0.25 * (np.cos(wave * u) + np.cos(wave * v))
        tones = np.clip((tones - screen) * 4 + 0.5, 0, 1)
    elif style == 2:  # strokes that follow the forms
        strokes = 0.5 + 0.5 * np.cos(wave * (u + 4 * clouds(shape, size / 4, rng)))
        tones = np.clip((tones - strokes) * 3 + 0.5, 0, 1)
    return (255 * tones).astype(np.uint8)
