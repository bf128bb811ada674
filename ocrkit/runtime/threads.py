"""How many threads a network may use."""

from __future__ import annotations

import os

from ocrkit.processor import usable_cores

VARIABLE = "OMP_NUM_THREADS"  # also read by PyTorch when it is imported


def thread_count() -> int:
    """One thread for each core that this process may use, or fewer if OMP_NUM_THREADS says so."""
    limit = os.environ.get(VARIABLE, "")
    return min(usable_cores(), max(1, int(limit))) if limit.isdecimal() else usable_cores()


def limit_threads(count: int) -> None:
    """Let the networks that are loaded from now on, and OpenCV, use `count` threads at most."""
    import cv2

    os.environ[VARIABLE] = str(count)
    cv2.setNumThreads(count)
