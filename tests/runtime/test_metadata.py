"""Model files that are not to be trusted: every fault is one line of the kit's own error."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ocrkit.compress.onnx import export_onnx
from ocrkit.compress.openvino import to_openvino
from ocrkit.detection.lines import detector_backend
from ocrkit.detection.network import LineNet
from ocrkit.errors import CheckpointError, OcrkitError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_file as load_network
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.runtime.metadata import METADATA_KEY, read_header, stored_format

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small recogniser and a small detector as files of every kind."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    model = CRNN(ModelConfig(0.125, 8, "all"), Alphabet("abc ")).eval()
    model.save(folder / "reader.safetensors")
    to_openvino(model, folder / "reader.xml")
    export_onnx(model, folder / "reader.onnx")
    finder = LineNet((8, 8, 8, 8)).eval()
    finder.save(folder / "finder.safetensors")
    to_openvino(finder, folder / "finder.xml")
    return folder


def with_metadata(source: Path, target: Path, **changes: str | None) -> Path:
    """A copy of a checkpoint with some of its metadata changed, or left out (None)."""
    with safe_open(source, framework="pt") as file:
        metadata = {**file.metadata(), **changes}
    save_file(load_file(source), target, {k: v for k, v in metadata.items() if v is not None})
    return target


def preprocessing(**changes: Any) -> str:
    values = {"height": 32, "bucket": 32, "normalize": "contrast", "trim": True}
    return json.dumps({**values, "min_width": 8, "max_width": 2048, **changes})


def one_line(error: pytest.ExceptionInfo[CheckpointError], path: Path) -> bool:
    text = str(error.value)
    return text.startswith(str(path.parent)) and "\n" not in text and len(text) < 700


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": preprocessing(bucket=1_000_000)},
        {"preprocessing": preprocessing(max_width=10**12)},
        {"preprocessing": preprocessing(height=64)},
        {"preprocessing": preprocessing(height=32.0)},
        {"preprocessing": preprocessing(bucket="32")},
        {"preprocessing": preprocessing(trim=1)},
        {"preprocessing": preprocessing(colour="red")},
        {"preprocessing": None},
        {"preprocessing": "[]"},
        {"config": '{"width": Infinity}'},
        {"config": '{"width": NaN}'},
        {"config": '{"width": 1e300}'},
        {"config": '{"width": "wide"}'},
        {"config": '{"width": 0.125, "hidden": 20000}'},
        {"config": '{"width": 0.125, "hidden": 4000}'},
        {"config": '{"width": 0.125, "hidden": -1}'},
        {"config": '{"width": 8.0, "hidden": 8}'},
        {"config": '{"batch_norm": null}'},
        {"config": "null"},
        {"config": None},
        {"alphabet": "abb "},
        {"alphabet": ""},
        {"alphabet": "abcdefgh"},
        {"alphabet": None},
        {"provenance": "[" * 50_000 + "]" * 50_000},
        {"provenance": "not JSON"},
        {"language_weight": "3.0"},
        {"language_weight": '"high"'},
        {"language_weight": "true"},
        {"format": "ocrkit-detector-1"},
        {"format": None},
    ],
    ids=lambda changes: " ".join(f"{k}={str(v)[:30]}" for k, v in changes.items()),
)
def test_a_recogniser_whose_metadata_is_wrong_is_refused(folder, tmp_path, changes) -> None:
    path = with_metadata(folder / "reader.safetensors", tmp_path / "wrong.safetensors", **changes)
    with pytest.raises(CheckpointError) as error:
        CRNN.load(path)
    assert one_line(error, path)


@pytest.mark.parametrize(
    "channels", ["[8, 8, 8]", "[8, 8, 8, 8.5]", "[8, 8, 8, 99999]", "[8, 8, 8, -8]", "8", None]
)
def test_a_detector_whose_metadata_is_wrong_is_refused(folder, tmp_path, channels) -> None:
    source = folder / "finder.safetensors"
    path = with_metadata(source, tmp_path / "wrong.safetensors", channels=channels)
    with pytest.raises(CheckpointError) as error:
        LineNet.load(path)
    assert one_line(error, path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"height": 32', '"height": 64'),
        ('"alphabet": "abc "', '"alphabet": "abcd "'),
        ('"alphabet": "abc "', '"alphabet": 7'),
        ('"bucket": 32', '"bucket": 32000000'),
        ('"preprocessing"', '"processing"'),
        ('"ocrkit-checkpoint-1"', '"ocrkit-detector-1"'),
        ('{"format"', '["format"'),
    ],
)
@pytest.mark.parametrize("name", ["reader.xml", "reader.onnx"])
def test_a_compressed_recogniser_whose_metadata_is_wrong_is_refused(
    folder, tmp_path, name, old, new
) -> None:
    if name.endswith(".xml"):
        quoted = [text.replace('"', "&quot;") for text in (old, new)]
        text = (folder / name).read_text(encoding="utf-8")
        assert quoted[0] in text
        (tmp_path / name).write_text(text.replace(*quoted), encoding="utf-8")
        (tmp_path / "reader.bin").write_bytes((folder / "reader.bin").read_bytes())
    else:
        import onnx

        model = onnx.load(folder / name)
        (stored,) = (p for p in model.metadata_props if p.key == METADATA_KEY)
        assert old in stored.value
        stored.value = stored.value.replace(old, new)
        onnx.save(model, tmp_path / name)
    with pytest.raises(CheckpointError) as error:
        load_network(tmp_path / name)
    assert one_line(error, tmp_path / name)


def test_a_tensor_of_a_million_axes_is_refused_at_once(tmp_path) -> None:
    header = {"a": {"dtype": "F32", "shape": [9999] * 1_000_000, "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path = tmp_path / "long.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(CheckpointError, match="describes a tensor 'a' that it does not hold"):
        read_header(path)


@pytest.mark.parametrize("encoding", ["unheard-of", "utf-32", "base64"])
def test_an_xml_in_an_encoding_that_cannot_be_read_is_refused(tmp_path, encoding) -> None:
    path = tmp_path / "net.xml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><net/>', encoding="utf-8")
    assert stored_format(path) is None
    with pytest.raises(CheckpointError, match="net.xml cannot be read as a network"):
        load_network(path)


def test_a_recogniser_is_no_detector_and_the_other_way_round(folder) -> None:
    with pytest.raises(CheckpointError, match="reader.xml is a recogniser"):
        detector_backend(folder / "reader.xml")
    with pytest.raises(CheckpointError, match="finder.xml is a detector"):
        load_network(folder / "finder.xml")


# --- the header of a .safetensors file


def write(path: Path, header: bytes, weights: bytes = b"", length: int | None = None) -> Path:
    size = len(header) if length is None else length
    path.write_bytes(struct.pack("<Q", size) + header + weights)
    return path


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"shape": [1]}},
        {"a": 7},
        {"__metadata__": {"format": 1}},
        {"__metadata__": []},
        [],
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_its_file_is_refused(tmp_path, header) -> None:
    path = write(tmp_path / "a.safetensors", json.dumps(header).encode(), b"\0" * 4)
    with pytest.raises(CheckpointError, match="a.safetensors is not a readable checkpoint: its "):
        read_header(path)
    assert stored_format(path) is None


def test_a_header_that_claims_more_than_the_file_has_is_not_read(tmp_path) -> None:
    for length in (2**63, 2**40, 5_000_000):
        path = write(tmp_path / "a.safetensors", b"{}", length=length)
        with pytest.raises(CheckpointError, match="it has no safetensors header"):
            read_header(path)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_checkpoint(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("x") / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        CRNN.load(path)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["__metadata__", "a"]), JSON))
def test_arbitrary_headers_are_read_or_refused(tmp_path_factory, header) -> None:
    path = write(tmp_path_factory.mktemp("x") / "a.safetensors", json.dumps(header).encode())
    try:
        metadata, shapes = read_header(path)
        assert isinstance(metadata, dict) and isinstance(shapes, dict)
    except CheckpointError as error:
        assert str(error).startswith(str(path))


@settings(max_examples=150)
@given(st.data())
def test_changed_files_of_every_kind_are_read_or_refused(folder, tmp_path_factory, data) -> None:
    """A few bytes changed anywhere: no exception but the kit's own."""
    names = ["reader.safetensors", "reader.xml", "reader.onnx", "finder.safetensors"]
    name = data.draw(st.sampled_from(names))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), 8000) - 1))
        content[at] = data.draw(st.integers(0, 255))
    target = tmp_path_factory.mktemp("x") / name
    target.write_bytes(content[: data.draw(st.integers(0, len(content)))] or content)
    if name.endswith(".xml"):
        target.with_suffix(".bin").write_bytes((folder / "reader.bin").read_bytes())
    loaders = {"reader.safetensors": CRNN.load, "finder.safetensors": LineNet.load}
    load = loaders.get(name, load_network)
    try:
        load(target)
    except OcrkitError as error:
        assert name.partition(".")[0] in str(error)
