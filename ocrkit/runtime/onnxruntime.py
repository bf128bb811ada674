"""Running an ONNX file with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import torch

from ocrkit.errors import CheckpointError
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs
from ocrkit.runtime.pytorch import Backend


def onnx_file(path: Path, dtype: torch.dtype) -> tuple[Backend, str | None]:
    with needs("ONNX Runtime", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base of their own
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 05_openvino to make it"
        ) from error
    name = session.get_inputs()[0].name
    facts = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return lambda images: session.run(None, {name: images})[0], facts
