from __future__ import annotations

import numpy as np
import pytest
import torch

from ocrkit.errors import OcrkitError
from ocrkit.metrics import expected_calibration_error
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.language import LanguageModel
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.training.calibration import (
    LANGUAGE_WEIGHTS,
    find_temperature,
    outcomes,
    rates_by_weight,
    with_temperature,
)

ALPHABET = Alphabet("ab")


def lines_of_a_reader(sure: float, right: float, count: int = 400):
    """Logits of lines of one character: it says `a` with the probability `sure`.

    The text is `a` in the share `right` of the lines, else `b`.
    """
    logits = np.log(np.array([[1e-9, sure, 1 - sure]], np.float32))
    return [(logits, "a" if i < right * count else "b") for i in range(count)]


def test_outcomes_are_the_confidence_of_each_character_and_whether_it_is_right():
    confidences, correct = outcomes(lines_of_a_reader(0.9, 0.5, count=4), ALPHABET)
    assert confidences == pytest.approx([0.9] * 4)
    assert correct == [True, True, False, False]


@pytest.mark.parametrize(("sure", "right"), [(0.999, 0.9), (0.9, 0.9), (0.7, 0.95)])
def test_after_the_temperature_a_reader_is_right_as_often_as_it_says(sure, right):
    lines = lines_of_a_reader(sure, right)
    temperature = find_temperature(lines, ALPHABET)
    confidences, correct = outcomes(lines, ALPHABET, temperature)
    assert np.mean(confidences) == pytest.approx(right, abs=0.01)
    assert expected_calibration_error(confidences, correct) < 0.01
    assert (temperature > 1.05) == (sure > right + 0.01)  # too sure: the logits get smaller


def test_lines_without_an_error_tell_no_temperature():
    with pytest.raises(OcrkitError, match="right and wrong characters"):
        find_temperature(lines_of_a_reader(0.9, 1.0), ALPHABET)


def test_a_model_with_a_temperature_has_smaller_logits_and_the_same_readings():
    torch.manual_seed(0)
    model = CRNN(ModelConfig(0.125, 16, "all"), ALPHABET, provenance={"steps": 7}).eval()
    scaled = with_temperature(with_temperature(model, 1.5), 2.0)
    strips = torch.rand(2, 1, 32, 64)
    with torch.inference_mode():
        torch.testing.assert_close(scaled(strips), model(strips) / 3, atol=1e-6, rtol=1e-4)
    assert scaled.provenance == {"steps": 7, "temperature": 3.0}
    assert model.provenance == {"steps": 7}


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_cannot_be_is_refused(temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        with_temperature(CRNN(ModelConfig(0.125, 16, "all"), ALPHABET), temperature)


def test_the_weight_of_the_language_model_is_judged_by_the_errors_it_leaves():
    """Two letters are nearly as probable as each other: only the language model knows the word."""
    alphabet = Alphabet("ceh")
    language = LanguageModel.count(["che"] * 50)
    steps = [{"c": 1.0}, {"h": 1.0}, {"e": 0.45, "c": 0.55}]
    logits = np.log(
        [[1e-6, *(step.get(char, 1e-6) for char in alphabet.characters)] for step in steps]
    )
    rates = rates_by_weight([(logits, "che")], alphabet, language)
    assert list(rates) == list(LANGUAGE_WEIGHTS)
    assert rates[LANGUAGE_WEIGHTS[-1]] == 0.0
    assert rates_by_weight([(logits, "chc")], alphabet, language)[LANGUAGE_WEIGHTS[-1]] > 0
