"""Words that are printed with a space after each letter, as headings often are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from ocrkit.recognition.ctc import Character

WORD_GAP = 1.35  # times the usual gap of letters set apart is a gap between words


def without_letterspacing(characters: Sequence[Character]) -> tuple[Character, ...]:
    """A line's characters, words that are set with a space after each letter closed up.

    S U C H words are known by four letters in a row that stand alone, and rows . . . . of a mark by
    four of it. A gap that is clearly wider than the others is a space between two of them.
    """
    spaces: list[int] = []  # those within words
    runs = groupby(word_spans(characters), key=lambda word: _run_kind(characters[slice(*word)]))
    for run in (list(words) for kind, words in runs if kind):
        if sum(end - first == 1 for first, end in run) >= 4:
            at = [end for _, end in run[:-1]]
            gaps = [centre(characters[i + 1]) - centre(characters[i - 1]) for i in at]
            usual = float(np.median(gaps))
            if at[0] == 1 and characters[0].start == 0:  # a spike at the edge may be half a gap off
                gaps[0] -= usual / 2
            spaces += [i for i, gap in zip(at, gaps, strict=True) if gap < WORD_GAP * usual]
    return tuple(c for i, c in enumerate(characters) if i not in spaces)


def _run_kind(word: Sequence[Character]) -> str:
    """The kind of run that a word may belong to: "letters", its mark if it is nothing else, or "".

    A letter stands alone, or as in L'O U E S T with an apostrophe or another mark beside it.
    """
    text = "".join(c.char for c in word)
    letters = re.sub(r"\W", "", text)
    if letters.isalpha() and len(text) <= 3 and len(letters) <= 1 + bool({*text} & {*"'’"}):
        return "letters"
    return text[0] if len({*text}) == 1 and not text[0].isalnum() else ""


def word_spans(characters: Sequence[Character]) -> Iterator[tuple[int, int]]:
    """The first character of each word and the first after it; spaces part them."""
    ends = [i for i, c in enumerate(characters) if c.char == " "] + [len(characters)]
    for first, end in zip([0, *(i + 1 for i in ends)], ends, strict=False):
        if end > first:
            yield first, end


def centre(character: Character) -> float:
    return (character.start + character.end) / 2
