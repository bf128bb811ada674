"""Roofline: how close networks come to the highest rate of multiply-adds of the processor.

The roofline model (Williams, Waterman and Patterson, 2009) bounds the rate of a program by the
peak of the processor, or by memory bandwidth times arithmetic intensity (operations per byte).
A large matrix product has high arithmetic intensity, so its rate is a measured peak, the roof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import call
from timeit import timeit

import numpy as np
import torch

from ocrkit.measure.operations import multiply_adds
from ocrkit.measure.timing import Spread, interleaved_timers, mean_seconds
from ocrkit.measure.workers import worker_processes
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.pytorch import fast_bfloat16

# Features of a processor -> the most multiply-adds per core and cycle in FP32 and in INT8. FP32:
# two units of 8 or 16 lanes. INT8 without VNNI needs two multiply instructions and one add
# instruction for each 32 or 64 products.
_PER_CYCLE = (
    ({"AMX"}, 32, 1024),
    ({"AVX-512", "VNNI"}, 32, 128),
    ({"AVX-512"}, 32, 128 / 3),
    ({"AVX2", "VNNI"}, 16, 64),
    ({"AVX2"}, 16, 32),
)


@dataclass(frozen=True)
class RooflineRow:
    """The rate of a matrix product or a network.

    ms: milliseconds per product or strip.
    billions: of multiply-adds per second.
    percent: of the rate of the matrix product in the same precision, in its fastest round; None
        if there is no product in that precision.
    """

    label: str
    ms: Spread
    billions: Spread
    percent: Spread | None


def nominal_peak(cores: int, ghz: float, features: Collection[str]) -> dict[str, float]:
    """Nominal peak in multiply-adds per second for "FP32" and "INT8".

    It is cores x clock x lanes x units, an upper bound: two units are assumed, and some
    processors have one. features: those of AVX2, AVX-512, VNNI and AMX that the processor has.
    Returns {} for a processor without AVX2, whose peak is not known here.
    """
    for needed, fp32, int8 in _PER_CYCLE:
        if needed <= set(features):
            return {"FP32": cores * ghz * 1e9 * fp32, "INT8": cores * ghz * 1e9 * int8}
    return {}


def memory_bandwidth(megabytes: int = 128, rounds: int = 5) -> Spread:
    """Gigabytes per second that one thread reads and writes when it copies an array.

    megabytes: of the array, far more than the caches hold. As in STREAM's copy (McCalpin, 1995),
    the bytes read and the bytes written count.
    """
    source = np.ones(megabytes * 1_000_000 // 8)
    target = np.zeros_like(source)
    seconds = Spread(
        tuple(timeit(partial(np.copyto, target, source), number=1) for _ in range(rounds))
    )
    return seconds.map(lambda s: 2 * source.nbytes / s / 1e9)


def roofline(
    readers: Mapping[str, Callable[[], Recognizer]],
    model: CRNN,
    batches: Sequence[int],
    width: int = 280,
    rounds: int = 5,
    size: int = 1024,
) -> dict[int, list[RooflineRow]]:
    """Measure networks beside matrix products (size, size); rows by batch size.

    readers: label -> a function that loads the recogniser. Labels end in FP32, BF16 or INT8;
        those that are otherwise the same share a worker process.
    model: the network that the readers run; its multiply-adds are counted.

    For each batch size the rows are the matrix products, one for each precision, then the
    networks on strips (batch, 1, H, width).
    """
    precisions = ["FP32", *["BF16"] * fast_bfloat16(torch.device("cpu")), "INT8"]
    products = {
        f"matrix product {name}": partial(_matrix_product, name, size) for name in precisions
    }
    draw, height = np.random.default_rng(0).random, model.preprocessing.height
    strips = {batch: draw((batch, 1, height, width), np.float32) for batch in batches}
    seconds = _measure(products, readers, strips, rounds)
    strip_work = sum(multiply_adds(model, width).values())
    roofs = {_precision(name): size**3 / min(seconds[name, 1].values) for name in products}

    def row(name: str, items: int, work: int) -> RooflineRow:
        rate = seconds[name, items].map(lambda s: items * work / s)
        roof = roofs.get(_precision(name))
        return RooflineRow(
            name,
            ms=seconds[name, items].map(lambda s: 1000 * s / items),
            billions=rate.map(lambda r: r / 1e9),
            percent=rate.map(lambda r: 100 * r / roof) if roof else None,
        )

    roof_rows = [row(name, 1, size**3) for name in products]
    return {
        batch: roof_rows + [row(name, batch, strip_work) for name in readers] for batch in batches
    }


def _measure(
    products: Mapping[str, Callable[[], Callable[[], object]]],
    readers: Mapping[str, Callable[[], Recognizer]],
    strips: Mapping[int, np.ndarray],
    rounds: int,
) -> dict[tuple[str, int], Spread]:
    """Seconds per call, by label and batch size; a product has batch size 1.

    strips: the networks' input, by batch size.
    """
    with worker_processes({**products, **readers}) as calls:
        timers = {(name, 1): partial(calls[name], mean_seconds, call) for name in products}
        timers |= {
            (name, batch): partial(calls[name], mean_seconds, _infer, strips[batch])
            for name in readers
            for batch in strips
        }
        for timer in timers.values():  # warm up
            timer()
        return interleaved_timers(timers, rounds)


def _precision(label: str) -> str:
    return label.split()[-1]


def _infer(recognizer: Recognizer, strips: np.ndarray) -> None:
    recognizer.backend(strips)


def _matrix_product(precision: str, size: int) -> Callable[[], object]:
    """A function that multiplies two random matrices (size, size) in this precision."""
    left, right = torch.rand(2, size, size)
    if precision == "INT8":
        weights = torch.quantize_per_tensor(right, 0.01, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weights, None)
        quantized = torch.quantize_per_tensor(left, 0.01, 0, torch.quint8)
        return lambda: torch.ops.quantized.linear(quantized, packed, 1.0, 0)
    if precision == "BF16":
        left, right = left.bfloat16(), right.bfloat16()
    # By oneDNN. `@` uses MKL in FP32, which reached less than half of this on an AMD processor.
    return partial(torch.ops.mkldnn._linear_pointwise, left, right, None, "none", [], "")
