"""The settings of `fit`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ocrkit.runtime import PRECISIONS
from ocrkit.runtime.pytorch import fast_bfloat16


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

    Raises ValueError for an unknown precision or ipex, or epochs, batch_size or lr not above 0.
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

    def __post_init__(self) -> None:
        if self.precision not in (*PRECISIONS, "auto"):
            choices = ", ".join(PRECISIONS)
            raise ValueError(f"precision is {self.precision!r}; choose one of {choices}, auto")
        if self.ipex not in (False, True, "auto"):
            raise ValueError(f"ipex is {self.ipex!r}; choose True, False or 'auto'")
        if min(self.epochs, self.batch_size, self.lr) <= 0:
            raise ValueError("epochs, batch_size and lr must be above 0")

    @property
    def bfloat16(self) -> bool:
        """Whether training on this processor computes in bfloat16."""
        auto = self.precision == "auto" and fast_bfloat16(torch.device("cpu"))
        return self.precision == "bfloat16" or auto
