"""Words that are printed with a space after each letter, as headings often are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from ocrkit.recognition.ctc import Character

WORD_GAP = 1.35  # a gap this many times the usual one separates two letterspaced words
SHORTEST_RUN = 4  # letters, or marks, that stand alone one after the other


def without_letterspacing(characters: Sequence[Character]) -> tuple[Character, ...]:
    """A line's characters without the spaces inside letterspaced words.

    S U C H words are known by four letters in a row that stand alone, and rows . . . . of a mark by
    four of it. A gap that is clearly wider than the others remains a space between two words.
    """
    inside: list[int] = []  # indices of the spaces within words
    runs = groupby(word_spans(characters), key=lambda word: _kind(characters[slice(*word)]))
    for run in (list(words) for kind, words in runs if kind):
        if sum(end - first == 1 for first, end in run) >= SHORTEST_RUN:
            spaces = [end for _, end in run[:-1]]
            gaps = [characters[i + 1].centre - characters[i - 1].centre for i in spaces]
            usual = float(np.median(gaps))
            # A character at the line's edge may seem half a gap away from its real place.
            if spaces[0] == 1 and characters[0].start == 0:
                gaps[0] -= usual / 2
            inside += [i for i, gap in zip(spaces, gaps, strict=True) if gap < WORD_GAP * usual]
    return tuple(c for i, c in enumerate(characters) if i not in inside)


def word_spans(characters: Sequence[Character]) -> Iterator[tuple[int, int]]:
    """For each word the index of its first character and that after its last."""
    ends = [i for i, c in enumerate(characters) if c.char == " "] + [len(characters)]
    for first, end in zip([0, *(i + 1 for i in ends)], ends, strict=False):
        if end > first:
            yield first, end


def _kind(word: Sequence[Character]) -> str:
    """What a word may be a part of: "letters", a row of its mark (the mark), or neither ("").

    A letter stands alone, or as in L'O U E S T with an apostrophe or another mark beside it.
    """
    text = "".join(c.char for c in word)
    letters = re.sub(r"\W", "", text)
    if letters.isalpha() and len(text) <= 3 and len(letters) <= 1 + bool({*text} & {*"'’"}):
        return "letters"
    return text[0] if len({*text}) == 1 and not text[0].isalnum() else ""
