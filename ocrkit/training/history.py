"""The scores of a training run, epoch by epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EpochScores:
    """The scores after one epoch; epoch 0 is before the first step.

    minutes: since the start of training. loss: mean CTC loss per character of the training lines.
    cer, accuracy: on the validation set. images_per_s: of training alone, without validation.
    Epoch 0 has neither loss nor images_per_s.
    """

    epoch: int
    minutes: float
    loss: float | None
    cer: float
    accuracy: float
    images_per_s: float | None


@dataclass(frozen=True)
class History:
    """The result of `fit`.

    left_out: number of training lines that are too narrow for their target, and were not used.
    predictions: for the validation set, by the weights of the best epoch.
    """

    epochs: tuple[EpochScores, ...]
    left_out: int = 0
    predictions: tuple[str, ...] = ()

    @property
    def best(self) -> EpochScores:
        """The epoch with the lowest CER (the first of several); its weights were kept.

        It is epoch 0 only if all others are worse.
        """
        return min(self.epochs, key=lambda scores: (scores.cer, scores.epoch == 0))

    def frame(self) -> pd.DataFrame:
        """A row for each epoch, with the fields of `EpochScores`; see `plot.learning_curve`."""
        import pandas as pd

        return pd.DataFrame([asdict(scores) for scores in self.epochs])
