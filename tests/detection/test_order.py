from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.detection.order import crossings, find_regions, reading_order
from ocrkit.detection.rules import Rules
from ocrkit.synth.pages import PageGenerator


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


# --- columns

PROSE = "of the water and the bread that was bought"


def columns(
    counts: list[int], width: float = 300, gutter: float = 20, y: float = 100
) -> list[tuple[float, float, float, float]]:
    """Boxes of lines 20 px high in columns with so many lines each, column by column."""
    return [
        (x, y + 26 * i, x + width - 7 * (i % 3), y + 26 * i + 20)
        for x, count in zip(np.arange(len(counts)) * (width + gutter), counts, strict=True)
        for i in range(count)
    ]


def in_order(corners: list[tuple[float, float, float, float]], rules: Rules | None = None) -> bool:
    """Whether lines of running text that are given in reading order come back in it."""
    regions = find_regions(boxes_at(*corners), rules, [PROSE] * len(corners))
    return [i for region in regions for row in region.rows for i in row] == list(
        range(len(corners))
    )


@given(
    st.lists(st.integers(2, 14), min_size=1, max_size=4),
    st.floats(150, 500),
    st.floats(8, 60),
    st.booleans(),
    st.booleans(),
)
def test_columns_of_any_lengths_and_gutters_are_read_one_after_the_other(
    counts: list[int], width: float, gutter: float, headline: bool, footer: bool
) -> None:
    page = columns(counts, width, gutter)
    right = max(x for _, _, x, _ in page)
    low = max(y for *_, y in page)
    above = [(0.0, 20.0, right, 60.0)] if headline else []
    below = [(0.0, low + 30, right, low + 50)] if footer else []
    assert in_order([*above, *page, *below])


@pytest.mark.parametrize(
    "counts",
    [[11, 1], [1, 11], [11, 4, 7], [2, 2], [12, 12, 1], [7, 2, 7], [7, 1, 7], [9, 2, 5, 9]],
)
def test_a_short_column_is_still_a_column(counts: list[int]) -> None:
    assert in_order(columns(counts))


def test_columns_whose_lines_are_not_level_are_columns() -> None:
    left, right = columns([9, 0]), [(x, y + 13, a, b + 13) for x, y, a, b in columns([0, 9])]
    assert in_order([*left, *right])


def test_a_headline_over_one_column_does_not_part_it_from_its_text() -> None:
    headline = (320.0, 60.0, 600.0, 95.0)
    first, second = columns([9, 0], y=60), columns([0, 7], y=110)
    assert in_order([*first, headline, *second])


def test_a_headline_above_all_columns_is_read_first_wherever_it_stands() -> None:
    assert in_order([(340.0, 30.0, 600.0, 65.0), *columns([9, 5, 9])])


def test_a_rule_across_the_page_ends_its_columns() -> None:
    upper, lower = columns([4, 4]), columns([4, 4], y=220)
    rule = Rules(horizontal=np.array([[0.0, 212.0, 620.0, 215.0]]))
    assert in_order([*upper, *lower], rule)


def test_numbers_beside_running_text_are_read_in_its_rows() -> None:
    rows = [
        cell
        for i in range(6)
        for cell in ((0.0, 30.0 * i, 400.0, 30.0 * i + 20), (450.0, 30.0 * i, 520.0, 30.0 * i + 20))
    ]
    regions = find_regions(boxes_at(*rows), texts=[PROSE, "4 12"] * 6)
    assert [row for region in regions for row in region.rows] == [
        (i, i + 1) for i in range(0, 12, 2)
    ]


def test_a_note_in_the_margin_is_read_after_the_text_beside_it() -> None:
    text, note = columns([10], width=400, y=0), (-90.0, 60.0, -10.0, 78.0)
    boxes = boxes_at(note, *text)
    *_, last = find_regions(boxes, texts=["see page nine", *[PROSE] * 10])
    assert last.margin
    assert last.rows == ((0,),)


def test_a_turned_number_in_the_margin_is_a_note() -> None:
    text, note = columns([10], width=400, y=0), (-40.0, 60.0, -12.0, 200.0)
    *_, last = find_regions(boxes_at(note, *text), texts=["Anno 1743", *[PROSE] * 10])
    assert last.margin
    assert last.rows == ((0,),)


def wide_table(step: float, ends: list[tuple[float, float]]) -> list[np.ndarray]:
    """Two cells of words in each row, which end at these x."""
    return boxes_at(
        *(
            cell
            for i, (first, second) in enumerate(ends)
            for cell in (
                (0.0, step * i, first, step * i + 20),
                (420.0, step * i, second, step * i + 20),
            )
        )
    )


ENDS = [
    (130.0, 800.0),
    (380.0, 560.0),
    (200.0, 600.0),
    (150.0, 790.0),
    (390.0, 580.0),
    (160.0, 570.0),
]


def test_wide_cells_of_words_whose_rows_stand_apart_are_read_in_rows() -> None:
    texts = ["Mary Anne Hill", "housekeeper at Leeds"] * 6
    regions = find_regions(wide_table(30, ENDS), texts=texts)
    assert [row for region in regions for row in region.rows] == [
        (i, i + 1) for i in range(0, 12, 2)
    ]


def test_two_columns_of_running_text_that_are_level_are_columns() -> None:
    for step in (26, 40):
        regions = find_regions(wide_table(step, ENDS), texts=[PROSE] * 12)
        order = [i for region in regions for row in region.rows for i in row]
        assert order == [*range(0, 12, 2), *range(1, 12, 2)]


def test_a_line_across_two_columns_is_cut_where_those_above_and_below_it_begin() -> None:
    left = [(0.0, 0.0, 190.0, 20.0), (0.0, 52.0, 280.0, 72.0), (0.0, 78.0, 260.0, 98.0)]
    right = [(320.0, 0.0, 600.0, 20.0), (321.0, 52.0, 590.0, 72.0)]
    both = (0.0, 26.0, 600.0, 46.0)
    (found,) = crossings(boxes_at(both, *left, *right), Rules()).values()
    assert any(300 < x < 321 for x in found)
    # A headline above both columns is not cut.
    assert not crossings(boxes_at((0.0, -26.0, 600.0, -6.0), *left[:1], *right), Rules())


def test_skewed_columns_are_columns() -> None:
    turn = np.array([[1, 0.05], [-0.05, 1]])
    polygons = [polygon @ turn for polygon in boxes_at(*columns([9, 9, 4]))]
    regions = find_regions(polygons, texts=[PROSE] * 22)
    assert [i for region in regions for row in region.rows for i in row] == list(range(22))


@pytest.mark.parametrize("kind", ["newspaper", "book", "index", "letter"])
def test_made_pages_come_back_in_the_order_in_which_they_were_set(kind: str) -> None:
    kept = []
    for index in range(4):
        sheet = PageGenerator(seed=3, severity=0, kind=kind)(index)
        regions = find_regions(sheet.polygons, texts=sheet.texts)
        order = [i for region in regions for row in region.rows for i in row]
        assert sorted(order) == list(range(len(sheet.polygons)))
        kept += [b == a + 1 for a, b in pairwise(order)]
    # Titles that stand beside each other may be read in more than one order.
    assert np.mean(kept) > 0.95
