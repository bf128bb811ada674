"""Comparison of artefacts: accuracy, speed, size and start-up time of one network."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ocrkit.measure.artefacts import Artefact
from ocrkit.measure.available import available
from ocrkit.measure.timing import Spread, interleaved, interleaved_timers, mean_seconds
from ocrkit.measure.workers import worker_processes
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.evaluation import Evaluation, evaluate
from ocrkit.training.manifest import Sample, load_crops

Seconds = Mapping[tuple[str, int], Spread]  # by label and batch size


@dataclass(frozen=True)
class ArtefactResult:
    """What `compare` measured of one artefact.

    evaluation, accuracy, cer: on all samples.
    ms: latency: milliseconds per line with the smallest batch.
    lines_s, batch: throughput: lines per second with the best batch size, and that size.
    relative: lines_s divided by that of the first artefact, in the same rounds.
    mb: size on disk in 10**6 bytes.
    start_s: seconds from starting Python to the first line read; None if not measured.
    """

    label: str
    evaluation: Evaluation
    accuracy: float
    cer: float
    ms: Spread
    lines_s: Spread
    batch: int
    relative: Spread
    mb: float
    start_s: Spread | None


def compare(
    artefacts: Sequence[Artefact],
    samples: Sequence[Sample],
    batches: Sequence[int] = (1, 8, 32),
    lines: int = 200,
    rounds: int = 5,
    starts: int = 3,
) -> tuple[list[ArtefactResult], dict[str, str]]:
    """Measure every artefact that can be run; for the others returns the reason, by label.

    Accuracy is measured on all samples. For the timings each round reads the first `lines` of
    them, from crop to text, with each batch size; each runtime has its own worker process.
    starts: how often the start-up time is measured; 0 leaves it out.
    """
    crops = load_crops(samples[:lines])
    reasons = {a.label: a.problem for a in artefacts if a.problem}
    with worker_processes({a.label: a.load for a in artefacts if not a.problem}) as calls:
        evaluations, failed = available(
            {label: partial(call, evaluate, samples) for label, call in calls.items()}
        )
        timers = {
            (label, batch): partial(calls[label], mean_seconds, _read, crops, batch)
            for label in evaluations
            for batch in batches
        }
        for label, batch in timers:  # warm up
            calls[label](_read, crops, batch)
        seconds = interleaved_timers(timers, rounds, "reading")
    usable = [artefact for artefact in artefacts if artefact.label in evaluations]
    launches = {a.label: partial(_start, a, crops[0]) for a in usable}
    start_times = interleaved(launches, starts, "starting") if starts else {}
    results = _results(usable, evaluations, seconds, start_times, len(crops))
    return results, reasons | failed


def _results(
    artefacts: Sequence[Artefact],
    evaluations: Mapping[str, Evaluation],
    seconds: Seconds,
    start_times: Mapping[str, Spread],
    lines: int,
) -> list[ArtefactResult]:
    results: list[ArtefactResult] = []
    first: Spread | None = None
    for artefact in artefacts:
        label = artefact.label
        by_batch = {batch: spread for (name, batch), spread in seconds.items() if name == label}
        best = min(by_batch, key=lambda batch: by_batch[batch].median)
        first = first or by_batch[best]
        results.append(
            ArtefactResult(
                label,
                evaluations[label],
                evaluations[label].accuracy,
                evaluations[label].cer,
                ms=by_batch[min(by_batch)].map(lambda s: 1000 * s / lines),
                lines_s=by_batch[best].map(lambda s: lines / s),
                batch=best,
                relative=first.ratio(by_batch[best]),
                mb=artefact.megabytes,
                start_s=start_times.get(label),
            )
        )
    return results


def _read(recognizer: Recognizer, crops: Sequence[np.ndarray], batch: int) -> None:
    replace(recognizer, batch_size=batch)(crops)


def _start(artefact: Artefact, crop: np.ndarray) -> None:
    """Load the artefact in a fresh Python and read one line."""
    code = "import pickle, sys; a, crop = pickle.load(sys.stdin.buffer); a.load()([crop])"
    command = [sys.executable, "-c", code]
    subprocess.run(command, input=pickle.dumps((artefact, crop)), capture_output=True, check=True)
