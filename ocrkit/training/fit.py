"""Fine-tuning a recogniser on labelled line images."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ocrkit.errors import OcrkitError
from ocrkit.image import fit as fit_crop
from ocrkit.image import fitted_width, tighten
from ocrkit.processor import machine
from ocrkit.progress import progress as shown
from ocrkit.recognition.backends import load_backend
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime import PRECISIONS
from ocrkit.runtime.ipex import ipex_optimized
from ocrkit.runtime.packages import quiet
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.training.augment import TrainingLine, varied
from ocrkit.training.batches import collate, steps_needed
from ocrkit.training.evaluation import evaluate
from ocrkit.training.losses import ctc_loss, optimizer_step
from ocrkit.training.manifest import Sample, load_crops

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrainConfig:
    """How to fine-tune.

    lr: the highest learning rate; it rises over a tenth of the steps and falls to nothing, as half
        a cosine does (Loshchilov and Hutter, "SGDR", 2017).
    precision: "float32", "bfloat16", or "auto" for bfloat16 where the processor computes in it.
    ipex: let Intel Extension for PyTorch optimise network and optimizer.
    augment: how much lines are slanted, stretched, inked otherwise each time; 0 leaves them alone.
    bucketed: a batch holds lines of nearly one width; otherwise, as in the reference kit, lines
        drawn at random and padded to their widest.
    """

    epochs: int = 10
    batch_size: int = 80
    lr: float = 1e-3
    precision: str = "float32"
    ipex: bool = False
    seed: int = 0
    augment: float = 1.0
    bucketed: bool = True
    channels_last: bool = True

    def __post_init__(self) -> None:
        if self.precision not in (*PRECISIONS, "auto"):
            choices = ", ".join(PRECISIONS)
            raise ValueError(f"precision is {self.precision!r}; choose one of {choices}, auto")
        if min(self.epochs, self.batch_size, self.lr) <= 0:
            raise ValueError("epochs, batch_size and lr must be above 0")

    @property
    def half(self) -> bool:
        """Whether training on this processor computes in bfloat16."""
        auto = self.precision == "auto" and fast_bfloat16(torch.device("cpu"))
        return self.precision == "bfloat16" or auto


@dataclass(frozen=True)
class History:
    """What came of each epoch, and how many training lines were too narrow for their label.

    A row has epoch, minutes (since the start), loss (a character), cer and accuracy (both of the
    validation lines) and images_per_s (of training alone). readings are what the weights that were
    kept made of the validation lines.
    """

    rows: tuple[dict[str, float], ...]
    left_out: int = 0
    readings: tuple[str, ...] = ()

    @property
    def best(self) -> dict[str, float]:
        """The row with the lowest CER, the first of equals, whose weights were kept."""
        return min(self.rows, key=lambda row: row["cer"])

    def frame(self) -> pd.DataFrame:
        """The rows as `plot.learning_curve` takes them."""
        import pandas as pd

        return pd.DataFrame(self.rows)


def fit(
    model: CRNN,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    config: TrainConfig | None = None,
    path: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train the model in place; it ends in eval mode with the weights of its best epoch.

    The best epoch is that of the lowest CER on `validation`. With a path, the model is saved there
    with its provenance. Raises OcrkitError for a label with characters that the model cannot
    write, ImageError for an image that cannot be read, and MissingPartError where IPEX is asked for
    and cannot be used, or cannot compute in the precision.
    """
    config = config or TrainConfig()
    if not train or not validation:
        raise ValueError("training takes at least one training and one validation sample")
    lines = _lines(model, train)
    held_out = load_crops(validation)
    rng = np.random.default_rng(config.seed)
    deal = partial(_groups, lines, config, model.preprocessing.bucket, rng)
    trainer = _Trainer(model, config, config.epochs * len(deal()))
    images = range(config.epochs * len(lines))
    seen = iter(shown(images, "training") if progress else images)
    rows: list[dict[str, float]] = []
    start = time.monotonic()
    for epoch in range(1, config.epochs + 1):
        groups = deal()
        began, losses = time.monotonic(), []
        for i in rng.permutation(len(groups)):
            losses.append(trainer.step(groups[i]) * len(groups[i]))
            for _ in groups[i]:
                next(seen)
        seconds = time.monotonic() - began
        if trainer.network is not model:  # IPEX trains a copy
            model.load_state_dict(trainer.network.state_dict())
        reader = Recognizer(load_backend("pytorch", model), model.alphabet, model.preprocessing)
        scores = evaluate(reader, validation, held_out)
        rows.append(
            {
                "epoch": epoch,
                "minutes": round((time.monotonic() - start) / 60, 3),
                "loss": round(sum(losses) / len(lines), 4),
                "cer": scores.cer,
                "accuracy": scores.accuracy,
                "images_per_s": round(len(lines) / seconds, 1),
            }
        )
        if rows[-1] is min(rows, key=lambda row: row["cer"]):
            kept, readings = deepcopy(model.state_dict()), scores.readings
    next(seen, None)  # ends the bar
    history = History(tuple(rows), len(train) - len(lines), readings)
    model.load_state_dict(kept)
    model.provenance = {
        "data": f"{len(lines)} images of {train[0].path.parent.name}",
        "training": asdict(config),
        "processor": machine(),
        "validation": history.best | {"images": len(validation)},
        "started_from": model.provenance,
    }
    model.eval()
    if path is not None:
        model.save(path)
    return history


