"""Running the .pt2 file of Neural Compressor's INT8 network.

Such a file can hold code: `torch.export.load` unpickles parts of it, evaluates the formulas of its
shapes, makes Python code from its names, and runs whatever functions its graph names. So a file is
refused unless it holds only tensors, the operators of a CRNN, plain names and plain arithmetic.
What is then loaded is not the file but a copy, written anew from the parts that were checked:
torch's reader of zip files and pickles may see other parts in the file than Python's.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.runtime import Backend
from ocrkit.runtime.metadata import METADATA_KEY, check_sizes
from ocrkit.runtime.packages import quiet
from ocrkit.runtime.pytorch import module_backend

MAX_BYTES = 2_000_000_000  # of all parts of a file
_GRAPH = "models/model.json"
_PARTS = re.compile(
    r"models/model\.json|data/(weights|constants|sample_inputs)/model\.pt|archive_format"
    rf"|archive_version|byteorder|\.data/\w+|version|extra/{METADATA_KEY}"
)
# Only those of the kit's networks: others, such as aten.from_file, read and write files.
_OPERATORS = re.compile(
    r"torch\.ops\.quantized_decomposed\.(de)?quantize_per_(tensor|channel)\.\w+"
    r"|torch\.ops\.aten\.(conv2d|batch_norm|relu_?|max_pool2d|zeros|linear|permute)\.default"
    r"|torch\.ops\.aten\.(lstm\.input|squeeze\.dims?|sym_size\.int)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|eq|ne|lt|le|gt|ge)"
)
_NAME = re.compile(r"[\w.]*")  # torch writes names into Python code
_TREE = re.compile(  # of inputs and outputs; other types would import modules
    r'([][{}\d:, ]|"type"|"context"|"children_spec"|"builtins\.(tuple|list|dict)"|null|"null"'
    r'|"\[\]")*'
)
# What a text in a graph may be, by its key; all others are names.
_TEXTS = {
    "target": _OPERATORS,
    "as_operator": _OPERATORS,
    "in_spec": _TREE,
    "out_spec": _TREE,
    "torch_version": re.compile(r"[\w.+]*"),
}
_FORMULA = "expr_str"
_FUNCTIONS = {"Integer", "Add", "Mul", "Max", "Min", "FloorDiv", "CleanDiv", "Mod", "PythonMod"}
_ASSUMPTIONS = {"positive", "nonnegative", "integer"}
_VARIABLE = re.compile(r"[su]\d{1,6}")


def pt2_backend(path: Path, compiled: bool = False) -> tuple[Pt2Backend, str | None]:
    """The network of a .pt2 file, and its metadata (JSON) if it has any.

    compiled: by torch.compile, in INT8; otherwise it rounds as INT8 does, but computes in floating
    point. Raises CheckpointError for a file that is damaged or may hold code.
    """
    copy = checked_copy(path)
    extra = {METADATA_KEY: ""}
    try:
        with quiet():
            # Importing it registers the quantised operators that the file names.
            import torch.ao.quantization.quantize_pt2e  # noqa: F401

            exported = torch.export.load(copy, extra_files=extra)
            program, sizes = exported.module(), _sizes(exported)
    except Exception as error:  # torch raises many kinds of error for a file that is not its own
        raise _unreadable(path, _first_line(error)) from error
    run = _inductor(program) if compiled else module_backend(program)
    return Pt2Backend(run, *sizes), extra[METADATA_KEY] or None


@dataclass(frozen=True)
class Pt2Backend:
    """A network of a .pt2 file as a callable on arrays.

    inputs, output: the sizes of its input and output, -1 for any.
    """

    run: Backend
    inputs: tuple[int, ...]
    output: tuple[int, ...]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.run(images)

    def check_shapes(self, path: Path, inputs: tuple[int, ...], classes: int) -> None:
        """As `ocrkit.runtime.openvino.check_shapes`."""
        check_sizes(path, self.inputs, inputs, self.output[-1] if self.output else -1, classes)


def _sizes(exported: torch.export.ExportedProgram) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of the one input and the one output of a program, -1 for any."""
    signature = exported.graph_signature
    values = {node.name: node.meta["val"] for node in exported.graph.nodes if "val" in node.meta}
    (given,), (made,) = signature.user_inputs, signature.user_outputs
    taken, output = (
        tuple(size if isinstance(size, int) else -1 for size in values[str(name)].shape)
        for name in (given, made)
    )
    return taken, output


