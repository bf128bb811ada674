"""How well a recogniser reads labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ocrkit.metrics import accuracy, bootstrap_cer, cer, interval
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.manifest import Sample, load_crops

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Evaluation:
    """What was read, beside what is right; the intervals are of 95 %."""

    truths: tuple[str, ...]
    readings: tuple[str, ...]
    confidences: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        return accuracy(self.truths, self.readings)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        return interval(round(self.accuracy * len(self.truths)), len(self.truths))

    @property
    def cer(self) -> float:
        return cer(self.truths, self.readings)

    @property
    def cer_interval(self) -> tuple[float, float]:
        return bootstrap_cer(self.truths, self.readings)

    @property
    def figures(self) -> dict[str, float | tuple[float, float]]:
        """Number of images, accuracy and CER, and their intervals."""
        return {
            "images": len(self.truths),
            "accuracy": self.accuracy,
            "cer": self.cer,
            "accuracy_interval": self.accuracy_interval,
            "cer_interval": self.cer_interval,
        }

    def worst(self, n: int = 10) -> list[int]:
        """Indices of up to n wrong readings: most edits a character first, then the surest."""
        rates = [cer([t], [r]) for t, r in zip(self.truths, self.readings, strict=True)]
        wrong = [i for i, rate in enumerate(rates) if rate > 0]
        return sorted(wrong, key=lambda i: (-rates[i], -self.confidences[i]))[:n]

    def __str__(self) -> str:
        (low, high), (least, most) = self.accuracy_interval, self.cer_interval
        return (
            f"accuracy {self.accuracy:.3f} ({low:.3f}-{high:.3f}), "
            f"CER {self.cer:.4f} ({least:.4f}-{most:.4f}), {len(self.truths):,} images"
        )

    _repr_html_ = __str__


def evaluate(
    recognizer: Recognizer, samples: Sequence[Sample], crops: Sequence[np.ndarray] | None = None
) -> Evaluation:
    """How well a recogniser, of any backend, reads labelled images (`crops`, if loaded before)."""
    readings = recognizer(crops or load_crops(samples))
    return Evaluation(
        tuple(sample.text for sample in samples),
        tuple(reading.text for reading in readings),
        tuple(reading.confidence for reading in readings),
    )
