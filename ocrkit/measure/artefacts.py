"""Artefacts: the files that the notebooks make of one checkpoint, and how each is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ocrkit.compress.calibration import synthetic_strips
from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class Artefact:
    """One way to run the network.

    label: runtime and precision, for example "OpenVINO INT8".
    path: its file (for OpenVINO the .xml, which has a .bin beside it).
    checkpoint: the file it was made of.
    notebook: the notebook that makes it.
    load_path: makes a recogniser of the path.
    """

    label: str
    path: Path
    checkpoint: Path
    notebook: str
    load_path: Callable[[Path], Recognizer] = Recognizer.load

    @property
    def problem(self) -> str:
        """Why the file cannot be used, and what to do; "" if it can."""
        if not self.path.exists():
            return f"{self.path} not found: run notebook {self.notebook} first"
        if self.path.stat().st_mtime < self.checkpoint.stat().st_mtime:
            remedy = f"run notebook {self.notebook} again"
            return f"{self.path} is older than {self.checkpoint}; {remedy}"
        return ""

    @property
    def megabytes(self) -> float:
        """Size on disk, in units of 10**6 bytes."""
        size = self.path.stat().st_size
        if self.path.suffix == ".xml":
            size += self.path.with_suffix(".bin").stat().st_size
        return size / 1e6

    def load(self) -> Recognizer:
        return self.load_path(self.path)


def artefacts(checkpoint: Path, folder: str | Path) -> list[Artefact]:
    """All artefacts that the notebooks make of a checkpoint and write to `folder`.

    They decode greedily, because the runtimes are compared, not the language models.
    """
    load = partial(Recognizer.load, decoder="greedy")
    bf16 = partial(load, precision="bfloat16")
    return [
        Artefact(label, Path(folder, name), checkpoint, notebook, load_path)
        for label, name, notebook, load_path in (
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


def random_reference(folder: str | Path, seed: int = 0) -> dict[str, Path]:
    """Write a network of the reference kit's size as "checkpoint", "ONNX", "IR" and "INT8".

    Its weights are random, so it can be used for timings only.
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
