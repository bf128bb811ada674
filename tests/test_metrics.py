from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.metrics import (
    accuracy,
    bootstrap_cer,
    bootstrap_change,
    cer,
    interval,
    line_f1,
    wer,
    word_f1,
)

pairs = st.lists(st.tuples(st.text("abc ", max_size=6), st.text("abc ", max_size=6)), min_size=1)


def levenshtein(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def test_accuracy_is_the_share_of_readings_that_are_exactly_right() -> None:
    assert accuracy(["a", "b", "c", "D"], ["a", "b", "x", "d"]) == 0.5
    assert accuracy([], []) == 0


def test_cer_is_edits_per_character_of_all_lines_together() -> None:
    # one substitution and one insertion, in 4 + 1 characters; the mean of the lines would be 0.625
    assert cer(["abcd", "e"], ["abxd", "ef"]) == pytest.approx(2 / 5)


def test_cer_counts_spaces_and_case() -> None:
    assert cer(["ab"], ["a b"]) == cer(["ab"], [" ab"]) == cer(["ab"], ["Ab"]) == 0.5


@given(pairs)
def test_cer_is_that_of_the_levenshtein_distance(lines) -> None:
    truths, readings = zip(*lines, strict=True)
    edits = sum(levenshtein(t, r) for t, r in lines)
    assert cer(truths, readings) == pytest.approx(edits / max(sum(map(len, truths)), 1))


def test_wer_is_edits_per_word_however_the_words_are_spaced() -> None:
    assert wer(["a b", "c  d\ne"], ["a x", "c d e"]) == pytest.approx(1 / 5)


def test_an_empty_truth_adds_errors_but_no_length() -> None:
    assert cer(["", "abcd"], ["x", "abcd"]) == 0.25
    assert wer(["", "a b"], ["x", "a b"]) == 0.5


def test_where_all_truths_are_empty_each_insertion_is_a_whole_error() -> None:
    assert cer(["", ""], ["", ""]) == wer([""], [""]) == 0
    assert cer(["", ""], ["ab", "c"]) == 3
    assert wer([""], ["ab c"]) == 2


def test_no_lines_have_no_errors() -> None:
    assert cer([], []) == wer([], []) == 0
    assert bootstrap_cer([], []) == (0, 0)


def test_an_accent_is_the_same_whether_composed_or_not() -> None:
    composed, apart = "é", "e\u0301"
    assert accuracy([composed], [apart]) == 1
    assert cer([apart], [composed]) == wer([apart], [composed]) == 0
    assert word_f1(apart, composed) == (1, 1, 1)


@pytest.mark.parametrize("rate", [accuracy, cer, wer, bootstrap_cer])
def test_truths_and_readings_must_go_together(rate) -> None:
    with pytest.raises(ValueError, match="shorter"):
        rate(["a", "b"], ["a"])


def test_interval_agrees_with_published_values() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


@given(st.integers(0, 50), st.integers(0, 50))
def test_interval_holds_the_share_and_mirrors_for_failures(a: int, b: int) -> None:
    low, high = interval(a, a + b)
    assert 0 <= low < high <= 1
    assert low - 1e-9 <= a / max(a + b, 1) <= high + 1e-9
    assert interval(b, a + b) == pytest.approx((1 - high, 1 - low))


def test_nothing_is_known_without_trials() -> None:
    assert interval(0, 0) == (0, 1)


@pytest.mark.parametrize("successes", [-1, 11])
def test_interval_refuses_successes_that_cannot_be(successes: int) -> None:
    with pytest.raises(ValueError, match="between 0 and n = 10"):
        interval(successes, 10)


def test_bootstrap_interval_holds_the_cer_and_repeats() -> None:
    truths = [letter * (3 + i) for i, letter in enumerate("abcdefghij" * 5)]
    readings = [truth[: len(truth) - i % 5] for i, truth in enumerate(truths)]
    low, high = bootstrap_cer(truths, readings)
    assert 0 < low < cer(truths, readings) < high < 0.2
    assert bootstrap_cer(truths, readings) == (low, high)


def test_bootstrap_interval_of_perfect_readings_is_zero() -> None:
    assert bootstrap_cer(["ab", "c"], ["ab", "c"]) == (0, 0)


def test_a_change_on_the_same_lines_is_firmer_than_the_intervals_of_both() -> None:
    truths = [letter * 5 for letter in "abcdefghij" * 10]
    before = [truth[: 5 - i % 6] for i, truth in enumerate(truths)]
    after = [truth[: 5 - i % 6 + (i % 6 > 4)] for i, truth in enumerate(truths)]
    low, high = bootstrap_change(truths, before, after)
    assert low < cer(truths, after) - cer(truths, before) < high < 0
    assert bootstrap_cer(truths, after)[1] > bootstrap_cer(truths, before)[0]
    assert bootstrap_change(truths, after, before) == pytest.approx((-high, -low))


def test_a_change_of_nothing_is_none() -> None:
    assert bootstrap_change(["ab", "c"], ["a", "c"], ["a", "c"]) == (0, 0)
    assert bootstrap_change([], [], []) == (0, 0)
    with pytest.raises(ValueError, match="shorter"):
        bootstrap_change(["a", "b"], ["a", "b"], ["a"])


def test_word_f1_counts_words_whatever_their_order_and_case() -> None:
    # of the 3 words read 2 are right; of the 4 true ones 2 are found, the second "c" is not
    precision, recall, f1 = word_f1("Ab c c d", "C aB\nx")
    assert (precision, recall) == pytest.approx((2 / 3, 2 / 4))
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_word_f1_where_a_side_has_no_words() -> None:
    assert word_f1("", " \n") == (1, 1, 1)
    assert word_f1("a", "") == (1, 0, 0)
    assert word_f1("", "a") == (0, 1, 0)


def square(x: float, y: float, side: float = 10) -> np.ndarray:
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])


def test_line_f1_counts_lines_that_share_half_of_what_either_covers() -> None:
    # Moved by 3 of 10 px a square shares 70 of 130 px with itself, moved by 4 px 60 of 140.
    truths = [[square(0, 0), square(50, 0)], [square(0, 0)]]
    found = [[square(3, 0), square(54, 0)], []]
    assert line_f1(truths, found) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert line_f1(truths, found, iou=0.4) == pytest.approx((1, 2 / 3, 4 / 5))


def test_line_f1_finds_a_line_but_once() -> None:
    assert line_f1([[square(0, 0)]], [[square(0, 0), square(1, 0)]]) == pytest.approx(
        (1 / 2, 1, 2 / 3)
    )


def test_line_f1_of_pages_without_lines() -> None:
    assert line_f1([[]], [[]]) == (1, 1, 1)
    assert line_f1([[]], [[square(0, 0)]]) == (0, 1, 0)
    assert line_f1([[square(0, 0)]], [[]]) == (1, 0, 0)
