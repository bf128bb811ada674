"""Counting the kit's language model over the text that the generator writes.

python -m ocrkit.training.language_counts    takes a minute
"""

from __future__ import annotations

from collections.abc import Iterable

from numpy.random import default_rng

from ocrkit.progress import progress
from ocrkit.recognition.language import DEFAULT_LANGUAGE_MODEL, LanguageModel
from ocrkit.synth.text import line

# Single words of the reference data set, and what is drawn for practice, are no language.
_NOT_LANGUAGE = ("reference", "rows", "rare")


def generated_lines(lines: int, seed: int = 77) -> Iterable[str]:
    """So many lines of the generator, without those that are no language."""
    for i in progress(range(lines), "writing", unit="lines"):
        style, text = line(default_rng((seed, i)))
        if style not in _NOT_LANGUAGE:
            yield text


if __name__ == "__main__":
    LanguageModel.count(generated_lines(200_000)).save(DEFAULT_LANGUAGE_MODEL)
