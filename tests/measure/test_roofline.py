from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ocrkit.measure import roofline as module
from ocrkit.measure import workers as workers_module
from ocrkit.measure.roofline import memory_bandwidth, nominal_peak, roofline
from ocrkit.measure.timing import Spread
from ocrkit.measure.workers import worker_process
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer


def test_the_bandwidth_counts_the_bytes_that_are_read_and_those_that_are_written(
    monkeypatch,
) -> None:
    monkeypatch.setattr(module, "timeit", lambda copy, number: 0.002)
    # A copy of 2 MB moves 4 MB; in 2 ms that is 2 GB/s.
    assert memory_bandwidth(megabytes=2, rounds=3).values == pytest.approx((2.0,) * 3)


def test_the_nominal_peak_is_cores_times_clock_times_lanes_times_units() -> None:
    # 2 cores at 2.5 GHz, each with 2 units of 8 lanes: 80 billion multiply-adds per second.
    assert nominal_peak(2, 2.5, ["AVX2"]) == {"FP32": 80e9, "INT8": 160e9}
    assert nominal_peak(1, 1.0, ["AVX2", "AVX-512", "VNNI"]) == {"FP32": 32e9, "INT8": 128e9}
    without, with_vnni = (nominal_peak(1, 1.0, ["AVX2", *more]) for more in ([], ["VNNI"]))
    assert with_vnni["INT8"] == 2 * without["INT8"]
    assert nominal_peak(1, 1.0, ["AVX2", "AVX-512", "VNNI", "AMX"])["INT8"] == 1024e9
    assert nominal_peak(1, 1.0, []) == {}


def test_rates_count_all_strips_of_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CRNN(ModelConfig(0.125, 8), Alphabet("abc"))
    seconds = {"matrix product FP32": 2.0, "matrix product INT8": 1.0, "PyTorch FP32": 4.0}
    monkeypatch.setattr(
        module,
        "interleaved_timers",
        lambda timers, rounds: {key: Spread((seconds[key[0]],)) for key in timers},
    )
    monkeypatch.setattr(module, "fast_bfloat16", lambda device: False)
    monkeypatch.setattr(module, "multiply_adds", lambda model, width: {"a": 3 * width, "b": width})
    processes: list[int] = []

    def counted(*makers: Callable[[], Any]) -> Any:
        processes.append(len(makers))
        return worker_process(*makers)

    monkeypatch.setattr(workers_module, "worker_process", counted)
    readers = {"PyTorch FP32": partial(Recognizer.load, model.save(tmp_path / "a.safetensors"))}
    by_batch = roofline(readers, model, (1, 2), 16, size=8)
    assert processes == [2, 1]  # the products share one, as all of a runtime do
    assert by_batch[1][2].ms.median == pytest.approx(4000)
    rows = by_batch[2]
    # A product of 8 x 8 matrices takes 512 multiply-adds; 2 strips of 16 columns take 128 here.
    shares = [(row.label, row.billions.median, row.percent and row.percent.median) for row in rows]
    assert shares == [
        ("matrix product FP32", pytest.approx(256e-9), pytest.approx(100)),
        ("matrix product INT8", pytest.approx(512e-9), pytest.approx(100)),
        ("PyTorch FP32", pytest.approx(32e-9), pytest.approx(12.5)),
    ]
    assert rows[2].ms.median == pytest.approx(2000)  # 4 seconds for 2 strips


@pytest.mark.parametrize("precision", ["FP32", "INT8"])
def test_the_matrix_products_run(precision: str) -> None:
    module._matrix_product(precision, 32)()
