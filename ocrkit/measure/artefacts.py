"""Speed and accuracy of one network run in different ways."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from ocrkit.compress.calibration import synthetic_strips
from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.errors import OcrkitError
from ocrkit.measure.timing import (
    Spread,
    in_turns,
    interleaved,
    mean_seconds,
    worker_processes,
)
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.evaluation import evaluate
from ocrkit.training.manifest import Sample, load_crops

T = TypeVar("T")


def available(makers: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], dict[str, str]]:
    """What could be made, and of the rest the reason why not."""
    made: dict[str, T] = {}
    reasons: dict[str, str] = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except OcrkitError as error:
            reasons[name] = str(error)
        except Exception as error:  # a package that breaks in its own way must not stop the rest
            reasons[name] = " ".join(f"{type(error).__name__}: {error}".split())
    return made, reasons


def medians(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with plain numbers for their Spreads, and without what JSON does not know."""
    return [
        {
            key: value.median if isinstance(value, Spread) else value
            for key, value in row.items()
            if isinstance(value, str | int | float | None | Spread)
        }
        for row in rows
    ]


@dataclass(frozen=True)
class Artefact:
    """One way to run the network, under a label that ends in its precision.

    path: its file, or the .xml of an .xml and a .bin. checkpoint: what it is made of. notebook: the
    one that makes it. reader: makes a recogniser of the path.
    """

    label: str
    path: Path
    checkpoint: Path
    notebook: str
    reader: Callable[[Path], Recognizer] = Recognizer.load

    @property
    def problem(self) -> str:
        """What is wrong with the file, or ""."""
        if not self.path.exists():
            return f"{self.path} is not there; notebook {self.notebook} makes it"
        if self.path.stat().st_mtime < self.checkpoint.stat().st_mtime:
            remedy = f"run notebook {self.notebook} again"
            return f"{self.path} is older than {self.checkpoint}; {remedy}"
        return ""

    @property
    def megabytes(self) -> float:
        size = self.path.stat().st_size
        if self.path.suffix == ".xml":
            size += self.path.with_suffix(".bin").stat().st_size
        return size / 1e6

    def load(self) -> Recognizer:
        return self.reader(self.path)


def artefacts(checkpoint: Path, folder: str | Path) -> list[Artefact]:
    """All that the notebooks make of a checkpoint; `folder` is where they write.

    They decode greedily: what is compared is how the network is run, not what a language adds.
    """
    load = partial(Recognizer.load, decoder="greedy")
    bf16 = partial(load, precision="bfloat16")
    return [
        Artefact(label, Path(folder, name), checkpoint, notebook, reader)
        for label, name, notebook, reader in (
            ("PyTorch FP32", checkpoint.resolve(), "02_train", load),
            ("PyTorch BF16", checkpoint.resolve(), "02_train", bf16),
            ("IPEX FP32", checkpoint.resolve(), "02_train", partial(load, backend="ipex")),
            ("IPEX BF16", checkpoint.resolve(), "02_train", partial(bf16, backend="ipex")),
            ("Neural Compressor INT8", "crnn-inc.pt2", "04_neural_compressor", load),
            ("ONNX Runtime FP32", "crnn.onnx", "05_openvino", load),
            ("OpenVINO FP32", "crnn.xml", "05_openvino", load),
            ("OpenVINO BF16", "crnn.xml", "05_openvino", bf16),
            ("OpenVINO INT8", "crnn-int8.xml", "05_openvino", load),
        )
    ]


def compare(
    artefacts: Sequence[Artefact],
    samples: Sequence[Sample],
    batches: Sequence[int] = (1, 8, 32),
    lines: int = 200,
    rounds: int = 5,
    starts: int = 3,
) -> list[dict[str, Any]]:
    """A row for each artefact: how right and how fast it reads, what it weighs, how it starts.

    Accuracy is that on all samples; the first `lines` of them are read in each round, with each of
    the batch sizes, from crop to text, each runtime in its own process. Rows have the keys
    label, reason ("" or why there is nothing else in the row), evaluation, accuracy, cer, ms (a
    line, with the smallest batch), lines_s (with the best batch), batch (which that is), relative
    (lines_s over the first row's, in the same rounds), mb (on the disk) and start_s (from starting
    a fresh Python to the first line read; None without `starts`); timings are Spreads.
    """
    crops = load_crops(samples[:lines])
    reasons = {a.label: a.problem for a in artefacts if a.problem}
    with worker_processes({a.label: a.load for a in artefacts if not a.problem}) as uses:
        scores, failed = available({n: partial(use, evaluate, samples) for n, use in uses.items()})
        reasons |= failed
        clocks = {
            (label, batch): partial(uses[label], mean_seconds, _read, crops, batch)
            for label in scores
            for batch in batches
        }
        for label, batch in clocks:
            uses[label](_read, crops, batch)
        seconds = in_turns(clocks, rounds, "reading")
    fresh = {a.label: partial(_start, a, crops[0]) for a in artefacts if a.label in scores}
    begun = interleaved(fresh, starts, "starting") if starts else {}
    rows: list[dict[str, Any]] = []
    first = None
    for artefact in artefacts:
        label = artefact.label
        if label in reasons:
            rows.append({"label": label, "reason": reasons[label]})
            continue
        batch = min(batches, key=lambda batch: seconds[label, batch].median)
        fastest = seconds[label, batch]
        first = first or fastest
        rows.append(
            {
                "label": label,
                "reason": "",
                "evaluation": scores[label],
                "accuracy": scores[label].accuracy,
                "cer": scores[label].cer,
                "ms": seconds[label, min(batches)].map(lambda s: 1000 * s / len(crops)),
                "lines_s": fastest.map(lambda s: len(crops) / s),
                "batch": batch,
                "relative": first.ratio(fastest),
                "mb": artefact.megabytes,
                "start_s": begun.get(label),
            }
        )
    return rows


def _read(recognizer: Recognizer, crops: Sequence[np.ndarray], batch: int) -> None:
    replace(recognizer, batch_size=batch)(crops)


def _start(artefact: Artefact, crop: np.ndarray) -> None:
    code = "import pickle, sys; a, crop = pickle.load(sys.stdin.buffer); a.load()([crop])"
    command = [sys.executable, "-c", code]
    subprocess.run(command, input=pickle.dumps((artefact, crop)), capture_output=True, check=True)


def random_reference(folder: str | Path, seed: int = 0) -> dict[str, Path]:
    """A network of the reference kit's size, written as "checkpoint", "ONNX", "IR" and "INT8".

    Its weights are random, so it is good for timing only.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CRNN().eval()
    strips = list(synthetic_strips(model.preprocessing, 10))
    return {
        "checkpoint": model.save(Path(folder, "large.safetensors")),
        "ONNX": export_onnx(model, Path(folder, "large.onnx")),
        "IR": to_openvino(model, Path(folder, "large.xml")),
        "INT8": to_openvino(model, Path(folder, "large-int8.xml"), True, strips),
    }
