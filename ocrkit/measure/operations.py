"""A network's layers: output shapes, parameters and multiply-adds."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import nn

from ocrkit.recognition.network import CRNN


def layer_table(model: CRNN, width: int) -> list[dict[str, Any]]:
    """What each layer makes of one strip (1, 1, 32, width): a row a layer, in their order.

    Keys: layer (its name), kind, output (shape), parameters, multiply_adds (0 for a layer that
    only adds, scales or compares).
    """
    rows: list[dict[str, Any]] = []

    def record(name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        output = output[0] if isinstance(layer, nn.LSTM) else output
        # Every weight of these is multiplied once for each place (or step) of the output.
        shape = output.shape[2:] if isinstance(layer, nn.Conv2d) else output.shape[:1]
        weights = sum(p.numel() for n, p in layer.named_parameters() if n.startswith("weight"))
        multiplies = isinstance(layer, nn.Conv2d | nn.Linear | nn.LSTM)
        rows.append(
            {
                "layer": name,
                "kind": type(layer).__name__,
                "output": tuple(output.shape),
                "parameters": sum(p.numel() for p in layer.parameters()),
                "multiply_adds": weights * shape.numel() if multiplies else 0,
            }
        )

    model = deepcopy(model).eval()
    for name, layer in model.named_modules():
        if not any(layer.children()) and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(partial(record, name))
    with torch.inference_mode():
        model(torch.zeros(1, 1, 32, width))
    return rows


def multiply_adds(model: CRNN, width: int) -> dict[str, int]:
    """Multiplications, each with its addition, by layer for one strip (1, 1, 32, width)."""
    return {r["layer"]: r["multiply_adds"] for r in layer_table(model, width) if r["multiply_adds"]}
