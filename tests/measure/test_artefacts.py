from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ocrkit.measure import artefacts as module
from ocrkit.measure.artefacts import Artefact, artefacts, random_reference
from ocrkit.recognition.backends import load_backend, load_file
from ocrkit.recognition.network import CRNN, ModelConfig


def test_the_size_of_an_artefact_includes_all_of_its_files(tmp_path: Path) -> None:
    for name, size in (("crnn.xml", 1000), ("crnn.bin", 2000), ("crnn.onnx", 6000)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = [tmp_path / name for name in ("crnn.xml", "crnn.onnx")]
    # The .bin belongs to the .xml; the .onnx of the same name contains its weights.
    assert [Artefact("", path, path, "").megabytes for path in paths] == [0.003, 0.006]


def test_a_missing_file_names_the_notebook_that_makes_it(tmp_path: Path) -> None:
    problem = Artefact("", tmp_path / "crnn.onnx", tmp_path, "05_openvino").problem
    assert problem == f"{tmp_path / 'crnn.onnx'} not found: run notebook 05_openvino first"


def test_a_file_of_older_weights_is_not_used(tmp_path: Path) -> None:
    old, new = tmp_path / "crnn.onnx", tmp_path / "crnn.safetensors"
    for path, seconds in ((old, 1000), (new, 2000)):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert Artefact("", new, old, "").problem == ""
    problem = Artefact("", old, new, "05_openvino").problem
    assert re.search(r"crnn.onnx is older than .*; run notebook 05_openvino again", problem)


def test_all_files_that_the_notebooks_make_are_listed(tmp_path: Path) -> None:
    assert [artefact.label for artefact in artefacts(Path("crnn.safetensors"), tmp_path)] == [
        "PyTorch FP32",
        "PyTorch BF16",
        "IPEX FP32",
        "IPEX BF16",
        "Neural Compressor INT8",
        "ONNX Runtime FP32",
        "OpenVINO FP32",
        "OpenVINO BF16",
        "OpenVINO INT8",
    ]


def test_the_random_network_is_the_same_in_all_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CRNN", partial(CRNN, ModelConfig(0.125, 8)))
    files = random_reference(tmp_path)
    assert list(files) == ["checkpoint", "ONNX", "IR", "INT8"]
    strip = np.random.default_rng(0).random((1, 1, 32, 64), np.float32)
    expected = load_backend("pytorch", CRNN.load(files.pop("checkpoint")))(strip)
    for path in files.values():
        difference = abs(load_file(path)[0](strip) - expected).max()
        assert difference < 0.25 * np.ptp(expected)
