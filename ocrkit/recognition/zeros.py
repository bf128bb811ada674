"""A line that is a single O, o or 0, as in a column of figures, is read as a zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import Decoded

ROUND_CHARACTERS = ("0", "O", "o")  # without neighbours they cannot be told apart
MIN_SHARE = 0.1  # of the zero in the probability of the round characters


def single_zero(best: Decoded, log_probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """A line of one round character: a zero, unless a zero is improbable.

    A round character alone is a figure in a column far more often than a letter. Its confidence is
    the probability that it is any of the round characters. log_probs: (T, C).
    """
    (character,) = best.characters
    known = [c for c in ROUND_CHARACTERS if c in alphabet.characters]
    ids = [alphabet.encode(c)[0] for c in known]
    probs = np.exp(log_probs[character.start : character.end, ids]).max(axis=0).tolist()
    zero = dict(zip(known, probs, strict=True)).get("0", 0.0)
    if zero < MIN_SHARE * sum(probs):
        return best
    confidence = min(1.0, sum(probs))
    return Decoded("0", confidence, (replace(character, char="0", confidence=confidence),))
