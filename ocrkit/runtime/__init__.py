"""Running networks: files of weights, what they say about themselves, and the runtimes.

A backend is a callable on arrays, and its caller cannot tell which runtime is behind it: a
recogniser's takes (N, 1, H, W) float32 and gives logits (T, N, C) float32, for any N and W.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

Backend = Callable[[np.ndarray], np.ndarray]
PRECISIONS = ("float32", "bfloat16")


def check_precision(precision: str) -> None:
    """Raises ValueError for a precision that is not among PRECISIONS."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")


def run_batches(backend: Backend, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The backend's output for each batch, in order.

    A backend with a method `run_batches` computes ahead: while the caller works on one output, the
    network is already busy with the next batches.
    """
    ahead = getattr(backend, "run_batches", None)
    return ahead(batches) if ahead else map(backend, batches)
