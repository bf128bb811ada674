"""What several tests of compression share: inputs, and a look into OpenVINO's IR."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import openvino

# Batch and width; the exported models were traced with an example of (1, 64).
SHAPES = [(1, 8), (1, 64), (3, 64), (1, 280), (5, 416), (2, 2048)]


def strips(lines: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(lines * 10_000 + width)
    return rng.random((lines, 1, 32, width), np.float32)


def difference(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the range of the expected logits."""
    assert logits.shape == expected.shape and logits.dtype == np.float32
    return float(np.abs(logits - expected).max() / np.ptp(expected))


# --- readings of the memorised lines


def labelled(memorised: Any) -> list[tuple[np.ndarray, str]]:
    from ocrkit.image import fit

    prep = memorised.model.preprocessing
    return [
        (fit(crop, prep)[None], text)
        for crop, text in zip(memorised.crops, memorised.batch.texts, strict=True)
    ]


def texts(reader: Any, memorised: Any) -> list[str]:
    return [reading.text for reading in reader(memorised.crops)]


def correct(readings: list[str], memorised: Any) -> int:
    """How many of the eight lines are read exactly; INT8 may lose one, for example a double s."""
    return sum(a == b for a, b in zip(readings, memorised.batch.texts, strict=True))


# --- OpenVINO's IR


def operation_counts(ir: openvino.Model) -> Counter[str]:
    return Counter(op.get_type_name() for op in ir.get_ops())


def constant(op: openvino.Node, port: int) -> np.ndarray:
    """The constant at an input of an operation, also behind a conversion from 16 bits."""
    node = op.input_value(port).get_node()
    return (node.input_value(0).get_node() if node.get_type_name() == "Convert" else node).data


def weight_types(ir: openvino.Model, kind: str) -> set[str]:
    """Types in which the weights of all operations of a kind are stored."""
    types = set()
    for op in ir.get_ops():
        if op.get_type_name() == kind:
            waiting = [op.input_value(i).get_node() for i in range(1, op.get_input_size())]
            while waiting:
                node = waiting.pop()
                if node.get_type_name() == "Constant" and np.prod(node.get_output_shape(0)) > 64:
                    types.add(node.get_output_element_type(0).get_type_name())
                # Behind other operations are the weights of other layers.
                elif node.get_type_name() in ("Convert", "Multiply", "Subtract", "Reshape"):
                    waiting += [i.get_node() for i in node.input_values()]
    return types


def lstm_weight_types(ir: openvino.Model) -> list[str]:
    """For each LSTM the type in which its input weights are stored."""
    found = []
    for op in ir.get_ordered_ops():
        if op.get_type_name() == "LSTMSequence":
            node = op.input_value(4).get_node()
            while node.get_type_name() != "Constant":
                node = node.input_value(0).get_node()
            found.append(node.get_output_element_type(0).get_type_name())
    return found
