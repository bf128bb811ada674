from __future__ import annotations

import pytest

from ocrkit.training.evaluation import Evaluation


def test_an_evaluation_is_one_line_of_text():
    targets = ("abcd",) * 4
    result = Evaluation(targets, ("abcd", "abcd", "abcd", "abxx"), (1.0, 1.0, 1.0, 0.5))
    assert result.accuracy == 0.75 and result.cer == pytest.approx(2 / 16)
    low, high = result.accuracy_interval
    assert low < 0.75 < high
    line = str(result)
    assert line.startswith(f"accuracy 0.750 ({low:.3f}-{high:.3f}), CER 0.1250 (0.0000-")
    assert line.endswith("4 images") and result._repr_html_() == line
    assert result.figures == {
        "images": 4,
        "accuracy": 0.75,
        "cer": result.cer,
        "accuracy_interval": (low, high),
        "cer_interval": result.cer_interval,
    }


def test_the_worst_have_the_highest_cer_then_the_highest_confidence():
    result = Evaluation(
        ("abcd",) * 5, ("abcd", "abcx", "xxxx", "abxd", "xxxx"), (1.0, 0.2, 0.3, 0.9, 0.8)
    )
    assert result.worst() == [4, 2, 3, 1]  # what is right is no error
    assert result.worst(1) == [4]


def test_a_word_is_right_if_all_its_characters_are():
    result = Evaluation(
        ("the old mill", "a"), ("thc old mlll", ""), (0.9, 0.0), ((0.5, 0.9, 0.7), ())
    )
    assert result.word_outcomes == ([0.5, 0.9, 0.7], [False, True, False])


def test_word_errors_have_an_interval_too():
    result = Evaluation(("a b", "c d"), ("a x", "c d"), (1.0, 1.0))
    assert result.wer == 0.25
    low, high = result.wer_interval
    assert 0 <= low <= 0.25 <= high
