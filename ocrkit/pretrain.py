"""Training from random weights on synthetic lines and pages, within a budget of minutes.

Everything that a stopped run needs to go on lies in one folder: `state.pt` (weights, optimizer,
average, counters), `log.csv` (a row each evaluation) and the averaged weights as a checkpoint.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ocrkit.alphabet import Alphabet
from ocrkit.ctc import greedy_batch
from ocrkit.data import (
    Batch,
    Curriculum,
    Stream,
    bucketed,
    fitting_batches,
    stream_batches,
)
from ocrkit.detect.lines import LineDetector
from ocrkit.detect.network import LineNet, detector_loss
from ocrkit.detect.pieces import Mixture, Pieces, PieceStream, own_sheets
from ocrkit.errors import CheckpointError
from ocrkit.metrics import accuracy, cer, line_f1
from ocrkit.mixture import MixedStream, PackedLines, RealLines, book, held_out_books
from ocrkit.model import CRNN, ModelConfig, widen, with_alphabet
from ocrkit.processor import machine
from ocrkit.synth.lines import LineGenerator
from ocrkit.synth.pages import PageGenerator, Sheet
from ocrkit.train import ctc_loss, descend, fast_bfloat16

FAST = ModelConfig(0.25, 128, "all")  # the size of ocrkit-fast
HELD_OUT = 1_000_003  # added to a seed: what a run is judged by, and never learns from


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How a run of pretraining goes, whatever is learned.

    minutes: the budget, over all runs of the folder together; the learning rate falls to nothing
        at its end. decay: of the weight average (EMA). workers: processes that make the data; 0
        makes it between steps. precision: "auto" takes bfloat16 where the processor computes it
        natively. evaluate_every: minutes. held_out: how many crops or pages it is judged by.
    """

    minutes: float = 60.0
    lr: float = 2e-3
    warmup: int = 300
    decay: float = 0.999
    seed: int = 0
    workers: int = 1
    evaluate_every: float = 4.0
    held_out: int = 400


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Budget):
    """How to pretrain a recogniser.

    model: its size; None takes that of the weights it starts from, or without any the default.
    columns: pixel columns in a batch, so a batch holds columns / width lines. ramp: crops until
        lines have their full length and damage.
    height: rows of a strip; None takes those of the weights it starts from.
    lines: a folder of real lines that `mixture.pack` wrote; None trains on synthetic lines alone.
        Some books of them are held out. real: the share of real lines. fresh: the share of the
        synthetic lines that are new; the others have been drawn before, and are damaged anew.
    """

    model: ModelConfig | None = None
    height: int | None = None
    lines: str | None = None
    real: float = 0.5
    fresh: float = 0.5
    columns: int = 6144
    ramp: int = 60_000
    max_chars: int = 48


@dataclass(frozen=True, kw_only=True)
class DetectorPretrainConfig(Budget):
    """How to pretrain a detector: on pieces of pages, `batch` of `side` x `side` pixels a step.

    pages: a folder of documents of one's own, which give every second page; see `own_sheets`.
    """

    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    batch: int = 4
    side: int = 416
    pages: str | None = None
    held_out: int = 60


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
    if model.alphabet != Alphabet() and Alphabet().characters.startswith(model.alphabet.characters):
        model = with_alphabet(model, Alphabet())
    if config.height:
        model.preprocessing = replace(model.preprocessing, height=config.height)
    return _train(Path(folder), _Reading(model, config), start_from, progress)


