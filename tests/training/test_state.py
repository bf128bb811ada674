"""The state of a run: saved, loaded, and refused in one line if it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ocrkit.errors import CheckpointError, OutputError
from ocrkit.training.state import Counters, TrainingState, load_state

SETTINGS = {"size": 3, "kinds": [1, 2], "name": "small", "share": None}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network and its optimizer after two steps."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    for _ in range(2):
        model(torch.rand(4, 2)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def state() -> TrainingState:
    model, optimizer = trained()
    weights = model.state_dict()
    counters = Counters(2, 8, 1.5)
    return TrainingState(weights, weights, optimizer.state_dict(), counters, SETTINGS, "start")


def saved(path: Path, **changes: Any) -> Path:
    """A state with other entries, written as `TrainingState.save` does."""
    state().save(path)
    torch.save(torch.load(path, weights_only=True) | changes, path)
    return path


def load(path: Path) -> TrainingState:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    loaded = load_state(path, model, optimizer, SETTINGS)
    model.load_state_dict(loaded.model)
    optimizer.load_state_dict(dict(loaded.optimizer))
    model(torch.rand(4, 2)).sum().backward()
    optimizer.step()
    return loaded


def test_a_state_comes_back(tmp_path):
    before = state()
    before.save(tmp_path / "state.pt")
    after = load_state(tmp_path / "state.pt", network(), trained()[1], SETTINGS)
    assert (after.counters, after.config, after.start_from) == (
        Counters(2, 8, 1.5),
        SETTINGS,
        "start",
    )
    for name, value in before.model.items():
        assert torch.equal(after.model[name], value) and torch.equal(after.average[name], value)
    for number, moments in before.optimizer["state"].items():
        for name, value in moments.items():
            assert torch.equal(after.optimizer["state"][number][name], value)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_resumed_optimizer_makes_the_same_step(tmp_path):
    state().save(tmp_path / "state.pt")
    model, optimizer = trained()
    resumed = network()
    other = torch.optim.AdamW(resumed.parameters(), 0.1)
    loaded = load_state(tmp_path / "state.pt", resumed, other, SETTINGS)
    resumed.load_state_dict(loaded.model)
    other.load_state_dict(dict(loaded.optimizer))
    for net, stepping in ((model, optimizer), (resumed, other)):
        stepping.zero_grad()
        net(torch.ones(4, 2) * torch.arange(4.0)[:, None]).square().sum().backward()
        stepping.step()
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), resumed.parameters(), strict=True)
    )


def test_a_state_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "state.pt").mkdir()
    with pytest.raises(OutputError, match="state.pt: cannot be written"):
        state().save(tmp_path / "state.pt")


def test_an_empty_and_a_cut_file_are_refused(tmp_path):
    path = tmp_path / "state.pt"
    state().save(path)
    whole = path.read_bytes()
    for content, reason in ((b"", "it is empty"), (whole[:1000], "it is damaged")):
        path.write_bytes(content)
        with pytest.raises(
            CheckpointError, match=f"not a training state .*: {reason}.*start anew$"
        ):
            load(path)


MODEL = {name: value.clone() for name, value in network().state_dict().items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counters": {"steps": 2}}, "its counters are not crops, seconds, steps"),
        ({"counters": {"steps": -1, "crops": 8, "seconds": 1.0}}, "counter steps is not a number"),
        ({"counters": {"steps": 2, "crops": 10**30, "seconds": 1.0}}, "counter crops is not"),
        ({"counters": {"steps": 2, "crops": 8, "seconds": float("nan")}}, "counter seconds is not"),
        ({"counters": {"steps": True, "crops": 8, "seconds": 1.0}}, "counter steps is not"),
        ({"counters": None}, "its counters are not"),
        ({"config": {"size": {}}}, "its entry config has not"),
        ({"config": ["size"]}, "its entry config has not"),
        ({"config": {"size": "x" * 1000}}, "its entry config has not"),
        ({"start_from": 5}, "start_from is a int, not a path"),
        ({"model": 5}, "its entry model is not a dict"),
        ({"average": None}, "its entry average is not a dict"),
        ({"optimizer": {}}, "its entry state is not a dict"),
        ({"model": {}}, "Missing key"),
        ({"model": MODEL | {"0.bias": 5}}, "0.bias is a int, not a tensor"),
        ({"average": MODEL | {"0.bias": torch.zeros(4)}}, r"0.bias has the shape \[4\]"),
        ({"average": MODEL | {5: torch.zeros(4)}}, "Unexpected key"),
        ({"optimizer": {"state": {99: {}}}}, "the optimizer has other parameters"),
        ({"optimizer": {"state": {0: 5}}}, "the optimizer's state is not a dict"),
        ({"optimizer": {"state": {0: {}}}}, "Missing key"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=f"state.pt is .*{message}.*another folder") as raised:
        load(saved(tmp_path / "state.pt", **changes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("step", [-1.0, float("nan"), float("inf")])
def test_a_step_that_cannot_be_is_refused(tmp_path, step):
    moments = {
        "step": torch.tensor(step),
        "exp_avg": torch.zeros(3, 2),
        "exp_avg_sq": torch.zeros(3, 2),
    }
    path = saved(tmp_path / "state.pt", optimizer={"state": {0: moments}})
    with pytest.raises(CheckpointError, match="step is not a number from 0"):
        load(path)


def test_the_settings_of_both_models_are_shown(tmp_path):
    state().save(tmp_path / "state.pt")
    model = nn.Linear(5, 5)
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(CheckpointError, match="of a model .*'size': 3.*ask for {'size': 5}"):
        load_state(tmp_path / "state.pt", model, optimizer, {"size": 5})


# --- whatever the file is: loaded, or refused in one line


def loaded_or_refused(path: Path) -> None:
    try:
        load(path)
    except CheckpointError as error:
        assert len(str(error).splitlines()) == 1


@given(data=st.binary(max_size=100))
def test_any_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.pt"
    path.write_bytes(data)
    loaded_or_refused(path)


@settings(max_examples=100)
@given(data=st.data())
def test_any_change_of_a_state(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "changed.pt"
    state().save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(content)
    loaded_or_refused(path)


tensors = st.sampled_from([torch.zeros(3), torch.zeros(3, 2), torch.tensor(2), torch.tensor(-1.0)])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(0, 3) | st.sampled_from(["state", "steps", "0.bias"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(
    name=st.sampled_from(["model", "average", "optimizer", "counters", "config", "start_from"]),
    value=plain,
)
def test_any_entry(tmp_path_factory, name, value):
    loaded_or_refused(saved(tmp_path_factory.getbasetemp() / "entry.pt", **{name: value}))
