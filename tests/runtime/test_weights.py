from __future__ import annotations

import pytest
import torch

from ocrkit.compress.openvino import to_openvino
from ocrkit.detection.network import LineNet
from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.runtime import weights as module
from ocrkit.runtime.weights import latest_weights, models_below, weights_path

LETTERS = Alphabet("abc ")
SMALL = ModelConfig(0.125, None, "all")


def small(seed: int = 0) -> CRNN:
    torch.manual_seed(seed)
    return CRNN(SMALL, LETTERS, Preprocessing(bucket=16), {"steps": 7}).eval()


def test_a_model_of_openvino_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    (tmp_path / "tiny-int8.xml").touch()
    assert weights_path("tiny-int8") == tmp_path / "tiny-int8.xml"
    with pytest.raises(CheckpointError, match="the kit has: tiny-int8"):
        weights_path("tiny")


def test_names_and_files_are_those_of_the_kind_that_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    reader, finder, detector = small(), LineNet((8, 8, 8, 8)), "ocrkit-detector-1"
    to_openvino(reader, reader.save(tmp_path / "read.safetensors").with_name("read-half.xml"))
    to_openvino(finder, finder.save(tmp_path / "find.safetensors").with_name("find-half.xml"))
    with pytest.raises(CheckpointError, match="the kit has: read, read-half. Give"):
        weights_path("nobody")
    with pytest.raises(CheckpointError, match="the kit has: find, find-half. Give"):
        weights_path("nobody", detector)
    (tmp_path / "empty.xml").touch()
    names = [path.name for path in models_below(tmp_path, detector)]
    assert names == ["empty.xml", "find-half.xml", "find.safetensors"]


def test_the_latest_weights_are_the_tuned_ones_then_the_trained_ones_then_the_kits(tmp_path):
    assert latest_weights(tmp_path) == weights_path("ocrkit-fast")
    for name in ("crnn.safetensors", "crnn-tuned.safetensors"):
        (tmp_path / name).touch()
        assert latest_weights(tmp_path) == tmp_path / name


def test_the_kit_s_own_weights_are_loaded_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    small().save(tmp_path / "tiny.safetensors")
    assert weights_path("tiny") == tmp_path / "tiny.safetensors"
    assert CRNN.load("tiny").alphabet == LETTERS


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    with pytest.raises(CheckpointError, match="'nobody'; the kit has: none yet"):
        CRNN.load("nobody")
    for name in ("tiny", "fast"):
        small().save(tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="'nobody'; the kit has: fast, tiny"):
        CRNN.load("nobody")


def test_a_missing_path_says_what_makes_one(tmp_path):
    with pytest.raises(CheckpointError, match="crnn.safetensors not found: run .*ocrkit pretrain"):
        CRNN.load(tmp_path / "crnn.safetensors")
