"""Running a network with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    pass

Backend = Callable[[np.ndarray], np.ndarray]
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def torch_dtype(precision: str) -> torch.dtype:
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def in_pytorch(model: nn.Module, dtype: torch.dtype) -> Backend:
    """A network, in eval mode, as a callable on arrays."""
    # Convolutions on CPUs run faster when the channels of a pixel lie side by side.
    return torch_runner(model.to(memory_format=torch.channels_last), dtype)  # type: ignore[call-overload]


def torch_runner(model: nn.Module, dtype: torch.dtype) -> Backend:
    def run(images: np.ndarray) -> np.ndarray:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16),
        ):
            strips = torch.from_numpy(images).to(memory_format=torch.channels_last)
            return model(strips).float().numpy()

    return run


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively (elsewhere it is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
