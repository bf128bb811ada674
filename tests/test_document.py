from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.document import Box, Document, Line, Page, Word

lengths = st.floats(-1e4, 1e4)
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    lengths,
    lengths,
    st.floats(0, 1e4),
    st.floats(0, 1e4),
)
shares = st.floats(0, 1)
words = st.builds(Word, st.text(), shares, boxes)
lines = st.builds(
    Line,
    st.lists(st.tuples(lengths, lengths), min_size=4, max_size=4).map(tuple),
    st.text(),
    shares,
    st.lists(words, max_size=3).map(tuple),
)
pages = st.builds(
    Page,
    st.integers(1, 9999),
    st.integers(1, 9999),
    st.lists(lines, max_size=3).map(tuple),
    st.integers(1, 99),
    st.dictionaries(st.sampled_from(["detect", "recognize", "other"]), st.floats(0, 1e3)),
)
documents = st.builds(Document, st.text(), st.lists(pages, max_size=3).map(tuple))


def line(text: str, confidence: float = 1.0, *read: Word) -> Line:
    return Line(((0, 0), (9, 0), (9, 3), (0, 3)), text, confidence, read)


@given(st.lists(st.tuples(lengths, lengths), min_size=1))
def test_the_box_around_points_is_the_smallest_that_holds_them(points) -> None:
    box = Box.around(points)
    assert all(box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 for x, y in points)
    assert {box.x0, box.x1} <= {x for x, _ in points}
    assert {box.y0, box.y1} <= {y for _, y in points}


def test_the_box_around_an_array_is_of_plain_floats() -> None:
    box = Box.around(np.array([[1, 5], [3, 2]], np.float32))
    assert box == Box(1, 2, 3, 5)
    assert type(box.x0) is float


def test_the_box_of_a_tilted_line_holds_all_its_corners() -> None:
    tilted = Line(((10, 0), (110, 20), (108, 40), (8, 20)), "tilted", 1.0)
    assert tilted.box == Box(8, 0, 110, 40)


def test_a_pages_text_is_its_lines_and_a_documents_its_pages() -> None:
    first, second = Page(9, 9, (line("a b"), line("c"))), Page(9, 9, (line("d"),), 2)
    assert first.text == "a b\nc"
    assert Document("x.tif", (first, second)).text == "a b\nc\fd"
    assert Document("x.tif", ()).text == Page(9, 9, ()).text == ""


def test_a_pages_words_are_those_of_its_lines_in_order() -> None:
    a, b, c = (Word(text, 1.0, Box(0, 0, 1, 1)) for text in "abc")
    assert Page(9, 9, (line("a b", 1.0, a, b), line("c", 1.0, c))).words == (a, b, c)


def test_confidence_counts_every_character_alike() -> None:
    page = Page(9, 9, (line("ninechars", 0.9), line("x", 0.1), line("", 0.0)))
    assert page.confidence == pytest.approx((9 * 0.9 + 0.1) / 10)
    pages = Page(9, 9, (line("ninechars", 0.9),)), Page(9, 9, ()), Page(9, 9, (line("x", 0.1),))
    assert Document("x.tif", pages).confidence == pytest.approx((9 * 0.9 + 0.1) / 10)


def test_what_has_no_text_has_no_confidence() -> None:
    assert Page(9, 9, ()).confidence == Page(9, 9, (line("", 1.0),)).confidence == 0
    assert Document("x.tif", ()).confidence == 0


def test_pages_that_took_different_times_are_equal() -> None:
    slow, quick = Page(9, 9, (), seconds={"detect": 2.0}), Page(9, 9, (), seconds={"detect": 0.1})
    assert slow == quick
    assert hash(slow) == hash(quick)
    assert slow != Page(9, 9, (), number=2)


@given(documents)
def test_a_document_comes_back_from_json(document: Document) -> None:
    back = Document.from_dict(json.loads(json.dumps(document.to_dict(), allow_nan=False)))
    assert back == document
    assert [page.seconds for page in back.pages] == [page.seconds for page in document.pages]
