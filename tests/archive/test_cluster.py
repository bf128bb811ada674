from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocrkit.archive.catalogue import Catalogue
from ocrkit.archive.folder import FolderRun
from ocrkit.archive.results import Output
from ocrkit.errors import CheckpointError, OcrkitError
from ocrkit.pipeline import ReadOptions
from tests.archive.helpers import HeightReader, OneLine, read_into, scan

if TYPE_CHECKING:
    from distributed import LocalCluster


class Slow(OneLine):
    """Takes a while for each page, so that a worker can be lost in the middle."""

    def __call__(self, page):  # type: ignore[no-untyped-def]
        time.sleep(0.2)
        return super().__call__(page)


OPTIONS = ReadOptions(detector=Slow(), recognizer=HeightReader())


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and two worker processes of one thread each."""
    import dask
    from distributed import LocalCluster

    settings = {"dashboard_address": None, "silence_logs": 50}
    # A worker that ended starts again, which takes a while on a busy machine.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        LocalCluster(n_workers=2, threads_per_worker=1, **settings) as cluster,
    ):
        yield cluster


def test_a_cluster_reads_what_one_process_reads(cluster: LocalCluster, tmp_path: Path) -> None:
    sources = [scan(tmp_path / "a.tif", 50, 60, 70), scan(tmp_path / "b.png", 80)]
    sources.append(tmp_path / "none.png")
    read_into(tmp_path / "here", sources, options=OPTIONS)
    _, steps = read_into(
        tmp_path / "there", sources, options=OPTIONS, cluster=cluster.scheduler_address
    )
    assert sorted(bool(step.error) for step in steps) == [False, False, True]
    for name in ("a.txt", "b.txt"):
        assert (tmp_path / "there" / name).read_text() == (tmp_path / "here" / name).read_text()


def test_a_worker_that_is_lost_costs_no_page(cluster: LocalCluster, tmp_path: Path) -> None:
    from distributed import Client

    heights = range(50, 80)
    source, out = scan(tmp_path / "a.tif", *heights), tmp_path / "out"
    out.mkdir()
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        first, *_ = client.run(os.getpid).values()
    output = Output(cluster=cluster.scheduler_address)
    with FolderRun.into(out, [source], [source], OPTIONS, output) as run:
        for step in run.steps():
            if run.pages == 5 and step.file is None:
                os.kill(first, signal.SIGKILL)
        with Catalogue.open_to_read(out) as catalogue:
            (file,) = catalogue.files()
    assert (file.state, file.pages, file.error) == ("read", 30, None)
    assert (out / "a.txt").read_text().split("\f")[-1] == "page of 79 rows\n"


def test_a_page_that_ends_its_workers_costs_no_other_page(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    options = ReadOptions(detector=OneLine(deadly=77), recognizer=HeightReader())
    source = scan(tmp_path / "a.tif", 50, 77, 60)
    _, (step,) = read_into(
        tmp_path / "out", [source], options=options, cluster=cluster.scheduler_address
    )
    assert step.document is not None and len(step.document.pages) == 2
    assert "ended the process that was reading it" in str(step.error)


def test_weights_that_a_worker_lacks_stop_the_whole(cluster: LocalCluster, tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_text("no weights")
    options = ReadOptions(recognizer=weights)
    source = scan(tmp_path / "a.png")
    with pytest.raises(CheckpointError, match="w.safetensors"):
        read_into(tmp_path / "out", [source], options=options, cluster=cluster.scheduler_address)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1", "tcp://"]
)
def test_an_address_without_a_scheduler_is_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrkit.archive.cluster.WAIT", 2.0)
    with pytest.raises(OcrkitError, match="no Dask scheduler answers") as error:
        read_into(tmp_path / "out", [scan(tmp_path / "a.png")], cluster=address)
    assert len(str(error.value).splitlines()) == 1
