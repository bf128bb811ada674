"""Timings that can be compared.

The runs take turns, round after round, so that a slow moment of the machine affects all of them.
Medians can then be compared, and so can ratios within a round.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from timeit import timeit
from typing import Any, TypeVar

from ocrkit.progress import progress

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Spread:
    """The values of several rounds; as text the median and, in brackets, lowest and highest."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def map(self, function: Callable[[float], float]) -> Spread:
        """The spread of function(value), for example to change the unit."""
        return Spread(tuple(map(function, self.values)))

    def ratio(self, other: Spread) -> Spread:
        """This divided by the other, round by round."""
        return Spread(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def overlaps(self, other: Spread) -> bool:
        """Whether the ranges from lowest to highest overlap: no clear difference then."""
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
    """Seconds per call of each run; in every round each run is called once.

    Call each run once before: otherwise loading and compiling in the first call are counted.
    With a title, progress is shown.
    """
    timers = {key: partial(timeit, run, number=1) for key, run in runs.items()}
    return interleaved_timers(timers, rounds, title)


def interleaved_timers(
    timers: Mapping[K, Callable[[], float]], rounds: int, title: str = ""
) -> dict[K, Spread]:
    """Like `interleaved`, for functions that return the seconds they measured themselves."""
    turns = list(timers) * rounds
    seconds: dict[K, list[float]] = {key: [] for key in timers}
    for key in progress(turns, title, unit="turns") if title else turns:
        seconds[key].append(timers[key]())
    return {key: Spread(tuple(values)) for key, values in seconds.items()}


def mean_seconds(first: Any, function: Callable[..., object], *arguments: Any) -> float:
    """Mean seconds of function(first, *arguments), called again and again for 0.2 seconds.

    One call before these is not counted: threads may be asleep, and the caches filled by whatever
    ran before. Made to be called in a worker process, which supplies `first`.
    """
    function(first, *arguments)
    calls, seconds, start = 0, 0.0, perf_counter()
    while seconds < 0.2:
        function(first, *arguments)
        calls, seconds = calls + 1, perf_counter() - start
    return seconds / calls
