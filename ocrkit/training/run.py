"""Training from random weights on synthetic lines and pages, within a budget of minutes.

Everything that a stopped run needs to go on lies in one folder: `state.pt` (weights, optimizer,
average, counters), `log.csv` (a row each evaluation) and the averaged weights as a checkpoint.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from ocrkit.errors import CheckpointError
from ocrkit.processor import machine
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.training.losses import optimizer_step

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


class Task(Protocol):
    """What a run trains: a model, its batches, its loss and its scores.

    data: what it learns from. facts: of the model, that a run cannot change.
    """

    model: Any
    config: Any
    data: str
    facts: dict[str, Any]

    def batches(self, start: int) -> Iterator[Any]:
        """Training batches without end, from example number `start` on."""

    def loss(self, output: Tensor, batch: Any) -> Tensor:
        """The loss of the model's output for a batch."""

    def scores(self, average: Any, device: torch.device) -> dict[str, float]:
        """Scores of the averaged weights on held-out examples."""


def run_within_budget(
    folder: Path, task: Task, start_from: str | Path | None, progress: bool
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
        self,
        task: Task,
        device: torch.device,
        start_from: str | Path | None,
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
        optimizer_step(loss, self.model, self.optimizer)
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


def learning_rate(config: Budget, steps: int, share: float) -> float:
    """Linear warm-up over `config.warmup` steps, then half a cosine over the budget."""
    warm = min(1.0, (steps + 1) / config.warmup)
    return config.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
