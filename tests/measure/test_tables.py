from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from ocrkit.measure.tables import medians
from ocrkit.measure.timing import Spread


@dataclass(frozen=True)
class Row:
    label: str
    ms: Spread
    mb: float
    percent: Spread | None
    evaluation: list[str]


ROW = Row("a", Spread((1.0, 3.0)), 2.5, None, ["read"])


def test_rows_for_json_have_medians_and_only_plain_values() -> None:
    rows = medians([ROW])
    assert json.loads(json.dumps(rows)) == [{"label": "a", "ms": 2.0, "mb": 2.5, "percent": None}]


def test_a_table_shows_a_spread_as_text() -> None:
    table = pd.DataFrame(map(vars, [ROW, ROW])).set_index("label")
    assert table["mb"].mean() == 2.5
    assert "2.00 (1.00-3.00)" in str(table)
