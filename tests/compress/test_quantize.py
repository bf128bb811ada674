from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch

from ocrkit.compress.calibration import synthetic_strips
from ocrkit.compress.neural_compressor import SETTINGS, to_neural_compressor
from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.errors import CheckpointError, MissingPartError, OcrkitError
from ocrkit.image import Preprocessing, fit
from ocrkit.measure import artefacts as artefacts_module
from ocrkit.measure.artefacts import random_reference
from ocrkit.measure.benchmark_app import benchmark_app
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_backend, load_file
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.pytorch import Backend

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
    to_neural_compressor(model, folder / "inc.pt2", calibration)
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
    run, _, _ = load_file(folder / "model.onnx")
    images = strips(*shape)
    assert difference(run(images), pytorch(images)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_openvino_computes_what_pytorch_does(pytorch, in_memory, shape):
    images = strips(*shape)
    assert difference(in_memory(images), pytorch(images)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_a_written_model_differs_by_no_more_than_its_16_bits(pytorch, folder, shape):
    run, _, _ = load_file(folder / "float.xml")
    images = strips(*shape)
    assert difference(run(images), pytorch(images)) < 0.01


@pytest.mark.parametrize("name", ["int8.xml", "inc.pt2"])
@pytest.mark.parametrize("shape", SHAPES)
def test_int8_stays_near(pytorch, folder, shape, name):
    run, _, _ = load_file(folder / name)
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


def test_int8_is_for_every_layer(folder):
    ir = openvino.Core().read_model(folder / "int8.xml")
    assert kinds(ir)["Convolution"] == 7 and kinds(ir)["LSTMSequence"] == 2
    assert weight_types(ir, "Convolution") == weight_types(ir, "MatMul") == {"i8"}
    assert lstm_weights(ir) == ["i8", "i8"]


def test_the_scales_of_lstms_are_those_that_openvino_cannot_confuse(folder):
    """One for x and h, -1 to 1; of a row of W and R, of both LSTMs, and of the gates f and i."""
    ir = openvino.Core().read_model(folder / "int8.xml")
    limits, scales = set(), []
    for op in ir.get_ordered_ops():
        if op.get_type_name() == "LSTMSequence":
            for port in (0, 1):
                rounding = op.input_value(port).get_node()
                assert rounding.get_type_name() == "FakeQuantize"
                limits.add(tuple(constant(rounding, i).item() for i in range(1, 5)))
            scales += [constant(op.input_value(port).get_node(), 1) for port in (4, 5)]
    assert limits == {(-1.0, 127 / 128) * 2}
    assert len(scales) == 4 and all((scale == scales[0]).all() for scale in scales)
    forget, into, new, out = scales[0].reshape(4, -1)
    assert (forget == into).all() and not (forget == new).all() and not (new == out).all()


def constant(op: openvino.Node, port: int) -> np.ndarray:
    node = op.input_value(port).get_node()
    return (node.input_value(0).get_node() if node.get_type_name() == "Convert" else node).data


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
    names = {"model.onnx", "float.xml", "float.bin", "int8.xml", "int8.bin", "inc.pt2"}
    assert {file.name for file in folder.iterdir()} == names


@pytest.mark.parametrize("name", ["float.xml", "int8.xml", "model.onnx", "inc.pt2"])
def test_a_model_needs_nothing_but_its_files(model, folder, tmp_path, name):
    for suffix in {Path(name).suffix, ".bin" if name.endswith(".xml") else ""} - {""}:
        file = (folder / name).with_suffix(suffix)
        shutil.copy(file, tmp_path / ("moved" + suffix))
    reader = Recognizer.load(tmp_path / ("moved" + Path(name).suffix))
    assert reader.alphabet == model.alphabet
    assert reader.preprocessing == model.preprocessing
    crops = [np.random.default_rng(7).integers(0, 256, (40, 300), np.uint8)]
    run, _, _ = load_file(folder / name)
    own = Recognizer(run, model.alphabet, model.preprocessing, decoder=reader.decoder)
    assert reader(crops) == own(crops)


def test_every_file_says_what_the_checkpoint_says(model, folder):
    props = onnx.load(folder / "model.onnx").metadata_props
    said = [next(p.value for p in props if p.key == "ocrkit")]
    for name in ("float.xml", "int8.xml"):
        ir = openvino.Core().read_model(folder / name)
        said.append(ir.get_rt_info("ocrkit").astype(str))
    extra = {"ocrkit": ""}
    torch.export.load(folder / "inc.pt2", extra_files=extra)
    inc = json.loads(extra["ocrkit"])
    assert inc.pop("trials") == []
    expected = {
        "format": "ocrkit-checkpoint-1",
        "config": asdict(model.config),
        "alphabet": model.alphabet.characters,
        "preprocessing": asdict(model.preprocessing),
        "provenance": model.provenance,
    }
    assert [*(json.loads(text) for text in said), inc] == [expected] * 4


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


def test_the_random_network_is_one_in_all_forms(tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts_module, "CRNN", partial(CRNN, ModelConfig(0.125, 8)))
    files = random_reference(tmp_path)
    assert list(files) == ["checkpoint", "ONNX", "IR", "INT8"]
    strip = strips(1, 64)
    expected = load_backend("pytorch", CRNN.load(files.pop("checkpoint")))(strip)
    for path in files.values():
        assert difference(load_file(path)[0](strip), expected) < 0.25


# --- accuracy: INT8 reads what FP32 reads


def labelled(memorised) -> list[tuple[np.ndarray, str]]:
    prep = memorised.model.preprocessing
    return [
        (fit(crop, prep)[None], text)
        for crop, text in zip(memorised.crops, memorised.batch.texts, strict=True)
    ]


def texts(reader: Recognizer, memorised) -> list[str]:
    return [reading.text for reading in reader(memorised.crops)]


def right(readings: list[str], memorised) -> int:
    """How many of the eight lines are read exactly; rounding may cost one, a double letter say."""
    return sum(a == b for a, b in zip(readings, memorised.batch.texts, strict=True))


def test_openvino_reads_on_in_int8_and_no_longer_when_nncf_quantises_the_lstms(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    read = {}
    ways = (("kit", None, 2), ("without", (), 0), ("first", (0,), 1), ("both", (0, 1), 2))
    for name, lstms, quantised in ways:
        path = tmp_path / f"{name}.xml"
        to_openvino(memorised.model, path, int8=True, calibration=calibration, lstms=lstms)
        read[name] = texts(Recognizer.load(path, decoder="greedy"), memorised)
        ir = openvino.Core().read_model(path)
        assert sum(kind == "i8" for kind in lstm_weights(ir)) == quantised
    assert right(read["without"], memorised) >= 7 and right(read["kit"], memorised) >= 7
    assert right(read["both"], memorised) < right(read["without"], memorised)


def test_int8_lstms_cost_next_to_nothing(tmp_path):
    """Of trained weights, whose gates differ in size; random ones hide what OpenVINO confuses."""
    model = CRNN.load("ocrkit-fast")
    lines = list(synthetic_strips(model.preprocessing, 24))
    expected = load_backend("pytorch", model)
    error = {}
    for name, lstms in (("kit", None), ("float", ()), ("NNCF", (0, 1))):
        path = to_openvino(model, tmp_path / f"{name}.xml", True, lines[:12], lstms=lstms)
        run, _, _ = load_file(path)
        error[name] = np.mean([abs(run(strip) - expected(strip)).mean() for strip in lines[12:]])
    assert error["kit"] < 1.5 * error["float"]
    assert error["NNCF"] > 5 * error["float"]


def lstm_weights(ir: openvino.Model) -> list[str]:
    """The type in which each LSTM's input weights are stored."""
    found = []
    for op in ir.get_ordered_ops():
        if op.get_type_name() == "LSTMSequence":
            node = op.input_value(4).get_node()
            while node.get_type_name() != "Constant":
                node = node.input_value(0).get_node()
            found.append(node.get_output_element_type(0).get_type_name())
    return found


def test_accuracy_control_reads_on(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    path = to_openvino(
        memorised.model, tmp_path / "a.xml", int8=True, calibration=calibration, validation=lines
    )
    assert kinds(openvino.Core().read_model(path))["FakeQuantize"] > 0
    assert right(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised) >= 7


def trials(path: Path) -> list[float]:
    extra = {"ocrkit": ""}
    torch.export.load(path, extra_files=extra)
    return json.loads(extra["ocrkit"])["trials"]


def test_neural_compressor_reads_on_and_its_search_stops_at_the_first_good_setting(
    memorised, tmp_path
):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration, lines)
    assert right(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised) >= 7
    assert trials(path) == [1.0, 1.0]


def test_the_search_takes_the_best_setting_where_none_is_good_enough(memorised, tmp_path):
    lines = labelled(memorised)
    calibration = [strip for strip, _ in lines]
    # No setting can read twice as much as FP32.
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration, lines, -1.0)
    assert trials(path)[: 1 + len(SETTINGS)] == [1.0] * (1 + len(SETTINGS))
    assert right(texts(Recognizer.load(path, decoder="greedy"), memorised), memorised) >= 7


def test_neural_compressor_takes_convolutions_and_linear_layers_and_leaves_lstms(folder):
    graph = torch.export.load(folder / "inc.pt2").graph
    found = Counter(
        (str(node.target).split(".")[1], "dequantize" in str(node.args[:2]))
        for node in graph.nodes
        if str(node.target).split(".")[0] == "aten"
    )
    assert found["conv2d", True] == 7 and found["linear", True] == 2 and found["lstm", False] == 2
    assert found["conv2d", False] == found["linear", False] == found["lstm", True] == 0


@pytest.mark.slow
def test_a_compiled_pt2_reads_what_it_reads_in_floating_point(memorised, tmp_path):
    calibration = [strip for strip, _ in labelled(memorised)]
    path = to_neural_compressor(memorised.model, tmp_path / "a.pt2", calibration)
    images = np.concatenate(calibration)
    expected = Recognizer.load(path).backend(images)
    compiled = Recognizer.load(path, "inductor")
    assert 0 <= difference(compiled.backend(images), expected) < 0.1
    assert texts(compiled, memorised) == list(memorised.batch.texts)


def test_benchmark_app_says_how_fast_and_in_which_precision(folder):
    of_shape = benchmark_app(folder / "float.xml", seconds=1)
    assert of_shape["precision"] == "float32"
    # One at a time, so the one is about the inverse of the other, whatever unit it was printed in.
    assert 0.3 < of_shape["fps"] * of_shape["median_ms"] / 1000 < 3
    crops = [strips(1, 64), strips(1, 96)]
    for hint in ("latency", "throughput"):
        assert benchmark_app(folder / "model.onnx", hint, seconds=1, strips=crops)["fps"] > 0


# --- what goes wrong


@pytest.mark.parametrize("write", [export_onnx, to_openvino, to_neural_compressor])
def test_a_name_with_another_suffix_is_refused(model, tmp_path, write):
    with pytest.raises(ValueError, match=r"must end in \.(onnx|xml|pt2)"):
        write(model, tmp_path / "model.bin")


def test_int8_without_anything_to_calibrate_with_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="none were given"):
        to_openvino(model, tmp_path / "a.xml", int8=True, calibration=[])
    with pytest.raises(ValueError, match="none were given"):
        to_neural_compressor(model, tmp_path / "a.pt2", calibration=[])
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
    with pytest.raises(ValueError, match="by the backend openvino, not 'pytorch'"):
        Recognizer.load(folder / "int8.xml", backend="pytorch")
    with pytest.raises(ValueError, match="by the backend pytorch or inductor, not 'openvino'"):
        Recognizer.load(folder / "inc.pt2", backend="openvino")


def test_bfloat16_is_computed_in_or_refused_but_never_quietly_replaced(model, in_memory):
    images = strips(2, 96)
    exact = in_memory(images)
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert 0 < difference(load_backend("openvino", model, "bfloat16")(images), exact) < 0.1
    else:
        with pytest.raises(MissingPartError, match="choose the precision 'float32'"):
            load_backend("openvino", model, "bfloat16")


# --- what goes wrong with a .pt2 or an .onnx


@pytest.mark.parametrize("name", ["inc.pt2", "model.onnx"])
def test_a_damaged_file_is_refused(folder, tmp_path, name):
    (tmp_path / name).write_bytes((folder / name).read_bytes()[:999])
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read: .*run notebook 0[45]_"):
        Recognizer.load(tmp_path / name)


def test_an_onnx_or_pt2_that_is_not_the_kits_is_refused(folder, tmp_path):
    foreign = onnx.load(folder / "model.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    program = torch.export.load(folder / "inc.pt2")
    torch.export.save(program, tmp_path / "foreign.pt2")
    for name in ("foreign.onnx", "foreign.pt2"):
        with pytest.raises(CheckpointError, match=f"{name} does not say which alphabet"):
            Recognizer.load(tmp_path / name)


@pytest.mark.parametrize("name", ["inc.pt2", "model.onnx"])
def test_a_precision_that_a_file_does_not_have_is_refused(folder, name):
    with pytest.raises(ValueError, match="in its own precision; leave out 'bfloat16'"):
        Recognizer.load(folder / name, precision="bfloat16")


def test_where_ipex_was_imported_neural_compressor_asks_for_a_fresh_process(
    model, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "intel_extension_for_pytorch", object())
    with pytest.raises(MissingPartError, match="restart the kernel"):
        to_neural_compressor(model, tmp_path / "a.pt2", [strips(1, 64)])


@pytest.mark.parametrize(
    "package, ask",
    [
        ("neural_compressor.torch", "pip install neural-compressor neural-compressor-pt"),
        ("nncf", "pip install nncf"),
    ],
)
def test_where_a_quantiser_is_lacking_the_error_says_how_to_install_it(
    model, tmp_path, monkeypatch, package, ask
):
    monkeypatch.setitem(sys.modules, package, None)
    write = to_neural_compressor if "neural" in package else to_openvino
    path = tmp_path / ("a.pt2" if "neural" in package else "a.xml")
    more = {} if "neural" in package else {"int8": True}
    with pytest.raises(MissingPartError, match=ask):
        write(model, path, calibration=[strips(1, 64)], **more)


def test_without_a_compiler_a_pt2_is_not_compiled(folder, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        MissingPartError, match=r"apt-get install g\+\+.*take the backend 'pytorch'"
    ):
        Recognizer.load(folder / "inc.pt2", backend="inductor")


def test_where_benchmark_app_fails_its_words_are_shown(folder):
    with pytest.raises(OcrkitError, match="benchmark_app failed on .*float.xml"):
        benchmark_app(folder / "float.xml", hint="fast")


def test_accuracy_control_that_fails_in_nncf_says_what_to_do(memorised, tmp_path, monkeypatch):
    """With some weights NNCF stumbles over LSTMs that it wants to set back."""

    def stumble(*_: object, **__: object) -> None:
        raise KeyError(199)

    monkeypatch.setattr("nncf.quantize_with_accuracy_control", stumble)
    lines = [(np.zeros((1, 1, 32, 64), np.float32), "a")]
    path = tmp_path / "a.xml"
    with pytest.raises(OcrkitError, match=r"set the LSTMs back.*lstms=\(\)"):
        to_openvino(memorised.model, path, True, [lines[0][0]], lstms=(0, 1), validation=lines)
    assert not path.exists()
