"""Endless streams of synthetic training batches, made by worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from threading import current_thread, main_thread
from typing import TypeVar

import cv2
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import Crop
from ocrkit.training.batches import Batch, bucketed

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Stream(IterableDataset[Batch]):
    """Batches without end, from crop `start` on."""

    make: Callable[[int], Crop]
    alphabet: Alphabet
    preprocessing: Preprocessing
    columns: int
    start: int = 0

    def __iter__(self) -> Iterator[Batch]:
        crops = map(self.make, numbers_from(self.start))
        return bucketed(crops, self.alphabet, self.preprocessing, self.columns)


def numbers_from(start: int) -> Iterator[int]:
    """Numbers without end; of n workers each takes every n-th."""
    worker = get_worker_info()
    if worker is None:
        return count(start)
    cv2.setNumThreads(1)  # the other cores belong to training
    return count(start + worker.id, worker.num_workers)


def stream_batches(stream: IterableDataset[T], workers: int = 1) -> Iterator[T]:
    """Batches made by `workers` processes ahead of time; 0 makes them here."""
    if workers == 0:
        return iter(stream)
    # Spawned, not forked: forking a process that has used OpenMP can leave its threads hung.
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn",
        prefetch_factor=8,
    )
    # torch leaves a handler for the end of any child behind, and in a process that has compiled an
    # OpenVINO model a child's end then is a segmentation fault (OpenVINO 2026.4). Dead workers are
    # noticed without it.
    handler = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    if current_thread() is main_thread():  # no other may set one, and nor does torch there
        signal.signal(signal.SIGCHLD, handler)
    return batches
