"""INT8 LSTMs that OpenVINO computes correctly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from ocrkit.recognition.network import CRNN


def lstm_operations(ir: Any) -> list[Any]:
    return [op for op in ir.get_ordered_ops() if op.get_type_name() == "LSTMSequence"]


def lstm_input_ranges(model: CRNN, strips: Iterable[np.ndarray]) -> list[float]:
    """The largest size of a number that goes into each LSTM."""
    model = deepcopy(model).eval().to("cpu")
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.LSTM)]
    ranges = [1e-6] * len(layers)

    def note(index: int, inputs: tuple[torch.Tensor, ...]) -> None:
        ranges[index] = max(ranges[index], inputs[0].abs().max().item())

    for i, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda _, inputs, i=i: note(i, inputs))
    with torch.inference_mode():
        for strip in strips:
            model(torch.from_numpy(strip))
    return ranges


def quantize_lstms(ir: Any, ranges: Sequence[float]) -> None:
    """Have OpenVINO compute the LSTMs in INT8, in a way that its CPU plugin cannot get wrong.

    oneDNN's INT8 LSTM has one scale for its input x, its last output h and what it gives out, and
    one for a row of its weights W and R together (oneDNN, "RNN", on quantisation). NNCF chooses one
    for each, and the plugin (OpenVINO 2026.4) passes on one of them. It also takes the scales of
    the forget gate for the input gate's and the other way round, and in a network with two LSTMs of
    one shape those of the first for both. So here x is divided by its range and W multiplied by it,
    which brings x to the range of h, -1 to 1, and a row of any LSTM, of W and R and of both of
    these gates has one and the same scale. `ranges`: of the numbers that go into each LSTM.
    """
    from openvino import opset13 as ops

    def constant(values: Any) -> Any:
        return ops.constant(np.asarray(values, np.float32))

    def stored(op: Any, port: int) -> np.ndarray:
        node = op.input_value(port).get_node()
        node = node.input_value(0).get_node() if node.get_type_name() == "Convert" else node
        return node.data.astype(np.float32)

    layers = lstm_operations(
        ir
    )  # their weights (directions, gates x hidden, inputs) are ports 4, W, and 5
    weights = [(stored(op, 4) * top, stored(op, 5)) for op, top in zip(layers, ranges, strict=True)]
    rows = np.max([abs(w).max(axis=(0, 2)) for pair in weights for w in pair], axis=0)
    gates = rows.reshape(4, -1)
    gates[:2] = gates[:2].max(axis=0)
    scale = gates.reshape(1, -1, 1) / 127
    limits = [constant(limit) for limit in (-1, 127 / 128)] * 2
    for op, top, pair in zip(layers, ranges, weights, strict=True):
        scaled = ops.multiply(op.input_value(0), constant(1 / top))
        inputs = {0: ops.fake_quantize(scaled, *limits, 256)}
        # The state before the first step is 0, but has to be in 8 bits as well.
        inputs[1] = ops.fake_quantize(op.input_value(1), *limits, 256)
        for port, values in zip((4, 5), pair, strict=True):
            rounded = ops.constant(np.round(values / scale).astype(np.int8))
            inputs[port] = ops.multiply(ops.convert(rounded, "f32"), constant(scale))
        for port, node in inputs.items():
            op.input(port).replace_source_output(node.output(0))