def checked_copy(path: Path) -> io.BytesIO:
    """A .pt2 file in memory, made of the checked parts of a file that is not to be trusted.

    Raises CheckpointError if the file is damaged, or holds anything that `torch.export.load` could
    run.
    """
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as checked:
            for name, info in _parts(path, archive).items():
                data = archive.read(info)
                if name == _GRAPH:
                    data = _checked_graph(path, data)
                elif name.endswith(".pt"):
                    data = _checked_tensors(path, data)
                checked.writestr(f"model/{name}", data)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise _unreadable(path, _first_line(error)) from error
    except (NotImplementedError, EOFError) as error:  # encrypted, or packed in an unusual way
        raise _unreadable(path, _first_line(error)) from error
    copy.seek(0)
    return copy


def _parts(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries of a .pt2 file by their names without the folder that all of them are in."""
    entries = archive.infolist()
    parts = {info.filename.partition("/")[2]: info for info in entries}
    if unknown := [name for name in parts if not _PARTS.fullmatch(name)]:
        raise _refused(path, f"an unknown part {unknown[0][:80]!r}")
    if len(parts) < len(entries) or len({e.filename.partition("/")[0] for e in entries}) > 1:
        raise _refused(path, "two parts of one name, or in two folders")
    if sum(info.file_size for info in entries) > MAX_BYTES:
        raise _unreadable(path, f"its parts are larger than {MAX_BYTES // 10**6} MB together")
    if any(info.compress_type != zipfile.ZIP_STORED for info in entries):
        raise _unreadable(path, "its parts are compressed, which torch.export.save never does")
    if _GRAPH not in parts:
        raise _unreadable(path, f"it has no part {_GRAPH}")
    return parts


def _checked_tensors(path: Path, data: bytes) -> bytes:
    """A part that holds tensors, written anew."""
    written = io.BytesIO()
    try:
        # Fails on a pickle that calls anything but the making of tensors.
        with warnings.catch_warnings(action="ignore"):  # about protocols of pickle
            torch.save(torch.load(io.BytesIO(data), weights_only=True), written)
    except Exception as error:  # of the unpickler: there is code, or the part is damaged
        raise _refused(path, _first_line(error)) from error
    return written.getvalue()


def _checked_graph(path: Path, data: bytes) -> bytes:
    """The graph without its metadata, which says only from which lines of code it was made."""
    graph = json.loads(data, object_hook=_without_metadata)
    for key, text in _strings(graph):
        if not (_is_formula(text) if key == _FORMULA else _TEXTS.get(key, _NAME).fullmatch(text)):
            raise _refused(path, f"{key[:80]} {text[:80]!r}")
    return json.dumps(graph).encode()


def _without_metadata(table: dict[str, Any]) -> dict[str, Any]:
    return {**table, "metadata": {}} if "metadata" in table else table


def _strings(graph: Any) -> Iterator[tuple[str, str]]:
    """All texts in a graph, each with its key; a key is a text, too."""
    stack: list[tuple[str, Any]] = [("", graph)]
    while stack:
        key, item = stack.pop()
        if isinstance(item, str):
            yield key, item
        elif isinstance(item, dict):
            yield from (("key", name) for name in item)
            stack += item.items()
        elif isinstance(item, list):
            stack += [(key, value) for value in item]


def _is_formula(text: str) -> bool:
    """Whether a text is arithmetic on sizes, such as Add(Symbol('s0'), Integer(1))."""
    try:
        return _is_arithmetic(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_arithmetic(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int and abs(node.value) < 2**63
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub | ast.UAdd) and _is_arithmetic(node.operand)
    if isinstance(node, ast.BinOp):  # no powers: 9**9**9 would never end
        known = isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.FloorDiv | ast.Mod)
        return known and _is_arithmetic(node.left) and _is_arithmetic(node.right)
    if isinstance(node, ast.Name):
        return bool(_VARIABLE.fullmatch(node.id))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "Symbol":
            return _is_symbol(node)
        return (
            node.func.id in _FUNCTIONS and not node.keywords and all(map(_is_arithmetic, node.args))
        )
    return False


def _is_symbol(call: ast.Call) -> bool:
    """Whether a call is Symbol('s0'), or with assumptions such as positive=True."""
    names = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return (
        len(names) == len(call.args) == 1
        and isinstance(names[0], str)
        and bool(_VARIABLE.fullmatch(names[0]))
        and all(
            keyword.arg in _ASSUMPTIONS
            and isinstance(keyword.value, ast.Constant)
            and isinstance(keyword.value.value, bool)
            for keyword in call.keywords
        )
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


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
