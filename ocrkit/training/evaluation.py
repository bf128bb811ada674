"""Evaluation: how well a recogniser reads labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.metrics import (
    accuracy,
    bootstrap_cer,
    bootstrap_wer,
    cer,
    correct_characters,
    interval,
    wer,
)
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.manifest import Sample, load_crops


@dataclass(frozen=True)
class Evaluation:
    """Targets and predictions of some images, with their scores and 95 % intervals.

    words: the confidences of the words of each prediction.
    """

    targets: tuple[str, ...]
    predictions: tuple[str, ...]
    confidences: tuple[float, ...]
    words: tuple[tuple[float, ...], ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the images whose prediction equals the target."""
        return accuracy(self.targets, self.predictions)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Wilson score interval of the accuracy."""
        return interval(round(self.accuracy * len(self.targets)), len(self.targets))

    @property
    def cer(self) -> float:
        """Character error rate over all images."""
        return cer(self.targets, self.predictions)

    @property
    def cer_interval(self) -> tuple[float, float]:
        """Bootstrap interval of the CER."""
        return bootstrap_cer(self.targets, self.predictions)

    @property
    def wer(self) -> float:
        """Word error rate over all images."""
        return wer(self.targets, self.predictions)

    @property
    def wer_interval(self) -> tuple[float, float]:
        """Bootstrap interval of the WER."""
        return bootstrap_wer(self.targets, self.predictions)

    @property
    def word_outcomes(self) -> tuple[list[float], list[bool]]:
        """The confidence of each word that was read, and whether all its characters are right.

        They are what `metrics.reliability` needs.
        """
        confidences: list[float] = []
        correct: list[bool] = []
        for target, prediction, values in zip(
            self.targets, self.predictions, self.words, strict=True
        ):
            right, start = correct_characters(target, prediction), 0
            for word, value in zip(prediction.split(" "), values, strict=False):
                correct.append(all(right[start : start + len(word)]))
                confidences.append(value)
                start += len(word) + 1
        return confidences, correct

    @property
    def figures(self) -> dict[str, float | tuple[float, float]]:
        """Number of images, accuracy and CER, and their intervals; fit for JSON."""
        return {
            "images": len(self.targets),
            "accuracy": self.accuracy,
            "cer": self.cer,
            "accuracy_interval": self.accuracy_interval,
            "cer_interval": self.cer_interval,
        }

    def worst(self, n: int = 10) -> list[int]:
        """Indices of up to n wrong predictions: highest CER first, then highest confidence."""
        rates = [cer([t], [p]) for t, p in zip(self.targets, self.predictions, strict=True)]
        wrong = [i for i, rate in enumerate(rates) if rate > 0]
        return sorted(wrong, key=lambda i: (-rates[i], -self.confidences[i]))[:n]

    def __str__(self) -> str:
        (low, high), (least, most) = self.accuracy_interval, self.cer_interval
        return (
            f"accuracy {self.accuracy:.3f} ({low:.3f}-{high:.3f}), "
            f"CER {self.cer:.4f} ({least:.4f}-{most:.4f}), {len(self.targets):,} images"
        )

    _repr_html_ = __str__


def evaluate(
    recognizer: Recognizer, samples: Sequence[Sample], crops: Sequence[np.ndarray] | None = None
) -> Evaluation:
    """Read labelled images with a recogniser of any backend, and compare with their targets.

    crops: the images of the samples, if they are loaded already. Raises ImageError for an image
    that cannot be read.
    """
    readings = recognizer(crops or load_crops(samples))
    return Evaluation(
        tuple(sample.text for sample in samples),
        tuple(reading.text for reading in readings),
        tuple(reading.confidence for reading in readings),
        tuple(tuple(word.confidence for word in reading.words) for reading in readings),
    )
