"""Texts for synthetic lines: letters, books, receipts, ledgers, forms and more.

`line` returns a text of a style. It is normalised (NFC), has only characters of the default
alphabet, and single spaces between words.
"""

from __future__ import annotations

import unicodedata

from numpy.random import Generator

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.dictionary import LANGUAGES
from ocrkit.synth.grammar import Writer, expand
from ocrkit.synth.tables import read_toml

STYLE_WEIGHTS: dict[str, float] = read_toml("styles.toml")["shares"]  # style -> share of the lines

_ALPHABET = frozenset(DEFAULT_CHARACTERS)
_LANGUAGE_CODES = [code for code, row in LANGUAGES.items() for _ in range(row["weight"])]


def line(rng: Generator, style: str | None = None, max_chars: int = 70) -> tuple[str, str]:
    """A (style, text) of 1 to `max_chars` characters; None draws a style by STYLE_WEIGHTS.

    Raises ValueError for an unknown style.
    """
    if style is None:
        style = str(rng.choice(list(STYLE_WEIGHTS), p=list(STYLE_WEIGHTS.values())))
    elif style not in STYLE_WEIGHTS:
        raise ValueError(f"unknown style {style!r}; the styles are {', '.join(STYLE_WEIGHTS)}")
    name = "single" if style == "word" else style  # in the grammar, {word} is part of running text
    text = ""
    while not text:
        language = _LANGUAGE_CODES[int(rng.random() * len(_LANGUAGE_CODES))]
        text = _fitted(expand(Writer(rng, language, max(4, max_chars)), name), max_chars)
    return style, text


def _fitted(text: str, length: int) -> str:
    """`text` in the alphabet, with single spaces and at most `length` characters.

    It is cut between words if there is a space in the second half, else within a word.
    """
    known = (c for c in unicodedata.normalize("NFC", text) if c in _ALPHABET)
    kept = " ".join("".join(known).split())
    if len(kept) <= length:
        return kept
    cut = kept.rfind(" ", 0, length + 1)
    return kept[: cut if cut > length // 2 else length].strip()
