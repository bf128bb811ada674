"""Reading many files, one after the other or in several processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from ocrkit.detection import Detector
from ocrkit.document import MIN_CONFIDENCE, Document, Page
from ocrkit.errors import OcrkitError
from ocrkit.pipeline import load_readers, read_pages
from ocrkit.processor import usable_cores
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.threads import limit_threads


@dataclass(frozen=True)
class Result:
    """What became of one file: a document, or the error, a line that starts with the path.

    A file that is damaged after its first pages has both: the document of those, and the error.
    """

    source: Path
    document: Document | None
    error: str | None = None


def read_documents(
    paths: Iterable[str | Path],
    detector: Detector | str = "lines",
    recognizer: Recognizer | str | Path | None = None,
    jobs: int = 1,
    min_confidence: float = MIN_CONFIDENCE,
    decoder: str = "language",
) -> Iterator[Result]:
    """Read files one after the other, or in `jobs` processes; yields in the order of `paths`.

    A file that cannot be read gives a Result with an error, and the others are read all the same,
    even where it ends the process that reads it, as for lack of memory. With more than one job the
    detector and the recogniser go to the processes by pickle, so names are best. Raises
    CheckpointError or MissingPartError, before the first file, where they cannot be loaded.
    """
    load_readers(detector, recognizer, decoder)
    sources = [Path(path) for path in paths]
    read = partial(
        _attempt,
        detector=detector,
        recognizer=recognizer,
        min_confidence=min_confidence,
        decoder=decoder,
    )
    if jobs <= 1 or len(sources) <= 1:
        yield from map(read, sources)
        return
    while sources:
        done = 0
        for result in _in_processes(read, sources, jobs):
            done += 1
            yield result
        # Where a process has ended, one of the files it and the others were at is to blame. The
        # first of them is read again by itself, so that none is blamed for another.
        for source in sources[done : done + 1]:
            alone = next(_in_processes(read, [source], 1), None)
            yield alone or Result(source, None, f"{source}: ended the process that was reading it")
        sources = sources[done + 1 :]


def _in_processes(
    read: Callable[[Path], Result], sources: Sequence[Path], jobs: int
) -> Iterator[Result]:
    """Results in the order of `sources`, up to the first that a process ended before."""
    # Forking a process in which torch has started its threads may hang, so they are spawned.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_process, (jobs,))
    try:
        with _ctrl_c_ignored():  # by the processes started here, for good: it is the parent's
            pending = [pool.submit(read, source) for source in sources]
        for future in pending:
            yield future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(
    source: Path,
    detector: Detector | str,
    recognizer: Recognizer | str | Path | None,
    min_confidence: float,
    decoder: str,
) -> Result:
    pages: list[Page] = []
    error = None
    try:
        for page in read_pages(
            source, *load_readers(detector, recognizer, decoder), min_confidence
        ):
            pages.append(page)
    except OcrkitError as reason:
        error = str(reason)
    except Exception as reason:  # one odd file must not cost the thousand after it
        error = f"{source}: cannot be read: {_reason(reason)}"
    if pages and error:
        error += f" (what precedes it, {len(pages)} of its pages, is read)"
    return Result(source, Document(str(source), tuple(pages)) if pages else None, error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())}".strip()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may choose
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _start_process(jobs: int) -> None:
    """Share the cores with the other processes."""
    threads = max(1, usable_cores() // jobs)
    limit_threads(threads)
