from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.errors import OcrkitError
from ocrkit.metrics import expected_calibration_error
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.language import LanguageModel
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.training.calibration import (
    FEWEST_WRONG,
    LANGUAGE_WEIGHTS,
    PRIOR_WRONG,
    calibrated,
    cautious_temperature,
    find_temperature,
    outcomes,
    rates_by_weight,
    with_temperature,
)
from ocrkit.training.manifest import Sample

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


def test_a_reader_whose_logits_are_three_times_too_large_gets_nearly_that_temperature():
    """500 of 5,000 characters are wrong, which it says itself, but its logits are times three."""
    ((logits, _),) = lines_of_a_reader(0.9, 1.0, count=1)
    blank = np.log(np.array([[1.0, 1e-9, 1e-9]], np.float32))
    long = np.concatenate([part for _ in range(250) for part in (logits, blank)])
    text = ("a" * 9 + "b") * 25
    lines = [(3 * long, text)] * 20
    assert find_temperature(lines, ALPHABET) == pytest.approx(3, rel=0.06)
    assert cautious_temperature(lines, ALPHABET) == pytest.approx(3, rel=0.1)


def test_the_fewer_characters_are_wrong_the_nearer_to_1_is_the_temperature():
    too_few, few = (
        lines_of_a_reader(0.999, 0.9, count=10 * wrong)
        for wrong in (FEWEST_WRONG - 1, FEWEST_WRONG)
    )
    assert cautious_temperature(too_few, ALPHABET) == 1
    best, share = find_temperature(few, ALPHABET), FEWEST_WRONG / (FEWEST_WRONG + PRIOR_WRONG)
    assert best > 1.5
    assert cautious_temperature(few, ALPHABET) == pytest.approx(best**share)


def test_a_reader_that_is_not_sure_enough_of_validation_lines_is_left_alone():
    lines = lines_of_a_reader(0.7, 0.95)
    assert find_temperature(lines, ALPHABET) < 0.8
    assert cautious_temperature(lines, ALPHABET) == 1


def test_lines_that_are_all_wrong_or_all_right_tell_nothing():
    for right in (0.0, 1.0):
        assert cautious_temperature(lines_of_a_reader(0.9, right), ALPHABET) == 1
    assert cautious_temperature([], ALPHABET) == 1


def test_a_model_is_calibrated_with_lines_that_it_misreads(memorised):
    """It is sure of each of its 8 lines; if the truth of 3 is another, it was too sure."""
    model, texts = memorised.model, list(memorised.batch.texts)
    samples = [
        Sample(Path(str(i)), text, image=crop)
        for i, (text, crop) in enumerate(zip(texts, memorised.crops, strict=True))
    ]
    assert calibrated(model, samples) is model
    samples = samples[:5] + [replace(sample, text=texts[0]) for sample in samples[5:]]
    changed = calibrated(model, samples)
    assert changed.provenance["temperature"] > 1.1
    with torch.inference_mode():
        logits, cooler = (net(memorised.batch.images) for net in (model, changed))
    torch.testing.assert_close(
        cooler * changed.provenance["temperature"], logits, atol=1e-2, rtol=1e-2
    )


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
