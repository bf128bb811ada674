"""Running the .pt2 file of Neural Compressor's INT8 network.

Such a file can hold code: `torch.export.load` unpickles parts of it, evaluates the formulas of its
shapes, and runs whatever functions its graph names. So it is checked first, and loaded only if
there is nothing in it but tensors, known operators and plain arithmetic.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.runtime import Backend
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import quiet
from ocrkit.runtime.pytorch import module_backend

MAX_BYTES = 2_000_000_000  # of all parts of a file, unpacked
_PARTS = re.compile(
    r"models/model\.json|data/(weights|constants|sample_inputs)/model\.pt|archive_format"
    rf"|archive_version|byteorder|\.data/\w+|version|extra/{METADATA_KEY}"
)
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|quantized_decomposed)\.\w+(\.\w+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|eq|ne|lt|le|gt|ge)"
)
_FORMULA = re.compile(
    r"(Symbol|Integer|Rational|Mul|Add|Pow|Max|Min|FloorDiv|CleanDiv|Mod|PythonMod"
    r"|positive|nonnegative|integer|True|False|'s\d+'|'u\d+'|s\d+|u\d+|-?\d+|[-+*/(),= ])*"
)


def pt2_backend(path: Path, compiled: bool = False) -> tuple[Backend, str | None]:
    """The network of a .pt2 file, and its metadata (JSON) if it has any.

    compiled: by torch.compile, in INT8; otherwise it rounds as INT8 does, but computes in floating
    point. Raises CheckpointError for a file that is damaged or holds code.
    """
    check_for_code(path)
    extra = {METADATA_KEY: ""}
    try:
        with quiet():
            # Importing it registers the quantised operators that the file names.
            import torch.ao.quantization.quantize_pt2e  # noqa: F401

            program = torch.export.load(path, extra_files=extra).module()
    except Exception as error:  # torch raises many kinds of error for a file that is not its own
        raise _unreadable(path, str(error)) from error
    run = _inductor(program) if compiled else module_backend(program)
    return run, extra[METADATA_KEY] or None


def check_for_code(path: Path) -> None:
    """Raises CheckpointError if a .pt2 file holds anything that `torch.export.load` could run."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            if sum(info.file_size for info in parts.values()) > MAX_BYTES:
                raise _unreadable(path, "its parts are too large")
            if unknown := [name for name in parts if not _PARTS.fullmatch(name)]:
                raise _refused(path, f"an unknown part {unknown[0]!r}")
            for name, info in parts.items():
                if name.endswith(".pt"):
                    # Fails on a pickle that calls anything but the making of tensors.
                    torch.load(io.BytesIO(archive.read(info)), weights_only=True)
            graph = json.loads(archive.read(parts["models/model.json"]))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    except CheckpointError:
        raise
    except Exception as error:  # of the unpickler: there is code, or the part is damaged
        raise _refused(path, str(error).splitlines()[0]) from error
    for kind, text in _strings(graph):
        allowed = _OPERATORS if kind == "target" else _FORMULA
        if not allowed.fullmatch(text):
            raise _refused(path, f"{kind} {text[:80]!r}")


def _strings(graph: Any) -> Iterator[tuple[str, str]]:
    """The names of functions and the formulas in a graph."""
    stack = [graph]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, value in item.items():
                if key in ("target", "expr_str") and isinstance(value, str):
                    yield key, value
            stack += item.values()
        elif isinstance(item, list):
            stack += item


def _unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read: {reason}; run notebook 04_neural_compressor to make it"
    )


def _refused(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path} may hold code, which loading it would run, and was not loaded ({what}); take a "
        "file that you made yourself: run notebook 04_neural_compressor"
    )


def _inductor(program: nn.Module) -> Backend:
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise MissingPartError(
            "torch.compile needs a C++ compiler; install one (`apt-get install g++`), or take the "
            "backend 'pytorch', which computes the same in floating point"
        )
    from torch._dynamo import config as dynamo
    from torch._inductor import config as inductor

    # Each shape by itself: torch 2.8's INT8 convolutions with variable shapes give wrong results.
    compiled = torch.compile(program, dynamic=False)
    known: set[tuple[int, ...]] = set()

    @contextmanager
    def first_call() -> Iterator[None]:
        # The rounding is fused into INT8 operators only where the weights are frozen.
        with quiet(), inductor.patch(freezing=True), dynamo.patch(recompile_limit=256):
            yield

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad(), nullcontext() if images.shape in known else first_call():
            logits = compiled(torch.from_numpy(images))
        known.add(images.shape)
        return logits.numpy()

    return run
