"""INT8 by Intel Neural Compressor."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ocrkit.compress.calibration import Labelled, calibration_inputs, exactly_right
from ocrkit.errors import MissingPartError
from ocrkit.files import prepared_path
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs, quiet

# What Neural Compressor's autotune tries, in this order: how it finds the range of activations (the
# moving average of extremes, or the histogram that loses least), and what stays in FP32.
SETTINGS: tuple[dict[str, str], ...] = (
    {"act_algo": "minmax"},
    {"act_algo": "kl"},
    {"act_algo": "kl", "float": "Linear"},
)


def to_neural_compressor(
    model: CRNN,
    path: str | Path,
    calibration: Iterable[np.ndarray] | None = None,
    validation: Sequence[Labelled] | None = None,
    tolerance: float = 0.01,
) -> Path:
    """Write the model, quantised by Intel Neural Compressor's PT2E path, as PyTorch's own .pt2.

    Convolutions and linear layers become INT8, LSTMs stay; the weights are kept in 32 bits and
    rounded on loading, so the file is no smaller than an FP32 checkpoint. `load_file` runs it, for
    any N and W. `calibration` as in `to_openvino`.

    With `validation`, Neural Compressor's autotune tries SETTINGS until the share of lines read
    exactly has fallen by no more than `tolerance` of itself, or takes the best of them; the file's
    facts then have "trials": the share in FP32 first, then that of each setting tried.

    Raises ValueError if `path` is no .pt2 or there is nothing to calibrate with, MissingPartError
    where Neural Compressor cannot be used, as in a process that has imported IPEX.
    """
    path = prepared_path(path, ".pt2")
    strips = calibration_inputs(model, calibration)
    if "intel_extension_for_pytorch" in sys.modules:
        raise MissingPartError(
            "Neural Compressor's PT2E path is closed where Intel Extension for PyTorch has been "
            "imported; call it from a fresh process (in a notebook: restart the kernel)"
        )
    trials: list[float] = []

    def calibrate(graph: Callable[[torch.Tensor], torch.Tensor]) -> None:
        for strip in strips:
            graph(torch.from_numpy(strip))

    @torch.no_grad()
    def judge(graph: Callable[[torch.Tensor], torch.Tensor]) -> float:
        def run(images: np.ndarray) -> np.ndarray:
            return graph(torch.from_numpy(images)).numpy()

        trials.append(float(np.mean(exactly_right(run, validation or (), model.alphabet))))
        return trials[-1]

    partial = path.with_suffix(".part.pt2")
    with quiet(), torch.no_grad():
        with needs("Neural Compressor", "neural-compressor neural-compressor-pt"):
            from neural_compressor.torch import quantization as inc
            from neural_compressor.torch.export import export
        example = (torch.zeros(2, 1, 32, 64),)
        shapes = {"x": {0: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
        graph = export(deepcopy(model).eval().to("cpu"), example, dynamic_shapes=shapes)
        configs = [_inc_config(inc, setting) for setting in SETTINGS]
        if validation is None:
            graph = inc.prepare(graph, configs[0])
            calibrate(graph)
            graph = inc.convert(graph)
        else:
            tuning = inc.TuningConfig(configs, tolerable_loss=tolerance, max_trials=len(configs))
            graph = inc.autotune(graph, tuning, judge, run_fn=calibrate)
        program = torch.export.export(graph, example, dynamic_shapes=shapes)
        facts = json.dumps(model.metadata() | {"trials": trials})
        torch.export.save(program, partial, extra_files={METADATA_KEY: facts})
    return partial.replace(path)


def _inc_config(inc: Any, setting: dict[str, str]) -> Any:
    config = inc.StaticQuantConfig(act_algo=setting["act_algo"])
    if kind := setting.get("float"):
        config.set_local(getattr(torch.nn, kind), inc.StaticQuantConfig("fp32", act_dtype="fp32"))
    return config
