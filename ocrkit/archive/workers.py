"""Worker processes of one thread each, which end with their parent."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ocrkit.archive.tasks import Outcome, PageReader, Task, TaskQueue
from ocrkit.errors import OcrkitError
from ocrkit.processor import usable_cores

if TYPE_CHECKING:
    from ocrkit.pipeline import ReadOptions

AHEAD = 2  # tasks that a worker has: one that it carries out, one that waits in its pipe
MANY_FILES = 50  # that are worth a process for each core
MEMORY = 1_000_000_000  # bytes for each process, with large pages
ENDED = "ended the process that was reading it"
PAGES = 1000  # that a process reads before another takes its place, because its memory grows
ATTEMPTS = 2  # how often a page may end its process before it is given up


def sensible_jobs(files: int) -> int | None:
    """How many processes are worth starting for so many files; None for none of them.

    For a few files it takes longer to start processes than it saves. There is one for each core,
    as long as there is memory for it.
    """
    if files < MANY_FILES or usable_cores() == 1:
        return None
    return max(1, min(usable_cores(), _free_memory() // MEMORY))


def _free_memory() -> int:
    """Bytes that processes can still have, as Linux estimates it; elsewhere no limit is known."""
    with suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo", encoding="ascii") as lines:
            line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    return sys.maxsize


def read_in_processes(queue: TaskQueue, options: ReadOptions, jobs: int) -> Iterator[Outcome]:
    """Carry out all tasks in up to `jobs` processes; the outcomes come as they are ready.

    A process that ends costs only the page that it was reading: its other task is given to another,
    and the page itself is tried once more, because memory may have run out for another's sake.

    Raises what `ReadOptions.load` raises in a worker. The options are sent by pickle.
    """
    pool = _Pool(options, jobs)
    try:
        while True:
            pool.give(queue)
            if not pool.working():
                return
            for outcome in pool.outcomes(queue):
                queue.done(outcome)
                yield outcome
    finally:
        pool.close()


class _Worker:
    """A process, the pipe to it, and the tasks that it has been given."""

    def __init__(self, options: ReadOptions) -> None:
        # A forked process may hang if its parent has started threads, so it is spawned.
        spawn = get_context("spawn")
        self.pipe, other = spawn.Pipe()
        self.process = spawn.Process(target=_work, args=(other,), daemon=True)
        with _ctrl_c_ignored():  # the process inherits this: Ctrl-C is for its parent
            self.process.start()
        other.close()
        self.tasks: deque[Task] = deque()
        self.given = 0
        self.ready = False
        self.pipe.send(options)

    def give(self, task: Task) -> None:
        self.tasks.append(task)
        self.given += 1
        with suppress(OSError):  # it has ended: its tasks are given back when that is noticed
            self.pipe.send(task)

    def end(self) -> int | None:
        """End the process, whatever it is doing; returns its exit code."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return self.process.exitcode


class _Pool:
    def __init__(self, options: ReadOptions, jobs: int) -> None:
        self.options, self.jobs = options, jobs
        self.workers: list[_Worker] = []
        self.ended: Counter[Task] = Counter()

    def give(self, queue: TaskQueue) -> None:
        """Give each worker a task, then each a second one; start workers as they are needed."""
        for worker in [w for w in self.workers if w.given >= PAGES and not w.tasks]:
            self.workers.remove(worker)
            worker.end()
        for depth in range(1, AHEAD + 1):
            for worker in self.workers:
                fresh = worker.given < PAGES
                if fresh and len(worker.tasks) < depth and (task := queue.take()):
                    worker.give(task)
            while len(self.workers) < self.jobs and (task := queue.take()):
                self.workers.append(_Worker(self.options))
                self.workers[-1].give(task)

    def working(self) -> bool:
        return any(worker.tasks for worker in self.workers)

    def outcomes(self, queue: TaskQueue) -> Iterator[Outcome]:
        """Wait until a worker says something, and hand on what all of them have said."""
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe)):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                answer = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._lost(worker, queue)
                continue
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, Outcome):
                worker.tasks.popleft()
                yield answer
            else:
                worker.ready = True

    def _lost(self, worker: _Worker, queue: TaskQueue) -> Iterator[Outcome]:
        """A worker has ended: blame the page that it was reading, and no other."""
        self.workers.remove(worker)
        code = worker.end()
        if not worker.ready:
            self.jobs = len(self.workers)  # there may be memory for so many and no more
            if not self.jobs:
                raise OcrkitError(
                    f"a worker process ended while it loaded the weights (exit code {code}); there "
                    "may be too little memory"
                )
        elif worker.tasks:
            task = worker.tasks[0]
            self.ended[task] += 1
            if self.ended[task] == ATTEMPTS:
                worker.tasks.popleft()
                yield Outcome(task, None, f"{task.source}: {ENDED}")
        queue.give_back(list(worker.tasks))

    def close(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.end()


def _work(pipe: Connection) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows this is not inherited
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        options: ReadOptions = pipe.recv()
        from ocrkit.runtime.threads import limit_threads

        limit_threads(1)
        try:
            options.load()
        except Exception as error:
            pipe.send(_sendable(error))
            return
        pipe.send("ready")
        reader = PageReader(options)
        while True:
            pipe.send(reader(pipe.recv()))
    except (EOFError, OSError):  # the parent has closed the pipe or is gone
        return


def _sendable(error: Exception) -> Exception:
    """The error itself if it is the kit's own, whose argument is a text, or one that can be sent"""
    if isinstance(error, OcrkitError | ModuleNotFoundError):
        return error
    return OcrkitError(f"the weights cannot be loaded: {type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, even if that was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a signal's handler
        return
    handler: Any = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
