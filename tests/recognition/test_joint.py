from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import beam, log_likelihoods, log_softmax
from ocrkit.recognition.joint import best_of
from ocrkit.recognition.language import LanguageModel

AB = Alphabet("ab")
LANGUAGE = LanguageModel.count(["ab", "ba", "bb"])


def output(a: float, b: float, steps: int = 1) -> np.ndarray:
    """One letter, a or b, and then blanks."""
    rows = [[1 - a - b, a, b], *[[1.0, 0.0, 0.0]] * (steps - 1)]
    return np.log(np.array(rows) + 1e-9)


def test_the_text_that_the_readings_together_support():
    """Two readings are a little for a, one is strongly for b: .6 .6 .1 against .4 .4 .9."""
    outputs = [output(0.6, 0.4), output(0.6, 0.4, steps=3), output(0.1, 0.9, steps=2)]
    decoded, which = best_of(outputs, AB, LANGUAGE, 0.0)
    assert (decoded.text, which) == ("b", 2)
    assert decoded.characters[0].confidence == pytest.approx(0.9)


def test_the_language_model_counts_once_however_many_readings_there_are():
    """ln(.55 / .45) = .2 for a; a weight that is worth more turns it to b, with 1 or 6 readings."""
    language = LanguageModel.count(["b"] * 50)
    gain = language.log_probability("", "b") - language.log_probability("", "a")
    weights = 0.15 / gain, 0.25 / gain
    for times in (1, 6):
        outputs = [output(0.55, 0.45)] * times
        # Another reading proposes b, and is undecided.
        outputs.append(output(0.4999, 0.5001))
        share = times / (times + 1)
        texts = [best_of(outputs, AB, language, w * share)[0].text for w in weights]
        assert texts == ["a", "b"]


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_no_reading_proposes_a_text_that_the_readings_support_more(seed, readings):
    rng = np.random.default_rng(seed)
    outputs = [
        log_softmax(rng.normal(0, 1.5, (rng.integers(2, 6), len(AB)))) for _ in range(readings)
    ]
    decoded, which = best_of(outputs, AB, LANGUAGE, 0.0)

    def support(text: str) -> float:
        return sum(log_likelihoods(o, [AB.encode(text)])[0] for o in outputs)

    proposed = [beam(o, AB, language=LANGUAGE, weight=0.0) for o in outputs]
    assert proposed[which] == decoded
    assert support(decoded.text) == max(support(p.text) for p in proposed)
