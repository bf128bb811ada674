"""A trained CRNN for other runtimes: ONNX, and OpenVINO in 16 bits or INT8.

What is written says all that a checkpoint says: config, alphabet, preprocessing, provenance.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ocrkit.backends import RT_INFO, import_openvino, to_ir
from ocrkit.errors import MissingPartError
from ocrkit.image import Preprocessing, fit
from ocrkit.model import CRNN
from ocrkit.synth.lines import LineGenerator


def export_onnx(model: CRNN, path: str | Path) -> Path:
    """Write the model as ONNX: `images` (N, 1, 32, W) -> `logits` (T, N, C), for any N and W.

    The facts of the checkpoint are in its metadata, as JSON under "ocrkit".
    """
    import onnx

    path = _prepared(path, ".onnx")
    partial = path.with_suffix(".part")
    model = deepcopy(model).eval().to("cpu")
    with warnings.catch_warnings():
        # The exporter is the older of torch's two, as the newer needs a package more. It warns of
        # its age, and that tracing might fix batch and width; the tests see that it does not.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings(
            "ignore", "Exporting a model to ONNX with a batch_size", UserWarning
        )
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, 32, 64),),
            partial,
            dynamo=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "N", 3: "W"}, "logits": {0: "T", 1: "N"}},
        )
    exported = onnx.load(partial)
    onnx.helper.set_model_props(exported, {RT_INFO: _facts(model)})
    onnx.save(exported, partial)
    return partial.replace(path)


def to_openvino(
    model: CRNN,
    path: str | Path,
    int8: bool = False,
    calibration: Iterable[np.ndarray] | None = None,
) -> Path:
    """Write the model as OpenVINO IR: `path`, an .xml, and a .bin beside it; weights in 16 bits.

    With `int8`, convolutions and linear layers get 8-bit weights and compute in INT8, their ranges
    taken from `calibration`, strips (N, 1, 32, W) float32; if None, from synthetic lines. LSTMs
    stay as they are: OpenVINO's INT8 LSTM reads nothing right, though the same rounding does no
    harm where it is computed in floating point.

    Raises ValueError if `path` is no .xml or there is nothing to calibrate with.
    """
    path = _prepared(path, ".xml")
    ov = import_openvino()
    if calibration is None:
        calibration = synthetic_strips(model.preprocessing)
    strips = list(calibration) if int8 else []
    if int8 and not strips:
        raise ValueError("INT8 needs strips to calibrate with; none were given")
    ir = to_ir(model)
    ir.set_rt_info(_facts(model), RT_INFO)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        written = Path(folder) / "half.xml"
        ov.save_model(ir, written)
        if int8:
            # Read again because only in the file the weights have 16 bits: what is not quantised
            # of a model in 32 bits is stored in 32.
            ir = _quantized(ov.Core().read_model(written), strips)
            written = Path(folder) / "int8.xml"
            ov.save_model(ir, written)
        written.with_suffix(".bin").replace(path.with_suffix(".bin"))
        return written.replace(path)


def synthetic_strips(preprocessing: Preprocessing, count: int = 300) -> Iterator[np.ndarray]:
    """Strips (1, 1, 32, W) of synthetic lines that neither training nor its evaluation draws."""
    make = LineGenerator(seed=2_000_003)
    return (fit(make(i).image, preprocessing)[None] for i in range(count))


def _quantized(ir: Any, strips: list[np.ndarray]) -> Any:
    try:
        with redirect_stdout(StringIO()):  # it draws progress bars that cannot be turned off
            import nncf

            nncf.set_log_level(logging.ERROR)
            return nncf.quantize(
                ir,
                nncf.Dataset(strips),
                subset_size=len(strips),
                ignored_scope=nncf.IgnoredScope(types=["LSTMSequence"]),
            )
    except ImportError as error:
        raise MissingPartError(
            f"INT8 for OpenVINO needs NNCF ({error}); install it with `pip install nncf`"
        ) from error


def _facts(model: CRNN) -> str:
    return json.dumps(
        {
            "config": asdict(model.config),
            "alphabet": model.alphabet.characters,
            "preprocessing": asdict(model.preprocessing),
            "provenance": model.provenance,
        }
    )


def _prepared(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path} must end in {suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
