"""Runs OpenVINO's own benchmark_app, and reads the figures that it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.runtime.openvino import import_openvino

# What the console script runs; the script itself may not be on the PATH.
_BENCHMARK_APP = "from openvino.tools.benchmark.main import main; raise SystemExit(main())"


@dataclass(frozen=True)
class BenchmarkAppResult:
    """What benchmark_app printed.

    fps: inferences per second. median_ms: median latency of one inference in milliseconds.
    precision: the precision that OpenVINO really used, for example "float32".
    """

    fps: float
    median_ms: float
    precision: str


def benchmark_app(
    path: str | Path,
    hint: str = "latency",
    precision: str = "f32",
    seconds: int = 5,
    strips: Sequence[np.ndarray] = (),
) -> BenchmarkAppResult:
    """Run benchmark_app on an .xml or .onnx file.

    hint: OpenVINO's performance hint, "latency" or "throughput".
    precision: for layers in floating point, "f32" or "bf16".
    strips: inputs (1, 1, H, W) float32, read in turn; without them random numbers of the width
        280, as in the reference kit.

    Raises OcrkitError if benchmark_app fails.
    """
    network_input = import_openvino().Core().read_model(path).input(0)
    name, height = network_input.any_name, network_input.partial_shape[2].get_length()
    command = [sys.executable, "-c", _BENCHMARK_APP, "-m", str(path)]
    command += ["-d", "CPU", "-t", str(seconds), "-hint", hint, "-infer_precision", precision]
    with TemporaryDirectory() as folder:
        files = [f"{folder}/{i}.npy" for i in range(len(strips))]
        for file, strip in zip(files, strips, strict=True):
            np.save(file, strip)
        command += (
            ["-i", f"{name}:{','.join(files)}"] if files else ["-shape", f"[1,1,{height},280]"]
        )
        if files and hint == "latency":  # one request at a time, as it does for a fixed shape
            command += ["-api", "async", "-nireq", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not (result := _parse(done.stdout)):
        raise OcrkitError(f"benchmark_app failed on {path}: {(done.stdout + done.stderr)[-500:]}")
    return result


def _parse(output: str) -> BenchmarkAppResult | None:
    patterns = (r"Throughput: +([\d.]+)", r"Median: +([\d.]+) (us|ms)", r"HINT: <Type: '(\w+)'")
    fps, median, used = (re.search(pattern, output) for pattern in patterns)
    if not (fps and median and used):
        return None
    milliseconds = float(median[1]) / (1000 if median[2] == "us" else 1)
    return BenchmarkAppResult(float(fps[1]), milliseconds, used[1])
