"""An S or § before an amount is read as a dollar sign, if the network finds one probable there."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import Character, Decoded

DOLLAR, ALIKE = "$", "S§"
# Of the dollar sign in the probability of all three signs. A real S before an amount (Austrian
# schillings) was below it in 97 of 100 rendered amounts.
MIN_SHARE = 0.13
# A sign at the beginning of a word, then a number with two decimals.
_AMOUNT = re.compile(rf"(?<!\S)[{ALIKE}](?= ?\d(?:[\d.,]*\d)?[.,]\d\d(?!\d))")


def with_dollars(decoded: Decoded, log_probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text with dollar signs before its amounts; log_probs: (T, C), of which it was decoded.

    The confidence of a dollar sign is the probability that it is any of the three signs.
    """
    if DOLLAR not in alphabet.characters:
        return decoded
    characters = list(decoded.characters)
    for found in _AMOUNT.finditer(decoded.text):
        characters[found.start()] = _dollar(characters[found.start()], log_probs, alphabet)
    text = "".join(character.char for character in characters)
    if text == decoded.text:
        return decoded
    confidence = sum(c.confidence for c in characters) / len(characters)
    return Decoded(text, confidence, tuple(characters))


def _dollar(character: Character, log_probs: np.ndarray, alphabet: Alphabet) -> Character:
    """A dollar sign in place of a character that looks like it, or the character."""
    signs = [DOLLAR, *(c for c in ALIKE if c in alphabet.characters)]
    # The signs share the steps around the one at which the most probable of them stands.
    around = slice(max(0, character.start - 1), character.end + 1)
    probs = np.exp(log_probs[around, alphabet.encode("".join(signs))]).max(axis=0)
    if probs[0] < MIN_SHARE * probs.sum():
        return character
    return replace(character, char=DOLLAR, confidence=min(1.0, float(probs.sum())))
