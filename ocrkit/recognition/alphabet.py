"""Text to class indices and back. Class 0 is the CTC blank; the characters follow from class 1."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_ASCII = "".join(map(chr, range(0x20, 0x7F)))  # the printable characters
_LATIN_1 = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
_HISTORICAL = "ŒœŠšŽžŸſ£€§¶†‡•°№½¼¾¹²³«»‘’‚“”„–—…¡¿"
# The letters of the other languages written in Latin script (the Unicode block Latin Extended-A),
# and the ẽ of early print.
_LATIN_EXTENDED = (
    "".join(c for c in map(chr, range(0x100, 0x180)) if c not in "ŒœŠšŽžŸſĲĳĿŀŉĸ") + "Ẽẽ"
)
_SIGNS = "ªº±×÷·©®¢¥µ‰‹›′″⁰⁴⁵⁶⁷⁸⁹⅓⅔⅛⅜⅝⅞℔₰≈≤≥√→"
DEFAULT_CHARACTERS = _ASCII + _LATIN_1 + _HISTORICAL + _LATIN_EXTENDED + _SIGNS
"""The characters of Western historical documents, in the order of the classes.

New characters are added at the end: a network that knows the first of them can learn the others.
"""

# How the reader writes what the alphabet does not have: one character for each meaning.
_WRITTEN_AS = str.maketrans(
    {
        **dict.fromkeys("¬⸗⹀‐‑\u00ad−", "-"),  # hyphens at the end of a line
        **{"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st"},
        **{"ꝛ": "r", "⸳": "·", "⁾": ")", "\u00a0": " ", "\u2009": " "},
        "\u0364": "\u0308",  # the small e above a letter in old German print: aͤ is ä
    }
)


def normalized(text: str) -> str:
    """A transcription as the reader writes it: NFC, single spaces, one character for each meaning.

    ¬ and ⸗ become hyphens, aͤ oͤ uͤ become ä ö ü, ꝛ becomes r, and ligatures such as ﬁ become two
    letters. Long s stays.
    """
    decomposed = unicodedata.normalize("NFD", text).translate(_WRITTEN_AS)
    return " ".join(unicodedata.normalize("NFC", decomposed).split())


@dataclass(frozen=True)
class Alphabet:
    """The characters a network can recognise, in the order of its classes 1, 2, 3, ...

    Raises ValueError if there is no character, one occurs twice, or one is half a surrogate pair.
    """

    characters: str = DEFAULT_CHARACTERS

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("an alphabet needs at least one character")
        if any("\ud800" <= character <= "\udfff" for character in self.characters):
            raise ValueError("an alphabet has half of a surrogate pair, which is not a character")
        if twice := [c for c, count in Counter(self.characters).items() if count > 1]:
            raise ValueError(f"characters occur more than once in the alphabet: {_listed(twice)}")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters, start=1)}

    def __len__(self) -> int:
        """The number of classes: all characters, and the blank."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """The classes of a text's characters, after Unicode normalisation to NFC.

        Raises ValueError, which lists the characters that are not in the alphabet.
        """
        if missing := self.missing(text):
            raise ValueError(
                f"label '{text}' has characters outside the alphabet: {_listed(missing)}"
            )
        return [self._ids[character] for character in unicodedata.normalize("NFC", text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The characters of classes from 1 up; repeated classes are not merged (see `ctc`)."""
        return "".join(self.characters[i - 1] for i in ids)

    def missing(self, text: str) -> str:
        """The different characters of a text (in NFC) that are not in the alphabet, in order."""
        distinct = dict.fromkeys(unicodedata.normalize("NFC", text))
        return "".join(character for character in distinct if character not in self._ids)


def _listed(characters: Iterable[str]) -> str:
    """Characters for an error message; invisible ones are shown as code points (U+00A0)."""
    visible = (c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in characters)
    return " ".join(visible)
