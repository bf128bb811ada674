"""Searching the pages of an output folder for words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ocrkit.archive.catalogue import Catalogue
from ocrkit.archive.words import Place, Vocabulary, places, tokens
from ocrkit.document import Box, Page
from ocrkit.errors import CatalogueError, QueryError

LONGEST, MOST_WORDS = 500, 30  # of a query, in characters and in words
# Of a word that is on more pages only the first are ranked: such a word says little, and ranking
# takes as long as there are pages.
RANKED = 20_000
SIMILAR_SCORE = 0.5  # what a page counts on which only similar words are found
CONTEXT = 60  # characters of a snippet on each side of the words
_PIECE = re.compile(r'(-?)"([^"]*)(?:"|$)|(\S+)')


@dataclass(frozen=True)
class Match:
    """A word that was found: the number of its line, from 1, its text or correction, its box."""

    line: int
    text: str
    box: Box


@dataclass(frozen=True)
class Hit:
    """A page on which a query was found.

    file: the scan, as it was named when it was read. page: its number in the file, from 1. line:
    the number of the line with the most words of the query, from 1. box: around these words.
    snippet: a part of that line. score: higher is better (BM25). path: of the scan, absolute.
    words: all words of the page that were found. size: width and height of the page.
    """

    file: str
    page: int
    line: int
    box: Box
    snippet: str
    score: float
    path: Path = field(repr=False)
    words: tuple[Match, ...] = field(repr=False)
    size: tuple[int, int] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; boxes are [x0, y0, x1, y1] in pixels of the page."""
        values = asdict(self) | {"path": str(self.path)}
        values["box"] = [*values["box"].values()]
        values["words"] = [{**word, "box": [*word["box"].values()]} for word in values["words"]]
        return values


def search(query: str, folder: str | Path, limit: int = 20) -> list[Hit]:
    """The pages in the output folder of a run that have all words of a query, best first.

    query: words in any order. `mill*` finds words that begin so, `*mill*` words that contain it
    (three letters or more), "in quotes" words that follow one another, `mill OR mine` one or the
    other, and `-mill` pages without it. Case, accents and long s make no difference. After the
    pages with these words come pages where a word of five letters or more has one letter misread.

    Raises QueryError if the query has no word to search for or is too long, CatalogueError if the
    folder has no catalogue.
    """
    parsed = parse(query)
    with Catalogue.open_to_read(Path(folder)) as catalogue:
        return search_in(catalogue, parsed, limit)


def search_in(catalogue: Catalogue, query: Query, limit: int = 20) -> list[Hit]:
    """As `search`, in an open catalogue."""
    exact = query.expanded(catalogue.vocabulary, similar=False)
    found = dict(_pages(catalogue, exact, limit))
    if len(found) < limit:
        similar = query.expanded(catalogue.vocabulary, similar=True)
        if similar != exact:
            more = _pages(catalogue, similar, limit)
            found |= {id: SIMILAR_SCORE * s for id, s in more if id not in found}
            exact = similar
    hits = [_hit(catalogue, exact, id, score) for id, score in found.items()]
    return sorted(hits, key=lambda hit: -hit.score)[:limit]


@dataclass(frozen=True)
class Term:
    """A word, the beginning or a part of a word, or several words that follow one another.

    kind: "word", "beginning", "part" or "phrase". options: the words it stands for, of which a page
    must have one; empty for a phrase and a beginning.
    """

    kind: str
    words: tuple[str, ...]
    options: tuple[str, ...] = ()

    def expanded(self, vocabulary: Vocabulary, similar: bool) -> Term:
        (word, *_) = self.words
        if self.kind == "part":
            return Term(self.kind, self.words, tuple(vocabulary.containing(word)))
        if self.kind == "word":
            others = vocabulary.similar(word) if similar else []
            return Term(self.kind, self.words, (word, *others))
        return self

    def fts(self) -> str:
        """The term in the language of FTS5, in which a text in quotes is no operator."""
        if self.kind in ("word", "part"):
            return "(" + (" OR ".join(f'"{word}"' for word in self.options) or '""') + ")"
        return '"' + " ".join(self.words) + '"' + "*" * (self.kind == "beginning")

    def found(self, places: Sequence[Place]) -> Iterator[Place]:
        """The places of a page that the term is about."""
        if self.kind in ("word", "part"):
            options = set(self.options)
            yield from (place for place in places if place.token in options)
            return
        *first, last = self.words
        for start in range(len(places) - len(first)):
            run = places[start : start + len(self.words)]
            same = [place.token for place in run[:-1]] == first
            whole = run[-1].token == last
            if same and (whole or self.kind == "beginning" and run[-1].token.startswith(last)):
                yield from run


