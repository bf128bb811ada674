"""Initials: large capitals at the head of a chapter, read together with the line beside them."""

from __future__ import annotations

from dataclasses import replace

from ocrkit.recognition.language import default_language_model
from ocrkit.recognition.reading import Reading

_ONE_LETTER_WORDS = "AÀÁEÉIOÓUÚY"  # in English, French, Italian, Spanish and Portuguese
_BEGUN = 8.0  # in natural logarithms; "A great" is at 4, "O ver" at 12


def with_joined_capital(reading: Reading) -> Reading:
    """The reading with a large capital joined to its word, unless it is a word by itself."""
    first, *rest = reading.words or (None,)
    if first is None or not rest or len(first.text) > 1 or not first.text.isupper():
        return reading
    if not rest[0].text[:1].isalpha():
        return reading
    if first.text in _ONE_LETTER_WORDS and not _is_begun_word(first.text, rest[0].text):
        return reading
    word = replace(
        rest[0],
        text=first.text + rest[0].text,
        start=first.start,
        characters=first.characters + rest[0].characters,
    )
    words = (word, *rest[1:])
    return replace(reading, text=" ".join(word.text for word in words), words=words)


def _is_begun_word(capital: str, rest: str) -> bool:
    """Whether a capital and the letters after it are far more likely one word than two."""
    language = default_language_model()

    def likely(text: str) -> float:
        return sum(language.log_probability(text[:i], text[i]) for i in range(1, len(text)))

    return likely(f"{capital}{rest} ") > likely(f"{capital} {rest} ") + _BEGUN


def with_width_of_capital(reading: Reading, read: float, printed: float) -> Reading:
    """The reading of a line, whose capital was made smaller to be read, with its words' places.

    read, printed: the capital's share of the line's width as it was read, and as it is printed.
    """

    def moved(at: float) -> float:
        if at < read:
            return at / read * printed
        return printed + (at - read) / (1 - read) * (1 - printed)

    words = tuple(replace(w, start=moved(w.start), end=moved(w.end)) for w in reading.words)
    return replace(reading, words=words)
