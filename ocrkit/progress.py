"""Progress of a loop: a bar for a person who is watching, a few plain lines for a log.

In a terminal and in an open notebook this is a tqdm bar. Papermill, nbconvert and log files would
store every redraw of a bar, so there it prints one line for each quarter of the loop instead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Collection[T], title: str, unit: str = "images") -> Iterator[T]:
    """Yield the items and show how many are done, units per second and the time left.

    A bar disappears when the loop ends; plain lines stay.
    """
    if sys.stderr.isatty():
        return iter(tqdm(items, title, leave=False, unit=f" {unit}"))
    # The Jupyter server sets this variable for open notebooks; papermill and nbconvert do not.
    if "JPY_SESSION_NAME" in os.environ:
        from tqdm.notebook import tqdm_notebook

        return iter(tqdm_notebook(items, title, leave=False, unit=f" {unit}"))
    return _plain_progress(items, title, unit)


def _plain_progress(items: Collection[T], title: str, unit: str) -> Iterator[T]:
    start, quarters_shown, total = time.monotonic(), 0, len(items)
    for done, item in enumerate(items, 1):
        yield item
        seconds = time.monotonic() - start
        # A loop of less than 10 seconds prints one line, at its end.
        if done == total or (seconds > 10 and done * 4 // total > quarters_shown):
            quarters_shown = done * 4 // total
            each = max(seconds, 1e-9) / done
            rate = f"{1 / each:.0f} a second" if each < 0.5 else f"{each:.1f} s each"
            end = f"{each * (total - done):.0f} s left" if done < total else f"{seconds:.1f} s"
            print(f"{title}: {done} of {total} {unit}, {rate}, {end}")


class Meter:
    """Progress of long work whose total may change while it runs.

    A bar in a terminal and an open notebook; in a log a line at once, after 10 seconds, and then
    less and less often, on standard error.
    """

    def __init__(self, title: str, unit: str, total: int) -> None:
        self.title, self.unit, self.total, self.done = title, unit, total, 0
        self.start = time.monotonic()
        self.next_line = 10.0
        self.bar = self._bar()
        if self.bar is None and total:
            self._print()

    def update(self, done: int, total: int) -> None:
        """`done` of `total` units are done now."""
        self.done, self.total = done, total
        if self.bar is not None:
            self.bar.n, self.bar.total = done, total
            self.bar.set_postfix_str(self.rate, refresh=False)
            self.bar.update(0)
        elif time.monotonic() - self.start > self.next_line:
            self.next_line = min(2 * self.next_line, self.next_line + 300)
            self._print()

    def close(self) -> None:
        """Remove the bar; lines of a log stay."""
        if self.bar is not None:
            self.bar.close()

    @property
    def rate(self) -> str:
        """Units per minute so far, as a text; empty before the first unit."""
        minutes = max(time.monotonic() - self.start, 1e-9) / 60
        return f"{self.done / minutes:.0f} {self.unit} a minute" if self.done else ""

    def _print(self) -> None:
        parts = [f"{self.title}: {self.done} of {self.total} {self.unit}"]
        if self.done:
            left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
            parts += [self.rate, f"{_duration(left)} left"]
        print(", ".join(parts), file=sys.stderr, flush=True)

    def _bar(self) -> tqdm | None:
        numbers = "{n_fmt} of {total_fmt} |{bar}| {elapsed}, {remaining} left{postfix}"
        style = {"bar_format": f"{{desc}}: {numbers}", "leave": False, "mininterval": 0.2}
        if sys.stderr.isatty():
            return tqdm(total=self.total, desc=self.title, **style)
        if "JPY_SESSION_NAME" in os.environ:
            from tqdm.notebook import tqdm_notebook

            return tqdm_notebook(total=self.total, desc=self.title, **style)
        return None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
