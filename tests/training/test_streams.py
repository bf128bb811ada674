from __future__ import annotations

import signal
from dataclasses import dataclass
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import Crop
from ocrkit.training import streams
from ocrkit.training.batches import Batch
from ocrkit.training.streams import Stream, stream_batches

DIGITS = Alphabet("0123456789")


def blank(width: int, text: str) -> Crop:
    return Crop(np.full((32, width), 255, np.uint8), text)


@dataclass(frozen=True)
class Numbered:
    """Crops of four widths whose text is their number; can be sent to a process."""

    def __call__(self, index: int) -> Crop:
        return blank(32 * (2 + index % 4), str(index))


def same(a: Batch, b: Batch) -> bool:
    tensors = zip((a.images, a.targets, a.lengths), (b.images, b.targets, b.lengths), strict=True)
    return a.texts == b.texts and all(torch.equal(x, y) for x, y in tensors)


def some(stream: Stream, crops: int) -> list[Batch]:
    taken, batches = 0, []
    for batch in stream:
        batches.append(batch)
        taken += len(batch.texts)
        if taken >= crops:
            return batches
    raise AssertionError("the stream has an end")


def test_a_stream_begins_at_its_start_number():
    batches = some(Stream(Numbered(), DIGITS, Preprocessing(), 2048, start=5000), 512)
    numbers = sorted(int(text) for batch in batches for text in batch.texts)
    assert numbers == list(range(5000, 5512))


def test_workers_share_the_crops_of_one_stream(monkeypatch):
    stream = Stream(Numbered(), DIGITS, Preprocessing(), 2048, start=100)
    numbers = []
    for worker in range(3):
        info = SimpleNamespace(id=worker, num_workers=3)
        monkeypatch.setattr(streams, "get_worker_info", lambda info=info: info)
        monkeypatch.setattr(streams.cv2, "setNumThreads", lambda count: None)
        numbers += [int(text) for batch in some(stream, 512) for text in batch.texts]
    assert sorted(numbers) == list(range(100, 100 + 3 * 512))


def test_a_worker_process_makes_the_same_batches():
    stream = Stream(Numbered(), DIGITS, Preprocessing(), 4096)
    here = islice(stream_batches(stream, workers=0), 4)
    there = islice(stream_batches(stream, workers=1), 4)
    assert all(same(a, b) for a, b in zip(here, there, strict=True))


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="Windows has no SIGCHLD")
def test_workers_leave_no_signal_handler_behind():
    before = signal.getsignal(signal.SIGCHLD)
    batches = stream_batches(Stream(Numbered(), DIGITS, Preprocessing(), 4096), 1)
    assert signal.getsignal(signal.SIGCHLD) is before
    assert len(next(batches).texts) > 0


def test_no_signal_is_needed_that_only_some_systems_have(monkeypatch):
    monkeypatch.delattr(signal, "SIGCHLD", raising=False)
    monkeypatch.setattr(streams, "DataLoader", lambda stream, **_: stream)
    stream = Stream(Numbered(), DIGITS, Preprocessing(), 4096)
    assert same(next(stream_batches(stream, 1)), next(iter(stream)))
