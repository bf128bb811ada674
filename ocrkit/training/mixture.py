"""Real and synthetic lines in one stream of training batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from torch.utils.data import IterableDataset

from ocrkit.image import Preprocessing, fit
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import LineGenerator
from ocrkit.training.batches import Batch, Strip, bucketed_strips
from ocrkit.training.real_lines import RealLines, varied
from ocrkit.training.streams import numbers_from

_MIN_KEPT = 200  # synthetic lines that are made before any is used again
# Strips are kept with 8 bits: their range, and the number of grey levels.
_LOWEST, _RANGE, _LEVELS = -0.25, 1.5, 170


class Reservoir:
    """Synthetic lines: new ones, and earlier ones that are damaged in another way.

    fresh: the share of new lines. size: how many earlier lines are kept.
    """

    def __init__(
        self,
        make: LineGenerator,
        preprocessing: Preprocessing,
        start: int,
        fresh: float,
        size: int = 12_000,
    ) -> None:
        self.make, self.preprocessing, self.numbers = make, preprocessing, numbers_from(start)
        self.fresh, self.size = fresh, size
        self.kept: list[tuple[np.ndarray, str]] = []

    def draw(self, rng: Generator) -> Strip:
        """A new line, or an earlier one."""
        if len(self.kept) < _MIN_KEPT or rng.random() < self.fresh:
            crop = self.make(next(self.numbers))
            strip = fit(crop.image, self.preprocessing)
            self._keep(strip, crop.text, rng)
            return strip, crop.text
        levels, text = self.kept[rng.integers(len(self.kept))]
        strip = levels.astype(np.float32) * np.float32(_RANGE / _LEVELS) + np.float32(_LOWEST)
        return varied(strip, rng), text

    def _keep(self, strip: np.ndarray, text: str, rng: Generator) -> None:
        levels = np.clip((strip - _LOWEST) * (_LEVELS / _RANGE), 0, 255).astype(np.uint8)
        if len(self.kept) < self.size:
            self.kept.append((levels, text))
        else:
            self.kept[rng.integers(self.size)] = levels, text


@dataclass(frozen=True, eq=False)
class MixedStream(IterableDataset[Batch]):
    """Endless batches, from crop number `start` on, of real and synthetic lines.

    columns: pixel columns in a batch. real: the share of real lines. fresh: the share of the
    synthetic lines that are new; see `Reservoir`.
    """

    lines: RealLines
    make: LineGenerator
    alphabet: Alphabet
    columns: int
    seed: int
    start: int = 0
    real: float = 0.5
    fresh: float = 1.0

    def __iter__(self) -> Iterator[Batch]:
        prep, rng = self.lines.preprocessing, np.random.default_rng((self.seed, self.start))
        synthetic = Reservoir(self.make, prep, self.start, self.fresh)

        def strips() -> Iterator[Strip]:
            while True:
                yield (self.lines if rng.random() < self.real else synthetic).draw(rng)

        return bucketed_strips(strips(), self.alphabet, prep, self.columns)
