"""Training within a budget of minutes, in a run that can be stopped and resumed.

A folder has everything that a run needs to go on: `state.pt` (weights, optimizer, weight average,
counters), `log.csv` (a row for each evaluation) and the averaged weights, `model.safetensors` or
the name that was given.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from ocrkit.processor import machine
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.training.losses import optimizer_step
from ocrkit.training.state import Counters, TrainingState, load_state

# Added to the seed of a run: the seed of its validation set, which is never used for training.
HELD_OUT = 1_000_003


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The settings of a pretraining run, of a recogniser or a detector.

    minutes: the time budget, over all runs in the folder together. lr: the highest learning rate;
    it warms up over `warmup` steps and falls to almost 0 at the end of the budget. decay: of the
    weight average (EMA). workers: processes that make the training data; 0 makes it between the
    steps. evaluate_every: minutes between two evaluations. held_out: lines or pages in the
    validation set. name: of the file of the averaged weights, without suffix. bfloat16 is used if
    the processor computes in it.

    Raises ValueError for a name that is not a plain file name.
    """

    minutes: float = 60.0
    lr: float = 2e-3
    warmup: int = 300
    decay: float = 0.999
    seed: int = 0
    workers: int = 1
    evaluate_every: float = 4.0
    held_out: int = 400
    name: str = "model"

    def __post_init__(self) -> None:
        if not self.name or self.name != Path(self.name).name:
            raise ValueError(f"name is {self.name!r}; give a file name without folders")


class Task(Protocol):
    """What a run trains: a model, with its batches, its loss and its scores.

    data: a description of the training data. model_settings: of the model, which a resumed run
    cannot change.
    """

    model: Any
    config: Any
    data: str
    model_settings: dict[str, Any]

    def batches(self, start: int) -> Iterator[Any]:
        """Endless training batches, from example number `start` on."""

    def loss(self, output: Tensor, batch: Any) -> Tensor:
        """The loss of the model's output for a batch."""

    def scores(self, average: Any, device: torch.device) -> dict[str, float]:
        """Scores of the averaged weights on the validation set."""


def run_within_budget(
    folder: Path, task: Task, start_from: str | Path | None, progress: bool
) -> Path:
    """Train until the budget is spent; returns the path of the averaged weights.

    Resumes the run in the folder, if there is one. Raises CheckpointError if its state cannot be
    used, and OutputError or OSError if the folder cannot be written to.
    """
    config = task.config
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(task, device, start_from)
    if (folder / "state.pt").is_file():
        run.restore(folder / "state.pt")
    # Workers make batches ahead; those that a stopped run had not learned from are made again.
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
    return folder / f"{config.name}.safetensors"


class Run:
    """Weights, their average, the optimizer and the counters of one training run."""

    def __init__(
        self, task: Task, device: torch.device, start_from: str | Path | None = None
    ) -> None:
        self.task, self.device = task, device
        self.start_from = str(start_from) if start_from else None
        self.config: Budget = task.config
        self.bfloat16 = fast_bfloat16(device)
        model: Any = task.model
        self.model = model.to(device, memory_format=torch.channels_last).train()
        self.average = deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), self.config.lr)
        self.steps, self.crops, self.seconds = 0, 0, 0.0

    def step(self, batch: Any, share: float) -> float:
        """One step of the optimizer, `share` (0 to 1) into the budget; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.steps, share)
        images = batch.images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.model(images)
        loss = self.task.loss(output, batch)
        optimizer_step(loss, self.model, self.optimizer)
        self.steps += 1
        self.crops += len(images)
        self.update_average()
        return loss.item()

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the weight average (EMA) towards the weights."""
        # The decay is small at first, so that the average quickly forgets the random weights.
        decay = min(self.config.decay, (1 + self.steps) / (10 + self.steps))
        mine, new = self.average.state_dict(), self.model.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [new[n] for n in floats], 1 - decay)

    @torch.inference_mode()
    def evaluate(self) -> dict[str, float]:
        """The counters, and the scores of the averaged weights on the validation set."""
        scores = self.task.scores(self.average, self.device)
        return {
            "minutes": round(self.seconds / 60, 2),
            "steps": self.steps,
            "crops": self.crops,
            "lr": self.optimizer.param_groups[0]["lr"],
            **{name: round(score, 4) for name, score in scores.items()},
        }

    def save(self, folder: Path, row: Mapping[str, float]) -> None:
        """Add the row to the log, and write the averaged weights and the state."""
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
        self.average.save(folder / f"{self.config.name}.safetensors")
        TrainingState(
            self.model.state_dict(),
            self.average.state_dict(),
            self.optimizer.state_dict(),
            Counters(self.steps, self.crops, self.seconds),
            self.task.model_settings,
            self.start_from,
        ).save(folder / "state.pt")

    def restore(self, path: Path) -> None:
        """Take over a saved state; raises CheckpointError if it is damaged or of another model."""
        state = load_state(path, self.model, self.optimizer, self.task.model_settings)
        self.model.load_state_dict(state.model)
        self.average.load_state_dict(state.average)
        self.optimizer.load_state_dict(dict(state.optimizer))
        counters = state.counters
        self.steps, self.crops, self.seconds = counters.steps, counters.crops, counters.seconds
        self.start_from = state.start_from


def learning_rate(config: Budget, steps: int, share: float) -> float:
    """The learning-rate schedule: linear warm-up over `config.warmup` steps, half a cosine.

    share: of the budget that is spent, 0 to 1; at 1 the rate is 1 % of the highest.
    """
    warm_up = min(1.0, (steps + 1) / config.warmup)
    return config.lr * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
