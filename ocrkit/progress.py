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
