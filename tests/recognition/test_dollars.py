from __future__ import annotations

import numpy as np
import pytest

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import most_probable
from ocrkit.recognition.dollars import with_dollars

ALPHABET = Alphabet("$§S0123456789., abc")


def read(text: str, dollar: float, alphabet: Alphabet = ALPHABET) -> tuple[str, float]:
    """The text with dollars and its confidence; each S and § has this share of a $ beside it.

    A character takes one step, and a step of the blank follows.
    """
    probs = np.full((2 * len(text), len(alphabet)), 1e-9)
    for i, (char, number) in enumerate(zip(text, alphabet.encode(text), strict=True)):
        share = dollar if char in "S§" else 0.0
        probs[2 * i, number] = 0.9 * (1 - share)
        if share:
            probs[2 * i, alphabet.encode("$")[0]] = 0.9 * share
        probs[2 * i + 1, 0] = 1.0
    log_probs = np.log(probs)
    decoded = with_dollars(most_probable(log_probs, alphabet), log_probs, alphabet)
    assert "".join(c.char for c in decoded.characters) == decoded.text
    return decoded.text, decoded.confidence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("S 12.50", "$ 12.50"),
        ("S1.20", "$1.20"),
        ("§ 188,548.09", "$ 188,548.09"),
        ("a S 3,00 b § 4.25", "a $ 3,00 b $ 4.25"),
        # no amount, or not before one
        ("S 12", "S 12"),
        ("§ 12.5", "§ 12.5"),
        ("§ 1.234", "§ 1.234"),
        ("aS 12.50", "aS 12.50"),
        ("S a 12.50", "S a 12.50"),
        ("12.50 S", "12.50 S"),
    ],
)
def test_a_sign_before_an_amount_is_a_dollar(text, expected):
    assert read(text, 0.2)[0] == expected


def test_where_a_dollar_is_improbable_the_letter_stays():
    assert read("S 12.50", 0.1)[0] == "S 12.50"


def test_its_confidence_is_that_of_all_signs_together():
    # Six other characters with 0.9 each, and 0.9 * (0.7 + 0.3) for the sign.
    assert read("S 12.50", 0.3) == ("$ 12.50", pytest.approx(0.9))


def test_an_alphabet_without_dollars_stays_as_it_is():
    alphabet = Alphabet("S0123456789., ")
    log_probs = np.log(np.full((3, len(alphabet)), 1 / len(alphabet)))
    decoded = most_probable(log_probs, alphabet)
    assert with_dollars(decoded, log_probs, alphabet) is decoded
