"""Running a network with OpenVINO."""

from __future__ import annotations

import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import needs
from ocrkit.runtime.pytorch import Backend


def openvino_file(path: Path, dtype: torch.dtype) -> tuple[Backend, str | None]:
    """A model that `quantize` wrote, run by OpenVINO, and its facts as JSON if it has any."""
    ov = import_openvino()
    try:
        ir = ov.Core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} cannot be read: {str(error).strip().splitlines()[-1]}; it takes an .xml and, "
            "beside it, the .bin written with it: run notebook 05_openvino to make both"
        ) from error
    facts = ir.get_rt_info(METADATA_KEY).astype(str) if ir.has_rt_info(METADATA_KEY) else None
    return compile_ir(ir, dtype), facts


def import_openvino() -> Any:
    """The package openvino; raises MissingPartError where it cannot be used."""
    with needs("OpenVINO", "openvino", "take the backend 'pytorch'"):
        import openvino
    return openvino


def to_ir(model: nn.Module, height: int = 32) -> Any:
    """The model as an openvino.Model of the same input and output, (N, 1, height, W).

    For any N and W; height -1 is for any height as well.
    """
    ov, example = import_openvino(), torch.zeros(1, 1, 32 if height < 0 else height, 64)
    model = deepcopy(model).eval().to("cpu")
    # Tracing warns that it might have fixed batch and width; the tests see that it does not.
    with warnings.catch_warnings(action="ignore", category=torch.jit.TracerWarning):
        return ov.convert_model(model, example_input=example, input=[-1, 1, height, -1])


def compile_ir(ir: Any, dtype: torch.dtype) -> Backend:
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
