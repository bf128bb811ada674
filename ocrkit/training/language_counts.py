"""Counts the kit's character language model on synthetic text.

Run `python -m ocrkit.training.language_counts`; it takes a minute.
"""

from __future__ import annotations

from collections.abc import Iterable

from numpy.random import default_rng

from ocrkit.progress import progress
from ocrkit.recognition.language import DEFAULT_LANGUAGE_MODEL, LanguageModel
from ocrkit.synth.text import line

# Styles of text that are not running language: single words, rows of figures, rare characters.
_NOT_LANGUAGE = ("reference", "rows", "rare")


def generated_lines(lines: int, seed: int = 77) -> Iterable[str]:
    """The running text among this many lines of the text generator."""
    for i in progress(range(lines), "writing", unit="lines"):
        style, text = line(default_rng((seed, i)))
        if style not in _NOT_LANGUAGE:
            yield text


if __name__ == "__main__":
    LanguageModel.count(generated_lines(200_000)).save(DEFAULT_LANGUAGE_MODEL)
