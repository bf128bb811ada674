from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.plain import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Blatt 1, é, 漢.tif", "Blatt 1, é, 漢.tif"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u2028\u202e", "\\u2028\\u202e"),
        (os.fsdecode(b"m\xe9"), "m\\udce9"),
    ],
)
def test_what_would_end_a_line_or_change_the_screen_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text() | st.binary().map(os.fsdecode))
def test_the_result_is_one_line_that_can_be_encoded(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1
    one_line(text).encode()
