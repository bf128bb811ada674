"""The words of pages as they are searched: one spelling for what a reader would call the same.

Case, accents, the long s and ligatures make no difference, and a word that is divided at the end of
a line is found whole.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ocrkit.document import Line, Page, Word

HYPHENS = "-\N{SOFT HYPHEN}\N{HYPHEN}\N{NOT SIGN}\N{DOUBLE OBLIQUE HYPHEN}="
SHORTEST_SIMILAR = 5  # letters; shorter words are like too many others
MOST_SIMILAR = 200  # words that one word of a query stands for
_TOKEN = re.compile(r"[^\W_]+")


def normalised(text: str) -> str:
    """The text without case, accents, long s and ligatures: "Weiſſ É" is "weiss e"."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return unicodedata.normalize("NFKD", plain.casefold())


def tokens(text: str) -> list[str]:
    """The words of a text in the form in which they are indexed; punctuation divides words."""
    return _TOKEN.findall(normalised(text))


@dataclass(frozen=True)
class Place:
    """A word in the form in which it is indexed, and the words of the page that it was read in.

    line: the number of the (first) line in the page, from 0.
    """

    token: str
    line: int
    words: tuple[Word, ...]


def places(page: Page) -> Iterator[Place]:
    """The words of a page in order; words divided at the end of a line come last, whole."""
    whole = []
    for number, line in enumerate(page.lines):
        for word in line.words or [Word(line.text, line.confidence, line.box)]:
            for token in tokens(word.text):
                yield Place(token, number, (word,))
        if number + 1 < len(page.lines):
            whole += _joined(line, page.lines[number + 1], number)
    yield from whole


def _joined(line: Line, following: Line, number: int) -> list[Place]:
    if not (line.words and following.words):
        return []
    first, second = line.words[-1], following.words[0]
    divided = len(first.text) > 1 and first.text[-1] in HYPHENS and first.text[-2].isalpha()
    if not (divided and second.text[:1].islower()):
        return []
    joined = tokens(first.text[:-1] + second.text)
    return [Place(token, number, (first, second)) for token in joined]


def indexed_text(page: Page) -> str:
    """The text of a page as it is indexed, with the corrections of its lines."""
    return " ".join(place.token for place in places(page.corrected))


class Vocabulary:
    """All words of a catalogue, each once: finds those that are like a word, or contain a part."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.known: set[str] = set()  # words that are in the table for certain

    def add(self, text: str) -> None:
        """Add the words of an indexed text, inside the caller's transaction."""
        if len(self.known) > 500_000:
            self.known.clear()
        for word in set(text.split()) - self.known:
            sql = "INSERT OR IGNORE INTO words (word) VALUES (?) RETURNING id"
            for (id,) in self.connection.execute(sql, (word,)).fetchall():
                sql = "INSERT INTO word_parts (rowid, word) VALUES (?, ?)"
                self.connection.execute(sql, (id, word))
            self.known.add(word)

    def forget(self) -> None:
        """The caller's transaction was undone: nothing is known for certain."""
        self.known.clear()

    def containing(self, part: str) -> list[str]:
        """Words that contain a text of three letters or more."""
        sql = "SELECT word FROM word_parts WHERE word_parts MATCH ? LIMIT ?"
        return [word for (word,) in self.connection.execute(sql, (f'"{part}"', MOST_SIMILAR))]

    def similar(self, word: str) -> list[str]:
        """Words that differ from a word by one letter: another, one more or one less.

        One such difference leaves the first or the second half of a word as it is, so that the
        trigram index need only be asked for words that contain one of the halves. Halves of two
        letters are too short for that index; words that begin with the same two are looked at.
        """
        if len(word) < SHORTEST_SIMILAR:
            return []
        half = len(word) // 2
        halves = [part for part in (word[:half], word[half:]) if len(part) >= 3]
        candidates = {other for part in halves for other in self._with_part(part, len(word))}
        if half < 3:
            candidates |= set(self._beginning(word[:half], len(word)))
        return sorted(other for other in candidates if differ_by_one(word, other))[:MOST_SIMILAR]

    def _with_part(self, part: str, length: int) -> Iterable[str]:
        sql = (
            "SELECT word FROM word_parts WHERE word_parts MATCH ? AND length(word) BETWEEN ? AND ?"
        )
        return self._words(sql, f'"{part}"', length - 1, length + 1)

    def _beginning(self, part: str, length: int) -> Iterable[str]:
        sql = "SELECT word FROM words WHERE word >= ? AND word < ? AND length(word) BETWEEN ? AND ?"
        return self._words(sql, part, part + "\U0010ffff", length - 1, length + 1)

    def _words(self, sql: str, *values: str | int) -> Iterable[str]:
        return (word for (word,) in self.connection.execute(sql, values))


def differ_by_one(a: str, b: str) -> bool:
    """Whether two words differ by exactly one letter: replaced, added or left out."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    short, long = sorted((a, b), key=len)
    same = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), None)
    if same is None:
        return True  # the longer has one more at its end
    rest = same + (len(short) == len(long))
    return short[rest:] == long[same + 1 :]
