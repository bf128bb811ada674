from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from ocrkit.measure.artefacts import Artefact
from ocrkit.measure.comparison import compare
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.training.manifest import Sample


@pytest.fixture
def words(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = [Sample(tmp_path / f"{i}.png", f"word{i}") for i in range(3)]
    for sample in samples:
        cv2.imwrite(str(sample.path), rng.integers(0, 255, (40, 90), np.uint8))
    return samples


def test_artefacts_are_measured_and_missing_ones_have_a_reason(
    words: list[Sample], tmp_path: Path
) -> None:
    checkpoint = CRNN(ModelConfig(0.125, 8), Alphabet("abc")).save(tmp_path / "crnn.safetensors")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"?")
    wanted = [
        Artefact("OpenVINO INT8", tmp_path / "no.xml", checkpoint, "05_openvino"),
        Artefact("ONNX Runtime FP32", damaged, checkpoint, "05_openvino"),
        Artefact("PyTorch FP32", checkpoint, checkpoint, "02_train"),
    ]
    results, reasons = compare(wanted, words, batches=(1, 2), rounds=2, starts=1)
    assert reasons.keys() == {"OpenVINO INT8", "ONNX Runtime FP32"}
    assert "no.xml not found: run notebook 05_openvino" in reasons["OpenVINO INT8"]
    assert "damaged.onnx" in reasons["ONNX Runtime FP32"]
    (result,) = results
    assert result.label == "PyTorch FP32"
    assert result.accuracy == result.evaluation.accuracy == 0.0
    assert result.mb == checkpoint.stat().st_size / 1e6
    assert result.batch in (1, 2)
    assert result.relative.values == (1.0, 1.0)
    assert len(result.ms.values) == len(result.lines_s.values) == 2
    assert result.start_s and len(result.start_s.values) == 1
    table = pd.DataFrame(map(vars, results)).set_index("label")
    assert table.loc["PyTorch FP32", "mb"] == result.mb


def test_the_start_up_time_can_be_left_out(words: list[Sample], tmp_path: Path) -> None:
    checkpoint = CRNN(ModelConfig(0.125, 8), Alphabet("abc")).save(tmp_path / "crnn.safetensors")
    artefact = Artefact("PyTorch FP32", checkpoint, checkpoint, "02_train")
    (result,), reasons = compare([artefact], words, batches=(2,), rounds=1, starts=0)
    assert result.start_s is None and reasons == {}


def test_if_nothing_can_be_run_there_are_only_reasons(words: list[Sample], tmp_path: Path) -> None:
    missing = Artefact("OpenVINO INT8", tmp_path / "no.xml", tmp_path, "05_openvino")
    results, reasons = compare([missing], words, rounds=1)
    assert results == [] and list(reasons) == ["OpenVINO INT8"]
