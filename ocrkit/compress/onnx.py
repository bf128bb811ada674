"""Export to ONNX."""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from pathlib import Path

import torch

from ocrkit.files import prepared_path
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs


def export_onnx(model: CRNN, path: str | Path) -> Path:
    """Write the model as ONNX: `images` (N, 1, 32, W) -> `logits` (T, N, C), for any N and W.

    The facts of the checkpoint are in its metadata, as JSON under "ocrkit".
    """
    with needs("ONNX", "onnx"):
        import onnx
    path = prepared_path(path, ".onnx")
    partial = path.with_suffix(".part")
    model = deepcopy(model).eval().to("cpu")
    # The exporter is the older of torch's two, as the newer needs a package more. It warns of its
    # age, and that tracing might fix batch and width; the tests see that it does not.
    with warnings.catch_warnings(action="ignore"):
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
    onnx.helper.set_model_props(exported, {METADATA_KEY: json.dumps(model.metadata())})
    onnx.save(exported, partial)
    return partial.replace(path)
