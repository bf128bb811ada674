from __future__ import annotations

from ocrkit.recognition.figures import with_figures


def test_letters_among_the_numbers_of_a_column_are_figures() -> None:
    column = ["8", "12", "I", "4.50", "II0.00", "3", "o"]
    assert with_figures(column) == ["8", "12", "1", "4.50", "110.00", "3", "0"]


def test_words_and_signs_of_a_column_of_numbers_stay() -> None:
    column = ["8", "12", "do.", "—", "9", "£3", "Il", "l.", "Total", "7", "40", "15"]
    assert with_figures(column) == column


def test_ordinals_pounds_and_shares_stay() -> None:
    column = ["7", "1o", "2", "45o", "1.o", "5 l.", "4", "9", "12", "4 o/o", "6"]
    assert with_figures(column) == column


def test_the_heading_of_a_column_stays() -> None:
    for heading in ("l.", "O", "I", "l", "II"):
        column = [heading, "12", "3", "8", "9", "7"]
        assert with_figures(column) == column


def test_roman_numbers_stay() -> None:
    for column in (
        ["I", "IV", "12", "3", "8", "9", "7"],
        ["I", "II", "1", "II"],
        ["7", "I", "3"],
        ["8", "I", "II", "4", "5", "6", "7"],
    ):
        assert with_figures(column) == column
