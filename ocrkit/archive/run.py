"""Reading many files, one after the other or in several processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ocrkit.document import Document, Page
from ocrkit.errors import OcrkitError
from ocrkit.pipeline import ReadOptions, read_pages, reader_name
from ocrkit.processor import usable_cores
from ocrkit.runtime.threads import limit_threads


@dataclass(frozen=True)
class Result:
    """What became of one file: a document, or an error (one line that starts with the path).

    A file that is damaged after its first pages has both: the document of these, and the error.
    """

    source: Path
    document: Document | None
    error: str | None = None


def read_documents(
    paths: Iterable[str | Path],
    options: ReadOptions | None = None,
    jobs: int = 1,
    **settings: Any,
) -> Iterator[Result]:
    """Read files one after the other, or in `jobs` processes; yields in the order of `paths`.

    settings: fields of ReadOptions; they come before those of `options`.

    A file that cannot be read gives a Result with an error, and the others are still read, even if
    the file ends the process that reads it, for example because memory runs out. With more than one
    job the detector and the recogniser are sent to the processes by pickle, so names are best.

    Raises CheckpointError or MissingPartError, before the first file, if weights cannot be loaded.
    """
    options = replace(options or ReadOptions(), **settings)
    options.load()
    sources = [Path(path) for path in paths]
    read = partial(_read_file, options=options)
    if jobs <= 1 or len(sources) <= 1:
        yield from map(read, sources)
        return
    while sources:
        done = 0
        for result in _in_processes(read, sources, jobs):
            done += 1
            yield result
        # A process has ended because of one of the files that were being read. The first of them is
        # read again by itself, so that no file is blamed for another.
        for source in sources[done : done + 1]:
            alone = next(_in_processes(read, [source], 1), None)
            yield alone or Result(source, None, f"{source}: ended the process that was reading it")
        sources = sources[done + 1 :]


def _in_processes(
    read: Callable[[Path], Result], sources: Sequence[Path], jobs: int
) -> Iterator[Result]:
    """Results in the order of `sources`, until a process ends before its result."""
    # A forked process may hang if its parent has started threads, so they are spawned.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_process, (jobs,))
    try:
        with _ctrl_c_ignored():  # the processes inherit this: Ctrl-C is for their parent
            pending = [pool.submit(read, source) for source in sources]
        for future in pending:
            yield future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _read_file(source: Path, options: ReadOptions) -> Result:
    pages: list[Page] = []
    error = None
    try:
        for page in read_pages(source, options):
            pages.append(page)
    except OcrkitError as reason:
        error = str(reason)
    except Exception as reason:  # one unusual file must not stop a run of thousands
        error = f"{source}: cannot be read: {_one_line(reason)}"
    if pages and error:
        error += f" (the pages before it were read: {len(pages)})"
    document = Document(str(source), tuple(pages), reader_name(options)) if pages else None
    return Result(source, document, error)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())}".strip()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a signal's handler
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _start_process(jobs: int) -> None:
    """Share the cores with the other processes, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows this is not inherited
    limit_threads(max(1, usable_cores() // jobs))
