"""INT8 LSTMs that OpenVINO's CPU plugin computes correctly.

oneDNN's INT8 LSTM has one scale for its input x, its hidden state h and its output, and one scale
for each row of its weights W (input) and R (recurrent) together (oneDNN documentation, "RNN",
section on quantisation). NNCF chooses a separate scale for each of them, and OpenVINO 2026.4
passes on only one. OpenVINO also swaps the weight scales of the forget gate and the input gate,
and if a network has two LSTMs of the same shape it uses the scales of the first for both.

`quantize_lstms` chooses scales for which none of these errors makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch

from ocrkit.recognition.network import CRNN

# Ports of OpenVINO's LSTMSequence. W and R have the shape (directions, 4 * hidden, inputs).
INPUT, HIDDEN_STATE, INPUT_WEIGHTS, RECURRENT_WEIGHTS = 0, 1, 4, 5
GATES = 4  # forget, input, cell, output: their order in the rows of the weights


def lstm_operations(ir: Any) -> list[Any]:
    """The LSTMs of an openvino.Model, in the order in which they run."""
    return [op for op in ir.get_ordered_ops() if op.get_type_name() == "LSTMSequence"]


def lstm_input_ranges(model: CRNN, strips: Iterable[np.ndarray]) -> list[float]:
    """For each LSTM the largest absolute value of its input over a calibration set.

    strips: (N, 1, H, W) float32 each.
    """
    model = deepcopy(model).eval().to("cpu")
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.LSTM)]
    ranges = [1e-6] * len(layers)

    def update(index: int, inputs: tuple[torch.Tensor, ...]) -> None:
        ranges[index] = max(ranges[index], inputs[0].abs().max().item())

    for i, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda _, inputs, i=i: update(i, inputs))
    with torch.inference_mode():
        for strip in strips:
            model(torch.from_numpy(strip))
    return ranges


def quantize_lstms(ir: Any, ranges: Sequence[float]) -> None:
    """Change the LSTMs of an openvino.Model, in place, so that OpenVINO computes them in INT8.

    x is divided by its range and W multiplied by it, which brings x to the range of h, -1 to 1:
    both get the scale 1/128. The weight scales are per row, and the same for W and R, for all
    LSTMs, and for the forget and the input gate.

    ranges: the largest absolute input of each LSTM, from `lstm_input_ranges`.
    """
    layers = lstm_operations(ir)
    weights = [
        (_stored_weights(op, INPUT_WEIGHTS) * top, _stored_weights(op, RECURRENT_WEIGHTS))
        for op, top in zip(layers, ranges, strict=True)
    ]
    scale = _common_scale([matrix for pair in weights for matrix in pair])
    for op, top, pair in zip(layers, ranges, weights, strict=True):
        _replace_inputs(op, top, pair, scale)


def _stored_weights(op: Any, port: int) -> np.ndarray:
    node = op.input_value(port).get_node()
    if node.get_type_name() == "Convert":  # weights stored in 16 bits
        node = node.input_value(0).get_node()
    return node.data.astype(np.float32)


def _common_scale(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """One scale per row, (1, 4 * hidden, 1), that maps every matrix to -127 ... 127."""
    rows = np.max([abs(matrix).max(axis=(0, 2)) for matrix in matrices], axis=0)
    gates = rows.reshape(GATES, -1)
    gates[:2] = gates[:2].max(axis=0)  # forget and input gate share theirs
    return gates.reshape(1, -1, 1) / 127


def _replace_inputs(
    op: Any, top: float, weights: tuple[np.ndarray, np.ndarray], scale: np.ndarray
) -> None:
    """Put fake-quantise operations and INT8 weights in front of one LSTM."""
    from openvino import opset13 as ops

    def constant(values: Any) -> Any:
        return ops.constant(np.asarray(values, np.float32))

    # 256 levels from -1 to 127/128: scale 1/128, zero point 0.
    limits = [constant(limit) for limit in (-1, 127 / 128)] * 2
    scaled = ops.multiply(op.input_value(INPUT), constant(1 / top))
    inputs = {
        INPUT: ops.fake_quantize(scaled, *limits, 256),
        # The initial state is 0, but OpenVINO uses the INT8 LSTM only if it is quantised too.
        HIDDEN_STATE: ops.fake_quantize(op.input_value(HIDDEN_STATE), *limits, 256),
    }
    for port, values in zip((INPUT_WEIGHTS, RECURRENT_WEIGHTS), weights, strict=True):
        rounded = ops.constant(np.round(values / scale).astype(np.int8))
        inputs[port] = ops.multiply(ops.convert(rounded, "f32"), constant(scale))
    for port, node in inputs.items():
        op.input(port).replace_source_output(node.output(0))
