"""Text to class indices and back. Class 0 is the CTC blank; the characters follow from class 1."""

from __future__ import annotations

import pickle
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from ocrkit.errors import CheckpointError

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

_MAX_BYTES = 1_000_000  # of a file with an alphabet

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

    @classmethod
    def load(cls, path: str | Path) -> Alphabet:
        """The characters in a text file (UTF-8), or in a pickled list of them (.pkl).

        Such a list, alphabet.pkl, belongs to CRNN-1010.pth, the checkpoint of the reference kit.
        Nothing in a pickle is run. A character that comes twice keeps its first class, and the
        second class gets a character from Unicode's private-use area, which no text has.

        Raises CheckpointError if the file cannot be read or holds anything else.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES)
            if path.suffix == ".pkl":
                listed = _ListUnpickler(BytesIO(data)).load()
            else:
                listed = [c for c in data.decode("utf-8-sig") if c not in "\r\n"]
            if not all(isinstance(c, str) and len(c) == 1 for c in listed):
                raise ValueError("it has more than single characters")
            spare = map(chr, range(0xE000, 0xF900))
            first = {c: i for i, c in reversed(list(enumerate(listed)))}
            return cls("".join(c if first[c] == i else next(spare) for i, c in enumerate(listed)))
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror or error}") from error
        except Exception as error:  # a damaged pickle raises many kinds of error
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                f"{path} is no list of characters ({reason}); give a text file (UTF-8) with the "
                "characters in the order of the network's classes, or a pickled list of them"
            ) from error

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


class _ListUnpickler(pickle.Unpickler):
    """Unpickles lists and texts; whatever would import code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"it names the code {module}.{name}, which is not run")


def _listed(characters: Iterable[str]) -> str:
    """Characters for an error message; invisible ones are shown as code points (U+00A0)."""
    visible = (c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in characters)
    return " ".join(visible)
