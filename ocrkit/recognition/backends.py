"""Ways to run a CRNN. A backend is a callable on arrays, and whoever calls it cannot tell which.

`(N, 1, 32, W) float32 -> logits (T, N, C) float32`, for any N and W.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch

from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.ipex import in_ipex
from ocrkit.runtime.metadata import FORMAT
from ocrkit.runtime.onnxruntime import onnx_file
from ocrkit.runtime.openvino import compile_ir, openvino_file, to_ir
from ocrkit.runtime.pt2 import pt2_file
from ocrkit.runtime.pytorch import Backend, in_pytorch, torch_dtype
from ocrkit.runtime.weights import check_format


def load_backend(name: str, model: CRNN, precision: str = "float32") -> Backend:
    """The model made ready to run by "pytorch", "ipex" or "openvino", in "float32" or "bfloat16".

    The model itself is left as it is. Raises ValueError for another name or precision, and
    MissingPartError when the package that a backend needs is not there, or "ipex" or "openvino" is
    to compute in bfloat16 on a processor that cannot.
    """
    if name not in BACKENDS:
        raise ValueError(f"no backend is called {name!r}; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name](deepcopy(model).eval(), torch_dtype(precision))


def load_file(
    path: str | Path, backend: str | None = None, precision: str = "float32"
) -> tuple[Backend, Alphabet, Preprocessing]:
    """A model that `quantize` wrote, with what its checkpoint said of its use.

    backend: "openvino" for an .xml, "onnxruntime" for an .onnx; for a .pt2 "pytorch", which rounds
    as INT8 does but computes in floating point, or "inductor", which computes in INT8, but compiles
    for a while whenever it meets a batch of a new shape. None takes the first. `precision` is for
    what OpenVINO finds in floating point.

    Raises CheckpointError if a file is missing, damaged or not the kit's, ValueError for a backend
    or precision that the file does not go with, and else as `load_backend`.
    """
    path = Path(path)
    if path.suffix not in FILES:
        raise ValueError(f"{path} is none of the files that ocrkit.quantize writes")
    kinds, dtype = FILES[path.suffix], torch_dtype(precision)
    backend = backend or next(iter(kinds))
    if backend not in kinds:
        raise ValueError(f"{path} is run by the backend {' or '.join(kinds)}, not {backend!r}")
    if dtype is not torch.float32 and backend != "openvino":
        raise ValueError(f"{path} computes in its own precision; leave out {precision!r}")
    run, facts = kinds[backend](path, dtype)
    if facts is None:
        raise CheckpointError(
            f"{path} does not say which alphabet it reads; take one that ocrkit.quantize wrote"
        )
    said = json.loads(facts)
    check_format(path, said.get("format"), FORMAT)
    return run, Alphabet(said["alphabet"]), Preprocessing(**said["preprocessing"])


BACKENDS: dict[str, Callable[[CRNN, torch.dtype], Backend]] = {
    "pytorch": in_pytorch,
    "ipex": in_ipex,
    "openvino": lambda model, dtype: compile_ir(to_ir(model), dtype),
}
# How a file is run, by its suffix; the first is the usual way.
FILES: dict[str, dict[str, Callable[[Path, torch.dtype], tuple[Backend, str | None]]]] = {
    ".xml": {"openvino": openvino_file},
    ".onnx": {"onnxruntime": onnx_file},
    ".pt2": {"pytorch": pt2_file, "inductor": partial(pt2_file, compiled=True)},
}
