"""Worker processes, so that the runtimes that are compared do not disturb each other.

The threads of a runtime that has just finished may still be spinning and slow down the next one.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from multiprocessing import get_context
from typing import Any, TypeVar

import torch

from ocrkit.runtime.packages import quiet

T = TypeVar("T")


@contextmanager
def worker_process(*makers: Callable[[], Any]) -> Iterator[Callable[..., Any]]:
    """Start a worker process; yields `call(maker, function, *arguments)`.

    `call` returns function(made, *arguments), computed in the worker, where `made` is what
    maker() returned there; each maker runs once. Makers, functions, arguments and results are
    pickled; an exception, also one of a maker, is raised by `call`. The `makers` start at once
    and in the background, so that several worker processes can get ready at the same time.
    """
    threads = torch.get_num_threads()
    # Forking a process in which torch has started threads may hang, so the worker is spawned.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn, torch.set_num_threads, (threads,)) as pool:

        def call(maker: Callable[[], Any], function: Callable[..., T], *arguments: Any) -> T:
            return pool.submit(_call_in_worker, pickle.dumps(maker), function, arguments).result()

        for maker in makers:
            pool.submit(_call_in_worker, pickle.dumps(maker), id, ())
        try:
            yield call
        finally:
            # End the worker at once: some runtimes take more than a second to shut down.
            pool.submit(os._exit, 0)


@contextmanager
def worker_processes(
    makers: Mapping[str, Callable[[], Any]],
) -> Iterator[dict[str, Callable[..., Any]]]:
    """Start worker processes; yields for each label `call(function, *arguments)`.

    `call` returns function(made, *arguments), as in `worker_process`. Labels end in a precision;
    those that are otherwise the same, such as "OpenVINO FP32" and "OpenVINO INT8", are of one
    runtime and share a process.
    """
    runtimes: dict[str, list[str]] = {}
    for label in makers:
        runtimes.setdefault(label.rsplit(" ", 1)[0], []).append(label)
    with ExitStack() as stack:
        calls: dict[str, Callable[..., Any]] = {}
        for labels in runtimes.values():
            call = stack.enter_context(worker_process(*(makers[label] for label in labels)))
            calls |= {label: partial(call, makers[label]) for label in labels}
        yield calls


def _call_in_worker(maker: bytes, function: Callable[..., T], arguments: Sequence[Any]) -> T:
    return function(_make_once(maker), *arguments)


@cache
def _make_once(maker: bytes) -> Any:
    with quiet():
        return pickle.loads(maker)()
