"""Pretraining: a recogniser learns from synthetic lines, within a budget of minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ocrkit.metrics import accuracy, cer
from ocrkit.recognition.ctc import greedy_batch
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.widening import widen
from ocrkit.synth.lines import Crop, LineGenerator
from ocrkit.training.batches import Batch, bucketed
from ocrkit.training.losses import ctc_loss
from ocrkit.training.run import HELD_OUT, Budget, run_within_budget
from ocrkit.training.streams import Stream, stream_batches


@dataclass(frozen=True)
class Curriculum:
    """Synthetic lines that get longer and more damaged over the first `ramp` crops.

    The first crops are short, clean words: from random weights, CTC learns the alignment of a word
    from far fewer examples than that of a line. Calling it gives crop number `index`.
    """

    seed: int = 0
    ramp: int = 60_000
    max_chars: int = 56

    def __call__(self, index: int) -> Crop:
        share = min(1.0, index / self.ramp) if self.ramp else 1.0
        chars = round(6 + share * (self.max_chars - 6))
        return LineGenerator(self.seed, chars, 0.3 + 0.7 * share)(index)


FAST = ModelConfig(0.25, 128, "all")  # the size of the kit's model ocrkit-fast


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Budget):
    """The settings of `pretrain`.

    model: the size of the network; None means that of the weights to start from, or else FAST.
    columns: pixel columns in a batch, so a batch has columns / width lines. ramp: crops until the
    lines have their full length (`max_chars` characters) and damage.
    """

    model: ModelConfig | None = None
    columns: int = 6144
    ramp: int = 60_000
    max_chars: int = 48


def pretrain(
    folder: str | Path,
    config: PretrainConfig | None = None,
    start_from: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train a recogniser until the budget is spent; returns the checkpoint of averaged weights.

    A run in the folder (`state.pt`) is resumed. start_from: a checkpoint, by name or path, whose
    weights a new run begins with; they are widened to `config.model`, if that is given. Raises
    CheckpointError if the state is damaged or of another model, or `config.model` is smaller than
    the model to start from; OutputError or OSError if the folder cannot be written to.
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    model = CRNN.load(start_from) if start_from else CRNN(config.model or FAST)
    if config.model and config.model != model.config:
        model = widen(model, config.model)
    return run_within_budget(Path(folder), RecognizerTask(model, config), start_from, progress)


class RecognizerTask:
    """Training a CRNN with CTC on synthetic lines; see `Task`."""

    data = "synthetic lines of ocrkit.synth"

    def __init__(self, model: CRNN, config: PretrainConfig) -> None:
        self.model, self.config = model, config
        self.model_settings = asdict(model.config) | {"classes": len(model.alphabet)}
        self.batching = model.alphabet, model.preprocessing, config.columns

    @cached_property
    def held_out(self) -> list[Batch]:
        """The validation set: the same at every evaluation, from a seed not used for training."""
        make = LineGenerator(self.config.seed + HELD_OUT, self.config.max_chars)
        return list(bucketed(map(make, range(self.config.held_out)), *self.batching))

    def batches(self, start: int) -> Iterator[Batch]:
        make = Curriculum(self.config.seed, self.config.ramp, self.config.max_chars)
        return stream_batches(Stream(make, *self.batching, start), self.config.workers)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch)

    def scores(self, average: CRNN, device: torch.device) -> dict[str, float]:
        targets: list[str] = []
        predictions: list[str] = []
        for batch in self.held_out:
            logits = average(batch.images.to(device)).float().cpu().numpy()
            predictions += [decoded.text for decoded in greedy_batch(logits, average.alphabet)]
            targets += batch.texts
        return {"cer": cer(targets, predictions), "accuracy": accuracy(targets, predictions)}
