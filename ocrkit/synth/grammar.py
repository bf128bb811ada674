"""Writes texts by the grammar of grammar.tsv; the head of that file explains its notation.

`expand` replaces a name of the grammar by one of its texts, chosen at random. A few names are
Python functions instead of rows in the file: `FUNCTIONS`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from numpy.random import Generator

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.dictionary import LANGUAGES, dictionary_words
from ocrkit.synth.fonts import WITH_TILDE
from ocrkit.synth.tables import read_rows

T = TypeVar("T")


@dataclass(frozen=True)
class Writer:
    """The state that all texts share: a random generator, a language code, a length in characters.

    `room` is a guide for texts of variable length; the caller cuts the result to its limit.
    """

    rng: Generator
    language: str
    room: int

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.rng.random() < p

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.rng.random() * (high - low + 1))


@cache
def read_grammar() -> dict[str, list[list[str]]]:
    """grammar.tsv as name -> choices; a choice is a list of text, name, text, name, ..."""
    table: dict[str, list[list[str]]] = {}
    for name, choices in read_rows("grammar.tsv"):
        options = choices.replace("␣", " ").split("|")
        table.setdefault(name, []).extend(re.split("{(.+?)}", option) for option in options)
    return table


def expand(writer: Writer, name: str) -> str:
    """One of the texts that `name` stands for; NAME gives it in capitals, Name in title case."""
    lower = name.lower()
    if name[0] == "#":
        digits = int(name[1:])
        return str(int(writer.rng.random() * 10**digits)).zfill(digits)
    if name[0].isdigit():
        low, _, high = name.partition("-")
        return str(writer.integer(int(low), int(high)))
    if lower in FUNCTIONS:
        text = FUNCTIONS[lower](writer)
    else:
        pieces = writer.choice(read_grammar()[lower])
        text = "".join(expand(writer, piece) if i % 2 else piece for i, piece in enumerate(pieces))
    return text.upper() if name.isupper() else text if name == lower else text.title()


def _word(writer: Writer) -> str:
    if writer.chance(0.5):
        return expand(writer, f"common.{writer.language}")
    words = dictionary_words(writer.language)
    position = writer.rng.random()
    # A dictionary that is not sorted starts with the frequent words: prefer its beginning.
    position = position if LANGUAGES[writer.language]["sorted"] else position**2
    return words[int(position * len(words))]


def _day(writer: Writer) -> str:
    """A day and a month, as the language writes them."""
    day, month = writer.integer(1, 31), expand(writer, f"month.{writer.language}")
    if writer.language == "en":
        end = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        short = f"{month[:3]}. {day}"
        return writer.choice((f"{day} {month}", f"{month} {day},", f"{day}{end} {month}", short))
    if writer.language == "es":
        return f"{day} de {month} de"
    end = {"de": ".", "fr": "er" if day == 1 else ""}.get(writer.language, "")
    return f"{day}{end} {month}"


def _leaders(writer: Writer) -> str:
    """A dotted line between two columns, as in a table of contents."""
    dot = expand(writer, "dot")
    return f" {(dot * (writer.integer(3, max(4, writer.room - 20)) // len(dot))).strip()} "


def _rows(writer: Writer) -> str:
    """A separator: a row of one repeated character, alone, beside a text or on both sides of it."""
    mark = expand(writer, "row_mark")
    longest = writer.room // len(mark)
    row = (mark * writer.integer(3, max(3, longest))).strip()
    if writer.chance(0.6):
        return row
    text, side = expand(writer, "set_off"), mark * writer.integer(2, max(2, longest // 4))
    side = side.strip()
    return writer.choice((f"{side} {text} {side}", f"{side} {text}", f"{side}{text}{side}"))


def _spaced(writer: Writer) -> str:
    """Capitals with a space after each letter, as in headings."""
    text = " ".join(_word(writer) for _ in range(writer.integer(1, 3))).replace("ß", "ss")
    return " ".join(text.upper()[: max(1, writer.room // 2)].replace(" ", ""))


def _sentences(writer: Writer, length: int) -> str:
    """Running text of at least `length` characters; it may start in the middle of a sentence."""
    apostrophe = writer.choice("'’")
    # French printers set a space before ; : ! ? and typists often do; old English ones sometimes.
    wide = " " if writer.chance(0.7 if writer.language == "fr" else 0.08) else ""
    spaced_comma = bool(wide) and writer.chance(0.12)  # as in French books before 1800
    opening, closing = expand(writer, f"quotes.{writer.language}").split("…")
    dash = expand(writer, "stroke")
    starts, closing_mark, text = writer.chance(0.4), "", ""
    while len(text) < length:
        token = _token(writer).replace("'", apostrophe)
        if starts or writer.chance(0.03):
            token = token[0].upper() + token[1:]
        starts = False
        if closing_mark and writer.chance(0.35):
            token, closing_mark = token + closing_mark, ""
        elif not closing_mark and writer.chance(0.025):
            quotes = (opening, closing)
            opening_mark, closing_mark = writer.choice((quotes, quotes, ("(", ")"), ("[", "]")))
            token = opening_mark + token
        gap, roll = " ", writer.rng.random()
        if roll < 0.09:
            token += wide * (spaced_comma and writer.chance(0.7)) + ","
        elif roll < 0.15:
            token, starts = token + ".", True
        elif roll < 0.185:
            mark = writer.choice(";;::!?")
            token, starts = token + wide + mark, mark in "!?"
        elif roll < 0.205:
            gap = dash
        elif roll < 0.21:
            token += expand(writer, "tail")
        text += token + gap
    return text


def _token(writer: Writer) -> str:
    """A word of running text, or a date, a number, a name; with an elision (l', d') if possible."""
    token = expand(writer, "aside") if writer.chance(0.03) else _word(writer)
    elision = f"elision.{writer.language}"
    vowel = token[0] in "aeiouyéèêhâîôœAEIOUÉ" and "'" not in token
    if elision in read_grammar() and vowel and writer.chance(0.4):
        token = f"{expand(writer, elision)}'{token}"
    return token


def _prose(writer: Writer) -> str:
    """A line of running text; one in five ends with a hyphen in the middle of a word."""
    text = _sentences(writer, writer.room + 8)
    cut, rest = text[: writer.room - 1], text[writer.room - 1 :]
    return cut + "-" if writer.chance(0.2) and cut[-2:].isalpha() and rest[:2].isalpha() else text


def _single(writer: Writer) -> str:
    """One word, sometimes with a punctuation mark before or after it."""
    words = dictionary_words(writer.language)
    word = writer.choice(words) if writer.chance(0.8) else _word(writer)
    if writer.chance(0.08):
        word = word.upper()
    elif writer.chance(0.15):
        word = word.capitalize()
    if writer.chance(0.2):
        word += expand(writer, "after")
    return expand(writer, "before") + word if writer.chance(0.04) else word


def long_s(text: str) -> str:
    """`text` with the long s (ſ) of printers before 1800.

    Every small s becomes long except at the end of a word and next to an f. A word that is
    hyphenated at the end of the line has a long s before the hyphen. Capitals do not change.
    """
    return re.sub(r"(?<!f)s(?!f)(?=[^\W\d_])|(?<!f)s(?=-$)", "ſ", text)


def _longs(writer: Writer) -> str:
    return long_s(_whole_words(_prose(writer), writer.room))


def _whole_words(text: str, length: int) -> str:
    """`text`, cut after a word if it is longer than `length`; "" if its first word is."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0]


