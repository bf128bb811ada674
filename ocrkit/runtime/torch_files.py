"""Files written by `torch.save`, read so that no code in them can run.

Such a file contains a pickle. It is read with `weights_only=True`, which allows tensors and plain
values and runs no code, and its tensors are mapped from the file, so that nothing is allocated for
sizes that the pickle only claims.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ocrkit.errors import CheckpointError

# Put before each name by DataParallel, by DataParallel of DataParallel, and by torch.compile.
_PREFIXES = ("module.", "_orig_mod.")


def read_torch_file(path: Path, kind: str) -> Any:
    """What `torch.save` wrote: tensors on the CPU, and dicts, lists, strings and numbers.

    kind: what the file should be, for the message. Raises CheckpointError if there is no such file,
    it is damaged, or it holds anything else, such as code.
    """
    try:
        if problem := _unreadable(path):
            raise CheckpointError(f"{path} is not {kind}: {problem}")
        # Files of torch before 1.6 are no zip files; these cannot be mapped, and are read.
        mapped = zipfile.is_zipfile(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old kinds of storage, which are read all right
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many kinds of error for a damaged file
        # Its own text is not shown: it has many lines, and says how to run the code in the file.
        raise CheckpointError(
            f"{path} is not {kind}: it is damaged, or has more than tensors and plain values in it"
        ) from error


def _unreadable(path: Path) -> str:
    """Why a file cannot be read by torch, so far as that is seen without unpickling, or ""."""
    if not path.is_file():
        return "No such file"
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return "it is empty"
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    # These can unpack to any size.
                    return "its entries are compressed, which torch.save never does"
    except OSError as error:
        return error.strerror or "it cannot be read"
    return ""


def state_dict_of(loaded: Any) -> dict[str, Tensor]:
    """The state dict in what `read_torch_file` returned: names and weights.

    It may be under the key "state_dict". The prefixes of DataParallel (`module.`, also twice) and
    of torch.compile (`_orig_mod.`) are removed from its names. Raises ValueError if it is not a
    dict of tensors, or two names are the same without their prefixes.
    """
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a dict of names and weights")
    state: dict[str, Tensor] = {}
    for key, value in loaded.items():
        if not isinstance(key, str):
            raise ValueError(f"one of its names is a {type(key).__name__}, not a string")
        name = _without_prefixes(key)
        if not _is_plain(value):
            raise ValueError(f"{_short(name)} is a {type(value).__name__}, not a tensor of weights")
        if name in state:
            raise ValueError(f"{_short(name)} is there twice")
        state[name] = value
    return state


def check_weights(state: Mapping[str, Any], expected: Mapping[str, Tensor]) -> None:
    """Check names, types and shapes before anything is copied into a network's own state dict.

    Batch norm's counters (`num_batches_tracked`) may be absent. Raises ValueError with the first
    names that are missing, unexpected, or of another shape.
    """
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    if missing := expected.keys() - state.keys() - optional:
        raise ValueError(f"Missing key(s): {_listed(missing)}")
    if unexpected := state.keys() - expected.keys():
        raise ValueError(f"Unexpected key(s): {_listed(unexpected)}")
    for name, value in state.items():
        if not _is_plain(value):
            raise ValueError(f"{name} is a {type(value).__name__}, not a tensor of weights")
        wanted = expected[name]
        if value.shape != wanted.shape:
            raise ValueError(
                f"{name} has the shape {list(value.shape)}, but the network's is "
                f"{list(wanted.shape)}"
            )
        if value.is_floating_point() != wanted.is_floating_point():
            raise ValueError(f"{name} has the type {value.dtype}, not {wanted.dtype}")


def _without_prefixes(name: str) -> str:
    while prefix := next(filter(name.startswith, _PREFIXES), ""):
        name = name.removeprefix(prefix)
    return name


def _is_plain(value: Any) -> bool:
    """Whether this is an ordinary tensor: real numbers, with data, not sparse or quantised."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex() or value.is_nested)
    )


def _listed(names: set[str]) -> str:
    shown = ", ".join(_short(name) for name in sorted(map(str, names))[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _short(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}...")
