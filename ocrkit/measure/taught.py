"""What a reader gained, and what it lost, when it was taught your own lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrkit.compress.calibration import synthetic_strips
from ocrkit.compress.openvino import to_openvino
from ocrkit.image import fit
from ocrkit.metrics import (
    bootstrap_cer,
    bootstrap_change,
    cer,
    expected_calibration_error,
)
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.lines import LineGenerator
from ocrkit.training.evaluation import evaluate
from ocrkit.training.manifest import Sample, load_crops

GENERAL_SEED = 3_000_017  # used for nothing else
# The general lines may lose so much CER, absolutely, before it is said.
TOLERANCE = 0.005
_FONTS = ("trdg", "matplotlib")  # packages that everybody has: the lines are the same everywhere


@dataclass(frozen=True)
class Change:
    """How one set of lines is read before and after; rates have 95 % bootstrap intervals.

    calibration: the expected calibration error of the confidences of characters, before and after.
    """

    name: str
    targets: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    calibration: tuple[float, float]

    @property
    def rates(self) -> tuple[float, float]:
        """The CER before and after."""
        return cer(self.targets, self.before), cer(self.targets, self.after)

    @property
    def intervals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The interval of each."""
        return bootstrap_cer(self.targets, self.before), bootstrap_cer(self.targets, self.after)

    @property
    def difference(self) -> tuple[float, float]:
        """The interval of CER after - CER before, on the same lines."""
        return bootstrap_change(self.targets, self.before, self.after)

    @property
    def lost(self) -> bool:
        """Whether the CER is certainly higher than before, by more than TOLERANCE."""
        before, after = self.rates
        return after - before > TOLERANCE and self.difference[0] > 0

    @property
    def row(self) -> tuple[str, ...]:
        """Name, lines, CER before and after, and the change, as texts for a table."""
        before, after = (
            f"{rate:.4f} ({low:.4f}-{high:.4f})"
            for rate, (low, high) in zip(self.rates, self.intervals, strict=True)
        )
        change = " to ".join(f"{bound:+.4f}" for bound in self.difference)
        return self.name, str(len(self.targets)), before, after, change


def changes(
    before: Recognizer, after: Recognizer, sets: dict[str, Sequence[Sample]]
) -> list[Change]:
    """Read each set of lines with two recognisers. Raises ImageError as `load_crops`."""
    result = []
    for name, samples in sets.items():
        crops = load_crops(samples)
        old, new = (evaluate(reader, samples, crops) for reader in (before, after))
        calibration = (
            expected_calibration_error(*old.character_outcomes),
            expected_calibration_error(*new.character_outcomes),
        )
        result.append(Change(name, old.targets, old.predictions, new.predictions, calibration))
    return result


def general_lines(count: int = 200) -> list[Sample]:
    """Synthetic lines of all kinds, always the same: what a reader should not forget."""
    fonts = tuple(font for font in find_fonts() if font.family.startswith(_FONTS))
    make = LineGenerator(GENERAL_SEED, max_chars=48, severity=0.7, fonts=fonts)
    crops = map(make, range(count))
    return [
        Sample(Path(f"general-{i}"), crop.text, image=crop.image) for i, crop in enumerate(crops)
    ]


def write_int8(model: CRNN, path: str | Path, samples: Sequence[Sample], count: int = 150) -> Path:
    """Write a taught model in INT8, calibrated with `count` lines, half of them synthetic.

    path: an .xml. samples: lines it has learned. Raises ImageError for an image that cannot be
    read.
    """
    own = samples[:: max(1, 2 * len(samples) // count)]
    strips = [fit(crop, model.preprocessing)[None] for crop in load_crops(own)]
    general = list(synthetic_strips(model.preprocessing, count // 2))
    return to_openvino(model, path, int8=True, calibration=[*strips, *general])
