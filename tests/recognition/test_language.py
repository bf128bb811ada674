"""The language model: its chances worked out by hand, its file, and what it does for a reading."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.errors import CheckpointError
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS, Alphabet
from ocrkit.recognition.ctc import beam, greedy
from ocrkit.recognition.language import LanguageModel, default_language_model
from ocrkit.training.language_counts import generated_lines


def chance(model: LanguageModel, before: str, character: str) -> float:
    return math.exp(model.log_probability(before, character))


def test_chances_of_two_letters_by_hand():
    model = LanguageModel.count(["ab", "ab", "aa"], order=2)
    # Single letters: a 4 times, b twice, 2 kinds; with an unknown third they begin with 1/3 each.
    a, b, other = (4 + 2 / 3) / 8, (2 + 2 / 3) / 8, (2 / 3) / 8
    assert a + b + other == pytest.approx(1)
    # After a: b twice, a once, of 2 kinds. At the start of a line: a 3 times, of 1 kind.
    assert chance(model, "a", "b") == pytest.approx((2 + 2 * b) / 5)
    assert chance(model, "a", "z") == pytest.approx(2 * other / 5)
    assert chance(model, "", "a") == pytest.approx((3 + a) / 4)
    # Nothing was seen after b: the chances of single letters.
    assert chance(model, "ab", "a") == pytest.approx(a)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("abc ", min_size=1, max_size=8), min_size=1, max_size=6), st.text("abc "))
def test_the_chances_of_all_characters_add_up_to_one(texts, before):
    model = LanguageModel.count(texts, order=3)
    seen = set("".join(texts))
    assert sum(chance(model, before, c) for c in seen) + chance(model, before, "~") == (
        pytest.approx(1)
    )


def test_only_the_characters_just_before_matter():
    model = LanguageModel.count(["abcd", "xbcd", "abce"], order=3)
    assert model.log_probability("abc", "d") == model.log_probability("zbc", "d")


def test_long_texts_seen_seldom_are_left_out():
    texts = ["abcd"] * 3 + ["wxyz"] * 2
    grams = LanguageModel.count(texts, order=4).grams[3]
    assert "abcd" in grams and "wxyz" not in grams
    assert "wxyz" in LanguageModel.count(texts, order=4, at_least=2).grams[3]


def test_saved_loaded_and_pickled_it_says_the_same(tmp_path):
    model = LanguageModel.count(["le chat", "la « ſœur »"], order=4, at_least=1)
    model.save(tmp_path / "language.npz")
    for other in (LanguageModel.load(tmp_path / "language.npz"), pickle.loads(pickle.dumps(model))):
        assert other.grams == model.grams
        assert [t.tolist() for t in other.times] == [t.tolist() for t in model.times]
        assert other.log_probability("la « ſ", "œ") == model.log_probability("la « ſ", "œ")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip"])
def test_a_file_that_is_no_model_says_what_makes_one(tmp_path, content):
    path = tmp_path / "language.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"language\.npz.*python -m ocrkit\.training\.language_counts"
    ):
        LanguageModel.load(path)


@pytest.mark.parametrize(
    ("before", "likely", "unlikely"),
    [
        ("le musé", "e", "o"),
        ("Monsieu", "r", "n"),
        ("the hous", "e", "c"),
        ("TOTA", "L", "1"),
        ("le 12 janvier 18", "9", "g"),
        ("RM 12.", "5", "S"),
    ],
)
def test_the_shipped_model_knows_words_amounts_and_dates(before, likely, unlikely):
    assert (
        default_language_model().log_probability(before, likely)
        > default_language_model().log_probability(before, unlikely) + 1
    )


def test_the_shipped_model_is_of_the_generators_texts():
    """A sample of the same texts: each character's chance is about as high as it came."""
    texts = list(generated_lines(300, seed=5))
    model = default_language_model()
    bits = [-model.log_probability(t[:i], c) / math.log(2) for t in texts for i, c in enumerate(t)]
    # Equal probabilities of all characters would cost 8.4 bits.
    assert 2 < np.mean(bits) < 4
    assert set("".join(model.grams[0])) <= set(DEFAULT_CHARACTERS)


def spelt(text: str, alphabet: Alphabet, doubt: dict[int, tuple[str, float]]) -> np.ndarray:
    """Log-probabilities (2 T, C) of a text, in which the i-th character may be another."""
    probs = np.full((2 * len(text), len(alphabet)), 1e-6)
    for i, char in enumerate(text):
        probs[2 * i, alphabet.encode(char)] = 1
        probs[2 * i + 1, 0] = 1
    for i, (other, chance) in doubt.items():
        probs[2 * i, alphabet.encode(text[i])] = 1 - chance
        probs[2 * i, alphabet.encode(other)] = chance
    return np.log(probs / probs.sum(axis=1, keepdims=True))


def test_it_decides_between_readings_that_look_alike_and_leaves_clear_ones_alone():
    alphabet, language = Alphabet(), default_language_model()
    filled = spelt("pour lo bureau", alphabet, {6: ("e", 0.45)})
    assert greedy(filled, alphabet).text == beam(filled, alphabet).text == "pour lo bureau"
    assert beam(filled, alphabet, language=language).text == "pour le bureau"
    clear = spelt("xqzv 8814-Bß", alphabet, {})
    assert beam(clear, alphabet, language=language).text == "xqzv 8814-Bß"


def test_characters_it_puts_right_stand_where_the_network_saw_them():
    alphabet = Alphabet()
    decoded = beam(
        spelt("pour lo", alphabet, {6: ("e", 0.45)}),
        alphabet,
        language=default_language_model(),
    )
    assert [(c.char, c.start) for c in decoded.characters][-2:] == [("l", 10), ("e", 12)]
    assert decoded.characters[-1].confidence == pytest.approx(0.45, abs=1e-3)


def test_an_alphabet_that_it_does_not_know_is_read_all_the_same():
    alphabet = Alphabet("абв ")
    assert (
        beam(
            spelt("аб вб", alphabet, {}),
            alphabet,
            language=default_language_model(),
        ).text
        == "аб вб"
    )
