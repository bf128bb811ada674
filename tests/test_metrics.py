from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.metrics import (
    accuracy,
    bootstrap_cer,
    bootstrap_change,
    bootstrap_wer,
    cer,
    confusions,
    correct_characters,
    expected_calibration_error,
    interval,
    line_f1,
    order_accuracy,
    reliability,
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


def test_accuracy_is_the_share_of_predictions_equal_to_their_target() -> None:
    assert accuracy(["a", "b", "c", "D"], ["a", "b", "x", "d"]) == 0.5
    assert accuracy([], []) == 0


def test_cer_is_edits_per_character_of_all_lines_together() -> None:
    # one substitution and one insertion, in 4 + 1 characters; the mean of the lines would be 0.625
    assert cer(["abcd", "e"], ["abxd", "ef"]) == pytest.approx(2 / 5)


def test_cer_counts_spaces_and_case() -> None:
    assert cer(["ab"], ["a b"]) == cer(["ab"], [" ab"]) == cer(["ab"], ["Ab"]) == 0.5


@given(pairs)
def test_cer_is_that_of_the_levenshtein_distance(lines) -> None:
    targets, predictions = zip(*lines, strict=True)
    edits = sum(levenshtein(t, r) for t, r in lines)
    assert cer(targets, predictions) == pytest.approx(edits / max(sum(map(len, targets)), 1))


def test_wer_is_edits_per_word_and_ignores_the_kind_of_space() -> None:
    assert wer(["a b", "c  d\ne"], ["a x", "c d e"]) == pytest.approx(1 / 5)


def test_an_empty_target_adds_insertions_but_no_length() -> None:
    assert cer(["", "abcd"], ["x", "abcd"]) == 0.25
    assert wer(["", "a b"], ["x", "a b"]) == 0.5


def test_if_all_targets_are_empty_the_rate_is_the_number_of_insertions() -> None:
    assert cer(["", ""], ["", ""]) == wer([""], [""]) == 0
    assert cer(["", ""], ["ab", "c"]) == 3
    assert wer([""], ["ab c"]) == 2


def test_no_lines_have_no_errors() -> None:
    assert cer([], []) == wer([], []) == 0
    assert bootstrap_cer([], []) == (0, 0)


def test_composed_and_decomposed_accents_are_equal() -> None:
    composed, decomposed = "é", "e\u0301"
    assert accuracy([composed], [decomposed]) == 1
    assert cer([decomposed], [composed]) == wer([decomposed], [composed]) == 0
    assert word_f1(decomposed, composed) == (1, 1, 1)


@pytest.mark.parametrize("rate", [accuracy, cer, wer, bootstrap_cer])
def test_targets_and_predictions_must_be_equally_many(rate) -> None:
    with pytest.raises(ValueError, match="shorter"):
        rate(["a", "b"], ["a"])


def test_interval_agrees_with_published_values() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


@given(st.integers(0, 50), st.integers(0, 50))
def test_interval_contains_the_share_and_is_symmetric_for_failures(a: int, b: int) -> None:
    low, high = interval(a, a + b)
    assert 0 <= low < high <= 1
    assert low - 1e-9 <= a / max(a + b, 1) <= high + 1e-9
    assert interval(b, a + b) == pytest.approx((1 - high, 1 - low))


def test_the_interval_without_trials_is_everything() -> None:
    assert interval(0, 0) == (0, 1)


@pytest.mark.parametrize("successes", [-1, 11])
def test_interval_refuses_impossible_successes(successes: int) -> None:
    with pytest.raises(ValueError, match="between 0 and n = 10"):
        interval(successes, 10)


def test_bootstrap_interval_contains_the_cer_and_is_reproducible() -> None:
    targets = [letter * (3 + i) for i, letter in enumerate("abcdefghij" * 5)]
    predictions = [target[: len(target) - i % 5] for i, target in enumerate(targets)]
    low, high = bootstrap_cer(targets, predictions)
    assert 0 < low < cer(targets, predictions) < high < 0.2
    assert bootstrap_cer(targets, predictions) == (low, high)


def test_bootstrap_interval_of_perfect_predictions_is_zero() -> None:
    assert bootstrap_cer(["ab", "c"], ["ab", "c"]) == (0, 0)


def test_a_paired_interval_finds_a_change_that_two_separate_intervals_hide() -> None:
    targets = [letter * 5 for letter in "abcdefghij" * 10]
    before = [target[: 5 - i % 6] for i, target in enumerate(targets)]
    after = [target[: 5 - i % 6 + (i % 6 > 4)] for i, target in enumerate(targets)]
    low, high = bootstrap_change(targets, before, after)
    assert low < cer(targets, after) - cer(targets, before) < high < 0
    assert bootstrap_cer(targets, after)[1] > bootstrap_cer(targets, before)[0]
    assert bootstrap_change(targets, after, before) == pytest.approx((-high, -low))


def test_equal_predictions_have_no_change() -> None:
    assert bootstrap_change(["ab", "c"], ["a", "c"], ["a", "c"]) == (0, 0)
    assert bootstrap_change([], [], []) == (0, 0)
    with pytest.raises(ValueError, match="shorter"):
        bootstrap_change(["a", "b"], ["a", "b"], ["a"])


def test_word_f1_ignores_order_and_case() -> None:
    # of the 3 words read 2 are right; of the 4 true ones 2 are found, the second "c" is not
    precision, recall, f1 = word_f1("Ab c c d", "C aB\nx")
    assert (precision, recall) == pytest.approx((2 / 3, 2 / 4))
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_word_f1_without_words_on_one_side() -> None:
    assert word_f1("", " \n") == (1, 1, 1)
    assert word_f1("a", "") == (1, 0, 0)
    assert word_f1("", "a") == (0, 1, 0)


def square(x: float, y: float, side: float = 10) -> np.ndarray:
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])


