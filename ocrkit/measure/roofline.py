"""Multiply-adds a second: what networks reach, beside what the processor can do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import call
from typing import Any

import numpy as np
import torch

from ocrkit.measure.operations import multiply_adds
from ocrkit.measure.timing import (
    in_turns,
    mean_seconds,
    worker_processes,
)
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.pytorch import fast_bfloat16

# What a processor has -> multiply-adds of one core in a cycle, FP32 and INT8, at most: two units of
# 8 or 16 lanes for FP32. INT8 without VNNI takes two multiplying instructions and an adding one for
# each 32 or 64 products.
_A_CYCLE = (
    ({"AMX"}, 32, 1024),
    ({"AVX-512", "VNNI"}, 32, 128),
    ({"AVX-512"}, 32, 128 / 3),
    ({"AVX2", "VNNI"}, 16, 64),
    ({"AVX2"}, 16, 32),
)


def nominal_peak(cores: int, ghz: float, features: Collection[str]) -> dict[str, float]:
    """Multiply-adds a second that the data sheet promises, for "FP32" and "INT8".

    features: those of AVX2, AVX-512, VNNI and AMX that the processor has. Cores x clock x lanes x
    units: an upper bound for its instruction set, as some have one unit where two are counted.
    Empty for a processor without AVX2, whose peak is not known here.
    """
    for needed, fp32, int8 in _A_CYCLE:
        if needed <= set(features):
            return {"FP32": cores * ghz * 1e9 * fp32, "INT8": cores * ghz * 1e9 * int8}
    return {}


def roofline(
    readers: Mapping[str, Callable[[], Recognizer]],
    model: CRNN,
    batches: Sequence[int],
    width: int = 280,
    rounds: int = 5,
    size: int = 1024,
) -> dict[int, list[dict[str, Any]]]:
    """Multiply-adds a second that networks reach, beside those of a matrix product.

    readers: what loads each; their labels end in FP32, BF16 or INT8, and those that begin alike, as
    those of one runtime, share a process.
    For each of the batches a row for each product of two matrices (size, size), which is about the
    most that the processor does in that precision, then one for each network on strips (batch, 1,
    32, width): label, ms (a product or a strip), billions (of multiply-adds a second) and percent
    (of the product in that precision, in its best round), all Spreads; percent is None where that
    product is not measured.
    """
    precisions = ["FP32", *["BF16"] * fast_bfloat16(torch.device("cpu")), "INT8"]
    products = {f"matrix product {name}": partial(_product, name, size) for name in precisions}
    draw = np.random.default_rng(0).random
    strips = {batch: draw((batch, 1, 32, width), np.float32) for batch in batches}
    with worker_processes({**products, **readers}) as uses:
        clocks = {(name, 1): partial(uses[name], mean_seconds, call) for name in products}
        clocks |= {
            (name, batch): partial(uses[name], mean_seconds, _infer, strips[batch])
            for name in readers
            for batch in batches
        }
        for clock in clocks.values():
            clock()
        seconds = in_turns(clocks, rounds)
    work = dict.fromkeys(readers, sum(multiply_adds(model, width).values()))
    work |= dict.fromkeys(products, size**3)
    roofs = {name.split()[-1]: size**3 / min(seconds[name, 1].values) for name in products}

    def row(name: str, items: int) -> dict[str, Any]:
        rate = seconds[name, items].map(lambda s: items * work[name] / s)
        roof = roofs.get(name.split()[-1])
        return {
            "label": name,
            "ms": seconds[name, items].map(lambda s: 1000 * s / items),
            "billions": rate.map(lambda r: r / 1e9),
            "percent": rate.map(lambda r: 100 * r / roof) if roof else None,
        }

    return {
        batch: [row(name, 1) for name in products] + [row(name, batch) for name in readers]
        for batch in batches
    }


def _infer(recognizer: Recognizer, strips: np.ndarray) -> None:
    recognizer.backend(strips)


def _product(precision: str, size: int) -> Callable[[], object]:
    left, right = torch.rand(2, size, size)
    if precision == "INT8":
        weights = torch.quantize_per_tensor(right, 0.01, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weights, None)
        quantized = torch.quantize_per_tensor(left, 0.01, 0, torch.quint8)
        return lambda: torch.ops.quantized.linear(quantized, packed, 1.0, 0)
    if precision == "BF16":
        left, right = left.bfloat16(), right.bfloat16()
    # By oneDNN: `@` takes MKL for FP32, which reached less than half of this on an AMD processor.
    return partial(torch.ops.mkldnn._linear_pointwise, left, right, None, "none", [], "")
