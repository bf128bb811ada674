"""Reading many files, one after the other or in several processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocrkit.archive.tasks import Deal, Outcome, Source, read_here
from ocrkit.archive.workers import read_in_processes
from ocrkit.document import Document, Page
from ocrkit.pipeline import ReadOptions

HELD = 32  # files, and as many for each process, that may be finished before an earlier one


@dataclass(frozen=True)
class Result:
    """What became of one file: a document, or an error (one line that starts with the path).

    A file some of whose pages are damaged has both: the document of the others, and the error.
    """

    source: Path
    document: Document | None
    error: str | None = None


def read_documents(
    paths: Iterable[str | Path],
    options: ReadOptions | None = None,
    jobs: int | None = None,
    **settings: Any,
) -> Iterator[Result]:
    """Read files in this process, or in `jobs` worker processes; yields in the order of `paths`.

    jobs: how many processes, of one thread each; pages are dealt out to them one by one. None reads
    in this process, in which the networks use all cores. settings: fields of ReadOptions; they come
    before those of `options`.

    A file that cannot be read gives a Result with an error, and the others are still read, even if
    a page ends the process that reads it, for example because memory runs out. With `jobs` the
    detector and the recogniser are sent to the processes by pickle, so names are best.

    Raises CheckpointError or MissingPartError, before the first file, if weights cannot be loaded.
    """
    options = replace(options or ReadOptions(), **settings)
    sources = [Path(path) for path in paths]
    begun: dict[Path, _File] = {}
    yielded = 0

    def to_read() -> Iterator[Source]:
        for path in dict.fromkeys(sources):
            begun[path] = _File(path)
            yield Source(path)

    deal = Deal(to_read(), lambda: len(begun) - yielded < HELD * (1 + (jobs or 0)))
    for outcome in outcomes(deal, options, jobs):
        begun[outcome.task.source].add(outcome)
        while yielded < len(sources) and (file := begun.get(sources[yielded])) and file.complete:
            yield file.result()
            yielded += 1


def outcomes(deal: Deal, options: ReadOptions, jobs: int | None) -> Iterator[Outcome]:
    """The outcome of every task, from this process or from `jobs` worker processes."""
    if jobs is None:
        options.load()
        return read_here(deal, options)
    return read_in_processes(deal, options, jobs)


@dataclass
class _File:
    """The pages of a file that have been read so far."""

    source: Path
    count: int | None = None  # not known yet
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        if outcome.count is not None:
            self.count = outcome.count
        else:
            self.outcomes.append(outcome)

    @property
    def complete(self) -> bool:
        # Without a count there is one outcome: the error of counting.
        return len(self.outcomes) >= (self.count or 1)

    def result(self) -> Result:
        pages = sorted((o.page for o in self.outcomes if o.page), key=lambda page: page.number)
        errors = {o.task.number: o.error for o in self.outcomes if o.error}
        return result(self.source, pages, errors)


def result(source: Path, pages: Iterable[Page], errors: dict[int, str]) -> Result:
    """The result of a file from its pages, in order, and the errors of the others by number."""
    document = Document(str(source), tuple(pages))
    error = None
    if errors:
        error = errors[min(errors)]
        if document.pages:
            error += f" (pages read: {len(document.pages)}, not read: {_ranges(sorted(errors))})"
    return Result(source, document if document.pages else None, error)


def _ranges(numbers: list[int]) -> str:
    """1, 2, 3 and 7 as "1-3, 7"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
