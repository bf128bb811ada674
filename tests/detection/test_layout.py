from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.detection.layout import find_blocks
from ocrkit.document import Block


def box(x0: float, y0: float, x1: float, height: float = 20) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y0 + height), (x0, y0 + height)])


def blocks(*lines: tuple[np.ndarray, str]) -> list[Block]:
    return find_blocks([polygon for polygon, _ in lines], [text for _, text in lines])


def prose(y: float, x: float = 0) -> tuple[np.ndarray, str]:
    return box(x, y, 600), "and the rest of the sentence goes on"


def test_a_page_without_lines_has_no_blocks() -> None:
    assert find_blocks([], []) == []


def test_what_stands_on_one_baseline_is_a_row_and_all_rows_have_all_columns() -> None:
    (table,) = blocks(
        (box(0, 0, 200), "Tea"),
        (box(300, 0, 340), "2"),
        (box(400, 0, 440), "6"),
        (box(0, 40, 150), "Coffee"),
        (box(400, 40, 440), "3"),
        (box(0, 80, 180), "Sugar"),
        (box(300, 80, 340), "1"),
    )
    assert table == Block("table", (((0,), (1,), (2,)), ((3,), (), (4,)), ((5,), (6,), ())))


def test_a_line_of_a_table_that_has_no_neighbours_is_a_row_of_it() -> None:
    (table,) = blocks(
        (box(0, 0, 200), "Tea"),
        (box(400, 0, 440), "6"),
        (box(0, 30, 150), "in chests"),
        (box(0, 60, 180), "Sugar"),
        (box(400, 60, 440), "1"),
    )
    assert table.kind == "table"
    assert table.rows[1] == ((2,), ())


def test_pieces_of_one_line_of_text_are_one_cell() -> None:
    (block,) = blocks((box(0, 0, 300), "the first"), (box(306, 0, 600), "line"), prose(26))
    assert block == Block("paragraph", (((0, 1),), ((2,),)))


def test_an_indent_begins_a_paragraph() -> None:
    lines = [prose(26 * i, 40 if i in (0, 4) else 0) for i in range(8)]
    assert [block.lines for block in blocks(*lines)] == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_a_wider_space_begins_a_paragraph() -> None:
    lines = [prose(26 * i + 30 * (i > 3)) for i in range(8)]
    assert [block.lines for block in blocks(*lines)] == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_large_lines_and_lines_in_capitals_are_headings() -> None:
    found = blocks(
        (box(150, 0, 450, 40), "The Harbour Gazette"),
        *[prose(60 + 26 * i) for i in range(4)],
        (box(200, 168, 400), "MARKETS."),
        *[prose(196 + 26 * i) for i in range(4)],
    )
    assert [(block.kind, len(block.lines)) for block in found] == [
        ("heading", 1),
        ("paragraph", 4),
        ("heading", 1),
        ("paragraph", 4),
    ]


def test_a_number_by_itself_at_the_head_or_foot_is_a_page_number() -> None:
    found = blocks((box(280, 0, 320), "— 17 —"), *[prose(60 + 26 * i) for i in range(5)])
    assert [block.kind for block in found] == ["page number", "paragraph"]
    found = blocks(*[prose(26 * i) for i in range(5)], (box(280, 200, 320), "xiv"))
    assert [block.kind for block in found] == ["paragraph", "page number"]


def test_a_note_beside_the_text_is_a_margin_note() -> None:
    text = [prose(26 * i) for i in range(8)]
    found = blocks((box(-120, 52, -20, 18), "see the"), (box(-120, 76, -30, 18), "plate"), *text)
    assert [(block.kind, block.lines) for block in found][-1] == ("margin note", (0, 1))


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1000)] * 2, st.floats(1, 400), st.floats(1, 60)), max_size=20
    ),
    st.data(),
)
def test_every_line_is_in_one_place_and_rows_of_a_table_are_of_one_length(
    rectangles: list[tuple[float, float, float, float]], data: st.DataObject
) -> None:
    polygons = [box(x, y, x + width, height) for x, y, width, height in rectangles]
    texts = [data.draw(st.sampled_from(["12", "a b c", "WORD", "on it"])) for _ in polygons]
    found = find_blocks(polygons, texts)
    assert sorted(i for block in found for i in block.lines) == list(range(len(polygons)))
    for block in found:
        assert block.kind != "table" or len({len(row) for row in block.rows}) == 1