def _fraktur(writer: Writer) -> str:
    """German prose as it was printed in Fraktur, mostly with long s."""
    text = _whole_words(_prose(replace(writer, language="de")), writer.room)
    return long_s(text) if writer.chance(0.85) else text


# Printers of the 15th and 16th century left out an m or n and drew a stroke above the vowel.
_ABBREVIATIONS = [(vowel + nasal, tilde) for tilde, vowel in WITH_TILDE.items() for nasal in "mn"]


def _early(writer: Writer) -> str:
    """Latin or German as printed before 1550: long s, abbreviations, few punctuation marks."""
    early = replace(writer, language=writer.choice(("la", "la", "de")))
    words = [_early_word(early) for _ in range(writer.integer(1, max(1, writer.room // 6)))]
    text = " ".join(words)
    return long_s(_whole_words(text, writer.room) or text)


def _early_word(writer: Writer) -> str:
    word = _word(writer).lower()
    if writer.chance(0.3):
        letters, abbreviation = writer.choice(_ABBREVIATIONS)
        at = word.find(letters, 1)
        if at > 0:
            word = word[:at] + abbreviation + word[at + 2 :]
    if writer.language == "la" and writer.chance(0.7):
        # v at the beginning of a word and u inside it, for the vowel and the consonant; i for j
        word = re.sub("^u", "v", re.sub("(?<=.)v", "u", word)).replace("j", "i")
    if writer.chance(0.08):
        word = word.capitalize()
    if writer.chance(0.12):
        word += writer.choice((".", ".", ":", ",", "/", " /", ". ¶", ".", "-"))
    return word


def _rare(writer: Writer) -> str:
    """Characters of the alphabet with equal probability, so that rare ones are learned too.

    Half of the texts are characters only; in the others they stand beside and within words.
    """
    if writer.chance(0.5):
        count = writer.integer(3, writer.room)
        drawn = [writer.choice(DEFAULT_CHARACTERS) for _ in range(count)]
        return "".join(" " if writer.chance(0.12) else character for character in drawn)
    out = []
    for _ in range(writer.integer(1, 6)):
        word, mark = _word(writer), writer.choice(DEFAULT_CHARACTERS[1:])
        letter = mark.islower()
        at = writer.integer(0, len(word)) if letter else writer.choice((0, len(word)))
        out.append(word[:at] + mark + word[at:])
    return " ".join(out)


@cache
def _accented() -> dict[str, list[str]]:
    """Each plain letter with its accented forms in the alphabet: {"c": ["ç", "ć", ...], ...}."""
    forms: dict[str, list[str]] = {}
    for character in DEFAULT_CHARACTERS:
        plain = unicodedata.normalize("NFD", character)[0]
        if plain != character and plain.isalpha():
            forms.setdefault(plain, []).append(character)
    for plain, character in zip("dDhHlLoOtT", "đĐħĦłŁøØŧŦ", strict=True):
        forms.setdefault(plain, []).append(character)
    return forms


def _accents(writer: Writer) -> str:
    """Running text in which some letters get another accent, as in languages without a dictionary.

    Czech, Polish, Turkish, Icelandic and others have accents that the dictionaries have not.
    """
    share, forms = writer.rng.uniform(0.05, 0.35), _accented()
    text = _sentences(writer, writer.room)
    return "".join(
        writer.choice(forms[c]) if c in forms and writer.chance(share) else c for c in text
    )


# Names of the grammar that need more than a choice of texts.
FUNCTIONS: dict[str, Callable[[Writer], str]] = {
    "text": lambda writer: _sentences(writer, writer.integer(5, max(6, writer.room))).strip(),
    "capitals": lambda writer: expand(writer, "PERSON" if writer.chance(0.3) else "TEXT"),
    "reference": lambda writer: writer.choice(dictionary_words("en")),
    "word": _word,
    "day": _day,
    "leaders": _leaders,
    "spaced": _spaced,
    "prose": _prose,
    "single": _single,
    "longs": _longs,
    "rows": _rows,
    "rare": _rare,
    "accents": _accents,
    "fraktur": _fraktur,
    "early": _early,
}
