"""The text of a line that was read several times: the one that all the readings together support.

Each reading proposes a text. Each text is then scored by all of them, and the best one is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import BONUS, Decoded, beam, log_likelihoods
from ocrkit.recognition.language import LanguageModel


def best_of(
    outputs: Sequence[np.ndarray], alphabet: Alphabet, language: LanguageModel, weight: float
) -> tuple[Decoded, int]:
    """The text with the highest score, and the index of the output it was found in.

    outputs: log-probabilities (T, C) of the same line, T may differ. The score of a text is the
    mean of its log-likelihoods in the outputs, plus that of the language model, as in `beam`.
    """
    proposed = [beam(o, alphabet, language=language, weight=weight) for o in outputs]
    if len({decoded.text for decoded in proposed}) == 1:
        return proposed[0], 0

    texts = list({decoded.text: None for decoded in proposed})
    ids = [alphabet.encode(text) for text in texts]
    likelihoods = np.mean([log_likelihoods(output, ids) for output in outputs], axis=0)
    score = {
        text: likelihood + weight * (language.text_log_probability(text) + BONUS * len(text))
        for text, likelihood in zip(texts, likelihoods.tolist(), strict=True)
    }
    best = max(range(len(proposed)), key=lambda i: score[proposed[i].text])
    return proposed[best], best
