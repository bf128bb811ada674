from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocrkit import processor


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    processor.cpuinfo.cache_clear()
    yield
    processor.cpuinfo.cache_clear()


@pytest.fixture
def other_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on Windows and macOS: no /proc/cpuinfo and no sched_getaffinity."""
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.delattr(processor.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(processor.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")


def test_this_machine_can_be_described() -> None:
    assert f", {processor.usable_cores()} cores, " in processor.machine()
    assert processor.usable_cores() >= 1


def test_without_py_cpuinfo_name_and_cores_are_still_known(
    other_system: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cpuinfo", None)
    assert processor.machine() == "arm64, 8 cores, features unknown"
    assert not processor.fast_int8()


def test_elsewhere_py_cpuinfo_is_asked(other_system: None, monkeypatch: pytest.MonkeyPatch) -> None:
    info = {"brand_raw": "Some CPU", "flags": ["avx2", "avx512f", "avx512vnni"]}
    monkeypatch.setitem(sys.modules, "cpuinfo", SimpleNamespace(get_cpu_info=lambda: info))
    assert processor.machine() == "Some CPU, 8 cores, AVX2 AVX-512 VNNI"
    assert processor.fast_int8()


def test_a_processor_that_py_cpuinfo_does_not_know_is_no_error(
    other_system: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("py-cpuinfo does not know this processor")

    monkeypatch.setitem(sys.modules, "cpuinfo", SimpleNamespace(get_cpu_info=fail))
    assert processor.cpuinfo() == ("arm64", frozenset())


def test_a_name_and_features_are_read_from_proc_cpuinfo(tmp_path: Path) -> None:
    text = "model name\t: Some Xeon\nflags\t\t: fpu avx2 avx512f\n"
    assert processor.parse_cpuinfo(text) == ("Some Xeon", {"fpu", "avx2", "avx512f"})
