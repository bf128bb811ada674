"""How far a loop is: a bar where somebody watches, a few plain lines where nobody does.

In a terminal and in a notebook that a person runs it is tqdm's bar. Papermill, nbconvert and log
files would keep every redrawing of a bar, so there it is one line for each quarter.
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
    """The items, with so many units a second and the time left shown on the way.

    The bar is gone when the loop is; plain lines stay.
    """
    if sys.stderr.isatty():
        return iter(tqdm(items, title, leave=False, unit=f" {unit}"))
    # Jupyter's server sets it for the kernels of open notebooks; papermill and nbconvert do not.
    if "JPY_SESSION_NAME" in os.environ:
        from tqdm.notebook import tqdm_notebook

        return iter(tqdm_notebook(items, title, leave=False, unit=f" {unit}"))
    return _plain(items, title, unit)


def _plain(items: Collection[T], title: str, unit: str) -> Iterator[T]:
    start, told, total = time.monotonic(), 0, len(items)
    for done, item in enumerate(items, 1):
        yield item
        seconds = time.monotonic() - start
        # Short loops are told of once, when they are over.
        if done == total or (seconds > 10 and done * 4 // total > told):
            told = done * 4 // total
            each = max(seconds, 1e-9) / done
            rate = f"{1 / each:.0f} a second" if each < 0.5 else f"{each:.1f} s each"
            end = f"{each * (total - done):.0f} s left" if done < total else f"{seconds:.1f} s"
            print(f"{title}: {done} of {total} {unit}, {rate}, {end}")
