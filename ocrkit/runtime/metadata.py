"""What a model file says about itself: its format, settings and alphabet.

A file may come from anywhere, so nothing in it is trusted: the header is read and checked before
the weights are, and before anything of the size that it names is allocated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

from ocrkit.errors import CheckpointError

FORMAT = "ocrkit-checkpoint-1"
DETECTOR_FORMAT = "ocrkit-detector-1"
OTHER_FILE = "take one that ocrkit.compress wrote"  # the remedy for a foreign model file
KINDS = {FORMAT: "a recogniser", DETECTOR_FORMAT: "a detector"}  # by the "format" of a file
METADATA_KEY = "ocrkit"  # where an OpenVINO, ONNX or .pt2 file keeps the metadata of its checkpoint

MAX_HEADER = 10_000_000  # bytes; the kit's own have less than 20,000
MAX_AXES, MAX_SIZE = 8, 2**63  # of a tensor, so that the product of its sizes is soon known
PLAIN = ("format", "alphabet")  # stored as they are in a .safetensors; all else is JSON
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}


def parse_metadata(text: str, path: Path) -> Any:
    """The value of a JSON text that stands in a model file.

    Raises CheckpointError for a text that is no JSON, nested too deeply, or has a number that is
    not finite.
    """

    def not_finite(number: str) -> NoReturn:
        raise ValueError(f"{number} is not a number that a setting can have")

    try:
        return json.loads(text, parse_constant=not_finite)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its metadata is no valid JSON ({error})") from error


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """The metadata of a .safetensors file, decoded, and the shape of each of its tensors.

    Raises CheckpointError unless the header fits the file: every tensor lies within it, in a type
    that is known, and has as many bytes as its shape needs.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = file.seek(0, 2) - 8 - length
            if length > MAX_HEADER or size < 0:
                raise _damaged(path, "it has no safetensors header")
            file.seek(8)
            header = parse_metadata(file.read(length).decode("utf-8"), path)
    except (OSError, ValueError) as error:
        raise _damaged(path, str(getattr(error, "strerror", None) or error)) from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a table")
    stored = header.pop("__metadata__", {})
    if not isinstance(stored, dict) or not all(isinstance(v, str) for v in stored.values()):
        raise _damaged(path, "its metadata is not a table of texts")
    shapes = {name: _shape(path, name, tensor, size) for name, tensor in header.items()}
    metadata = {
        key: value if key in PLAIN else parse_metadata(value, path) for key, value in stored.items()
    }
    return metadata, shapes


def _shape(path: Path, name: str, tensor: Any, size: int) -> tuple[int, ...]:
    """The shape of a tensor in the header of a file with `size` bytes of weights."""
    try:
        shape, (start, end) = tuple(tensor["shape"]), tensor["data_offsets"]
        whole = all(type(n) is int and 0 <= n <= MAX_SIZE for n in (*shape, start, end))
        within = whole and len(shape) <= MAX_AXES and start <= end <= size
        fits = within and end - start == prod(shape) * BYTES[tensor["dtype"]]
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise _damaged(path, f"its header describes a tensor {name[:60]!r} that it does not hold")
    return shape


def stored_format(path: Path) -> str | None:
    """The "format" of a .safetensors or .xml file; None where it cannot be read or has none."""
    try:
        if path.suffix == ".xml":
            element = ElementTree.parse(path).find(f"rt_info/{METADATA_KEY}")
            metadata = {} if element is None else parse_metadata(element.get("value", ""), path)
        else:
            metadata = read_header(path)[0]
    except (ElementTree.ParseError, CheckpointError, OSError, LookupError, ValueError):
        return None
    found = metadata.get("format") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) else None


def check_sizes(
    path: Path, found: Sequence[int], wanted: Sequence[int], last: int, classes: int
) -> None:
    """Raises CheckpointError if a network's sizes are not those that its metadata says.

    found and wanted: the sizes of its input, -1 for any. last and classes: the size of its last
    output axis as found, and as wanted (-1 for any).
    """
    if list(found) != list(wanted):
        raise CheckpointError(
            f"{path} takes images {list(found)}, but its metadata says {list(wanted)}; {OTHER_FILE}"
        )
    if classes > 0 and last != classes:
        raise CheckpointError(
            f"{path} has {last} output classes, but its alphabet (with the blank) has {classes}; "
            f"{OTHER_FILE}"
        )


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} is not a readable checkpoint: {reason}")
