"""Counts the kit's character language model, on synthetic text and on transcriptions.

    python -m ocrkit.training.language_counts                   counts synthetic text
    python -m ocrkit.training.language_counts MANIFEST...       and the texts of these manifests

It takes a minute or two, and replaces the kit's own counts unless `--output` names another file.
`--training-only` leaves out the books that are held out for validation: `calibration` needs counts
that do not know their texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from numpy.random import default_rng

from ocrkit.progress import progress
from ocrkit.recognition.alphabet import Alphabet, normalized
from ocrkit.recognition.language import DEFAULT_LANGUAGE_MODEL, LanguageModel
from ocrkit.synth.text import line
from ocrkit.training.manifest import read_manifest
from ocrkit.training.real_lines import book_of, held_out_books

# Styles of text that are not running language: single words, rows of marks, random characters and
# accents.
_NOT_LANGUAGE = ("reference", "rows", "rare", "accents")
_TIMES = 4  # how often a transcription counts: people wrote it, and there are few


def generated_lines(lines: int, seed: int = 77) -> Iterable[str]:
    """The running text among this many lines of the text generator."""
    for i in progress(range(lines), "writing", unit="lines"):
        style, text = line(default_rng((seed, i)))
        if style not in _NOT_LANGUAGE:
            yield text


def transcribed_lines(
    manifests: Iterable[str | Path], training_only: bool = False
) -> Iterable[str]:
    """The texts of manifests, as the reader writes them, each several times.

    Texts with characters outside the alphabet are left out. training_only: without the books that
    are held out for validation, see `held_out_books`.
    Raises OcrkitError for a manifest that cannot be read.
    """
    for manifest in manifests:
        samples = read_manifest(manifest)
        books = held_out_books([s.path.stem for s in samples]) if training_only else set()
        for sample in samples:
            if book_of(sample.path.stem) in books:
                continue
            text = normalized(sample.text)
            if not Alphabet().missing(text):
                yield from [text] * _TIMES


def main() -> None:
    """Counts the texts and writes the counts."""
    parser = argparse.ArgumentParser(description="Count the character language model.")
    parser.add_argument("manifests", nargs="*", type=Path, metavar="MANIFEST")
    parser.add_argument("--output", type=Path, default=DEFAULT_LANGUAGE_MODEL, metavar="FILE")
    parser.add_argument("--training-only", action="store_true")
    given = parser.parse_args()
    transcribed = transcribed_lines(given.manifests, given.training_only)
    LanguageModel.count(chain(transcribed, generated_lines(200_000))).save(given.output)


if __name__ == "__main__":
    main()
