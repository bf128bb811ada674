"""Fine-tuning a recogniser on labelled images, and measuring how well one reads them."""

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
from torch import Tensor, nn
from torch.nn import functional

from ocrkit.backends import PRECISIONS, ipex_optimized, load_backend, quiet
from ocrkit.data import Batch, Sample, collate, load_crops, steps_needed
from ocrkit.errors import OcrkitError
from ocrkit.image import fit as fit_crop
from ocrkit.image import fitted_width, tighten
from ocrkit.metrics import accuracy, bootstrap_cer, cer, interval
from ocrkit.model import CRNN
from ocrkit.processor import machine
from ocrkit.progress import progress as shown
from ocrkit.recognize import Recognizer
from ocrkit.synth import degrade

if TYPE_CHECKING:
    import pandas as pd


CLIP = 2.0  # the longest gradient that a step follows


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


@dataclass(frozen=True)
class _Line:
    """A fitted strip (1, H, W) without padding, its label, and how wide it is to be drawn."""

    strip: np.ndarray
    text: str
    stretch: float = 1.0

    def padded(self, bucket: int) -> int:
        """Its width when stretched, as a multiple of `bucket`."""
        return math.ceil(self.stretch * self.strip.shape[2] / bucket) * bucket


def _lines(model: CRNN, samples: Sequence[Sample]) -> list[_Line]:
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
            lines.append(_Line(fit_crop(crop, prep)[:, :, :content], sample.text))
    if not lines:
        raise OcrkitError("all images are too narrow for their labels; are path and text mixed up?")
    return lines


def _groups(
    lines: list[_Line], config: TrainConfig, bucket: int, rng: np.random.Generator
) -> list[list[_Line]]:
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


def _varied(line: _Line, amount: float, paper: float, rng: np.random.Generator) -> np.ndarray:
    """The line's strip (1, H, W), stretched, as if set and printed a little otherwise."""

    def between(low: float, high: float) -> float:
        return amount * float(rng.uniform(low, high))

    ink = degrade.stretch(line.strip[0] - np.float32(paper), line.stretch)
    ink = degrade.shear(ink, slant=between(-0.2, 0.2), slope=between(-0.02, 0.02))
    ink = degrade.thicken(ink, between(-0.5, 0.5)) * np.float32(1 - between(0, 0.3))
    grains = rng.standard_normal(ink.shape, dtype=np.float32)
    return (ink + np.float32(between(0, 0.1)) * grains + np.float32(paper))[None]


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

    def step(self, group: Sequence[_Line]) -> float:
        """Learn from a batch, padded to its widest; returns its loss."""
        paper, amount = self.model.preprocessing.paper, self.config.augment
        strips = [line.strip for line in group]
        if amount:
            strips = [_varied(line, amount, paper, self.rng) for line in group]
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
            descend(loss, self.network, self.optimizer)
        self.schedule.step()
        return loss.item()


def _share_of_lr(step: int, steps: int) -> float:
    """Rises over the first tenth of the steps, while half a cosine falls to nothing over all."""
    rise = min(1.0, (step + 1) / max(1, steps // 10))
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One step of the optimizer down the loss, the gradient no longer than CLIP."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()


def ctc_loss(logits: Tensor, batch: Batch, steps: Tensor | None = None) -> Tensor:
    """CTC loss (Graves et al. 2006) a character, in float32 whatever the network computed in.

    logits (T, N, C); steps (N,) is how many of the T belong to each line, None for all of them.
    """
    log_probs = functional.log_softmax(logits.float(), dim=-1)
    if steps is None:
        steps = torch.full((logits.shape[1],), len(logits), dtype=torch.long)
    targets = batch.targets.to(logits.device)
    return functional.ctc_loss(log_probs, targets, steps, batch.lengths, zero_infinity=True)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively (elsewhere it is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@dataclass(frozen=True)
class Evaluation:
    """What was read, beside what is right; the intervals are of 95 %."""

    truths: tuple[str, ...]
    readings: tuple[str, ...]
    confidences: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        return accuracy(self.truths, self.readings)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        return interval(round(self.accuracy * len(self.truths)), len(self.truths))

    @property
    def cer(self) -> float:
        return cer(self.truths, self.readings)

    @property
    def cer_interval(self) -> tuple[float, float]:
        return bootstrap_cer(self.truths, self.readings)

    @property
    def figures(self) -> dict[str, float | tuple[float, float]]:
        """Number of images, accuracy and CER, and their intervals."""
        return {
            "images": len(self.truths),
            "accuracy": self.accuracy,
            "cer": self.cer,
            "accuracy_interval": self.accuracy_interval,
            "cer_interval": self.cer_interval,
        }

    def worst(self, n: int = 10) -> list[int]:
        """Indices of up to n wrong readings: most edits a character first, then the surest."""
        rates = [cer([t], [r]) for t, r in zip(self.truths, self.readings, strict=True)]
        wrong = [i for i, rate in enumerate(rates) if rate > 0]
        return sorted(wrong, key=lambda i: (-rates[i], -self.confidences[i]))[:n]

    def __str__(self) -> str:
        (low, high), (least, most) = self.accuracy_interval, self.cer_interval
        return (
            f"accuracy {self.accuracy:.3f} ({low:.3f}-{high:.3f}), "
            f"CER {self.cer:.4f} ({least:.4f}-{most:.4f}), {len(self.truths):,} images"
        )

    _repr_html_ = __str__


def evaluate(
    recognizer: Recognizer, samples: Sequence[Sample], crops: Sequence[np.ndarray] | None = None
) -> Evaluation:
    """How well a recogniser, of any backend, reads labelled images (`crops`, if loaded before)."""
    readings = recognizer(crops or load_crops(samples))
    return Evaluation(
        tuple(sample.text for sample in samples),
        tuple(reading.text for reading in readings),
        tuple(reading.confidence for reading in readings),
    )