@dataclass(frozen=True)
class Query:
    """What a page must have: of each group of `all_of` one term, and none of `none_of`."""

    all_of: tuple[tuple[Term, ...], ...]
    none_of: tuple[Term, ...] = ()

    def expanded(self, vocabulary: Vocabulary, similar: bool) -> Query:
        groups = tuple(
            tuple(term.expanded(vocabulary, similar) for term in group) for group in self.all_of
        )
        return Query(groups, tuple(term.expanded(vocabulary, False) for term in self.none_of))

    def fts(self) -> str:
        wanted = " AND ".join(
            "(" + " OR ".join(term.fts() for term in group) + ")" for group in self.all_of
        )
        return " NOT ".join([f"({wanted})", *(term.fts() for term in self.none_of)])

    @property
    def terms(self) -> list[Term]:
        return [term for group in self.all_of for term in group]


def parse(text: str) -> Query:
    """A query as it is typed. Raises QueryError if it has no word to search for, or too many."""
    if len(text) > LONGEST:
        raise QueryError(f"the query has {len(text)} characters; {LONGEST} are allowed")
    groups: list[list[Term]] = []
    none_of: list[Term] = []
    alternative = False
    for minus, phrase, word in _PIECE.findall(text):
        if word == "OR":
            alternative = bool(groups)
            continue
        without = bool(minus) or word.startswith("-")
        term = _term(word.removeprefix("-")) if word else _phrase(tokens(phrase))
        if term is None:
            continue
        if without:
            none_of.append(term)
        elif alternative:
            groups[-1].append(term)
        else:
            groups.append([term])
        alternative = False
    words = sum(len(term.words) for group in groups for term in group)
    if not groups:
        raise QueryError(
            f"{_shown(text)}: there is no word to search for; give one, such as mill or mill*"
        )
    if words > MOST_WORDS:
        raise QueryError(f"the query has {words} words; {MOST_WORDS} are allowed")
    return Query(tuple(map(tuple, groups)), tuple(none_of))


def _term(word: str) -> Term | None:
    parts = tokens(word)
    if not parts:
        return None
    beginning, part = word.endswith("*"), word.startswith("*")
    if part and len(parts) == 1:
        if len(parts[0]) < 3:
            raise QueryError(f"{_shown(word)}: a part of a word needs three letters or more")
        return Term("part", tuple(parts))
    return Term("beginning", tuple(parts)) if beginning else _phrase(parts)


def _phrase(parts: list[str]) -> Term | None:
    if not parts:
        return None
    return Term("word" if len(parts) == 1 else "phrase", tuple(parts))


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else f"{text[:40]}...")


def _pages(catalogue: Catalogue, query: Query, limit: int) -> list[tuple[int, float]]:
    sql = (
        "SELECT rowid, -rank FROM (SELECT rowid, rank FROM page_words WHERE page_words MATCH ? "
        "LIMIT ?) ORDER BY rank LIMIT ?"
    )
    try:
        return catalogue.connection.execute(sql, (query.fts(), RANKED, limit)).fetchall()
    except sqlite3.Error as error:
        raise CatalogueError(f"{catalogue.folder}: cannot be searched: {error}") from error


def _hit(catalogue: Catalogue, query: Query, id: int, score: float) -> Hit:
    file, page = catalogue.page_text(id)
    everything = list(places(page))
    matched = {place for term in query.terms for place in term.found(everything)}
    found = [place for place in everything if place in matched]
    lines = [place.line for place in found]
    best = max(sorted(set(lines)), key=lines.count, default=0)
    here = [place.words[0] for place in found if place.line == best]
    matches = {
        Match(place.line + 1 + (i > 0), word.text, word.box): None
        for place in sorted(found, key=lambda place: place.line)
        for i, word in enumerate(place.words)
    }
    corners = [corner for word in here for corner in _corners(word.box)]
    box = Box.around(corners or [(0, 0), (page.width, page.height)])
    return Hit(
        file.name,
        page.number,
        best + 1,
        box,
        _snippet(page, best, [word.text for word in here]),
        round(score, 4),
        file.path,
        tuple(matches),
        (page.width, page.height),
    )


def _corners(box: Box) -> list[tuple[float, float]]:
    return [(box.x0, box.y0), (box.x1, box.y1)]


def _snippet(page: Page, line: int, words: Sequence[str]) -> str:
    """A part of a line around the first of the words."""
    if line >= len(page.lines):
        return ""
    text = page.lines[line].text
    at = max(0, min((place for word in words if (place := text.find(word)) >= 0), default=0))
    start, end = max(0, at - CONTEXT), at + 2 * CONTEXT
    return "..." * (start > 0) + text[start:end] + "..." * (end < len(text))
