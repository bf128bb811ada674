"""Pages a minute of `ocrkit read` with one process, with several, and on a Dask cluster.

python tests/archive/throughput.py --copies 12 --rounds 2 --jobs 1 2 --dask 2
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PROGRAM = "from ocrkit.cli import app; app()"


def copy_samples(folder: Path, copies: int) -> int:
    """The sample pages so many times, each file with other bytes at its end; returns how many."""
    folder.mkdir()
    samples = [path for path in (ROOT / "data/samples").iterdir() if path.suffix != ".txt"]
    for copy in range(copies):
        for path in samples:
            # A file of the same content would not be read again.
            data = path.read_bytes() + copy.to_bytes(4)
            (folder / f"{path.stem}-{copy:04}{path.suffix}").write_bytes(data)
    return copies * len(samples)


def read(scans: Path, out: Path, *options: str) -> tuple[float, list[int]]:
    """Seconds of a run with its start, and the memory of its processes in MB, twice a second."""
    command = [sys.executable, "-c", PROGRAM, "read", str(scans), "-o", str(out), "--no-show"]
    begun, memory = time.monotonic(), []
    with open(out.with_suffix(".log"), "w") as log:
        process = subprocess.Popen([*command, *options], stderr=log, stdout=log)
        while process.poll() is None:
            memory.append(_memory(process.pid))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(out.with_suffix(".log").read_text())
    return time.monotonic() - begun, memory


def _memory(pid: int) -> int:
    """The largest process of a run and its workers, in MB."""
    try:
        parent = psutil.Process(pid)
        sizes = [one.memory_info().rss for one in (parent, *parent.children(recursive=True))]
    except psutil.Error:
        return 0
    return max(sizes) // 1_000_000


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as started:
        yield started.scheduler_address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=12, help="of the eight sample pages")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--dask", type=int, default=0, help="workers of a Dask cluster")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = copy_samples(folder / "scans", given.copies)
        for number in range(given.rounds):  # the ways take turns
            runs = [(f"-j {jobs}", ("-j", str(jobs))) for jobs in given.jobs]
            with cluster(given.dask) if given.dask else nullcontext("") as address:
                if address:
                    runs.append((f"Dask of {given.dask}", ("--cluster", address)))
                for label, options in runs:
                    out = folder / f"out{number}-{label.replace(' ', '')}"
                    took, memory = read(folder / "scans", out, *options)
                    seconds.setdefault(label, []).append(took)
                    quarter = max(1, len(memory) // 4)
                    early = statistics.median(memory[quarter : 2 * quarter] or memory)
                    late = statistics.median(memory[-quarter:])
                    print(
                        f"{label}: {pages} pages in {took:.1f} s, {60 * pages / took:.0f} a "
                        f"minute; largest process {early:.0f} MB in the second quarter of the run, "
                        f"{late:.0f} MB in the last",
                        flush=True,
                    )
    first = statistics.median(next(iter(seconds.values())))
    for label, times in seconds.items():
        rate, factor = 60 * pages / statistics.median(times), first / statistics.median(times)
        print(f"{label}: median {rate:.0f} pages a minute, {factor:.2f} times the first")


if __name__ == "__main__":
    main()
