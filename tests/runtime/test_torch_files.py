"""Files of torch.save from anywhere: each is read, or refused in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.errors import CheckpointError
from ocrkit.runtime.torch_files import check_weights, read_torch_file, state_dict_of

WEIGHTS = {
    "conv.weight": torch.arange(6.0).reshape(2, 3),
    "bn.num_batches_tracked": torch.tensor(7),
}


def written(value: object, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def read(data: bytes, folder: Path) -> Any:
    path = folder / "a.pth"
    path.write_bytes(data)
    return read_torch_file(path, "a state dict")


def load(data: bytes, folder: Path) -> dict[str, torch.Tensor]:
    """As a network loads its weights; any error but these two kinds fails the test."""
    state = state_dict_of(read(data, folder))
    check_weights(state, WEIGHTS)
    return {name: value.clone() for name, value in state.items()}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_any_torch_is_read(tmp_path, zipped):
    loaded = load(written(WEIGHTS, zipped), tmp_path)
    assert all(torch.equal(loaded[name], value) for name, value in WEIGHTS.items())


def test_more_numbers_than_the_file_has_are_refused(tmp_path):
    """A pickle may claim any size: torch alone reads beyond the end of what it has."""
    with zipfile.ZipFile(io.BytesIO(written({"a": torch.arange(10.0)}))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in entries if name.endswith("data.pkl"))
    ten, many = b"K\x0a", b"J\x00\x00\x00\x10"  # opcodes of the numbers 10 and 2 ** 28
    assert entries[pickled].count(ten) == 2
    entries[pickled] = entries[pickled].replace(ten, many)
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(CheckpointError, match="a.pth is not a state dict: it is damaged"):
        read(forged.getvalue(), tmp_path)


def test_compressed_entries_are_refused(tmp_path):
    data = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written(WEIGHTS))) as archive,
        zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    with pytest.raises(CheckpointError, match="entries are compressed"):
        read(data.getvalue(), tmp_path)


def test_a_tensor_that_claims_a_size_without_data_is_refused_by_its_shape(tmp_path):
    huge = torch.zeros(1).expand(10**6, 10**6)
    with pytest.raises(ValueError, match=r"conv.weight has the shape \[1000000, 1000000\]"):
        load(written(WEIGHTS | {"conv.weight": huge}), tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        torch.eye(2).to_sparse(),
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, device="meta"),
        torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8),
        5,
    ],
    ids=["sparse", "complex", "meta", "quantised", "a number"],
)
def test_only_ordinary_tensors_are_weights(tmp_path, value):
    with pytest.raises((ValueError, CheckpointError), match="not a tensor of weights|damaged"):
        load(written({"conv.weight": value}), tmp_path)


def test_names_that_are_no_strings_or_twice_there_are_refused():
    with pytest.raises(ValueError, match="one of its names is a int"):
        state_dict_of({5: torch.zeros(1)})
    with pytest.raises(ValueError, match="'a' is there twice"):
        state_dict_of({"module.a": torch.zeros(1), "_orig_mod.a": torch.zeros(1)})


def test_integers_are_no_weights_of_a_layer():
    with pytest.raises(ValueError, match="conv.weight has the type torch.int64, not torch.float32"):
        check_weights(WEIGHTS | {"conv.weight": torch.zeros(2, 3, dtype=torch.int64)}, WEIGHTS)


def test_of_many_wrong_names_a_few_are_listed():
    with pytest.raises(ValueError, match="'0', '1', '10', '11', '2' and 7 more$"):
        check_weights(WEIGHTS | {str(i): torch.zeros(1) for i in range(12)}, WEIGHTS)


@pytest.mark.parametrize("data", [b"", b"no pickle", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_what_torch_did_not_write_is_refused(tmp_path, data):
    with pytest.raises((CheckpointError, ValueError)):
        load(data, tmp_path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.pth", Path("a\0b")):
        with pytest.raises(CheckpointError, match="is not a state dict: No such file"):
            read_torch_file(path, "a state dict")


# --- whatever the bytes are: read, or refused in one line


def refused_in_a_line(data: bytes, folder: Path) -> None:
    try:
        load(data, folder)
    except (CheckpointError, ValueError) as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 600


@given(data=st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, data):
    refused_in_a_line(data, tmp_path_factory.getbasetemp())


@settings(max_examples=300)
@given(data=st.data(), zipped=st.booleans())
def test_any_change_of_a_valid_file(tmp_path_factory, data, zipped):
    valid = bytearray(written(WEIGHTS, zipped))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(valid) - 1))
        end = place + data.draw(st.integers(0, 8))
        valid[place:end] = data.draw(st.binary(max_size=8))
    refused_in_a_line(bytes(valid), tmp_path_factory.getbasetemp())


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(value=plain | st.dictionaries(st.sampled_from([*WEIGHTS, "state_dict", "module.a"]), plain))
def test_any_plain_value(tmp_path_factory, value):
    refused_in_a_line(written(value), tmp_path_factory.getbasetemp())
