"""Ways to run a CRNN. A backend is a callable on arrays, and whoever calls it cannot tell which.

`(N, 1, 32, W) float32 -> logits (T, N, C) float32`, for any N and W.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import get_console
from torch import nn

from ocrkit.alphabet import Alphabet
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.image import Preprocessing
from ocrkit.model import CRNN, FACTS, FORMAT, check_format

Backend = Callable[[np.ndarray], np.ndarray]
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_backend(name: str, model: CRNN, precision: str = "float32") -> Backend:
    """The model made ready to run by "pytorch", "ipex" or "openvino", in "float32" or "bfloat16".

    The model itself is left as it is. Raises ValueError for another name or precision, and
    MissingPartError when the package that a backend needs is not there, or "ipex" or "openvino" is
    to compute in bfloat16 on a processor that cannot.
    """
    if name not in BACKENDS:
        raise ValueError(f"no backend is called {name!r}; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name](deepcopy(model).eval(), _dtype(precision))


def load_file(
    path: str | Path, backend: str | None = None, precision: str = "float32"
) -> tuple[Backend, Alphabet, Preprocessing]:
    """A model that `quantize` wrote, with what its checkpoint said of its use.

    backend: "openvino" for an .xml, "onnxruntime" for an .onnx; for a .pt2 "pytorch", which rounds
    as INT8 does but computes in floating point, or "inductor", which computes in INT8, but compiles
    for a while whenever it meets a batch of a new shape. None takes the first. `precision` is for
    what OpenVINO finds in floating point.

    Raises CheckpointError if a file is missing, damaged or not the kit's, ValueError for a backend
    or precision that the file does not go with, and else as `load_backend`.
    """
    path = Path(path)
    if path.suffix not in FILES:
        raise ValueError(f"{path} is none of the files that ocrkit.quantize writes")
    kinds, dtype = FILES[path.suffix], _dtype(precision)
    backend = backend or next(iter(kinds))
    if backend not in kinds:
        raise ValueError(f"{path} is run by the backend {' or '.join(kinds)}, not {backend!r}")
    if dtype is not torch.float32 and backend != "openvino":
        raise ValueError(f"{path} computes in its own precision; leave out {precision!r}")
    run, facts = kinds[backend](path, dtype)
    if facts is None:
        raise CheckpointError(
            f"{path} does not say which alphabet it reads; take one that ocrkit.quantize wrote"
        )
    said = json.loads(facts)
    check_format(path, said.get("format"), FORMAT)
    return run, Alphabet(said["alphabet"]), Preprocessing(**said["preprocessing"])


def openvino_file(path: Path, dtype: torch.dtype) -> tuple[Backend, str | None]:
    """A model that `quantize` wrote, run by OpenVINO, and its facts as JSON if it has any."""
    ov = import_openvino()
    try:
        ir = ov.Core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} cannot be read: {str(error).strip().splitlines()[-1]}; it takes an .xml and, "
            "beside it, the .bin written with it: run notebook 05_openvino to make both"
        ) from error
    facts = ir.get_rt_info(FACTS).astype(str) if ir.has_rt_info(FACTS) else None
    return _compiled(ir, dtype), facts


def _onnx_file(path: Path, dtype: torch.dtype) -> tuple[Backend, str | None]:
    with needs("ONNX Runtime", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base of their own
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 05_openvino to make it"
        ) from error
    name = session.get_inputs()[0].name
    facts = session.get_modelmeta().custom_metadata_map.get(FACTS)
    return lambda images: session.run(None, {name: images})[0], facts


def _pt2_file(path: Path, dtype: torch.dtype, compiled: bool = False) -> tuple[Backend, str | None]:
    extra = {FACTS: ""}
    try:
        with quiet():
            # It registers the quantised operators, without which the file says nothing to torch.
            import torch.ao.quantization.quantize_pt2e  # noqa: F401

            program = torch.export.load(path, extra_files=extra).module()
    except Exception as error:  # torch raises half a dozen kinds for a file that is not its own
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 04_neural_compressor to make it"
        ) from error
    run = _inductor(program) if compiled else _runner(program, dtype)
    return run, extra[FACTS] or None


def _inductor(program: nn.Module) -> Backend:
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise MissingPartError(
            "torch.compile needs a C++ compiler; install one (`apt-get install g++`), or take the "
            "backend 'pytorch', which computes the same in floating point"
        )
    from torch._dynamo import config as dynamo
    from torch._inductor import config as inductor

    # Each shape by itself: of torch 2.8's INT8 convolutions those for any shape go wrong.
    compiled = torch.compile(program, dynamic=False)
    known: set[tuple[int, ...]] = set()

    @contextmanager
    def first() -> Iterator[None]:
        # Only where the weights are frozen does it fuse the rounding into INT8 operators.
        with quiet(), inductor.patch(freezing=True), dynamo.patch(recompile_limit=256):
            yield

    def run(images: np.ndarray) -> np.ndarray:
        with torch.no_grad(), nullcontext() if images.shape in known else first():
            logits = compiled(torch.from_numpy(images))
        known.add(images.shape)
        return logits.numpy()

    return run


@contextmanager
def needs(what: str, packages: str, instead: str = "") -> Iterator[None]:
    """Around an import: where it fails, a MissingPartError says how to get the packages."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise MissingPartError(
            f"{what} cannot be used here ({error}); install it with `pip install {packages}`"
            + (instead and f", or {instead}")
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars, log lines and warnings of packages that cannot be told to stop."""
    before, console = logging.root.manager.disable, get_console()
    logging.disable(logging.WARNING)
    # In a notebook NNCF's bars are displayed, not printed.
    jupyter, console.is_jupyter = console.is_jupyter, False
    # What IPEX says in C++ as it is loaded goes past Python, straight to the file descriptor.
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            os.dup2(nowhere.fileno(), 2)
            with warnings.catch_warnings(action="ignore"):
                yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        console.is_jupyter = jupyter
        logging.disable(before)


def _dtype(precision: str) -> torch.dtype:
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def in_pytorch(model: nn.Module, dtype: torch.dtype) -> Backend:
    """A network, in eval mode, as a callable on arrays."""
    # Convolutions on CPUs run faster when the channels of a pixel lie side by side.
    return _runner(model.to(memory_format=torch.channels_last), dtype)  # type: ignore[call-overload]


def _ipex(model: CRNN, dtype: torch.dtype) -> Backend:
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _runner(ipex_optimized(model, dtype, "the backend 'pytorch'", inplace=True), dtype)


def ipex_optimized(model: CRNN, dtype: torch.dtype, instead: str, **options: Any) -> Any:
    """What `ipex.optimize` makes of a model; MissingPartError, with what to take, if it cannot."""
    try:
        import intel_extension_for_pytorch as ipex
    except (ImportError, OSError, SystemExit, AttributeError) as error:
        # As it is imported IPEX checks torch's version (and trips over its own os.exit, an
        # AttributeError) and the processor.
        raise MissingPartError(
            f"Intel Extension for PyTorch cannot be used here ({error}); install it with "
            "`pip install intel-extension-for-pytorch==2.8.0` beside torch 2.8.0, or take "
            f"{instead}"
        ) from error
    try:
        return ipex.optimize(model, dtype=dtype, **options)
    except AssertionError as error:
        raise MissingPartError(
            f"Intel Extension for PyTorch cannot compute in {dtype} on this processor ({error}); "
            f"take the precision 'float32' or {instead}"
        ) from error


def _runner(model: nn.Module, dtype: torch.dtype) -> Backend:
    def run(images: np.ndarray) -> np.ndarray:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16),
        ):
            strips = torch.from_numpy(images).to(memory_format=torch.channels_last)
            return model(strips).float().numpy()

    return run


def import_openvino() -> Any:
    """The package openvino; raises MissingPartError where it cannot be used."""
    with needs("OpenVINO", "openvino", "take the backend 'pytorch'"):
        import openvino
    return openvino


def to_ir(model: nn.Module, height: int = 32) -> Any:
    """The model as an openvino.Model of the same input and output, (N, 1, height, W).

    For any N and W; height -1 is for any height as well.
    """
    ov, example = import_openvino(), torch.zeros(1, 1, 32 if height < 0 else height, 64)
    model = deepcopy(model).eval().to("cpu")
    # Tracing warns that it might have fixed batch and width; the tests see that it does not.
    with warnings.catch_warnings(action="ignore", category=torch.jit.TracerWarning):
        return ov.convert_model(model, example_input=example, input=[-1, 1, height, -1])


def _compiled(ir: Any, dtype: torch.dtype) -> Backend:
    ov = import_openvino()
    hint = ov.Type.bf16 if dtype is torch.bfloat16 else ov.Type.f32
    settings = {
        # Left to itself OpenVINO takes bfloat16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = ov.Core().compile_model(ir, "CPU", settings)
    if compiled.get_property("INFERENCE_PRECISION_HINT") != hint:
        raise MissingPartError(
            "this processor does not compute in bfloat16, and OpenVINO would take float32 in its "
            "stead; choose the precision 'float32'"
        )
    return lambda images: compiled(images)[0]


BACKENDS: dict[str, Callable[[CRNN, torch.dtype], Backend]] = {
    "pytorch": in_pytorch,
    "ipex": _ipex,
    "openvino": lambda model, dtype: _compiled(to_ir(model, model.preprocessing.height), dtype),
}
# How a file is run, by its suffix; the first is the usual way.
FILES: dict[str, dict[str, Callable[[Path, torch.dtype], tuple[Backend, str | None]]]] = {
    ".xml": {"openvino": openvino_file},
    ".onnx": {"onnxruntime": _onnx_file},
    ".pt2": {"pytorch": _pt2_file, "inductor": partial(_pt2_file, compiled=True)},
}
