"""The settings of fine-tuning, and those that suit lines of your own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ocrkit.runtime import PRECISIONS
from ocrkit.runtime.pytorch import fast_bfloat16

_LINES_OF_AN_EPOCH = 200  # own lines in an epoch; fewer lines are used several times


@dataclass(frozen=True)
class TrainConfig:
    """How to fine-tune.

    lr: the highest learning rate. Schedule: linear warm-up over the first tenth of the steps, times
        half a cosine from 1 to 0 over all steps (Loshchilov and Hutter, "SGDR", 2017).
    precision: "float32", "bfloat16", or "auto": bfloat16 if the processor computes in it.
    ipex: optimise network and optimizer with Intel Extension for PyTorch. "auto" measures a few
        steps with and without it first, and uses it only if it is faster in every round.
    augment: strength of the augmentation (slant, stretch, ink, noise); 0 turns it off.
    bucketed: batches of lines of similar width; otherwise, as in the reference kit, batches of
        random lines, padded to the widest.
    channels_last: memory layout of the convolutions, faster on most processors.
    repeat: how often an epoch has each line; more than 1 for a few lines.
    synthetic: how many synthetic lines are added to an epoch, as a multiple of the others. A
        network that learns from one kind of line only forgets the others.
    patience: stop after so many epochs in a row without a lower CER; None trains all epochs.
    minutes: stop after this time; the learning rate falls to 0 by then. None sets no limit.

    Raises ValueError for an unknown precision or ipex, or epochs, batch_size, lr, repeat, patience
    or minutes that are not above 0.
    """

    epochs: int = 10
    batch_size: int = 80
    lr: float = 1e-3
    precision: str = "float32"
    ipex: bool | str = False
    seed: int = 0
    augment: float = 1.0
    bucketed: bool = True
    channels_last: bool = True
    repeat: int = 1
    synthetic: float = 0.0
    patience: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.precision not in (*PRECISIONS, "auto"):
            choices = ", ".join(PRECISIONS)
            raise ValueError(f"precision is {self.precision!r}; choose one of {choices}, auto")
        if self.ipex not in (False, True, "auto"):
            raise ValueError(f"ipex is {self.ipex!r}; choose True, False or 'auto'")
        if min(self.epochs, self.batch_size, self.lr) <= 0:
            found = f"epochs ({self.epochs}), batch_size ({self.batch_size}) and lr ({self.lr})"
            raise ValueError(f"{found} must be above 0")
        limits = [limit for limit in (self.patience, self.minutes) if limit is not None]
        if min([self.repeat, *limits]) <= 0 or self.synthetic < 0:
            raise ValueError("repeat, patience and minutes must be above 0, synthetic not below 0")

    @property
    def bfloat16(self) -> bool:
        """Whether training on this processor computes in bfloat16."""
        auto = self.precision == "auto" and fast_bfloat16(torch.device("cpu"))
        return self.precision == "bfloat16" or auto


def own_lines_config(
    lines: int, epochs: int = 30, minutes: float | None = None, lr: float = 1e-3, seed: int = 0
) -> TrainConfig:
    """Settings to teach a trained reader this number of your own lines.

    An epoch has some hundreds of lines. Half of them are synthetic, so that the reader forgets
    nothing that it could read before. Training ends when validation no longer gets better.
    """
    return TrainConfig(
        epochs=epochs,
        batch_size=16,
        lr=lr,
        precision="auto",
        seed=seed,
        repeat=max(1, _LINES_OF_AN_EPOCH // max(1, lines)),
        synthetic=1.0,
        patience=8,
        minutes=minutes,
    )
