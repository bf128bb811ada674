"""From a PyTorch network to an OpenVINO network."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from ocrkit.runtime.openvino import import_openvino


def to_openvino_network(model: nn.Module, height: int) -> Any:
    """The model as an openvino.Model with the same input and output, (N, 1, height, W).

    N and W stay variable, and so does the height if it is -1.
    """
    ov, example = import_openvino(), torch.zeros(1, 1, 64 if height < 0 else height, 64)
    model = deepcopy(model).eval().to("cpu")
    # Tracing warns that it might have fixed batch and width; the tests see that it does not.
    with warnings.catch_warnings(action="ignore", category=torch.jit.TracerWarning):
        return ov.convert_model(model, example_input=example, input=[-1, 1, height, -1])