def training_run(
    model: CRNN, train: Sequence[Sample], config: TrainConfig, batches: int = 3
) -> tuple[Callable[[], None], int]:
    """A callable that trains a copy of the model on a few batches, to be timed; and their images.

    Each call takes the same batches, spaced evenly from the narrowest to the widest that the
    settings make of `train`. One step is made at once, as the first is slower than the others.
    Raises what `fit` raises.
    """
    model = deepcopy(model)
    rng, bucket = np.random.default_rng(config.seed), model.preprocessing.bucket
    groups = _groups(_lines(model, train), config, bucket, rng)
    chosen = [groups[(2 * i + 1) * len(groups) // (2 * batches)] for i in range(batches)]
    trainer = _Trainer(model, config, 1_000)

    def run() -> None:
        for group in chosen:
            trainer.step(group)

    trainer.step(chosen[0])
    return run, sum(map(len, chosen))


def _lines(model: CRNN, samples: Sequence[Sample]) -> list[TrainingLine]:
    """The samples fitted, without those too narrow for CTC to write their label."""
    lines, prep = [], replace(model.preprocessing, trim=False)
    for sample, crop in zip(samples, load_crops(samples), strict=True):
        try:
            label = model.alphabet.encode(sample.text)
        except ValueError as error:
            raise OcrkitError(
                f"{sample.path}: {error}; correct the label, leave the image out, or pretrain a "
                "model whose alphabet has them"
            ) from error
        crop = tighten(crop) if model.preprocessing.trim else crop
        content = fitted_width(crop, prep)[0]
        if steps_needed(label) <= -(-content // 4):  # the time steps of so many columns, at least
            lines.append(TrainingLine(fit_crop(crop, prep)[:, :, :content], sample.text))
    if not lines:
        raise OcrkitError("all images are too narrow for their labels; are path and text mixed up?")
    return lines


def _groups(
    lines: list[TrainingLine], config: TrainConfig, bucket: int, rng: np.random.Generator
) -> list[list[TrainingLine]]:
    """The lines, stretched and dealt into batches of about equal size anew at each call."""
    order = [lines[i] for i in rng.permutation(len(lines))]
    if config.augment:
        # Stretched only in its batch, the widest line would have all others padded by a fifth.
        stretch = np.exp(config.augment * rng.uniform(-0.15, 0.15, len(lines))).tolist()
        order = [replace(line, stretch=s) for line, s in zip(order, stretch, strict=True)]
    if config.bucketed:
        order.sort(key=lambda line: line.padded(bucket))
    cuts = np.linspace(0, len(order), -(-len(order) // config.batch_size) + 1).round().astype(int)
    return [order[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]


class _Trainer:
    """A network, its optimizer and its learning rate, a step at a time."""

    def __init__(self, model: CRNN, config: TrainConfig, steps: int) -> None:
        self.model, self.config = model, config
        self.rng = np.random.default_rng(config.seed)
        self.half = config.half
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.network: nn.Module = model.to(memory_format=self.layout).train()  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(model.parameters(), config.lr)
        if config.ipex:
            dtype = torch.bfloat16 if self.half else torch.float32
            with quiet():
                self.network, self.optimizer = ipex_optimized(
                    model, dtype, "ipex=False", optimizer=self.optimizer
                )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _share_of_lr(step, steps)
        )

    def step(self, group: Sequence[TrainingLine]) -> float:
        """Learn from a batch, padded to its widest; returns its loss."""
        paper, amount = self.model.preprocessing.paper, self.config.augment
        strips = [line.strip for line in group]
        if amount:
            strips = [varied(line, amount, paper, self.rng) for line in group]
        content = torch.tensor([strip.shape[2] for strip in strips])
        bucket = self.model.preprocessing.bucket
        width = -(-int(content.max()) // bucket) * bucket
        padded = np.full((len(group), *strips[0].shape[:2], width), paper, np.float32)
        for row, strip in zip(padded, strips, strict=True):
            row[:, :, : strip.shape[2]] = strip
        batch = collate(list(padded), [line.text for line in group], self.model.alphabet)
        images = batch.images.to(memory_format=self.layout)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits = self.network(images)
        # What lies beyond the content is padding, which a recogniser does not read either.
        loss = ctc_loss(logits, batch, -(-len(logits) * content // width))
        with warnings.catch_warnings():
            # IPEX's LSTM does not register its gradient as torch would have it; it is right.
            warnings.filterwarnings("ignore", ".*torch_ipex::ipex_lstm.*")
            optimizer_step(loss, self.network, self.optimizer)
        self.schedule.step()
        return loss.item()


def _share_of_lr(step: int, steps: int) -> float:
    """Rises over the first tenth of the steps, while half a cosine falls to nothing over all."""
    rise = min(1.0, (step + 1) / max(1, steps // 10))
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
