from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.document import BLOCK_KINDS, REASONS, Block, Box, Document, LeftOut, Line, Page, Word

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
    st.none() | st.text(),
)


@st.composite
def made_pages(draw: st.DrawFn) -> Page:
    found = tuple(draw(st.lists(lines, max_size=4)))
    numbers = draw(st.permutations(range(len(found))))
    cells = [tuple(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
    rows = tuple(((), cell) if draw(st.booleans()) else (cell,) for cell in cells)
    return Page(
        draw(st.integers(1, 9999)),
        draw(st.integers(1, 9999)),
        found,
        draw(st.integers(1, 99)),
        draw(st.dictionaries(st.sampled_from(["detect", "recognize", "other"]), st.floats(0, 1e3))),
        draw(st.none() | st.floats(1, 2400)),
        tuple(Block(draw(st.sampled_from(BLOCK_KINDS)), (row,)) for row in rows),
        tuple(draw(st.lists(st.builds(LeftOut, lines, st.sampled_from(REASONS)), max_size=2))),
        draw(st.booleans()),
    )


pages = made_pages()
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


def page_of(*texts: str, **fields: Any) -> Page:
    return Page(9, 9, tuple(map(line, texts)), **fields)


def test_what_stands_in_one_row_is_one_line_of_text_with_tabs_between_cells() -> None:
    table = Block("table", (((1,), (2, 3)), ((4,), ()), ((), (5,))))
    page = page_of(
        "Bill", "tea", "2", "½", "cake", "7", blocks=(Block("heading", (((0,),),)), table)
    )
    assert page.text == "Bill\ntea\t2 ½\ncake\n\t7"
    assert page.tables == ((("tea", "2 ½"), ("cake", ""), ("", "7")),)
    assert table.lines == (1, 2, 3, 4, 5)


def test_lines_of_no_block_are_still_in_the_text() -> None:
    assert page_of("a", "b", "c", blocks=(Block("paragraph", (((1,),),)),)).text == "b\na\nc"


def corrected(text: str, correction: str, *read: Word) -> Line:
    return replace(line(text, 0.4, *read), correction=correction)


def test_the_text_of_a_page_has_the_corrections_and_not_the_lines_without_text() -> None:
    found = (line("Bill"), corrected("cakc", "cake"), corrected("~;", ""), line("7"), line("x"))
    rows = (((1,), (3,)), ((2,), ()), ((4,), (0,)))
    page = Page(9, 9, found, blocks=(Block("table", rows),))
    assert page.text == "cake\t7\nx\tBill"
    assert page.tables == ((("cake", "7"), ("x", "Bill")),)
    assert [(left.line.text, left.reason) for left in page.corrected.left_out] == [
        ("~;", "no text")
    ]
    assert Document("x.tif", (page,)).text == page.text


def test_a_corrected_line_is_certain_and_its_words_stay_where_they_are() -> None:
    read = [Word("thc", 0.3, Box(0, 0, 3, 3)), Word("end", 0.9, Box(5, 0, 9, 3))]
    kept = corrected("thc end", "the end", *read).corrected
    assert [(w.text, w.confidence, w.box.x0) for w in kept.words] == [("the", 1, 0), ("end", 1, 5)]
    assert (kept.text, kept.confidence, kept.correction) == ("the end", 1, None)
    assert corrected("thc end", "then", *read).corrected.words == ()


def test_a_line_that_nobody_looked_at_stays_even_if_it_is_empty() -> None:
    page = page_of("", "a")
    assert page.corrected == page
    assert page.text == "\na"


@pytest.mark.parametrize("rows", [(((0,), (2,)),), (((0,),), ((0,),)), (((-1,),),)])
def test_blocks_that_do_not_fit_their_lines_are_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match="a block has line|in two places"):
        page_of("a", "b", blocks=(Block("paragraph", rows),))


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (("a hy-", "phen in it"), "a hyphen\nin it"),
        (("the re¬", "ſt"), "the reſt"),
        (("Kauf⸗", "mann und Zim=", "mer da"), "Kaufmann\nund Zimmer\nda"),
        (("Anglo-", "Saxon"), "Anglo-\nSaxon"),
        (("10-", "twelve"), "10-\ntwelve"),
        (("he said -", "nothing"), "he said -\nnothing"),
        (("the end-",), "the end-"),
    ],
)
def test_words_broken_at_the_end_of_a_line_are_joined_if_that_is_asked_for(
    rows: tuple[str, ...], text: str
) -> None:
    assert page_of(*rows, dehyphenate=True).text == text
    assert page_of(*rows).text == "\n".join(rows)


