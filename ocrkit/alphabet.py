"""Text to class numbers and back. Class 0 is the CTC blank; characters count from 1."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_ASCII = "".join(map(chr, range(0x20, 0x7F)))  # all that can be printed
_LATIN_1 = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
_HISTORICAL = "ŒœŠšŽžŸſ£€§¶†‡•°№½¼¾¹²³«»‘’‚“”„–—…¡¿"
# The Latin letters of other languages in Europe (the block Latin Extended-A), and ẽ of old print.
_LATIN_EXTENDED = (
    "".join(c for c in map(chr, range(0x100, 0x180)) if c not in "ŒœŠšŽžŸſĲĳĿŀŉĸ") + "Ẽẽ"
)
_SIGNS = "ªº±×÷·©®¢¥µ‰‹›′″⁰⁴⁵⁶⁷⁸⁹⅓⅔⅛⅜⅝⅞℔₰≈≤≥√→"

DEFAULT_CHARACTERS = _ASCII + _LATIN_1 + _HISTORICAL + _LATIN_EXTENDED + _SIGNS
"""What Western historical documents hold, in an order that is part of every checkpoint.

New characters are only added at the end, so that a model can learn them and keep the others.
"""

# How transcriptions write what the alphabet does not have: hyphens at a line's end, ligatures,
# the round r, the superscript e of old German.
_WRITTEN_AS = str.maketrans(
    {
        **dict.fromkeys("¬⸗⹀‐‑\u00ad−", "-"),
        **{"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st"},
        **{"ꝛ": "r", "⸳": "·", "⁾": ")", "\u0364": "\u0308", "\u00a0": " ", "\u2009": " "},
    }
)


def normalized(text: str) -> str:
    """A transcription as the reader is to write it: NFC, single spaces, one sign for each meaning.

    ¬ and ⸗ become hyphens, aͤ oͤ uͤ become ä ö ü, ꝛ becomes r, ligatures such as ﬁ are opened. Long s
    is kept.
    """
    text = unicodedata.normalize("NFD", text).translate(_WRITTEN_AS)
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True)
class Alphabet:
    """The characters a model can write, in the order of its classes 1, 2, 3, ...

    Raises ValueError if a character occurs twice, or if there is none.
    """

    characters: str = DEFAULT_CHARACTERS

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("an alphabet needs at least one character")
        if twice := [c for c, count in Counter(self.characters).items() if count > 1]:
            raise ValueError(f"characters occur more than once in the alphabet: {_listed(twice)}")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters, start=1)}

    def __len__(self) -> int:
        """The number of classes: the characters and the blank."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """The class of each character of the text's NFC form; ValueError names those it lacks."""
        if missing := self.missing(text):
            raise ValueError(
                f"label '{text}' has characters outside the alphabet: {_listed(missing)}"
            )
        return [self._ids[character] for character in unicodedata.normalize("NFC", text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The character of each class from 1 up, as they stand: nothing is collapsed."""
        return "".join(self.characters[i - 1] for i in ids)

    def missing(self, text: str) -> str:
        """The distinct characters of the text's NFC form that are not in the alphabet, in order."""
        distinct = dict.fromkeys(unicodedata.normalize("NFC", text))
        return "".join(character for character in distinct if character not in self._ids)


def _listed(characters: Iterable[str]) -> str:
    """For a person: characters that cannot be seen are given as their code points."""
    visible = (c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in characters)
    return " ".join(visible)
