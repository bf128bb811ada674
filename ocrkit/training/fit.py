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
from ocrkit.training.config import TrainConfig
from ocrkit.training.evaluation import evaluate
from ocrkit.training.history import EpochScores, History
from ocrkit.training.lines import TrainingLine, deal_batches, training_lines
from ocrkit.training.manifest import Sample, load_crops
from ocrkit.training.trainer import Trainer


def fit(
    model: CRNN,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    config: TrainConfig | None = None,
    path: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train the model in place; afterwards it is in eval mode with the weights of its best epoch.

    The best epoch is the one with the lowest CER on `validation`. With a path, the model is saved
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
    rng, bucket = np.random.default_rng(config.seed), model.preprocessing.bucket
    steps = config.epochs * len(deal_batches(lines, config, bucket, rng))
    trainer = Trainer(model, config, steps)
    images = range(config.epochs * len(lines))
    bar = iter(progress_bar(images, "training") if progress else images)
    epochs: list[EpochScores] = []
    start = time.monotonic()
    for epoch in range(1, config.epochs + 1):
        batches = deal_batches(lines, config, bucket, rng)
        began = time.monotonic()
        loss = _train_epoch(trainer, [batches[i] for i in rng.permutation(len(batches))], bar)
        rate = round(len(lines) / (time.monotonic() - began), 1)
        trainer.update_model()
        recognizer = Recognizer(load_backend("pytorch", model), model.alphabet, model.preprocessing)
        result = evaluate(recognizer, validation, crops)
        minutes = round((time.monotonic() - start) / 60, 3)
        epochs.append(EpochScores(epoch, minutes, loss, result.cer, result.accuracy, rate))
        history = History(tuple(epochs), len(train) - len(lines))
        if history.best is epochs[-1]:
            best_weights, predictions = deepcopy(model.state_dict()), result.predictions
    next(bar, None)  # removes the progress bar
    model.load_state_dict(best_weights)
    model.eval()
    data = f"{len(lines)} images of {train[0].path.parent.name}"
    validated = asdict(history.best) | {"images": len(validation)}
    model.provenance = _provenance(model, data, config, validated)
    if path is not None:
        model.save(path)
    return History(history.epochs, history.left_out, predictions)


def _train_epoch(trainer: Trainer, batches: list[list[TrainingLine]], bar: Iterator[int]) -> float:
    """Train on each batch once; returns the mean loss of the lines."""
    total = 0.0
    for batch in batches:
        total += trainer.step(batch) * len(batch)
        for _ in batch:
            next(bar)
    return round(total / sum(map(len, batches)), 4)


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
    dealt = deal_batches(training_lines(model, train), config, bucket, rng)
    chosen = [dealt[(2 * i + 1) * len(dealt) // (2 * batches)] for i in range(batches)]
    trainer = Trainer(model, config, steps=1_000)

    def run() -> None:
        for batch in chosen:
            trainer.step(batch)

    trainer.step(chosen[0])
    return run, sum(map(len, chosen))
