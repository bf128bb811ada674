"""Training lines for `fit`: labelled images prepared for the network and put into batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.image import fit as fit_crop
from ocrkit.image import fitted_width, tighten
from ocrkit.recognition.network import CRNN
from ocrkit.training.batches import steps_needed
from ocrkit.training.config import TrainConfig
from ocrkit.training.manifest import Sample, load_crops


@dataclass(frozen=True)
class TrainingLine:
    """A line image (1, H, W) float32 as input of the network, without padding, and its target.

    stretch: factor for its width, when it is augmented.
    """

    strip: np.ndarray
    text: str
    stretch: float = 1.0

    def padded_width(self, bucket: int) -> int:
        """Its width after stretching, rounded up to a multiple of `bucket`."""
        return math.ceil(self.stretch * self.strip.shape[2] / bucket) * bucket


def training_lines(model: CRNN, samples: Sequence[Sample]) -> list[TrainingLine]:
    """The samples as training lines, without those that are too narrow for their target.

    Raises OcrkitError if a target has characters outside the alphabet, or all lines are too narrow;
    ImageError for an image that cannot be read.
    """
    lines, prep = [], replace(model.preprocessing, trim=False)
    for sample, crop in zip(samples, load_crops(samples), strict=True):
        try:
            target = model.alphabet.encode(sample.text)
        except ValueError as error:
            raise OcrkitError(
                f"{sample.path}: {error}; correct the label, leave the image out, or pretrain a "
                "model whose alphabet has them"
            ) from error
        crop = tighten(crop) if model.preprocessing.trim else crop
        content = fitted_width(crop, prep)[0]
        time_steps = -(-content // 4)  # the network makes at least this many
        if steps_needed(target) <= time_steps:
            lines.append(TrainingLine(fit_crop(crop, prep)[:, :, :content], sample.text))
    if not lines:
        raise OcrkitError("all images are too narrow for their labels; are path and text mixed up?")
    return lines


def make_batches(
    lines: list[TrainingLine], config: TrainConfig, bucket: int, rng: np.random.Generator
) -> list[list[TrainingLine]]:
    """The lines in batches of about equal size; each call stretches and shuffles them anew."""
    order = [lines[i] for i in rng.permutation(len(lines))]
    if config.augment:
        # Stretched before the batches are made: otherwise one widened line would pad all others.
        stretch = np.exp(config.augment * rng.uniform(-0.15, 0.15, len(lines))).tolist()
        order = [replace(line, stretch=s) for line, s in zip(order, stretch, strict=True)]
    if config.bucketed:
        order.sort(key=lambda line: line.padded_width(bucket))
    cuts = np.linspace(0, len(order), -(-len(order) // config.batch_size) + 1).round().astype(int)
    return [order[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
