"""The catalogue of an output folder: what was read, with what, how well, and every page's text.

It is an SQLite database, `ocrkit.db` in the output folder, in WAL mode: it can be searched while a
run writes it. Each page is stored as soon as it is read, so that a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ocrkit.archive.words import Vocabulary, indexed_text
from ocrkit.document import Box, Document, Line, Page, Word
from ocrkit.errors import CatalogueError
from ocrkit.pipeline import ReadOptions
from ocrkit.runtime.weights import WEIGHTS

NAME, LOCK = "ocrkit.db", "ocrkit.lock"
VERSION = 1  # of the tables
TABLES = """
CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    path NOT NULL UNIQUE,             -- absolute; bytes where it is no UTF-8
    name NOT NULL,                    -- as it was given
    stem NOT NULL UNIQUE COLLATE NOCASE, -- of its results, below the output folder
    size INTEGER, changed INTEGER,    -- of the file, in bytes and ns since 1970
    sha256 TEXT,
    settings INTEGER REFERENCES settings,
    state TEXT NOT NULL,              -- new, reading, read, failed
    count INTEGER,                    -- pages it has
    pages INTEGER NOT NULL DEFAULT 0, -- pages that were read
    confidence REAL, expected_cer REAL,
    seconds REAL,                     -- of work on its pages
    error TEXT,
    reader TEXT,                      -- the program and the weights
    read_at TEXT                      -- UTC
);
CREATE INDEX IF NOT EXISTS files_sha256 ON files (sha256);
CREATE TABLE IF NOT EXISTS pages (
    id INTEGER PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES files,
    number INTEGER NOT NULL,
    confidence REAL, expected_cer REAL, seconds REAL,
    lines INTEGER, left_out INTEGER,  -- in its text, and found but not in it
    error TEXT,                       -- why it could not be read
    data BLOB,                        -- the page as in the JSON format, by zlib
    UNIQUE (file, number)
);
CREATE TABLE IF NOT EXISTS outputs (
    path NOT NULL PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES files,
    format TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS json_files (
    file INTEGER PRIMARY KEY REFERENCES files,
    size INTEGER NOT NULL, changed INTEGER NOT NULL, -- when it was written, as in `files`
    sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS page_words USING fts5(
    text, content='', tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE IF NOT EXISTS word_parts USING fts5(
    word, content='words', content_rowid='id', tokenize='trigram', columnsize=0);
"""


@dataclass(frozen=True)
class FileRow:
    """A file as the catalogue knows it; the columns of the table `files`."""

    id: int
    path: Path
    name: str
    stem: str
    size: int | None
    changed: int | None
    sha256: str | None
    settings: int | None
    state: str
    count: int | None
    pages: int
    confidence: float | None
    expected_cer: float | None
    seconds: float | None
    error: str | None
    reader: str | None
    read_at: str | None


@dataclass(frozen=True)
class Content:
    """A file as it was when it was looked at: bytes, ns since 1970 of the last change, SHA-256."""

    size: int
    changed: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Content | None:
        """The content of a file; None if it is no file, so that opening it might wait for ever.

        Raises OSError if it is not there or cannot be read.
        """
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(found.st_size, found.st_mtime_ns, file_hash(path))


@dataclass(frozen=True)
class PageRow:
    """A page of the catalogue without its lines.

    seconds: of work. lines, left_out: how many are in its text, and were found but are not in it.
    """

    path: Path
    name: str
    stem: str
    number: int
    confidence: float | None
    expected_cer: float | None
    seconds: float | None
    lines: int | None
    left_out: int | None
    error: str | None

    @property
    def state(self) -> str:
        """read, failed or skipped."""
        if self.error:
            return "failed"
        return "skipped" if self.lines is None else "read"


@dataclass(frozen=True)
class Totals:
    """What a catalogue holds: files, pages, and how many failed; `empty` pages have no text."""

    files: int
    failed_files: int
    pages: int
    failed_pages: int
    empty: int


class Catalogue:
    """An open catalogue. All changes of one method are made together, or none of them."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self.connection, self.folder = connection, folder
        self.vocabulary = Vocabulary(connection)

    @classmethod
    @contextmanager
    def open_for_run(cls, folder: Path) -> Iterator[Catalogue]:
        """The catalogue of an output folder, made if it is not there, for the one run that writes.

        Raises CatalogueError if another run is at work in the folder, if the file is damaged or of
        a later version of the kit, or if it cannot be written.
        """
        with _only_run(folder), _open(folder, "rwc") as connection:
            with _errors(folder):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    if connection.execute("PRAGMA user_version").fetchone()[0] in (0, VERSION):
                        for statement in TABLES.split(";\n"):
                            connection.execute(statement)
                        connection.execute(f"PRAGMA user_version = {VERSION}")
            _check_version(connection, folder)
            yield cls(connection, folder)

    @classmethod
    @contextmanager
    def open_to_read(cls, folder: Path) -> Iterator[Catalogue]:
        """The catalogue of an output folder as it is now; a run may go on writing into it.

        Raises CatalogueError if there is none, or if it cannot be read.
        """
        if not (folder / NAME).is_file():
            raise CatalogueError(
                f"{folder}: there is no catalogue ({NAME}) in this folder; give the output folder "
                "of `ocrkit read scans/ -o FOLDER`"
            )
        with _open(folder, "ro") as connection:
            _check_version(connection, folder)
            with _errors(folder):
                connection.execute("BEGIN")  # all that is read is of one moment
            yield cls(connection, folder)

    @classmethod
    @contextmanager
    def open_to_correct(cls, folder: Path) -> Iterator[Catalogue]:
        """The catalogue of an output folder, to change pages in it; a run may be at work in it.

        Raises CatalogueError if there is none, or if it cannot be written.
        """
        with _open(folder, "rw") as connection:
            _check_version(connection, folder)
            yield cls(connection, folder)

    # --- files

    def files(self) -> Iterator[FileRow]:
        """All files, in the order in which they were first seen."""
        names = ", ".join(field.name for field in fields(FileRow))
        for row in self._rows(f"SELECT {names} FROM files ORDER BY id"):
            yield _file_row(row)

    def file(self, id: int) -> FileRow:
        """One file, by its number."""
        names = ", ".join(field.name for field in fields(FileRow))
        (row,) = self._rows(f"SELECT {names} FROM files WHERE id = ?", id)
        return _file_row(row)

    def file_of(self, stem: Path) -> int | None:
        """The number of the file whose results have this stem, a path below the output folder."""
        rows = self._rows("SELECT id FROM files WHERE stem = ?", _text(stem))
        return next((id for (id,) in rows), None)

    def add_files(self, found: Mapping[Path, tuple[str, str]]) -> None:
        """Note new files: the name as it was given, and the stem of the results, by path."""
        rows = [(_text(path), _text(name), _text(stem)) for path, (name, stem) in found.items()]
        with self._change() as connection:
            sql = "INSERT INTO files (path, name, stem, state) VALUES (?, ?, ?, 'new')"
            connection.executemany(sql, rows)

    def settings(self, text: str) -> int:
        """The number of these settings; the same text always has the same number."""
        with self._change() as connection:
            connection.execute("INSERT OR IGNORE INTO settings (text) VALUES (?)", (text,))
        ((number,),) = self._rows("SELECT id FROM settings WHERE text = ?", text)
        return number

    def begin(self, file: FileRow, content: Content, settings: int, reader: str) -> None:
        """A file is about to be read: pages of other content or with other settings are removed."""
        with self._change() as connection:
            if (file.sha256, file.settings) != (content.sha256, settings):
                self._remove_pages(connection, file.id)
            values = (content.size, content.changed, content.sha256, settings, reader)
            connection.execute(
                "UPDATE files SET name = ?, size = ?, changed = ?, sha256 = ?, settings = ?, "
                "reader = ?, state = 'reading', error = NULL WHERE id = ?",
                (_text(file.name), *values, file.id),
            )

    def set_changed(self, file: int, changed: int) -> None:
        """Note the time of the last change of a file whose content is still the same."""
        with self._change() as connection:
            connection.execute("UPDATE files SET changed = ? WHERE id = ?", (changed, file))

    def same_content(self, file: FileRow, settings: int, sha256: str) -> int | None:
        """Another file with this content that has been read with these settings, by its number."""
        sql = (
            "SELECT id FROM files WHERE sha256 = ? AND settings = ? AND state = 'read' AND id != ?"
        )
        return next((id for (id,) in self._rows(f"{sql} LIMIT 1", sha256, settings, file.id)), None)

    def copy_pages(self, source: int, target: int) -> None:
        """Give a file the pages of another file of the same content."""
        with self._change() as connection:
            ((count,),) = connection.execute("SELECT count FROM files WHERE id = ?", (source,))
            connection.execute("UPDATE files SET count = ? WHERE id = ?", (count, target))
            for page in list(self._pages(source)):
                self._insert_page(connection, target, page)

    def set_count(self, file: int, count: int) -> None:
        """Note how many pages a file has."""
        with self._change() as connection:
            connection.execute("UPDATE files SET count = ? WHERE id = ?", (count, file))

    def finish(self, file: int, document: Document, error: str | None = None) -> None:
        """A file has been read as far as possible; `document` has the pages that could be read."""
        cers = [cer for page in document.pages if (cer := page.expected_cer) is not None]
        values = (
            "failed" if error else "read",
            len(document.pages),
            document.confidence,
            sum(cers) / len(cers) if cers else None,
            sum(sum(page.seconds.values()) for page in document.pages),
            error and _readable(error),
            file,
        )
        with self._change() as connection:
            connection.execute(
                "UPDATE files SET state = ?, pages = ?, confidence = ?, expected_cer = ?, "
                "seconds = ?, error = ?, read_at = datetime('now') WHERE id = ?",
                values,
            )

    # --- pages

    def add_page(self, file: int, page: Page) -> None:
        """Store a page that was read."""
        with self._change() as connection:
            self._remove_page(connection, file, page.number)
            self._insert_page(connection, file, page)

    def replace_pages(self, file: int, pages: Sequence[Page]) -> None:
        """Store pages in the place of those with the same numbers."""
        with self._change() as connection:
            for page in pages:
                self._remove_page(connection, file, page.number)
                self._insert_page(connection, file, page)

    def change_page(self, file: int, number: int, change: Callable[[Page], Page]) -> None:
        """Store what `change` makes of a page. A page that was not read stays as it is."""
        sql = "SELECT data FROM pages WHERE file = ? AND number = ? AND data IS NOT NULL"
        with self._change() as connection:
            for (data,) in list(connection.execute(sql, (file, number))):
                self._remove_page(connection, file, number)
                self._insert_page(connection, file, change(_page(data)))

    def add_skipped_page(self, file: int, number: int) -> None:
        """Note that a page is not to be read."""
        with self._change() as connection:
            self._remove_page(connection, file, number)
            connection.execute("INSERT INTO pages (file, number) VALUES (?, ?)", (file, number))

    def add_failed_page(self, file: int, number: int, error: str) -> None:
        """Note that a page could not be read; a page of that number is removed."""
        with self._change() as connection:
            self._remove_page(connection, file, number)
            sql = "INSERT INTO pages (file, number, error) VALUES (?, ?, ?)"
            connection.execute(sql, (file, number, _readable(error)))

    def forget_pages(self, file: int) -> None:
        """Remove the pages of a file, so that all of them are read again."""
        with self._change() as connection:
            self._remove_pages(connection, file)

    def known_pages(self, file: int) -> frozenset[int]:
        """The numbers of a file's pages that have been read or are to be skipped."""
        sql = "SELECT number FROM pages WHERE file = ? AND error IS NULL"
        return frozenset(number for (number,) in self._rows(sql, file))

    def page_errors(self, file: int) -> dict[int, str]:
        """Why pages of a file could not be read, by their numbers."""
        sql = "SELECT number, error FROM pages WHERE file = ? AND error IS NOT NULL ORDER BY number"
        return dict(self._rows(sql, file))

    def document(self, file: int) -> Document:
        """The document of a file, with the pages that were read, in order."""
        ((name, reader),) = self._rows("SELECT name, reader FROM files WHERE id = ?", file)
        return Document(str(_path(name)), tuple(self._pages(file)), reader or "")

    def page_rows(self) -> Iterator[PageRow]:
        """All pages without their lines: the worst first, those without text last."""
        sql = (
            "SELECT f.path, f.name, f.stem, p.number, p.confidence, p.expected_cer, p.seconds, "
            "p.lines, p.left_out, p.error FROM pages p JOIN files f ON p.file = f.id "
            "ORDER BY p.error IS NULL, coalesce(p.lines, 0) = 0, "
            "coalesce(p.expected_cer, 1 - p.confidence) DESC, f.id, p.number"
        )
        for path, name, stem, *rest in self._rows(sql):
            yield PageRow(_path(path), str(_path(name)), str(_path(stem)), *rest)

    def totals(self) -> Totals:
        """How much the catalogue holds."""
        (files,) = self._rows("SELECT count(*), count(error) FROM files")
        (pages,) = self._rows("SELECT count(*), count(error), total(lines = 0) FROM pages")
        return Totals(*files, *map(int, pages))

    def page_text(self, id: int) -> tuple[FileRow, Page]:
        """A page by its number in the table, with its lines and words only, and its file.

        The lines have their corrections as their text.
        """
        ((file, data),) = self._rows("SELECT file, data FROM pages WHERE id = ?", id)
        return self.file(file), _page_text(data).corrected

    # --- results

    def add_outputs(self, file: int, results: Iterable[tuple[Path, str]]) -> None:
        """Note the results of a file that were written: their paths and formats."""
        rows = [(_text(os.path.abspath(path)), file, format) for path, format in results]
        with self._change() as connection:
            connection.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", rows)

    def outputs(self) -> dict[Path, tuple[int, str]]:
        """All files of results: the file that each was made of, and its format."""
        rows = self._rows("SELECT path, file, format FROM outputs")
        return {_path(path): (file, format) for path, file, format in rows}

    def set_written_json(self, file: int, content: Content) -> None:
        """Note what the JSON file of a file holds when all its results are written."""
        values = (file, content.size, content.changed, content.sha256)
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO json_files VALUES (?, ?, ?, ?)", values)

    def written_json(self, file: int) -> Content | None:
        """The JSON file of a file as the kit wrote it; None if it wrote none."""
        rows = self._rows("SELECT size, changed, sha256 FROM json_files WHERE file = ?", file)
        return next((Content(*row) for row in rows), None)

    # --- the rest

    def _rows(self, sql: str, *values: Any) -> Iterator[Any]:
        with _errors(self.folder):
            yield from self.connection.execute(sql, values)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            with _errors(self.folder), self.connection:
                self.connection.execute("BEGIN IMMEDIATE")
                yield self.connection
        except BaseException:
            self.vocabulary.forget()
            raise

    def _pages(self, file: int) -> Iterator[Page]:
        sql = "SELECT data FROM pages WHERE file = ? AND data IS NOT NULL ORDER BY number"
        for (data,) in self._rows(sql, file):
            yield _page(data)

    def _insert_page(self, connection: sqlite3.Connection, file: int, page: Page) -> None:
        seconds = sum(page.seconds.values())
        counts = len(page.lines), len(page.left_out)
        facts = (page.number, page.confidence, page.expected_cer, seconds, *counts)
        cursor = connection.execute(
            "INSERT INTO pages (file, number, confidence, expected_cer, seconds, lines, "
            "left_out, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (file, *facts, _data(page)),
        )
        text = indexed_text(page)
        sql = "INSERT INTO page_words (rowid, text) VALUES (?, ?)"
        connection.execute(sql, (cursor.lastrowid, text))
        self.vocabulary.add(text)

    def _remove_page(self, connection: sqlite3.Connection, file: int, number: int) -> None:
        sql = "SELECT id, data FROM pages WHERE file = ? AND number = ?"
        for id, data in list(connection.execute(sql, (file, number))):
            if data is not None:  # an index without content is told what it held
                sql = "INSERT INTO page_words (page_words, rowid, text) VALUES ('delete', ?, ?)"
                connection.execute(sql, (id, indexed_text(_page(data))))
            connection.execute("DELETE FROM pages WHERE id = ?", (id,))

    def _remove_pages(self, connection: sqlite3.Connection, file: int) -> None:
        sql = "SELECT number FROM pages WHERE file = ?"
        for (number,) in list(connection.execute(sql, (file,))):
            self._remove_page(connection, file, number)
        connection.execute("UPDATE files SET count = NULL, pages = 0 WHERE id = ?", (file,))


def fingerprint(options: ReadOptions) -> str:
    """The settings of reading as a text that differs if a setting or a file of weights does.

    Raises CheckpointError if there are no such weights. A detector or recogniser that is given as
    an object counts by its repr.
    """
    settings = {field.name: getattr(options, field.name) for field in fields(options)}
    if path := options.weights():
        settings["recognizer"] = _hash_of([path, path.with_suffix(".bin")])
    settings["weights of the kit"] = _hash_of(sorted(WEIGHTS.iterdir()))
    return json.dumps(settings, sort_keys=True, default=repr)


def file_hash(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(paths: Iterable[Path]) -> str:
    hashes = [file_hash(path) for path in paths if path.is_file()]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Only one run writes into a folder: the others get a CatalogueError.

    The lock is a transaction on a database of its own, which the system ends with the process.
    """
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise CatalogueError(f"{folder / LOCK}: cannot be locked: {error}") from error
            raise CatalogueError(
                f"{folder}: another run is at work in this folder; wait until it has ended, or "
                "choose another folder"
            ) from error
        except sqlite3.Error as error:
            raise CatalogueError(f"{folder / LOCK}: cannot be locked: {error}") from error
        yield
    finally:
        lock.close()


@contextmanager
def _open(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = (folder / NAME).absolute().as_uri()
    connection = None
    try:
        with _errors(folder):
            connection = _connect(f"{uri}?mode={mode}")
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                if mode != "ro":
                    raise
                # On a medium that cannot be written, WAL needs to be told that nobody writes.
                connection.close()
                connection = _connect(f"{uri}?mode=ro&immutable=1")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection
    finally:
        if connection is not None:
            connection.close()


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False)


def _check_version(connection: sqlite3.Connection, folder: Path) -> None:
    with _errors(folder):
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != VERSION:
        raise CatalogueError(
            f"{folder / NAME}: is not a catalogue of this version of the kit ({found}, not "
            f"{VERSION}); choose another output folder, or move this file away and read again"
        )


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """What SQLite raises inside, as a CatalogueError of one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise CatalogueError(f"{folder / NAME}: {error}; {_remedy(error)}") from error


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return "make room on the disk and run the same command again: it goes on"
    if "malformed" in text or "not a database" in text:
        return "the file is damaged: move it away and run again, which reads everything"
    if "readonly" in text or "unable to open" in text:
        return "the folder cannot be written: choose another"
    return "run the same command again"


def _text(path: str | Path) -> str | bytes:
    """A path as SQLite can store it: as text or, where it is no UTF-8, as bytes."""
    try:
        str(path).encode()
        return str(path)
    except UnicodeEncodeError:
        return os.fsencode(path)


def _path(stored: str | bytes) -> Path:
    return Path(os.fsdecode(stored))


def _readable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _file_row(row: tuple[Any, ...]) -> FileRow:
    id, path, name, stem, *rest = row
    return FileRow(id, _path(path), str(_path(name)), str(_path(stem)), *rest)


def _data(page: Page) -> bytes:
    (data,) = Document("", (page,)).to_dict()["pages"]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=float)
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def _page(data: bytes) -> Page:
    page = json.loads(zlib.decompress(data))
    return Document.from_dict({"source": "", "pages": [page]}).pages[0]


def _page_text(data: bytes) -> Page:
    """As `_page`, but several times faster: what the kit wrote itself is not checked."""
    page = json.loads(zlib.decompress(data))
    lines = tuple(
        Line(
            tuple((x, y) for x, y in line["polygon"]),
            line["text"],
            line["confidence"],
            tuple(Word(w["text"], w["confidence"], Box(*w["box"])) for w in line["words"]),
            line.get("correction"),
        )
        for line in page["lines"]
    )
    return Page(page["width"], page["height"], lines, page["number"])
