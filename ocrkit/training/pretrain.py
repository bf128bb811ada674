"""Pretraining: a recogniser learns from synthetic and real lines, within a budget of minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ocrkit.metrics import accuracy, cer
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy_batch
from ocrkit.recognition.network import CRNN, ModelConfig, check_height
from ocrkit.recognition.widening import widen, with_alphabet
from ocrkit.synth.lines import Crop, LineGenerator
from ocrkit.training.batches import Batch, bucketed, bucketed_strips
from ocrkit.training.losses import ctc_loss
from ocrkit.training.mixture import MixedStream
from ocrkit.training.packing import PackedLines
from ocrkit.training.real_lines import RealLines, book_of, held_out_books
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
    height: rows of a strip, 32 to 47; None means those of the weights to start from, or else 32.
    lines: a folder of real lines packed by `ocrkit.training.packing`; None uses synthetic lines
        only. Some books are held out for validation. real: the share of real lines. fresh: the
        share of the synthetic lines beside them that are new; the others are used again.
    columns: pixel columns in a batch, so a batch has columns / width lines.
    ramp: crops until the lines have their full length (`max_chars` characters) and damage; not
        used with real lines.
    """

    model: ModelConfig | None = None
    height: int | None = None
    lines: str | None = None
    real: float = 0.5
    fresh: float = 1.0
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
    weights a new run begins with; they are widened to `config.model`, if that is given, and learn
    the characters that the default alphabet has beyond theirs. Raises CheckpointError if the state
    is damaged or of another model, or `config.model` is smaller than the model to start from;
    OcrkitError if there are no packed lines in `config.lines`; OutputError or OSError if the folder
    cannot be written to; ValueError for a height that the network does not take.
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    model = CRNN.load(start_from) if start_from else CRNN(config.model or FAST)
    if config.model and config.model != model.config:
        model = widen(model, config.model)
    known, default = model.alphabet.characters, Alphabet().characters
    if known != default and default.startswith(known):
        model = with_alphabet(model, Alphabet())
    if config.height:
        model.preprocessing = replace(model.preprocessing, height=config.height)
        check_height(model.preprocessing)
    return run_within_budget(Path(folder), RecognizerTask(model, config), start_from, progress)


class RecognizerTask:
    """Training a CRNN with CTC on synthetic lines, or on real and synthetic ones; see `Task`."""

    def __init__(self, model: CRNN, config: PretrainConfig) -> None:
        self.model, self.config = model, config
        self.model_settings = asdict(model.config) | {
            "classes": len(model.alphabet),
            "height": model.preprocessing.height,
        }
        self.batching = model.alphabet, model.preprocessing, config.columns
        self.data = "synthetic lines of ocrkit.synth"
        if config.lines:
            self.real, self.held_out_real = _real_lines(config.lines, model)
            self.data += f", and {len(self.real.lines)} real lines"

    @cached_property
    def held_out(self) -> list[Batch]:
        """The validation set: the same at every evaluation, from a seed not used for training."""
        make = LineGenerator(self.config.seed + HELD_OUT, self.config.max_chars)
        return list(bucketed(map(make, range(self.config.held_out)), *self.batching))

    @cached_property
    def held_out_real_batches(self) -> list[Batch]:
        """The real lines of the books that are held out, without damage."""
        lines = self.held_out_real
        return list(bucketed_strips(map(lines.plain, lines.lines), *self.batching))

    def batches(self, start: int) -> Iterator[Batch]:
        config = self.config
        if not config.lines:
            curriculum = Curriculum(config.seed, config.ramp, config.max_chars)
            stream = Stream(curriculum, *self.batching, start)
            return stream_batches(stream, config.workers)
        make = LineGenerator(config.seed, config.max_chars)
        mixed = MixedStream(
            self.real, make, self.model.alphabet, config.columns, config.seed, start,
            config.real, config.fresh,
        )  # fmt: skip
        return stream_batches(mixed, config.workers)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch)

    def scores(self, average: CRNN, device: torch.device) -> dict[str, float]:
        """CER and accuracy on synthetic lines, and on real ones if it trains on real lines."""
        targets, predictions = _read(average, self.held_out, device)
        scores = {"cer": cer(targets, predictions), "accuracy": accuracy(targets, predictions)}
        if self.config.lines:
            targets, predictions = _read(average, self.held_out_real_batches, device)
            scores["real_cer"] = cer(targets, predictions)
            scores["real_accuracy"] = accuracy(targets, predictions)
        return scores


def _real_lines(folder: str, model: CRNN) -> tuple[RealLines, RealLines]:
    """The packed lines of a folder, for training and for validation."""
    packed = PackedLines.load(folder)
    books = held_out_books(packed.names)
    parts: tuple[list[int], list[int]] = ([], [])
    for i, name in enumerate(packed.names):
        parts[book_of(name) in books].append(i)
    training, validation = (RealLines(packed, part, model.preprocessing) for part in parts)
    return training, validation


def _read(
    model: CRNN, batches: Iterable[Batch], device: torch.device
) -> tuple[list[str], list[str]]:
    """The targets and the predictions of all lines."""
    targets: list[str] = []
    predictions: list[str] = []
    for batch in batches:
        logits = model(batch.images.to(device)).float().cpu().numpy()
        predictions += [decoded.text for decoded in greedy_batch(logits, model.alphabet)]
        targets += batch.texts
    return targets, predictions