def test_a_pages_words_are_those_of_its_lines_in_order() -> None:
    a, b, c = (Word(text, 1.0, Box(0, 0, 1, 1)) for text in "abc")
    assert Page(9, 9, (line("a b", 1.0, a, b), line("c", 1.0, c))).words == (a, b, c)


def test_confidence_counts_every_character_alike() -> None:
    page = Page(9, 9, (line("ninechars", 0.9), line("x", 0.1), line("", 0.0)))
    assert page.confidence == pytest.approx((9 * 0.9 + 0.1) / 10)
    pages = Page(9, 9, (line("ninechars", 0.9),)), Page(9, 9, ()), Page(9, 9, (line("x", 0.1),))
    assert Document("x.tif", pages).confidence == pytest.approx((9 * 0.9 + 0.1) / 10)


def test_the_expected_error_rate_is_the_chance_of_a_character_to_be_wrong():
    page = Page(9, 9, (line("abc", 0.9), line("x", 0.5)))
    assert page.expected_cer == pytest.approx((3 * 0.1 + 0.5) / 4)
    assert Page(9, 9, ()).expected_cer is None
    assert Page(9, 9, (line("", 0.0),)).expected_cer is None


def test_what_has_no_text_has_no_confidence() -> None:
    assert Page(9, 9, ()).confidence == Page(9, 9, (line("", 1.0),)).confidence == 0
    assert Document("x.tif", ()).confidence == 0


def test_pages_that_took_different_times_are_equal() -> None:
    slow, quick = Page(9, 9, (), seconds={"detect": 2.0}), Page(9, 9, (), seconds={"detect": 0.1})
    assert slow == quick
    assert hash(slow) == hash(quick)
    assert slow != Page(9, 9, (), number=2)


# --- JSON


@given(documents)
def test_a_document_comes_back_from_json(document: Document) -> None:
    back = Document.from_json(json.dumps(document.to_dict(), allow_nan=False))
    assert back == Document.from_dict(document.to_dict()) == document
    assert [page.seconds for page in back.pages] == [page.seconds for page in document.pages]


def test_only_lines_that_were_looked_at_have_a_correction_in_json() -> None:
    page = Page(9, 9, (line("a"), corrected("b", ""), corrected("c", "d")))
    data = json.loads(json.dumps(Document("x.tif", (page,)).to_dict()))
    written = [entry.get("correction") for entry in data["pages"][0]["lines"]]
    assert written == [None, "", "d"]
    assert "correction" not in data["pages"][0]["lines"][0]


WORD = {"text": "a", "confidence": 0.5, "box": [0, 0, 4, 3]}
LINE = {
    "polygon": [[0, 0], [9, 0], [9, 3], [0, 3]],
    "text": "a b",
    "confidence": 1,
    "words": [WORD],
}
BLOCK = {"kind": "table", "rows": [[[0], []]]}
PAGE = {
    "number": 1,
    "width": 20,
    "height": 10,
    "seconds": {"detect": 0.1},
    "lines": [LINE],
    "blocks": [BLOCK],
    "left_out": [{**LINE, "reason": "low confidence"}],
    "dehyphenate": True,
}
DOCUMENT = {"source": "a.png", "pages": [PAGE], "a later version's key": None}
INFINITE = float("inf")


