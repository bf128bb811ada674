"""Running a network with Intel Extension for PyTorch (IPEX)."""

from __future__ import annotations

from typing import Any

import torch

from ocrkit.errors import MissingPartError
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.pytorch import Backend, torch_runner


def in_ipex(model: CRNN, dtype: torch.dtype) -> Backend:
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return torch_runner(ipex_optimized(model, dtype, "the backend 'pytorch'", inplace=True), dtype)


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
