"""Reading on a Dask cluster: the workers read pages, and this process writes what they return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ocrkit.archive.tasks import Outcome, PageReader, Task, TaskQueue
from ocrkit.archive.workers import ENDED
from ocrkit.errors import OcrkitError
from ocrkit.runtime.packages import needs

if TYPE_CHECKING:
    from ocrkit.pipeline import ReadOptions

AHEAD = 3  # tasks for each thread of the cluster: on the way, in work and on the way back
WAIT = 30.0  # seconds for the scheduler to answer
LOOK = 5.0  # seconds between two looks at the cluster while it is silent
PATIENCE = 600.0  # seconds without any worker before the run ends
_here = threading.local()  # in a worker: what each of its threads reads with


def read_on_cluster(queue: TaskQueue, options: ReadOptions, address: str) -> Iterator[Outcome]:
    """Carry out all tasks on the workers of a Dask scheduler; the outcomes come as they are ready.

    address: of the scheduler, as tcp://10.0.0.1:8786. The workers must have the kit, and see the
    files and weights under the same paths; start them with one thread each. Dask gives the pages of
    a lost worker to another. Workers may come and go.

    Raises MissingPartError where Dask is not installed, OcrkitError if the scheduler does not
    answer, and what `ReadOptions.load` raises on a worker.
    """
    with needs("Dask", "'ocrkit[cluster]'", "leave out --cluster and give --jobs"):
        from distributed import Client
    try:
        client = Client(address, timeout=WAIT, set_as_default=False)
    except Exception as error:  # Dask raises many kinds of error for a wrong address
        raise OcrkitError(f"{address}: no Dask scheduler answers: {_one_line(error)}") from error
    with client:
        yield from _Tasks(client, options).outcomes(queue)


class _Tasks:
    """Tasks that the cluster has been given, and their answers as they come."""

    def __init__(self, client: Any, options: ReadOptions) -> None:
        self.client, self.options = client, options
        self.running: dict[str, Task] = {}
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.workers_seen = time.monotonic()

    def outcomes(self, queue: TaskQueue) -> Iterator[Outcome]:
        doubted: list[Task] = []  # their workers were lost, maybe because of another page
        while True:
            most = AHEAD * max(1, self._threads())
            while len(self.running) < most and (task := queue.take()):
                self._submit(task)
            alone = not self.running
            if alone:
                if not doubted:
                    return
                self._submit(doubted.pop())
            task, outcome = self._next()
            if outcome is None and not alone:
                doubted.append(task)
                continue
            outcome = outcome or Outcome(task, None, f"{task.source}: {ENDED}")
            queue.done(outcome)
            yield outcome

    def _submit(self, task: Task) -> None:
        future = self.client.submit(_read, task, self.options, pure=False)
        self.running[future.key] = task
        future.add_done_callback(self.done.put)

    def _next(self) -> tuple[Task, Outcome | None]:
        """The next task that is done; None for its outcome if all workers that had it ended."""
        from distributed import KilledWorker

        future = self._wait_for(lambda: self.done.get(timeout=LOOK))
        task = self.running.pop(future.key)
        try:
            # The answer may be lost with its worker, and is then computed again.
            return task, self._wait_for(lambda: future.result(timeout=LOOK))
        except KilledWorker:
            return task, None
        except (OcrkitError, ModuleNotFoundError):
            raise
        except Exception as error:
            reason = f"the cluster could not read {task.source}: {_one_line(error)}"
            raise OcrkitError(reason) from error

    def _wait_for(self, get: Callable[[], Any]) -> Any:
        """What `get` returns, as long as it takes, unless all workers stay away."""
        while True:
            try:
                return get()
            except (Empty, TimeoutError):
                if not self._threads() and time.monotonic() - self.workers_seen > PATIENCE:
                    raise OcrkitError(
                        f"the cluster has had no workers for {PATIENCE:.0f} s; start some, and run "
                        "the same command again: it goes on"
                    ) from None

    def _threads(self) -> int:
        threads = sum(self.client.nthreads().values())
        if threads:
            self.workers_seen = time.monotonic()
        return threads


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _read(task: Task, options: ReadOptions) -> Outcome:
    """What a worker does, in one of its threads."""
    known: tuple[ReadOptions, PageReader] | None = getattr(_here, "reader", None)
    if known is None or known[0] != options:
        from ocrkit.runtime.threads import limit_threads

        limit_threads(1)
        options.load()
        known = _here.reader = options, PageReader(options)
    return known[1](task)