def changed(place: str, value: Any) -> dict[str, Any]:
    """The document with another value at a place such as "pages.0.width"."""
    document: Any = deepcopy(DOCUMENT)
    *parents, last = (int(key) if key.isdigit() else key for key in place.split("."))
    entry = document
    for key in parents:
        entry = entry[key]
    entry[last] = value
    return document


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("source", 5, "source must be a text, not 5"),
        ("pages", {}, "pages must be a list, not an object"),
        ("pages.0", "p" * 99, r"pages\[0\] must be an object, not 'p{40}\.\.\.'"),
        ("pages.0.number", 0, r"pages\[0\]\.number must be a whole number from 1, not 0"),
        ("pages.0.width", 1.5, "width must be a whole number from 1, not 1.5"),
        ("pages.0.width", 10**400, "width .*, not a very large number"),
        ("pages.0.height", True, "height must be a whole number from 1, not true"),
        ("pages.0.seconds", [], "seconds must be an object of numbers from 0, not this list"),
        ("pages.0.seconds", {"detect": INFINITE}, "seconds must be"),
        ("pages.0.lines.0.text", None, r"pages\[0\]\.lines\[0\]\.text must be a text, not null"),
        ("pages.0.lines.0.correction", 3, r"lines\[0\]\.correction must be a text, not 3"),
        ("pages.0.lines.0.confidence", 1.1, "confidence must be a number from 0 to 1, not 1.1"),
        ("pages.0.lines.0.confidence", float("nan"), "confidence .*, not NaN"),
        (
            "pages.0.lines.0.polygon",
            [[0, 0]] * 3,
            r"polygon must be a list of 4, 6, 8 \.\.\. points",
        ),
        ("pages.0.lines.0.polygon", [[0, 0]] * 5, "polygon must be"),
        ("pages.0.lines.0.polygon", "0000", "polygon must be"),
        ("pages.0.lines.0.polygon.2", [1], "polygon must be"),
        ("pages.0.lines.0.polygon.2", [1, 10**400], "polygon must be"),
        ("pages.0.lines.0.polygon.2", [1, INFINITE], "polygon must be"),
        ("pages.0.lines.0.words.0.box", [4, 0, 0, 3], r"words\[0\]\.box must be .* x0 <= x1"),
        ("pages.0.lines.0.words.0.box", [0, 0, 1], "box must be"),
        ("pages.0.blocks.0.kind", "poem", r"blocks\[0\]\.kind must be one of paragraph, .*'poem'"),
        ("pages.0.blocks.0.rows", [[0]], "rows must be a list of rows of cells of line numbers"),
        ("pages.0.blocks.0.rows", [[[True]]], "rows must be"),
        ("pages.0.blocks.0.rows", [[[1]]], r"pages\[0\]: a block has line 1, but the page has 1"),
        (
            "pages.0.left_out.0.reason",
            "dull",
            "reason must be one of low confidence, .*, not 'dull'",
        ),
        ("pages.0.left_out.0.text", 7, r"left_out\[0\]\.text must be a text, not 7"),
        ("pages.0.dehyphenate", 1, "dehyphenate must be true or false, not 1"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(place: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        Document.from_dict(changed(place, value))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["number", "width", "height", "seconds", "lines"])
def test_a_missing_entry_is_named(key: str) -> None:
    document = deepcopy(DOCUMENT)
    del document["pages"][0][key]
    with pytest.raises(ValueError, match=rf"pages\[0\]\.{key} is missing"):
        Document.from_dict(document)


def test_a_document_of_the_first_versions_is_loaded() -> None:
    document = deepcopy(DOCUMENT)
    for key in ("blocks", "left_out", "dehyphenate"):
        del document["pages"][0][key]
    (page,) = Document.from_dict(document).pages
    assert (page.blocks, page.left_out, page.text) == ((), (), "a b")


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"a":' * 100_000, b"\xff\xfe", "[1, 2]", "1" * 5000]
)
def test_what_is_not_a_document_in_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        Document.from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
places = st.sampled_from(
    ["source", "pages", "pages.0", "pages.0.lines", "pages.0.lines.0", "pages.0.seconds"]
    + [f"pages.0.{key}" for key in PAGE]
    + [f"pages.0.lines.0.{key}" for key in LINE]
    + [f"pages.0.lines.0.words.0.{key}" for key in WORD]
    + [f"pages.0.blocks.0.{key}" for key in BLOCK]
    + ["pages.0.blocks.0.rows.0.0", "pages.0.left_out.0", "pages.0.left_out.0.reason"]
)


@given(json_values)
def test_any_json_is_a_document_or_a_value_error(value: Any) -> None:
    try:
        Document.from_json(json.dumps(value))
    except ValueError as error:
        assert len(str(error).splitlines()) == 1


@given(places, json_values)
def test_any_value_in_a_document_is_taken_or_a_value_error(place: str, value: Any) -> None:
    try:
        document = Document.from_dict(changed(place, value))
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
        return
    again = Document.from_json(json.dumps(document.to_dict(), allow_nan=False))
    assert again == document


@given(st.binary())
def test_any_bytes_are_a_document_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Document.from_json(data)
