"""Running an ONNX file with ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrkit.errors import CheckpointError
from ocrkit.runtime.metadata import METADATA_KEY, OTHER_FILE, check_sizes
from ocrkit.runtime.packages import needs, quiet
from ocrkit.runtime.threads import thread_count


@dataclass(frozen=True)
class OnnxBackend:
    """A network that ONNX Runtime runs, as a callable on arrays; any thread may call it."""

    session: Any

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.session.get_inputs()[0].name: images})[0]

    def check_shapes(self, path: Path, inputs: tuple[int, ...], classes: int) -> None:
        """As `ocrkit.runtime.openvino.check_shapes`."""
        ports = self.session.get_inputs(), self.session.get_outputs()
        if [len(side) for side in ports] != [1, 1]:
            raise CheckpointError(f"{path} must have one input and one output; {OTHER_FILE}")
        # An axis of variable size has a name or None.
        found, output = (
            [size if isinstance(size, int) else -1 for size in port.shape] for (port,) in ports
        )
        check_sizes(path, found, inputs, output[-1] if output else -1, classes)


def onnx_backend(path: Path) -> tuple[OnnxBackend, str | None]:
    """The network of an .onnx file, and its metadata (JSON) if it has any.

    Raises CheckpointError for a file that ONNX Runtime cannot read.
    """
    with needs("ONNX Runtime", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    options.log_severity_level = 4  # what is wrong is in the error
    try:
        with quiet():  # it prints, too
            session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 05_openvino to make it"
        ) from error
    return OnnxBackend(session), session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
