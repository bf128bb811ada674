from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch

from ocrkit.alphabet import Alphabet
from ocrkit.backends import Backend, load_backend, load_openvino
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.image import Preprocessing
from ocrkit.model import CRNN, ModelConfig
from ocrkit.quantize import export_onnx, synthetic_strips, to_openvino
from ocrkit.recognize import Recognizer

# Batch and width; the exported models were made from an example of (1, 64).
SHAPES = [(1, 8), (1, 64), (3, 64), (1, 280), (5, 416), (2, 2048)]


def strips(lines: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(lines * 10_000 + width)
    return rng.random((lines, 1, 32, width), np.float32)


@pytest.fixture(scope="module")
def model() -> CRNN:
    torch.manual_seed(0)
    model = CRNN(
        ModelConfig(0.125, 24, "all"),
        Alphabet(" aäſ\"'<&>\\]ﬀé🜚"),
        Preprocessing(bucket=16, max_width=1000),
        {"source": 'line 1\nline "2" & <3>'},
    )
    # As after training: batch norm has something to do, and the logits differ.
    model(torch.rand(8, 1, 32, 96))
    with torch.no_grad():
        for value in model.rnn.parameters():
            value.mul_(6)
    return model.eval()


@pytest.fixture(scope="module")
def folder(model: CRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind that is written."""
    folder = tmp_path_factory.mktemp("written")
    export_onnx(model, folder / "model.onnx")
    to_openvino(model, folder / "float.xml")
    calibration = [strips(1, 32 * n) for n in range(1, 13)]
    to_openvino(model, folder / "int8.xml", int8=True, calibration=calibration)
    return folder


@pytest.fixture(scope="module")
def pytorch(model: CRNN) -> Backend:
    return load_backend("pytorch", model)


@pytest.fixture(scope="module")
def in_memory(model: CRNN) -> Backend:
    return load_backend("openvino", model)


def difference(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the range of the expected logits."""
    assert logits.shape == expected.shape and logits.dtype == np.float32
    return float(np.abs(logits - expected).max() / np.ptp(expected))


# --- the same figures


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_computes_what_pytorch_does(pytorch, folder, shape):
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    images = strips(*shape)
    (logits,) = session.run(["logits"], {"images": images})
    assert difference(logits, pytorch(images)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_openvino_computes_what_pytorch_does(pytorch, in_memory, shape):
    images = strips(*shape)
    assert difference(in_memory(images), pytorch(images)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_a_written_model_differs_by_no_more_than_its_16_bits(pytorch, folder, shape):
    run, _, _ = load_openvino(folder / "float.xml")
    images = strips(*shape)
    assert difference(run(images), pytorch(images)) < 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_stays_near(pytorch, folder, shape):
    run, _, _ = load_openvino(folder / "int8.xml")
    images = strips(*shape)
    expected = pytorch(images)
    assert 0 < difference(run(images), expected) < 0.25
    assert np.corrcoef(run(images).ravel(), expected.ravel())[0, 1] > 0.9


def test_a_result_is_not_overwritten_by_the_next(in_memory):
    first = in_memory(strips(1, 64))
    kept = first.copy()
    in_memory(strips(1, 64) * 0)
    assert (first == kept).all()


# --- what is in the files


def kinds(ir: openvino.Model) -> Counter[str]:
    return Counter(op.get_type_name() for op in ir.get_ops())


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
                # Further up than this lie the weights of other operations.
                elif node.get_type_name() in ("Convert", "Multiply", "Subtract", "Reshape"):
                    waiting += [i.get_node() for i in node.input_values()]
    return types


def test_int8_is_for_convolutions_and_linear_layers_and_not_for_lstms(folder):
    ir = openvino.Core().read_model(folder / "int8.xml")
    assert kinds(ir)["Convolution"] == 7 and kinds(ir)["LSTMSequence"] == 2
    assert weight_types(ir, "Convolution") == weight_types(ir, "MatMul") == {"i8"}
    assert weight_types(ir, "LSTMSequence") == {"f16"}
    for op in ir.get_ops():
        if op.get_type_name() == "LSTMSequence":
            sources = {op.input_value(i).get_node().get_type_name() for i in range(7)}
            assert "FakeQuantize" not in sources


def test_without_int8_nothing_is_quantised_and_weights_have_16_bits(folder):
    ir = openvino.Core().read_model(folder / "float.xml")
    assert kinds(ir)["FakeQuantize"] == 0
    for kind in ("Convolution", "MatMul", "LSTMSequence"):
        assert weight_types(ir, kind) == {"f16"}


def test_int8_is_smaller_than_16_bits_and_they_than_onnx(folder):
    int8, half, onnx_ = (
        (folder / name).stat().st_size for name in ("int8.bin", "float.bin", "model.onnx")
    )
    assert int8 < 0.85 * half < 0.6 * onnx_


def test_only_what_was_asked_for_is_left_in_the_folder(folder):
    names = {"model.onnx", "float.xml", "float.bin", "int8.xml", "int8.bin"}
    assert {file.name for file in folder.iterdir()} == names


@pytest.mark.parametrize("name", ["float", "int8"])
def test_an_ir_needs_nothing_but_its_two_files(model, folder, tmp_path, name):
    for suffix in (".xml", ".bin"):
        shutil.copy(folder / (name + suffix), tmp_path / ("moved" + suffix))
    reader = Recognizer.load(tmp_path / "moved.xml")
    assert reader.alphabet == model.alphabet
    assert reader.preprocessing == model.preprocessing
    crops = [np.random.default_rng(7).integers(0, 256, (40, 300), np.uint8)]
    own = Recognizer(load_openvino(folder / f"{name}.xml")[0], model.alphabet, model.preprocessing)
    assert reader(crops) == own(crops)


def test_every_file_says_what_the_checkpoint_says(model, folder):
    props = onnx.load(folder / "model.onnx").metadata_props
    said = [next(p.value for p in props if p.key == "ocrkit")]
    for name in ("float.xml", "int8.xml"):
        ir = openvino.Core().read_model(folder / name)
        said.append(ir.get_rt_info("ocrkit").astype(str))
    expected = {
        "config": asdict(model.config),
        "alphabet": model.alphabet.characters,
        "preprocessing": asdict(model.preprocessing),
        "provenance": model.provenance,
    }
    assert [json.loads(text) for text in said] == [expected] * 3


def test_a_checkpoint_is_read_alike_by_pytorch_and_openvino(model, tmp_path):
    checkpoint = model.save(tmp_path / "model.safetensors")
    rng = np.random.default_rng(3)
    crops = [rng.integers(0, 256, (30, width), np.uint8) for width in (40, 200, 90)]
    expected = Recognizer.load(checkpoint)(crops)
    assert any(reading.text for reading in expected)
    texts = [reading.text for reading in Recognizer.load(checkpoint, "openvino")(crops)]
    assert texts == [reading.text for reading in expected]


def test_writing_leaves_the_model_as_it_was(model, tmp_path):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    try:
        export_onnx(model, tmp_path / "a.onnx")
        to_openvino(model, tmp_path / "a.xml")
        assert model.training
    finally:
        model.eval()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_synthetic_strips_are_the_models_input_and_the_same_every_time():
    prep = Preprocessing()
    made = list(synthetic_strips(prep, 5))
    assert all(strip.shape[:3] == (1, 1, 32) and strip.dtype == np.float32 for strip in made)
    assert all(strip.shape[3] % prep.bucket == 0 and strip.max() > 0.5 for strip in made)
    again = list(synthetic_strips(prep, 5))
    assert all((one == other).all() for one, other in zip(made, again, strict=True))


# --- what goes wrong


@pytest.mark.parametrize("write", [export_onnx, to_openvino])
def test_a_name_with_another_suffix_is_refused(model, tmp_path, write):
    with pytest.raises(ValueError, match=r"must end in \.(onnx|xml)"):
        write(model, tmp_path / "model.bin")


def test_int8_without_anything_to_calibrate_with_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="none were given"):
        to_openvino(model, tmp_path / "a.xml", int8=True, calibration=[])
    assert list(tmp_path.iterdir()) == []


def test_what_fails_leaves_the_files_of_before(model, folder, tmp_path, monkeypatch):
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


def test_an_ir_without_its_weights_is_refused(folder, tmp_path):
    shutil.copy(folder / "int8.xml", tmp_path)
    with pytest.raises(CheckpointError, match=r"int8\.xml cannot be read.*beside it, the \.bin"):
        Recognizer.load(tmp_path / "int8.xml")


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_ir_is_refused(folder, tmp_path, suffix):
    for name in ("int8.xml", "int8.bin"):
        shutil.copy(folder / name, tmp_path)
    damaged = tmp_path / f"int8{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:999])
    with pytest.raises(CheckpointError, match=r"int8\.xml cannot be read"):
        Recognizer.load(tmp_path / "int8.xml")


def test_an_ir_that_is_not_the_kits_is_refused(folder, tmp_path):
    openvino.save_model(openvino.convert_model(folder / "model.onnx"), tmp_path / "foreign.xml")
    with pytest.raises(CheckpointError, match=r"foreign\.xml does not say which alphabet"):
        Recognizer.load(tmp_path / "foreign.xml")


def test_a_missing_ir_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.xml not found"):
        Recognizer.load(tmp_path / "none.xml")


def test_another_backend_for_an_ir_is_refused(folder):
    with pytest.raises(ValueError, match="by the backend 'openvino' alone, not 'pytorch'"):
        Recognizer.load(folder / "int8.xml", backend="pytorch")


def test_bfloat16_is_computed_in_or_refused_but_never_quietly_replaced(model, in_memory):
    images = strips(2, 96)
    exact = in_memory(images)
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert 0 < difference(load_backend("openvino", model, "bfloat16")(images), exact) < 0.1
    else:
        with pytest.raises(MissingPartError, match="choose the precision 'float32'"):
            load_backend("openvino", model, "bfloat16")
