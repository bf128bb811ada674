"""What the generator writes: lines as letters, books, receipts, ledgers and forms hold them.

`line` gives a text of a style; it is NFC, of the default alphabet only, with single spaces. Running
text takes its words from trdg's dictionaries and from grammar.tsv; all else is written by the
grammar in that file, whose head says how it is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from numpy.random import Generator

from ocrkit.alphabet import DEFAULT_CHARACTERS
from ocrkit.errors import MissingPartError
from ocrkit.synth.fonts import package_folder

T = TypeVar("T")

# style -> its share of the lines
STYLE_WEIGHTS = {
    "prose": 0.13,
    "word": 0.04,
    "reference": 0.12,
    "capitals": 0.05,
    "title": 0.04,
    "receipt": 0.18,
    "ledger": 0.05,
    "letter": 0.10,
    "office": 0.04,
    "longs": 0.03,
    "codes": 0.03,
    "rows": 0.02,
    "rare": 0.06,
    "amounts": 0.05,
    "fraktur": 0.03,
    "early": 0.03,
}
_KNOWN = frozenset(DEFAULT_CHARACTERS)

# How often each language is written. The kit's readers have mostly English and French papers.
_LANGUAGES = ("en",) * 8 + ("fr",) * 9 + ("de",) * 4 + ("es",) * 3 + ("it",) * 2 + ("la",)

# Dictionary words that the living language hardly has: they would be a third of all French words.
_FRENCH_RARITIES = re.compile(r"(ss(ions|iez|ent|es?)|[âîû](mes|tes)|r(ions|iez)|[aiu]s|ât|ît|ût)$")

# The Spanish list is in an old code page of its own.
_SPANISH = str.maketrans(
    "\x83\x87\x88\x89\x8c\x8d\x8e\x90\x92\x93\x94\x96\x97\x99", "éüçñáéèíïíìóòú"
)


@cache
def words(code: str) -> tuple[str, ...]:
    """trdg's dictionary of a language ("en", "fr", ...), thinned to at most 60,000 words.

    Raises MissingPartError where trdg is not installed.
    """
    file = package_folder("trdg", "dicts") / f"{code}.txt"
    if not file.is_file():
        raise MissingPartError("the words of synthetic lines are trdg's: pip install trdg")
    data = file.read_bytes()
    text = data.decode("latin-1").translate(_SPANISH) if code == "es" else data.decode("utf-8")
    known = [w for w in text.split() if len(w) <= 18 and _KNOWN.issuperset(w)]
    if code == "fr":
        known = [w for w in known if not _FRENCH_RARITIES.search(w)]
    return tuple(known[:: len(known) // 60_000 + 1])


@dataclass(frozen=True)
class _Pen:
    """Writes in one language: a random generator with the few questions that text asks of it."""

    rng: Generator
    code: str
    room: int

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def of(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def between(self, low: int, high: int) -> int:
        return low + int(self.rng.random() * (high - low + 1))


@cache
def _grammar() -> dict[str, list[list[str]]]:
    """grammar.tsv as name -> choices -> pieces, of which every second one is a name."""
    table: dict[str, list[list[str]]] = {}
    text = Path(__file__).with_name("grammar.tsv").read_text(encoding="utf-8")
    for row in text.replace("␣", " ").splitlines():
        if row and not row.startswith("#"):
            name, choices = row.split("\t")
            table.setdefault(name, []).extend(re.split("{(.+?)}", c) for c in choices.split("|"))
    return table


def _write(pen: _Pen, name: str) -> str:
    """One of the texts that `name` stands for in the grammar."""
    lower = name.lower()
    if name[0] == "#":
        return str(int(pen.rng.random() * 10 ** int(name[1:]))).zfill(int(name[1:]))
    if name[0].isdigit():
        low, _, high = name.partition("-")
        return str(pen.between(int(low), int(high)))
    if lower in _WRITERS:
        text = _WRITERS[lower](pen)
    else:
        pieces = pen.of(_grammar()[lower])
        text = "".join(_write(pen, piece) if i % 2 else piece for i, piece in enumerate(pieces))
    return text.upper() if name.isupper() else text if name == lower else text.title()


def _word(pen: _Pen) -> str:
    if pen.chance(0.5):
        return _write(pen, f"common.{pen.code}")
    known = words(pen.code)
    # The Italian and Latin lists begin with the most frequent words, the others with the letter A.
    part = pen.rng.random() ** 2 if pen.code in ("it", "la") else pen.rng.random()
    return known[int(part * len(known))]


def _day(pen: _Pen) -> str:
    day, month = pen.between(1, 31), _write(pen, f"month.{pen.code}")
    if pen.code == "en":
        end = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        short = f"{month[:3]}. {day}"
        return pen.of((f"{day} {month}", f"{month} {day},", f"{day}{end} {month}", short))
    if pen.code == "es":
        return f"{day} de {month} de"
    point = "." if pen.code == "de" else "er" if pen.code == "fr" and day == 1 else ""
    return f"{day}{point} {month}"


def _leaders(pen: _Pen) -> str:
    dot = _write(pen, "dot")
    return f" {(dot * (pen.between(3, max(4, pen.room - 20)) // len(dot))).strip()} "


def _rows(pen: _Pen) -> str:
    """A row of one mark, as parts of a page are set off with, or a text beside or between two."""
    mark = _write(pen, "row_mark")
    longest = pen.room // len(mark)
    row = (mark * pen.between(3, max(3, longest))).strip()
    if pen.chance(0.6):
        return row
    text, side = _write(pen, "set_off"), (mark * pen.between(2, max(2, longest // 4))).strip()
    return pen.of((f"{side} {text} {side}", f"{side} {text}", f"{side}{text}{side}"))


def _spaced(pen: _Pen) -> str:
    text = " ".join(_word(pen) for _ in range(pen.between(1, 3))).replace("ß", "ss")
    return " ".join(text.upper()[: max(1, pen.room // 2)].replace(" ", ""))


def _sentences(pen: _Pen, length: int) -> str:
    """Running text of `length` characters or some more, from anywhere within a page."""
    apostrophe = pen.of("'’")
    # French printers set a space before ; : ! ?, typists often, and old English ones sometimes.
    wide = " " if pen.chance(0.7 if pen.code == "fr" else 0.08) else ""
    spaced_comma = bool(wide) and pen.chance(0.12)  # old French books: a gap before each comma
    opening, closing = _write(pen, f"quotes.{pen.code}").split("…")
    dash = _write(pen, "stroke")
    elides = f"elision.{pen.code}" in _grammar()
    sentence, awaited, text = pen.chance(0.4), "", ""
    while len(text) < length:
        token = _write(pen, "aside") if pen.chance(0.03) else _word(pen)
        vowel = token[0] in "aeiouyéèêhâîôœAEIOUÉ" and "'" not in token
        if elides and vowel and pen.chance(0.4):
            token = f"{_write(pen, f'elision.{pen.code}')}'{token}"
        token = token.replace("'", apostrophe)
        if sentence or pen.chance(0.03):
            token = token[0].upper() + token[1:]
        sentence = False
        if awaited and pen.chance(0.35):
            token, awaited = token + awaited, ""
        elif not awaited and pen.chance(0.025):
            mark, awaited = pen.of(((opening, closing), (opening, closing), ("(", ")"), ("[", "]")))
            token = mark + token
        gap, roll = " ", pen.rng.random()
        if roll < 0.09:
            token += wide * (spaced_comma and pen.chance(0.7)) + ","
        elif roll < 0.15:
            token, sentence = token + ".", True
        elif roll < 0.185:
            mark = pen.of(";;::!?")
            token, sentence = token + wide + mark, mark in "!?"
        elif roll < 0.205:
            gap = dash
        elif roll < 0.21:
            token += _write(pen, "tail")
        text += token + gap
    return text


def _prose(pen: _Pen) -> str:
    """A line of running text, one time in five broken within a word that goes on in the next."""
    text = _sentences(pen, pen.room + 8)
    cut, rest = text[: pen.room - 1], text[pen.room - 1 :]
    return cut + "-" if pen.chance(0.2) and cut[-2:].isalpha() and rest[:2].isalpha() else text


def _single(pen: _Pen) -> str:
    word = pen.of(words(pen.code)) if pen.chance(0.8) else _word(pen)
    word = word.upper() if pen.chance(0.08) else word.capitalize() if pen.chance(0.15) else word
    if pen.chance(0.2):
        word += _write(pen, "after")
    return _write(pen, "before") + word if pen.chance(0.04) else word


def long_s(text: str) -> str:
    """`text` with the long s of printers before 1800: each small s but at a word's end or by f.

    A word broken at the line's end keeps it before the hyphen; capitals have none.
    """
    return re.sub(r"(?<!f)s(?!f)(?=[^\W\d_])|(?<!f)s(?=-$)", "ſ", text)


def _longs(pen: _Pen) -> str:
    text = _prose(pen)
    return long_s(text if len(text) <= pen.room else text[: pen.room].rpartition(" ")[0])


def _fraktur(pen: _Pen) -> str:
    """German prose as Fraktur sets it: long s by rule, often no space after a dash or a point."""
    german = replace(pen, code="de")
    text = _prose(german)
    text = text if len(text) <= pen.room else text[: pen.room].rpartition(" ")[0]
    return long_s(text) if pen.chance(0.85) else text


# What 15th- and 16th-century printers left out, and the letter that then has a stroke above it.
_ABBREVIATED = (("am", "ã"), ("an", "ã"), ("em", "ẽ"), ("en", "ẽ"), ("im", "ĩ"), ("in", "ĩ"),
                ("om", "õ"), ("on", "õ"), ("um", "ũ"), ("un", "ũ"))  # fmt: skip


def _early(pen: _Pen) -> str:
    """Latin or German as printed before 1550: long s, few marks, v for u at the start of words."""
    early = replace(pen, code=pen.of(("la", "la", "de")))
    words = [_word(early) for _ in range(pen.between(1, max(1, pen.room // 6)))]
    for i, word in enumerate(words):
        word = word.lower()
        if pen.chance(0.3):
            letters, short = pen.of(_ABBREVIATED)
            at = word.find(letters, 1)
            if at > 0:
                word = word[:at] + short + word[at + 2 :]
        if early.code == "la" and pen.chance(0.7):
            word = re.sub("^u", "v", re.sub("(?<=.)v", "u", word)).replace("j", "i")
        if pen.chance(0.08):
            word = word.capitalize()
        if pen.chance(0.12):
            word += pen.of((".", ".", ":", ",", "/", " /", ". ¶", ".", "-"))
        words[i] = word
    text = " ".join(words)
    text = text if len(text) <= pen.room else text[: pen.room].rpartition(" ")[0] or text
    return long_s(text)


def _rare(pen: _Pen) -> str:
    if pen.chance(0.5):
        drawn = [pen.of(DEFAULT_CHARACTERS) for _ in range(pen.between(3, pen.room))]
        return "".join(" " if pen.chance(0.12) else character for character in drawn)
    out = []
    for _ in range(pen.between(1, 6)):  # beside words, and letters within them
        word, mark = _word(pen), pen.of(DEFAULT_CHARACTERS[1:])
        at = pen.between(0, len(word)) if mark.islower() else pen.of((0, len(word)))
        out.append(word[:at] + mark + word[at:])
    return " ".join(out)


# What the grammar cannot say; the other styles are names in it.
_WRITERS: dict[str, Callable[[_Pen], str]] = {
    "text": lambda pen: _sentences(pen, pen.between(5, max(6, pen.room))).strip(),
    "capitals": lambda pen: _write(pen, "PERSON" if pen.chance(0.3) else "TEXT"),
    "reference": lambda pen: pen.of(words("en")),
    "word": _word, "day": _day, "leaders": _leaders, "spaced": _spaced, "prose": _prose,
    "single": _single, "longs": _longs, "rows": _rows, "rare": _rare, "fraktur": _fraktur,
    "early": _early,
}  # fmt: skip


def _fitted(text: str, length: int) -> str:
    """What of `text` is in the alphabet, single-spaced, cut between words if that is near."""
    known = (c for c in unicodedata.normalize("NFC", text) if c in _KNOWN)
    kept = " ".join("".join(known).split())
    if len(kept) <= length:
        return kept
    cut = kept.rfind(" ", 0, length + 1)
    return kept[: cut if cut > length // 2 else length].strip()


def line(rng: Generator, style: str | None = None, max_chars: int = 70) -> tuple[str, str]:
    """A (style, text) of 1 to `max_chars` characters; None draws a style by STYLE_WEIGHTS.

    Raises ValueError for a style that is not known.
    """
    if style is None:
        style = str(rng.choice(list(STYLE_WEIGHTS), p=list(STYLE_WEIGHTS.values())))
    elif style not in STYLE_WEIGHTS:
        raise ValueError(f"unknown style {style!r}; the styles are {', '.join(STYLE_WEIGHTS)}")
    writer = "single" if style == "word" else style  # {word} is one of running text
    text = ""
    while not text:
        code = _LANGUAGES[int(rng.random() * len(_LANGUAGES))]
        text = _fitted(_write(_Pen(rng, code, max(4, max_chars)), writer), max_chars)
    return style, text
