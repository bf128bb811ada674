"""Augmentation: a training line is changed a little each time it is used."""

from __future__ import annotations

import numpy as np

from ocrkit.synth import degrade
from ocrkit.training.lines import TrainingLine


def augmented(
    line: TrainingLine, amount: float, paper: float, rng: np.random.Generator
) -> np.ndarray:
    """The strip of a line (1, H, W), stretched, with random slant, slope, ink and noise.

    amount: strength of the random changes, 1 as in training. paper: the value of blank paper.
    """

    def between(low: float, high: float) -> float:
        return amount * float(rng.uniform(low, high))

    ink = degrade.stretch(line.strip[0] - np.float32(paper), line.stretch)
    ink = degrade.shear(ink, slant=between(-0.2, 0.2), slope=between(-0.02, 0.02))
    ink = degrade.thicken(ink, between(-0.5, 0.5)) * np.float32(1 - between(0, 0.3))
    noise = rng.standard_normal(ink.shape, dtype=np.float32)
    return (ink + np.float32(between(0, 0.1)) * noise + np.float32(paper))[None]