def pretrain_detector(
    folder: str | Path,
    config: DetectorPretrainConfig | None = None,
    start_from: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train a detector on synthetic pages; all else is as with `pretrain`."""
    config = config or DetectorPretrainConfig()
    torch.manual_seed(config.seed)
    model = LineNet.load(start_from) if start_from else LineNet(config.channels)
    return _train(Path(folder), _Finding(model, config), start_from, progress)


def _train(
    folder: Path, task: _Reading | _Finding, start_from: str | Path | None, progress: bool
) -> Path:
    config = task.config
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = _Run(task, device, start_from)
    if (folder / "state.pt").is_file():
        run.restore(folder / "state.pt")
    # Workers draw ahead of `crops`; what a stopped run had not yet learned from is drawn again.
    batches = task.batches(run.crops)

    budget = config.minutes * 60
    before, began, evaluated = run.seconds, time.monotonic(), time.monotonic()
    bar = tqdm(total=round(budget), initial=round(before), unit="s", disable=not progress)
    losses: list[float] = []
    first_crop = run.crops
    while run.seconds < budget:
        losses.append(run.step(next(batches), run.seconds / budget))
        now = time.monotonic()
        run.seconds = before + now - began
        bar.n = min(round(run.seconds), round(budget))
        rate = (run.crops - first_crop) / (now - began)
        if run.steps % 20 == 0:
            bar.set_postfix_str(f"loss {losses[-1]:.3f}, {rate:.0f} crops/s")
        if now - evaluated > config.evaluate_every * 60 or run.seconds >= budget:
            row = run.evaluate()
            row |= {"loss": round(sum(losses) / len(losses), 4), "crops_per_s": round(rate, 1)}
            losses.clear()
            run.save(folder, row)
            bar.set_postfix(row)
            evaluated = time.monotonic()
    bar.close()
    return folder / "model.safetensors"


class _Run:
    """Weights, their average, the optimizer and the counters of one training run."""

    def __init__(
        self, task: _Reading | _Finding, device: torch.device, start_from: str | Path | None
    ) -> None:
        self.task, self.device, self.start_from = task, device, start_from and str(start_from)
        self.config: Budget = task.config
        self.half = fast_bfloat16(device)
        model: Any = task.model
        self.model = model.to(device, memory_format=torch.channels_last).train()
        self.average = deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), self.config.lr)
        self.steps, self.crops, self.seconds = 0, 0, 0.0

    def step(self, batch: Any, share: float) -> float:
        """One step of the optimizer, `share` (0..1) into the budget; returns the batch's loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.steps, share)
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            output = self.model(images)
        loss = self.task.loss(output, batch)
        descend(loss, self.model, self.optimizer)
        self.steps += 1
        self.crops += len(images)
        self._average()
        return loss.item()

    @torch.no_grad()
    def _average(self) -> None:
        # A young average must forget the random weights quickly: (1 + n) / (10 + n).
        decay = min(self.config.decay, (1 + self.steps) / (10 + self.steps))
        mine, new = self.average.state_dict(), self.model.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [new[n] for n in floats], 1 - decay)

    @torch.inference_mode()
    def evaluate(self) -> dict[str, float]:
        """Counters, and scores of the averaged weights on held-out crops."""
        scores = self.task.scores(self.average, self.device)
        return {
            "minutes": round(self.seconds / 60, 2),
            "steps": self.steps,
            "crops": self.crops,
            "lr": self.optimizer.param_groups[0]["lr"],
            **{name: round(score, 4) for name, score in scores.items()},
        }

    def save(self, folder: Path, row: dict[str, float]) -> None:
        with (folder / "log.csv").open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        self.average.provenance = {
            "data": self.task.data,
            "start_from": self.start_from,
            "pretraining": asdict(self.config),
            "processor": machine(),
            "held_out": row,
        }
        self.average.save(folder / "model.safetensors")
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counters": {"steps": self.steps, "crops": self.crops, "seconds": self.seconds},
            "config": self.task.facts,
            "start_from": self.start_from,
        }
        torch.save(state, folder / "state.part")
        (folder / "state.part").replace(folder / "state.pt")

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:  # of another size, or another alphabet
            raise CheckpointError(
                f"{path} is of a model {state['config']}, but the settings ask for "
                f"{self.task.facts}; take other settings, the same weights to start from, or "
                "another folder"
            ) from error
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.crops, self.seconds = state["counters"].values()
        self.start_from = state.get("start_from", self.start_from)


