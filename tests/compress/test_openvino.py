from __future__ import annotations

import shutil
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import openvino
import pytest

from ocrkit.compress.openvino import to_openvino
from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.recognition.backends import load_backend, load_file
from ocrkit.recognition.recognizer import Recognizer

from .helpers import (
    SHAPES,
    correct,
    difference,
    labelled,
    lstm_weight_types,
    operation_counts,
    strips,
    texts,
    weight_types,
)

# --- logits


@pytest.mark.parametrize("shape", SHAPES)
def test_openvino_computes_the_same_as_pytorch(pytorch, in_memory, shape):
    images = strips(*shape)
    assert difference(in_memory(images), pytorch(images)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_a_written_model_differs_by_the_rounding_to_16_bits(pytorch, folder, shape):
    run, _ = load_file(folder / "float.xml")
    images = strips(*shape)
    assert difference(run(images), pytorch(images)) < 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_close_to_pytorch(pytorch, folder, shape):
    run, _ = load_file(folder / "int8.xml")
    images = strips(*shape)
    expected = pytorch(images)
    assert 0 < difference(run(images), expected) < 0.25
    assert np.corrcoef(run(images).ravel(), expected.ravel())[0, 1] > 0.9


def test_the_next_call_does_not_overwrite_a_result(in_memory):
    first = in_memory(strips(1, 64))
    kept = first.copy()
    in_memory(strips(1, 64) * 0)
    assert (first == kept).all()


def test_bfloat16_is_used_or_refused_but_never_silently_replaced(model, in_memory):
    images = strips(2, 96)
    exact = in_memory(images)
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert 0 < difference(load_backend("openvino", model, "bfloat16")(images), exact) < 0.1
    else:
        with pytest.raises(MissingPartError, match="choose the precision 'float32'"):
            load_backend("openvino", model, "bfloat16")


# --- what is in the files


def test_every_layer_is_int8(folder):
    ir = openvino.Core().read_model(folder / "int8.xml")
    counts = operation_counts(ir)
    assert counts["Convolution"] == 7 and counts["LSTMSequence"] == 2
    assert weight_types(ir, "Convolution") == weight_types(ir, "MatMul") == {"i8"}
    assert lstm_weight_types(ir) == ["i8", "i8"]


def test_without_int8_nothing_is_quantised_and_weights_have_16_bits(folder):
    ir = openvino.Core().read_model(folder / "float.xml")
    assert operation_counts(ir)["FakeQuantize"] == 0
    for kind in ("Convolution", "MatMul", "LSTMSequence"):
        assert weight_types(ir, kind) == {"f16"}


def test_int8_is_smaller_than_16_bits_and_16_bits_than_onnx(folder):
    int8, half, onnx = (
        (folder / name).stat().st_size for name in ("int8.bin", "float.bin", "model.onnx")
    )
    assert int8 < 0.85 * half < 0.6 * onnx


# --- accuracy control


def test_accuracy_control_keeps_the_accuracy(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    path = to_openvino(
        memorised.model, tmp_path / "a.xml", int8=True, calibration=calibration, validation=lines
    )
    assert operation_counts(openvino.Core().read_model(path))["FakeQuantize"] > 0
    assert correct(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised) >= 7


def test_when_accuracy_control_fails_in_nncf_the_error_has_a_remedy(
    memorised, tmp_path, monkeypatch
):
    """With some weights NNCF fails on LSTMs that it wants to set back to floating point."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError(199)

    monkeypatch.setattr("nncf.quantize_with_accuracy_control", fail)
    lines = [(np.zeros((1, 1, 32, 64), np.float32), "a")]
    path = tmp_path / "a.xml"
    with pytest.raises(OcrkitError, match=r"set the LSTMs back.*lstms=\(\)"):
        to_openvino(memorised.model, path, True, [lines[0][0]], lstms=(0, 1), validation=lines)
    assert not path.exists()


# --- errors


def test_another_suffix_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.xml"):
        to_openvino(model, tmp_path / "model.bin")


def test_without_nncf_the_error_says_how_to_install_it(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingPartError, match="pip install nncf"):
        to_openvino(model, tmp_path / "a.xml", int8=True, calibration=[strips(1, 64)])


def test_after_a_failure_the_old_files_are_still_there(model, folder, tmp_path, monkeypatch):
    def full_disk(ir: openvino.Model, path: Path) -> None:
        path.write_text("<net")
        raise RuntimeError("no space left on device")

    for suffix in (".xml", ".bin"):
        shutil.copy(folder / ("float" + suffix), tmp_path / ("a" + suffix))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(openvino, "save_model", full_disk)
    with pytest.raises(RuntimeError, match="no space"):
        to_openvino(model, tmp_path / "a.xml")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


# --- from the ONNX file


@pytest.mark.parametrize("int8", [False, True])
def test_the_ir_of_the_onnx_file_computes_what_that_of_the_network_does(
    model, folder, tmp_path, int8
):
    calibration = [strips(1, 32 * n) for n in range(1, 13)] if int8 else None
    source = folder / "model.onnx"
    path = to_openvino(model, tmp_path / "ir.xml", int8, calibration, onnx=source)
    (run, metadata), images = load_file(path), strips(3, 96)
    own, _ = load_file(folder / ("int8.xml" if int8 else "float.xml"))
    assert metadata.alphabet == model.alphabet
    np.testing.assert_allclose(run(images), own(images), atol=1e-4)


def test_an_onnx_file_of_another_model_is_refused(model, folder, tmp_path):
    other = deepcopy(model)
    other.provenance = {"source": "another"}
    with pytest.raises(ValueError, match=r"model.onnx was not exported from this model"):
        to_openvino(other, tmp_path / "ir.xml", onnx=folder / "model.onnx")
