"""Tables of results.

A row is a frozen dataclass. `pandas.DataFrame(map(vars, rows))` makes a table of them, with a
column for each field; `medians` makes rows for JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ocrkit.measure.timing import Spread


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
