"""Seconds that can be compared.

What is compared takes turns, round after round, so that a noisy moment of the machine hits all
alike; medians then bear comparing, and so do ratios within a round.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from timeit import timeit
from typing import Any, TypeVar

import torch

from ocrkit.progress import progress
from ocrkit.runtime.packages import quiet

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Spread:
    """What several rounds gave; as text the median, and in brackets the lowest and the highest."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def map(self, function: Callable[[float], float]) -> Spread:
        return Spread(tuple(map(function, self.values)))

    def ratio(self, other: Spread) -> Spread:
        """This over the other, round by round."""
        return Spread(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def overlaps(self, other: Spread) -> bool:
        """Whether the ranges from lowest to highest do: then neither is surely the larger."""
        return min(self.values) <= max(other.values) and min(other.values) <= max(self.values)

    def __str__(self) -> str:
        places = sum(self.median < limit for limit in (100, 10, 0.1))
        low, middle, high = (
            f"{value:.{places}f}" for value in (min(self.values), self.median, max(self.values))
        )
        return f"{middle} ({low}-{high})"


def interleaved(
    runs: Mapping[K, Callable[[], object]], rounds: int = 5, title: str = ""
) -> dict[K, Spread]:
    """Seconds that each run takes, in rounds in which each has its turn.

    Call each once before: what a first call compiles or loads would be counted here. With a title
    the progress is shown.
    """
    return in_turns(
        {key: partial(timeit, run, number=1) for key, run in runs.items()}, rounds, title
    )


def in_turns(
    clocks: Mapping[K, Callable[[], float]], rounds: int, title: str = ""
) -> dict[K, Spread]:
    """The same, of runs that say themselves how long they took."""
    turns = list(clocks) * rounds
    seconds: dict[K, list[float]] = {key: [] for key in clocks}
    for key in progress(turns, title, unit="turns") if title else turns:
        seconds[key].append(clocks[key]())
    return {key: Spread(tuple(values)) for key, values in seconds.items()}


@contextmanager
def worker_process(*makes: Callable[[], Any]) -> Iterator[Callable[..., Any]]:
    """A process of its own for what `makes` make.

    The threads of a runtime that has just answered would be in the way of the next. What this gives
    is called with one of `makes`, a function, and arguments: there it calls the function with what
    was made, which is made once, and the arguments. All of them and what is returned go there and
    back by pickle; an error, in making too, is raised by the call. Making begins at once and is not
    waited for, so that several processes may get ready side by side.
    """
    threads = torch.get_num_threads()
    # Forking a process in which torch has started its threads may hang, so it is spawned.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn, torch.set_num_threads, (threads,)) as pool:

        def use(make: Callable[[], Any], function: Callable[..., T], *arguments: Any) -> T:
            return pool.submit(_call, pickle.dumps(make), function, arguments).result()

        for make in makes:
            pool.submit(_call, pickle.dumps(make), id, ())
        try:
            yield use
        finally:
            # Some runtimes take a second or more to end in good order, for nothing.
            pool.submit(os._exit, 0)


def _call(make: bytes, function: Callable[..., T], arguments: Sequence[Any]) -> T:
    return function(_made(make), *arguments)


@cache
def _made(make: bytes) -> Any:
    with quiet():
        return pickle.loads(make)()


def mean_seconds(made: Any, function: Callable[..., object], *arguments: Any) -> float:
    """What one call takes of a function that `worker_process` uses: the mean of as many as take 0.2 seconds.

    One call before them is not counted: threads may be asleep, and caches emptied by whoever had
    the turn before.
    """
    function(made, *arguments)
    calls, seconds, began = 0, 0.0, perf_counter()
    while seconds < 0.2:
        function(made, *arguments)
        calls, seconds = calls + 1, perf_counter() - began
    return seconds / calls


@contextmanager
def worker_processes(
    makers: Mapping[str, Callable[[], Any]],
) -> Iterator[dict[str, Callable[..., Any]]]:
    """What calls a function, for each label, with what its maker makes, as `timing.apart` does.

    Those of one runtime, the label without its precision, are in one process.
    """
    runtimes: dict[str, list[str]] = {}
    for label in makers:
        runtimes.setdefault(label.rsplit(" ", 1)[0], []).append(label)
    with ExitStack() as stack:
        uses: dict[str, Callable[..., Any]] = {}
        for labels in runtimes.values():
            use = stack.enter_context(worker_process(*(makers[label] for label in labels)))
            uses |= {label: partial(use, makers[label]) for label in labels}
        yield uses