class _Reading:
    """To read lines: a CRNN, crops of one width at a time, CTC.

    data: what it learns from. facts: of the model, that a run cannot change.
    """

    data = "synthetic lines of ocrkit.synth"

    def __init__(self, model: CRNN, config: PretrainConfig) -> None:
        self.model, self.config = model, config
        self.facts = asdict(model.config) | {"classes": len(model.alphabet)}
        self.batching = model.alphabet, model.preprocessing, config.columns
        if config.height:
            self.facts["height"] = config.height
        if config.lines:
            packed = PackedLines.load(config.lines)
            apart = held_out_books(packed.names)
            parts: tuple[list[int], list[int]] = ([], [])
            for i, name in enumerate(packed.names):
                parts[book(name) in apart].append(i)
            self.real, self.validation = (
                RealLines(packed, part, model.preprocessing) for part in parts
            )
            self.data = f"{self.data}, and {len(parts[0])} real lines"

    @cached_property
    def held_out(self) -> list[Batch]:
        """The same crops at every evaluation, from a seed that training never draws from."""
        make = LineGenerator(self.config.seed + HELD_OUT, self.config.max_chars)
        crops = map(make, range(self.config.held_out))
        return list(bucketed(crops, *self.batching, steps=self.model.config.steps))

    @cached_property
    def held_out_real(self) -> list[Batch]:
        """The lines of the books held out, undamaged; none without real lines."""
        if not self.config.lines:
            return []
        strips = map(self.validation.plain, self.validation.lines)
        return list(fitting_batches(strips, *self.batching, steps=self.model.config.steps))

    def batches(self, start: int) -> Iterator[Batch]:
        config, model = self.config, self.model.config
        if config.lines:
            generator = LineGenerator(config.seed, config.max_chars)
            mixed = MixedStream(
                self.real, generator, self.model.alphabet, model, config.columns, config.seed,
                start, config.real, config.fresh,
            )  # fmt: skip
            return stream_batches(mixed, config.workers)
        make = Curriculum(config.seed, config.ramp, config.max_chars)
        return stream_batches(Stream(make, *self.batching, start, model), config.workers)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch)

    def scores(self, average: CRNN, device: torch.device) -> dict[str, float]:
        def read(batches: list[Batch]) -> tuple[list[str], list[str]]:
            truths: list[str] = []
            readings: list[str] = []
            for batch in batches:
                logits = average(batch.images.to(device)).float().cpu().numpy()
                readings += [d.text for d in greedy_batch(logits, average.alphabet)]
                truths += batch.texts
            return truths, readings

        synthetic, real = read(self.held_out), read(self.held_out_real)
        found = {"cer": cer(*synthetic), "accuracy": accuracy(*synthetic)}
        if real[0]:
            found |= {"real_cer": cer(*real), "real_accuracy": accuracy(*real)}
        return found


class _Finding:
    """To find lines: a LineNet, pieces of pages, the maps of their lines."""

    data = "synthetic pages of ocrkit.synth"

    def __init__(self, model: LineNet, config: DetectorPretrainConfig) -> None:
        self.model, self.config = model, config
        self.facts = {"channels": list(model.channels)}
        self.make: Callable[[int], Sheet] = PageGenerator(config.seed)
        if config.pages:
            self.make = Mixture(self.make, own_sheets(config.pages))
            self.data = f"{self.data}, and the pages of {config.pages}"

    @cached_property
    def held_out(self) -> list[Sheet]:
        make = PageGenerator(self.config.seed + HELD_OUT)
        return [make(i) for i in range(self.config.held_out)]

    def batches(self, start: int) -> Iterator[Pieces]:
        config = self.config
        stream = PieceStream(self.make, config.seed, config.side, config.batch, start)
        return stream_batches(stream, config.workers)

    def loss(self, answer: Tensor, batch: Pieces) -> Tensor:
        return detector_loss(answer, batch.maps.to(answer.device))

    def scores(self, average: LineNet, device: torch.device) -> dict[str, float]:
        """Precision, recall and F1 at IoU 0.5 over the lines of whole pages."""

        def run(page: np.ndarray) -> np.ndarray:
            return average(torch.from_numpy(page).to(device)).cpu().numpy()

        find = LineDetector(run, margin=0)
        truths = [sheet.polygons for sheet in self.held_out]
        found = [find.at_scale(sheet.scan) for sheet in self.held_out]
        return dict(zip(("precision", "recall", "f1"), line_f1(truths, found), strict=True))


def learning_rate(config: Budget, steps: int, share: float) -> float:
    """Linear warm-up over `config.warmup` steps, then half a cosine over the budget."""
    warm = min(1.0, (steps + 1) / config.warmup)
    return config.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
