"""The state of a training run in a file, from which the run is resumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ocrkit.errors import CheckpointError
from ocrkit.files import write
from ocrkit.runtime.torch_files import check_weights, read_torch_file

_MAX_COUNT = 2**53  # whole numbers up to this are exact in a float
_KEYS = {"model", "average", "optimizer", "counters", "config"}


@dataclass(frozen=True)
class Counters:
    """How far a run is: steps of the optimizer, crops (or pieces) learned from, and seconds."""

    steps: int = 0
    crops: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TrainingState:
    """All that a stopped run needs to go on.

    model, average: state dicts of the weights and of their average (EMA). optimizer: the state dict
    of AdamW. config: the settings of the model. start_from: the weights that the run began with.
    """

    model: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    counters: Counters
    config: Mapping[str, Any]
    start_from: str | None

    def save(self, path: Path) -> None:
        """Write the state; raises OutputError if that is not possible."""
        data = BytesIO()
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        torch.save(values | {"counters": asdict(self.counters)}, data)
        write(path, data.getvalue())


def load_state(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]
) -> TrainingState:
    """The state in a file, checked against the network and the optimizer that it is for.

    settings: of the network, for the message if it is not the one of the state. Raises
    CheckpointError if the file is damaged, is not a training state, or is of another network.
    """
    kind, remedy = "a training state of ocrkit", "take another folder, or delete it to start anew"
    try:
        loaded = read_torch_file(path, kind)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {remedy}") from error
    try:
        if not isinstance(loaded, Mapping) or not loaded.keys() >= _KEYS:
            raise ValueError(f"it must be a dict with {', '.join(sorted(_KEYS))}")
        config, counters = _checked_config(loaded["config"]), _checked_counters(loaded["counters"])
        start_from = loaded.get("start_from")
        if not isinstance(start_from, str | None):
            raise ValueError(f"start_from is a {type(start_from).__name__}, not a path")
        model, average = _dict(loaded, "model"), _dict(loaded, "average")
        moments = _dict(_dict(loaded, "optimizer"), "state")
    except ValueError as error:
        raise CheckpointError(f"{path} is not {kind}: {error}; {remedy}") from error
    try:
        for weights in (model, average):
            check_weights(weights, network.state_dict())
        # Weights of the same shapes may still be for strips of another height.
        if other := [key for key in config.keys() & settings if config[key] != settings[key]]:
            raise ValueError(f"another {', '.join(sorted(other))}")
        checked = _checked_moments(moments, optimizer)
    except ValueError as error:
        raise CheckpointError(
            f"{path} is of a model {config}, but the settings ask for {dict(settings)} ({error}); "
            "take other settings, the same weights to start from, or another folder"
        ) from error
    return TrainingState(model, average, checked, counters, config, start_from)


def _dict(values: Mapping[str, Any], name: str) -> dict[Any, Any]:
    if not isinstance(values.get(name), Mapping):
        raise ValueError(f"its entry {name} is not a dict")
    return dict(values[name])


def _checked_config(config: Any) -> dict[str, Any]:
    """The settings of the model: names with short plain values, or ValueError."""
    if isinstance(config, Mapping) and len(config) <= 20:
        flat = [value for v in config.values() for value in (v if isinstance(v, list) else [v])]
        if len(flat) <= 50 and all(map(_is_plain, [*config, *flat])):
            return dict(config)
    raise ValueError("its entry config has not the settings of a model")


def _is_plain(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= _MAX_COUNT
    return value is None or isinstance(value, float) or (isinstance(value, str) and len(value) < 50)


def _checked_counters(counters: Any) -> Counters:
    """The counters, or ValueError."""
    names = set(Counters.__dataclass_fields__)
    if not isinstance(counters, Mapping) or set(counters) != names:
        raise ValueError(f"its counters are not {', '.join(sorted(names))}")
    for name, value in counters.items():
        kinds = (int, float) if name == "seconds" else (int,)
        if type(value) not in kinds or not 0 <= value <= _MAX_COUNT:
            raise ValueError(f"its counter {name} is not a number from 0")
    return Counters(**counters)


def _checked_moments(state: dict[Any, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state dict of an AdamW with these steps and moments, or ValueError.

    state: for the number of a parameter its "step", "exp_avg" and "exp_avg_sq". The settings are
    those of the optimizer; the learning rate is set at every step.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, moments in state.items():
        if type(number) is not int or not 0 <= number < len(parameters):
            raise ValueError("the optimizer has other parameters")
        if not isinstance(moments, Mapping):
            raise ValueError("the optimizer's state is not a dict")
        expected = {
            "step": torch.tensor(0.0),
            "exp_avg": parameters[number],
            "exp_avg_sq": parameters[number],
        }
        check_weights(moments, expected)
        if not (math.isfinite(moments["step"]) and moments["step"] >= 0):
            raise ValueError("the optimizer's step is not a number from 0")
    # Copied, as these tensors are mapped from the file.
    copied = {
        number: {k: v.clone() for k, v in moments.items()} for number, moments in state.items()
    }
    return {"state": copied, "param_groups": optimizer.state_dict()["param_groups"]}
