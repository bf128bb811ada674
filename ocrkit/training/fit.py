"""Fine-tuning a recogniser on labelled line images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from timeit import timeit
from typing import Any

import numpy as np

from ocrkit.errors import MissingPartError
from ocrkit.processor import machine
from ocrkit.progress import progress as progress_bar
from ocrkit.recognition.backends import load_backend
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.synth.lines import LineGenerator
from ocrkit.training.batches import steps_needed
from ocrkit.training.config import TrainConfig
from ocrkit.training.evaluation import evaluate
from ocrkit.training.history import EpochScores, History
from ocrkit.training.lines import TrainingLine, make_batches, training_lines
from ocrkit.training.manifest import Sample, load_crops
from ocrkit.training.mixture import Reservoir
from ocrkit.training.trainer import Trainer

# The number of the first synthetic line of `TrainConfig.synthetic`.
SYNTHETIC_START = 5_000_000


def fit(
    model: CRNN,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    config: TrainConfig | None = None,
    path: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train the model in place; afterwards it is in eval mode with the weights of its best epoch.

    The best epoch is the one with the lowest CER on `validation`. Epoch 0 counts too: if training
    makes the model worse, it keeps the weights that it began with. With a path, the model is saved
    there with its provenance. Raises ValueError without samples, OcrkitError for a target with
    characters outside the alphabet, ImageError for an image that cannot be read, and
    MissingPartError if IPEX is asked for and cannot be used.
    """
    config = config or TrainConfig()
    if not train or not validation:
        raise ValueError("training takes at least one training and one validation sample")
    if config.ipex == "auto":
        config = replace(config, ipex=faster_with_ipex(model, train, config))
    lines, crops = training_lines(model, train), load_crops(validation)
    run = _Run(model, lines, config)
    epochs: list[EpochScores] = []
    bar = iter(progress_bar(range(run.images), "training") if progress else range(run.images))
    start = time.monotonic()
    for epoch in range(config.epochs + 1):
        loss, rate = run.train_epoch(bar) if epoch else (None, None)
        result = evaluate(_reader(model), validation, crops)
        minutes = round((time.monotonic() - start) / 60, 3)
        epochs.append(EpochScores(epoch, minutes, loss, result.cer, result.accuracy, rate))
        history = History(tuple(epochs), len(train) - len(lines))
        if history.best is epochs[-1]:
            best_weights, predictions = deepcopy(model.state_dict()), result.predictions
        late = run.trainer.share_of_time >= 1
        if late or epoch - history.best.epoch >= (config.patience or config.epochs):
            break
    next(bar, None)  # removes the progress bar
    model.load_state_dict(best_weights)
    model.eval()
    data = f"{len(lines)} images of {train[0].path.parent.name}"
    validated = asdict(history.best) | {"images": len(validation)}
    model.provenance = _provenance(model, data, config, validated)
    if path is not None:
        model.save(path)
    return History(history.epochs, history.left_out, predictions)


def _reader(model: CRNN) -> Recognizer:
    """A recogniser with a copy of the model."""
    return Recognizer(load_backend("pytorch", model), model.alphabet, model.preprocessing)


class _Run:
    """The epochs of `fit`: each has all lines, and synthetic ones if that is asked for."""

    def __init__(self, model: CRNN, lines: list[TrainingLine], config: TrainConfig) -> None:
        self.config, self.own = config, lines * config.repeat
        self.rng, self.bucket = np.random.default_rng(config.seed), model.preprocessing.bucket
        self.added = round(config.synthetic * len(self.own))
        # The numbers of these lines begin where those of validation sets and calibration end.
        self.synthetic = Reservoir(
            LineGenerator(config.seed), model.preprocessing, SYNTHETIC_START, fresh=0.5
        )
        self.alphabet = model.alphabet
        self.images = config.epochs * (len(self.own) + self.added)
        steps = config.epochs * -(-(len(self.own) + self.added) // config.batch_size)
        self.trainer = Trainer(model, config, steps)

    def train_epoch(self, bar: Iterator[int]) -> tuple[float, float]:
        """Train on each line once; returns the mean loss of the lines, and images a second."""
        began, total, seen = time.monotonic(), 0.0, 0
        lines = self.own + [self._synthetic_line() for _ in range(self.added)]
        batches = make_batches(lines, self.config, self.bucket, self.rng)
        for i in self.rng.permutation(len(batches)):
            total += self.trainer.step(batches[i]) * len(batches[i])
            seen += len(batches[i])
            for _ in batches[i]:
                next(bar)
            if self.trainer.share_of_time >= 1:
                break
        self.trainer.update_model()
        return round(total / seen, 4), round(seen / (time.monotonic() - began), 1)

    def _synthetic_line(self) -> TrainingLine:
        while True:  # a few texts are too long for their image, or have other characters
            strip, text = self.synthetic.draw(self.rng)
            if text and not self.alphabet.missing(text):
                target = self.alphabet.encode(text)
                if steps_needed(target) <= strip.shape[2] // 4:
                    return TrainingLine(strip, text)


def _provenance(
    model: CRNN, data: str, config: TrainConfig, validation: dict[str, Any]
) -> dict[str, Any]:
    return {
        "data": data,
        "training": asdict(config),
        "processor": machine(),
        "validation": validation,
        "started_from": model.provenance,
    }


def faster_with_ipex(
    model: CRNN, train: Sequence[Sample], config: TrainConfig, rounds: int = 3
) -> bool:
    """Whether training steps with IPEX are faster than those without, in every round.

    The two take turns on the same batches. False if IPEX is not installed or cannot be used.
    """
    few = train[: 10 * config.batch_size]
    try:
        plain, ipex = (
            training_run(model, few, replace(config, ipex=used))[0] for used in (False, True)
        )
    except MissingPartError:
        return False
    return all(timeit(plain, number=1) > timeit(ipex, number=1) for _ in range(rounds))


def training_run(
    model: CRNN, train: Sequence[Sample], config: TrainConfig, batches: int = 3
) -> tuple[Callable[[], None], int]:
    """A function that trains a copy of the model on a few batches, to be timed; and their images.

    Each call trains on the same batches, chosen evenly from the narrowest to the widest of `train`.
    One step is made before the function is returned, as the first step is slower than the others.
    Raises the errors of `fit`.
    """
    model = deepcopy(model)
    rng, bucket = np.random.default_rng(config.seed), model.preprocessing.bucket
    every = make_batches(training_lines(model, train), config, bucket, rng)
    chosen = [every[(2 * i + 1) * len(every) // (2 * batches)] for i in range(batches)]
    trainer = Trainer(model, config, steps=1_000)

    def run() -> None:
        for batch in chosen:
            trainer.step(batch)

    trainer.step(chosen[0])
    return run, sum(map(len, chosen))
