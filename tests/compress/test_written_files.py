"""The files that the exporters write, loaded again: metadata, damage, wrong backends."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch

from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.pipeline import ReadOptions, read_page, reader_name
from ocrkit.recognition.backends import load_file
from ocrkit.recognition.recognizer import Recognizer

WHOLE = np.array([(0, 0), (60, 0), (60, 40), (0, 40)], np.float32)  # the polygon of a page

# --- metadata


def test_no_temporary_files_are_left(folder):
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
    run, _ = load_file(folder / name)
    own = Recognizer(run, model.alphabet, model.preprocessing, decoder=reader.decoder)
    assert reader(crops) == own(crops)


@pytest.mark.parametrize(
    ("name", "backend"), [("model.onnx", "onnxruntime"), ("inc.pt2", "pytorch"), ("int8.xml", None)]
)
def test_every_file_reads_whole_documents(folder, name, backend):
    page = np.random.default_rng(3).integers(0, 256, (40, 60), np.uint8)
    options = ReadOptions(recognizer=folder / name, backend=backend, decoder="greedy")
    loaded = options.load()[1], Recognizer.load(folder / name, backend, decoder="greedy")
    pages = [read_page(page, lambda page: [WHOLE], one, min_confidence=0) for one in loaded]
    assert pages[0].lines or pages[0].left_out
    assert pages[0] == replace(pages[1], seconds=pages[0].seconds)
    assert Path(name).stem in reader_name(options)
    with pytest.raises(ValueError, match="is run by the backend"):
        ReadOptions(recognizer=folder / name, backend="ipex").load()


def test_every_file_has_the_metadata_of_the_checkpoint(model, folder):
    props = onnx.load(folder / "model.onnx").metadata_props
    stored = [next(p.value for p in props if p.key == "ocrkit")]
    for name in ("float.xml", "int8.xml"):
        ir = openvino.Core().read_model(folder / name)
        stored.append(ir.get_rt_info("ocrkit").astype(str))
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
        "language_weight": model.language_weight,
    }
    assert [*(json.loads(text) for text in stored), inc] == [expected] * 4


def test_pytorch_and_openvino_read_a_checkpoint_alike(model, tmp_path):
    checkpoint = model.save(tmp_path / "model.safetensors")
    rng = np.random.default_rng(3)
    crops = [rng.integers(0, 256, (30, width), np.uint8) for width in (40, 200, 90)]
    expected = Recognizer.load(checkpoint)(crops)
    assert any(reading.text for reading in expected)
    texts = [reading.text for reading in Recognizer.load(checkpoint, "openvino")(crops)]
    assert texts == [reading.text for reading in expected]


def test_writing_does_not_change_the_model(model, tmp_path):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    try:
        export_onnx(model, tmp_path / "a.onnx")
        to_openvino(model, tmp_path / "a.xml")
        assert model.training
    finally:
        model.eval()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# --- missing and damaged files


def test_a_missing_ir_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.xml not found"):
        Recognizer.load(tmp_path / "none.xml")


def test_an_ir_without_its_weights_is_refused(folder, tmp_path):
    shutil.copy(folder / "int8.xml", tmp_path)
    with pytest.raises(CheckpointError, match=r"int8\.bin: No such file.*run notebook 05"):
        Recognizer.load(tmp_path / "int8.xml")


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_ir_is_refused(folder, tmp_path, suffix):
    for name in ("int8.xml", "int8.bin"):
        shutil.copy(folder / name, tmp_path)
    damaged = tmp_path / f"int8{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:999])
    with pytest.raises(CheckpointError, match=r"int8\.(xml|bin)"):
        Recognizer.load(tmp_path / "int8.xml")


@pytest.mark.parametrize("name", ["inc.pt2", "model.onnx"])
def test_a_damaged_pt2_or_onnx_is_refused(folder, tmp_path, name):
    (tmp_path / name).write_bytes((folder / name).read_bytes()[:999])
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read: .*run notebook 0[45]_"):
        Recognizer.load(tmp_path / name)


# --- files of other programs


def test_an_ir_of_another_program_is_refused(folder, tmp_path):
    openvino.save_model(openvino.convert_model(folder / "model.onnx"), tmp_path / "foreign.xml")
    with pytest.raises(CheckpointError, match=r"foreign\.xml does not say which alphabet"):
        Recognizer.load(tmp_path / "foreign.xml")


def test_a_pt2_or_onnx_of_another_program_is_refused(folder, tmp_path):
    foreign = onnx.load(folder / "model.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    program = torch.export.load(folder / "inc.pt2")
    torch.export.save(program, tmp_path / "foreign.pt2")
    for name in ("foreign.onnx", "foreign.pt2"):
        with pytest.raises(CheckpointError, match=f"{name} does not say which alphabet"):
            Recognizer.load(tmp_path / name)


# --- backends and precisions


def test_a_backend_that_cannot_run_the_file_is_refused(folder):
    with pytest.raises(ValueError, match="by the backend openvino, not 'pytorch'"):
        Recognizer.load(folder / "int8.xml", backend="pytorch")
    with pytest.raises(ValueError, match="by the backend pytorch or inductor, not 'openvino'"):
        Recognizer.load(folder / "inc.pt2", backend="openvino")


@pytest.mark.parametrize("name", ["inc.pt2", "model.onnx"])
def test_a_precision_that_the_file_does_not_have_is_refused(folder, name):
    with pytest.raises(ValueError, match="in its own precision; leave out 'bfloat16'"):
        Recognizer.load(folder / name, precision="bfloat16")


def test_without_a_compiler_a_pt2_cannot_be_compiled(folder, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        MissingPartError, match=r"apt-get install g\+\+.*take the backend 'pytorch'"
    ):
        Recognizer.load(folder / "inc.pt2", backend="inductor")