def test_line_f1_counts_lines_with_enough_intersection_over_union() -> None:
    # Moved by 3 of 10 px a square shares 70 of 130 px with itself, moved by 4 px 60 of 140.
    targets = [[square(0, 0), square(50, 0)], [square(0, 0)]]
    found = [[square(3, 0), square(54, 0)], []]
    assert line_f1(targets, found) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert line_f1(targets, found, iou=0.4) == pytest.approx((1, 2 / 3, 4 / 5))


def test_line_f1_matches_a_line_only_once() -> None:
    assert line_f1([[square(0, 0)]], [[square(0, 0), square(1, 0)]]) == pytest.approx(
        (1 / 2, 1, 2 / 3)
    )


def test_line_f1_of_pages_without_lines() -> None:
    assert line_f1([[]], [[]]) == (1, 1, 1)
    assert line_f1([[]], [[square(0, 0)]]) == (0, 1, 0)
    assert line_f1([[square(0, 0)]], [[]]) == (1, 0, 0)


def test_line_f1_does_not_count_what_is_found_where_nothing_is_known() -> None:
    targets, ignored = [[square(0, 0)]], [[square(40, 0), square(80, 0)]]
    found = [[square(0, 0), square(44, 0), square(86, 0)]]  # 6 and 4 of 10 px are ignored
    assert line_f1(targets, found, ignored=ignored) == pytest.approx((1 / 2, 1, 2 / 3))
    # What is found at a target counts, also where nothing is known.
    assert line_f1(targets, [[square(1, 0)]], ignored=[[square(0, 0)]]) == (1, 1, 1)


# --- order


def test_order_accuracy_is_the_share_of_pairs_of_words_in_the_right_order() -> None:
    # Of a-b a-c a-d b-c b-d c-d only c-d is wrong; then two columns of two, read line by line.
    assert order_accuracy(["a", "b", "c", "d"], ["a", "b", "d", "c"]) == pytest.approx(5 / 6)
    assert order_accuracy(["a", "b", "c", "d"], ["a", "c", "b", "d"]) == pytest.approx(5 / 6)
    assert order_accuracy(["a", "b", "c"], ["c", "b", "a"]) == 0


def test_order_accuracy_leaves_out_words_that_are_lost_or_there_twice() -> None:
    assert order_accuracy(["the", "a", "the", "b", "x"], ["b", "y", "a", "the"]) == 0
    assert order_accuracy(["a", "lost"], ["a", "x"]) == 1
    assert order_accuracy([], []) == 1


# --- calibration


@pytest.mark.parametrize(
    ("target", "prediction", "right"),
    [
        ("mill", "mill", [True, True, True, True]),
        ("mill", "mitl", [True, True, False, True]),
        ("mill", "mxill", [True, False, True, True, True]),
        ("mill", "mil", [True, True, True]),
        ("", "ab", [False, False]),
        ("ab", "", []),
        ("é", "e\u0301", [True]),
        ("a b", "ab", [True, True]),
    ],
)
def test_right_characters_are_those_of_the_best_alignment(target, prediction, right):
    assert correct_characters(target, prediction) == right


def test_a_reliability_table_worked_out_by_hand():
    low, high = reliability([0.91, 0.95, 0.99, 0.2], [True, True, False, False])
    assert (low.low, low.high, low.count, low.confidence, low.accuracy) == (0.2, 0.3, 1, 0.2, 0.0)
    assert (high.low, high.high, high.count) == (0.9, 1.0, 3)
    assert high.confidence == pytest.approx(0.95) and high.accuracy == pytest.approx(2 / 3)
    error = expected_calibration_error([0.91, 0.95, 0.99, 0.2], [True, True, False, False])
    assert error == pytest.approx((1 * 0.2 + 3 * (0.95 - 2 / 3)) / 4)


def test_a_confidence_of_1_is_in_the_last_bin():
    (row,) = reliability([1.0, 1.0], [True, True])
    assert (row.low, row.high, row.count) == (0.9, 1.0, 2)
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0
    assert expected_calibration_error([], []) == 0


@pytest.mark.parametrize("confidences", [[1.1], [-0.1], [float("nan")], [0.5, 0.5]])
def test_confidences_that_cannot_be_are_refused(confidences):
    with pytest.raises(ValueError, match="confidences"):
        reliability(confidences, [True])


def test_what_is_read_for_what_is_counted() -> None:
    found = confusions(["the the", "abc", "", "lost"], ["tbe tbe", "abxc", "new", ""])
    assert found == [("h", "b", 2), ("", "x", 1), ("", "new", 1), ("lost", "", 1)]
    assert confusions(["a", ""], ["a", ""]) == []
    assert len(confusions(list("abc"), list("xyz"), most=2)) == 2


def test_the_interval_of_the_wer_holds_it() -> None:
    targets, predictions = ["one two", "three four"] * 9, ["one two", "three for"] * 9
    low, high = bootstrap_wer(targets, predictions)
    assert low < wer(targets, predictions) == 0.25 < high
