"""Counts the kit's character language model, on synthetic text and on transcriptions.

    python -m ocrkit.training.language_counts                   counts synthetic text
    python -m ocrkit.training.language_counts MANIFEST...       and the texts of these manifests

It takes a minute or two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from numpy.random import default_rng

from ocrkit.progress import progress
from ocrkit.recognition.alphabet import Alphabet, normalized
from ocrkit.recognition.language import DEFAULT_LANGUAGE_MODEL, LanguageModel
from ocrkit.synth.text import line
from ocrkit.training.manifest import read_manifest

# Styles of text that are not running language: single words, rows of marks, random characters.
_NOT_LANGUAGE = ("reference", "rows", "rare", "accents")
_TIMES = 4  # how often a transcription counts: people wrote it, and there are few


def generated_lines(lines: int, seed: int = 77) -> Iterable[str]:
    """The running text among this many lines of the text generator."""
    for i in progress(range(lines), "writing", unit="lines"):
        style, text = line(default_rng((seed, i)))
        if style not in _NOT_LANGUAGE:
            yield text


def transcribed_lines(manifests: Iterable[str | Path]) -> Iterable[str]:
    """The texts of manifests, as the reader writes them, each several times.

    Texts with characters outside the alphabet are left out.
    Raises OcrkitError for a manifest that cannot be read.
    """
    for manifest in manifests:
        for sample in read_manifest(manifest):
            text = normalized(sample.text)
            if not Alphabet().missing(text):
                yield from [text] * _TIMES


if __name__ == "__main__":
    texts = chain(transcribed_lines(sys.argv[1:]), generated_lines(200_000))
    LanguageModel.count(texts).save(DEFAULT_LANGUAGE_MODEL)
