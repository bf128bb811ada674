"""Training a recogniser from random weights on synthetic lines, within a budget of minutes.

Everything that a stopped run needs to go on lies in one folder: `state.pt` (weights, optimizer,
average, counters), `log.csv` (a row each evaluation) and the averaged weights as a checkpoint.
"""

from __future__ import annotations

import csv
import math
import platform
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from ocrkit.alphabet import Alphabet
from ocrkit.ctc import greedy_batch
from ocrkit.data import Batch, Curriculum, Stream, bucketed, stream_batches
from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.metrics import accuracy, cer
from ocrkit.model import CRNN, ModelConfig
from ocrkit.synth.lines import LineGenerator
from ocrkit.train import ctc_loss, fast_bfloat16


@dataclass(frozen=True)
class PretrainConfig:
    """How to pretrain.

    minutes: the budget, over all runs of the folder together; the learning rate falls to nothing
        at its end. columns: pixel columns in a batch, so a batch holds columns / width lines.
    ramp: crops until lines have their full length and damage. decay: of the weight average (EMA).
    workers: processes that make the data; 0 makes it between steps. precision: "auto" takes
        bfloat16 where the processor computes it natively. evaluate_every: minutes.
    """

    model: ModelConfig = ModelConfig(0.25, 128, "all")
    minutes: float = 60.0
    columns: int = 6144
    lr: float = 2e-3
    warmup: int = 300
    weight_decay: float = 0.01
    clip: float = 2.0
    decay: float = 0.999
    ramp: int = 60_000
    max_chars: int = 48
    seed: int = 0
    workers: int = 1
    precision: str = "auto"
    evaluate_every: float = 4.0
    held_out: int = 400


def pretrain(
    folder: str | Path,
    config: PretrainConfig | None = None,
    start_from: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train until the budget is spent; returns the checkpoint of the averaged weights.

    A folder with a `state.pt` is gone on with. `start_from` names a checkpoint whose weights a new
    run begins with. Raises CheckpointError if the state is of a model of other settings.
    """
    config = config or PretrainConfig()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = config.precision == "bfloat16" or (config.precision == "auto" and fast_bfloat16(device))

    model = CRNN.load(start_from) if start_from else CRNN(config.model)
    model = model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    run = _Run(model, config)
    if (folder / "state.pt").is_file():
        run.restore(torch.load(folder / "state.pt", map_location=device, weights_only=True), folder)
    held_out = held_out_batches(config, model.alphabet, model.preprocessing)
    make = Curriculum(config.seed, config.ramp, config.max_chars)
    # Workers draw ahead of `crops`; what a stopped run had not yet learned from is drawn again.
    stream = Stream(make, model.alphabet, model.preprocessing, config.columns, run.crops)
    batches = stream_batches(stream, config.workers)

    budget = config.minutes * 60
    before, began, evaluated = run.seconds, time.monotonic(), time.monotonic()
    bar = tqdm(total=round(budget), initial=round(before), unit="s", disable=not progress)
    losses: list[float] = []
    first_crop = run.crops
    while run.seconds < budget:
        losses.append(run.step(next(batches), device, half, run.seconds / budget))
        now = time.monotonic()
        run.seconds = before + now - began
        bar.n = min(round(run.seconds), round(budget))
        rate = (run.crops - first_crop) / (now - began)
        if run.steps % 20 == 0:
            bar.set_postfix_str(f"loss {losses[-1]:.3f}, {rate:.0f} crops/s")
        if now - evaluated > config.evaluate_every * 60 or run.seconds >= budget:
            row = run.evaluate(held_out, device)
            row |= {"loss": round(sum(losses) / len(losses), 4), "crops_per_s": round(rate, 1)}
            losses.clear()
            run.save(folder, row)
            bar.set_postfix_str(f"held-out CER {row['cer']:.4f}, {rate:.0f} crops/s")
            evaluated = time.monotonic()
    bar.close()
    return folder / "model.safetensors"


class _Run:
    """Weights, their average, the optimizer and the counters of one training run."""

    def __init__(self, model: CRNN, config: PretrainConfig) -> None:
        self.model, self.config = model, config
        self.average = deepcopy(model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), config.lr, weight_decay=config.weight_decay
        )
        self.steps, self.crops, self.seconds = 0, 0, 0.0

    def step(self, batch: Batch, device: torch.device, half: bool, share: float) -> float:
        """One step of the optimizer, `share` (0..1) into the budget; returns the batch's loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.steps, share)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            images = batch.images.to(device, memory_format=torch.channels_last)
            logits = self.model(images)
        loss = ctc_loss(logits, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.steps += 1
        self.crops += len(batch.texts)
        self._average()
        return loss.item()

    @torch.no_grad()
    def _average(self) -> None:
        # A young average must forget the random weights quickly: (1 + n) / (10 + n).
        decay = min(self.config.decay, (1 + self.steps) / (10 + self.steps))
        mine, new = self.average.state_dict(), self.model.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [new[n] for n in floats], 1 - decay)

    def evaluate(self, batches: Sequence[Batch], device: torch.device) -> dict[str, float]:
        """Scores of the averaged weights on held-out crops."""
        truths: list[str] = []
        readings: list[str] = []
        with torch.inference_mode():
            for batch in batches:
                logits = self.average(batch.images.to(device)).float().cpu().numpy()
                readings += [d.text for d in greedy_batch(logits, self.average.alphabet)]
                truths += batch.texts
        return {
            "minutes": round(self.seconds / 60, 2),
            "steps": self.steps,
            "crops": self.crops,
            "lr": self.optimizer.param_groups[0]["lr"],
            "cer": round(cer(truths, readings), 4),
            "accuracy": round(accuracy(truths, readings), 4),
        }

    def save(self, folder: Path, row: dict[str, float]) -> None:
        with (folder / "log.csv").open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        self.average.provenance = {
            "data": "synthetic lines of ocrkit.synth",
            "pretraining": asdict(self.config),
            "processor": platform.processor() or platform.machine(),
            "held_out": row,
        }
        self.average.save(folder / "model.safetensors")
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counters": {"steps": self.steps, "crops": self.crops, "seconds": self.seconds},
            "config": asdict(self.model.config),
        }
        torch.save(state, folder / "state.part")
        (folder / "state.part").replace(folder / "state.pt")

    def restore(self, state: dict[str, Any], folder: Path) -> None:
        asked = asdict(self.model.config)
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:  # of another size, or another alphabet
            raise CheckpointError(
                f"{folder / 'state.pt'} is of a model {state['config']}, but the settings ask for "
                f"{asked} with {len(self.model.alphabet)} classes; take other settings, the same "
                "weights to start from, or another folder"
            ) from error
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.crops, self.seconds = state["counters"].values()


def learning_rate(config: PretrainConfig, steps: int, share: float) -> float:
    """Linear warm-up over `config.warmup` steps, then half a cosine over the budget."""
    warm = min(1.0, (steps + 1) / config.warmup)
    return config.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def held_out_batches(
    config: PretrainConfig, alphabet: Alphabet, preprocessing: Preprocessing
) -> list[Batch]:
    """The same crops at every evaluation, from a seed that training never draws from."""
    make = LineGenerator(config.seed + 1_000_003, config.max_chars)
    crops = (make(i) for i in range(config.held_out))
    return list(bucketed(crops, alphabet, preprocessing, config.columns))
