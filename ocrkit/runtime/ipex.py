"""Running a network with Intel Extension for PyTorch (IPEX)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ocrkit.errors import MissingPartError
from ocrkit.runtime import Backend
from ocrkit.runtime.packages import quiet
from ocrkit.runtime.pytorch import DTYPES, module_backend


def in_ipex(model: nn.Module, precision: str = "float32") -> Backend:
    """A network, in eval mode, optimised by IPEX, as a callable on arrays."""
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimized = ipex_optimized(model, DTYPES[precision], "the backend 'pytorch'", inplace=True)
    return module_backend(optimized, precision)


def ipex_optimized(model: nn.Module, dtype: torch.dtype, instead: str, **options: Any) -> Any:
    """The result of `ipex.optimize`; MissingPartError, which names an alternative, if it fails."""
    try:
        with quiet():
            import intel_extension_for_pytorch as ipex
    except (ImportError, OSError, SystemExit, AttributeError) as error:
        # While it is imported IPEX checks torch's version (and fails on its own os.exit, an
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
