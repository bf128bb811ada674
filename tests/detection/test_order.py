from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.detection.order import reading_order


def boxes_at(*corners: tuple[float, float, float, float]) -> list[np.ndarray]:
    return [np.array([(a, b), (c, b), (c, d), (a, d)]) for a, b, c, d in corners]


def test_the_order_of_nothing_is_empty() -> None:
    assert reading_order([]) == []


def test_three_columns_under_a_title_and_over_a_footer() -> None:
    title, footer = (100, 0, 800, 20), (0, 400, 900, 420)
    columns = [(x, 40 + 25 * i, x + 280, 60 + 25 * i) for x in (0, 310, 620) for i in range(9)]
    polygons = boxes_at(title, *columns, footer)
    assert reading_order(polygons) == list(range(len(polygons)))
    assert reading_order(polygons[::-1]) == list(range(len(polygons)))[::-1]


def test_short_cells_are_rows_even_where_a_gutter_runs_down_the_page() -> None:
    rows = [
        cell
        for i in range(8)
        for cell in ((0, 30 * i, 250, 30 * i + 20), (400, 30 * i + 3, 460, 30 * i + 23))
    ]
    assert reading_order(boxes_at(*rows)) == list(range(16))


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1000)] * 2, st.floats(1, 400), st.floats(1, 60)), max_size=25
    ),
    st.floats(0.2, 5),
)
def test_the_order_holds_every_line_once_at_any_scale(
    rectangles: list[tuple[float, float, float, float]], scale: float
) -> None:
    polygons = boxes_at(*((x, y, x + w, y + h) for x, y, w, h in rectangles))
    order = reading_order([scale * polygon for polygon in polygons])
    assert sorted(order) == list(range(len(polygons)))


@given(st.integers(1, 6), st.integers(1, 4), st.floats(0.5, 50))
def test_a_grid_of_cells_is_read_in_rows_at_any_scale(
    rows: int, columns: int, scale: float
) -> None:
    cells = [
        (x * 90, y * 30, x * 90 + 60, y * 30 + 20) for y in range(rows) for x in range(columns)
    ]
    polygons = [scale * polygon for polygon in boxes_at(*cells)]
    assert reading_order(polygons) == list(range(len(cells)))
