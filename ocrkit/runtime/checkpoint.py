"""Checkpoints: the weights of a network and its metadata in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ocrkit.errors import CheckpointError
from ocrkit.files import write
from ocrkit.runtime.weights import check_format


def write_checkpoint(
    path: str | Path, model: nn.Module, facts: Mapping[str, Any], half: bool = True
) -> Path:
    """Write a model's weights and the facts, its "format" first, into one safetensors file.

    Floats have 16 bits if `half`.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    metadata = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in facts.items()
    }
    return write(Path(path), save(tensors, metadata))


def read_checkpoint(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights in float32 and facts of a file that `write_checkpoint` wrote.

    Raises CheckpointError for any other file, or one whose "format" is not `kind`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error
    check_format(path, meta.get("format"), kind)
    return tensors, meta


def load_exactly(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load with every key accounted for, but for batch norm's step counters."""
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        problems = " ".join(line.strip() for line in str(error).splitlines()[1:])
        raise CheckpointError(f"{path} does not fit the network: {problems}") from error
