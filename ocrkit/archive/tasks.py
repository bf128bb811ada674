"""Pages as tasks: what a worker is asked, what it answers, and which page is read next.

A worker reads one page at a time, so that a file of many pages keeps all workers busy. Nothing here
imports what reading needs: a worker process must be able to watch its parent before it loads that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocrkit.errors import OcrkitError

if TYPE_CHECKING:
    from ocrkit.document import Page
    from ocrkit.pipeline import ReadOptions


@dataclass(frozen=True)
class Source:
    """A file to be read. `known`: the numbers of pages that need not be read again.

    count: how many pages the file has, where that is known already.
    """

    path: Path
    known: frozenset[int] = frozenset()
    count: int | None = None


@dataclass(frozen=True)
class Task:
    """A page to be read, by its number from 1; or 0: say how many pages the file has."""

    source: Path
    number: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task: a page, or a count of pages, or an error.

    An error is one line that starts with the path. A page that is to be skipped has none of them.
    """

    task: Task
    page: Page | None
    error: str | None = None
    count: int | None = None


class PageReader:
    """Carries out tasks one after the other; a file stays open between neighbouring pages."""

    def __init__(self, options: ReadOptions) -> None:
        self.options = options
        self.source: Path | None = None
        self.number = 0  # of the next page that `pages` may give
        self.pages: Iterator[Page] = iter(())
        self.read_ahead: Page | None = None

    def __call__(self, task: Task) -> Outcome:
        """Read or count; whatever is wrong with the page or its file is in the outcome."""
        try:
            if task.number:
                return Outcome(task, self._page(task.source, task.number))
            from ocrkit.image import count_pages

            return Outcome(task, None, count=count_pages(task.source))
        except OcrkitError as reason:
            error = str(reason)
        except MemoryError:
            error = f"{task.source}: there is not enough memory to read it"
        except Exception as reason:  # one unusual file must not stop a run of thousands
            error = f"{task.source}: cannot be read: {_one_line(reason)}"
        self.source = None
        return Outcome(task, None, error)

    def _page(self, source: Path, number: int) -> Page | None:
        from ocrkit.pipeline import read_pages

        if (source, number) != (self.source, self.number):
            self.pages = read_pages(source, self.options, number)
            self.read_ahead = None
        page = self.read_ahead or next(self.pages, None)
        self.source, self.number = source, number + 1
        # Pages that have text already may be skipped: then the next one comes, or none.
        self.read_ahead = page if page and page.number > number else None
        if page is None and self.options.pages_with_text != "skip":
            raise OcrkitError(f"{source}: there is no page {number}")
        return None if self.read_ahead else page


class TaskQueue:
    """Which page is read next: the remaining pages of files that were begun, then a new file.

    Sources are taken from their iterator only when a page is asked for, so that thousands of files
    cost no memory. may_begin: says whether a new file may be begun now.
    """

    def __init__(
        self, sources: Iterator[Source], may_begin: Callable[[], bool] = lambda: True
    ) -> None:
        self.sources, self.may_begin = sources, may_begin
        self.waiting: deque[Task] = deque()
        self.known: dict[Path, frozenset[int]] = {}

    def take(self) -> Task | None:
        """The next task, or None: there is none before one that was taken is done."""
        while not self.waiting and self.may_begin():
            source = next(self.sources, None)
            if source is None:
                return None
            self._begin(source)
        return self.waiting.popleft() if self.waiting else None

    def give_back(self, tasks: list[Task]) -> None:
        """Put tasks that were taken, and not carried out, before all others."""
        self.waiting.extendleft(reversed(tasks))

    def done(self, outcome: Outcome) -> None:
        """The answer to a task. If it is the number of pages, these come next."""
        if not outcome.task.number:
            known = self.known.pop(outcome.task.source)
            self._add(outcome.task.source, known, outcome.count or 0)

    def _begin(self, source: Source) -> None:
        if source.count is not None:
            self._add(source.path, source.known, source.count)
            return
        self.known[source.path] = source.known
        self.waiting.append(Task(source.path, 0))

    def _add(self, path: Path, known: frozenset[int], count: int) -> None:
        numbers = (number for number in range(1, count + 1) if number not in known)
        self.waiting.extend(Task(path, number) for number in numbers)


def read_here(queue: TaskQueue, options: ReadOptions) -> Iterator[Outcome]:
    """Carry out all tasks in this process; raises what `ReadOptions.load` raises."""
    reader = None
    while (task := queue.take()) is not None:
        if reader is None:
            options.load()
            reader = PageReader(options)
        outcome = reader(task)
        queue.done(outcome)
        yield outcome


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())}".strip()
