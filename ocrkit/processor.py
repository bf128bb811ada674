"""The processor: its name, and what it has that counts for speed."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

# Feature -> the flags of /proc/cpuinfo that give it (one is enough), and what it is for.
FEATURES = {
    "AVX2": (("avx2",), "every backend; IPEX does not start without it"),
    "AVX-512": (("avx512f",), "faster FP32"),
    "VNNI": (("avx512_vnni", "avx_vnni"), "INT8 that is faster than FP32"),
    "BF16": (("avx512_bf16", "amx_bf16"), "training and reading in bfloat16"),
    "AMX": (("amx_tile",), "the fastest INT8 and BF16"),
}


def machine() -> str:
    """The processor, to stand beside every timing: its name, cores, and what counts for speed."""
    name, flags = cpuinfo()
    found = [feature for feature, (wanted, _) in FEATURES.items() if flags & set(wanted)]
    return f"{name}, {usable_cores()} cores, {' '.join(found) or 'no AVX2'}"


def fast_int8() -> bool:
    """Whether the processor has an instruction that multiplies 8-bit numbers and adds them up."""
    return any(feature in machine() for feature in ("VNNI", "AMX"))


def usable_cores() -> int:
    """The cores that this process may run on, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


@cache
def cpuinfo() -> tuple[str, frozenset[str]]:
    """Model name and feature flags of this machine's processor."""
    return parse_cpuinfo(Path("/proc/cpuinfo").read_text())


def parse_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Model name and feature flags from the text of ``/proc/cpuinfo``."""
    fields = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, flags=re.MULTILINE))
    return fields.get("model name", ""), frozenset(fields.get("flags", "").split())
