from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.errors import OcrkitError
from ocrkit.measure.benchmark_app import benchmark_app
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    model = CRNN(ModelConfig(0.125, 24, "all"), Alphabet("abc"))
    export_onnx(model, folder / "model.onnx")
    to_openvino(model, folder / "float.xml")
    return folder


def test_speed_and_precision_are_reported(folder: Path) -> None:
    fixed_shape = benchmark_app(folder / "float.xml", seconds=1)
    assert fixed_shape.precision == "float32"
    # One request at a time: rate and latency are inverses, whatever unit was printed.
    assert 0.3 < fixed_shape.fps * fixed_shape.median_ms / 1000 < 3
    strips = [np.zeros((1, 1, 32, width), np.float32) for width in (64, 96)]
    for hint in ("latency", "throughput"):
        assert benchmark_app(folder / "model.onnx", hint, seconds=1, strips=strips).fps > 0


def test_if_it_fails_its_output_is_shown(folder: Path) -> None:
    with pytest.raises(OcrkitError, match="benchmark_app failed on .*float.xml"):
        benchmark_app(folder / "float.xml", hint="fast")
