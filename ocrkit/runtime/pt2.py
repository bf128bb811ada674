"""Running the .pt2 file of Neural Compressor's INT8 network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.packages import quiet
from ocrkit.runtime.pytorch import Backend, torch_runner


def pt2_file(path: Path, dtype: torch.dtype, compiled: bool = False) -> tuple[Backend, str | None]:
    extra = {METADATA_KEY: ""}
    try:
        with quiet():
            # It registers the quantised operators, without which the file says nothing to torch.
            import torch.ao.quantization.quantize_pt2e  # noqa: F401

            program = torch.export.load(path, extra_files=extra).module()
    except Exception as error:  # torch raises half a dozen kinds for a file that is not its own
        raise CheckpointError(
            f"{path} cannot be read: {error}; run notebook 04_neural_compressor to make it"
        ) from error
    run = _inductor(program) if compiled else torch_runner(program, dtype)
    return run, extra[METADATA_KEY] or None


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
