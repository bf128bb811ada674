"""Reading many files, one after the other or in several processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocrkit.archive.tasks import Outcome, Source, TaskQueue, read_here
from ocrkit.archive.workers import read_in_processes
from ocrkit.document import Document
from ocrkit.pipeline import ReadOptions, reader_name

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

    jobs: how many processes, of one thread each; they get pages one by one. None reads
    in this process, in which the networks use all cores. settings: fields of ReadOptions; they come
    before those of `options`.

    A file that cannot be read gives a Result with an error, and the others are still read, even if
    a page ends the process that reads it, for example because memory runs out. With `jobs` the
    detector and the recogniser are sent to the processes by pickle, so names are best.

    Raises CheckpointError or MissingPartError, before the first file, if weights cannot be loaded.
    """
    options = replace(options or ReadOptions(), **settings)
    sources = [Path(path) for path in paths]
    wanted = Counter(sources)  # how often each is still to be yielded
    begun: dict[Path, _File] = {}
    reader = reader_name(options)
    yielded = 0

    def to_read() -> Iterator[Source]:
        for path in dict.fromkeys(sources):
            begun[path] = _File(path, reader)
            yield Source(path)

    queue = TaskQueue(to_read(), lambda: len(begun) < HELD * (1 + (jobs or 0)))
    for outcome in outcomes(queue, options, jobs):
        begun[outcome.task.source].add(outcome)
        while yielded < len(sources) and (file := begun.get(sources[yielded])) and file.complete:
            yielded += 1
            wanted[file.source] -= 1
            if not wanted[file.source]:
                del begun[file.source]
            yield file.result()


def outcomes(
    queue: TaskQueue, options: ReadOptions, jobs: int | None, cluster: str | None = None
) -> Iterator[Outcome]:
    """The outcome of every task: from a Dask cluster, worker processes, or this process."""
    if cluster is not None:
        from ocrkit.archive.cluster import read_on_cluster

        return read_on_cluster(queue, options, cluster)
    return read_here(queue, options) if jobs is None else read_in_processes(queue, options, jobs)


@dataclass
class _File:
    """The pages of a file that have been read so far."""

    source: Path
    reader: str
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
        document = Document(str(self.source), tuple(pages), self.reader)
        error = file_error(errors, len(pages))
        return Result(self.source, document if pages or not error else None, error)


def file_error(errors: Mapping[int, str], read: int) -> str | None:
    """One line about a file, from the errors of pages by number and how many were read."""
    if not errors:
        return None
    unread = f" (pages read: {read}, not read: {_ranges(sorted(errors))})" if read else ""
    return errors[min(errors)] + unread


def _ranges(numbers: list[int]) -> str:
    """1, 2, 3 and 7 as "1-3, 7"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
