"""A round sign that stands alone on its line, as in a column of figures, is a nought."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import Decoded

ROUND_SIGNS = ("0", "O", "o")  # only the characters beside them tell them apart
LEAST_SHARE = 0.1  # of the round signs' probability that the nought must have


def lone_nought(best: Decoded, log_probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """A line of one round sign, with log-probabilities (T, C): a nought, unless that is improbable.

    A round sign alone is a figure in a column far more often than a letter. The confidence is that
    of its being any of the round signs.
    """
    (sign,) = best.characters
    known = [c for c in ROUND_SIGNS if c in alphabet.characters]
    ids = [alphabet.encode(c)[0] for c in known]
    probs = np.exp(log_probs[sign.start : sign.end, ids]).max(axis=0).tolist()
    nought = dict(zip(known, probs, strict=True)).get("0", 0.0)
    if nought < LEAST_SHARE * sum(probs):
        return best
    confidence = min(1.0, sum(probs))
    return Decoded("0", confidence, (replace(sign, char="0", confidence=confidence),))
