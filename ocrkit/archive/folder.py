"""Reading files into an output folder, with a catalogue: what was done before is not done again."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ocrkit.archive.catalogue import LOCK, NAME, Catalogue, Content, FileRow, fingerprint
from ocrkit.archive.corrected import SUFFIX, keep_corrections
from ocrkit.archive.formats import FORMATS
from ocrkit.archive.plan import Plan, make_plan
from ocrkit.archive.report import REPORT, TABLE
from ocrkit.archive.results import OVERLAY, Output, write_results
from ocrkit.archive.run import file_error, outcomes
from ocrkit.archive.tasks import Outcome, Source, TaskQueue
from ocrkit.document import Document
from ocrkit.errors import CatalogueError, OcrkitError
from ocrkit.files import write
from ocrkit.pipeline import ReadOptions, reader_name

# Files that a run keeps in the output folder, beside the results.
OWN = (NAME, f"{NAME}-wal", f"{NAME}-shm", LOCK, REPORT, TABLE)


@dataclass(frozen=True)
class Step:
    """Something that was done: a page was read, or a file is finished.

    file: None for a page. error: one line that starts with a path. document: of a file that could
    be read, at least in part. written: whether all results of the file are in their places.
    """

    file: FileRow | None = None
    document: Document | None = None
    error: str | None = None
    written: bool = False


@dataclass
class FolderRun:
    """One run into a folder; `steps` does the work, and the counts say how far it is.

    written: files whose results are all in their places. pages: tried so far. expected: all pages
    to be read, as far as it is known: a file counts as one page until it is opened.
    """

    catalogue: Catalogue
    options: ReadOptions
    output: Output
    plan: Plan
    written: int = 0
    pages: int = 0
    expected: int = 0
    _begun: dict[Path, _Begun] = field(default_factory=dict)
    _finished: list[Step] = field(default_factory=list)

    @classmethod
    @contextmanager
    def into(
        cls,
        folder: Path,
        sources: Sequence[Path],
        roots: Sequence[Path],
        options: ReadOptions,
        output: Output,
    ) -> Iterator[FolderRun]:
        """A run into a folder, which no other run writes into until the end of the context.

        sources: the files. roots: the files and folders that the user named, for the tree of the
        results. Raises CatalogueError if another run is at work or the catalogue cannot be used,
        CheckpointError if there are no such weights.
        """
        text = fingerprint(options)
        with Catalogue.open_for_run(folder) as catalogue:
            plan = make_plan(catalogue, sources, roots, catalogue.settings(text), output)
            _remove_parts(folder, plan)
            work = sum(reason != "unchanged" for _, reason in plan.files)
            yield cls(catalogue, options, output, plan, expected=work)

    def left_out(self, others: Sequence[Path]) -> list[Path]:
        """Files that are not images, without those that a run has written."""
        written = self.catalogue.outputs()
        absolute = {path: Path(os.path.abspath(path)) for path in others}
        own = {self.catalogue.folder.absolute() / name for name in OWN}
        return [p for p, full in absolute.items() if full not in written and full not in own]

    def steps(self) -> Iterator[Step]:
        """Do what was planned; results are written as soon as all pages of a file are read.

        Raises CheckpointError and MissingPartError if nothing can be read, and CatalogueError if
        the catalogue cannot be written. What was done until then is kept.
        """
        queue = TaskQueue(self._sources())
        for outcome in outcomes(queue, self.options, self.output.jobs, self.output.cluster):
            yield from self._take_finished()
            yield from self._store(outcome)
        yield from self._take_finished()

    def _take_finished(self) -> list[Step]:
        finished, self._finished = self._finished, []
        return finished

    def _sources(self) -> Iterator[Source]:
        """The files whose pages are to be read; those that need no reading are finished here."""
        for file, reason in self.plan.files:
            if reason == "unchanged":
                continue
            try:
                source = self._source(file, reason)
            except CatalogueError:
                raise
            except (OSError, OcrkitError) as error:
                self.expected -= 1
                text = (
                    f"{file.name}: {error.strerror}" if isinstance(error, OSError) else str(error)
                )
                self.catalogue.finish(file.id, self.catalogue.document(file.id), text)
                self._finished.append(Step(file, None, text))
                continue
            if source:
                yield source

    def _source(self, file: FileRow, reason: str) -> Source | None:
        """A file to be read, or None: all its pages are known, and its results are written."""
        content = Content.of(file.path)
        if content is None:  # a pipe, a device: reading it says what it is
            return self._begin(file, None)
        settings = self.plan.settings
        known = (file.sha256, file.settings) == (content.sha256, settings)
        self.catalogue.begin(file, content, settings, reader_name(self.options))
        if reason == "again":
            self.catalogue.forget_pages(file.id)
        elif not known and (twin := self.catalogue.same_content(file, settings, content.sha256)):
            self.catalogue.copy_pages(twin, file.id)
        count = self.catalogue.file(file.id).count
        pages = self.catalogue.known_pages(file.id)
        if count is not None and len(pages) >= count:
            self.expected -= 1
            self._finished.append(self._finish(_Begun(file, count)))
            return None
        return self._begin(file, count, pages)

    def _begin(
        self, file: FileRow, count: int | None, pages: frozenset[int] = frozenset()
    ) -> Source:
        # Messages begin with the path: people know the name that they gave. The workers of a
        # cluster may run in another folder.
        path = file.path if self.output.cluster else Path(file.name)
        self._begun[path] = _Begun(file, count, len(pages))
        if count is not None:
            self.expected += count - len(pages) - 1
        return Source(path, pages, count)

    def _store(self, outcome: Outcome) -> Iterator[Step]:
        """Put the answer to a task into the catalogue; finish a file whose last page it is."""
        task, begun = outcome.task, self._begun[outcome.task.source]
        if outcome.count is not None:
            begun.count = outcome.count
            self.catalogue.set_count(begun.file.id, outcome.count)
            self.expected += outcome.count - 1
        elif not task.number:  # it could not be counted
            self.pages += 1
            del self._begun[task.source]
            yield self._finish(begun, outcome.error)
        else:
            self.pages += 1
            begun.done += 1
            if outcome.page:
                self.catalogue.add_page(begun.file.id, outcome.page)
            elif outcome.error:
                self.catalogue.add_failed_page(begun.file.id, task.number, outcome.error)
            else:
                self.catalogue.add_skipped_page(begun.file.id, task.number)
            yield Step()
            if begun.count is not None and begun.done >= begun.count:
                del self._begun[task.source]
                yield self._finish(begun)

    def _finish(self, begun: _Begun, error: str | None = None) -> Step:
        """Write the results of a file whose pages are all in the catalogue, as far as possible."""
        file = begun.file
        document, json = self._document(file)
        error = error or file_error(self.catalogue.page_errors(file.id), len(document.pages))
        written = False
        if document.pages or not error:
            try:
                document = self._write(file, document, json)
                written = True
                self.written += 1
            except CatalogueError:
                raise
            except OcrkitError as reason:
                error = error or str(reason)
            except OSError as reason:  # what was written is gone already
                error = error or f"{file.name}: {reason.strerror}"
        self.catalogue.finish(file.id, document, error)
        return Step(file, document if document.pages or not error else None, error, written)

    def _write(self, file: FileRow, document: Document, json: bytes | None) -> Document:
        """Write the results of a file; returns the document that was written.

        json: the JSON file whose corrections the document has. If it was changed since, the new
        corrections are taken over before it is replaced.
        """
        stem = self._stem(file)
        output = self._output(file, json)
        results: list[tuple[Path, str]] = []
        content = None
        if "json" in output.formats:
            ((path, data),) = FORMATS["json"].files(document, stem)
            while _content(path) != json:
                document, json = self._document(file)
                ((path, data),) = FORMATS["json"].files(document, stem)
            results.append((write(path, data), "json"))
            content = Content.of(path)
            output = self._output(file, json)
        others = tuple(name for name in output.formats if name != "json")
        results += write_results(document, stem, replace(output, formats=others))
        self.catalogue.add_outputs(file.id, results)
        if content:
            self.catalogue.set_written_json(file.id, content)
        return document

    def _output(self, file: FileRow, json: bytes | None) -> Output:
        """What is to be written of a file: after a correction also what was written before."""
        known = self.catalogue.written_json(file.id)
        if json is None or (known and known.sha256 == hashlib.sha256(json).hexdigest()):
            return self.output
        before = self.plan.written.get(file.id, {})
        there = [name for name, paths in before.items() if any(map(os.path.exists, paths))]
        formats = dict.fromkeys([*self.output.formats, *(n for n in there if n != OVERLAY)])
        overlay = self.output.overlay or OVERLAY in there
        return replace(self.output, formats=tuple(formats), overlay=overlay)

    def _document(self, file: FileRow) -> tuple[Document, bytes | None]:
        """The pages that were read, with the corrections in the JSON that was there before.

        The catalogue then has them too, so that the corrected text is found. Also returned: what
        that JSON file held.
        """
        read = self.catalogue.document(file.id)
        path = Path(f"{self._stem(file)}{SUFFIX}")
        json = _content(path)
        document = keep_corrections(read, path)
        pairs = zip(document.pages, read.pages, strict=True)
        if changed := [page for page, old in pairs if page != old]:
            self.catalogue.replace_pages(file.id, changed)
        return document, json

    def _stem(self, file: FileRow) -> Path:
        return Path(os.path.normpath(self.catalogue.folder / file.stem))


@dataclass
class _Begun:
    """A file that is being read: how many pages it has, and how many of them are done."""

    file: FileRow
    count: int | None
    done: int = 0


def _content(path: Path) -> bytes | None:
    """What a file holds; None if it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _remove_parts(folder: Path, plan: Plan) -> None:
    """Remove the temporary files of writes that a killed run had begun."""
    begun = [folder / file.stem for file, reason in plan.files if reason == "reading"]
    for stem in [*begun, folder / Path(REPORT).stem]:
        for part in stem.parent.glob(f".{glob.escape(stem.name)}.*.part"):
            part.unlink(missing_ok=True)
