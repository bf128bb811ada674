"""Export of the recogniser to ONNX."""

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
    """Write the model as ONNX: `images` (N, 1, H, W) -> `logits` (T, N, C), for any N and W.

    The checkpoint's metadata is stored in the file as JSON, under the key "ocrkit".

    Raises ValueError if `path` does not end in .onnx, MissingPartError if onnx is not installed.
    """
    with needs("ONNX", "onnx"):
        import onnx
    path = prepared_path(path, ".onnx")
    partial = path.with_suffix(".part")
    model = deepcopy(model).eval().to("cpu")
    # This is the older of torch's two exporters: the newer one needs another package. It warns
    # that it is deprecated and that tracing may fix N and W; the tests check that it does not.
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, model.preprocessing.height, 64),),
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
