"""Augmentation: a training line is changed a little each time it is used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ocrkit.synth import degrade

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class TrainingLine:
    """A fitted strip (1, H, W) without padding, its label, and how wide it is to be drawn."""

    strip: np.ndarray
    text: str
    stretch: float = 1.0

    def padded(self, bucket: int) -> int:
        """Its width when stretched, as a multiple of `bucket`."""
        return math.ceil(self.stretch * self.strip.shape[2] / bucket) * bucket


def varied(line: TrainingLine, amount: float, paper: float, rng: np.random.Generator) -> np.ndarray:
    """The line's strip (1, H, W), stretched, as if set and printed a little otherwise."""

    def between(low: float, high: float) -> float:
        return amount * float(rng.uniform(low, high))

    ink = degrade.stretch(line.strip[0] - np.float32(paper), line.stretch)
    ink = degrade.shear(ink, slant=between(-0.2, 0.2), slope=between(-0.02, 0.02))
    ink = degrade.thicken(ink, between(-0.5, 0.5)) * np.float32(1 - between(0, 0.3))
    grains = rng.standard_normal(ink.shape, dtype=np.float32)
    return (ink + np.float32(between(0, 0.1)) * grains + np.float32(paper))[None]
