"""Ways to run a recogniser: a network in memory by `load_backend`, a file by `load_file`.

What a runtime needs is imported when it is asked for, so that OpenVINO runs without PyTorch.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from ocrkit.recognition.metadata import ReaderMetadata
from ocrkit.runtime import Backend, check_precision
from ocrkit.runtime.threads import thread_count

if TYPE_CHECKING:
    from ocrkit.recognition.network import CRNN

BACKENDS = ("pytorch", "ipex", "openvino")
# How a file is run, by its suffix; the first is the usual way.
FILES = {
    ".xml": ("openvino",),
    ".onnx": ("onnxruntime",),
    ".pt2": ("pytorch", "inductor"),
}


def backends_of(path: str | Path) -> tuple[str, ...]:
    """The backends that can run a file of weights, the usual one first."""
    return FILES.get(Path(path).suffix, BACKENDS)


def load_backend(name: str, model: CRNN, precision: str = "float32") -> Backend:
    """The model made ready to run by "pytorch", "ipex" or "openvino", in "float32" or "bfloat16".

    The model itself is left as it is. Raises ValueError for another name or precision, and
    MissingPartError if the package that a backend needs is not installed, or if "ipex" or
    "openvino" is to compute in bfloat16 on a processor that cannot.
    """
    if name not in BACKENDS:
        raise ValueError(f"no backend is called {name!r}; choose one of {', '.join(BACKENDS)}")
    check_precision(precision)
    model = deepcopy(model).eval()
    if name == "openvino":
        from ocrkit.runtime.conversion import to_openvino_network
        from ocrkit.runtime.openvino import compile_network

        network = to_openvino_network(model, model.preprocessing.height)
        return compile_network(network, precision, streams=thread_count())
    if name == "ipex":
        from ocrkit.runtime.ipex import in_ipex

        return in_ipex(model, precision)
    from ocrkit.runtime.pytorch import in_pytorch

    return in_pytorch(model, precision)


def load_file(
    path: str | Path, backend: str | None = None, precision: str = "float32"
) -> tuple[Backend, ReaderMetadata]:
    """The network of a file that `ocrkit.compress` wrote, and the settings to use it with.

    backend: "openvino" for an .xml, "onnxruntime" for an .onnx; for a .pt2 "pytorch", which rounds
    as INT8 does but computes in floating point, or "inductor", which computes in INT8, but compiles
    for a while whenever a batch has a new shape. None takes the first. precision: for the layers
    that OpenVINO computes in floating point.

    Raises CheckpointError if a file is missing, damaged or not the kit's, or may hold code;
    ValueError for a backend or precision that the file cannot be run with; MissingPartError as
    `load_backend` does.
    """
    path = Path(path)
    if path.suffix not in FILES:
        raise ValueError(f"{path} is not a file that ocrkit.compress writes: {', '.join(FILES)}")
    kinds = FILES[path.suffix]
    backend = backend or kinds[0]
    check_precision(precision)
    if backend not in kinds:
        raise ValueError(f"{path} is run by the backend {' or '.join(kinds)}, not {backend!r}")
    if precision != "float32" and backend != "openvino":
        raise ValueError(f"{path} computes in its own precision; leave out {precision!r}")
    if backend == "openvino":
        return _openvino_file(path, precision)
    if backend == "onnxruntime":
        return _onnx_file(path)
    from ocrkit.runtime.pt2 import pt2_backend

    run, stored = pt2_backend(path, compiled=backend == "inductor")
    metadata = ReaderMetadata.from_text(stored, path)
    run.check_shapes(path, metadata.input_sizes, len(metadata.alphabet))
    return run, metadata


def _openvino_file(path: Path, precision: str) -> tuple[Backend, ReaderMetadata]:
    from ocrkit.runtime.openvino import check_shapes, compile_network, read_network

    network, stored = read_network(path)
    metadata = ReaderMetadata.from_text(stored, path)
    check_shapes(path, network, metadata.input_sizes, len(metadata.alphabet))
    return compile_network(network, precision, thread_count(), path), metadata


def _onnx_file(path: Path) -> tuple[Backend, ReaderMetadata]:
    from ocrkit.runtime.onnxruntime import onnx_backend

    run, stored = onnx_backend(path)
    metadata = ReaderMetadata.from_text(stored, path)
    run.check_shapes(path, metadata.input_sizes, len(metadata.alphabet))
    return run, metadata
