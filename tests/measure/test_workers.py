from __future__ import annotations

import os
from functools import partial

import psutil
import pytest

from ocrkit.errors import OcrkitError
from ocrkit.measure.timing import mean_seconds
from ocrkit.measure.workers import worker_process, worker_processes
from ocrkit.recognition.recognizer import Recognizer


def test_a_worker_makes_each_object_once_in_its_own_process() -> None:
    letters, process = partial(list, "ab"), os.getpid
    with worker_process(letters, partial(int, "7")) as call:
        assert call(letters, list.append, "c") is None
        assert call(letters, len) == 3
        assert call(partial(int, "7"), pow, 2) == 49
        assert call(process, int) == call(process, abs) != os.getpid()
        assert 0 < call(letters, mean_seconds, list.append, "d") < 0.01  # the mean of many calls
        assert call(letters, len) > 20


def test_an_error_of_a_maker_is_raised_by_the_call() -> None:
    make = partial(Recognizer.load, "none-such")
    with (
        pytest.raises(OcrkitError, match="none-such"),
        worker_process(make, dict) as call,
    ):
        assert call(dict, len) == 0  # the other objects can still be used
        call(make, len)


def test_the_worker_process_ends_with_the_block() -> None:
    with worker_process() as call:
        process = psutil.Process(call(os.getpid, int))
        assert process.is_running()
    assert not process.is_running()


def test_labels_of_one_runtime_share_a_process() -> None:
    makers = {"A FP32": os.getpid, "A INT8": os.getpid, "B FP32": os.getpid}
    with worker_processes(makers) as calls:
        first, second, other = (calls[label](int) for label in makers)
    assert first == second != other
