"""trdg's dictionaries: the words of each language for synthetic text."""

from __future__ import annotations

import re
from functools import cache

from ocrkit.errors import MissingPartError
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.fonts import package_folder
from ocrkit.synth.tables import read_toml

LANGUAGES = read_toml("languages.toml")  # code -> its settings, described in the file
MAX_LETTERS = 18
MAX_WORDS = 60_000

_ALPHABET = frozenset(DEFAULT_CHARACTERS)


@cache
def dictionary_words(language: str) -> tuple[str, ...]:
    """trdg's words of a language ("en", "fr", ...), sampled down to at most 60,000.

    Only words that the default alphabet can write. Raises MissingPartError if trdg is not
    installed.
    """
    file = package_folder("trdg", "dicts") / f"{language}.txt"
    if not file.is_file():
        raise MissingPartError("synthetic text uses trdg's dictionaries: pip install trdg")
    settings, data = LANGUAGES[language], file.read_bytes()
    if code_page := settings.get("code_page"):
        text = data.decode("latin-1").translate({int(k, 16): v for k, v in code_page.items()})
    else:
        text = data.decode("utf-8")
    words = [w for w in text.split() if len(w) <= MAX_LETTERS and _ALPHABET.issuperset(w)]
    if rare := settings.get("rare"):
        words = [w for w in words if not re.search(rare, w)]
    return tuple(words[:: len(words) // MAX_WORDS + 1])
