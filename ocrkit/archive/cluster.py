"""Reading on a Dask cluster: the workers read pages, and this process writes what they return."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ocrkit.archive.tasks import Deal, Outcome, PageReader, Task
from ocrkit.archive.workers import ENDED
from ocrkit.errors import OcrkitError
from ocrkit.runtime.packages import needs

if TYPE_CHECKING:
    from ocrkit.pipeline import ReadOptions

AHEAD = 3  # tasks for each thread of the cluster: on the way, in work and on the way back
WAIT = 30.0  # seconds for the scheduler to answer
_here = threading.local()  # in a worker: what each of its threads reads with


def read_on_cluster(deal: Deal, options: ReadOptions, address: str) -> Iterator[Outcome]:
    """Carry out all tasks on the workers of a Dask scheduler; the outcomes come as they are ready.

    address: of the scheduler, as tcp://10.0.0.1:8786. The workers must have the kit, and see the
    files and weights under the same paths; start them with one thread each. Dask gives the pages of
    a lost worker to another. Workers may come and go.

    Raises MissingPartError where Dask is not installed, OcrkitError if the scheduler does not
    answer, and what `ReadOptions.load` raises on a worker.
    """
    with needs("Dask", "'ocrkit[cluster]'", "leave out --cluster and give --jobs"):
        from distributed import Client, as_completed
    try:
        client = Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise OcrkitError(
            f"{address}: no Dask scheduler answers: {' '.join(str(error).split())}"
        ) from error
    with client:
        running = as_completed(loop=client.loop, raise_errors=False)
        tasks: dict[Any, Task] = {}

        def give() -> None:
            most = AHEAD * max(1, sum(client.nthreads().values()))
            while len(tasks) < most and (task := deal.take()):
                future = client.submit(_read, task, options, pure=False)
                tasks[future.key] = task
                running.add(future)

        give()
        while tasks:
            future = next(running)
            outcome = _outcome(future, tasks.pop(future.key))
            deal.done(outcome)
            yield outcome
            give()


def _outcome(future: Any, task: Task) -> Outcome:
    """The result of a task; a page that ended several workers has an error."""
    from distributed import KilledWorker

    if future.status == "finished":
        return future.result()
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Outcome(task, None, f"{task.source}: {ENDED}")
    if isinstance(error, OcrkitError | ModuleNotFoundError):
        raise error
    raise OcrkitError(f"the cluster could not read {task.source}: {type(error).__name__}: {error}")


def _read(task: Task, options: ReadOptions) -> Outcome:
    """What a worker does, in one of its threads."""
    known: tuple[ReadOptions, PageReader] | None = getattr(_here, "reader", None)
    if known is None or known[0] != options:
        from ocrkit.runtime.threads import limit_threads

        limit_threads(1)
        options.load()
        known = _here.reader = options, PageReader(options)
    return known[1](task)
