from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ocrkit.archive import workers
from ocrkit.archive.run import read_documents
from ocrkit.archive.tasks import Outcome, Source, Task, TaskQueue
from ocrkit.archive.workers import read_in_processes, sensible_jobs
from ocrkit.errors import CheckpointError
from ocrkit.pipeline import ReadOptions
from tests.archive.helpers import OPTIONS, HeightReader, OneLine, read_into, scan
from tests.archive.kills import draw_pages, kill_runs, running, start, texts

DEADLY = ReadOptions(detector=OneLine(deadly=77), recognizer=HeightReader())


def take_all(queue: TaskQueue) -> list[tuple[str, int]]:
    taken = []
    while task := queue.take():
        taken.append((str(task.source), task.number))
    return taken


def test_the_pages_of_a_file_are_dealt_out_once_it_is_counted() -> None:
    queue = TaskQueue(iter([Source(Path("a")), Source(Path("b"), frozenset({2}), 3)]))
    first = queue.take()
    assert first == Task(Path("a"), 0)
    queue.done(Outcome(Task(Path("a"), 0), None, count=2))
    assert take_all(queue) == [("a", 1), ("a", 2), ("b", 1), ("b", 3)]


def test_a_file_that_cannot_be_counted_has_no_pages_to_read() -> None:
    queue = TaskQueue(iter([Source(Path("a"))]))
    queue.take()
    queue.done(Outcome(Task(Path("a"), 0), None, "a: damaged"))
    assert queue.take() is None


def test_files_are_taken_only_as_they_are_needed() -> None:
    begun = []

    def sources():
        for name in "abc":
            begun.append(name)
            yield Source(Path(name), count=2)

    queue = TaskQueue(sources())
    queue.take(), queue.take()
    assert begun == ["a"]
    assert queue.take() == Task(Path("b"), 1)
    assert begun == ["a", "b"]


def test_tasks_that_are_given_back_come_first_and_in_order() -> None:
    queue = TaskQueue(iter([Source(Path("a"), count=4)]))
    taken = [task for _ in range(3) if (task := queue.take())]
    queue.give_back(taken[1:])
    assert take_all(queue) == [("a", 2), ("a", 3), ("a", 4)]


def test_the_pages_of_one_file_are_read_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights = range(50, 62)
    source = scan(tmp_path / "a.tif", *heights)
    started = []
    start = workers._Worker.give

    def watched(self: workers._Worker, task: Task) -> None:
        started.append(self)
        start(self, task)

    monkeypatch.setattr(workers._Worker, "give", watched)
    (result,) = read_documents([source], OPTIONS, jobs=2)
    assert result.document is not None
    assert [page.number for page in result.document.pages] == [*range(1, 13)]
    assert [page.text for page in result.document.pages] == [f"page of {n} rows" for n in heights]
    assert len(set(started)) == 2


def test_a_process_that_has_read_many_pages_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PAGES", 4)
    started = []
    start = workers._Worker.__init__

    def watched(self: workers._Worker, options: ReadOptions) -> None:
        started.append(self)
        start(self, options)

    monkeypatch.setattr(workers._Worker, "__init__", watched)
    sources = [scan(tmp_path / "a.tif", *range(50, 59))]
    (result,) = read_documents(sources, OPTIONS, jobs=1)
    assert result.document is not None
    assert [page.height for page in result.document.pages] == [*range(50, 59)]
    assert len(started) == 3  # 9 pages and the count of them, 4 at a time
    assert not any(worker.process.is_alive() for worker in started)


def test_a_page_that_ends_its_process_costs_no_other_page(tmp_path: Path) -> None:
    source = scan(tmp_path / "a.tif", 50, 77, 60, 70)
    (result,) = read_documents([source], DEADLY, jobs=2)
    ended = "ended the process that was reading it (pages read: 3, not read: 2)"
    assert result.error == f"{source}: {ended}"
    assert result.document is not None
    assert [page.height for page in result.document.pages] == [50, 60, 70]


def test_a_page_that_ends_its_process_is_in_the_catalogue(tmp_path: Path) -> None:
    sources = [scan(tmp_path / "a.tif", 50, 77), scan(tmp_path / "b.png", 60)]
    _, steps = read_into(tmp_path / "out", sources, options=DEADLY, jobs=1)
    assert [bool(step.error) for step in steps] == [True, False]
    assert (tmp_path / "out/a.txt").read_text() == "page of 50 rows\n"


def test_a_page_is_tried_again_when_another_ended_the_process(tmp_path: Path) -> None:
    """As when memory ran out because of another program, or of another page."""
    flag = tmp_path / "once"
    options = ReadOptions(detector=EndsOnce(str(flag)), recognizer=HeightReader())
    sources = [scan(tmp_path / f"{i}.png", 50 + i) for i in range(4)]
    results = list(read_documents(sources, options, jobs=1))
    assert flag.exists()
    assert [result.error for result in results] == [None] * 4


class EndsOnce(OneLine):
    """Ends its process over the first page, and leaves a file."""

    def __init__(self, flag: str) -> None:
        object.__setattr__(self, "flag", flag)

    def __call__(self, page):  # type: ignore[no-untyped-def]
        if not os.path.exists(self.flag):
            Path(self.flag).touch()
            os._exit(1)
        return super().__call__(page)


def test_weights_that_a_process_cannot_load_stop_the_whole(tmp_path: Path) -> None:
    options = ReadOptions(recognizer=tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="none.safetensors not found"):
        list(read_documents([scan(tmp_path / "a.png")], options, jobs=2))


def test_no_process_is_left_when_the_reading_is_stopped(tmp_path: Path) -> None:
    sources = (Source(scan(tmp_path / f"{i}.png", 50 + i)) for i in range(20))
    outcomes = read_in_processes(TaskQueue(sources), OPTIONS, 2)
    next(outcomes)
    begun = workers.get_context("spawn").active_children()
    assert begun
    outcomes.close()
    assert not any(process.is_alive() for process in begun)


def test_a_process_for_each_core_if_there_are_many_files_and_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "usable_cores", lambda: 8)
    monkeypatch.setattr(workers, "_free_memory", lambda: 16 * workers.MEMORY)
    assert sensible_jobs(10) is None
    assert sensible_jobs(10_000) == 8
    monkeypatch.setattr(workers, "_free_memory", lambda: 3 * workers.MEMORY)
    assert sensible_jobs(10_000) == 3
    monkeypatch.setattr(workers, "_free_memory", lambda: 1000)
    assert sensible_jobs(10_000) == 1
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    assert sensible_jobs(10_000) is None


@pytest.mark.parametrize("jobs", [None, 2])
def test_killed_runs_lose_nothing_and_leave_nothing(tmp_path: Path, jobs: int | None) -> None:
    """`python tests/archive/kills.py` does the same with 50 kills of runs of 200 pages."""
    damage = kill_runs(tmp_path, jobs, kills=3, pages=24, latest=12)
    assert damage.kills == 3
    damage.kills = damage.in_work = 0
    assert damage == type(damage)()


def test_sigterm_ends_a_run_and_its_processes_and_the_next_goes_on(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    draw_pages(scans, 60)
    process = start(scans, out, 2, mark=str(tmp_path))
    deadline = time.monotonic() + 120
    while not list(out.glob("*.txt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert running(str(tmp_path)) == []
    assert 0 < len(texts(out)) < len(list(scans.iterdir()))
    assert start(scans, out, None).wait() == 0
    assert len(texts(out)) == len(list(scans.iterdir()))
