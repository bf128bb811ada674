"""Training steps on labelled lines: network, optimizer and learning-rate schedule."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ocrkit.recognition.network import CRNN
from ocrkit.runtime.ipex import ipex_optimized
from ocrkit.runtime.packages import quiet
from ocrkit.training.augment import augmented
from ocrkit.training.batches import Batch, collate
from ocrkit.training.config import TrainConfig
from ocrkit.training.lines import TrainingLine
from ocrkit.training.losses import ctc_loss, optimizer_step


class Trainer:
    """Trains a model, one batch at a time, over a planned number of steps.

    If `config.minutes` are over before the planned steps, the schedule ends with them.

    Raises MissingPartError if IPEX is asked for and cannot be used.
    """

    def __init__(self, model: CRNN, config: TrainConfig, steps: int) -> None:
        self.model, self.config = model, config
        self.rng = np.random.default_rng(config.seed)
        self.bfloat16 = config.bfloat16
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.network: nn.Module = model.to(memory_format=self.layout).train()  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(model.parameters(), config.lr)
        if config.ipex:
            dtype = torch.bfloat16 if self.bfloat16 else torch.float32
            with quiet():
                self.network, self.optimizer = ipex_optimized(
                    model, dtype, "ipex=False", optimizer=self.optimizer
                )
        self.start = time.monotonic()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: lr_factor(step, steps, self.share_of_time)
        )

    @property
    def share_of_time(self) -> float:
        """The share of `config.minutes` that is over; 0 without a limit."""
        limit = self.config.minutes
        return (time.monotonic() - self.start) / (60 * limit) if limit else 0.0

    def step(self, lines: Sequence[TrainingLine]) -> float:
        """Train on one batch, padded to its widest line; returns its loss."""
        batch, content = self._batch(lines)
        images = batch.images.to(memory_format=self.layout)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(images)
        # The loss covers the text only: a recogniser does not read the padding either.
        loss = ctc_loss(logits, batch, -(-len(logits) * content // images.shape[3]))
        with warnings.catch_warnings():
            # torch warns of the old way in which IPEX's LSTM registers its gradient; it is correct.
            warnings.filterwarnings("ignore", ".*torch_ipex::ipex_lstm.*")
            optimizer_step(loss, self.network, self.optimizer)
        self.schedule.step()
        return loss.item()

    def update_model(self) -> None:
        """Copy the trained weights into the model, if IPEX trains a copy of it."""
        if self.network is not self.model:
            self.model.load_state_dict(self.network.state_dict())

    def _batch(self, lines: Sequence[TrainingLine]) -> tuple[Batch, Tensor]:
        """The augmented lines as a batch, and the width (N,) of each without its padding."""
        prep, amount = self.model.preprocessing, self.config.augment
        strips = [line.strip for line in lines]
        if amount:
            strips = [augmented(line, amount, prep.paper, self.rng) for line in lines]
        content = torch.tensor([strip.shape[2] for strip in strips])
        width = -(-int(content.max()) // prep.bucket) * prep.bucket
        padded = np.full((len(lines), *strips[0].shape[:2], width), prep.paper, np.float32)
        for row, strip in zip(padded, strips, strict=True):
            row[:, :, : strip.shape[2]] = strip
        return collate(list(padded), [line.text for line in lines], self.model.alphabet), content


def lr_factor(step: int, steps: int, share_of_time: float = 0.0) -> float:
    """Factor of the learning rate at a step: linear warm-up (a tenth of them), half a cosine.

    share_of_time: how much of a limit of time is over; the cosine ends with steps or time.
    """
    done = max(step / steps, share_of_time)
    warm_up = min(1.0, max((step + 1) / max(1, steps // 10), 10 * share_of_time))
    return warm_up * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
