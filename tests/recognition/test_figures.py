from __future__ import annotations

from ocrkit.recognition.figures import with_figures


def test_letters_among_the_numbers_of_a_column_are_figures() -> None:
    column = ["8", "12", "I", "4.50", "II0.00", "3", "o"]
    assert with_figures(column) == ["8", "12", "1", "4.50", "110.00", "3", "0"]


def test_words_and_signs_of_a_column_of_numbers_stay() -> None:
    column = ["8", "12", "do.", "—", "9", "£3", "Il", "Total"]
    assert with_figures(column) == ["8", "12", "do.", "—", "9", "£3", "11", "Total"]


def test_roman_numbers_stay() -> None:
    for column in (["I", "IV", "12", "3", "8", "9", "7"], ["I", "II", "1", "II"], ["7", "I", "3"]):
        assert with_figures(column) == column
