"""A round sign that stands alone on its line, as in a column of figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import Decoded, log_softmax

# Signs that nothing but what is beside them tells apart; and the share of their chances from which
# on one that stands alone is a nought.
NOUGHTS, NOUGHT = ("0", "O", "o"), 0.1


def lone_nought(best: Decoded, logits: np.ndarray, alphabet: Alphabet) -> Decoded:
    """A line of one round sign, from outputs (T, C): a nought, unless it hardly looks like one.

    What stands alone is a figure in a column far more often than a letter. As sure as that it is
    any of the round signs.
    """
    (sign,) = best.characters
    known = [c for c in NOUGHTS if c in alphabet.characters]
    ids = [alphabet.encode(c)[0] for c in known]
    shares = np.exp(log_softmax(logits)[sign.start : sign.end, ids]).max(axis=0).tolist()
    chance = dict(zip(known, shares, strict=True)).get("0", 0.0)
    if chance < NOUGHT * sum(shares):
        return best
    sure = min(1.0, sum(shares))
    return Decoded("0", sure, (replace(sign, char="0", confidence=sure),))
