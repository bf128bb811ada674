"""The layers of a network: output shapes, parameters and multiply-adds."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ocrkit.recognition.network import CRNN
from ocrkit.runtime.packages import needs


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    layer: its name. kind: its class, for example "Conv2d". output: the shape of its output.
    multiply_adds: multiplications, each with its addition; 0 for a layer without a matrix product.
    """

    layer: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layer_table(model: CRNN, width: int) -> list[Layer]:
    """The layers of a network in the order in which they run, for one strip (1, 1, H, width).

    Raises MissingPartError if torchinfo is not installed.
    """
    with needs("The layer table", "torchinfo"):
        import torchinfo
    model = deepcopy(model)
    names = {id(layer): name for name, layer in model.named_modules()}
    summary = torchinfo.summary(
        model,
        input_data=torch.zeros(1, 1, model.preprocessing.height, width),
        depth=max(name.count(".") + 2 for name in names.values()),
        device="cpu",
        mode="eval",
        verbose=0,
    )
    return [
        Layer(
            names[info.layer_id],
            info.class_name,
            tuple(info.output_size),
            info.num_params,
            _multiply_adds(info),
        )
        for info in summary.summary_list
        if info.is_leaf_layer and not isinstance(info.module, nn.Identity)
    ]


def multiply_adds(model: CRNN, width: int) -> dict[str, int]:
    """Multiply-adds by layer for one strip (1, 1, H, width); layers without any are left out."""
    table = layer_table(model, width)
    return {row.layer: row.multiply_adds for row in table if row.multiply_adds}


def _multiply_adds(info: Any) -> int:
    """The multiply-adds of a layer, from its torchinfo.layer_info.LayerInfo.

    torchinfo counts one for every parameter at every position of the output, so also for biases
    and batch norms, which only add or scale. Here the weights of matrix products are counted
    alone; for LSTMs too, one input and one recurrent product per step and direction.
    """
    if not isinstance(info.module, nn.Conv2d | nn.Linear | nn.LSTM):
        return 0
    parameters = info.module.named_parameters()
    weights = sum(p.numel() for name, p in parameters if name.startswith("weight"))
    return info.macs * weights // info.num_params
