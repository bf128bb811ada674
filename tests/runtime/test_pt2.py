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
from ocrkit.runtime.pt2 import checked_copy

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
    run, metadata = load_file(network)
    assert run(STRIPS[0]).shape == (17, 2, 5)
    assert metadata.alphabet == Alphabet("abc ")


def test_the_checked_copy_computes_what_the_file_does(network: Path) -> None:
    run, _ = load_file(network)
    wanted = torch.export.load(network).module()(torch.from_numpy(STRIPS[0]))
    np.testing.assert_array_equal(run(STRIPS[0]), wanted.detach().numpy())


def with_graph(source: Path, target: Path, change: Callable[[str], str]) -> Path:
    """A copy of a .pt2 with the text of its graph changed."""
    return changed(
        source,
        target,
        lambda name, old: (
            change(old.decode()).encode() if name.endswith("models/model.json") else old
        ),
    )


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


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


@pytest.mark.parametrize("folder", ["{}", "other"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_is_there_twice_is_refused(
    network: Path, tmp_path: Path, folder: str, first: bool
) -> None:
    # Readers of zip files do not agree on which of the two counts.
    trace, path = tmp_path / "it ran", tmp_path / "evil.pt2"
    parts = list(entries(network).items())
    top = parts[0][0].partition("/")[0]
    extra = f"{folder.format(top)}/data/weights/model.pt", pickle.dumps(Command(trace))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [extra, *parts] if first else [*parts, extra]:
            archive.writestr(name, data)
    with pytest.raises(CheckpointError, match="two parts of one name, or in two folders"):
        load_file(path)
    assert not trace.exists()


def test_a_directory_of_parts_that_only_torch_would_see_is_not_loaded(
    network: Path, tmp_path: Path
) -> None:
    # Python finds a zip file's directory by the file's end, torch by the offset that it names.
    trace, path = tmp_path / "it ran", tmp_path / "evil.pt2"
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        for name, data in entries(network).items():
            bad = name.endswith("weights/model.pt")
            archive.writestr(name, pickle.dumps(Command(trace)) if bad else data)
    path.write_bytes(evil.getvalue() + network.read_bytes())
    try:
        load_file(path)
    except CheckpointError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - both are right
    assert not trace.exists()


def test_a_name_that_would_become_code_is_refused_and_does_not_run(
    network: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "it ran"
    code = f"x=__import__('pathlib').Path('{trace}').touch()"
    path = with_graph(
        network, tmp_path / "evil.pt2", lambda graph: graph.replace('"x"', f'"{code}"')
    )
    assert entries(path) != entries(network)
    with pytest.raises(CheckpointError, match="may hold code.*__import__"):
        load_file(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.__class__"),
        ("builtins.tuple", "collections.defaultdict"),
        ("Integer(4)", "9**9**9**9"),
        ("Integer(4)", "'s0'*9999999999"),
        ("Integer(4)", "(1,2)*9999999999"),
    ],
)
def test_what_writes_files_imports_modules_or_takes_for_ever_is_refused(
    network: Path, tmp_path: Path, old: str, new: str
) -> None:
    path = with_graph(network, tmp_path / "evil.pt2", lambda graph: graph.replace(old, new))
    assert entries(path) != entries(network)
    with pytest.raises(CheckpointError, match="may hold code"):
        checked_copy(path)


def test_compressed_parts_which_can_unpack_to_any_size_are_refused(
    network: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries(network).items():
            archive.writestr(name, data)
    with pytest.raises(CheckpointError, match="its parts are compressed"):
        load_file(path)


def test_a_network_that_its_alphabet_does_not_fit_is_refused(network: Path, tmp_path: Path) -> None:
    path = changed(
        network, tmp_path / "other.pt2", lambda name, old: old.replace(b'"abc "', b'"abcd "')
    )
    with pytest.raises(CheckpointError, match="5 output classes, but its alphabet .* has 6"):
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
