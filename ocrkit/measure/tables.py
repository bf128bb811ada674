"""Tables of results.

A row is a frozen dataclass. `pandas.DataFrame(map(vars, rows))` makes a table of them, with a
column for each field; `medians` makes rows for JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ocrkit.measure.timing import Spread


@dataclass(frozen=True)
class Score:
    """A rate with its 95 % interval, where there is one; note: what else to say about it."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    note: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        """Name, value, and interval or note, as texts."""
        between = "{:.4f} to {:.4f}".format(*self.interval) if self.interval else self.note
        return self.name, f"{self.value:.4f}", between


def medians(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """The fields of each row, with the median of a Spread; fields that JSON lacks are left out."""
    return [
        {
            key: value.median if isinstance(value, Spread) else value
            for key, value in vars(row).items()
            if isinstance(value, str | int | float | None | Spread)
        }
        for row in rows
    ]
