from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.compress.neural_compressor import SETTINGS, to_neural_compressor
from ocrkit.errors import MissingPartError
from ocrkit.recognition.backends import load_file
from ocrkit.recognition.recognizer import Recognizer

from .helpers import SHAPES, correct, difference, labelled, strips, texts


def trials(path: Path) -> list[float]:
    extra = {"ocrkit": ""}
    torch.export.load(path, extra_files=extra)
    return json.loads(extra["ocrkit"])["trials"]


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_close_to_pytorch(pytorch, folder, shape):
    run, _ = load_file(folder / "inc.pt2")
    images = strips(*shape)
    expected = pytorch(images)
    assert 0 < difference(run(images), expected) < 0.25
    assert np.corrcoef(run(images).ravel(), expected.ravel())[0, 1] > 0.9


def test_convolutions_and_linear_layers_are_quantised_and_lstms_are_not(folder):
    graph = torch.export.load(folder / "inc.pt2").graph
    found = Counter(
        (str(node.target).split(".")[1], "dequantize" in str(node.args[:2]))
        for node in graph.nodes
        if str(node.target).split(".")[0] == "aten"
    )
    assert found["conv2d", True] == 7 and found["linear", True] == 2 and found["lstm", False] == 2
    assert found["conv2d", False] == found["linear", False] == found["lstm", True] == 0


# --- accuracy


def test_autotune_stops_at_the_first_setting_that_is_good_enough(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration, lines)
    assert correct(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised) >= 7
    # FP32 reads all lines. How many a setting reads depends on the processor's rounding.
    fp32, *refused, taken = trials(path)
    assert fp32 == 1.0 and taken == 1.0
    assert all(accuracy < 1.0 for accuracy in refused)


def test_autotune_takes_the_best_setting_if_none_is_good_enough(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    # No setting can read twice as many lines as FP32.
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration, lines, -1.0)
    fp32, *tried = trials(path)[: 1 + len(SETTINGS)]
    assert fp32 == 1.0 and len(tried) == len(SETTINGS)
    read = correct(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised)
    assert read >= 7 and read / len(memorised.crops) >= max(tried)


@pytest.mark.slow
def test_a_compiled_pt2_reads_the_same_as_an_uncompiled_one(memorised, tmp_path):
    calibration = [strip for strip, _ in labelled(memorised)]
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration)
    images = np.concatenate(calibration)
    expected = Recognizer.load(path).backend(images)
    compiled = Recognizer.load(path, "inductor")
    assert 0 <= difference(compiled.backend(images), expected) < 0.1
    assert texts(compiled, memorised) == list(memorised.batch.texts)


# --- errors


def test_another_suffix_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.pt2"):
        to_neural_compressor(model, tmp_path / "model.bin")


def test_after_an_import_of_ipex_a_fresh_process_is_asked_for(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "intel_extension_for_pytorch", object())
    with pytest.raises(MissingPartError, match="restart the kernel"):
        to_neural_compressor(model, tmp_path / "a.pt2", [strips(1, 64)])


def test_without_the_package_the_error_says_how_to_install_it(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "neural_compressor.torch", None)
    with pytest.raises(
        MissingPartError, match="pip install neural-compressor neural-compressor-pt"
    ):
        to_neural_compressor(model, tmp_path / "a.pt2", calibration=[strips(1, 64)])
