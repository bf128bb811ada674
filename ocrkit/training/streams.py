"""Endless streams of synthetic training batches, made in worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """Endless batches of synthetic lines, from crop number `start` on.

    make: gives crop number i. columns: pixel columns in a batch.
    """

    make: Callable[[int], Crop]
    alphabet: Alphabet
    preprocessing: Preprocessing
    columns: int
    start: int = 0

    def __iter__(self) -> Iterator[Batch]:
        crops = map(self.make, numbers_from(self.start))
        return bucketed(crops, self.alphabet, self.preprocessing, self.columns)


def numbers_from(start: int) -> Iterator[int]:
    """start, start + 1, ... without end; in one of n worker processes every n-th of them."""
    worker = get_worker_info()
    if worker is None:
        return count(start)
    cv2.setNumThreads(1)  # the other cores are for training
    return count(start + worker.id, worker.num_workers)


def stream_batches(stream: IterableDataset[T], workers: int = 1) -> Iterator[T]:
    """The batches of a stream, made ahead of time by `workers` processes; 0 makes them here."""
    if workers == 0:
        return iter(stream)
    # Spawned, not forked: after a fork, threads of OpenMP can hang.
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn",
        prefetch_factor=8,
    )
    with _child_signal_handler_kept():
        return iter(loader)


@contextmanager
def _child_signal_handler_kept() -> Iterator[None]:
    """Restore the handler of SIGCHLD, which a DataLoader replaces when its workers start.

    After OpenVINO 2026.4 has compiled a model, DataLoader's handler ends in a segmentation fault.
    DataLoader notices dead workers without it.
    """
    child_ended = getattr(signal, "SIGCHLD", None)  # Windows does not have this signal
    # Only the main thread can set a handler, and so it is in DataLoader.
    if child_ended is None or current_thread() is not main_thread():
        yield
        return
    handler = signal.getsignal(child_ended)
    try:
        yield
    finally:
        signal.signal(child_ended, handler)
