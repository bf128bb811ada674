"""Running a network with PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ocrkit.runtime import Backend, check_precision

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def in_pytorch(model: nn.Module, precision: str = "float32") -> Backend:
    """A network, in eval mode, as a callable on arrays."""
    # Convolutions on CPUs run faster when the channels of a pixel lie side by side.
    return module_backend(model.to(memory_format=torch.channels_last), precision)  # type: ignore[call-overload]


def module_backend(module: nn.Module, precision: str = "float32") -> Backend:
    """Any torch module as a callable on arrays."""
    check_precision(precision)
    half = precision == "bfloat16"

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            strips = torch.from_numpy(images).to(memory_format=torch.channels_last)
            return module(strips).float().numpy()

    return run


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively (elsewhere it is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
