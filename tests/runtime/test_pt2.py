"""A .pt2 file is loaded only after it has been shown to hold no code."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.compress.neural_compressor import to_neural_compressor
from ocrkit.errors import CheckpointError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_file
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.runtime.pt2 import check_for_code

STRIPS = [np.random.default_rng(0).random((2, 1, 32, 64), np.float32)]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = CRNN(ModelConfig(0.125, 8, "all"), Alphabet("abc ")).eval()
    return to_neural_compressor(model, tmp_path_factory.mktemp("pt2") / "inc.pt2", STRIPS)


def changed(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of a .pt2 with the content of its parts changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return target


def test_the_kits_own_file_is_loaded(network: Path) -> None:
    check_for_code(network)
    run, metadata = load_file(network)
    assert run(STRIPS[0]).shape == (17, 2, 5)
    assert metadata.alphabet == Alphabet("abc ")


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


@pytest.mark.parametrize("part", ["weights", "constants", "sample_inputs"])
@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_a_pickle_that_runs_a_command_is_refused_and_does_not_run(
    network: Path, tmp_path: Path, part: str, how: str
) -> None:
    trace = tmp_path / "it ran"
    data = io.BytesIO()
    (torch.save if how == "torch.save" else pickle.dump)(Command(trace), data)
    path = changed(
        network,
        tmp_path / "evil.pt2",
        lambda name, old: data.getvalue() if f"{part}/model.pt" in name else old,
    )
    with pytest.raises(CheckpointError, match="evil.pt2 may hold code.* run notebook 04"):
        load_file(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", "torch.serialization.os.system"),
        ("target", "torch.hub.load"),
        ("target", "_operator.methodcaller"),
        ("target", "builtins.eval"),
        ("expr_str", "__import__('os').system('true')"),
        ("expr_str", "Symbol('s0').__class__"),
        ("expr_str", "(lambda: 1)()"),
    ],
)
def test_a_graph_that_names_other_functions_is_refused(
    network: Path, tmp_path: Path, key: str, value: str
) -> None:
    def change(name: str, old: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return old
        graph = json.loads(old)
        graph["added"] = {"nodes": [{key: value}]}
        return json.dumps(graph).encode()

    path = changed(network, tmp_path / "evil.pt2", change)
    with pytest.raises(CheckpointError, match=f"may hold code.*{key}"):
        load_file(path)


def test_an_unknown_part_such_as_a_compiled_library_is_refused(
    network: Path, tmp_path: Path
) -> None:
    path = changed(network, tmp_path / "evil.pt2", lambda name, old: old)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("inc/data/aotinductor/model/model.so", b"\x7fELF")
    with pytest.raises(CheckpointError, match="unknown part"):
        load_file(path)


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("x") / "a.pt2"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="a.pt2"):
        load_file(path)


@settings(max_examples=30)
@given(st.data())
def test_changed_files_are_loaded_or_refused(network: Path, tmp_path_factory, data) -> None:
    content = bytearray(network.read_bytes())
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("x") / "a.pt2"
    path.write_bytes(content)
    try:
        load_file(path)
    except CheckpointError as error:
        assert str(error).startswith(str(path))
