"""Ways to run a CRNN. A backend is a callable on arrays, and whoever calls it cannot tell which.

`(N, 1, 32, W) float32 -> logits (T, N, C) float32`, for any N and W.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ocrkit.alphabet import Alphabet
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.image import Preprocessing
from ocrkit.model import CRNN

Backend = Callable[[np.ndarray], np.ndarray]
RT_INFO = "ocrkit"  # where an OpenVINO model keeps what a checkpoint says beside the weights
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_backend(name: str, model: CRNN, precision: str = "float32") -> Backend:
    """The model made ready to run by "pytorch", "ipex" or "openvino", in "float32" or "bfloat16".

    The model itself is left as it is. Raises ValueError for another name or precision, and
    MissingPartError when the package that a backend needs is not there, or "ipex" or "openvino" is
    to compute in bfloat16 on a processor that cannot.
    """
    if name not in BACKENDS:
        raise ValueError(f"no backend is called {name!r}; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name](deepcopy(model).eval(), _dtype(precision))


def load_openvino(
    path: str | Path, precision: str = "float32"
) -> tuple[Backend, Alphabet, Preprocessing]:
    """A model that `quantize.to_openvino` wrote, with what its checkpoint said of its use.

    Where it was not quantised to INT8 it computes in `precision`. Raises CheckpointError if the
    .xml or the .bin beside it is missing, damaged or not the kit's, and else as `load_backend`.
    """
    ov, path = import_openvino(), Path(path)
    try:
        ir = ov.Core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} cannot be read: {str(error).strip().splitlines()[-1]}; it takes an .xml and, "
            "beside it, the .bin written with it: run notebook 05_openvino to make both"
        ) from error
    if not ir.has_rt_info(RT_INFO):
        raise CheckpointError(
            f"{path} does not say which alphabet it reads; take one that ocrkit's to_openvino wrote"
        )
    facts = json.loads(ir.get_rt_info(RT_INFO).astype(str))
    alphabet, preprocessing = Alphabet(facts["alphabet"]), Preprocessing(**facts["preprocessing"])
    return _compiled(ir, _dtype(precision)), alphabet, preprocessing


def _dtype(precision: str) -> torch.dtype:
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def _pytorch(model: CRNN, dtype: torch.dtype) -> Backend:
    # Convolutions on CPUs run faster when the channels of a pixel lie side by side.
    return _runner(model.to(memory_format=torch.channels_last), dtype)  # type: ignore[call-overload]


def _ipex(model: CRNN, dtype: torch.dtype) -> Backend:
    try:
        import intel_extension_for_pytorch as ipex
    except (ImportError, OSError, SystemExit, AttributeError) as error:
        # As it is imported IPEX checks torch's version (and trips over its own os.exit, an
        # AttributeError) and the processor.
        raise MissingPartError(
            f"Intel Extension for PyTorch cannot be used here ({error}); install it with "
            "`pip install intel-extension-for-pytorch==2.8.0` beside torch 2.8.0, or take the "
            "backend 'pytorch'"
        ) from error
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        return _runner(ipex.optimize(model, dtype=dtype, inplace=True), dtype)
    except AssertionError as error:
        raise MissingPartError(
            f"Intel Extension for PyTorch cannot compute in {dtype} on this processor ({error}); "
            "take the precision 'float32' or the backend 'pytorch'"
        ) from error


def _runner(model: nn.Module, dtype: torch.dtype) -> Backend:
    def run(images: np.ndarray) -> np.ndarray:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16),
        ):
            strips = torch.from_numpy(images).to(memory_format=torch.channels_last)
            return model(strips).float().numpy()

    return run


def import_openvino() -> Any:
    """The package openvino; raises MissingPartError where it cannot be used."""
    try:
        import openvino
    except (ImportError, OSError) as error:
        raise MissingPartError(
            f"OpenVINO cannot be used here ({error}); install it with `pip install openvino`, or "
            "take the backend 'pytorch'"
        ) from error
    return openvino


def to_ir(model: CRNN) -> Any:
    """The model as an openvino.Model of the same input and output, for any N and W."""
    ov, example = import_openvino(), torch.zeros(1, 1, 32, 64)
    model = deepcopy(model).eval().to("cpu")
    with warnings.catch_warnings():
        # Tracing warns that it might have fixed batch and width; the tests see that it does not.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return ov.convert_model(model, example_input=example, input=[-1, 1, 32, -1])


def _openvino(model: CRNN, dtype: torch.dtype) -> Backend:
    return _compiled(to_ir(model), dtype)


def _compiled(ir: Any, dtype: torch.dtype) -> Backend:
    ov = import_openvino()
    hint = ov.Type.bf16 if dtype is torch.bfloat16 else ov.Type.f32
    settings = {
        # Left to itself OpenVINO takes bfloat16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = ov.Core().compile_model(ir, "CPU", settings)
    if compiled.get_property("INFERENCE_PRECISION_HINT") != hint:
        raise MissingPartError(
            "this processor does not compute in bfloat16, and OpenVINO would take float32 in its "
            "stead; choose the precision 'float32'"
        )
    return lambda images: compiled(images)[0]


BACKENDS: dict[str, Callable[[CRNN, torch.dtype], Backend]] = {
    "pytorch": _pytorch,
    "ipex": _ipex,
    "openvino": _openvino,
}
