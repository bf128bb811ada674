from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.training.choice import most_useful, power_law


def test_doubtful_lines_come_first():
    assert most_useful(["abcd", "efgh", "ijkl"], [0.9, 0.5, 0.7], 3) == [1, 2, 0]


def test_of_lines_alike_one_is_enough():
    texts = ["total 5", "total 5", "total 5", "a name"]
    assert most_useful(texts, [0.5, 0.5, 0.5, 0.6], 2) == [0, 3]


def test_a_long_line_has_more_to_learn_from_than_a_short_one():
    assert most_useful(["ab", "abcdefgh"], [0.5, 0.5], 1) == [1]


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(0, 1)), max_size=8), st.integers(0, 9))
def test_each_line_is_chosen_once_up_to_the_count(lines, count):
    texts, confidences = [text for text, _ in lines], [value for _, value in lines]
    chosen = most_useful(texts, confidences, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(lines))


def test_a_power_law_is_found_again_and_predicts_the_next_size():
    sizes = (0, 20, 50, 100, 200)
    law = power_law(sizes, [2.0 * (n + 30) ** -0.6 for n in sizes])
    assert law.exponent == pytest.approx(0.6, abs=0.02)
    assert law(400) == pytest.approx(2.0 * 430**-0.6, rel=0.02)


def test_a_reader_that_does_not_learn_is_predicted_to_stay_as_it_is():
    law = power_law((0, 50, 100), (0.2, 0.2, 0.2))
    assert law(1000) == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("sizes, rates", [((0, 10), (0.2, 0.1)), ((0, 1, 2), (0.2, 0.0, 0.1))])
def test_too_few_sizes_or_no_errors_are_refused(sizes, rates):
    with pytest.raises(ValueError, match="three sizes or more"):
        power_law(sizes, rates)
