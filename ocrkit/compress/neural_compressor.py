"""INT8 with Intel Neural Compressor, by its PT2E path (PyTorch 2 Export quantisation)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ocrkit.compress.calibration import LabelledStrip, calibration_inputs, exact_matches
from ocrkit.errors import MissingPartError
from ocrkit.files import prepared_path
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs, quiet

Graph = Callable[[torch.Tensor], torch.Tensor]  # (N, 1, H, W) -> logits (T, N, C)

# The settings that autotune tries, in this order. act_algo: how the range of activations is chosen
# (minmax: moving average of the extremes; kl: the histogram range with the least KL divergence).
# float: a layer type that stays in FP32.
SETTINGS: tuple[dict[str, str], ...] = (
    {"act_algo": "minmax"},
    {"act_algo": "kl"},
    {"act_algo": "kl", "float": "Linear"},
)


def to_neural_compressor(
    model: CRNN,
    path: str | Path,
    calibration: Iterable[np.ndarray] | None = None,
    validation: Sequence[LabelledStrip] | None = None,
    tolerance: float = 0.01,
) -> Path:
    """Quantise the model with Neural Compressor and write it as a .pt2 file of PyTorch.

    Convolutions and linear layers become INT8; LSTMs stay in FP32. The file keeps the weights in
    32 bits and rounds them on loading, so it is not smaller than an FP32 checkpoint. `load_file`
    runs it, for any N and W.

    calibration: strips (N, 1, H, W) float32 for the activation ranges; None: synthetic strips.
    validation: if given, autotune tries SETTINGS until the share of lines read exactly is at most
        `tolerance` (relative) below FP32, or takes the best of them. The metadata then has
        "trials": the share in FP32, followed by the share with each setting that was tried.

    Raises ValueError if `path` does not end in .pt2 or the calibration set is empty, and
    MissingPartError if Neural Compressor cannot be used, for example in a process that has
    imported IPEX.
    """
    path = prepared_path(path, ".pt2")
    strips = calibration_inputs(model, calibration)
    if "intel_extension_for_pytorch" in sys.modules:
        raise MissingPartError(
            "Neural Compressor's PT2E path does not work after Intel Extension for PyTorch has "
            "been imported; call it from a fresh process (in a notebook: restart the kernel)"
        )
    partial = path.with_suffix(".part.pt2")
    with quiet(), torch.no_grad():
        program, trials = _quantize(model, strips, validation, tolerance)
        metadata = json.dumps(model.metadata() | {"trials": trials})
        torch.export.save(program, partial, extra_files={METADATA_KEY: metadata})
    return partial.replace(path)


def _quantize(
    model: CRNN,
    strips: Sequence[np.ndarray],
    validation: Sequence[LabelledStrip] | None,
    tolerance: float,
) -> tuple[torch.export.ExportedProgram, list[float]]:
    """The quantised program, and the accuracy of each trial (none without `validation`)."""
    with needs("Neural Compressor", "neural-compressor neural-compressor-pt"):
        from neural_compressor.torch import quantization as inc
        from neural_compressor.torch.export import export
    trials: list[float] = []

    def calibrate(graph: Graph) -> None:
        for strip in strips:
            graph(torch.from_numpy(strip))

    @torch.no_grad()
    def measure_accuracy(graph: Graph) -> float:
        def backend(images: np.ndarray) -> np.ndarray:
            return graph(torch.from_numpy(images)).numpy()

        trials.append(float(np.mean(exact_matches(backend, validation or (), model.alphabet))))
        return trials[-1]

    example = (torch.zeros(2, 1, model.preprocessing.height, 64),)
    shapes = {"x": {0: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
    graph = export(deepcopy(model).eval().to("cpu"), example, dynamic_shapes=shapes)
    configs = [_quantization_config(inc, setting) for setting in SETTINGS]
    if validation is None:
        graph = inc.prepare(graph, configs[0])
        calibrate(graph)
        graph = inc.convert(graph)
    else:
        tuning = inc.TuningConfig(configs, tolerable_loss=tolerance, max_trials=len(configs))
        graph = inc.autotune(graph, tuning, measure_accuracy, run_fn=calibrate)
    return torch.export.export(graph, example, dynamic_shapes=shapes), trials


def _quantization_config(inc: Any, setting: dict[str, str]) -> Any:
    config = inc.StaticQuantConfig(act_algo=setting["act_algo"])
    if kind := setting.get("float"):
        config.set_local(getattr(torch.nn, kind), inc.StaticQuantConfig("fp32", act_dtype="fp32"))
    return config
