"""Running an ONNX file with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from ocrkit.errors import CheckpointError
from ocrkit.runtime import Backend
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs
from ocrkit.runtime.threads import thread_count


def onnx_backend(path: Path) -> tuple[Backend, str | None]:
    """The network of an .onnx file, and its metadata (JSON) if it has any.

    Raises CheckpointError for a file that ONNX Runtime cannot read, or that takes other images.
    """
    with needs("ONNX Runtime", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 05_openvino to make it"
        ) from error
    if len(session.get_inputs()) != 1 or len(session.get_inputs()[0].shape) != 4:
        raise CheckpointError(f"{path} does not take one batch of images (N, 1, H, W)")
    name = session.get_inputs()[0].name
    metadata = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return lambda images: session.run(None, {name: images})[0], metadata
