from __future__ import annotations

import re

import pytest

from ocrkit.measure.diff import diff


def test_missed_words_are_struck_out_and_false_words_underlined() -> None:
    marked = diff("the quick brown fox", "the quiet brown fox too")
    plain = re.sub(r" style='[^']*'", "", marked)
    assert plain == "<p>the <del>quick</del> <ins>quiet</ins> brown fox <ins>too</ins></p>"
    for tag, decoration in (("del", "line-through"), ("ins", "underline")):
        style = re.search(rf"<{tag} style='([^']*)'", marked)
        assert style and decoration in style[1] and "background:" in style[1]


def test_markup_in_a_text_is_escaped() -> None:
    marked = diff("a <b> & c", "a <script> & c")
    assert "&lt;b&gt;" in marked and "&lt;script&gt;" in marked and "&amp; c" in marked
    assert "<b>" not in marked and "<script>" not in marked


@pytest.mark.parametrize(
    ("truth", "reading", "shown"),
    [
        ("1 2 3 4 5 6 x", "1 2 3 4 5 6 y", "… 5 6 <del>x</del> <ins>y</ins>"),
        ("x 1 2 3 4 5 6", "y 1 2 3 4 5 6", "<del>x</del> <ins>y</ins> 1 2 …"),
        ("x 1 2 3 4 5 x", "1 2 3 4 5", "<del>x</del> 1 2 … 4 5 <del>x</del>"),
        ("x 1 2 3 4 x", "1 2 3 4", "<del>x</del> 1 2 3 4 <del>x</del>"),
        ("1 2 3 4", "1 2 3 4", "…"),
    ],
)
def test_only_a_few_correct_words_are_shown_beside_an_error(
    truth: str, reading: str, shown: str
) -> None:
    assert re.sub(r" style='[^']*'", "", diff(truth, reading, context=2)) == f"<p>{shown}</p>"
