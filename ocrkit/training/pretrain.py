"""Training a recogniser on synthetic lines within a budget of minutes."""

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
    """Short clean words first, longer and dirtier lines over the first `ramp` crops.

    From random weights CTC finds the alignment of a word in far fewer crops than that of a line.
    """

    seed: int = 0
    ramp: int = 60_000
    max_chars: int = 56

    def __call__(self, index: int) -> Crop:
        share = min(1.0, index / self.ramp) if self.ramp else 1.0
        chars = round(6 + share * (self.max_chars - 6))
        return LineGenerator(self.seed, chars, 0.3 + 0.7 * share)(index)


FAST = ModelConfig(0.25, 128, "all")  # the size of ocrkit-fast


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Budget):
    """How to pretrain a recogniser.

    model: its size; None takes that of the weights it starts from, or without any the default.
    columns: pixel columns in a batch, so a batch holds columns / width lines. ramp: crops until
        lines have their full length and damage.
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
    """Train a recogniser until the budget is spent; returns the averaged weights' checkpoint.

    A folder with a `state.pt` is gone on with. `start_from` names a checkpoint whose weights a new
    run begins with, widened to the settings' model where they have one. Raises CheckpointError if
    the state is of a model of other settings, or theirs is smaller than that it starts from.
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    model = CRNN.load(start_from) if start_from else CRNN(config.model or FAST)
    if config.model and config.model != model.config:
        model = widen(model, config.model)
    return run_within_budget(Path(folder), RecognizerTask(model, config), start_from, progress)


class RecognizerTask:
    """To read lines: a CRNN, crops of one width at a time, CTC.

    data: what it learns from. facts: of the model, that a run cannot change.
    """

    data = "synthetic lines of ocrkit.synth"

    def __init__(self, model: CRNN, config: PretrainConfig) -> None:
        self.model, self.config = model, config
        self.facts = asdict(model.config) | {"classes": len(model.alphabet)}
        self.batching = model.alphabet, model.preprocessing, config.columns

    @cached_property
    def held_out(self) -> list[Batch]:
        """The same crops at every evaluation, from a seed that training never draws from."""
        make = LineGenerator(self.config.seed + HELD_OUT, self.config.max_chars)
        return list(bucketed(map(make, range(self.config.held_out)), *self.batching))

    def batches(self, start: int) -> Iterator[Batch]:
        make = Curriculum(self.config.seed, self.config.ramp, self.config.max_chars)
        return stream_batches(Stream(make, *self.batching, start), self.config.workers)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch)

    def scores(self, average: CRNN, device: torch.device) -> dict[str, float]:
        truths: list[str] = []
        readings: list[str] = []
        for batch in self.held_out:
            logits = average(batch.images.to(device)).float().cpu().numpy()
            readings += [d.text for d in greedy_batch(logits, average.alphabet)]
            truths += batch.texts
        return {"cer": cer(truths, readings), "accuracy": accuracy(truths, readings)}
