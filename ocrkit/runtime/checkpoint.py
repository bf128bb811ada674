"""Checkpoints: the weights of a network and its metadata in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ocrkit.errors import CheckpointError
from ocrkit.files import write
from ocrkit.runtime.metadata import read_header
from ocrkit.runtime.weights import check_format

Model = TypeVar("Model", bound=nn.Module)


def write_checkpoint(
    path: str | Path, model: nn.Module, metadata: Mapping[str, Any], half: bool = True
) -> Path:
    """Write a model's weights and its metadata, "format" among it, into one safetensors file.

    Floats have 16 bits if `half`, else 32.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
    }
    return write(Path(path), save(tensors, texts))


def read_checkpoint(path: Path, kind: str, build: Callable[[Mapping[str, Any]], Model]) -> Model:
    """The model of a file that `write_checkpoint` wrote, its weights in float32, in eval mode.

    `build` makes the network from the metadata. It is built without memory first and its shapes are
    compared with those in the file's header, so that a wrong size costs nothing.

    Raises CheckpointError for any other file, one whose "format" is not `kind`, and one whose
    metadata `build` refuses or whose weights do not fit the network.
    """
    metadata, shapes = read_header(path)
    check_format(path, metadata.get("format"), kind)
    try:
        with torch.device("meta"):
            empty = build(metadata)
        wanted = {
            name: tuple(value.shape)
            for name, value in empty.state_dict().items()
            if value.is_floating_point()
        }
        if wrong := _difference(wanted, shapes):
            raise CheckpointError(f"{path} does not fit the network: {wrong}")
        model = build(metadata)
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} has settings that this version of ocrkit does not understand: {error}"
        ) from error
    load_exactly(model, {name: value.float() for name, value in tensors.items()}, path)
    return model.eval()


def _difference(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    """What the first few differences between two tables of shapes are; "" if there is none."""
    names = sorted(name for name in {**wanted, **found} if wanted.get(name) != found.get(name))
    return "; ".join(
        f"{name[:60]} is {list(found[name]) if name in found else 'missing'}, "
        f"not {list(wanted[name]) if name in wanted else 'known'}"
        for name in names[:3]
    )


def load_exactly(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load a state dict in which no weight is missing and none is too many.

    Raises CheckpointError, which names them. Batch norm's counters of steps may be missing.
    """
    try:
        model.load_state_dict(dict(tensors))
    except (RuntimeError, AttributeError, TypeError) as error:
        problems = " ".join(line.strip() for line in str(error).splitlines()[1:]) or str(error)
        raise CheckpointError(f"{path} does not fit the network: {problems}") from error
