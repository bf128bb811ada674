"""The processor: its name, the cores this process may use, and the features that decide speed.

Linux describes the processor in /proc/cpuinfo. On other systems the package py-cpuinfo is asked
if it is installed; without it the name comes from `platform` and the features are unknown.
"""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

# Feature -> its names in /proc/cpuinfo and in py-cpuinfo (one of them is enough), and its use.
FEATURES = {
    "AVX2": (("avx2",), "every backend; IPEX does not start without it"),
    "AVX-512": (("avx512f",), "faster FP32"),
    "VNNI": (("avx512_vnni", "avx512vnni", "avx_vnni"), "INT8 that is faster than FP32"),
    "BF16": (("avx512_bf16", "amx_bf16"), "training and reading in bfloat16"),
    "AMX": (("amx_tile",), "the fastest INT8 and BF16"),
}


def machine() -> str:
    """A description to print beside every timing: processor name, usable cores and features."""
    name, flags = cpuinfo()
    present = [feature for feature, (names, _) in FEATURES.items() if flags & set(names)]
    features = " ".join(present) or ("no AVX2" if flags else "features unknown")
    return f"{name or 'unknown processor'}, {usable_cores()} cores, {features}"


def fast_int8() -> bool:
    """Whether the processor has an instruction for 8-bit dot products (VNNI or AMX)."""
    return any(feature in machine() for feature in ("VNNI", "AMX"))


def usable_cores() -> int:
    """The number of cores this process may run on, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # only on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def cpuinfo() -> tuple[str, frozenset[str]]:
    """Model name and feature flags of this machine's processor; no flags if they are unknown."""
    try:
        name, flags = parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        name, flags = _portable_cpuinfo()
    return name or platform.processor() or platform.machine(), flags


def parse_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Model name and feature flags from the text of ``/proc/cpuinfo``."""
    fields = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, flags=re.MULTILINE))
    return fields.get("model name", ""), frozenset(fields.get("flags", "").split())


def _portable_cpuinfo() -> tuple[str, frozenset[str]]:
    try:
        from cpuinfo import get_cpu_info  # of py-cpuinfo; it takes about a second

        info = get_cpu_info()
    except Exception:  # not installed, or it fails on this system: the features stay unknown
        return "", frozenset()
    return info.get("brand_raw", ""), frozenset(info.get("flags", ()))
